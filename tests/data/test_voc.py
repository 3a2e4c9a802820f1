"""Pascal VOC: boxes of XML files, and XML that is made to do harm."""

from pathlib import Path

import pytest

from cnncli.data.safe_xml import read_xml
from cnncli.data.voc import read_voc
from cnncli.errors import CnncliError

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
