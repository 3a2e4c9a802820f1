"""An image that is decoded ahead is the one that is read; where it is not, nobody notices."""

import io
import mmap
import threading

import numpy as np
import pytest
from PIL import Image

from cnncli.errors import CnncliError
from cnncli.images import arrow, opening
from cnncli.images.arrow import LAYOUTS
from cnncli.images.pillow_pixels import pixels_in_place
from cnncli.images.read import read_picture


@pytest.fixture(autouse=True)
def nothing_ahead(monkeypatch):
    monkeypatch.setattr(opening, "_LEAST_AHEAD", 1)
    monkeypatch.setattr(opening, "_ahead", [])


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def colors(height=37, width=53):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def images_ahead():
    """What is decoded, once the thread has nothing left to do."""
    if not opening._ahead:
        return {}
    opening._ahead[0].wait()
    return opening._ahead[0]._images


@pytest.mark.parametrize("name", ["a.jpg", "b.JPEG", "c.png"])
def test_an_image_decoded_ahead_is_read_once(tmp_path, name):
    path = save(tmp_path / name, colors())
    plain = read_picture(path)
    opening.decode_ahead([str(path)])
    [image] = images_ahead().values()
    early = read_picture(path)
    assert not images_ahead()
    assert np.shares_memory(early.frames[0], pixels_in_place(image))
    assert np.array_equal(early.frames[0], plain.frames[0])
    assert (early.metadata, early.format, early.alpha) == (plain.metadata, plain.format, plain.alpha)
    assert np.array_equal(read_picture(path).frames[0], plain.frames[0])


def test_of_many_as_many_as_there_is_room_for(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_MOST_OF_MANY", 3 * 37 * 53)
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = [save(folder / f"{number}.jpg", np.roll(colors(), number, axis=1)) for number in range(5)]
    save(folder / "0.tif", colors())
    plain = [read_picture(path).frames[0] for path in paths]
    opening.decode_ahead([str(folder), str(save(tmp_path / "z.png", colors()))])
    assert len(images_ahead()) == 3
    for number in (1, 4, 0, 3, 2):
        assert np.array_equal(read_picture(paths[number]).frames[0], plain[number])
    assert not images_ahead()


def test_files_beyond_the_most_are_left(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_MOST_FILES", 2)
    opening.decode_ahead([str(save(tmp_path / f"{number}.png", colors())) for number in range(3)])
    assert len(images_ahead()) == 2


def test_the_first_that_is_read_ends_it(tmp_path, monkeypatch):
    """Whoever reads may wait for the image in work, but for no further one."""
    paths = [save(tmp_path / f"{number}.jpg", colors()) for number in range(3)]
    begun, go_on = threading.Event(), threading.Event()

    def prepare(image):
        begun.set()
        assert go_on.wait(10)

    monkeypatch.setattr(opening, "use_large_pages", prepare)
    opening.decode_ahead([str(path) for path in paths])
    assert begun.wait(10)
    threading.Timer(0.1, go_on.set).start()
    assert read_picture(paths[0]).frames[0].shape == (37, 53, 3)
    opening._ahead[0].wait()
    assert not images_ahead()


def test_a_file_that_has_changed_is_read_anew(tmp_path):
    path = save(tmp_path / "a.png", colors())
    opening.decode_ahead([str(path)])
    path.unlink()
    save(path, colors(8, 9))
    assert read_picture(path).frames[0].shape == (8, 9, 3)


@pytest.mark.parametrize(
    "inputs", [None, [], ["-"], ["absent.jpg"], ["absent", "a.tif"], ["a.tif"], ["a\0.jpg"]]
)
def test_nothing_is_decoded_where_it_could_not_be_taken(tmp_path, monkeypatch, inputs):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png", colors())
    save(tmp_path / "a.tif", colors())
    opening.decode_ahead(inputs)
    assert not opening._ahead


def test_what_needs_more_than_decoding_waits(tmp_path):
    deep = tmp_path / "deep.png"
    deep.write_bytes(read_and_encode(np.full((5, 6, 3), 40_000, np.uint16)))
    palette = tmp_path / "palette.png"
    Image.fromarray(colors()).quantize(16).save(palette)
    moving = tmp_path / "moving.png"
    Image.fromarray(colors()).save(moving, save_all=True, append_images=[Image.fromarray(colors()[::-1])])
    for path in (deep, palette, moving):
        opening.decode_ahead([str(path)])
        assert not images_ahead(), path
        opening._ahead.clear()
    assert read_picture(deep).frames[0].dtype == np.uint16
    assert len(read_picture(moving).frames) == 2


def read_and_encode(pixels):
    from cnncli.images.encode import encode_picture
    from cnncli.images.picture import Picture

    return encode_picture(Picture((pixels,)), "PNG")


def test_a_damaged_image_is_reported_as_ever(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(colors(200, 200)).save(stream, "JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(stream.getvalue()[:2000])
    with pytest.raises(CnncliError) as plain:
        read_picture(path)
    opening.decode_ahead([str(path)])
    with pytest.raises(CnncliError) as early:
        read_picture(path)
    assert str(early.value) == str(plain.value)


@pytest.mark.parametrize("fault", [MemoryError, ValueError, OSError])
def test_what_cannot_be_prepared_is_read_as_ever(tmp_path, monkeypatch, fault):
    def fail(image):
        raise fault

    path = save(tmp_path / "a.jpg", colors())
    wanted = read_picture(path)
    monkeypatch.setattr(opening, "use_large_pages", fail)
    opening.decode_ahead([str(path)])
    assert opening._ahead
    assert np.array_equal(read_picture(path).frames[0], wanted.frames[0])


def test_a_bomb_is_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_MOST_AHEAD", 100)
    opening.decode_ahead([str(save(tmp_path / "a.jpg", colors()))])
    assert opening._ahead
    assert not images_ahead()


def test_a_small_lone_image_is_not_worth_a_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_LEAST_AHEAD", 1 << 16)
    opening.decode_ahead([str(save(tmp_path / "a.jpg", colors()))])
    assert not opening._ahead


@pytest.mark.parametrize("mode", LAYOUTS)
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (640, 427)])
def test_pillows_memory_is_seen_as_it_is(mode, size):
    opening.configure_pillow(10**6)
    image = Image.fromarray(colors(size[1], size[0])).convert(mode)
    seen = pixels_in_place(image)
    wanted = np.asarray(image).reshape(size[1], size[0], -1)
    del image  # the view keeps the memory
    assert np.array_equal(seen, wanted)
    assert not seen.flags.writeable


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="an advice that Linux takes")
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("side", [1, 3000])
def test_large_pages_are_asked_for_all_whole_pages_of_an_image(monkeypatch, mode, side):
    opening.configure_pillow(10**8)
    asked = []

    class Library:
        def __init__(self, name):
            self.madvise = lambda first, size, advice: asked.append((first.value, size.value, advice))

    monkeypatch.setattr(arrow.ctypes, "CDLL", Library)
    image = Image.new(mode, (side, side))
    arrow.use_large_pages(image)
    if side == 1 or mode == "CMYK":
        assert not asked
        return
    [(first, size, advice)] = asked
    address, _ = arrow.pixels_of(image)
    end = address + side * side * LAYOUTS[mode][1]
    assert advice == mmap.MADV_HUGEPAGE
    assert first % mmap.PAGESIZE == 0
    assert address <= first < address + mmap.PAGESIZE
    assert first + size <= end < first + size + 2 * mmap.PAGESIZE


def test_a_system_without_large_pages_is_left_alone(monkeypatch):
    opening.configure_pillow(10**8)
    image = Image.new("RGB", (3000, 3000), "red")

    def missing(name):
        raise OSError

    monkeypatch.setattr(arrow.ctypes, "CDLL", missing)
    arrow.use_large_pages(image)
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    arrow.use_large_pages(image)
    assert image.getpixel((2999, 2999)) == (255, 0, 0)
