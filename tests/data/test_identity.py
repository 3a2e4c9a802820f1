"""What makes two images one: their content, not their names, their metadata or their format."""

import hashlib
import io

import numpy as np
import pytest
from data_helpers import picture, write_image
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from cnncli.data.class_labels import ClassLabels
from cnncli.data.files import FileDigests, Files, decodable, decode_all
from cnncli.data.identity import count_copies, digests_of, file_key, merged_keys, row_digests
from cnncli.data.model import Arrays
from cnncli.data.prepare import InputSpec
from cnncli.data.retargeted import Retargeted


def encoded(pixels, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def rated():
    """EXIF as a program for photographs writes it beside five stars."""
    exif = Image.Exif()
    exif[0x4746], exif[0x010E] = 5, "at the sea"
    return exif


@pytest.mark.parametrize("progressive", [False, True])
def test_what_is_written_about_a_jpeg_is_not_the_picture(progressive):
    pixels = picture(1, 40, 50)
    plain = encoded(pixels, "JPEG", progressive=progressive)
    about = encoded(pixels, "JPEG", progressive=progressive, exif=rated(), comment=b"ours")
    assert plain != about
    assert file_key(plain) == file_key(about)
    assert file_key(plain) != file_key(encoded(pixels, "JPEG", progressive=progressive, quality=60))


def test_what_is_written_about_a_png_is_not_the_picture():
    pixels = picture(2, 9, 7)
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "ours")
    plain, about = encoded(pixels, "PNG"), encoded(pixels, "PNG", pnginfo=text, exif=rated())
    assert plain != about
    assert file_key(plain) == file_key(about)
    assert file_key(plain) != file_key(encoded(picture(3, 9, 7), "PNG"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_files_that_end_early_have_keys_too(kind):
    data = encoded(picture(4, 12, 12), kind)
    keys = {file_key(data[:length]) for length in range(len(data) // 2, len(data), 5)}
    assert len(keys) >= len(range(len(data) // 2, len(data), 5)) - 1, "each is another file"
    assert {file_key(data[:length]) for length in range(20)}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, ">u2"])
def test_rows_by_blake2(dtype):
    array = np.random.default_rng(0).integers(0, 255, (5, 3, 4)).astype(dtype)
    kind = f"(3, 4, 1) {np.dtype(dtype).str}".encode()
    person = hashlib.blake2b(kind, digest_size=16).digest()
    expected = [
        int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8, person=person).digest(), "little")
        for row in array
    ]
    assert row_digests(array).tolist() == expected
    strided = np.repeat(array, 2, axis=0)[::2]
    assert row_digests(strided).tolist() == expected
    assert row_digests(array[..., None]).tolist() == expected
    assert len(row_digests(array[:0])) == 0
    assert len(set(row_digests(array.reshape(5, 4, 3)).tolist()) & set(expected)) == 0


def test_pixels_of_any_format_in_any_split(tmp_path):
    """In memory, from files, and turned into another shape: equal inputs have equal digests."""
    paths = [tmp_path / name for name in ("a.png", "b.bmp", "c.tif", "d.png")]
    for path, seed in zip(paths, (0, 0, 0, 1), strict=True):
        write_image(path, picture(seed, 8, 8))
    file_digests, again = FileDigests(4), FileDigests(4)
    images, kept, _ = decode_all(paths, InputSpec((8, 8, 3)), file_digests=file_digests)
    decodable(paths, InputSpec((8, 8, 3)), file_digests=again, threads=2)
    keys, digests = file_digests.at(kept)
    assert [keys.tolist(), digests.tolist()] == [each.tolist() for each in again.at(kept)]
    assert len(set(keys.tolist())) == 4
    assert len(set(digests.tolist())) == 2
    labels = ClassLabels(np.zeros(4, np.int64), ("a",))
    files = Files(tuple(paths), labels, InputSpec((8, 8, 3)))
    for split in (Arrays(images, labels), files, Retargeted(files, labels)):
        assert digests_of(split).tolist() == digests.tolist()
    gray = digests_of(Files(tuple(paths), labels, InputSpec((8, 8, 1))))
    assert len(set(gray.tolist())) == 2
    assert not set(gray.tolist()) & set(digests.tolist())
    assert count_copies(digests) == 2


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_copies_of_copies_are_one_group(pairs):
    keys, digests = (np.array(each, np.uint64) for each in (zip(*pairs, strict=True) if pairs else ([], [])))
    expected = keys.tolist()
    for _ in pairs:  # one more step of the way from image to image each time
        for at, (key, digest) in enumerate(pairs):
            near = [n for n, (k, d) in enumerate(pairs) if k == key or d == digest]
            expected[at] = min(expected[n] for n in near)
    assert merged_keys(keys, digests).tolist() == expected
