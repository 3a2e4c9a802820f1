"""Morphology against scipy, scikit-image and OpenCV, and what it is for."""

import numpy as np
import pytest
from kernel_oracle import morphology
from scipy import ndimage
from surfaces import DTYPES, random_image, surface_over

from cnncli.core.native import processor
from cnncli.errors import CnncliError
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.borders import Border
from cnncli.filters.elements import Element, diamond, disk, line, square
from cnncli.filters.kinds.morphology import Morphology, run_morphology
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

LANES = processor()[3].lanes
OPERATIONS = ["erode", "dilate", "open", "close", "tophat", "blackhat", "morph-gradient"]
HOLES = np.array([[1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [1, 1, 0, 1, 1], [1, 0, 0, 1, 0], [0, 0, 1, 0, 1]], bool)
CELLS = {
    "one": square(1, 1),
    "3x3": square(3, 3),
    "1x9": square(1, 9),
    "21x1": square(21, 1),
    "9x17": square(9, 17),
    "31x31": square(31, 31),
    "disk": disk(5),
    "disk of a fraction": disk(2.5),
    "large disk": disk(40),
    "diamond": diamond(4),
    "slanted": line(13, 20),
    "steep": line(21, 100),
    "holes": HOLES,
}
LUMA = (0.25, 0.5, 0.25)  # exact in float32
DEPTHS = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}


def moved(image, operation, cells, *, threads=2, **fields):
    """The result, in the image's own type unless ``out`` says otherwise; pixels outside do not count."""
    filter = Morphology(name="m", spec="m", operation=operation, cells=cells)
    side = 2 * filter.reach + 1
    how = {"out": image.dtype, "border": "constant", "fill": np.nan, **fields}
    surface = surface_over(image, (side, side), **how)
    run_morphology(filter, surface, threads=threads)
    return surface.out


def expected(image, operation, cells):
    return np.stack(
        [morphology(operation, image[..., at], cells) for at in range(image.shape[2])], axis=2
    ).astype(image.dtype)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in CELLS if name != "large disk"])
def test_it_equals_scipys(rng, operation, dtype, name):
    for shape in ((23, 37, 1), (6, 5, 3)):
        image = random_image(rng, shape, dtype)
        found = moved(image, operation, CELLS[name])
        np.testing.assert_array_equal(found, expected(image, operation, CELLS[name]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_disks(rng, dtype):
    image = random_image(rng, (15, 90, 1), dtype)
    np.testing.assert_array_equal(moved(image, "dilate", disk(40)), expected(image, "dilate", disk(40)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["3x3", "9x17", "disk", "slanted"])
def test_widths_around_vectors(rng, dtype, name):
    vector = 4 * LANES // np.dtype(dtype).itemsize
    for width in (1, 2, vector - 1, vector, vector + 1, 4 * vector + 2):
        for channels in (1, 3):
            image = random_image(rng, (4, width, channels), dtype)
            for operation in ("erode", "tophat", "morph-gradient"):
                found = moved(image, operation, CELLS[name])
                np.testing.assert_array_equal(found, expected(image, operation, CELLS[name]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["3x3", "9x17", "disk"])
@pytest.mark.parametrize("shape", [(167, 230, 1), (11, 9000, 3)])
def test_images_of_several_tiles_and_threads(rng, dtype, name, shape):
    image = random_image(rng, shape, dtype)
    found = moved(image, "close", CELLS[name], threads=1)
    np.testing.assert_array_equal(found, expected(image, "close", CELLS[name]))
    assert moved(image, "close", CELLS[name], threads=5).tobytes() == found.tobytes()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("shape", [(12, 9), (3, 2)])
@pytest.mark.parametrize("border", ["replicate", "wrap", "constant"])
def test_other_borders_are_pixels_like_others(rng, operation, shape, border):
    """The image continued that far, and a part of it cut out."""
    image = random_image(rng, (*shape, 1), np.uint8)
    cells = disk(2)
    mode = {"replicate": "edge"}.get(border, border)
    values = {"constant_values": 9} if border == "constant" else {}
    wide = np.pad(image, ((8, 8), (8, 8), (0, 0)), mode=mode, **values)
    found = moved(image, operation, cells, border=border, fill=9)
    np.testing.assert_array_equal(found, expected(wide, operation, cells)[8:-8, 8:-8])


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("out", DTYPES)
def test_luma_stride_and_scale(rng, operation, out):
    image = random_image(rng, (20, 31, 3), np.uint8)
    gray = (image @ np.array(LUMA))[..., None]
    want = expected(gray.astype(np.float32), operation, disk(2))[::3, ::2] * 0.75 + 3
    found = moved(image, operation, disk(2), luma=LUMA, stride=(2, 3), scale=0.75, bias=3.0, out=out)
    np.testing.assert_array_equal(found, want if out == np.float32 else np.rint(want))


@pytest.mark.parametrize("operation", ["erode", "dilate", "open", "close"])
def test_nan_does_not_count_unless_all_are(rng, operation):
    image = random_image(rng, (30, 40, 1))
    image[rng.random((30, 40)) < 0.2] = np.nan
    image[5:12, 20:27] = np.nan
    image[25, 3], image[26, 30] = np.inf, -np.inf
    cells = square(3, 3)

    def step(values, largest):
        filled = np.where(np.isnan(values), -np.inf if largest else np.inf, values)
        extreme = ndimage.maximum_filter if largest else ndimage.minimum_filter
        found = extreme(filled, footprint=cells, mode="constant", cval=-np.inf if largest else np.inf)
        seen = ndimage.maximum_filter((~np.isnan(values)).astype(int), footprint=cells, mode="constant")
        return np.where(seen > 0, found, np.nan)

    want = step(image[..., 0], operation in ("dilate", "close"))
    if operation in ("open", "close"):
        want = step(want, operation == "open")
    assert np.isnan(want).any()
    np.testing.assert_array_equal(moved(image, operation, cells)[..., 0], want)
    black = moved(image, operation, cells, out=np.uint8)[..., 0]
    assert (black[np.isnan(want)] == 0).all()


def test_zeros_have_no_sign(rng):
    image = np.where(rng.random((40, 50, 1)) < 0.5, np.float32(0), np.float32(-0.0))
    assert not np.signbit(moved(image, "erode", square(3, 11))).any()


# Elements


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 9])
def test_disks_and_diamonds_are_scikit_images(radius):
    shapes = pytest.importorskip("skimage.morphology")
    np.testing.assert_array_equal(disk(radius), shapes.disk(radius))
    np.testing.assert_array_equal(diamond(radius), shapes.diamond(radius))


@pytest.mark.parametrize("angle", [0, 10, 30, 45, 60, 90, 135, 170, -20])
@pytest.mark.parametrize("length", [1, 3, 8, 15])
def test_lines_are_straight_long_and_symmetric(length, angle):
    cells = line(length, angle)
    np.testing.assert_array_equal(cells, cells[::-1, ::-1])
    rows, columns = (each - side // 2 for each, side in zip(np.nonzero(cells), cells.shape, strict=True))
    turn = np.radians(angle)
    across = columns * -np.sin(turn) + rows * np.cos(turn)
    assert np.abs(across).max() <= 0.5 + 1e-9
    longest = max(abs(np.cos(turn)), abs(np.sin(turn)))
    assert abs(len(rows) / longest - length) <= 2 / longest
    assert cells[cells.shape[0] // 2, cells.shape[1] // 2]


def test_a_line_at_45_degrees_runs_down_to_the_right():
    np.testing.assert_array_equal(line(7, 45), np.eye(5, dtype=bool))


@pytest.mark.parametrize("name", CELLS)
def test_windows_cover_the_element_and_nothing_else(name):
    found = Element(CELLS[name]).windows()
    drawn = np.zeros(CELLS[name].shape, bool)
    for run in found.runs:
        assert run.width in found.widths
        drawn[run.row, run.first : run.first + run.width] = True
    np.testing.assert_array_equal(drawn, CELLS[name])
    made = {1}
    for stage in found.stages:
        assert {narrow for narrow, _ in stage.parts} <= made
        covered = {at for narrow, first in stage.parts for at in range(first, first + narrow)}
        assert covered == set(range(stage.width))
        made.add(stage.width)


# The grammar


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("open", "open:shape=square,size=3"),
        ("erode:5", "erode:shape=square,size=5"),
        ("erode:square:5", "erode:shape=square,size=5"),
        ("erode:rect:5:3", "erode:shape=square,size=5,size-y=3"),
        ("open:disk:5", "open:shape=disk,radius=5"),
        ("open:disk", "open:shape=disk,radius=3"),
        ("closing:radius=4.3", "close:shape=disk,radius=4.3"),
        ("max:diamond,2", "dilate:shape=diamond,radius=2"),
        ("tophat:line:15:30", "tophat:shape=line,length=15,angle=30"),
        ("bottomhat:angle=90", "blackhat:shape=line,length=9,angle=90"),
        ("Morphological Gradient:plus:5", "morph-gradient:shape=cross,size=5"),
    ],
)
def test_what_may_be_written(text, spec):
    assert parse_spec(text).spec == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("erode:disk:5:3", "'3' has no name"),
        ("erode:shape=disk,size=5", "size=5 is given for shape=disk; expected radius"),
        ("erode:radius=5,angle=3", "radius=5 is given for shape=square; expected size and size-y"),
        ("erode:4", "size=4; expected a whole odd number"),
        ("erode:blob:5", "shape=blob; expected square, disk, diamond, cross or line"),
        ("erode:disk:5:radius=3", "radius is given twice"),
        ("erode:disk:", "parameter 2 is ''"),
    ],
)
def test_what_may_not(text, message):
    with pytest.raises(CnncliError, match=message):
        parse_spec(text)


# Through the command's engine


def applied(frame, specs, *, alpha=False, **options):
    depth = Depth(frame.dtype, DEPTHS[frame.dtype.type])
    filters = [parse_spec(spec) for spec in specs]
    how = {"alpha": alpha, "source": depth, "target": depth, "threads": 2}
    return apply_filters(frame, filters, Options(**options), **how).pixels


@pytest.mark.parametrize("border", ["reflect", "reflect101"])
@pytest.mark.parametrize("spec", ["square:5", "disk:3", "line:9:30"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_edges_do_not_win(rng, operation, spec, border):
    """As in OpenCV, whose default border does not count either."""
    cv2 = pytest.importorskip("cv2")
    image = random_image(rng, (31, 40, 3), np.uint8)
    filter = parse_spec(f"{operation}:{spec}")
    kind = {
        **{name: getattr(cv2, f"MORPH_{name.upper()}") for name in OPERATIONS[:-1]},
        "morph-gradient": cv2.MORPH_GRADIENT,
    }[operation]
    theirs = cv2.morphologyEx(image, kind, filter.cells.astype(np.uint8))
    np.testing.assert_array_equal(applied(image, [filter.spec], border=Border(border)), theirs)


@pytest.mark.parametrize("operation", ["erode", "open"])
def test_a_binary_picture_stays_binary(rng, operation):
    binary = pytest.importorskip("skimage.morphology")
    image = ((rng.random((50, 60, 1)) < 0.7) * 255).astype(np.uint8)
    # On binary pictures scikit-image does not count pixels beyond the edge either.
    theirs = {"erode": binary.erosion, "open": binary.opening}[operation](
        image[..., 0] > 0, binary.disk(1), mode="ignore"
    )
    np.testing.assert_array_equal(applied(image, [f"{operation}:disk:1"])[..., 0], theirs * 255)


def test_an_opening_is_idempotent_and_below_the_image(rng):
    image = random_image(rng, (40, 50, 1), np.uint8)
    opened = applied(image, ["open:disk:3"])
    assert (opened <= image).all()
    np.testing.assert_array_equal(applied(opened, ["open:disk:3"]), opened)
    np.testing.assert_array_equal(
        255 - applied(255 - image, ["open:disk:3"]), applied(image, ["close:disk:3"])
    )


@pytest.mark.parametrize("border", ["reflect101", "constant"])
def test_transparent_pixels_do_not_count(rng, border):
    """A dilation by the definition: colours of what is visible, and the largest opacity."""
    frame = random_image(rng, (17, 19, 4), np.float32)
    frame[rng.random((17, 19)) < 0.4, 3] = 0
    frame[3:9, 4:11, 3] = 0
    found = applied(frame, ["dilate:square:3"], alpha=True, border=Border(border, 0.25))
    edge = np.array([0.25, 0.25, 0.25, 1 if border == "constant" else 0])
    wide = np.full((19, 21, 4), edge, np.float32)
    wide[1:-1, 1:-1] = frame
    for y, x in np.ndindex(17, 19):
        seen = wide[y : y + 3, x : x + 3].reshape(-1, 4)
        assert found[y, x, 3] == seen[:, 3].max()
        visible = seen[seen[:, 3] > 0]
        np.testing.assert_array_equal(found[y, x, :3], visible[:, :3].max(axis=0) if len(visible) else 0)


def test_an_opening_takes_no_colour_from_what_it_removes():
    """A speck smaller than the element vanishes with its colour; a shape keeps its own."""
    frame = np.zeros((20, 20, 4), np.uint8)
    frame[5:15, 5:15] = (90, 60, 30, 255)
    frame[4, 9] = (255, 255, 255, 255)
    found = applied(frame, ["open:square:3"], alpha=True)
    want = frame.copy()
    want[4, 9] = 0
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("operation", ["tophat", "blackhat", "morph-gradient"])
@pytest.mark.parametrize("height", range(20, 25))  # whatever rows are left over of those computed together
def test_differences_keep_opacity(rng, operation, height):
    frame = random_image(rng, (height, 20, 4), np.uint8)
    frame[:10, :, 3] = 0
    found = applied(frame, [f"{operation}:disk:2"], alpha=True)
    np.testing.assert_array_equal(found[..., 3], frame[..., 3])
    assert not found[:10, :, :3].any()
    below = applied(np.ascontiguousarray(frame[10:, :, :3]), [f"{operation}:disk:2"])
    np.testing.assert_array_equal(found[10:, :, :3], below)
