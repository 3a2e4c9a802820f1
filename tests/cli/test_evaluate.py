"""What evaluate measures, against counts made here, and what it refuses."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from small_networks import CLASSES, SHAPE, probabilities, save_detector, save_gray, save_linear

from cnncli.data.shipped import sample_path


@pytest.fixture
def data(run, rng, tmp_path):
    """A linear network, and 90 images of noise in data.npz; images, labels and probabilities."""
    weight, bias = save_linear(tmp_path / "net.safetensors", rng)
    images = rng.integers(0, 256, (90, *SHAPE[:2])).astype(np.uint8)
    labels = np.repeat(np.arange(3), 30)
    names = np.array(CLASSES)
    np.savez(tmp_path / "data.npz", x_train=images[:3], y_train=labels[::30], x_test=images, y_test=labels)
    folder = tmp_path / "folders" / "test"
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / names[label] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        train = tmp_path / "folders" / "train" / names[label]
        train.mkdir(parents=True, exist_ok=True)
        if i % 30 < 4:
            Image.fromarray(image).save(train / f"{i:02}.png")
    shares = np.stack([probabilities(image, weight, bias) for image in images])
    return images, labels, shares


def confusion_of(labels, called, classes=3):
    counts = np.zeros((classes, classes), int)
    for is_, says in zip(labels, called, strict=True):
        counts[is_, says] += 1
    return counts


def test_json_agrees_with_counts_made_here(run, data):
    _, labels, shares = data
    done = run("evaluate", "folders", "-m", "net.safetensors", "--json")
    (result,) = done.results
    called = shares.argmax(axis=1)
    counts = confusion_of(labels, called)
    assert done.code == 0
    assert (result["dataset"], result["split"], result["images"]) == ("folders", "test", 90)
    assert result["accuracy"] == pytest.approx((called == labels).mean(), abs=1e-6)
    assert result["loss"] == pytest.approx(-np.log(shares[np.arange(90), labels]).mean(), abs=1e-4)
    order = [CLASSES.index(each["label"]) for each in result["classes"]]
    assert result["confusion"] == counts[np.ix_(order, order)].tolist()
    for each in result["classes"]:
        k = CLASSES.index(each["label"])
        right, said, is_ = counts[k, k], counts[:, k].sum(), counts[k].sum()
        assert each["support"] == is_
        assert each["recall"] == pytest.approx(right / is_, abs=1e-6)
        assert each["precision"] == (pytest.approx(right / said, abs=1e-6) if said else None)
        assert each["f1"] == pytest.approx(2 * right / (said + is_), abs=1e-6)


def test_classes_are_matched_by_name(run, data):
    """The folders are in the order of the alphabet, the network's classes are not."""
    assert sorted(CLASSES) != list(CLASSES)
    (result,) = run("evaluate", "folders", "-m", "net.safetensors", "--json").results
    assert [each["label"] for each in result["classes"]] == list(CLASSES)


def test_text(run, data):
    _, labels, shares = data
    done = run("evaluate", "folders", "-m", "net.safetensors")
    right = int((shares.argmax(axis=1) == labels).sum())
    text = done.out.decode()
    assert f"custom: test accuracy {right / 90:.2%} ({right} of 90)\n" in text
    counts = confusion_of(labels, shares.argmax(axis=1))
    lines = text.splitlines()
    start = lines.index("rows: true class; columns: predicted class")
    for k, name in enumerate(CLASSES):
        row = next(line for line in lines[start + 2 :] if line.startswith(name))
        assert row.split()[1:] == [str(n) if n else "·" for n in counts[k]]
        report = next(line for line in lines[:start] if line.startswith(name))
        assert report.split()[-1] == "30"


def test_all_images(run, data):
    (result,) = run("evaluate", "folders", "-m", "net.safetensors", "--json", "--split", "all").results
    assert (result["split"], result["images"]) == ("all", 90 + 12)


def test_pictures_and_mistakes(run, data, tmp_path):
    _, labels, shares = data
    done = run("evaluate", "folders", "-m", "net.safetensors", "-o", "report", "--split", "all")
    assert done.code == 0
    assert "are in report" in done.err
    assert (tmp_path / "report" / "reliability.png").exists()
    with Image.open(tmp_path / "report" / "confusion_matrix.png") as page:
        assert page.width > 400
    text = (tmp_path / "report" / "misclassified.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    wrong = {f"{i:02}.png" for i in np.flatnonzero(shares.argmax(axis=1) != labels)}
    tests = [row for row in rows if "/test/" in row["image"]]
    assert {row["image"].rpartition("/")[2] for row in tests} == wrong
    for row in tests:
        i = int(row["image"][-6:-4])
        assert row["label"] == CLASSES[labels[i]]
        assert row["predicted"] == CLASSES[shares[i].argmax()]
        assert float(row["probability"]) == pytest.approx(shares[i].max(), abs=1e-5)


def test_bad_images_are_left_out_counted_and_told_by_the_exit_code(run, data, tmp_path):
    train, test = (tmp_path / "folders" / part / CLASSES[0] / "bad.png" for part in ("train", "test"))
    train.write_text("junk")
    test.write_bytes((tmp_path / "folders" / "test" / CLASSES[0] / "00.png").read_bytes()[:-30])
    done = run("evaluate", "folders", "-m", "net.safetensors", "--json", "--split", "all")
    (result,) = done.results
    assert (done.code, result["images"], result["skipped"]) == (1, 90 + 12, 2)
    assert sum(map(sum, result["confusion"])) == 90 + 12
    for path in (train, test):
        assert done.err.count(f"warning: left out: {path.relative_to(tmp_path)}") == 1


def test_one_class(run, data, tmp_path):
    _, labels, shares = data
    (tmp_path / "one").mkdir()
    (tmp_path / "folders" / "test" / CLASSES[1]).rename(tmp_path / "one" / CLASSES[1])
    done = run("evaluate", "one", "-m", "net.safetensors", "--split", "all", "--json")
    called = shares[labels == 1].argmax(axis=1)
    assert done.code == 0, done.err
    assert done.results[0]["accuracy"] == pytest.approx((called == 1).mean(), abs=1e-6)


def test_means_count_what_is_undefined_as_nothing(run, rng, tmp_path):
    """As scikit-learn does with zero_division=0, over the classes that are there or are answered."""
    weight, bias = save_linear(tmp_path / "net.safetensors", rng)
    images = rng.integers(0, 256, (60, *SHAPE[:2])).astype(np.uint8)
    called = np.array([probabilities(image, weight, bias).argmax() for image in images])
    images, called = images[called != 2], called[called != 2]
    labels = np.where(np.arange(len(called)) % 3, called, 2)
    names = np.array(CLASSES)[labels]
    np.savez(tmp_path / "a.npz", x_train=images, y_train=names, x_test=images, y_test=names)
    counts = confusion_of(labels, called)
    right, said, is_ = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    assert (said[2], (said[:2] > 0).all(), (is_ > 0).all()) == (0, True, True)
    means = [(right / np.maximum(said, 1)).mean(), (right / is_).mean(), (2 * right / (said + is_)).mean()]
    lines = run("evaluate", "a.npz", "-m", "net.safetensors").lines
    at = next(i for i, line in enumerate(lines) if line.startswith("macro mean"))
    assert lines[at].split()[2:5] == [f"{mean:.2%}" for mean in means]
    weights = is_ / is_.sum()
    parts = right / np.maximum(said, 1), right / is_, 2 * right / (said + is_)
    weighted = [float((part * weights).sum()) for part in parts]
    assert lines[at + 1].split()[2:5] == [f"{mean:.2%}" for mean in weighted]
    assert lines[at + 2].startswith("-: undefined, counted as 0")
    (result,) = run("evaluate", "a.npz", "-m", "net.safetensors", "--json").results
    for name, wanted in (("macro", means), ("weighted", weighted)):
        got = [result[name][each] for each in ("precision", "recall", "f1")]
        assert got == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("given", ["report/misclassified.csv", "report/confusion_matrix.png", "table.csv"])
def test_nothing_that_was_read_is_written_over(run, data, two_lines, tmp_path, given):
    """A table among the outputs, an image that it lists, a network under an output's name."""
    report = tmp_path / "report"
    report.mkdir()
    rows = [f"{path},{path.parent.name}" for path in sorted((tmp_path / "folders" / "test").rglob("*.png"))]
    words = ["table.csv", "-m", "net.safetensors"]
    if given.endswith("misclassified.csv"):
        words[0] = given
    elif given.endswith(".png"):
        (tmp_path / rows[0].partition(",")[0]).rename(tmp_path / given)
        rows[0] = f"{given},{rows[0].partition(',')[2]}"
    else:
        (report / "misclassified.png").symlink_to(tmp_path / "net.safetensors")
    (tmp_path / words[0]).write_text("\n".join(["path,label", *rows]))
    before = {path: path.read_bytes() for path in report.iterdir()}
    done = run("evaluate", *words, "--split", "all", "-o", "report")
    assert "is also read, as" in two_lines(done, 2)
    assert {path: path.read_bytes() for path in report.iterdir()} == before


def test_gray_images_for_a_network_of_colour(run, data, rng, tmp_path):
    _, labels, _ = data
    images = data[0]
    weight, bias = save_linear(tmp_path / "colour.safetensors", rng, shape=(*SHAPE[:2], 3))
    done = run("evaluate", "folders", "-m", "colour.safetensors", "--json")
    (result,) = done.results
    called = [probabilities(image[None], weight, bias).argmax() for image in images]
    assert result["accuracy"] == pytest.approx((np.array(called) == labels).mean(), abs=1e-6)
    assert "note: 90 of 90 images were gray and are taken as colour" in done.err


def test_digits_on_paper_are_turned(run, rng, tmp_path):
    save_linear(tmp_path / "d.safetensors", rng, shape=(28, 28, 1), classes=("0", "1"), digits=True)
    light = np.zeros((24, 28, 28), np.uint8)
    light[:, 4:24, 12:16] = 200
    light[::2, 4:24, 16:18] = 200
    light += rng.integers(0, 30, light.shape).astype(np.uint8)
    labels = np.arange(24) % 2
    for name, images in (("light", light), ("paper", 255 - light)):
        np.savez(tmp_path / f"{name}.npz", x_train=images // 2, y_train=labels, x_test=images, y_test=labels)
    plain = run("evaluate", "light.npz", "-m", "d.safetensors", "--json")
    paper = run("evaluate", "paper.npz", "-m", "d.safetensors", "--json")
    assert plain.err == ""
    assert "note: 24 of 24 images were inverted, cropped or centred" in paper.err
    for key in ("accuracy", "confusion"):
        assert plain.results[0][key] == paper.results[0][key]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere"),
        (["folders", "--split", "tests"], "--split is 'tests'"),
        (["folders", "-m", "missing.safetensors"], "no such file"),
        (["folders", "--threads", "0"], "0"),
    ],
)
def test_wrong_usage(run, data, two_lines, words, said):
    words = words if "-m" in words else [*words, "-m", "net.safetensors"]
    assert said in two_lines(run("evaluate", *words), 2)


def test_classes_that_the_network_does_not_know(run, data, rng, two_lines, tmp_path):
    save_linear(tmp_path / "other.safetensors", rng, classes=("night", "day"))
    done = run("evaluate", "folders", "-m", "other.safetensors")
    error = two_lines(done, 2)
    assert "has 3 classes (day, night, stripes); expected some of the network's 2 classes" in error
    assert "stripes" in done.err.splitlines()[1]


def test_more_classes_than_fit_are_listed_by_their_mistakes(run, rng, tmp_path):
    classes = tuple(f"class {i:02}" for i in range(40))
    weight, bias = save_linear(tmp_path / "many.safetensors", rng, classes=classes)
    images = rng.integers(0, 256, (200, *SHAPE[:2])).astype(np.uint8)
    labels = np.arange(200) % 40
    names = np.array(classes)[labels]
    np.savez(tmp_path / "many.npz", x_train=images, y_train=names, x_test=images, y_test=names)
    done = run("evaluate", "many.npz", "-m", "many.safetensors")
    assert "most frequent mistakes" in done.out.decode()
    assert max(map(len, done.lines)) <= 100
    called = [probabilities(image, weight, bias).argmax() for image in images]
    off = confusion_of(labels, called, 40)
    np.fill_diagonal(off, 0)
    assert f"{off.max():7}  class " in done.out.decode()
    assert json.loads(run("evaluate", "many.npz", "-m", "many.safetensors", "--json").out)["images"] == 200


@pytest.mark.parametrize(("shape", "digits"), [((14, 14, 1), True), ((9, 14, 1), False), ((9, 14, 3), False)])
def test_it_judges_the_inputs_that_predict_answers(run, rng, tmp_path, shape, digits):
    """Files of many kinds: the loss is that of predict's own probabilities."""
    save_linear(tmp_path / "net.safetensors", rng, shape=shape, digits=digits, spread=0.05)
    y, x = np.mgrid[:90, :130]
    photo = np.stack([x * 2 % 256, y * 2, 120 + 60 * np.sin(x / 7)], 2).astype(np.uint8)
    sheet = np.full((60, 200), 240, np.uint8)
    sheet[10:50, 140:152] = 20
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = {
        "a.jpg": Image.fromarray(photo).resize((520, 360)),
        "b.png": Image.fromarray(photo).convert("P"),
        "c.png": Image.fromarray(np.dstack([photo, photo[..., 0]])),
        "d.tif": Image.fromarray(photo[..., 0] / np.float32(255)),
        "e.tif": Image.fromarray(photo[..., 1].astype(np.float32)),
        "f.png": Image.fromarray(photo[..., 2].astype(np.uint16) * 257),
        "g.png": Image.fromarray(sheet),
        "h.tif": Image.fromarray(255 - np.dstack([photo, photo[..., 0] // 2]), "CMYK"),
    }
    labels = {name: CLASSES[at % 3] for at, name in enumerate(kinds)}
    for name, image in kinds.items():
        for part in ("train", "test"):
            (tmp_path / "all" / part / labels[name]).mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "all" / "test" / labels[name] / name, exif=exif)
    for label in CLASSES:
        save_gray(tmp_path / "all" / "train" / label / "x.png", rng)
    judged = run("evaluate", "all", "-m", "net.safetensors", "--json")
    answered = run("predict", "-r", "all/test", "-m", "net.safetensors", "--json", "--top", "3")
    assert (judged.code, answered.code) == (0, 0), judged.err + answered.err
    losses = []
    for each in answered.results:
        label = labels[each["input"].rpartition("/")[2]]
        found = {guess["label"]: guess["probability"] for guess in each["predictions"]}
        losses.append(-np.log(max(found[label], 1e-6)))
    assert len(losses) == len(kinds)
    assert max(losses) < 9  # probabilities have six places
    assert judged.results[0]["loss"] == pytest.approx(np.mean(losses), rel=2e-3)


def test_digits_on_larger_paper_are_as_right_as_alone(run, tmp_path):
    """40 digits of 90 pixels on sheets of 100x400, by the network that ships."""
    with np.load(sample_path("mnist_5k.npz")) as file:
        images, labels = file["x"], file["y"]
    picked = [int(np.flatnonzero(labels == k)[at]) for k in range(10) for at in range(4)]
    for at, place in enumerate(picked):
        sheet = np.full((100, 400), 255, np.uint8)
        left = 5 + 7 * at
        sheet[5:95, left : left + 90] = 255 - np.asarray(Image.fromarray(images[place]).resize((90, 90)))
        path = tmp_path / "sheets" / str(labels[place]) / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(path)
    (judged,) = run("evaluate", "sheets", "--split", "all", "--json").results
    assert (judged["images"], judged["accuracy"]) == (40, 1.0)


def test_a_folder_is_not_made_for_pages_that_nothing_is_drawn_on(run, tmp_path, two_lines):
    save_detector(tmp_path / "net.safetensors")
    done = run("evaluate", sample_path("scenes/boxes.json"), "-m", "net.safetensors", "-o", "pages")
    assert "nothing is drawn of boxes and masks" in two_lines(done, 2)
    assert not (tmp_path / "pages").exists()
