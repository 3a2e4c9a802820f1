import json
import re

import numpy as np
import pytest
from PIL import Image

from cnncli.errors import CnncliError
from cnncli.filters.spec import parse_spec

ROWS = [[0.0, -1.0, 0.5], [1.0, 2.0, -3.0]]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k.txt", "# a kernel\n0 -1 1/2  # first\n\n1 2 -3\n"),
        ("k.txt", "0 -1 .5; 1 2 -3"),
        ("k.csv", "0,-1,0.5\r\n1,2,-3\r\n"),
        ("k.CSV", "\ufeff0,-1,0.5\n1,2,-3"),
        ("k.tsv", "0\t-1\t0.5\n1\t2\t-3"),
        ("k.csv", "0;-1;0.5\n1;2;-3\n"),
        ("k.csv", "0 ; -1 ; 1/2;\r\n\r\n1 ; 2 ; -3;  # the last\r\n"),
        ("k.csv", "0,0;-1;0,5\n1;2,00;-3\n"),
        ("k.txt", "0 -1 .5;\n1 2 -3;\n"),
        ("k.json", json.dumps(ROWS)),
        ("k.json", json.dumps({"weights": ROWS})),
    ],
)
def test_text_files(tmp_path, name, text):
    path = write(tmp_path / name, text)
    found = parse_spec(path)
    np.testing.assert_array_equal(found.weights, ROWS)
    assert (found.name, found.spec, found.flips, found.anchor) == ("k", path, True, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 -1 0; -1 5 -1\n0 -1 0", "row 1, column 1: '0 -1 0' is more than one number"),
        ("1;2;3\n4;5,6,7;8\n", "row 2, column 2: '5,6,7' is more than one number"),
        ("1;2;3\n4, 5;6;7", "row 2, column 1: '4, 5' is more than one number"),
        ("1;2;3\n4;;6", "row 2, column 2: is empty"),
        ("1;2;3\n;\n4;5;6", "row 2, column 1: is empty"),
        ("1;2;3\n4;5", "row 2, column 3: the row has 2 numbers; expected 3"),
    ],
)
def test_semicolons_that_do_not_make_columns(tmp_path, text, message):
    with pytest.raises(CnncliError, match=re.escape(message)):
        parse_spec(write(tmp_path / "k.csv", text))


def test_json_with_an_anchor(tmp_path):
    path = write(tmp_path / "k.json", json.dumps({"weights": ROWS, "anchor": [2, 0]}))
    assert parse_spec(path).anchor == (2, 0)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "uint16", "bool", ">f4"])
def test_arrays(tmp_path, dtype):
    array = np.array([[1, 0, 1], [0, 1, 1]]).astype(dtype)
    np.save(tmp_path / "k.npy", array)
    np.testing.assert_array_equal(parse_spec(str(tmp_path / "k.npy")).weights, array)


def test_an_array_in_fortran_order_and_a_row(tmp_path):
    np.save(tmp_path / "f.npy", np.asfortranarray(ROWS))
    np.save(tmp_path / "r.npy", np.array([1.0, 2.0]))
    np.testing.assert_array_equal(parse_spec(str(tmp_path / "f.npy")).weights, ROWS)
    np.testing.assert_array_equal(parse_spec(str(tmp_path / "r.npy")).weights, [[1, 2]])


def test_images_are_gray_over_full_scale(tmp_path):
    gray = np.array([[0, 51, 255], [102, 0, 0]], dtype=np.uint8)
    Image.fromarray(gray).save(tmp_path / "g.png")
    np.testing.assert_allclose(parse_spec(str(tmp_path / "g.png")).weights, gray / 255)
    color = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)
    Image.fromarray(color).save(tmp_path / "c.png")
    np.testing.assert_allclose(parse_spec(str(tmp_path / "c.png")).weights, [[0.299, 0.587, 0.114]])


def test_transparent_pixels_have_no_weight(tmp_path):
    pixels = np.array([[[255, 255, 255, 0], [255, 255, 255, 51]]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "t.png")
    np.testing.assert_allclose(parse_spec(str(tmp_path / "t.png")).weights, [[0, 0.2]])


def test_the_reader_of_images_can_be_given(tmp_path):
    found = parse_spec("dots.png", read_image=lambda path: np.array([[0.25, 0.5]]))
    np.testing.assert_array_equal(found.weights, [[0.25, 0.5]])
    assert found.name == "dots"


def test_a_file_named_like_a_kernel_does_not_win(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "sobel", "1 2")
    write(tmp_path / "sobel.txt", "1 2")
    assert parse_spec("sobel").name == "sobel"
    assert parse_spec("sobel").spec == "sobel:output=magnitude"
    np.testing.assert_array_equal(parse_spec("sobel.txt").weights, [[1, 2]])
    np.testing.assert_array_equal(parse_spec("./sobel.txt").weights, [[1, 2]])


def test_odd_file_names(tmp_path):
    path = write(tmp_path / "3 x=1 käse.txt", "1 2")
    assert parse_spec(path).name == "3-x-1-k-se"
    assert parse_spec(write(tmp_path / "….txt", "1")).name == "custom"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("k.txt", b"", "of 0 weights"),
        ("k.txt", b"# nothing\n", "of 0 weights"),
        ("k.txt", b"1 2\n3 nan\n", "row 2, column 2: 'nan'"),
        ("k.csv", b"a,b\n1,2\n", "row 1, column 1: 'a' is not a number"),
        ("k.csv", b"1,2\n3\n", "row 2, column 2: the row has 1 numbers; expected 2"),
        ("k.txt", b"\xff\xfe1\x00", "is not text: byte 1 is 0xff; expected UTF-8"),
        ("k.json", b"", "is not JSON"),
        ("k.json", b"[[1, 2", "is not JSON"),
        ("k.json", b"[" * 200_000, "is "),
        ("k.json", b"3", "is a int; expected a list of lists"),
        ("k.json", b"{}", "no key 'weights'"),
        ("k.json", b'{"weights": [[1]], "ancor": [0, 0]}', "unknown key 'ancor'"),
        (
            "k.json",
            b'{"weights": [[1]], "anchor": [1, 0]}',
            "anchor [1, 0]; expected [x, y] from [0, 0] to [0, 0]",
        ),
        ("k.json", b'{"weights": [[1]], "anchor": [0.0, 0]}', "anchor [0.0, 0]"),
        ("k.json", b'{"weights": [[1]], "anchor": "middle"}', "anchor 'middle'"),
        ("k.json", b"[[1, Infinity]]", "row 1, column 2: inf is out of range"),
        ("k.json", b"[[1" + b"0" * 400 + b"]]", "row 1, column 1: 1000"),
        ("k.json", b"[[null]]", "row 1, column 1: None is not a number"),
        ("k.npy", b"", "cannot be read"),
        ("k.npy", b"\x93NUMPY\x01\x00garbage", "cannot be read"),
        ("k.npy", b"PK\x03\x04", "cannot be read"),
        ("k.png", b"", "k.png"),
        ("k.png", b"no image", "k.png"),
    ],
)
def test_damaged_files(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CnncliError, match=re.escape(message)) as caught:
        parse_spec(str(tmp_path / name))
    assert name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 2)), "has shape (2, 2, 2); expected 2 dimensions"),
        (np.float64(3), "has shape (); expected 2 dimensions"),
        (np.zeros((2, 2), complex), "holds complex128; expected real numbers"),
        (np.array([["a"]]), "holds <U1; expected real numbers"),
        (np.array([[1, 2], [3, np.nan]]), "row 2, column 2: nan is out of range"),
        (np.array([[1, -np.inf]]), "row 1, column 2: -inf is out of range"),
        (np.zeros((1, 4098)), "is 4098x1; expected at most 4097"),
        (np.zeros((0, 3)), "k.npy"),
        (np.array([[None]]), "k.npy"),
    ],
)
def test_wrong_arrays(tmp_path, array, message):
    np.save(tmp_path / "k.npy", array, allow_pickle=True)
    with pytest.raises(CnncliError, match=re.escape(message)):
        parse_spec(str(tmp_path / "k.npy"))


def test_a_header_that_lies_about_its_size(tmp_path):
    np.save(tmp_path / "k.npy", np.zeros((2, 2)))
    data = (tmp_path / "k.npy").read_bytes().replace(b"(2, 2), }      ", b"(40000, 40000)}")
    (tmp_path / "k.npy").write_bytes(data)
    with pytest.raises(CnncliError, match=r"k\.npy"):
        parse_spec(str(tmp_path / "k.npy"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("missing.txt", "cannot be read: No such file"),
        ("missing.npy", "cannot be read: No such file"),
        ("missing.png", "missing.png"),
        ("./missing", "has no suffix; expected one of .txt"),
        ("folder/kernel.xyz", "has the suffix .xyz; expected one of .txt"),
        ("/dev/null", "has no suffix"),
        ("a\x00b.txt", "cannot be read"),
        ("a\x00b.npy", "cannot be read"),
        ("x" * 300 + ".txt", "cannot be read: File name too long"),
    ],
)
def test_files_that_are_not_there(tmp_path, monkeypatch, spec, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CnncliError, match=re.escape(message)):
        parse_spec(spec)


def test_a_folder_is_no_kernel(tmp_path):
    (tmp_path / "k.txt").mkdir()
    with pytest.raises(CnncliError, match="Is a directory"):
        parse_spec(str(tmp_path / "k.txt"))


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "k.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(CnncliError, match=r"k\.npy"):
        parse_spec(str(tmp_path / "k.npy"))
    assert not (tmp_path / "sprung").exists()
