"""Tables as people have them: which columns are taken, how names become files, what is left out and said."""

import csv
import gzip
import os
import re
import unicodedata

import numpy as np
import pytest
from data_helpers import digits, picture, write_image

from cnncli.data.assemble import LoadOptions
from cnncli.data.layout import Layout
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError

COUNT = 12
LABELS = ["ab"[i % 2] for i in range(COUNT)]


@pytest.fixture
def paths(tmp_path):
    """Twelve different images in a folder beside the table."""
    for i in range(COUNT):
        write_image(tmp_path / "img" / f"n{i}.png", picture(i, 6, 6))
    return [f"img/n{i}.png" for i in range(COUNT)]


@pytest.fixture
def load(tmp_path):
    """Write a table with columns by name, and load it."""

    def write(columns, *, encoding="utf-8", name="t.csv", header=True, delimiter=",", **layout):
        with (tmp_path / name).open("w", newline="", encoding=encoding) as file:
            writer = csv.writer(file, delimiter=delimiter)
            rows = list(zip(*columns.values(), strict=True))
            writer.writerows([list(columns), *rows] if header else rows)
        return load_dataset(str(tmp_path / name), LoadOptions(layout=Layout(**layout), val_split=0))

    return write


def classes_of(dataset):
    """What each image was read as: its number to its class."""
    found = {}
    for split in (dataset.train, dataset.val, dataset.test):
        for at in range(len(split)):
            number = int(re.search(r"n(\d+)\.\w+$", split.name(at))[1])
            assert np.array_equal(split.images[at], picture(number, 6, 6))
            found[number] = dataset.targets.classes[split.targets.numbers[at]]
    return found


EXPECTED = dict(enumerate(LABELS))
INDEX = list(range(COUNT))
TABLES = {
    "pandas' index": (["", "path", "label"], "images by column 2 (path), classes by column 3 (label)"),
    "a rare word": (
        ["id", "filename", "breed"],
        "images by column 2 (filename), classes by column 3 (breed)",
    ),
    "plural": (
        ["photographer", "files", "labels"],
        "images by column 2 (files), classes by column 3 (labels)",
    ),
    "constant": (["width", "Image Path", "species"], "images by column 2 (Image Path), classes by column 3"),
    "unknown words": (["number", "where", "what"], "images by column 2 (where), classes by column 3 (what)"),
}


@pytest.mark.parametrize(("names", "said"), TABLES.values(), ids=TABLES)
def test_columns_by_name_then_by_what_they_hold(paths, load, names, said):
    first = {"photographer": ["xy"[i % 3 == 0] for i in INDEX], "width": [6] * COUNT}.get(names[0], INDEX)
    dataset = load(dict(zip(names, (first, paths, LABELS), strict=True)))
    assert classes_of(dataset) == EXPECTED
    assert said in dataset.provenance
    assert not dataset.warnings


def test_without_a_header(paths, load):
    dataset = load({"1": INDEX, "2": LABELS, "3": paths}, header=False)
    assert classes_of(dataset) == EXPECTED
    assert "images by column 3, classes by column 2" in dataset.provenance


def test_columns_that_are_asked_for(paths, load):
    columns = {"a": LABELS, "b": paths, "c": ["uvw"[i % 3] for i in INDEX], "label": INDEX}
    for asked in ("a", " A", "1"):
        assert classes_of(load(columns, label_column=asked)) == EXPECTED
    assert load(columns, label_column="c", path_column="2").targets.classes == ("u", "v", "w")
    with pytest.raises(
        CnncliError, match=r"--label-column is d, but .* has no column of that name; expected one of a, b"
    ):
        load(columns, label_column="d")
    with pytest.raises(CnncliError, match=r"no row of .* can be used: .*/u, no such file"):
        load(columns, label_column="a", path_column="c")
    with pytest.raises(CnncliError, match=r"--path-column and --label-column both name column 1 \(a\)"):
        load(columns, label_column="a", path_column="1")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"breed": 2, "size": 3}, r"column 2 \(breed\) and column 3 \(size\) of .* could all be the class"),
        (
            {"serial": 12},
            r"no column of .* can be the class: column 2 \(serial\) has a different value in each",
        ),
        (
            {"cat": 2, "dog": 2},
            r"column 2 \(cat\) and column 3 \(dog\) of .* could be one label in one-hot columns",
        ),
        ({"label": 2, "class": 3}, r"could both be the class, and group the images differently"),
        ({}, "has one column; expected a path and a label"),
        ({"label": 0.5}, r"column 2 \(label\) of .* holds 0\.5.*, not whole numbers; expected classes"),
    ],
)
def test_more_than_one_reading_is_no_reading(paths, load, columns, message):
    kinds = {2: [i % 2 for i in INDEX], 3: [i % 3 for i in INDEX], 12: INDEX, 0.5: [i / 2 for i in INDEX]}
    with pytest.raises(CnncliError, match=message):
        load({"path": paths, **{name: kinds[kind] for name, kind in columns.items()}})


def test_numbers_and_names_of_the_same_classes(paths, load):
    dataset = load({"label": [i % 2 for i in INDEX], "class_name": LABELS, "path": paths})
    assert classes_of(dataset) == EXPECTED


def test_a_class_for_each_row_is_told(paths, load):
    warnings = load({"path": paths, "label": INDEX}).warnings
    assert "column 2 (label) has a different class in each of 12 rows" in warnings


def test_two_columns_of_images(paths, load):
    masks = [path.replace("n", "m") for path in paths]
    with pytest.raises(
        CnncliError, match=r"column 1 \(image\) and column 2 \(file\) of .* could all be the image"
    ):
        load({"image": paths, "file": paths[::-1], "label": LABELS})
    assert classes_of(load({"image": paths, "mask": masks, "label": LABELS})) == EXPECTED


@pytest.mark.parametrize("none", ["", "nan", "NaN", "<NA>"])
def test_labels_that_are_none(paths, load, none):
    dataset = load({"path": paths, "label": [none, *LABELS[1:]]})
    assert classes_of(dataset) == {number: label for number, label in EXPECTED.items() if number}
    assert "1 rows have no label in column 2 (label) (empty or nan): left out" in dataset.warnings


def test_labels_as_pandas_writes_whole_numbers(paths, load):
    dataset = load({"path": paths, "label": ["1.0", "0.0"] * 5 + ["", "10.0"]})
    assert dataset.targets.classes == ("0", "1", "10")


def test_spellings_of_labels(paths, load):
    accents = [unicodedata.normalize(form, "Öl") for form in ("NFC", "NFD")]
    dataset = load({"path": paths, "label": [*accents, "tea", "Tea"] * 3})
    assert dataset.targets.classes == ("Tea", "tea", accents[0])
    assert "Tea and tea differ by case only and count as 2 classes" in dataset.warnings
    assert load({"path": paths, "label": ["--1", "2"] * 6}).targets.classes == ("--1", "2")


SPELT = {
    "as it is": lambda path: path,
    "backslashes": lambda path: path.replace("/", "\\"),
    "no suffix": lambda path: path.removesuffix(".png"),
    "no folder": lambda path: path.removeprefix("img/"),
    "neither": lambda path: path.removeprefix("img/").removesuffix(".png"),
    "capitals": lambda path: path.upper(),
    "from here": lambda path: f"./{path}",
    "spaces around": lambda path: f"  {path} ",
}


@pytest.mark.parametrize("change", SPELT.values(), ids=SPELT)
@pytest.mark.parametrize("name", ["path", "id"])
def test_spellings_of_names(paths, load, change, name):
    dataset = load({name: map(change, paths), "label": LABELS})
    assert classes_of(dataset) == EXPECTED
    assert not dataset.skipped


def test_accents_in_names(load, tmp_path):
    for number, form in enumerate(("NFC", "NFD", "NFC", "NFD")):
        write_image(tmp_path / unicodedata.normalize(form, f"é{number}.png"), picture(number, 6, 6))
    names = [unicodedata.normalize("NFC", f"é{number}.png") for number in range(4)]
    assert len(load({"path": names, "label": "abab"}).skipped) == 0


def test_a_name_is_never_taken_for_less_than_it_says(paths, load, tmp_path):
    """Neither another folder, nor another suffix, nor one of two files of a name is guessed."""
    write_image(tmp_path / "other" / "n3.png", picture(99, 6, 6))
    wrong = ["cats/n0.png", "img/n1.jpg", "n3", "https://example.com/img/n4.png", "n99.png", "/img/n5.png"]
    dataset = load({"path": [*wrong, *paths[6:]], "label": LABELS})
    assert sorted(classes_of(dataset)) == list(range(6, COUNT))
    reasons = {each.path.rsplit("/", 1)[-1]: each.reason for each in dataset.skipped}
    assert reasons.pop("n3") in (
        f"it could be {tmp_path}/img/n3.png and {tmp_path}/other/n3.png (row 4)",
        f"it could be {tmp_path}/other/n3.png and {tmp_path}/img/n3.png (row 4)",
    )
    assert sorted(reasons.values()) == [f"no such file (row {row})" for row in (2, 3, 5, 6, 7)]


def test_numbers_are_no_names_of_files_where_others_are(load, tmp_path):
    """Images called 0.png and 1.png, and labels 0 and 1."""
    for i in range(6):
        write_image(tmp_path / f"{i}.png", picture(i, 6, 6))
    dataset = load({"label": [i % 2 for i in range(6)], "id": range(6)})
    assert "images by column 2 (id), classes by column 1 (label)" in dataset.provenance


def test_tables_of_which_no_row_can_be_used(paths, load):
    """A column without a name in the head moves all others: every row lacks its split."""
    columns = {"path": paths[:3], "": ["0"] * 3, "label": ["train"] * 3, "split": [""] * 3}
    with pytest.raises(CnncliError, match=r"can be used: 0 without a label, 3 without a split, 0 images"):
        load(columns)


def test_pipes_are_no_images(paths, load, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    dataset = load({"path": ["pipe.png", *paths[1:]], "label": LABELS})
    assert [each.reason for each in dataset.skipped] == ["no such file (row 2)"]


FORMS = {
    "mark": {"encoding": "utf-8-sig"},
    "UTF-16": {"encoding": "utf-16"},
    "UTF-16 without mark": {"encoding": "utf-16-le"},
    "Excel's text": {"encoding": "utf-16", "name": "t.tsv", "delimiter": "\t"},
    "semicolons": {"delimiter": ";"},
    "tabs": {"delimiter": "\t"},
    "capital suffix": {"name": "T.CSV"},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_forms_of_text(paths, load, form):
    labels = ["café, crème", 'say "b"'] * 6
    dataset = load({"path": paths, "label": labels}, **form)
    assert classes_of(dataset) == dict(enumerate(labels))


def test_a_line_that_tells_the_delimiter(paths, tmp_path):
    rows = [f"{path}|{label}" for path, label in zip(paths, LABELS, strict=True)]
    (tmp_path / "t.csv").write_text("\r\n".join(["sep=|", "path|label", *rows]))
    assert classes_of(load_dataset(str(tmp_path / "t.csv"), LoadOptions(val_split=0))) == EXPECTED


def test_spaces_behind_commas(paths, tmp_path):
    rows = [f'"{path}", "{label}"' for path, label in zip(paths, LABELS, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["path, label", *rows]))
    assert classes_of(load_dataset(str(tmp_path / "t.csv"), LoadOptions(val_split=0))) == EXPECTED


def test_commas_that_are_not_quoted_are_told(paths, tmp_path):
    rows = [f"{path},{label}" for path, label in zip(paths, LABELS, strict=True)]
    rows[4] = "img/n4,x.png,a"
    (tmp_path / "t.csv").write_text("\n".join(["path,label", *rows]))
    dataset = load_dataset(str(tmp_path / "t.csv"), LoadOptions(val_split=0))
    assert [(each.path.rsplit("/", 1)[-1], each.reason) for each in dataset.skipped] == [
        ("t.csv:6", "3 columns; expected 2")
    ]


@pytest.mark.parametrize(
    "words", [("train", "val", "test"), ("0", "1", "2"), ("0.0", "1.0", "2.0"), ("fit", "dev", "eval")]
)
@pytest.mark.parametrize("name", ["split", "Usage", "fold of mine"])
def test_columns_of_splits(paths, load, words, name):
    splits = [words[0]] * 6 + [words[1]] * 2 + [words[2]] * 4
    columns = {"path": paths, "label": LABELS, name: splits}
    if name == "fold of mine" and "0" in words[0]:
        assert len(load(columns).val) == 0  # numbers in a column of any name are no splits
        return
    dataset = load(columns)
    assert [len(each) for each in (dataset.train, dataset.val, dataset.test)] == [6, 2, 4]
    assert f"splits by column 3 ({name})" in dataset.provenance
    assert len(load(columns, splits=False).val) == 0


def test_columns_of_yes_and_no(paths, load):
    flags = [str(i >= 8) for i in INDEX]
    dataset = load({"path": paths, "label": LABELS, "is_valid": flags})
    assert (len(dataset.val), len(dataset.train) + len(dataset.test)) == (4, 8)


@pytest.mark.parametrize(
    ("splits", "layout", "message"),
    [
        (
            ["train"] * 8 + ["check"] * 4,
            {},
            r"column 3 \(split\) of .*, 4 rows: check means no split; expected train",
        ),
        (["0"] * 8 + ["1"] * 4, {}, "12 rows: 0 and 1 mean no split"),
        (None, {"splits": True}, "--splits: no column of .* is named split or holds words for splits"),
    ],
)
def test_words_that_mean_no_split(paths, load, splits, layout, message):
    columns = {"path": paths, "label": LABELS} | ({"split": splits} if splits else {})
    with pytest.raises(CnncliError, match=message):
        load(columns, **layout)
    if splits:
        assert classes_of(load(columns, splits=False)) == EXPECTED


def test_rows_without_a_split_and_files_in_two(paths, load):
    splits = ["train"] * 8 + ["test"] * 3 + [""]
    dataset = load(
        {"path": [*paths[:10], paths[0], paths[11]], "label": [*LABELS[:10], "a", "b"], "split": splits}
    )
    assert (len(dataset.train), len(dataset.test)) == (8, 2)
    assert "1 rows have no split in column 3 (split): left out" in dataset.warnings
    assert any("1 files are listed in two splits and count in the first" in each for each in dataset.warnings)


# Pixels in the table itself.

IMAGES, NUMBERS = digits(30, side=5)
IMAGES[:, 0, 0] = IMAGES[:, -1, -1] = 0  # corners, as in MNIST


def pixel_cells(delimiter=" "):
    return [delimiter.join(map(str, image.ravel())) for image in IMAGES]


def read_as(dataset):
    found = {}
    for split in (dataset.train, dataset.val, dataset.test):
        for image, label in zip(split.images, split.targets.numbers, strict=True):
            found[image.tobytes()] = dataset.targets.classes[label]
    return found


def truth(names=str):
    return {image.tobytes(): names(number) for image, number in zip(IMAGES, NUMBERS, strict=True)}


def test_the_columns_of_fer2013(load):
    usage = ["Training"] * 20 + ["PublicTest"] * 4 + ["PrivateTest"] * 6
    for names in (("emotion", "pixels", "Usage"), ("emotion", " pixels", " Usage")):
        dataset = load(dict(zip(names, (NUMBERS, pixel_cells(), usage), strict=True)))
        assert [len(each) for each in (dataset.train, dataset.val, dataset.test)] == [20, 4, 6]
        assert read_as(dataset) == truth()
        assert "images by column 2 (pixels), classes by column 1 (emotion), splits by column 3 (Usage)" in (
            dataset.provenance
        )


def test_pixels_without_a_split(load):
    usage = ["Training"] * 20 + ["", "nan"] + ["PrivateTest"] * 8
    columns = {"emotion": NUMBERS, "pixels": pixel_cells()}
    dataset = load({**columns, "Usage": usage})
    assert (len(dataset.train), len(dataset.test)) == (20, 8)
    assert "2 rows have no split: left out" in dataset.warnings
    with pytest.raises(CnncliError, match=r"column 3 \(Usage\) is empty in all rows"):
        load({**columns, "Usage": [""] * 30})


def wide(tmp_path, columns, *, header=True, name="t.csv"):
    """A table with 25 columns of pixels, and others before them (or behind, by a name in capitals)."""
    before = {key: values for key, values in columns.items() if not key.isupper()}
    behind = {key: values for key, values in columns.items() if key.isupper()}
    lines = [",".join([*before, *(f"pixel{i}" for i in range(25)), *behind])] if header else []
    for at, image in enumerate(IMAGES):
        cells = (
            [values[at] for values in before.values()],
            image.ravel(),
            [values[at] for values in behind.values()],
        )
        lines.append(",".join(str(cell) for part in cells for cell in part))
    text = "\n".join(lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    return str(tmp_path / name)


@pytest.mark.parametrize(
    ("columns", "header"),
    [
        ({"label": NUMBERS}, True),
        ({"LABEL": NUMBERS}, True),
        ({"id": range(30), "label": NUMBERS}, True),
        ({"kind": [f"k{n}" for n in NUMBERS]}, True),
        ({"kind": [f"k{n}" for n in NUMBERS]}, False),
        ({"label": [f"{n}.0" for n in NUMBERS]}, True),
        ({"a": NUMBERS}, False),
        ({"A": NUMBERS}, False),
    ],
)
def test_pixels_in_columns(tmp_path, columns, header):
    dataset = load_dataset(wide(tmp_path, columns, header=header), LoadOptions(val_split=0))
    assert read_as(dataset) == truth((lambda n: f"k{n}") if "kind" in columns else str)
    assert "classes by column" in dataset.provenance


def test_pixels_in_columns_with_splits_and_gaps(tmp_path):
    split = ["train"] * 20 + ["test"] * 10
    labels = [str(number) for number in NUMBERS]
    labels[3] = ""
    dataset = load_dataset(
        wide(tmp_path, {"label": labels, "SPLIT": split}, name="t.csv.gz"), LoadOptions(val_split=0)
    )
    assert (len(dataset.train), len(dataset.test)) == (19, 10)
    assert any("1 images have no label" in each for each in dataset.warnings)
    expected = truth()
    del expected[IMAGES[3].tobytes()]
    assert read_as(dataset) == expected


@pytest.mark.parametrize(
    ("columns", "header", "message"),
    [
        ({}, True, "has 25 columns, all of them named as pixels"),
        ({"id": range(30)}, True, r"column 1 \(id\) of .* has a different value in each row"),
        (
            {"a": [n % 2 for n in NUMBERS], "B": NUMBERS},
            False,
            "column 1 and column 27 of .* could both be the label",
        ),
        ({"label": [0.5] * 30}, True, "holds 0.5, not a whole number; expected classes"),
        ({"breed": NUMBERS, "size": NUMBERS % 2}, True, "could all be the class"),
    ],
)
def test_pixels_without_a_plain_label(tmp_path, columns, header, message):
    with pytest.raises(CnncliError, match=message):
        load_dataset(wide(tmp_path, columns, header=header))


def test_a_label_among_pixels_that_is_asked_for(tmp_path):
    path = wide(tmp_path, {"a": NUMBERS % 2, "B": NUMBERS}, header=False)
    with pytest.raises(CnncliError, match="26 pixels per row"):
        load_dataset(path, LoadOptions(layout=Layout(label_column="27")))
    named = wide(tmp_path, {"breed": NUMBERS, "size": NUMBERS % 2})
    assert read_as(load_dataset(named, LoadOptions(layout=Layout(label_column="breed")))) == truth()


@pytest.mark.parametrize(("at", "cell"), [(4, "x"), (4, ""), (4, "1,2"), (4, "nan")])
def test_a_pixel_that_is_no_number(tmp_path, at, cell):
    path = wide(tmp_path, {"label": NUMBERS})
    lines = (tmp_path / "t.csv").read_text().split("\n")
    cells = lines[at].split(",")
    cells[7] = cell
    lines[at] = ",".join(cells)
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(CnncliError, match=r"line 5(, column 8| has 27 columns)"):
        load_dataset(path)


def test_a_table_of_attributes_is_no_table_of_pixels(paths, load):
    """CelebA's list: a name, and forty columns of -1 and 1."""
    marks = {f"attribute {i}": [1 if (i + j) % 2 else -1 for j in INDEX] for i in range(40)}
    with pytest.raises(
        CnncliError, match=r"column 2 \(attribute 0\).* and 34 more of .* could all be the class"
    ):
        load({"image_id": paths, **marks})
    assert load({"image_id": paths, **marks}, label_column="attribute 7").targets.classes == ("-1", "1")


def test_lines_without_end(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"0," * (12 << 20), compresslevel=1))
    with pytest.raises(CnncliError, match="has a line of more than 16,777,216 characters"):
        load_dataset(str(tmp_path / "t.csv.gz"))


def test_a_small_table_that_grows(tmp_path):
    row = b"x" * (1 << 20) + b",a\n"
    for body, message in (
        (row * 65, r"unpacks to 6\d MB or more"),
        (b"i,a\n" * 1_000_001, "1,000,001 lines"),
    ):
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(body, compresslevel=1))
        with pytest.raises(CnncliError, match=rf"t\.csv\.gz .*{message} from 0\.\d MB"):
            load_dataset(str(tmp_path / "t.csv.gz"))


def test_bytes_that_no_text_has(tmp_path):
    (tmp_path / "t.csv").write_bytes(bytes(range(256)) * 9)
    with pytest.raises(CnncliError, match="is not a table: it holds bytes that text does not have"):
        load_dataset(str(tmp_path / "t.csv"))
