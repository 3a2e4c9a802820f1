"""Folders of clips: animations, videos and folders of frames hold the same, and what is wrong is listed."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cnncli.data.assemble import LoadOptions
from cnncli.data.clip_files import _picture, frame_files
from cnncli.data.clip_files import frames_of as frames_of_file
from cnncli.data.clip_folder import holds_clips, holds_frames
from cnncli.data.image_facts import ImageOptions
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError

WHOLE = LoadOptions(whole=True, for_training=False, task="video")


def frames_of(number, count=5, side=12, channels=1):
    """Frames whose pixels all have one level, which tells clip and frame."""
    levels = 30 * number + 7 * np.arange(count)
    return np.broadcast_to(levels[:, None, None, None], (count, side, side, channels)).astype(np.uint8)


def write(path, frames):
    """A clip in the form that its suffix says; without one, a folder of frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [Image.fromarray(np.repeat(each, 3, axis=2)) for each in frames]
    if not path.suffix:
        path.mkdir()
        for number, picture in enumerate(pictures, 8):
            picture.save(path / f"frame_{number}.png")
    elif path.suffix == ".avi":
        video(path, pictures)
    else:
        settings = {"lossless": True} if path.suffix == ".webp" else {}
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, **settings)


def video(path, pictures):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = *pictures[0].size, "bgr0"
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_image(picture)))
        out.mux(stream.encode())


def folder(root, suffix, counts=((5, 3), (4,))):
    number = 0
    for label, clips in zip(("fall", "rise"), counts, strict=True):
        for count in clips:
            write(root / label / f"clip{number}{suffix}", frames_of(number, count))
            number += 1
    return root


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", "", ".avi"])
def test_all_forms_hold_the_same_frames(tmp_path, suffix):
    root = folder(tmp_path / "clips", suffix)
    assert holds_clips(root) == bool(suffix)
    assert holds_frames(root) == (not suffix)
    dataset = load_dataset(str(root), WHOLE)
    clips = dataset.train
    assert (dataset.noun, dataset.targets.task, dataset.shape) == ("clips", "video", (12, 12, 1))
    assert clips.targets.texts() == ["fall", "fall", "rise"]
    assert clips.counts.tolist() == [5, 3, 4]
    expected = np.concatenate([frames_of(0, 5), frames_of(1, 3), frames_of(2, 4)])
    np.testing.assert_array_equal(clips.frames, expected)
    assert [name.endswith(f"clip{at}{suffix}") for at, name in enumerate(clips.names)] == [True] * 3


def test_splits_above_the_classes(tmp_path):
    folder(tmp_path / "clips" / "train", ".gif")
    folder(tmp_path / "clips" / "test", ".gif", ((5,), (6,)))
    dataset = load_dataset(str(tmp_path / "clips"), WHOLE)
    assert (len(dataset.train), len(dataset.test), dataset.given) == (3, 2, ("train", "test"))


def test_images_are_no_clips(tmp_path):
    for label in ("cat", "dog"):
        for number in range(3):
            path = tmp_path / "stills" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(frames_of(number)[0][..., 0]).save(path)
            inner = tmp_path / "deeper" / label / "album" / f"picture{number**3 + 1}.png"
            inner.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(frames_of(number)[0][..., 0]).save(inner)
    assert not holds_clips(tmp_path / "stills")
    assert not holds_frames(tmp_path / "deeper")
    assert not holds_clips(tmp_path / "stills" / "cat")


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path):
    root = folder(tmp_path / "clips", "", ((5, 5), (4, 4)))
    write(root / "fall" / "short", frames_of(9, 1))
    (root / "fall" / "empty").mkdir()
    write(root / "rise" / "mixed", frames_of(5))
    Image.fromarray(np.zeros((9, 12), np.uint8)).save(root / "rise" / "mixed" / "frame_10.png")
    write(root / "rise" / "cut", frames_of(6))
    path = root / "rise" / "cut" / "frame_11.png"
    path.write_bytes(path.read_bytes()[:-30])
    dataset = load_dataset(str(root), WHOLE)
    reasons = {each.path.rpartition("/")[2]: each.reason for each in dataset.skipped}
    assert len(dataset.train) == 4
    assert set(reasons) == {"short", "empty", "mixed", "cut"}
    assert "it has 1 frame; expected 2 or more" in reasons["short"]
    assert "has no frames" in reasons["empty"]
    assert "frame 3 has 12x9 pixels, those before it 12x12" in reasons["mixed"]
    assert "frame_11.png is damaged or truncated" in reasons["cut"]
    assert any("4 files cannot be used" in each for each in dataset.warnings)


def test_a_video_that_ends_early_is_listed(tmp_path):
    root = folder(tmp_path / "clips", ".avi", ((40, 5), (4,)))
    cut = root / "fall" / "clip0.avi"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (root / "fall" / "noise.mp4").write_bytes(b"\0\1\2" * 500)
    dataset = load_dataset(str(root), WHOLE)
    reasons = {each.path.rpartition("/")[2]: each.reason for each in dataset.skipped}
    assert set(reasons) == {"clip0.avi", "noise.mp4"}
    assert all("is damaged or truncated" in each for each in reasons.values())


def test_without_the_library_a_video_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (tmp_path / "clips" / "fall").mkdir(parents=True)
    (tmp_path / "clips" / "fall" / "a.mp4").write_bytes(b"x")
    dataset = load_dataset(str(folder(tmp_path / "clips", ".gif")), WHOLE)
    assert "PyAV, which decodes them, is not installed" in dataset.skipped[0].reason


def test_frames_are_brought_to_a_size(tmp_path):
    root = folder(tmp_path / "clips", ".gif")
    asked = LoadOptions(image_options=ImageOptions(size=(8, 6)), whole=True)
    assert load_dataset(str(root), asked).shape == (8, 6, 1)


def test_more_than_memory_holds_is_refused(tmp_path):
    root = folder(tmp_path / "clips", ".gif")
    with pytest.raises(CnncliError, match="the frames of 3 clips take more than 0 MiB"):
        load_dataset(str(root), LoadOptions(memory=1000))


def test_videos_that_end_too_early_are_damaged_wherever_they_are_cut(tmp_path):
    """Also between two frames, where FFmpeg says nothing."""
    path = tmp_path / "a.avi"
    write(path, frames_of(1, 12))
    data = path.read_bytes()
    at = [data.find(b"00dc", start) for start in range(0, len(data), 50)]
    starts = sorted({each for each in at if each > 0})[2:9]
    assert len(starts) > 4
    for end in starts:
        path.write_bytes(data[:end])
        with pytest.raises(CnncliError, match="is damaged or truncated"):
            list(frames_of_file(path, name="a.avi", is_video=True))


@pytest.mark.parametrize(("rotation", "place"), [(0, (0, 0)), (90, (-1, 0)), (-90, (0, -1)), (180, (-1, -1))])
def test_frames_are_turned_as_their_display_matrix_says(rotation, place):
    """By degrees counterclockwise, as PyAV has them: the upper left pixel goes to the lower left for 90."""
    pixels = np.zeros((4, 6), np.uint8)
    pixels[0, 0] = 200
    frame = SimpleNamespace(
        format=SimpleNamespace(name="gray"), rotation=rotation, to_ndarray=lambda format: pixels
    )
    (shown,) = _picture(frame).frames
    assert shown[*place, 0] == 200
    assert shown.shape[:2] == ((6, 4) if abs(rotation) == 90 else (4, 6))


def test_frames_come_by_the_last_number_of_their_names(tmp_path):
    for name in ("take2_10.png", "take2_9.png", "take2_100.png", "take10_1.png", "cover.png"):
        Image.new("L", (4, 4)).save(tmp_path / name)
    found = [each.name for each in frame_files(tmp_path)]
    assert found == ["cover.png", "take10_1.png", "take2_9.png", "take2_10.png", "take2_100.png"]
