"""Attributions: which parts of the image speak for a class, and which against it, over the image."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnncli.attribution.gradcam import chosen_layer
from cnncli.attribution.methods import METHODS
from cnncli.attribution.model import Attribution, How, Plans
from cnncli.errors import OptionError
from cnncli.nn import Graph, Node
from cnncli.views.colors import Colors, ColorScale
from cnncli.views.featuremaps.model import Drawing, Floats, Request, Subject
from cnncli.views.sections import Section, Tile

_SIDE = 280  # pixels of a heatmap
_STRONGEST = 0.9  # of a heatmap's colour, where the rest is the image
_FAINT = 0.6  # exponent of the share of the colour: what is weak is seen too
_SPANNED = 0.99  # share of the values that a scale spans
_GROUND = 0.75  # how far the gray image is pulled to white
_WORDS = {"mean": "mean colour", "blur": "the image blurred"}  # of baselines
_READING = "Orange speaks for the class, blue against it; all classes share one scale. {}"


def has_maps(node: Node) -> bool:
    """Whether the maps of a layer can be weighed: they have more than one pixel."""
    return node.shape.height * node.shape.width > 1


def usual_layer(graph: Graph, names: Sequence[str]) -> Sequence[str]:
    """The layer that Grad-CAM chooses."""
    del names
    return [chosen_layer(graph)]


def drawing_by(name: str) -> Callable[[Subject, Request], Drawing]:
    """What draws the heatmaps of a method of `METHODS`."""

    def draw(subject: Subject, request: Request) -> Drawing:
        if name != "gradcam" and request.named:
            raise OptionError(
                f"--layer is given; --view {name} is of the pixels of the image", "Leave --layer out."
            )
        targets = targets_of(subject, request.targets)
        layers = request.layers if name == "gradcam" else (None,)
        sections, records, arrays, notes = [], [], {}, []
        plans = Plans(subject.network, threads=subject.threads)
        for layer in layers:
            how = How(layer=layer, baseline=request.baseline, seed=request.seed, progress=request.progress)
            found = [METHODS[name].attribute(plans, subject.seen.x, target, how) for target in targets]
            title = name if len(layers) == 1 else f"{name}-{layer}"
            section, record = _section(subject, title, targets, found)
            sections.append(section)
            records += record
            for target, each in zip(targets, found, strict=True):
                arrays[f"{title}-{target}"] = each.values
                notes += _notes(subject.classes[target], each)
        reading = _READING.format(METHODS[name].reading)
        return Drawing(sections, {"attributions": records}, arrays, reading, notes)

    return draw


def targets_of(subject: Subject, words: Sequence[str]) -> list[int]:
    """Indices of the classes that words name, by name or number; without any, the predicted class.

    Raises
    ------
    OptionError
        Where there is no such class.
    """
    if not words:
        return [int(subject.outputs.argmax())]
    return list(dict.fromkeys(_index(word, subject.classes) for word in words))


def _index(word: str, classes: Sequence[str]) -> int:
    folded = [each.casefold() for each in classes]
    if word.casefold() in folded:
        return folded.index(word.casefold())
    with_synonym = [at for at, each in enumerate(folded) if word.casefold() in each.split(", ")]
    if len(with_synonym) == 1:  # "tabby" of the class "tabby, tabby cat"
        return with_synonym[0]
    if word.isdecimal() and int(word) < len(classes):
        return int(word)
    from cnncli.nearest import did_you_mean

    near = [each for each in classes if word and word.casefold() in each.casefold()] or classes
    hint = did_you_mean(word, near, form="--target {!r}") or "Give a class by its name or number."
    raise OptionError(
        f"--target is {word!r}; expected a class of the network, or its number from 0 to {len(classes) - 1}",
        hint,
    )


def _section(
    subject: Subject, title: str, targets: Sequence[int], found: Sequence[Attribution]
) -> tuple[Section, list[dict[str, Any]]]:
    """The heatmaps of one method, side by side, with one scale."""
    scale = scale_for([each.heatmap for each in found])
    logits = subject.outputs
    tiles, records = [], []
    for target, each in zip(targets, found, strict=True):
        pixels = overlaid(subject.seen.rgb, each.heatmap, scale)
        tiles.append(Tile(pixels, subject.classes[target], f"output {logits[target]:.3g}"))
        said = {"target": subject.classes[target], "index": target, "output": float(f"{logits[target]:.6g}")}
        sums = {"sum": float(f"{float(each.heatmap.sum(dtype=np.float64)):.6g}")}
        records.append({**said, **each.about, **sums, "scale": [scale.low, scale.high]})
    return Section(title, _lines(found[0].about), tuple(tiles), side=_SIDE, scale=scale), records


def scale_for(heatmaps: Sequence[Floats]) -> ColorScale:
    """One scale around 0 for all: single pixels of gradients are far beyond the rest, and are cut off."""
    sizes = np.abs(np.concatenate([each.ravel() for each in heatmaps]).astype(np.float64))
    reach = float(f"{float(np.quantile(sizes, _SPANNED)) or float(sizes.max()) or 1.0:.3g}")
    return ColorScale(-reach, reach, clipped=float(sizes.max()) > reach * 1.005)


def overlaid(picture: Colors, heatmap: Floats, scale: ColorScale) -> Colors:
    """A heatmap over a picture of its size: strong values in their colour, weak ones as the gray picture."""
    gray = picture.astype(np.float64).mean(2, keepdims=True)
    ground = 255 - (255 - gray) * _GROUND
    share = np.clip(np.abs(heatmap.astype(np.float64)) / (scale.high or 1.0), 0, 1)[..., None]
    part = _STRONGEST * share**_FAINT
    return np.asarray(np.rint(ground * (1 - part) + scale.colors(heatmap) * part), np.uint8)


def _lines(about: dict[str, Any]) -> tuple[str, ...]:
    """What is said of a method's settings beside its heatmaps."""
    words = {
        "layer": "maps of {}",
        "baseline": "baseline: {}",
        "steps": "{} steps",
        "window": "window of {} pixels",
        "stride": "moved by {}",
        "samples": "{} noisy copies",
        "seed": "seed {}",
    }
    said = {**about, "baseline": _WORDS.get(about.get("baseline", ""), "")}
    return tuple(form.format(said[key]) for key, form in words.items() if key in about)


def _notes(name: str, found: Attribution) -> list[str]:
    """What the user is to know of a heatmap that could be other than asked for."""
    about = found.about
    if "gap" not in about:
        return []
    high = 0.01
    said = f"integrated gradients of {name} sum to the difference of outputs within {about['gap']:.2%}"
    more = "" if about["gap"] <= high else ", more than the 1 % aimed at"
    return [f"{said} ({about['steps']} steps, baseline: {_WORDS[about['baseline']]}){more}"]
