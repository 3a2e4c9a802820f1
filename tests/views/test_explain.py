"""Explained convolutions: every number on the page is the run's own, and nothing stands in its way."""

import re
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from explain_cases import CASES, EMBOSS, bell, correlate, gradient, gray, linear, median, photo, shown
from explain_reader import read
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain import animate_explanation, choose_places, draw_explanation
from cnncli.views.explain.film import lay_out_film
from cnncli.views.explain.grids import cell_texts, draw_grid
from cnncli.views.explain.model import Grid, decimals_of, number, patch_at, whole_weights
from cnncli.views.explain.page import lay_out, window_cell
from cnncli.views.explain.panels import output_view
from cnncli.views.explain.places import scene
from cnncli.views.explain.window import Sheet
from cnncli.views.explain.worked import work_out

NUMBER = r"−?\d+(?:\.\d+)?"


def texts(canvas):
    return [mark for mark in canvas.marks if mark.kind == "text" and mark.text.strip()]


def value(s):
    return float(s.replace("−", "-"))


def equations(lines):
    """The lines that are sums or quotients in full, as (left, right) in numbers."""
    for line in lines:
        plain = line.replace("\u00a0", " ").replace(" ", "")
        left, _, right = plain.partition("=")
        if "…" in plain or not re.fullmatch(NUMBER, right):
            continue
        if re.fullmatch(f"{NUMBER}(?:[+−]{NUMBER})*", left):
            yield sum(value(t) for t in re.findall(r"[+−]?\d+(?:\.\d+)?", left)), value(right)
        elif "÷" in left:
            over, under = left.split("÷")
            yield value(over) / value(under), value(right)


@pytest.mark.parametrize("name", CASES)
class TestPage:
    def test_texts_do_not_overlap_and_stay_on_the_page(self, name):
        canvas, _ = lay_out(CASES[name]())
        page = Box(0, 0, canvas.width, canvas.height)
        lost = [mark.text for mark in texts(canvas) if not page.contains(mark.box)]
        assert lost == []
        crossed = [(a.text, b.text) for a, b in combinations(texts(canvas), 2) if a.box.overlaps(b.box)]
        assert crossed == []

    def test_answer_is_the_runs_own(self, name):
        e = CASES[name]()
        _, workings = lay_out(e)
        assert 1 <= len(workings) <= 2
        for working in workings:
            x, y = working.place
            assert working.value == pytest.approx(float(e.response[y, x]), rel=1e-4, abs=1e-3)
            assert working.pixel == e.shown[y, x]
            assert not any("whole run" in line for line in working.lines)

    def test_every_number_follows_from_those_before(self, name):
        e = CASES[name]()
        for place in scene(e)[1]:
            cell = window_cell(e, place, Sheet())
            read(work_out(e, place, cell), cell)


def test_page_is_1600_pixels_wide_and_white_at_its_edges():
    page = draw_explanation(gradient())
    assert page.dtype == np.uint8
    assert page.shape[1:] == (1600, 3)
    assert (page[:20] == 255).all()
    assert (page[-20:] == 255).all()
    assert (page[:, :40] == 255).all()
    assert (page[:, -40:] == 255).all()


def test_page_is_the_same_every_time():
    np.testing.assert_array_equal(draw_explanation(gradient()), draw_explanation(gradient()))


def test_whole_sum_is_spelled_exactly():
    e = linear(EMBOSS)
    x, y = choose_places(e)[0]
    patch = e.gray[y - 1 : y + 2, x - 1 : x + 2].astype(int)
    products = patch * np.array(EMBOSS)[::-1, ::-1]
    ((left, right),) = equations(work_out(e, (x, y)).branches[0].lines)
    assert left == right == products.sum()


def test_gradient_answers_with_its_hypotenuse():
    e = gradient()
    working = work_out(e, (20, 12))
    dx, dy = (correlate(e.gray, t, (1, 1))[12, 20] for t in e.taps)
    assert f"dx = {number(dx, 2)}" in working.lines
    assert f"dy = {number(dy, 2)}" in working.lines
    assert working.value == pytest.approx(np.hypot(dx, dy))


def test_range_is_written_as_arithmetic():
    e = gradient(output="x")
    x, y = choose_places(e)[0]
    half = [line for line in work_out(e, (x, y)).lines if "× 0.5 +" in line.replace("\u00a0", " ")]
    assert len(half) == 1
    assert value(half[0].split("= ")[1]) == pytest.approx(0.5 * e.response[y, x] + 128, abs=0.06)


def test_clipping_is_said():
    e = linear(10 * np.array(EMBOSS))
    working = work_out(e, choose_places(e)[0])
    assert working.lines[-1] == "clip to 0..255 → 255"


def test_run_that_went_on_is_said():
    e = linear(bell(3, 1.0))
    again = correlate(e.response, e.taps, (1, 1))
    e = replace(e, response=again.astype(np.float32), shown=shown(again))
    x, y = choose_places(e)[0]
    lines = work_out(e, (x, y)).lines
    assert any(line.startswith("in the whole run: ") for line in lines)


def test_median_sorts_the_window():
    e = median(5)
    working = work_out(e, (20, 12))
    ((_, grid),) = working.branches[0].steps
    np.testing.assert_array_equal(grid.values.ravel(), np.sort(e.gray[10:15, 18:23], axis=None))
    assert working.value == np.median(e.gray[10:15, 18:23])


def test_canny_shows_the_gradient_of_the_smoothed_image():
    from scipy import ndimage

    e = CASES["canny"]()
    smooth = ndimage.gaussian_filter(e.gray.astype(float), e.filter.sigma, mode="mirror", truncate=4.0)
    size = np.hypot(*(ndimage.sobel(smooth, axis, mode="mirror") for axis in (0, 1))) / (4 * 255)
    grid = work_out(e, (30, 20)).branches[0].steps[0][1]
    np.testing.assert_allclose(grid.values, size[18:23, 28:33], rtol=0, atol=1e-6)


class TestPlaces:
    def test_strongest_and_flattest(self):
        e = gradient()
        (ax, ay), (bx, by) = choose_places(e)
        inside = e.response[1:-1, 1:-1]
        assert e.response[ay, ax] == inside.max()
        assert np.ptp(e.gray[by - 1 : by + 2, bx - 1 : bx + 2]) == 0

    def test_windows_lie_inside(self):
        e = linear(np.full((15, 11), 1 / 165))
        for x, y in choose_places(e):
            assert 5 <= x < 56 - 5
            assert 7 <= y < 40 - 7

    def test_blur_is_shown_where_it_changes_most(self):
        e = linear(bell(5, 1.2))
        x, y = choose_places(e)[0]
        change = np.abs(e.response - e.gray)[2:-2, 2:-2]
        assert abs(e.response[y, x] - e.gray[y, x]) == change.max()

    def test_view_keeps_both_inside(self):
        view = Box(10, 5, 30, 25)
        for x, y in choose_places(gradient(), view):
            assert 11 <= x < 29
            assert 6 <= y < 24

    @pytest.mark.parametrize("shape", [(200, 1), (200, 3), (80, 1), (1, 200), (3, 200), (70, 2)])
    @pytest.mark.parametrize("size", [1, 3, 9])
    def test_marks_of_a_long_picture_lie_in_what_is_shown(self, shape, size):
        e = linear(np.eye(size) + 1, photo(*shape))
        view, places = scene(e)
        out = output_view(e, view)
        for x, y in places:
            assert view.left <= x < view.right
            assert view.top <= y < view.bottom
            assert out.left <= x < out.right
            assert out.top <= y < out.bottom
        assert lay_out(e)[0].height < 2500

    def test_windows_of_numbers_are_preferred(self):
        image = photo()
        e = linear(EMBOSS, image)
        values = e.gray.copy()
        values[:, ::4] = np.nan
        values[30:33, 40:43] = 7
        places = choose_places(replace(e, gray=values))
        assert all(
            np.isfinite(work_out(replace(e, gray=values), place).patch.values).all() for place in places
        )

    def test_nan_is_not_strongest(self):
        e = linear(EMBOSS)
        response = e.response.copy()
        response[10, 10] = np.nan
        assert choose_places(replace(e, response=response))[0] != (10, 10)


@pytest.mark.parametrize(
    ("border", "mode"),
    [("replicate", "edge"), ("reflect", "symmetric"), ("reflect101", "reflect"), ("wrap", "wrap")],
)
@pytest.mark.parametrize("shape", [(5, 7), (1, 3), (2, 1)])
def test_border_pixels_are_those_of_numpy_pad(border, mode, shape):
    image = photo(*shape)
    e = replace(linear(np.ones((9, 11)), image), border=border)
    padded = np.pad(image, ((4, 4), (5, 5)), mode=mode)
    beyond = np.pad(np.zeros(shape), ((4, 4), (5, 5)), constant_values=1)
    for y in range(shape[0]):
        for x in range(shape[1]):
            values, outside = patch_at(e, (x, y))
            np.testing.assert_array_equal(values, padded[y : y + 9, x : x + 11])
            np.testing.assert_array_equal(outside, beyond[y : y + 9, x : x + 11])


def test_constant_border():
    e = replace(linear(np.ones((3, 3)), photo(5, 5)), border="constant", border_value=17.0)
    values, outside = patch_at(e, (0, 0))
    assert (values[outside] == 17).all()
    assert outside.sum() == 5


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.integers(0, 2**32 - 1),
)
def test_stride_dilation_and_valid_mode(stride, dilation, size, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (30, 34)).astype(np.uint8)
    taps = rng.integers(-3, 4, size[::-1]).astype(float)
    anchor = (int(rng.integers(size[0])), int(rng.integers(size[1])))
    reach = [(size[i] - 1) * dilation[i] for i in (0, 1)]
    rows, columns = range(0, 30 - reach[1], stride[1]), range(0, 34 - reach[0], stride[0])
    response = np.zeros((len(rows), len(columns)))
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            window = image[y : y + reach[1] + 1 : dilation[1], x : x + reach[0] + 1 : dilation[0]]
            response[i, j] = (window * taps).sum()
    e = replace(
        linear(taps, image, flip=False),
        response=response.astype(np.float32),
        shown=shown(response),
        anchor=anchor,
        origin=(anchor[0] * dilation[0], anchor[1] * dilation[1]),
        stride=stride,
        dilation=dilation,
    )
    canvas, workings = lay_out(e)
    for working in workings:
        x, y = working.place
        assert working.value == pytest.approx(response[y, x])
        assert working.patch.faint is None
    page = Box(0, 0, canvas.width, canvas.height)
    assert all(page.contains(mark.box) for mark in texts(canvas))


@pytest.mark.parametrize("full", [1.0, 65535.0])
def test_other_full_scales(full):
    e = linear(EMBOSS)
    scale = full / 255
    e = replace(e, gray=e.gray * scale, response=e.response * scale, full=full, gain=1 / scale)
    canvas, workings = lay_out(e)
    for working in workings:
        x, y = working.place
        assert working.value == pytest.approx(e.response[y, x], rel=1e-4)
    assert not any(a.box.overlaps(b.box) for a, b in combinations(texts(canvas), 2))


class TestNumbers:
    @pytest.mark.parametrize(
        ("taps", "divisor"),
        [
            (np.full((3, 3), 1 / 9), 9),
            (np.array([[1, 0, -1]]) / 4, 4),
            (np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256, 256),
            (np.array([[3.0, -2.0]]), 1),
            (np.array([[0.5, -1.5]]), 1),
            (np.zeros((2, 2)), 1),
            (np.full((63, 63), 1 / 3969), 3969),
        ],
    )
    def test_whole_weights(self, taps, divisor):
        weights, d = whole_weights(taps)
        assert d == divisor
        np.testing.assert_allclose(weights / d, taps, rtol=1e-12)

    def test_weights_without_a_small_divisor_stay(self):
        taps = bell(5, 1.2)
        weights, d = whole_weights(taps)
        assert d == 1
        np.testing.assert_array_equal(weights, taps)

    def test_number(self):
        assert number(-3.0, 0) == "−3"
        assert number(-0.0001, 2) == "0.00"
        assert number(0.0, 2) == "0"
        assert number(1234.56, 1) == "1234.6"

    def test_decimals(self):
        assert decimals_of([1.0, -20.0]) == 0
        assert decimals_of([-207.25]) == 2
        assert decimals_of([123.456789]) == 1
        assert decimals_of(np.array([0.0123, 0.0001])) == 4
        assert decimals_of(np.array([np.nan])) == 0

    def test_cells_carry_their_numbers_right_aligned(self):
        values = np.array([[-222.0, 0, 7], [-4, 85, 212], [1, 2, 3]])
        canvas = Canvas(400, 400)
        draw_grid(canvas, (10, 10), Grid(values, "signed", 222.0, 0, ""), 60)
        cells = texts(canvas)
        assert [value(mark.text) for mark in cells] == values.ravel().tolist()
        for column in range(3):
            assert len({mark.box.right for mark in cells[column::3]}) == 1
        for mark, (i, j) in zip(cells, np.ndindex(3, 3), strict=True):
            assert Box(10 + 60 * j, 10 + 60 * i, 70 + 60 * j, 70 + 60 * i).contains(mark.box)

    def test_numbers_that_do_not_fit_are_left_out(self):
        grid = Grid(np.array([[123456.0]]), "signed", 1.0, 0, "")
        assert cell_texts(grid, 30) == ([], 0)


@pytest.mark.parametrize(
    "name",
    [
        "colours",
        "one column",
        "magnitude",
        "gaussian 5",
        "box 15",
        "compass",
        "median",
        "canny",
        "tiny picture",
    ],
)
class TestFilm:
    def test_frames_are_clean(self, name):
        frames, workings = lay_out_film(CASES[name]())
        assert 2 <= len(frames) <= 40
        assert len(frames) == len(workings)
        for canvas in frames[:: len(frames) // 4 or 1]:
            page = Box(0, 0, canvas.width, canvas.height)
            assert all(page.contains(mark.box) for mark in texts(canvas))
            assert not any(a.box.overlaps(b.box) for a, b in combinations(texts(canvas), 2))

    def test_every_stop_is_the_runs_own(self, name):
        e = CASES[name]()
        for working in lay_out_film(e)[1]:
            x, y = working.place
            assert working.value == pytest.approx(float(e.response[y, x]), rel=1e-4, abs=1e-3)
            assert working.pixel == e.shown[y, x]


def test_film_fills_the_feature_map_and_holds_the_last_frame():
    frames, durations = animate_explanation(gradient())
    assert {frame.shape for frame in frames} == {frames[0].shape}
    assert frames[0].shape[1:] == (1000, 3)
    assert len(durations) == len(frames)
    assert durations[-1] > 3 * durations[0]
    empty = [(frame[72:412, 522:974] == 236).all(axis=2).sum() for frame in frames]
    assert all(a >= b for a, b in pairwise(empty))
    assert empty[0] > 50_000
    assert empty[-1] < 500


def test_film_visits_every_pixel_of_a_tiny_picture():
    e = CASES["tiny picture"]()
    places = [working.place for working in lay_out_film(e)[1]]
    assert places[:-1] == [(x, y) for y in range(5) for x in range(5)]
    assert gray(e.image).shape == (5, 5)
