import math

import numpy as np
import pytest
from kernel_oracle import answer

from cnncli.filters.catalog import CATALOG
from cnncli.filters.kinds.bank import Bank
from cnncli.filters.kinds.gradient import Gradient
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.model import Filter
from cnncli.filters.named import ALIASES
from cnncli.filters.spec import parse_spec
from cnncli.records import fields

NAMES = sorted(CATALOG)

# Every parameter away from its default, so that a parameter that is read and ignored shows.
VARIANTS = {
    "box": ["size=4", "size=5,size-y=2"],
    "gaussian": [
        "sigma=2",
        "size=7",
        "sigma=1.5,size=5",
        "sigma=1,sigma-y=3",
        "sigma-y=2",
        "size-y=5",
        "sigma=0",
    ],
    "disk": ["radius=0.5", "radius=2.7"],
    "motion": ["length=7.5", "angle=30", "length=4,angle=-120"],
    "binomial": ["size=4"],
    "sharpen": ["amount=0.5", "neighbours=8"],
    "unsharp": ["sigma=2", "amount=0.3", "size=3", "threshold=0.02"],
    "emboss": ["strength=2", "angle=10"],
    "sobel": ["output=x", "output=y", "output=direction"],
    "scharr": ["output=x", "output=y", "output=direction"],
    "prewitt": ["output=x", "output=y", "output=direction"],
    "roberts": ["output=x", "output=y", "output=direction"],
    "farid": ["output=x", "output=y", "output=direction"],
    "laplacian": ["neighbours=8"],
    "log": ["sigma=1", "size=9"],
    "dog": ["sigma=0.7", "sigma2=4", "size=5", "sigma=1.1"],
    "mexican-hat": ["sigma=1.3", "size=9"],
    "zero-crossings": ["sigma=1", "threshold=0.1", "size=7"],
    "kirsch": ["output=direction"],
    "robinson": ["output=direction"],
    "prewitt-compass": ["output=direction"],
    "frei-chen": ["output=direction"],
    "gabor": ["wavelength=5", "theta=30", "sigma=2", "gamma=1", "phase=-90", "size=9"],
    "gabor-bank": [
        "orientations=3",
        "wavelength=5",
        "sigma=2",
        "gamma=1",
        "phase=-90",
        "size=9",
        "output=direction",
    ],
    "line": [
        "output=45",
        "output=direction",
        "polarity=dark",
        "output=0,polarity=dark",
        "polarity=bright",
    ],
    "corner": [
        "output=315",
        "output=direction",
        "polarity=dark",
        "output=0,polarity=dark",
        "polarity=bright",
    ],
    "median": ["size=5"],
    "bilateral": ["sigma=1", "sigma-color=0.3", "size=5"],
    "kuwahara": ["size=7"],
    "canny": ["sigma=2", "low=0.01", "high=0.4"],
    **{
        name: ["level=0.2", "picture=other.png"]
        for name in ("add", "subtract", "difference", "multiply", "screen", "darken", "lighten")
    },
    "blend": ["share=0.3", "level=0.2", "picture=other.png"],
    "clahe": ["clip=4", "tiles=4", "tiles-y=3"],
    "gamma": ["gamma=0.5"],
    "normalize": ["cutoff=0.01"],
    "resize": ["size=40x30", "interpolation=lanczos"],
    "crop": ["area=4x3+2+1", "gravity=north"],
    "rotate": ["angle=30", "angle=30,interpolation=bicubic", "angle=30,fill=1"],
    "flip": ["direction=horizontal"],
    "threshold": ["method=otsu", "level=0.25", "method=adaptive,size=5", "method=adaptive,offset=0.1"],
    **{
        name: ["shape=disk,radius=2", "size=5", "size=3,size-y=7", "shape=cross", "length=8,angle=30"]
        for name in ("erode", "dilate", "open", "close", "tophat", "blackhat", "morph-gradient")
    },
}
SPECS = [*NAMES, *(f"{name}:{variant}" for name, variants in VARIANTS.items() for variant in variants)]


def same(a: Filter, b: Filter) -> bool:
    if type(a) is not type(b):
        return False

    def equal(x, y):
        if isinstance(x, np.ndarray):
            return np.array_equal(x, y)
        if isinstance(x, tuple) and x and isinstance(x[0], np.ndarray):
            return len(x) == len(y) and all(map(np.array_equal, x, y))
        return x == y

    return all(equal(getattr(a, name), getattr(b, name)) for name in fields(a))


def arrays(found: Filter):
    if isinstance(found, Gradient):
        return [found.dx, found.dy]
    return (
        list(found.bank) if isinstance(found, Bank) else [found.weights] if hasattr(found, "weights") else []
    )


@pytest.mark.parametrize("spec", SPECS)
def test_canonical_spec_gives_the_same_filter(spec):
    found = parse_spec(spec)
    assert found.spec.partition(":")[0] == found.name == spec.partition(":")[0]
    assert same(parse_spec(found.spec), found)
    assert parse_spec(found.spec).spec == found.spec


@pytest.mark.parametrize(
    ("name", "variant"), [(name, variant) for name, variants in VARIANTS.items() for variant in variants]
)
def test_every_parameter_counts(name, variant):
    plain, varied = parse_spec(name), parse_spec(f"{name}:{variant}")
    ignored = {"spec"}
    differs = [
        field
        for field in fields(varied)
        if field not in ignored
        and (type(plain) is not type(varied) or not same_value(getattr(plain, field), getattr(varied, field)))
    ]
    assert differs


def same_value(x, y):
    if isinstance(x, tuple) and x and isinstance(x[0], np.ndarray):
        return len(x) == len(y) and all(map(np.array_equal, x, y))
    return np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y


def test_variants_name_every_parameter():
    for name, entry in CATALOG.items():
        told = {part.partition("=")[0] for variant in VARIANTS.get(name, []) for part in variant.split(",")}
        assert told == {parameter.name for parameter in entry.parameters}, name


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_the_ones_shown(name):
    entry = CATALOG[name]
    shown = {
        p.name: p.default
        for p in entry.parameters
        if p.kind == "choice" or p.default.replace(".", "").isdigit()
    }
    if shown:
        written = ",".join(f"{key}={value}" for key, value in shown.items())
        assert same(parse_spec(f"{name}:{written}"), parse_spec(name))


@pytest.mark.parametrize("name", NAMES)
def test_worked_example(name):
    example = CATALOG[name].example
    found = parse_spec(example.spec)
    assert found.name == name
    assert found.spec == example.spec
    value = answer(found, example.patch, len(example.patch[0]) // 2, len(example.patch) // 2)
    assert value == pytest.approx(example.expected, abs=6e-7)


@pytest.mark.parametrize("name", NAMES)
def test_example_patch_holds_the_kernel(name):
    example = CATALOG[name].example
    height, width = len(example.patch), len(example.patch[0])
    for weights in arrays(parse_spec(example.spec)):
        kh, kw = weights.shape
        assert kh <= height
        assert kw <= width


@pytest.mark.parametrize("spec", SPECS)
def test_weights_are_float64_and_read_only(spec):
    for weights in arrays(parse_spec(spec)):
        assert weights.dtype == np.float64
        assert weights.flags.c_contiguous
        assert np.isfinite(weights).all()
        with pytest.raises(ValueError, match="read-only"):
            weights[0, 0] = 1


@pytest.mark.parametrize("name", NAMES)
def test_entries_are_complete(name):
    entry = CATALOG[name]
    assert entry.name == name
    assert len(entry.summary) <= 80
    assert any(character.isdigit() for character in entry.source)
    assert len({p.name for p in entry.parameters}) == len(entry.parameters)
    for parameter in entry.parameters:
        bounded = math.isfinite(parameter.high - parameter.low)
        if parameter.kind not in ("file", "size", "area"):
            assert parameter.choices if parameter.kind == "choice" else bounded
        assert set(parameter.synonyms.values()) <= set(parameter.choices)


def test_aliases_lead_to_names_and_hide_none():
    assert set(ALIASES.values()) <= set(CATALOG)
    assert not set(ALIASES) & set(CATALOG)


def test_detectors_answer_in_gray_and_blurs_in_colour():
    colored = {name for name in NAMES if not parse_spec(name).gray}
    blurs = {"box", "gaussian", "disk", "motion", "binomial", "median", "bilateral", "kuwahara"}
    blurs |= {"normalize", "equalize", "clahe", "gamma", "invert"}
    blurs |= {"add", "subtract", "difference", "multiply", "screen", "darken", "lighten", "blend"}
    morphology = {"erode", "dilate", "open", "close", "tophat", "blackhat", "morph-gradient"}
    geometry = {"resize", "crop", "rotate", "flip", "flop", "transpose"}
    assert colored == blurs | morphology | geometry | {"identity", "sharpen", "unsharp", "emboss"}


@pytest.mark.parametrize("spec", SPECS)
def test_span_and_sign(spec):
    found = parse_spec(spec)
    directional = "output=direction" in spec
    assert found.span == (math.pi if directional else None)
    if (
        isinstance(found, Linear)
        and found.gray
        and "polarity" not in spec
        and found.name not in ("outline", "threshold")
    ):
        assert found.signed is True


def test_sides_are_bounded():
    for name, spec in {"disk": "radius=2048", "motion": "length=4096,angle=45"}.items():
        weights = parse_spec(f"{name}:{spec}").weights
        assert max(weights.shape) <= 4097
