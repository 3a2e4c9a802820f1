"""Clips that other programs wrote: OpenCV's AVIs beside OpenCV's reader, scikit-image's GIF beside Pillow."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from cnncli.data.clip_files import frames_of

VIDEOS = Path("/usr/share/doc/opencv-doc/examples/data")
installed = pytest.mark.skipif(not VIDEOS.is_dir(), reason="Debian's opencv-doc is not installed")


def pixels_of(path, *, is_video, most):
    """The first frames, as colours."""
    frames = []
    for frame in frames_of(path, name=path.name, is_video=is_video):
        frames.append(np.asarray(frame.picture.frames[0]))
        if len(frames) == most:
            break
    return frames


@installed
@pytest.mark.parametrize("name", ["vtest.avi", "tree.avi", "Megamind.avi"])
def test_videos_have_the_frames_that_opencv_reads(name):
    """All codecs give the same luma; colours differ by how they are brought from half the size."""
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("av")
    ours = pixels_of(VIDEOS / name, is_video=True, most=12)
    video = cv2.VideoCapture(str(VIDEOS / name))
    theirs = [video.read()[1][..., ::-1] for _ in ours]
    assert len(ours) == 12
    for own, other in zip(ours, theirs, strict=True):
        assert own.shape == other.shape
        assert np.abs(own.astype(int) - other).mean() < 2.5
    apart = [np.abs(a.astype(int) - b).mean() for a, b in zip(ours, theirs[1:], strict=False)]
    assert np.mean(apart) > 0  # they move: frames of the one are not those of the other, one later


def test_an_animation_has_the_frames_that_pillow_reads():
    skimage = pytest.importorskip("skimage")
    path = Path(skimage.__file__).parent / "data/no_time_for_that_tiny.gif"
    if not path.is_file():
        pytest.skip("this wheel of scikit-image has no animation")
    ours = list(frames_of(path, name=path.name, is_video=False))
    with Image.open(path) as animation:
        theirs = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(animation)]
    assert len(ours) == len(theirs) > 10
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.asarray(own.picture.frames[0])[..., :3], other)
