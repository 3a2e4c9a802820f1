"""The container: the package's own reader as oracle, equal bytes, and damaged or foreign files."""

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from cnncli.errors import CnncliError
from cnncli.training.tensors import as_weights, in_passing, read_tensors, write_tensors

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "a": np.array([[1, -2]], np.int64),
    "empty": np.zeros((0, 3), np.float32),
    "scalar": np.array(3.5, np.float32),
}
METADATA = {"zebra": 'Ünïcode "quoted"', "apple": "{}", "m": ""}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, ARRAYS, METADATA)
    return path


def test_the_package_reads_what_is_written(path):
    with safe_open(path, framework="np") as held:
        assert held.metadata() == METADATA
        assert set(held.keys()) == set(ARRAYS)
        for name, array in ARRAYS.items():
            got = held.get_tensor(name)
            assert got.dtype == array.dtype
            assert got.tobytes() == array.tobytes()
            assert got.shape == array.shape


def test_what_the_package_writes_is_read(tmp_path):
    path = tmp_path / "b.safetensors"
    path.write_bytes(save(ARRAYS, METADATA))
    arrays, metadata = read_tensors(path)
    assert metadata == METADATA
    assert all((arrays[name] == array).all() for name, array in ARRAYS.items())


def test_bf16_is_the_upper_half_of_a_float32(tmp_path):
    """1.0 is 0x3f800000 and -2.5 is 0xc0200000 as float32 (IEEE 754)."""
    header = b'{"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]}}'
    path = tmp_path / "b.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes.fromhex("803f20c0"))
    arrays, _ = read_tensors(path)
    assert arrays["a"].dtype == np.float32
    assert arrays["a"].tolist() == [[1.0], [-2.5]]


def test_a_file_is_mapped_and_a_pipe_is_read(path):
    arrays, _ = read_tensors(path)
    assert not arrays["conv.weight"].flags.owndata
    assert not arrays["conv.weight"].flags.writeable
    pipe = path.with_name("pipe")
    os.mkfifo(pipe)
    threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()), daemon=True).start()
    assert read_tensors(pipe)[0]["scalar"] == 3.5


def _resident(path):
    """Bytes of a mapped file that this process holds in memory."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    found = 0
    for line in lines:
        if line.endswith(str(path)):
            found += next(int(each.split()[1]) for each in lines if each.startswith("Rss:"))
    return 1024 * found


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much memory is in use")
@pytest.mark.parametrize("type_", [np.float32, np.float16])
def test_arrays_in_passing_are_held_one_at_a_time(tmp_path, type_):
    path = tmp_path / "large.safetensors"
    each = (np.arange(1 << 20) % 1000).reshape(1024, 1024).astype(type_)
    write_tensors(path, dict.fromkeys("abcd", each), {})
    arrays, _ = read_tensors(path)
    assert all((arrays[name] == each).all() for name in arrays)
    assert _resident(path) >= 4 * each.nbytes
    weights = as_weights(arrays, path)
    assert _resident(path) < 1.2 * each.nbytes
    for found in in_passing(weights).values():
        assert (found == each).all()
    assert _resident(path) < 1.2 * each.nbytes
    assert all((array == each).all() for array in arrays.values())


@pytest.mark.parametrize("offsets", ["[4,8]", "[0,4],[0,4]"])
def test_gaps_and_overlaps(tmp_path, offsets):
    entries = (
        f'"{name}":{{"dtype":"F32","shape":[1],"data_offsets":{each}}}'
        for name, each in zip("ab", offsets.replace("],[", "] [").split(), strict=False)
    )
    header = ("{" + ",".join(entries) + "}").encode()
    path = tmp_path / "g.safetensors"
    size = 8 if offsets == "[4,8]" else 4
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(CnncliError, match="they overlap, or there are gaps"):
        read_tensors(path)


def test_the_same_content_gives_the_same_bytes(path, python):
    code = (
        "import sys, numpy as np; from pathlib import Path; from cnncli.training.tensors import *\n"
        "arrays, metadata = read_tensors(Path(sys.argv[1]))\n"
        "write_tensors(Path(sys.argv[2]), arrays, dict(reversed(metadata.items())))\n"
    )
    other = path.with_name("other.safetensors")
    python(code, path, other, env={"PYTHONHASHSEED": "77"})
    assert other.read_bytes() == path.read_bytes()


def test_arrays_begin_at_multiples_of_eight(path):
    data = path.read_bytes()
    assert int.from_bytes(data[:8], "little") % 8 == 0


def damaged(data, kind):
    length = int.from_bytes(data[:8], "little")
    return {
        "cut in the header": data[: 8 + length // 2],
        "cut in the arrays": data[:-5],
        "too long": data + b"\0",
        "header of nonsense": data[:8] + b"{" + b"\xff" * (length - 1) + data[8 + length :],
        "header is a list": (16).to_bytes(8, "little") + b'{"a": [1, 2, 3]}',
        "offsets beyond": (62).to_bytes(8, "little")
        + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}        '
        + b"1234",
        "deep": (40_000).to_bytes(8, "little") + b'{"a":' + b"[" * 39_995,
        "metadata of numbers": (28).to_bytes(8, "little") + b'{"__metadata__": {"a": 12} }',
        "unknown type": (56).to_bytes(8, "little")
        + b'{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}   '
        + b"1234",
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "cut in the header",
        "cut in the arrays",
        "too long",
        "header of nonsense",
        "header is a list",
        "offsets beyond",
        "deep",
        "metadata of numbers",
        "unknown type",
    ],
)
def test_damaged_files(path, kind):
    path.write_bytes(damaged(path.read_bytes(), kind))
    with pytest.raises(CnncliError, match="is damaged or cut short") as caught:
        read_tensors(path)
    assert "a.safetensors" in caught.value.message


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest of a zip archive", "PyTorch"),
        (b"\x80\x02}q\x00rest of a pickle", "pickle"),
        (b"\x89PNG\r\n\x1a\nrest", "PNG"),
        (b"hello, this is some text", "not in the safetensors format"),
        ((1 << 40).to_bytes(8, "little") + b'{"a": 1}', "not in the safetensors format"),
    ],
)
def test_foreign_files(tmp_path, start, what):
    path = tmp_path / "f.safetensors"
    path.write_bytes(start)
    with pytest.raises(CnncliError, match=what):
        read_tensors(path)


def test_a_file_that_was_cut_short_says_what_is_missing(path):
    data = path.read_bytes()
    path.write_bytes(data[:-5])
    with pytest.raises(
        CnncliError, match=rf"speaks of {len(data)} bytes, of which {len(data) - 5} are there"
    ):
        read_tensors(path)
    path.write_bytes(data[:40])
    length = int.from_bytes(data[:8], "little")
    with pytest.raises(CnncliError, match=f"its header needs {length} bytes, of which 32 are there"):
        read_tensors(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(CnncliError, match="no such file"):
        read_tensors(tmp_path / "none.safetensors")


def test_pickles_are_never_opened_but_converted(tmp_path):
    path = tmp_path / "resnet18.pth"
    path.write_bytes(b"PK\x03\x04rest of a zip archive")
    with pytest.raises(CnncliError, match="PyTorch") as caught:
        read_tensors(path)
    sentence, load, save = caught.value.hint.split("\n")
    assert "import torch, safetensors.torch" in sentence
    assert load == "  weights = torch.load('resnet18.pth', weights_only=True)"
    assert save == "  safetensors.torch.save_file(weights, 'resnet18.safetensors')"
