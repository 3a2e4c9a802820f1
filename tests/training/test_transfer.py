"""Weights to start from: the head's rows by the names of classes, and what had been trained on before."""

import numpy as np
import pytest
from training_helpers import Watcher, never

from cnncli.checked import MalformedError
from cnncli.errors import CnncliError
from cnncli.models.choice import architecture
from cnncli.nn import Inference, Network
from cnncli.tasks.classification import Classification
from cnncli.tasks.detection import Detection
from cnncli.tasks.localization import Localization
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.tasks.segmentation import Segmentation
from cnncli.training.checkpoint import Checkpoint, load_checkpoint
from cnncli.training.trained_images import PARTS, TrainedImages
from cnncli.training.transfer import transfer_weights

TEXT = "conv4 relu gap fc"
BEFORE = ("ant", "bee", "caf\u00e9")


def network(classes, seed, text=TEXT):
    return Network(architecture(text, (6, 6, 1), len(classes)).graph(), seed=seed)


def start(classes=BEFORE, text=TEXT):
    held = network(classes, 1, text)
    held.weights += np.float32(0.5)  # biases are other than 0, too
    model = architecture(text, (6, 6, 1), len(classes))
    pre = Preprocessing((6, 6), 1, (0.0,), (1.0,))
    return Checkpoint(held.export(), Classification(classes), pre, model)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (BEFORE, "all of its layers"),
        (("bee", "ant", "café"), "with the head's rows for bee, ant, café"),
        (("bee", "cafe\u0301", "dog"), "with the head's rows for bee, café; those for dog are new"),
        (("bee",), "with the head's rows for bee"),
        (("a", "b", "c"), "its head is new, for other classes"),
        (("ant", "bee", "café", "dog"), "with the head's rows for ant, bee, café; those for dog are new"),
    ],
)
def test_rows_of_the_head_by_name(classes, said):
    """As many classes as before are not the same ones, nor are those in another order."""
    mine, held = network(classes, 2), start()
    fresh = mine.export()
    assert said in transfer_weights(mine, held, Classification(classes)).replace("cafe\u0301", "café")
    after = mine.export()
    names = ["café" if name == "cafe\u0301" else name for name in classes]
    for row, name in enumerate(names):
        source, at = (held.arrays, BEFORE.index(name)) if name in BEFORE else (fresh, row)
        for part in ("head.weight", "head.bias"):
            assert np.array_equal(after[part][row], source[part][at]), (name, part)
    assert np.array_equal(after["conv1.weight"], held.arrays["conv1.weight"])


def test_a_head_of_another_width(tmp_path):
    """Another size of picture in front of a flattened head: no row fits."""
    mine = Network(architecture("conv4 relu flatten fc", (4, 4, 1), 3).graph(), seed=2)
    held = start(text="conv4 relu flatten fc")
    assert "its head is new, of another shape" in transfer_weights(mine, held, Classification(BEFORE))


@pytest.mark.parametrize(
    ("text", "of", "task"),
    [
        ("unet:width=0.0625,scales", "pixels", Segmentation),  # classes are summed over five scales
        ("detector:width=0.25,neck=8", "boxes", Detection),  # and found at two
        ("localizer:width=0.25", "box", Localization),
    ],
)
@pytest.mark.parametrize("classes", [("bee", "ant", "cow"), ("dog", "ant")])
def test_heads_of_every_task(text, of, task, classes):
    """Rows by name in each head of classes, whatever their order or number; all else is as it was."""
    before = architecture(text, (32, 32, 1), len(BEFORE), of=of)
    held = Checkpoint(
        {name: array + 0.5 for name, array in Network(before.graph(), seed=1).export().items()},
        task(BEFORE),
        Preprocessing((32, 32), 1, (0.0,), (1.0,)),
        before,
    )
    mine = Network(architecture(text, (32, 32, 1), len(classes), of=of).graph(), seed=2)
    fresh = mine.export()
    assert "with the head's rows for " in transfer_weights(mine, held, task(classes))
    heads = 0
    for name, array in mine.export().items():
        layer = name.split(".")[-2]
        if len(array) == len(classes) and (layer in ("classes", "conv") or layer.startswith("score")):
            heads += name.endswith("weight")
            for row, label in enumerate(classes):
                source, at = (held.arrays, BEFORE.index(label)) if label in BEFORE else (fresh, row)
                assert np.array_equal(array[row], source[name][at]), (name, label)
        else:
            assert np.array_equal(array, held.arrays[name]), name
    assert heads == {"pixels": 5, "boxes": 2, "box": 1}[of]


@pytest.mark.parametrize(
    "classes", [BEFORE, ("bee", "ant", "cow"), ("dog", "ant"), ("bee", "dog", "ant", "cow")]
)
def test_classes_within_a_network(classes):
    """A segmenter's scores of coarse maps feed its head: with other classes both move along."""
    text, shape = "segmenter:width=0.25", (32, 32, 3)
    before = architecture(text, shape, len(BEFORE), of="pixels")
    saved = {name: array + 0.5 for name, array in Network(before.graph(), seed=1).export().items()}
    held = Checkpoint(saved, Segmentation(BEFORE), Preprocessing((32, 32), 3, (0.0,), (1.0,)), before)
    mine = Network(architecture(text, shape, len(classes), of="pixels").graph(), seed=2)
    fresh = mine.export()
    said = transfer_weights(mine, held, Segmentation(classes))
    assert ("all of its layers" if classes == BEFORE else "with the head's rows for ") in said
    after = mine.export()
    same_number = len(classes) == len(BEFORE)
    features = len(saved["classes.weight"]) - len(BEFORE)
    for name, array in after.items():
        wanted = fresh[name].copy() if array.shape != saved[name].shape else saved[name].copy()
        for row, label in enumerate(classes):
            known = label in BEFORE
            at = BEFORE.index(label) if known else row
            if name.startswith("classes."):
                own = saved[name] if known else fresh[name]
                if name.endswith("bias"):
                    wanted[row] = own[at]
                    continue
                wanted[:, row] = fresh[name][:, row]
                if known:
                    wanted[:features, row] = own[:features, at]
                    for column, other in enumerate(classes):
                        if same_number:  # scores are what they were
                            wanted[features + column, row] = own[features + column, at]
                        elif other in BEFORE:
                            wanted[features + column, row] = own[features + BEFORE.index(other), at]
            elif "scores." in name and not same_number:
                wanted[row] = saved[name][at] if known else fresh[name][row]
        assert np.array_equal(array, wanted), name


def test_classes_in_another_order_are_seen_as_before():
    """The same outputs, in the new order."""
    text, shape, order = "segmenter:width=0.25", (32, 32, 3), [2, 0, 1]
    before = architecture(text, shape, len(BEFORE), of="pixels")
    first = Network(before.graph(), seed=1)
    first.weights += np.float32(0.02)
    held = Checkpoint(
        first.export(), Segmentation(BEFORE), Preprocessing((32, 32), 3, (0.0,), (1.0,)), before
    )
    mine = Network(before.graph(), seed=2)
    transfer_weights(mine, held, Segmentation(tuple(BEFORE[k] for k in order)))
    picture = np.random.default_rng(3).uniform(size=(1, 32, 32, 3)).astype(np.float32)
    outputs = [Inference(each, 1).run(picture) for each in (first, mine)]
    np.testing.assert_allclose(outputs[1], outputs[0][..., order], rtol=1e-5, atol=1e-6)


def marks(*values):
    return np.array(values, np.uint64)


def test_what_was_seen_there_and_back():
    seen = TrainedImages(marks(3, 2**64 - 1, 3), marks(5), marks(), marks(9, 1), marks(7))
    held = TrainedImages.from_text(seen.as_text())
    assert [getattr(held, part).tolist() for part in PARTS] == [
        [3, 2**64 - 1],
        [5],
        [],
        [1, 9],
        [7],
    ]
    assert held.learned.tolist() == [1, 3, 9, 2**64 - 1]


@pytest.mark.parametrize(
    "text",
    ["", "3", '{"train":""}', '{"train":"AAAA","val":"","test":"","earlier":"","keys":""}', "{", "null"],
)
def test_a_note_that_is_damaged(text):
    with pytest.raises(MalformedError):
        TrainedImages.from_text(text)
    with pytest.raises(CnncliError, match="is damaged"):
        Checkpoint({}, Classification(("a",)), None, None, images=text).seen  # noqa: B018


def test_images_travel_through_runs(session, again, bars, tmp_path):
    """Of three runs in a row the last knows all that the first was trained on, also when resumed."""
    with np.load(bars) as file:
        images, labels = file["x_train"], file["y_train"]
    np.savez(
        tmp_path / "b.npz", x_train=images[60:], y_train=labels[60:], x_test=images[:30], y_test=labels[:30]
    )
    np.savez(tmp_path / "c.npz", x_train=255 - images, y_train=labels, x_test=images, y_test=labels)
    session(output=tmp_path / "a", epochs=1).trainer.run(Watcher(), never)
    first = load_checkpoint(tmp_path / "a").seen
    warned = {}
    for before, name in (("a", "b"), ("b", "c")):
        run = session(
            output=tmp_path / name,
            dataset=str(tmp_path / f"{name}.npz"),
            epochs=1,
            init=str(tmp_path / before),
        )
        run.folder.unlock()
        run = again(tmp_path / name)  # before the first step
        run.trainer.run(Watcher(), never)
        warned[name] = [each for each in run.dataset.warnings if "trained on before" in each]
    in_test = int(np.isin(load_checkpoint(tmp_path / "b").seen.test, first.train).sum())
    assert 0 < in_test < 30
    assert warned["b"][0].startswith(
        f"{in_test} of the 30 test images were trained on before, by the weights of"
    )
    second, third = (load_checkpoint(tmp_path / name).seen for name in ("b", "c"))
    assert set(second.earlier.tolist()) == set(first.train.tolist())
    assert set(third.earlier.tolist()) == set(first.train.tolist()) | set(second.train.tolist())
    assert warned["c"][0].startswith(f"{len(third.earlier)} of the 120 test images were trained on before")
