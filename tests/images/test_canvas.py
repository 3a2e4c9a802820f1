"""The canvas: what is measured is what is painted, and what is painted is where it should be."""

import numpy as np
import pytest

from cnncli.images import letters
from cnncli.images.canvas import Box, Canvas, measure, shorten, spell, wrap

SIGNS = "−×÷→√≥≤≈²"
ASCII = "".join(chr(c) for c in range(33, 127))
ACCENTED = "éÉèêëïîíÏñÑãäÄåÅöüÜőűčšřďťŘžżāăçÇąşțøØłŁ"


def ink(pixels):
    """The box of all pixels that are not white, found without the canvas's own boxes."""
    rows, columns = np.nonzero((pixels != 255).any(axis=2))
    return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


@pytest.mark.parametrize("size", [13, 16, 34])
@pytest.mark.parametrize("anchor", ["lt", "mm", "rs", "lb"])
def test_text_lies_in_its_box(size, anchor):
    canvas = Canvas(2400, 120)
    box = canvas.text((1200, 60), "Égj " + SIGNS + " 1/2", size=size, anchor=anchor)
    assert box.grown(1).contains(ink(canvas.array()))
    assert (box.width, box.height) == measure("Égj " + SIGNS + " 1/2", size=size)


def test_every_letter_lies_in_its_box():
    for ch in ASCII + SIGNS + "…·°±“”’":
        canvas = Canvas(80, 80)
        box = canvas.text((30, 30), ch, size=20)
        assert box.grown(1).contains(ink(canvas.array())), ch


@pytest.mark.parametrize(
    ("sign", "mirrored", "axis"),
    [
        ("−", "−", 0),
        ("−", "−", 1),
        ("×", "×", 0),
        ("×", "×", 1),
        ("÷", "÷", 0),
        ("÷", "÷", 1),
        ("→", "→", 0),
        ("≥", "≤", 1),
    ],
)
def test_signs_are_those_of_their_mirror_images(sign, mirrored, axis):
    cut = []
    for ch in (sign, mirrored):
        canvas = Canvas(200, 200)
        canvas.text((50, 50), ch, size=100, color="#000000")
        pixels = canvas.array()
        box = ink(pixels)
        cut.append(pixels[box.top : box.bottom, box.left : box.right, 0].astype(float))
    np.testing.assert_allclose(np.flip(cut[0], axis).shape, cut[1].shape, atol=1)
    height, width = np.minimum(cut[0].shape, cut[1].shape)
    off = np.abs(np.flip(cut[0], axis)[:height, :width] - cut[1][:height, :width])
    assert off.mean() < 20  # edges lie between pixels
    if sign == "−":
        assert (height < 0.1 * 100, width > 0.4 * 100) == (True, True)


@pytest.mark.parametrize(
    ("anchor", "edge", "expected"),
    [("lt", "left", 100), ("rt", "right", 100), ("lt", "top", 50), ("lb", "bottom", 50)],
)
def test_anchor_names_the_point(anchor, edge, expected):
    box = Canvas(300, 200).text((100, 50), "Anchor", size=20, anchor=anchor)
    assert abs(getattr(box, edge) - expected) <= 1


def test_middle_anchor_centres_capitals():
    canvas = Canvas(200, 100)
    canvas.text((100, 50), "H", size=40, anchor="mm")
    x, y = ink(canvas.array()).center
    assert abs(x - 100) <= 1
    assert abs(y - 50) <= 1


def test_numbers_have_one_width_per_digit():
    assert len({measure(str(d) * 4, size=15) for d in range(10)}) == 1
    assert measure("−100", size=15) == measure("−789", size=15)


@pytest.mark.parametrize("sign", letters._SIGNS)
def test_strokes_of_signs_stay_within_their_room(sign):
    """Between the heights of a line, no further than the sign is wide, and each one in small steps."""
    width, paths = letters._SIGNS[sign]
    for path in paths:
        x, y = np.array(path).T
        assert x.min() >= 0
        assert x.max() <= width
        assert -letters.DESCENT <= y.min() <= y.max() <= letters.ASCENT
    assert 0.1 < width < 1


def test_unknown_letters_are_spelled_as_escapes():
    assert spell("Köln – Łódź 中 æ ĵ") == "Köln - Łódź \\u4e2d \\xe6 \\u0135"
    assert spell("a − b") == "a − b"
    assert spell("cafe\u0301\n") == "café\\n"
    assert spell("\udce9🙂") == "\\udce9\\U0001f642"


def test_names_that_differ_are_drawn_differently():
    names = [
        "naïve café",
        "naive cafe",
        "naìve café",
        "ICAFÉ",
        "ICAFE",
        "日本",
        "日本語",
        "中国",
        "Straße",
        "Strasse",
    ]
    drawn = []
    for name in names:
        canvas = Canvas(200, 40)
        canvas.text((5, 5), name, size=13)
        drawn.append(canvas.array().tobytes())
    assert len(set(drawn)) == len(names)


@pytest.mark.parametrize("size", [13, 16, 34])
@pytest.mark.parametrize("ch", ACCENTED)
def test_accents_lie_in_the_box(ch, size):
    canvas = Canvas(120, 80)
    box = canvas.text((40, 20), ch, size=size)
    assert spell(ch) == ch
    assert box.grown(1).contains(ink(canvas.array()))


@pytest.mark.parametrize("ch", "éñäåčōzo")
def test_an_accent_stands_apart_above_a_small_letter(ch):
    canvas = Canvas(80, 80)
    canvas.text((30, 20), ch, size=34)
    rows = (canvas.array() != 255).any(axis=(1, 2))
    bands = np.count_nonzero(np.diff(rows.astype(int)) == 1)
    assert bands == (1 if ch.isascii() else 2)


def accent_of(ch):
    """The pixels of what stands above a letter, cut out."""
    canvas = Canvas(320, 320)
    canvas.text((60, 40), ch, size=200, color="#000000")
    dark = canvas.array()[..., 0].astype(float)
    rows = (dark != 255).any(axis=1)
    first = int(np.argmax(rows))
    dark = dark[first : first + int(np.argmin(rows[first:]))]
    columns = np.flatnonzero((dark != 255).any(axis=0))
    return dark[:, columns[0] : columns[-1] + 1]


@pytest.mark.parametrize(("ch", "mirrored"), ["éè", "öö", "ôô", "åå", "ǒǒ", "ōō", "ŏŏ", "żż"])
def test_accents_are_those_of_their_mirror_images(ch, mirrored):
    one, other = np.flip(accent_of(ch), 1), accent_of(mirrored)
    np.testing.assert_allclose(one.shape, other.shape, atol=1)
    height, width = np.minimum(one.shape, other.shape)
    assert np.abs(one[:height, :width] - other[:height, :width]).mean() < 20  # edges lie between pixels


def test_both_strokes_of_a_double_acute_are_alike():
    strokes = accent_of("ő")
    gaps = np.flatnonzero((strokes == 255).all(axis=0))
    assert len(gaps)
    left, right = strokes[:, : gaps[0]], strokes[:, gaps[-1] + 1 :]
    assert left.shape == right.shape
    assert np.abs(left - right).mean() < 20


def test_wrap_keeps_words_and_width():
    s = "A convolution lays a small grid of weights over the image and adds the products."
    lines = wrap(s, 200, size=16)
    assert " ".join(lines) == s
    assert len(lines) > 2
    assert all(measure(line, size=16)[0] <= 200 for line in lines)


def test_wrap_does_not_break_at_no_break_spaces():
    assert wrap("12 +\u00a034 +\u00a056", measure("12 + 34 +", size=16)[0], size=16) == [
        "12 +\u00a034",
        "+\u00a056",
    ]


def test_shorten_keeps_both_ends():
    name = "a-very-long-file-name-of-a-photograph.png"
    short = shorten(name, 150, size=16)
    assert measure(short, size=16)[0] <= 150
    assert short.startswith("a-v")
    assert short.endswith("png")
    assert "…" in short
    assert shorten("short.png", 150, size=16) == "short.png"


@pytest.mark.parametrize("name", ["", "i", "WW", "an Äußerst long name.png", "ÅÅÅÅ ÖÖÖÖ üüüü", "9" * 60])
@pytest.mark.parametrize("width", [0, 9, 40, 90, 150])
def test_shorten_keeps_as_many_letters_as_fit(name, width):
    """Against a plain loop from all letters but one downwards."""
    short = shorten(name, width, size=16)
    if measure(name, size=16)[0] <= width:
        assert short == name
        return
    kept = len(name) - 1
    while kept > 1 and measure(cut(name, kept), size=16)[0] > width:
        kept -= 1
    assert short == cut(name, kept)


def cut(name, kept):
    return name[: (kept + 1) // 2] + "…" + name[len(name) - kept // 2 :]


def test_names_without_end_are_shortened_at_once():
    assert measure(shorten("x" * 200_000, 150, size=16), size=16)[0] <= 150


def test_rect_fills_exactly_its_box():
    canvas = Canvas(20, 10)
    canvas.rect(Box(3, 2, 8, 6), fill="#102030")
    expected = np.full((10, 20, 3), 255, dtype=np.uint8)
    expected[2:6, 3:8] = (0x10, 0x20, 0x30)
    np.testing.assert_array_equal(canvas.array(), expected)


def test_outline_stays_inside():
    canvas = Canvas(20, 10)
    canvas.rect(Box(3, 2, 9, 8), outline="#000000", width=2)
    dark = (canvas.array() == 0).all(axis=2)
    expected = np.zeros((10, 20), dtype=bool)
    expected[2:8, 3:9] = True
    expected[4:6, 5:7] = False
    np.testing.assert_array_equal(dark, expected)


def test_a_box_grows_on_all_sides():
    assert Box(10, 20, 30, 60).grown(3) == Box(7, 17, 33, 63)


@pytest.mark.parametrize("sign", SIGNS + "ßı")
def test_signs_keep_clear_of_the_letter_before_them(sign):
    canvas = Canvas(400, 400)
    box = canvas.text((100, 100), sign, size=200)
    assert ink(canvas.array()).left > box.left


def test_empty_rect_paints_nothing():
    canvas = Canvas(5, 5)
    canvas.rect(Box(2, 2, 2, 4), fill="#000000")
    assert (canvas.array() == 255).all()


def test_image_is_enlarged_to_squares():
    pixels = np.array([[0, 255], [128, 64]], dtype=np.uint8)
    canvas = Canvas(12, 10)
    canvas.image(Box(1, 2, 9, 10), pixels)
    np.testing.assert_array_equal(canvas.array()[2:10, 1:9, 0], np.kron(pixels, np.ones((4, 4))))


def test_image_is_reduced_by_averaging():
    pixels = np.random.default_rng(1).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    canvas = Canvas(6, 4)
    canvas.image(Box(0, 0, 6, 4), pixels)
    mean = pixels.reshape(4, 2, 6, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(canvas.array() - mean).max() <= 1


def test_line_arrow_and_disc_lie_in_their_boxes():
    for draw in (
        lambda c: c.line([(20, 20), (90, 61), (30, 70)], width=3),
        lambda c: c.arrow((20.5, 80), (80, 30), width=2),
        lambda c: c.disc((50, 50), 14),
    ):
        canvas = Canvas(120, 100)
        assert draw(canvas).contains(ink(canvas.array()))


def test_arrows_have_one_head_in_every_direction():
    """Turned, an arrow keeps its ink, whose middle lies towards its end, where the head is."""
    amounts, ahead = [], []
    for angle in np.deg2rad(range(0, 360, 15)):
        along = np.array([np.cos(angle), np.sin(angle)])
        canvas = Canvas(100, 100)
        canvas.arrow(tuple(50 - 30 * along), tuple(50 + 30 * along), color="#000000", width=3)
        dark = (255 - canvas.array()[..., 0].astype(float)) / 255
        amounts.append(dark.sum())
        centre = [(dark.sum(axis=axis) * (np.arange(100) + 0.5)).sum() / dark.sum() for axis in (0, 1)]
        ahead.append((np.array(centre) - 50) @ np.stack([along, [-along[1], along[0]]], axis=1))
    np.testing.assert_allclose(amounts, np.mean(amounts), rtol=0.04)
    np.testing.assert_allclose(ahead, np.broadcast_to(np.mean(ahead, axis=0), (24, 2)), atol=0.5)
    assert np.mean(ahead, axis=0)[0] > 5


def test_disc_has_the_area_of_a_circle():
    canvas = Canvas(100, 100)
    canvas.disc((50, 50), 20, fill="#000000")
    area = (255 - canvas.array()[..., 0].astype(float)).sum() / 255
    assert area == pytest.approx(np.pi * 400, rel=0.02)


def test_page_grows_with_its_marks():
    canvas = Canvas(100, margin=30)
    assert canvas.height == 30
    canvas.rect(Box(0, 0, 10, 70), fill="#000000")
    assert canvas.array().shape == (100, 100, 3)


def test_paragraph_box_covers_its_lines():
    canvas = Canvas(400, 300)
    box = canvas.paragraph((10, 20), "one two three four five six seven eight nine ten", 120)
    texts = [mark for mark in canvas.marks if mark.kind == "text"]
    assert len(texts) > 2
    assert all(box.contains(mark.box) for mark in texts)
    assert not any(a.box.overlaps(b.box) for a in texts for b in texts if a is not b)


def test_boxes_that_touch_do_not_overlap():
    box = Box(0, 0, 10, 10)
    assert not box.overlaps(Box(10, 0, 20, 10))
    assert box.overlaps(Box(9, 9, 20, 20))
    assert box.contains(Box(0, 0, 10, 10))
    assert not box.contains(Box(0, 0, 11, 10))
