"""``cnncli evaluate DATASET --attributions METHOD,…``: how faithful heatmaps are to a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.faithfulness import CENTRE, RANDOM, Faithfulness, faithfulness
from cnncli.attribution.methods import METHODS, usable
from cnncli.attribution.model import How, Plans
from cnncli.cli import values
from cnncli.cli.attribution_files import FILES, write_files
from cnncli.cli.attribution_report import as_json, as_text
from cnncli.cli.evaluate_choice import SPLITS
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError
from cnncli.cli.explained_images import ExplainedImages, explained_images
from cnncli.cli.messages import report
from cnncli.cli.names import overwritten
from cnncli.cli.options.evaluate import Settings
from cnncli.cli.outputs import made_folder
from cnncli.cli.progress import Bar, progress_bar
from cnncli.cli.streams import write_stdout
from cnncli.cli.trained import Trained, load_trained, no_output
from cnncli.core.threads import thread_count
from cnncli.data.model import Skipped
from cnncli.data.random_numbers import hashed
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.images.decoding_limits import set_max_pixels

IMAGES = 100  # unless --images says otherwise
ALL = "all"
_NAMED = 5  # left out, that a warning names
_SEEDS = 1 << 32


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured, of which images.

    Attributes
    ----------
    methods : tuple of str
        Those that were asked for, and then `CENTRE` and `RANDOM`.
    unusable : dict of str to str
        Why others that were asked for cannot be used with the network.
    images : ExplainedImages
        That were chosen.
    names : tuple of str
        Of the N images that could be read.
    found : tuple of Faithfulness
        Of these.
    skipped : tuple of Skipped
        Images that are left out.
    seed : int
        Of all that was drawn by lot.
    seconds : float
        That it took.
    """

    methods: tuple[str, ...]
    unusable: dict[str, str]
    images: ExplainedImages
    names: tuple[str, ...]
    found: tuple[Faithfulness, ...]
    skipped: tuple[Skipped, ...]
    seed: int
    seconds: float

    def figures(self, method: str, figure: str) -> NDArray[np.float64]:
        """(N,) a figure of a method for every image; NaN where an image has it not."""
        return np.array([each.figures(method)[figure] for each in self.found])


def run(settings: Settings) -> int:
    """Run the command and return its exit code: 1 where images could not be read."""
    words = _words(settings.attributions or "")
    if settings.strict:
        raise UsageError(
            "--strict is given with --attributions; expected one of them",
            "Leave --strict out: what is left out is named.",
        )
    values.choice("--split", settings.split, SPLITS)
    wanted = IMAGES if settings.images is None else settings.images
    values.within("--images", wanted, 1)
    seed = settings.seed or 0
    values.within("--seed", seed, 0)
    set_max_pixels(values.within("--max-pixels", settings.max_pixels, 1))
    trained = load_trained(settings, quiet=settings.quiet)
    _check(trained)
    methods, unusable = _chosen(words, trained)
    try:
        threads = thread_count(settings.threads)
        images = explained_images(settings, trained, count=wanted, seed=seed, threads=threads)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    folder = None if settings.output is None else _made(Path(settings.output), images, trained)
    for line in () if settings.quiet else images.warnings:
        report(f"warning: {in_unicode(line)}")
    measured = _measured(
        (methods, unusable), images, trained, seed=seed, threads=threads, quiet=settings.quiet
    )
    for line in () if settings.quiet else _left_out(measured.skipped):
        report(line)
    if folder is not None:
        title = f"{trained.checkpoint.architecture.name} on {in_unicode(images.name)}"
        write_files(folder, measured, title=title)
    text = as_json(measured, trained, settings.model) if settings.json else as_text(measured, trained)
    write_stdout(text.encode("utf-8", "backslashreplace") + b"\n")
    if folder is not None and not settings.quiet:
        report(f"{' and '.join(FILES)} are in {shown(folder)}")
    return SOME_FAILED if measured.skipped else DONE


def _words(text: str) -> list[str]:
    """Names of methods, and `ALL`."""
    words = [word.strip() for word in text.split(",")]
    for word in words:
        values.choice("--attributions", word, (*METHODS, ALL))
    return words


def _chosen(words: list[str], trained: Trained) -> tuple[tuple[str, ...], dict[str, str]]:
    """Methods in the order in which they were asked for, each once; of `ALL` those that the network lacks."""
    if ALL not in words:
        return tuple(dict.fromkeys(words)), {}
    methods, unusable = usable(trained.network.graph)
    return tuple(methods), unusable


def _check(trained: Trained) -> None:
    """Refuse networks that do not tell one class of an image."""
    task = trained.task
    if task.name == "classification":
        return
    what = f"one of {task.noun}" if task.noun != "images" else f"one for {task.name}"
    raise UsageError(
        f"--attributions is given for a network that is {what}; expected one that tells the class of an "
        "image",
        "Give such a network with -m, or leave --attributions out.",
    )


def _made(folder: Path, images: ExplainedImages, trained: Trained) -> Path:
    """A folder that is there, in which nothing is written over that was read."""
    read = (*images.files, *((trained.checkpoint.path,) if trained.checkpoint.path else ()))
    if both := overwritten([str(folder / name) for name in FILES], map(str, read)):
        raise UsageError(
            f"the output {shown(both[0])} is also read, as {shown(both[1])}; expected another file",
            "Choose another folder with -o.",
        )
    return made_folder(folder)


def _measured(
    chosen: tuple[tuple[str, ...], dict[str, str]],
    images: ExplainedImages,
    trained: Trained,
    *,
    seed: int,
    threads: int,
    quiet: bool,
) -> Measured:
    """Measure the methods on every image; those that cannot be read are left out.

    Raises
    ------
    CnncliError
        Where none can be read, or a method cannot be used with the network.
    """
    start = perf_counter()
    methods, unusable = chosen
    plans = Plans(trained.network, threads=threads)
    every = (*methods, CENTRE, RANDOM)
    names, found, skipped = [], [], [*images.skipped]
    with progress_bar(len(images.images) * len(every), unit="heatmaps", quiet=quiet) as bar:
        for at, image in enumerate(images.images):
            try:
                pixels = image.read()
            except CnncliError as fault:
                skipped.append(Skipped(image.name, fault.message))
                continue
            x = trained.checkpoint.preprocessing.normalise(pixels[None])[0]
            how = How(seed=int(hashed(seed, image.number)) % _SEEDS)
            number = count(at * len(every) + 1)
            names.append(image.name)
            found.append(
                faithfulness(
                    plans,
                    x,
                    methods,
                    how,
                    std=trained.checkpoint.preprocessing.std,
                    boxes=image.boxes,
                    done=partial(_draw_next, bar, number),
                )
            )
            if not np.isfinite(found[-1].probability):
                raise no_output(image.name)
    if not found:
        raise CnncliError(
            f"none of {len(images.images):,} images can be used; the first: {skipped[0].sentence}",
            "Check the images.",
        )
    return Measured(
        methods=every,
        unusable=unusable,
        images=images,
        names=tuple(names),
        found=tuple(found),
        skipped=tuple(skipped),
        seed=seed,
        seconds=perf_counter() - start,
    )


def _draw_next(bar: Bar, number: Iterator[int]) -> None:
    bar.draw(next(number))


def _left_out(skipped: tuple[Skipped, ...]) -> list[str]:
    """Which images are left out, and why."""
    lines = [f"warning: left out: {in_unicode(each.sentence)}" for each in skipped[:_NAMED]]
    if len(skipped) > _NAMED:
        lines.append(f"warning: {len(skipped) - _NAMED} more images are left out")
    return lines
