"""Galleries on disk: written, read, damaged, of another version, and made by processes that died."""

import json

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.tasks.retrieval.gallery import Image, Model, open_gallery
from cnncli.tasks.retrieval.indexing import UNFINISHED, Indexing, reserved, unchanged

MODEL = Model("digits", "d" * 64, "compact", "maxpool3")
DIGESTS = [f"{i:064x}" for i in range(5)]


def made(folder, rng, count=5):
    """A gallery of so many images, and its vectors."""
    vectors = rng.standard_normal((count, 32)).astype(np.float32)
    vectors[:, 20:] = 0
    with reserved(folder):
        indexing = Indexing(folder, MODEL, 20, None)
        indexing.keep(dict(zip(DIGESTS, vectors, strict=False)))
        images = [Image(0, f"ü/{i}.png", 10 + i, -i, DIGESTS[i]) for i in range(count)]
        indexing.publish(images, ("/photos",), begun=1_000_000_000)
    return vectors, images


def test_a_gallery_holds_what_was_put_into_it(tmp_path, rng):
    vectors, images = made(tmp_path / "gallery", rng)
    gallery = open_gallery(tmp_path / "gallery")
    np.testing.assert_array_equal(gallery.vectors, vectors)
    assert [*gallery.images] == images
    assert gallery.image(3) == images[3]
    assert gallery.file(images[3]) == "/photos/ü/3.png"
    assert (gallery.model, gallery.width, gallery.folders) == (MODEL, 20, ("/photos",))
    assert (tmp_path / "gallery/gallery.json").stat().st_mtime == 1
    assert not (tmp_path / "gallery" / UNFINISHED).exists()
    assert not gallery.vectors.flags.writeable


def damage(**changes):
    def change(folder):
        path = folder / "gallery.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def cut(pattern, size=-1):
    def change(folder):
        (path,) = folder.glob(pattern)
        path.write_bytes(path.read_bytes()[:size])

    return change


def rewritten(pattern, old, new):
    def change(folder):
        (path,) = folder.glob(pattern)
        path.write_bytes(path.read_bytes().replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (damage(format="cnncli-gallery-2"), "format is 'cnncli-gallery-2'"),
        (damage(count=4), "640 bytes; expected 512"),
        (damage(count=6), "640 bytes; expected 768"),
        (damage(width=0), "width is 0"),
        (damage(width=10), "row is 32; expected 16"),
        (damage(row=10**30), "row is 1000"),
        (damage(vectors="../../etc/passwd"), "expected a name such as vectors-"),
        (damage(files="files-0123456789abcdef.jsonl"), "a file that it names is missing"),
        (damage(model=None), "model is null"),
        (damage(folders="/photos"), "expected a list"),
        (cut("vectors-*"), "639 bytes; expected 640"),
        (cut("vectors-*", 0), "0 bytes; expected 640"),
        (cut("files-*"), "4 lines; expected 5"),
        (cut("gallery.json", 30), "it is not JSON"),
        (cut("gallery.json", 0), "it is not JSON"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path, rng, change, said):
    made(tmp_path, rng)
    change(tmp_path)
    with pytest.raises(CnncliError, match=said):
        open_gallery(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ü/3".encode(), b"../../etc/passwd", "inside its folder"),
        ("ü/3".encode(), b"/etc/passwd", "inside its folder"),
        (b"[0,", b"[1,", "not described by its folder"),
        (b"[0,", b"{0,", "not JSON"),
        (b",13,", b",", "not described by"),
    ],
)
def test_lines_that_are_damaged_are_refused_when_they_are_read(tmp_path, rng, old, new, said):
    made(tmp_path, rng)
    rewritten("files-*", old, new)(tmp_path)
    with pytest.raises(CnncliError, match=said):
        open_gallery(tmp_path).image(3)


def test_what_is_no_gallery(tmp_path):
    (tmp_path / "file").touch()
    for name, said in ((".", "holds no gallery"), ("none", "is no folder"), ("file", "is no folder")):
        with pytest.raises(CnncliError, match=said):
            open_gallery(tmp_path / name)


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_a_dead_process_has_left_is_taken_as_far_as_it_is_whole(tmp_path, rng):
    vectors, images = made(tmp_path / "right", rng)
    folder = tmp_path / "resumed"
    with reserved(folder):
        Indexing(folder, MODEL, 20, None).keep(dict(zip(DIGESTS, vectors[:4], strict=False)))
    left = folder / UNFINISHED
    data = bytearray(left.read_bytes())
    data[-200] ^= 1  # a bit of the third record
    left.write_bytes(data[:-9])
    with reserved(folder):
        indexing = Indexing(folder, MODEL, 20, None)
        assert sorted(indexing.places) == DIGESTS[:2]
        indexing.keep(dict(zip(DIGESTS[2:], vectors[2:], strict=False)))
        indexing.publish(images, ("/photos",), begun=5)
    assert bytes_of(folder) == bytes_of(tmp_path / "right")


def test_what_another_network_has_left_is_dropped(tmp_path, rng):
    with reserved(tmp_path):
        Indexing(tmp_path, MODEL, 20, None).keep({DIGESTS[0]: np.ones(32, np.float32)})
        other = Model("digits", "e" * 64, "compact", "maxpool3")
        assert Indexing(tmp_path, other, 20, None).places == {}


def test_a_new_gallery_takes_vectors_from_the_one_before(tmp_path, rng):
    vectors, images = made(tmp_path, rng)
    before = open_gallery(tmp_path)
    with reserved(tmp_path):
        indexing = Indexing(tmp_path, MODEL, 20, before)
        indexing.keep({"a" * 64: np.zeros(32, np.float32)})
        indexing.publish([Image(0, "new.png", 1, 1, "a" * 64), images[4], images[1]], ("/photos",), begun=5)
    np.testing.assert_array_equal(open_gallery(tmp_path).vectors, [np.zeros(32), vectors[4], vectors[1]])
    assert len([*tmp_path.iterdir()]) == 3
    np.testing.assert_array_equal(before.vectors, vectors)  # who reads it goes on reading


def test_two_processes_do_not_make_one_gallery(tmp_path):
    with (
        reserved(tmp_path / "a"),
        pytest.raises(CnncliError, match="another process"),
        reserved(tmp_path / "a"),
    ):
        pass
    assert not (tmp_path / "a").exists()


def test_files_are_the_same_by_size_and_time_unless_they_were_just_changed(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"12345")
    status = path.stat()
    image = Image(0, "a.png", 5, status.st_mtime_ns, "")
    later = status.st_mtime_ns + 3_000_000_000
    assert unchanged(image, status, later)
    assert not unchanged(image, status, status.st_mtime_ns + 1)
    assert not unchanged(Image(0, "a.png", 6, status.st_mtime_ns, ""), status, later)
    assert not unchanged(Image(0, "a.png", 5, status.st_mtime_ns - 1, ""), status, later)
