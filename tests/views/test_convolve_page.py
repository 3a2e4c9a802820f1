"""The page on which a convolution is explored, as a reader uses it."""

import base64
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from explain_cases import photo
from scipy import ndimage

from cnncli.cli.run import run as run_command
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture
from cnncli.images.write import write_picture

HALF = 0.5 + 2e-3  # a level before rounding; the command's sums are float32


def run(*words):
    assert run_command([str(word) for word in words]) == 0


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Write a page: ``made("-k", "sobel:x")`` gives its path, for the picture ``a.png``."""
    monkeypatch.chdir(tmp_path)

    def make(*words, name="a.png", image=None):
        pixels = photo()[:, :, None] if image is None else image
        write_picture(Picture(frames=(pixels,)), tmp_path / name)
        run("convolve", f"./{name}", *words, "-o", "out.png", "--explain", "page.html", "-q")
        return tmp_path / "page.html"

    return make


def settle(page):
    page.wait_for_selector("#feature-map .picture:not([aria-busy])")


def map_pixels(page):
    """The feature map as it is painted, (H, W, 3)."""
    settle(page)
    address = page.evaluate("document.getElementById('map').toDataURL()")
    return read_picture(base64.b64decode(address.partition(",")[2])).frames[0][:, :, :3]


def as_written(page):
    """The pixels that the command shown on the page writes."""
    words = shlex.split(page.inner_text("#command"))
    run(*words[1:], "-o", "again.png", "-q")
    pixels = read_picture(Path("again.png")).frames[0]
    return np.broadcast_to(pixels[..., : 3 if pixels.shape[2] >= 3 else 1], (*pixels.shape[:2], 3))


def cell(page, row, column):
    return page.get_by_label(f"row {row}, column {column}", exact=True)


def test_an_edited_number_gives_what_scipy_gives(made, opened):
    with opened(made("-k", "1 2 3; 0 4 0; 0 0 0", "--normalize", "abs")) as page:
        cell(page, 2, 3).fill("-5")
        kernel = np.array([[1, 2, 3], [0, 4, -5], [0, 0, 0]]) / 15
        sums = ndimage.convolve(photo().astype(float), kernel, mode="mirror")
        assert np.abs(map_pixels(page)[:, :, 0] - np.clip(sums, 0, 255)).max() <= HALF
        assert np.array_equal(map_pixels(page), as_written(page))


def test_numbers_that_are_none_are_marked_and_change_nothing(made, opened):
    with opened(made("-k", "sharpen")) as page:
        before = map_pixels(page)
        cell(page, 1, 1).fill("1/0")
        assert cell(page, 1, 1).get_attribute("aria-invalid") == "true"
        assert np.array_equal(map_pixels(page), before)


def test_arrow_keys_move_the_window_and_its_numbers(made, opened):
    with opened(made("-k", "sobel:x")) as page:
        page.locator("#image").focus()
        for _ in range(60):
            page.keyboard.press("ArrowLeft")
        for _ in range(5):
            page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        assert page.inner_text("#window-title") == "4 The window at (1, 1)"
        patch = page.locator("#window table[aria-label=pixels] td").all_inner_texts()
        assert patch == [str(value) for value in photo()[:3, :3].ravel()]
        sums = ndimage.convolve(photo().astype(float), np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]]) / 4)
        assert int(page.inner_text(".swatch")) == np.rint(sums[1, 1] / 2 + 128)


def test_the_pointer_moves_the_window_until_a_click_holds_it(made, opened):
    with opened(made("-k", "box")) as page:
        box = page.locator("#image").bounding_box()
        at = [box["width"] / 56 * 20.5, box["height"] / 40 * 9.5]
        page.mouse.move(box["x"] + at[0], box["y"] + at[1])
        page.mouse.down()
        page.mouse.up()
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        assert page.inner_text("#window-title") == "4 The window at (20, 9)"
        assert page.locator("#hold").get_attribute("aria-pressed") == "true"


def test_the_formula_is_worked_out_with_the_kernel_turned(made, opened):
    with opened(made("-k", "1 2 3; 4 5 6; 7 8 9")) as page:
        page.locator("#image").focus()
        page.keyboard.press("ArrowLeft")
        x, y = json.loads(
            page.inner_text("#window-title").split("at ")[1].replace("(", "[").replace(")", "]")
        )
        first = page.locator("table.terms tbody tr").first.locator("td").all_inner_texts()
        pixel = photo()[y - 1, x - 1]
        assert first == [
            f"input({x - 1}, {y - 1}) = {pixel}",
            "kernel(1, 1) = 9",
            f"{pixel} · 9 = {9 * int(pixel)}",
        ]


@pytest.mark.parametrize(
    "words",
    [
        ["-k", "sobel:x", "--border", "constant:9", "--stride", "2,3", "--scale", "1.5", "--bias", "4"],
        ["-k", "gaussian", "-k", "1 2; -3 0.5", "--correlate", "--mode", "full", "--range", "abs"],
    ],
    ids=["options", "a chain"],
)
def test_the_command_on_the_page_makes_its_pixels(made, opened, words):
    color = np.concatenate([photo(seed=s)[:, :, None] for s in (1, 2, 3)], axis=2)
    with opened(made(*words, image=color)) as page:
        assert np.abs(map_pixels(page).astype(int) - as_written(page)).max() <= 1


def test_options_and_kernels_are_chosen_on_the_page(made, opened):
    color = np.concatenate([photo(seed=s)[:, :, None] for s in (1, 2, 3)], axis=2)
    with opened(made("-k", "canny", image=color)) as page:
        assert "not computed in this page" in page.inner_text("#kernel")
        assert page.locator("#camera").is_disabled()
        page.locator("#preset").select_option(label="emboss")
        page.locator("#options summary").click()
        page.get_by_label("border").select_option("wrap")
        page.get_by_label("dilation").fill("2")
        page.locator("#columns").fill("2")
        page.keyboard.press("Tab")
        assert np.abs(map_pixels(page).astype(int) - as_written(page)).max() <= 1


def test_several_pictures_are_switched(tmp_path, monkeypatch, opened):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("a.png", 1), ("b.png", 2)):
        write_picture(Picture(frames=(photo(seed=seed)[:, :, None],)), tmp_path / name)
    run("convolve", "a.png", "b.png", "-k", "box", "-o", "out", "--explain", "page.html", "-q")
    with opened(tmp_path / "page.html") as page:
        page.locator("#input").select_option(label="b.png")
        assert page.title() == "box on b.png"
        assert np.array_equal(map_pixels(page)[:, :, :1], read_picture(tmp_path / "out/b-box.png").frames[0])


def test_a_picture_is_opened_and_the_camera_says_why_not(tmp_path, made, opened):
    write_picture(Picture(frames=(photo(seed=9)[:20, :30, None],)), tmp_path / "other.png")
    (tmp_path / "none.png").write_text("no picture")
    with opened(made("-k", "identity")) as page:
        page.locator("#file").set_input_files(tmp_path / "other.png")
        page.wait_for_function("document.title === 'identity on other.png'")
        assert np.array_equal(map_pixels(page)[:, :, 0], photo(seed=9)[:20, :30])
        page.locator("#file").set_input_files(tmp_path / "none.png")
        page.get_by_text("none.png cannot be opened").wait_for()
        page.locator("#camera").click()
        page.get_by_text("The camera cannot be used: ").wait_for()


def test_hostile_names_stay_text(made, opened):
    name = "<img src=x onerror=alert(1)>'\"&.png"
    with opened(made("-k", "sobel", name=name)) as page:
        assert name in page.inner_text("h1")
        assert page.locator("img").count() == 0
        assert shlex.split(page.inner_text("#command"))[2] == f"./{name}"


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_all_that_is_used_has_a_name(made, opened, dark):
    with opened(made("-k", "gaussian:sigma=1"), width=360, height=700, dark=dark, touch=True) as page:
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll('button, input:not([type=file]), select, canvas')]
            .filter((each) => !(each.textContent.trim() || each.ariaLabel || each.labels?.length)).length"""
        )
        assert unnamed == 0
        page.locator("#map").tap()
        assert page.locator("#hold").get_attribute("aria-pressed") == "true"
