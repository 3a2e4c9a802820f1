"""`cnncli search`: galleries that are made, brought up to date and asked, and lines that are wrong."""

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
from PIL import Image

from cnncli.data.shipped import sample_path
from cnncli.training.checkpoint import load_checkpoint, save_checkpoint

DIGITS = sorted(sample_path("digits").glob("*.png"))
HOURS_AGO = 10_000  # seconds: files that were not just written are not read again


@pytest.fixture
def photos(tmp_path):
    """Ten digits in two folders, hours old."""
    for number, file in enumerate(DIGITS):
        folder = tmp_path / "photos" / ("even" if number % 2 == 0 else "odd")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder)
    aged(tmp_path / "photos")
    return tmp_path / "photos"


def aged(folder):
    then = time.time() - HOURS_AGO
    for file in folder.rglob("*.png"):
        os.utime(file, (then, then))


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def lines_of(gallery):
    return next(gallery.glob("*.jsonl")).read_bytes().splitlines()


def index(run, *words):
    done = run("search", "index", *words, "-o", "gallery", "--json", "-q")
    assert "Traceback" not in done.err
    return done.code, {name: done.results[0][name] for name in ("images", "embedded", "unchanged", "dropped")}


def test_a_gallery_is_brought_up_to_date(run, photos, tmp_path):
    code, numbers = index(run, "photos")
    assert (code, numbers) == (0, {"images": 10, "embedded": 10, "unchanged": 0, "dropped": 0})
    first = bytes_of(tmp_path / "gallery")
    assert index(run, "photos")[1] == {"images": 10, "embedded": 0, "unchanged": 10, "dropped": 0}
    assert bytes_of(tmp_path / "gallery") == first
    (photos / "odd/7.png").unlink()
    (photos / "even/0.png").rename(photos / "moved ü.png")
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(photos / "even/2.png")
    done = run("search", "index", "-o", "gallery", "--json", "-q").results[0]
    assert [done[name] for name in ("images", "embedded", "known", "unchanged", "dropped")] == [9, 1, 1, 7, 2]
    files = [json.loads(line)[1] for line in lines_of(tmp_path / "gallery")]
    assert files == sorted(str(path.relative_to(photos)) for path in photos.rglob("*.png"))
    shutil.move(tmp_path / "gallery", tmp_path / "before")
    index(run, "photos")
    assert bytes_of(tmp_path / "gallery") == bytes_of(tmp_path / "before")


def test_a_file_that_was_just_written_is_read_again(run, photos, tmp_path):
    index(run, "photos")
    file = photos / "odd/1.png"
    status = file.stat()
    shutil.copy(photos / "odd/3.png", file)
    with file.open("ab") as opened:
        opened.write(bytes(max(0, status.st_size - file.stat().st_size)))
    os.truncate(file, status.st_size)
    now = (tmp_path / "gallery/gallery.json").stat().st_mtime_ns
    os.utime(file, ns=(now, now))
    assert index(run)[1]["unchanged"] == 9


def test_more_folders_are_added_and_a_folder_that_is_gone_stays(run, photos, tmp_path):
    index(run, "photos/even")
    assert index(run, "photos/odd", "photos")[1]["images"] == 10
    (photos / "odd").rename(tmp_path / "away")
    done = run("search", "index", "-o", "gallery", "--json")
    assert done.code == 1
    assert "is gone, a folder of the gallery: its images stay" in done.err
    assert done.results[0]["images"] == 10
    found = run("search", "query", DIGITS[2], "-g", "gallery", "--json", "--top", "1")
    assert found.results[0]["hits"] == [{"file": "photos/even/2.png", "distance": 0}]


def test_bad_images_are_named_and_skipped(run, photos, tmp_path):
    (photos / "bad.png").write_bytes(b"no image")
    (photos / "link.png").symlink_to("nowhere")
    (photos / "again.png").symlink_to("odd/1.png")
    done = run("search", "index", "photos", "-o", "photos/gallery")
    assert done.code == 1
    assert "photos/bad.png" in done.err
    assert "photos/link.png" in done.err
    assert "11 images" in done.lines[0]
    assert "2 failed" in done.lines[2]
    done = run("search", "index", "-o", "photos/gallery")  # its own files are not taken for images
    assert "11 images" in done.lines[0]


# Keeps the vectors of six to eleven images, however many come at once, and then waits to be killed.
STOPPED = """
import sys, time
from cnncli.cli.run import run
from cnncli.tasks.retrieval.indexing import Indexing

keep = Indexing.keep

def keep_some(self, vectors):
    keep(self, dict(list(vectors.items())[:6]))
    time.sleep(600 * (self._count > 5))

Indexing.keep = keep_some
run(sys.argv[1:])
"""


def test_killed_it_goes_on_and_the_gallery_is_the_same(start, run, photos, tmp_path):
    four = np.asarray(Image.open(DIGITS[4]))
    for number in range(1, 25):
        Image.fromarray(np.roll(four, number, 1)).save(photos / f"x{number}.png")
    aged(photos)
    assert index(run, "photos")[1]["embedded"] == 34
    shutil.move(tmp_path / "gallery", tmp_path / "right")
    left = tmp_path / "gallery/unfinished.vectors"
    (tmp_path / "slow.py").write_text(STOPPED)
    process = start(line=f"exec {os.sys.executable} slow.py search index photos -o gallery --threads 1")
    while process.poll() is None and not (left.exists() and left.stat().st_size > 1000):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "gallery/gallery.json").exists()
    code, numbers = index(run, "photos")
    assert code == 0
    assert 0 < numbers["embedded"] < 34
    assert bytes_of(tmp_path / "gallery") == bytes_of(tmp_path / "right")


def test_killed_while_it_is_published_it_is_published_again(run, photos, tmp_path):
    index(run, "photos")
    right = bytes_of(tmp_path / "gallery")
    (tmp_path / "gallery/gallery.json").unlink()
    (tmp_path / "gallery/.cnncli-0a1b2c3d.tmp").touch()
    assert index(run, "photos")[0] == 0
    assert bytes_of(tmp_path / "gallery") == right


def test_the_nearest_come_first(run, photos, tmp_path):
    index(run, "photos")
    done = run("search", "query", *DIGITS[3:5], "--gallery", "gallery", "--top", "3", "-o", "s.png")
    rows = [line.split("\t") for line in done.lines]
    assert (done.code, len(rows)) == (0, 6)
    assert rows[0] == [str(DIGITS[3]), "0.000000", "photos/odd/3.png"]
    assert rows[3][1:] == ["0.000000", "photos/even/4.png"]
    distances = [float(row[1]) for row in rows[:3]]
    assert distances == sorted(distances)
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 600
    near = run("search", "query", DIGITS[3], "-g", "gallery", "--within", distances[1] + 1e-5, "--json")
    assert [hit["distance"] for hit in near.results[0]["hits"]] == distances[:2]
    piped = run("search", "query", "-g", "gallery", "--json", stdin=DIGITS[3].read_bytes())
    assert piped.results[0]["hits"][0]["file"] == "photos/odd/3.png"
    assert len(piped.results[0]["hits"]) == 8


def test_distances_are_cosines_of_the_vectors_on_disk(run, photos, tmp_path):
    index(run, "photos")
    about = json.loads((tmp_path / "gallery/gallery.json").read_text())
    vectors = np.fromfile(tmp_path / "gallery" / about["vectors"], "<f4").reshape(
        about["count"], about["row"]
    )
    files = [json.loads(line) for line in lines_of(tmp_path / "gallery")]
    assert files[3][4] == hashlib.sha256((photos / files[3][1]).read_bytes()).hexdigest()
    (found,) = run("search", "query", photos / files[3][1], "-g", "gallery", "--json", "--top", "10").results
    for hit in found["hits"]:
        (place,) = (i for i, file in enumerate(files) if f"photos/{file[1]}" == hit["file"])
        assert hit["distance"] == pytest.approx(1 - float(vectors[3] @ vectors[place]), abs=2e-6)


def test_inputs_that_cannot_be_read_are_named(run, photos):
    index(run, "photos")
    done = run("search", "query", "none.png", DIGITS[1], "-g", "gallery", "--json")
    assert done.code == 1
    assert "none.png" in done.results[0]["error"]
    assert done.results[1]["hits"]


def test_duplicates(run, photos, tmp_path):
    shutil.copy(DIGITS[5], photos / "copy.png")
    Image.fromarray(np.asarray(Image.open(DIGITS[6])) // 2 * 2).save(photos / "near.png")
    index(run, "photos")
    done = run("search", "query", "--duplicates", "-g", "gallery", "--json", "-o", "d.png")
    found = [(group["exact"], {hit["file"] for hit in group["images"]}) for group in done.results]
    assert sorted(found, key=str) == [
        (False, {"photos/near.png", "photos/even/6.png"}),
        (True, {"photos/copy.png", "photos/odd/5.png"}),
    ]
    assert "2 groups within 0.03 among 12 images; 1 of files that are equal" in done.err
    assert (tmp_path / "d.png").exists()


def test_another_network_is_refused(run, photos, tmp_path):
    index(run, "photos")
    for words in (["query", DIGITS[1], "-g"], ["index", "photos", "-o"]):
        done = run("search", *words, "gallery", "-m", "imagenet")
        assert done.code == 2
        assert "imagenet (efficientnet-lite0" in done.err
        assert "expected digits (compact" in done.err
    changed = load_checkpoint(sample_path("digits.safetensors"))
    arrays = {name: array + (name == "conv1.weight") * 1e-3 for name, array in changed.arrays.items()}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    save_checkpoint(tmp_path / "changed.safetensors", dataclasses.replace(changed, arrays=arrays))
    done = run("search", "query", DIGITS[1], "-g", "gallery", "-m", "changed.safetensors")
    assert done.code == 2
    assert "is not the network that gallery was made with" in done.err
    shutil.copy(sample_path("digits.safetensors"), tmp_path / "copy.safetensors")
    run("search", "index", "photos", "-o", "other", "-m", "copy.safetensors", "-q")
    (tmp_path / "copy.safetensors").rename(tmp_path / "moved.safetensors")
    done = run("search", "query", DIGITS[1], "-g", "other")
    assert "copy.safetensors: no such file: the network that other was made with" in done.err
    assert "hint: Name where it lies now with -m." in done.err
    assert run("search", "query", DIGITS[1], "-g", "other", "-m", "moved.safetensors").code == 0
    assert run("search", "query", DIGITS[1], "-g", "gallery", "-m", "moved.safetensors").code == 0


def test_evaluate_measures_beside_what_needs_no_network(run, photos):
    for digit in (3, 8):
        folder = photos.parent / "classes/test" / str(digit)
        folder.mkdir(parents=True)
        for number in range(4):
            pixels = np.roll(np.asarray(Image.open(DIGITS[digit])), number - 2, axis=1)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    (photos.parent / "classes/test/loose.png").write_bytes(DIGITS[1].read_bytes())
    done = run("search", "evaluate", "classes", "--json", "-m", "digits")
    about = done.results[0]
    assert (done.code, about["images"], about["classes"], about["queries"]) == (0, 8, 2, 8)
    assert "1 image lies in no class folder" in done.err
    assert about["map"] == about["recall"]["1"] == 1
    for name in ("pixels", "histogram"):
        assert about["margin"][name] == pytest.approx(
            about["map"] - about["baselines"][name]["map"], abs=2e-6
        )
    assert "are copies of others" not in done.err
    shutil.copy(photos.parent / "classes/test/3/1.png", photos.parent / "classes/test/3/copy.png")
    done = run("search", "evaluate", "classes", "-m", "digits")
    assert "note: 1 image is a copy of another" in done.err
    lines = run("search", "evaluate", "classes", "-q").lines
    assert lines[0] == "9 images of 2 classes, each searched for among all others"
    assert lines[1].split() == ["mAP", "recall@1", "recall@5", "recall@10"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["indx", "photos"], "Did you mean ACTION index?"),
        (["index", "photos"], "expected -o GALLERY"),
        (["index", "-o", "new"], "has no folder to read"),
        (["index", "none", "-o", "new"], "none is no folder"),
        (["index", "photos", "-o", "photos"], "a folder with other files, and no gallery"),
        (["index", "photos", "-o", "photos/odd/1.png"], "is no folder; expected one for a gallery"),
        (["index", "photos", "-o", "new", "--top", "3"], "--top is given for index; expected it for query"),
        (["index", "photos", "-o", "new", "-m", "none.safetensors"], "none.safetensors"),
        (["index", "photos", "-o", "new", "-m", "digit-motions"], "is a network for clips"),
        (["query", "photos/odd/1.png"], "expected --gallery"),
        (["query", "photos/odd/1.png", "-g", "photos"], "holds no gallery"),
        (["query", "photos/odd/1.png", "-g", "gallery", "--top", "0"], "--top is 0"),
        (["query", "photos/odd/1.png", "-g", "gallery", "--within", "nan"], "--within is nan"),
        (["query", "photos/odd/1.png", "-g", "gallery", "-o", "x.jpg"], "ends in .png"),
        (["query", "photos/odd/1.png", "-g", "gallery", "-o", "photos/odd/1.png"], "also an image"),
        (["query", "photos/odd/1.png", "-g", "gallery", "-o", "photos/odd/3.png"], "also an image"),
        (["query", "photos/odd/1.png", "-g", "gallery", "--duplicates"], "--duplicates and an image"),
        (["query", "-g", "gallery", "--duplicates", "--top", "3"], "--duplicates and --top"),
        (["evaluate"], "takes nothing"),
        (["evaluate", "photos/odd/1.png"], "expected one folder"),
        (["evaluate", "photos", "-o", "x"], "--output is given for evaluate"),
    ],
)
def test_wrong_lines(run, photos, line, said):
    if "gallery" in line:
        index(run, "photos")
    before = sorted(photos.parent.rglob("*"))
    done = run("search", *line)
    assert done.code == 2
    assert said in done.err
    assert sorted(photos.parent.rglob("*")) == before


def test_folders_without_images_make_no_gallery(run, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("search", "index", "empty", "-o", "gallery")
    assert done.code == 1
    assert "empty is a folder without images" in done.err
    (tmp_path / "empty/bad.png").touch()
    done = run("search", "index", "empty", "-o", "gallery")
    assert done.code == 1
    assert "no image of 1 could be read" in done.err
    assert not (tmp_path / "gallery").exists()


def test_approximate_search_states_its_recall(run, photos):
    pytest.importorskip("usearch")
    index(run, "photos")
    exact = run("search", "query", DIGITS[1], "-g", "gallery", "--top", "3")
    for _ in range(2):
        done = run("search", "query", DIGITS[1], "-g", "gallery", "--top", "3", "--approximate")
        assert done.out == exact.out
        assert "approximate: 100.0% of the 10 nearest are found" in done.err
    assert "making usearch's index" not in done.err  # the second time


def test_without_usearch_it_is_said_how_to_get_it(run, photos, monkeypatch):
    index(run, "photos")
    monkeypatch.setitem(os.sys.modules, "usearch", None)
    monkeypatch.setitem(os.sys.modules, "usearch.index", None)
    done = run("search", "query", DIGITS[1], "-g", "gallery", "--approximate")
    assert done.code == 1
    assert "pip install usearch" in done.err
