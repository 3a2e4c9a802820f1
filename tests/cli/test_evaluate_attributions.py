"""How faithful attributions are, as the command says it: table, JSON, files, choices and refusals."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from small_networks import MEAN, STD, png, save_seeded

from cnncli.attribution.faithfulness import faithfulness
from cnncli.attribution.model import How, Plans
from cnncli.cli.explained_boxes import boxes_of, moved
from cnncli.data.pixel_labels import PixelLabels
from cnncli.data.prepare import InputSpec
from cnncli.data.random_numbers import hashed, shuffled
from cnncli.models.architecture import Architecture
from cnncli.tasks.classification import Classification
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.checkpoint import Checkpoint, save_checkpoint

SHAPE = (12, 10, 1)
FIGURES = ("insertion", "deletion", "road")


@pytest.fixture
def data(rng, tmp_path, monkeypatch):
    """A small network, and nine images of noise in a folder."""
    monkeypatch.chdir(tmp_path)
    network = save_seeded(tmp_path / "net.safetensors")
    folder = tmp_path / "pictures"
    folder.mkdir()
    images = rng.integers(0, 256, (9, *SHAPE[:2])).astype(np.uint8)
    for at, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{at}.png")
    return network, images


def by_hand(network, images, chosen, names, seed):
    """What is measured of images, one by one."""
    plans = Plans(network, threads=1)
    for at in chosen:
        x = ((images[at, ..., None] / 255 - MEAN) / STD).astype(np.float32)
        how = How(seed=int(hashed(seed, int(at))) % 2**32)
        yield faithfulness(plans, x, names, how, std=(STD,), boxes={})


def test_json_holds_means_errors_and_differences_to_the_centre(run, data):
    network, images = data
    words = ["pictures", "-m", "net.safetensors", "--attributions", "occlusion,saliency", "--json"]
    done = run("evaluate", *words, "--images", 5, "--seed", 3)
    assert done.code == 0, done.err
    (result,) = done.results
    chosen = sorted(shuffled(9, 3)[:5])
    found = list(by_hand(network, images, chosen, ["occlusion", "saliency"], 3))
    assert (result["images"], result["dataset_images"], result["seed"]) == (5, 9, 3)
    assert (result["split"], result["class"], result["steps"], result["base"]) == (
        None,
        "predicted",
        32,
        "blur",
    )
    assert result["probability"] == pytest.approx(np.mean([each.probability for each in found]), abs=1e-5)
    assert [each["method"] for each in result["methods"]] == ["occlusion", "saliency", "centre", "random"]
    assert [each["ordered_by"] for each in result["methods"]] == ["value", "magnitude", "value", "value"]
    losers = {}
    for each in result["methods"]:
        for figure, way in zip(FIGURES, (1, -1, 1), strict=True):
            values = np.array([one.figures(each["method"])[figure] for one in found])
            apart = way * (values - [one.figures("centre")[figure] for one in found])
            record = each[figure]
            assert record["images"] == 5
            assert record["mean"] == pytest.approx(values.mean(), abs=1e-5)
            assert record["error"] == pytest.approx(values.std(ddof=1) / 5**0.5, abs=1e-5)
            if each["method"] == "centre":
                assert record["beside_centre"] is None
                continue
            error = apart.std(ddof=1) / 5**0.5
            assert record["better_than_centre_by"] == pytest.approx(apart.mean(), abs=1e-5)
            assert record["error_of_that"] == pytest.approx(error, abs=1e-5)
            better = apart.mean() > 2 * error
            assert (record["beside_centre"] == "better") == better
            if not better and not each["baseline"]:
                losers.setdefault(each["method"], []).append(figure)
        assert each["pointing"] is None
        assert len(each["curves"]["insertion"]) == 33
        assert len(each["class_kept"]["most"]) == 7
    assert result["not_better_than_centre"] == losers
    assert result["without_boxes"] == "a folder of images has no boxes"
    assert "pictures" in result["provenance"]


def test_all_images_are_taken_where_there_are_fewer(run, data):
    done = run("evaluate", "pictures", "-m", "net.safetensors", "--attributions", "all", "--json")
    (result,) = done.results
    assert (result["images"], result["dataset_images"]) == (9, 9)
    assert [each["method"] for each in result["methods"]] == [
        "gradcam", "saliency", "smoothgrad", "guided", "integrated", "occlusion", "centre", "random",
    ]  # fmt: skip


def save_corner(path, weight):
    """Write a checkpoint of one layer (2, 1, 12, 12) that takes gray of 127.5 for 0."""
    architecture = Architecture("custom", "fc", (12, 12, 1), 2)
    arrays = {"head.weight": weight.reshape(2, -1), "head.bias": np.zeros(2, np.float32)}
    preprocessing = Preprocessing((12, 12), 1, (0.5,), (0.25,))
    save_checkpoint(path, Checkpoint(arrays, Classification(("dark", "bright")), preprocessing, architecture))


@pytest.fixture
def corner(tmp_path, monkeypatch):
    """A network that looks at the upper left corner, and folders of images that are dark or bright there."""
    monkeypatch.chdir(tmp_path)
    weight = np.zeros((2, 1, 12, 12), np.float32)
    weight[0, 0, :4, :4], weight[1, 0, :4, :4] = -0.3, 0.3
    save_corner(tmp_path / "corner.safetensors", weight)
    random = np.random.default_rng(0)
    for name, level in (("dark", 30), ("bright", 220)):
        (tmp_path / "corners" / name).mkdir(parents=True)
        for at in range(4):
            image = random.integers(90, 160, (12, 12)).astype(np.uint8)
            image[:4, :4] = level
            Image.fromarray(image).save(tmp_path / "corners" / name / f"{at}.png")


def test_all_leaves_out_what_a_network_without_convolutions_cannot_have_and_says_so(run, corner):
    words = ["corners", "-m", "corner.safetensors", "--split", "all", "--images", "2"]
    words += ["--attributions", "all"]
    done = run("evaluate", *words)
    assert done.code == 0, done.err
    text = " ".join(" ".join(done.lines).split())
    assert "gradcam is left out: the network has no convolution with maps of more than one pixel" in text
    (result,) = run("evaluate", *words, "--json").results
    assert [each["method"] for each in result["methods"]] == [
        "saliency", "smoothgrad", "guided", "integrated", "occlusion", "centre", "random",
    ]  # fmt: skip
    assert list(result["unusable"]) == ["gradcam"]
    words[-1] = "gradcam"
    refused = run("evaluate", *words)
    assert (refused.code, refused.lines) == (1, [])
    assert "no convolution with maps of more than one pixel; expected one for Grad-CAM" in refused.err


def test_words_say_who_beats_the_centre_and_who_does_not(run, corner):
    words = ["corners", "-m", "corner.safetensors", "--split", "all"]
    done = run("evaluate", *words, "--attributions", "integrated")
    assert done.code == 0, done.err
    lines = done.lines
    assert "integrated beats the centre in every figure, by more than 2 standard errors" in lines
    assert not [line for line in lines if "does not beat the centre" in line]
    assert "pointing: not measured: corners has no boxes" in lines
    (row,) = (line for line in lines if line.startswith("integrated  "))
    (result,) = run("evaluate", *words, "--attributions", "integrated", "--json").results
    record = result["methods"][0]
    for each in FIGURES:
        assert f"{record[each]['mean']:.3f} ± {record[each]['error']:.3f}" in row
    assert (result["split"], result["not_better_than_centre"]) == ("all", {})


@pytest.fixture
def boxed(corner, tmp_path):
    """Pictures of 24 x 48 pixels whose middle the network sees, at half the size, with boxes in three forms.

    Dark: the upper left corner of what it sees. Bright: its lower right one, where it looks for nothing. A
    second dark one lies outside of what it sees.
    """
    boxes = [(12, 0, 8, 8, 0), (28, 16, 8, 8, 1), (0, 0, 10, 10, 0)]
    random = np.random.default_rng(1)
    (tmp_path / "boxed" / "images").mkdir(parents=True)
    (tmp_path / "boxed" / "labels").mkdir()
    (tmp_path / "boxed" / "voc").mkdir()
    images, annotations = [], []
    for at in range(3):
        picture = np.repeat(np.repeat(random.integers(90, 160, (12, 24)), 2, axis=0), 2, axis=1)
        picture[:8, 12:20] = 20
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "boxed" / "images" / f"{at}.png")
        images.append({"id": at, "file_name": f"{at}.png", "width": 48, "height": 24})
        lines, xml = [], "<size><width>48</width><height>24</height></size>"
        for x, y, w, h, label in boxes:
            kind = {"image_id": at, "category_id": label, "bbox": [x, y, w, h]}
            annotations.append({"id": len(annotations), "area": w * h, "iscrowd": 0, **kind})
            lines.append(f"{label} {(x + w / 2) / 48} {(y + h / 2) / 24} {w / 48} {h / 24}")
            corners = f"<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
            xml += f"<object><name>{('dark', 'bright')[label]}</name><bndbox>{corners}</bndbox></object>"
        (tmp_path / "boxed" / "labels" / f"{at}.txt").write_text("\n".join(lines))
        name = f"<filename>../images/{at}.png</filename>"
        (tmp_path / "boxed" / "voc" / f"{at}.xml").write_text(f"<annotation>{name}{xml}</annotation>")
    classes = [{"id": 0, "name": "dark"}, {"id": 1, "name": "bright"}]
    coco = {"images": images, "annotations": annotations, "categories": classes}
    (tmp_path / "boxed" / "coco.json").write_text(json.dumps(coco))
    (tmp_path / "boxed" / "data.yaml").write_text("val: images\nnames: [dark, bright]\n")


@pytest.mark.parametrize("form", ["coco.json", "data.yaml", "voc"])
def test_the_pointing_game_is_played_where_boxes_are_known(run, boxed, form):
    """Heatmaps of dark point at the corner at which the network looks; those of bright not at its box."""
    words = [f"boxed/{form}", "-m", "corner.safetensors", "--attributions", "integrated,saliency", "--json"]
    done = run("evaluate", *words)
    assert done.code == 0, done.err
    (result,) = done.results
    assert (result["images"], result["classes_with_boxes"], result["without_boxes"]) == (3, 6, None)
    for each in result["methods"][:2]:
        assert (each["pointing"]["mean"], each["pointing"]["error"]) == (0.5, 0)
    centre = result["methods"][2]["pointing"]
    assert centre["mean"] == 0
    assert result["methods"][0]["pointing"]["beside_centre"] == "better"
    head = next(line for line in run("evaluate", *words[:-1]).lines if line.startswith("method"))
    assert head.split() == ["method", "insertion", "deletion", "ROAD", "pointing"]


def test_masks_say_where_classes_are_too(run, boxed, tmp_path):
    (tmp_path / "boxed" / "masks").mkdir()
    mask = np.zeros((24, 48), np.uint8)
    mask[:8, 12:20], mask[16:, 28:36] = 1, 2
    for at in range(3):
        Image.fromarray(mask).save(tmp_path / "boxed" / "masks" / f"{at}.png")
    (tmp_path / "boxed" / "classes.txt").write_text("ground\ndark\nbright\n")
    for name in ("data.yaml", "coco.json"):
        (tmp_path / "boxed" / name).unlink()
    words = ["boxed", "-m", "corner.safetensors", "--split", "all", "--attributions", "integrated", "--json"]
    done = run("evaluate", *words)
    assert done.code == 0, done.err
    (result,) = done.results
    assert (result["images"], result["classes_with_boxes"]) == (3, 6)
    assert result["methods"][0]["pointing"]["mean"] == 0.5


def test_boxes_of_classes_that_the_network_does_not_know_are_none(run, boxed, data):
    words = ["boxed/coco.json", "-m", "net.safetensors", "--attributions", "saliency"]
    done = run("evaluate", *words)
    assert "pointing: not measured: the network knows none of the classes that have boxes" in done.lines


def test_pixels_of_masks_and_boxes_of_objects_are_where_the_network_sees_them():
    """By hand: an input of 12 x 12 pixels shows the middle of 24 x 48 pixels at half the size."""
    spec = InputSpec((12, 12, 1))
    found = moved({1: np.array([[12, 0, 8, 8], [0, 0, 10, 10], [10, 20, 8, 8.0]])}, spec, 48, 24)
    np.testing.assert_array_equal(found[1], [[0, 0, 4, 4], [0, 10, 3, 2]])
    assert moved({1: np.array([[0, 0, 10, 10.0]])}, spec, 48, 24) == {}
    maps = np.zeros((2, 3, 4), np.uint8)
    maps[1, 2, 3] = maps[1, 0, 1] = 2
    found = boxes_of(PixelLabels(maps, ("a", "b", "c")), 1, {2: 7, 1: 5})
    assert found.keys() == {7}
    np.testing.assert_array_equal(found[7], [[1, 0, 1, 1], [3, 2, 1, 1]])


def test_a_method_that_loses_to_the_centre_says_in_what_and_by_how_much(run, tmp_path):
    """Gradients point at a rim that is always gray, so that its weights, though large, count for nothing."""
    weight = np.full((2, 1, 12, 12), -0.3, np.float32)
    weight[0], weight[1, 0, 2:10, 2:10], weight[1, 0, 4:8, 4:8] = 0, 0, 0.1
    save_corner(tmp_path / "middle.safetensors", weight)
    random = np.random.default_rng(0)
    (tmp_path / "middles").mkdir()
    for at in range(5):
        image = np.full((12, 12), 128, np.uint8)
        image[4:8, 4:8] = random.integers(200, 256, (4, 4))
        Image.fromarray(image).save(tmp_path / "middles" / f"{at}.png")
    words = ["middles", "-m", "middle.safetensors", "--attributions", "saliency"]
    (result,) = run("evaluate", *words, "--json").results
    lost = result["not_better_than_centre"]["saliency"]
    record = result["methods"][0]
    (said,) = (line for line in run("evaluate", *words).out.decode().split("\n\n")[-1:])
    said = " ".join(said.split())
    assert said.startswith("saliency does not beat the centre: ")
    for figure in FIGURES:
        head = "ROAD" if figure == "road" else figure
        by, error = record[figure]["better_than_centre_by"], record[figure]["error_of_that"]
        if figure not in lost:
            assert head not in said
        elif record[figure]["beside_centre"] == "worse":
            assert by < 0
            assert f"worse in {head} by {-by:.3f} ± {error:.3f}" in said
        else:
            assert f"no better in {head} ({by:+.3f} ± {error:.3f})" in said
    assert "worse in insertion by" in said


def test_a_row_of_csv_for_each_image_and_method_and_a_page(run, data, tmp_path):
    network, images = data
    words = ["pictures", "-m", "net.safetensors", "--attributions", "gradcam", "--images", 3, "-o", "out"]
    done = run("evaluate", *words)
    assert done.code == 0, done.err
    assert "attributions.csv and attributions.png are in out" in done.err
    with (tmp_path / "out" / "attributions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    chosen = sorted(shuffled(9, 0)[:3])
    found = list(by_hand(network, images, chosen, ["gradcam"], 0))
    assert [(row["image"], row["method"]) for row in rows] == [
        (f"pictures/{at}.png", name) for at in chosen for name in ("gradcam", "centre", "random")
    ]
    for row, one in zip(rows[::3], found, strict=True):
        for figure in FIGURES:
            assert float(row[figure]) == pytest.approx(one.figures("gradcam")[figure], abs=1e-5)
        assert row["pointing"] == ""
    with Image.open(tmp_path / "out" / "attributions.png") as page:
        assert page.width > 1000


@pytest.mark.parametrize("columns", [60, 80])
def test_the_table_fits_terminals(on_terminal, data, columns):
    text = on_terminal(
        columns, "evaluate", "pictures", "-m", "net.safetensors", "--attributions", "gradcam", "-q"
    )
    lines = text.replace("\r", "").splitlines()
    assert max(map(len, lines)) <= columns
    head = next(line for line in lines if line.startswith("method"))
    assert head.split() == ["method", "insertion", "deletion", "ROAD"]


def test_an_image_that_cannot_be_read_is_left_out(run, data, tmp_path):
    (tmp_path / "pictures" / "4.png").write_bytes(b"junk")
    words = ["pictures", "-m", "net.safetensors", "--attributions", "saliency", "--json"]
    done = run("evaluate", *words)
    assert (done.code, done.results[0]["images"], done.results[0]["skipped"]) == (1, 8, 1)
    assert "warning: left out: pictures/4.png" in done.err
    for at in range(9):
        (tmp_path / "pictures" / f"{at}.png").write_bytes(b"junk")
    done = run("evaluate", *words)
    assert done.err.startswith("error: none of 9 images can be used; the first: pictures/0.png")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--attributions", "gradcamm"], "--attributions is 'gradcamm'; expected gradcam, saliency"),
        (["--attributions", ""], "--attributions is ''; expected"),
        (["--attributions", "saliency", "--images", 0], "--images is 0; expected 1 or more"),
        (["--attributions", "saliency", "--seed", -1], "--seed is -1; expected 0 or more"),
        (
            ["--attributions", "saliency", "--split", "test"],
            "--split is test, but pictures is a folder of images",
        ),
        (["--images", 3], "--images is given without --attributions; expected both"),
        (["--seed", 3], "--seed is given without --attributions; expected both"),
    ],
)
def test_what_is_refused(run, data, two_lines, words, said):
    assert said in two_lines(run("evaluate", "pictures", "-m", "net.safetensors", *words), 2)


def test_detections_of_other_programs_have_no_attributions(run, two_lines):
    done = run("evaluate", "a.json", "--predictions", "b.json", "--attributions", "all")
    assert "--attributions is given with --predictions" in two_lines(done, 2)


def test_photographs_of_colour_and_bytes_from_elsewhere(run, rng, tmp_path, data):
    save_seeded(tmp_path / "colour.safetensors", shape=(9, 14, 3))
    (tmp_path / "colours").mkdir()
    for at in range(3):
        (tmp_path / "colours" / f"{at}.png").write_bytes(
            png(rng.integers(0, 256, (30, 20, 3)).astype(np.uint8))
        )
    done = run("evaluate", "colours", "-m", "colour.safetensors", "--attributions", "all", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["images"] == 3
