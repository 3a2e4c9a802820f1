"""YOLO: data.yaml, folders of images, a text file for each; and the little of YAML that is read."""

import numpy as np
import pytest
from PIL import Image

from cnncli.data.assemble import LoadOptions
from cnncli.data.image_names import SEVERAL
from cnncli.data.load import load_dataset
from cnncli.data.plain_yaml import read_yaml
from cnncli.data.yolo import read_yolo
from cnncli.errors import CnncliError

NAMES = "names: [cat, dog]\n"


@pytest.fixture
def read(tmp_path):
    """Read a split of images of 40x20 pixels with these lines of labels; None: without a file."""

    def each(*labels, yaml=f"path: .\nval: images/val\n{NAMES}", split="val", **how):
        for folder in ("images/val", "labels/val"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for number, lines in enumerate(labels):
            Image.new("L", (40, 20)).save(tmp_path / f"images/val/{number}.png")
            if lines is not None:
                (tmp_path / f"labels/val/{number}.txt").write_text(lines)
        (tmp_path / "data.yaml").write_text(yaml)
        return read_yolo(tmp_path / "data.yaml", split, **how)

    return each


def test_boxes_are_shares_of_the_sides_about_their_middle(read):
    found = read("1 0.5 0.5 0.25 0.5\n\n0 0.1 0.2 0.1 0.2\n", "", None)
    np.testing.assert_allclose(found.objects.boxes, [[15, 5, 10, 10], [2, 2, 4, 4]])
    assert found.objects.labels.tolist() == [1, 0]
    assert (found.objects.first.tolist(), found.objects.classes) == ([0, 2, 2, 2], ("cat", "dog"))
    assert found.class_at["dog"] == found.class_at[1] == 1
    assert found.image_at["0.png"] == found.image_at[0] == 0


def test_polygons_are_masks_with_their_boxes(read):
    line = "0 0.25 0.25 0.5 0.25 0.5 0.75 0.25 0.75"
    assert read(line).objects.boxes.tolist() == [[10, 5, 10, 10]]
    found = read(f"{line}\n0 0.5 0.5 0.1 0.1", masks=True)
    expected = np.zeros((20, 40), bool)
    expected[5:15, 10:20] = True
    assert np.array_equal(found.objects.masks.dense(0), expected)
    assert [each.reason for each in found.skipped] == ["it has no polygon"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2 0.5 0.5 0.1 0.1", "its class is '2'; expected 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "its class is '-1'"),
        ("0 0.5 0.5 0.1", "it has 3 numbers"),
        ("0 0.5 0.5 0.1 cat", "no number"),
        ("0 0.5 0.5 0.1 nan", "shares of the image's sides"),
        ("0 20 10 4 4", "shares of the image's sides"),
        ("0 0.5 0.5 2.1 0.1", "shares of the image's sides"),
        ("0 -2.1 0.5 0.1 0.1", "shares of the image's sides"),
        ("0 0.5 0.5 -0.1 0.1", "inverted"),
        ("0 0.5 0.5 0 0.1", "no area"),
        ("0 0.9 0.5 0.4 0.1", "reaches 4 pixels beyond"),
    ],
)
def test_wrong_lines_are_listed_or_refused(read, line, reason):
    text = f"0 0.5 0.5 0.1 0.1\n{line}"
    (skipped,) = read(text).skipped
    assert skipped.path.endswith("0.txt: line 2")
    assert reason in skipped.reason
    with pytest.raises(CnncliError, match=r"line 2.*--strict"):
        read(text, strict=True)


@pytest.mark.parametrize(
    ("yaml", "reason"),
    [
        (NAMES, "has no val"),
        (f"val: nowhere\n{NAMES}", "nowhere, which is not there"),
        ("val: images/val\n", "names is no list"),
        ("val: images/val\nnames: {0: cat, 2: dog}\n", "names is no list"),
    ],
)
def test_descriptions_that_lack_something(read, yaml, reason):
    with pytest.raises(CnncliError, match=reason):
        read("", yaml=yaml)


def test_a_folder_without_split_names_and_a_list_of_files(read, tmp_path):
    (tmp_path / "list.txt").write_text("images/val/0.png\n")
    assert len(read("0 0.5 0.5 0.1 0.1", None, yaml=f"valid: list.txt\n{NAMES}").names) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b # c\n", {"a": "b"}),
        ("---\na: 'b # c'\nd: \"e: f\"\n", {"a": "b # c", "d": "e: f"}),
        ("a: [b, 'c, d', 3]\ne: {0: f, 1: 'g'}\n", {"a": ["b", "c, d", "3"], "e": {"0": "f", "1": "g"}}),
        ("a:\n- b\n- 'c'\nd:\n  0: e\n  1: f g\n", {"a": ["b", "c"], "d": {"0": "e", "1": "f g"}}),
        ("a:\n  - b\n\n  - c\nd: ../x y\n", {"a": ["b", "c"], "d": "../x y"}),
        ("a: https://b.c/d\n", {"a": "https://b.c/d"}),
        ("a: [b,  # first\n  'c, d',\n\n  3 ]\ne: f\n", {"a": ["b", "c, d", "3"], "e": "f"}),
        ("a: {0: f,\n 1: g}\n", {"a": {"0": "f", "1": "g"}}),
        (
            "a: |\n  import b  # c: d\n\n  print('e')\nf: [g]\n",
            {"a": 'import b  # c: d  print("e")', "f": ["g"]},
        ),
    ],
)
def test_plain_yaml(tmp_path, text, expected):
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml") == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a: &b c\n",
            "a: *b\n",
            "a: !!python/object:os.system x\n",
            "a: &b\n  - c\n",
            "- |\n",
            "a: [b\n",
            "a: [[b]]\n",
        ),
        *("a\n", "a: b\n  c: d\n", "a: b\na: c\n", "- a\n", "a:\n  b:\n    c: d\n    - e\n", 'a: "b\n'),
    ],
)
def test_what_goes_beyond_it_is_refused(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(CnncliError, match=r"a.yaml: line \d"):
        read_yaml(tmp_path / "a.yaml")


def test_labels_lie_where_the_last_folder_images_is(tmp_path):
    root = tmp_path / "images" / "mine"
    for folder in ("images/val", "labels/val"):
        (root / folder).mkdir(parents=True)
    Image.new("L", (40, 20)).save(root / "images/val/a.png")
    (root / "labels/val/a.txt").write_text("1 0.5 0.5 0.25 0.5")
    (root / "data.yaml").write_text(f"val: images/val\n{NAMES}")
    assert read_yolo(root / "data.yaml", "val").objects.boxes.tolist() == [[15, 5, 10, 10]]


SQUARE = "0 0.1 0.2 0.5 0.2 0.5 0.7 0.1 0.7"


def test_polygons_are_boxes_and_masks(read):
    text = f"{SQUARE}\n1 0.5 0.5 0.25 0.5\n"
    found = read(text)
    np.testing.assert_allclose(found.objects.boxes, [[4, 4, 16, 10], [15, 5, 10, 10]])
    found = read(text, masks=True)
    (skipped,) = found.skipped
    assert skipped.sentence.endswith("line 2: it has no polygon")
    expected = np.zeros((20, 40), bool)
    expected[4:14, 4:20] = True
    np.testing.assert_array_equal(found.objects.masks.dense(0), expected)


def test_polygons_far_outside_are_listed_even_as_written(read):
    far = "0 -1.9 0.2 0.5 0.2 0.5 0.7"
    for masks in (False, True):
        found = read(f"{SQUARE}\n{far}\n", masks=masks, as_written=masks)
        assert [each.path[-6:] for each in found.skipped] == ["line 2"]


def test_points_of_a_body_are_not_corners(read):
    """Lines of pose data: a box, then x, y and visibility of each point."""
    text = "0 0.5 0.5 0.5 0.5 0.1 0.1 2 0.9 0.9 1\n"
    found = read(text, yaml=f"val: images/val\nkpt_shape: [2, 3]\n{NAMES}")
    assert found.objects.boxes.tolist() == [[10, 5, 20, 10]]


def test_masks_of_polygons_are_trained_on(tmp_path):
    random = np.random.default_rng(5)
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / kind / part).mkdir(parents=True)
        for at in range(4):
            pixels = random.integers(0, 90, (32, 32, 3)).astype(np.uint8)
            top, left = random.integers(0, 16, 2)
            pixels[top : top + 16, left : left + 16] = 250
            Image.fromarray(pixels).save(tmp_path / f"images/{part}/{at}.png")
            corners = np.array([[left, top], [left + 16, top], [left + 16, top + 16], [left, top + 16]]) / 32
            line = " ".join(map(str, corners.ravel()))
            (tmp_path / f"labels/{part}/{at}.txt").write_text(f"{at % 2} {line}\n")
    (tmp_path / "data.yaml").write_text(f"train: images/train\nval: images/val\n{NAMES}")
    for source in (tmp_path, tmp_path / "data.yaml"):
        dataset = load_dataset(str(source), LoadOptions(task="segment", whole=True))
        assert dataset.targets.classes == ("background", "cat", "dog")
        assert (len(dataset.train), len(dataset.val), dataset.given) == (4, 4, ("train", "val"))
        for split in (dataset.train, dataset.val):
            light = split.images[..., 0] > 200
            np.testing.assert_array_equal(split.targets.maps > 0, light)
            assert [int(each.max()) for each in split.targets.maps] == [1, 2, 1, 2]


def test_images_of_one_name_in_two_folders_keep_their_own_labels(tmp_path):
    for part, line in (("a", "0 0.5 0.5 0.5 0.5"), ("b", "1 0.25 0.5 0.25 0.5")):
        for folder in ("images", "labels"):
            (tmp_path / folder / part).mkdir(parents=True)
        Image.new("L", (40, 20)).save(tmp_path / f"images/{part}/7.png")
        (tmp_path / f"labels/{part}/7.txt").write_text(line)
    (tmp_path / "data.yaml").write_text(f"val: images\n{NAMES}")
    found = read_yolo(tmp_path / "data.yaml", "val")
    assert found.objects.boxes.tolist() == [[10, 5, 20, 10], [5, 5, 10, 10]]
    assert (found.image_at["a/7.png"], found.image_at["b/7.png"]) == (0, 1)
    assert [found.image_at[name] for name in ("7.png", "7", 7)] == [SEVERAL] * 3


def test_folders_that_are_spelt_as_if_from_below(tmp_path):
    """As Roboflow writes them: ``../val/images`` is ``val/images``, unless the former is there."""
    for folder in ("set/val/images", "set/val/labels"):
        (tmp_path / folder).mkdir(parents=True)
    Image.new("L", (40, 20)).save(tmp_path / "set/val/images/a.png")
    (tmp_path / "set/val/labels/a.txt").write_text("1 0.5 0.5 0.25 0.5")
    (tmp_path / "set/data.yaml").write_text(f"val: ../val/images\n{NAMES}")
    assert read_yolo(tmp_path / "set/data.yaml", "val").objects.boxes.tolist() == [[15, 5, 10, 10]]
    (tmp_path / "val/images").mkdir(parents=True)
    assert not read_yolo(tmp_path / "set/data.yaml", "val").names
