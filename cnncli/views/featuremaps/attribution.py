"""Attributions: which parts of the image speak for a class, and which against it, over the image."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.gradcam import chosen_layer
from cnncli.attribution.methods import METHODS
from cnncli.attribution.model import Attribution, How, Plans, smoothed
from cnncli.data.prepare import InputSpec, moved_in, moved_out
from cnncli.errors import OptionError
from cnncli.nn import Graph, Node
from cnncli.tasks.aims import Box, Explained, explained
from cnncli.views.colors import Colors, ColorScale
from cnncli.views.featuremaps.model import Drawing, Floats, Request, Subject
from cnncli.views.sections import Section, Tile

_SIDE, _LARGE = 280, 448  # pixels of a heatmap; of one or two of an image of many pixels
_MANY = 64  # pixels of a side from which single ones are no longer seen
_SIGMA = 1 / 75  # of the Gaussian that smooths them then, in units of the longer side
_STRONGEST = 0.9  # of a heatmap's colour, where the rest is the image
_FAINT = 0.6  # exponent of the share of the colour: what is weak is seen too
_SPANNED = 0.99  # share of the values that a scale spans
_DIGITS = 2  # of a pixel
_GROUND = 0.75  # how far the gray image is pulled to white
_WORDS = {"mean": "mean colour", "blur": "the image blurred"}  # of baselines
_READING = "Orange speaks for the class, blue against it; all classes share one scale. {}"
_SMOOTHED = (
    " First how much there is of either in each neighbourhood: magnitudes, smoothed for the picture alone "
    "(sums, --raw and the second picture have each pixel as it is)."
)


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
        targets = targets_of(subject, request)
        layers = request.layers if name == "gradcam" else (None,)
        sections, records, arrays, notes = [], [], {}, []
        plans = Plans(subject.network, threads=subject.threads)
        for layer in layers:
            how = How(layer=layer, baseline=request.baseline, seed=request.seed, progress=request.progress)
            found = [METHODS[name].attribute(plans, subject.seen.x, each.target, how) for each in targets]
            title = name if len(layers) == 1 else f"{name}-{layer}"
            section, record = _section(subject, title, targets, found)
            if is_fine(found[0]):
                smooth, scale = _smoothed_section(subject, title, targets, found)
                sections.append(smooth)
                record = [{**each, "smoothed": scale} for each in record]
            sections.append(section)
            records += record
            for target, each in zip(targets, found, strict=True):
                arrays[f"{title}-{target.label}"] = each.values
                notes += _notes(subject.classes[target.label], each)
        notes += [each.note for each in targets if each.note]
        reading = _READING.format(METHODS[name].reading) + (_SMOOTHED if len(sections) > len(layers) else "")
        return Drawing(sections, {"attributions": records}, arrays, reading, notes)

    return draw


def targets_of(subject: Subject, request: Request) -> list[Explained]:
    """What is explained: the classes that words name, by name or number; without any, what is predicted.

    Raises
    ------
    OptionError
        Where there is no such class, or nothing of it.
    """
    named: list[int | None] = [_index(word, subject.classes) for word in request.targets]
    region = None if request.region is None else _moved(moved_in, request.region, subject)
    return [
        explained(subject.checkpoint.task, subject.graph, subject.read_outputs, label, region)
        for label in dict.fromkeys(named or [None])
    ]


def place_of(subject: Subject, target: Explained) -> dict[str, Any]:
    """What is to be said of a target besides its class, as JSON: its box in pixels of the file, and more."""
    if target.box is None:
        return target.record
    box = _moved(moved_out, target.box, subject)
    return {**target.record, "box": [round(edge, _DIGITS) for edge in box]}


def _moved(
    how: Callable[[NDArray[np.float64], InputSpec, NDArray[np.int64]], NDArray[np.float64]],
    box: Box,
    subject: Subject,
) -> Box:
    """A box of the file in pixels of the network's input, or the other way round."""
    sizes = np.array([subject.seen.size or subject.seen.pixels.shape[:2]], np.int64)
    x, y, width, height = how(np.array([box]), subject.checkpoint.preprocessing.input_spec, sizes)[0].tolist()
    return x, y, width, height


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
    subject: Subject, title: str, targets: Sequence[Explained], found: Sequence[Attribution]
) -> tuple[Section, list[dict[str, Any]]]:
    """The heatmaps of one method, side by side, with one scale."""
    scale = scale_for([each.heatmap for each in found])
    tiles, records = [], []
    for target, each in zip(targets, found, strict=True):
        name = subject.classes[target.label]
        tiles.append(Tile(_overlaid(subject, target, each.heatmap, scale), name, target.said))
        said = {
            "target": name,
            "index": target.label,
            "output": float(f"{target.value:.6g}"),
            **place_of(subject, target),
        }
        sums = {"sum": float(f"{float(each.heatmap.sum(dtype=np.float64)):.6g}")}
        records.append({**said, **each.about, **sums, "scale": [scale.low, scale.high]})
    lines = _lines(found[0].about, scale)
    return Section(title, lines, tuple(tiles), side=_side(found), scale=scale), records


def _smoothed_section(
    subject: Subject, title: str, targets: Sequence[Explained], found: Sequence[Attribution]
) -> tuple[Section, dict[str, Any]]:
    """How much there is in each neighbourhood, for or against a class; what was done, as JSON."""
    maps = [neighbourhoods(each.heatmap) for each in found]
    around = scale_for(maps)
    scale = ColorScale(0.0, around.high, around.clipped)
    tiles = tuple(
        Tile(_overlaid(subject, target, each, scale), subject.classes[target.label])
        for target, each in zip(targets, maps, strict=True)
    )
    lines = ("magnitudes", smoothing_words(found[0].heatmap), *_lines({}, scale))
    section = Section(f"{title}-smoothed", lines, tiles, side=_side(found), scale=scale)
    return section, {"sigma": round(_sigma(maps[0]), 3), "scale": [scale.low, scale.high]}


def neighbourhoods(heatmap: Floats) -> Floats:
    """How much there is in each neighbourhood, for or against: magnitudes, smoothed for the eye."""
    return smoothed(np.abs(heatmap)[..., None], _sigma(heatmap))[..., 0]


def smoothing_words(heatmap: Floats) -> str:
    """What `neighbourhoods` does to a heatmap besides."""
    return f"smoothed for display, Gaussian of {_sigma(heatmap):.1f} pixels"


def _sigma(heatmap: Floats) -> float:
    return float(_SIGMA * max(heatmap.shape))


def is_fine(found: Attribution) -> bool:
    """Whether each pixel of a large image has a value of its own: they change sign from one to the next."""
    of_pixels = bool(found.values.shape[:2] == found.heatmap.shape)
    return of_pixels and _is_large(found) and "window" not in found.about


def _is_large(found: Attribution) -> bool:
    return bool(max(found.heatmap.shape) >= _MANY)


def _side(found: Sequence[Attribution]) -> int:
    return _LARGE if _is_large(found[0]) and len(found) <= 2 else _SIDE


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
    part = _STRONGEST * (share**_FAINT if scale.signed else share)
    return np.asarray(np.rint(ground * (1 - part) + scale.colors(heatmap) * part), np.uint8)


def _overlaid(subject: Subject, target: Explained, heatmap: Floats, scale: ColorScale) -> Colors:
    """A heatmap over the image, with the outline of the place that it is of."""
    pixels = overlaid(subject.seen.rgb, heatmap, scale)
    if target.box is not None:
        height, width = heatmap.shape
        x, y, wide, high = target.box
        left, right = (min(max(round(each), 0), width) for each in (x, x + wide))
        top, bottom = (min(max(round(each), 0), height) for each in (y, y + high))
        inner = pixels[top + 1 : bottom - 1, left + 1 : right - 1].copy()
        pixels[top:bottom, left:right] = 0
        pixels[top + 1 : bottom - 1, left + 1 : right - 1] = inner
    return pixels


def _lines(about: dict[str, Any], scale: ColorScale) -> tuple[str, ...]:
    """What is said of a method's settings beside its heatmaps."""
    words = {
        "layer": "maps of {}",
        "by_position": "each position by its own gradient",
        "baseline": "baseline: {}",
        "steps": "{} steps",
        "window": "window of {} pixels",
        "stride": "moved by {}",
        "samples": "{} noisy copies",
        "seed": "seed {}",
    }
    said = {**about, "baseline": _WORDS.get(about.get("baseline", ""), "")}
    cut = (f"colours end at the {100 * _SPANNED:.0f}th percentile",) if scale.clipped else ()
    return (*(form.format(said[key]) for key, form in words.items() if key in about), *cut)


def _notes(name: str, found: Attribution) -> list[str]:
    """What the user is to know of a heatmap that could be other than asked for."""
    about = found.about
    if "gap" not in about:
        return []
    high = 0.01
    said = f"integrated gradients of {name} sum to the difference of outputs within {about['gap']:.2%}"
    more = "" if about["gap"] <= high else ", more than the 1 % aimed at"
    return [f"{said} ({about['steps']} steps, baseline: {_WORDS[about['baseline']]}){more}"]
