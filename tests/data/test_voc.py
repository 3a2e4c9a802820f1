"""Pascal VOC: boxes of XML files, and XML that is made to do harm."""

from pathlib import Path

import pytest

from cnncli.data.annotated_images import annotations_by_split
from cnncli.data.annotations import AnnotationOptions, annotated_splits, read_annotations
from cnncli.data.image_sets import image_sets
from cnncli.data.voc import read_voc
from cnncli.errors import CnncliError
from cnncli.files.safe_xml import read_xml

LABELME = Path("/usr/share/doc/labelme-examples/examples/bbox_detection/data_dataset_voc")


def voc(*objects, size=(40, 30), source=""):
    rows = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>"
        + "".join(
            f"<{edge}>{value}</{edge}>"
            for edge, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        )
        + "</bndbox></object>"
        for name, box, difficult in objects
    )
    return (
        f"<annotation><filename>a.jpg</filename>{source}"
        f"<size><width>{size[0]}</width><height>{size[1]}</height></size>{rows}</annotation>"
    )


@pytest.fixture
def read(tmp_path):
    """Read files of these texts."""

    def each(*texts, **how):
        folder = tmp_path / "Annotations"
        folder.mkdir(exist_ok=True)
        for number, text in enumerate(texts):
            (folder / f"{number:03}.xml").write_text(text)
        return read_voc(tmp_path, **how)

    return each


def test_boxes_with_fractions_and_difficult_ones(read):
    found = read(voc(("dog", (1.5, 2, 10.25, 20), 0), ("cat", (0, 0, 40, 30), 1)), voc(size=(9, 9)))
    objects = found.objects
    assert objects.boxes.tolist() == [[1.5, 2, 8.75, 18], [0, 0, 40, 30]]
    assert ([objects.classes[k] for k in objects.labels], objects.crowd.tolist()) == (
        ["dog", "cat"],
        [False, True],
    )
    assert (found.sizes.tolist(), objects.first.tolist()) == ([[30, 40], [9, 9]], [0, 2, 2])
    assert found.image_at["000"] == found.image_at[0] == 0


def test_pascals_own_files_count_pixels_from_1(read):
    source = "<source><database>The VOC2007 Database</database></source>"
    assert read(voc(("cat", (1, 1, 40, 30), 0), source=source)).objects.boxes.tolist() == [[0, 0, 40, 30]]


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((10, 2, 5, 9), "inverted"),
        ((50, 2, 60, 9), "outside"),
        ((1, 2, "nan", 9), "no number"),
        ((1, 2, "", 9), "xmax is ''"),
        ((1, 2, 50, 9), "reaches 10 pixels beyond"),
    ],
)
def test_wrong_boxes_are_listed_or_refused(read, box, reason):
    text = voc(("cat", (1, 1, 5, 5), 0), ("cat", box, 0))
    (skipped,) = read(text).skipped
    assert skipped.path.endswith("000.xml: object 2")
    assert reason in skipped.reason
    with pytest.raises(CnncliError, match=r"object 2.*--strict"):
        read(text, strict=True)


BOMB = (
    '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><annotation>&c;</annotation>'
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "document type"),
        ("<a>&b;</a>", "undefined entity"),
        ("<a>" * 100, "nested more than 32 deep"),
        ("<a>", "no element found"),
        ("", "no element found"),
        (" " * (5 << 20), "larger than 4 MiB"),
    ],
)
def test_what_is_no_harmless_xml(tmp_path, text, reason):
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(CnncliError, match=reason):
        read_xml(path)


def test_a_file_that_cannot_be_read_is_listed(read):
    found = read(voc(("cat", (1, 1, 5, 5), 0)), BOMB, voc(size=(10**9, 3)))
    assert [each.path[-7:] for each in found.skipped] == ["001.xml", "002.xml"]
    assert len(found.names) == 1


@pytest.mark.skipif(not LABELME.is_dir(), reason="Debian's labelme-examples is not installed")
def test_files_that_another_program_wrote():
    found = read_voc(LABELME, strict=True)
    assert found.objects.texts() == ["person ×2", "person ×4", "bus ×2, car"]
    assert found.objects.boxes[0].tolist() == [191.0, 107.36900369003689, 122.0, 222.00000000000006]


def listed(folder, **lists):
    """Write lists of ImageSets/Main."""
    (folder / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
    for name, words in lists.items():
        (folder / f"ImageSets/Main/{name}.txt").write_text("\n".join(words))


def test_lists_of_images_are_the_splits(read, tmp_path):
    read(*(voc(("cat" if at < 4 else "dog", (1, 1, 9, 9), 0)) for at in range(6)))
    listed(tmp_path, train=["000", "002  1", ""], val=["004 -1", "009"], cat_train=["005 1"])
    assert annotated_splits(tmp_path) == ("train", "val")
    found = annotations_by_split(tmp_path, AnnotationOptions(), whole=False)
    assert {part: [key for key in each.image_at if isinstance(key, str) and len(key) == 3]
            for part, each in found.items()} == {"train": ["000", "002"], "val": ["004"]}  # fmt: skip
    assert [each.objects.classes for each in found.values()] == [("cat", "dog")] * 2
    assert [each.sentence for each in found["val"].skipped] == [
        f"009: {tmp_path}/ImageSets/Main/val.txt names it, and it has no XML file"
    ]
    assert "3 XML files are in no list" in found["train"].notes[0]
    usual = read_annotations(tmp_path, AnnotationOptions())
    assert (len(usual.names), usual.notes[-1]) == (1, "these are of the split val; --split names another")
    with pytest.raises(CnncliError, match="Main has no test; expected one of train, val"):
        read_annotations(tmp_path, AnnotationOptions(split="test"))
    with pytest.raises(CnncliError, match="009"):
        read_annotations(tmp_path, AnnotationOptions(split="val", strict=True))


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"trainval": "ab", "test": "c"}, {"train": "ab", "test": "c"}),
        ({"trainval": "abc", "val": "b"}, {"train": "ac", "val": "b"}),
        ({"trainval": "abc", "train": "ab"}, {"train": "ab", "val": "c"}),
        ({"trainval": "abc", "train": "ab", "val": "c"}, {"train": "ab", "val": "c"}),
        ({"test": "ab"}, {"test": "ab"}),
        ({"train": "", "val": "a"}, {"val": "a"}),
        ({}, {}),
    ],
)
def test_what_trainval_leaves(tmp_path, lists, expected):
    listed(tmp_path, **lists)
    assert image_sets(tmp_path, "Main") == {part: tuple(names) for part, names in expected.items()}


def test_lists_without_images_to_learn_from_are_refused(read, tmp_path):
    read(voc(("cat", (1, 1, 9, 9), 0)))
    listed(tmp_path, test=["000"])
    with pytest.raises(CnncliError, match="has test; expected train"):
        annotations_by_split(tmp_path, AnnotationOptions(), whole=False)
    assert set(annotations_by_split(tmp_path, AnnotationOptions(), whole=True)) == {"test"}
