"""Headers of ``.npy`` files: NumPy's own are read as NumPy reads them, others are refused in two lines."""

import io
import struct

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.images.npy_header import read_array, read_header


def header(text, *, version=(1, 0), length=None):
    size = "<H" if version == (1, 0) else "<I"
    return b"\x93NUMPY" + bytes(version) + struct.pack(size, len(text) if length is None else length) + text


def saved(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version, allow_pickle=False)
    return out.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["|u1", ">f8", "<i4", "|b1", "<U5", "|S3", "<M8[s]", "<c8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_what_numpy_writes_is_read_as_numpy_reads_it(shape, dtype, version):
    array = np.arange(np.prod(shape, dtype=int)).astype("<i8").astype(dtype).reshape(shape)
    for each in (array, np.asfortranarray(array)):
        data = saved(each, version)
        found = read_array(io.BytesIO(data))
        wanted = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(found, wanted)


def test_whole_numbers_as_python_2_wrote_them():
    found = read_header(
        io.BytesIO(header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 13L), }\n"))
    )
    assert found.shape == (2, 13)
    assert found.nbytes == 104


GOOD = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not begin"),
        (b"\x93NUMPY", "does not begin"),
        (header(GOOD, version=(7, 1)), "of version 7.1"),
        (header(GOOD, version=(2, 0), length=1 << 31), "claims 2,147,483,648 bytes"),
        (header(GOOD, length=999), "ends after 57 of 999"),
        (header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3"), "does not describe"),
        (header(b"(" * 5000), "does not describe"),
        (header(b"\x00\xff"), "does not describe"),
        (header(b"-" * 9000 + b"1"), "does not describe"),
        (header(b"[1, 2]"), "lacks descr"),
        (header(GOOD.replace(b"'shape'", b"'shapes'")), "lacks descr"),
        (header(GOOD.replace(b"(2, 3)", b"(2, -3)")), "not a tuple of sizes"),
        (header(GOOD.replace(b"(2, 3)", b"(2, 3.0)")), "not a tuple of sizes"),
        (header(GOOD.replace(b"(2, 3)", b"(True, 3)")), "not a tuple of sizes"),
        (header(GOOD.replace(b"(2, 3)", b"6")), "not a tuple of sizes"),
        (header(GOOD.replace(b"(2, 3)", b"(" + b"9" * 30 + b",)")), "not a tuple of sizes"),
        (header(GOOD.replace(b"(2, 3)", b"(4000000000, 4000000000)")), "more than any file holds"),
        (header(GOOD.replace(b"False", b"0")), "fortran_order"),
        (header(GOOD.replace(b"'<f4'", b"'<q9'")), "none that NumPy knows"),
        (header(GOOD.replace(b"'<f4'", b"4")), "none that NumPy knows"),
        (header(GOOD.replace(b"'<f4'", b"'|V8'")), "none that NumPy knows"),
        (header(GOOD.replace(b"'<f4'", b"'f4,(3'")), "none that NumPy knows"),
        (header(GOOD.replace(b"'<f4'", b"'|S0'")), "none that NumPy knows"),
        (header(GOOD.replace(b"'<f4'", b"[('a', '<f4')]")), "has fields"),
        (header(GOOD.replace(b"'<f4'", b"'|O'")), "pickled Python objects"),
    ],
)  # fmt: skip
def test_what_nobody_may_trust_is_refused(data, message):
    with pytest.raises(CnncliError, match=message):
        read_header(io.BytesIO(data))


def test_a_size_that_the_file_has_not_takes_no_memory():
    data = header(GOOD.replace(b"(2, 3)", b"(500000000000,)")) + b"\0" * 24
    with pytest.raises(CnncliError, match="24 bytes of numbers where shape"):
        read_array(io.BytesIO(data))


def test_fields_that_are_written_as_text_are_none():
    with pytest.raises(CnncliError, match=r"none that NumPy knows|has fields"):
        read_header(io.BytesIO(header(GOOD.replace(b"'<f4'", b"'f4,i4'"))))


@pytest.mark.parametrize("order", ["<", ">"])
def test_letters_that_unicode_has_not_are_refused(order):
    """NumPy hands them on, and Python ends in a SystemError where one becomes text."""
    data = saved(np.array(["ab", "c\U0010ffff"], f"{order}U2"))
    assert read_array(io.BytesIO(data)).tolist() == ["ab", "c\U0010ffff"]
    wrong = data[:-4] + (0x110000).to_bytes(4, "little" if order == "<" else "big")
    with pytest.raises(CnncliError, match="its text holds the letter 0x110000; expected at most 0x10ffff"):
        read_array(io.BytesIO(wrong))
