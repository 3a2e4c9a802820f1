"""``cnncli featuremaps`` for texts: which words fired which filters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.names import STREAM
from cnncli.cli.predict_text import TextReader
from cnncli.cli.streams import read_stdin
from cnncli.cli.trained import Trained, no_output
from cnncli.data.prepare import read_file
from cnncli.data.texts import LONGEST
from cnncli.data.words import words_of
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.nn.graph import MAIN
from cnncli.nn.layers.text import ConvOverTime, Embedding
from cnncli.tasks.task import are_finite
from cnncli.text import listed
from cnncli.views.featuremaps.texts import Filters, evidence, ngrams, responses_of, text_sections
from cnncli.views.sections import BarRow, Page

_NAMED = 5  # predicted classes
_EXAMPLE = "cnncli featuremaps --text 'a moving film' -m runs/movie-reviews-textcnn"
_READING = (
    "Each filter looks at all windows of so many words and keeps only its maximum. What a filter adds to "
    "the distance between the predicted class and the mean of the others belongs to the words of that "
    "window; the bars are sums over the filters that one n-gram fired."
)


class TextMaps(NamedTuple):
    """What is drawn, said and written of a text."""

    page: Page
    record: dict[str, Any]
    arrays: dict[str, Any]
    notes: tuple[str, ...]


def given_text(text: str | None, source: str | None) -> str:
    """The text that is meant: an option, a file, or standard input.

    Raises
    ------
    CnncliError
        Where it cannot be read, or there is none or two of them.
    """
    if text is not None and source is not None:
        raise UsageError(
            f"--text and {shown(source)} are both given; expected one of them", "Leave one of them out."
        )
    if text is not None:
        return text
    if source is None:
        raise UsageError("no input is given; expected INPUT or --text", f"Run, for example: {_EXAMPLE}")
    data = (
        read_stdin(example="echo good | cnncli featuremaps - -m RUN -o maps.png")
        if source == STREAM
        else None
    )
    try:
        return (read_file(Path(source)) if data is None else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CnncliError(
            f"{shown(source)} has bytes that are not UTF-8; expected a text",
            "Convert it to UTF-8, with iconv.",
        ) from error


def look_at(
    text: str, trained: Trained, layers: Sequence[str], *, views: Sequence[str], threads: int
) -> TextMaps:
    """Run a network for texts on one, and find what its filters made of it.

    Parameters
    ----------
    text : str
        Any.
    trained : Trained
        A network for texts.
    layers : sequence of str
        Convolutions to show; none for all.
    views : sequence of str
        ``maps`` alone: of kernels over words there are no pictures.
    threads : int
        To use.

    Raises
    ------
    UsageError
        Where there is no such layer, or the network is not one of this kind.
    """
    if trained.task.noun != "texts":
        raise UsageError(
            f"--text is given, but {shown(trained.checkpoint.path or '')} is a network for "
            f"{trained.task.noun}; expected one for texts",
            "Name a run that was trained on texts with -m.",
        )
    if list(views) != ["maps"]:
        raise UsageError(
            f"--view is {', '.join(views)} with a network for texts; expected maps",
            "Leave --view out for texts.",
        )
    reader = TextReader(trained, threads=threads)
    words = words_of(text)[:LONGEST]
    plan = reader.plan(1, max(1, len(words)))
    outputs = plan.run_all(reader.input.encoded([words], room=plan.network.graph.input_shape.width))
    if not are_finite(outputs).all():
        raise no_output("the text")
    (decoded,) = trained.task.decode(outputs, top=_NAMED)
    found = _filters(trained, reader, words, int(outputs[MAIN][0].argmax()))
    names = [each.name for each in found]
    if unknown := [name for name in layers if name not in names]:
        raise UsageError(
            f"--layer is {shown(unknown[0])}; expected {listed(names)}", "Leave it out to see all of them."
        )
    found_there = [word in reader.input.vocabulary for word in words]
    (predicted, _), *_ = decoded.bars()
    sections = text_sections(found, words, found_there, predicted)
    shown_sections = [each for each in sections if not layers or each.name in ("text", *layers)]
    page = Page(
        f"Words and filters of {trained.checkpoint.architecture.name}",
        f"{trained.network.size:,} parameters, {len(trained.task.outputs)} classes",
        (),
        tuple(BarRow(shown(name), f"{share:.2%}", share) for name, share in decoded.bars()),
        tuple(shown_sections),
        _READING,
    )
    said = evidence(found, len(words)).tolist()
    about = {
        "words": [
            {"word": word, "known": there, "evidence": round(value, 6)}
            for word, there, value in zip(words, found_there, said, strict=True)
        ],
        "layers": [
            {
                "name": each.name,
                "width": each.width,
                "filters": len(each.shares),
                "ngrams": ngrams(each, words),
            }
            for each in found
            if not layers or each.name in layers
        ],
    }
    arrays = {each.name: each.responses for each in found if not layers or each.name in layers}
    record = {**decoded.record(), "views": {"maps": about}}
    return TextMaps(page, record, arrays, tuple(reader.notes([words_of(text)])))


def _filters(trained: Trained, reader: TextReader, words: Sequence[str], predicted: int) -> list[Filters]:
    """The convolutions of a network with what they make of some words."""
    network = trained.network
    nodes = network.graph.nodes
    tables = [name for name, node in nodes.items() if isinstance(node.layer, Embedding)]
    convolutions = [node for node in nodes.values() if isinstance(node.layer, ConvOverTime)]
    head = network.array(f"{network.graph.output}.weight")
    if len(head[0]) != sum(node.shape.channels for node in convolutions):
        raise UsageError(
            f"{trained.checkpoint.architecture.name} is no network of maxima over time; expected textcnn",
            "Use a network that cnncli train made for texts.",
        )
    numbers = reader.input.vocabulary.numbers(words)
    vectors = np.concatenate([network.array(f"{name}.weight")[numbers] for name in tables], axis=1)
    others = np.delete(head, predicted, axis=0)
    weights = head[predicted].astype(np.float64) - (others.mean(axis=0) if len(others) else 0)
    found, at = [], 0
    for node in convolutions:
        assert isinstance(node.layer, ConvOverTime)
        responses = responses_of(
            vectors, network.array(f"{node.name}.weight"), network.array(f"{node.name}.bias")
        )
        count = node.shape.channels
        shares = responses.max(axis=0, initial=0) * weights[at : at + count]
        found.append(Filters(node.name, node.layer.kernel, responses, shares))
        at += count
    return found
