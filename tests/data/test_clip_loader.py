"""Windows of clips, and batches of them, against plain NumPy."""

import numpy as np
import pytest

from cnncli.data.augment import Augment
from cnncli.data.clip_loader import VIEWS, ClipLoader
from cnncli.data.clips import ClipLabels, Clips, Window

COUNTS = (2, 9, 5, 30)


def clips_of(counts=COUNTS, side=6):
    """Every pixel of frame f of clip c has the level 40 c + f."""
    levels = np.concatenate([40 * c + np.arange(count) for c, count in enumerate(counts)])
    frames = np.broadcast_to(levels[:, None, None, None], (len(levels), side, side, 1)).astype(np.uint8)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    targets = ClipLabels(np.arange(len(counts)), tuple(f"class{c}" for c in range(len(counts))))
    names = [f"clip{c}" for c in range(len(counts))]
    keys = np.arange(len(counts), dtype=np.uint64)
    return Clips(np.ascontiguousarray(frames), first, np.array(counts), targets, names, keys, keys)


def loader_of(clips, batch=4, *, window=None, training=False, augment=None):
    one = np.ones(1, np.float32)
    return ClipLoader(
        clips,
        batch,
        window=window or Window(4, 2),
        training=training,
        mean=0 * one,
        std=one,
        augment=augment,
        shuffle=training,
    )


def levels(x, frames=4):
    """(n, T) the level of each frame of a batch."""
    return np.rint(255 * x.reshape(len(x), frames, -1).mean(axis=2)).astype(int)


def test_a_window_holds_the_last_frame_of_a_short_clip():
    window = Window(4, 2)
    assert window.span == 7
    places = window.places(np.array([0, 1, 20]), np.array([2, 9, 30]))
    assert places.tolist() == [[0, 1, 1, 1], [1, 3, 5, 7], [20, 22, 24, 26]]


def test_views_are_spread_over_long_clips_and_averaged():
    (batch,) = loader_of(clips_of()).epoch(0)
    assert batch.views == VIEWS
    found = levels(batch.x).reshape(4, VIEWS, 4)
    assert found[1].tolist() == [[40, 42, 44, 46], [41, 43, 45, 47], [42, 44, 46, 48]]
    assert found[3][:, 0].tolist() == [120, 132, 143]
    outputs = np.arange(4 * VIEWS * 2, dtype=np.float32).reshape(-1, 2)
    np.testing.assert_array_equal(
        batch.averaged({"main": outputs})["main"],
        [outputs[VIEWS * k : VIEWS * k + 3].mean(0) for k in range(4)],
    )


def test_clips_no_longer_than_a_window_have_one_view():
    (batch,) = loader_of(clips_of((7, 7))).epoch(0)
    assert batch.views == 1
    assert levels(batch.x).tolist() == [[0, 2, 4, 6], [40, 42, 44, 46]]


def test_windows_are_drawn_anew_in_each_epoch_and_repeated_for_a_seed():
    loader = loader_of(clips_of(), training=True)
    seen = {}
    for epoch in range(40):
        (batch,) = loader.epoch(epoch)
        for clip, row in zip(batch.indices.tolist(), levels(batch.x).tolist(), strict=True):
            seen.setdefault(clip, set()).add(row[0] - 40 * clip)
            assert batch.targets.numbers.tolist() == batch.indices.tolist()
    assert seen[0] == {0}
    assert seen[1] == {0, 1, 2}
    assert len(seen[3]) > 15
    (again,) = loader_of(clips_of(), training=True).epoch(39)
    assert again.x.tobytes() == batch.x.tobytes()


def test_an_epoch_goes_on_where_it_was_left():
    clips = clips_of((9,) * 7)
    whole = [(b.indices.tolist(), b.x.tobytes()) for b in loader_of(clips, 2, training=True).epoch(3)]
    rest = [(b.indices.tolist(), b.x.tobytes()) for b in loader_of(clips, 2, training=True).epoch(3, first=2)]
    assert [len(indices) for indices, _ in whole] == [2, 2, 2, 1]
    assert rest == whole[2:]


def test_all_frames_of_a_clip_are_moved_alike():
    clips = clips_of((9,) * 5, side=16)
    marked = clips.frames.copy()
    marked[:, 7, 7] = 255
    clips = Clips(marked, clips.first, clips.counts, clips.targets, clips.names, clips.digests, clips.keys)
    (batch,) = loader_of(clips, 5, training=True, augment=Augment(shift=4)).epoch(0)
    frames = batch.x.reshape(5, 4, 16, 16)
    places = frames.reshape(5, 4, -1).argmax(axis=2)
    assert (places == places[:, :1]).all()
    assert len(set(places[:, 0].tolist())) > 1


def test_mixed_clips_are_frame_by_frame_sums():
    (batch,) = loader_of(clips_of((7,) * 4), training=True, augment=Augment(mixup=0.5)).epoch(0)
    share, partner = batch.share, batch.mixed.numbers
    frames = 2 * np.arange(4)
    own, other = (40 * each[:, None] + frames for each in (batch.indices, partner))
    expected = share[:, None] * own + (1 - share[:, None]) * other
    np.testing.assert_allclose(255 * batch.x.reshape(4, 4, -1).mean(axis=2), expected, atol=0.01)


def test_taken_clips_share_their_frames():
    clips = clips_of()
    some = clips.take(np.array([3, 1]), "val")
    assert some.frames is clips.frames
    assert (some.names, some.targets.numbers.tolist()) == (["clip3", "clip1"], [3, 1])
    out = np.empty((2, 6, 6, 1), np.uint8)
    some.read(np.array([0, 1]), out)
    assert out[:, 0, 0, 0].tolist() == [120 + 15, 40 + 4]


@pytest.mark.parametrize("frames", [1, 3])
def test_views_of_one_lie_in_the_middle(frames):
    starts = Window(frames).spread(np.array([1, 3, 11]), 1)
    assert starts.ravel().tolist() == [0, (3 - frames) // 2, (11 - frames) // 2]
