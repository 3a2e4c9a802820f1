"""Modules are looked for where they are installed: nothing that lies beside pictures is ever run."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnncli
from cnncli import modules

ROOT = Path(cnncli.__file__).parent.parent
# What the commands, the compiling process and the libraries import, early and late.
PLANTED = ("numpy", "numba", "llvmlite", "json", "yaml", "typer", "rich", "PIL", "sitecustomize")
SPY = "import os, sys\nopen(os.environ['SPIED'], 'a').write(__name__ + '\\n')\nraise SystemExit(99)\n"
COMMANDS = {
    "convolve": ("convolve", "a.png", "-k", "sobel", "-o", "b.png"),
    "predict": ("predict", "a.png", "--json"),
    "train": ("train", "bars.npz", "-m", "conv4 relu gap fc", "--epochs", "1", "-o", "run"),
}


@pytest.fixture
def folder(tmp_path):
    """A folder of downloads, with code in it; what that code writes when it is run comes back."""
    here = tmp_path / "downloads"
    here.mkdir()
    for name in PLANTED:
        (here / f"{name}.py").write_text(SPY)
    (here / ".numba_config.yaml").write_text("disable_jit: 1\n")
    values = np.random.default_rng(1).integers(0, 256, (16, 8, 8), dtype=np.uint8)
    Image.fromarray(values[0]).save(here / "a.png")
    data = {"x": values, "y": np.arange(16) % 2}
    np.savez(here / "bars.npz", **{f"{k}_{part}": v for k, v in data.items() for part in ("train", "test")})
    return here


def spied(folder, command, tmp_path, **variables):
    """Run a command on a cold cache; which planted modules were executed, and its exit code."""
    log = tmp_path / "spied"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SPIED": str(log), **variables},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return log.read_text().split() if log.exists() else [], done.returncode, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_in_the_current_folder_is_run(folder, tmp_path, name):
    script = tmp_path / "bin" / "cnncli"  # as pip makes it, with other files beside it
    script.parent.mkdir()
    script.write_text("from cnncli.__main__ import main\nmain()\n")
    (script.parent / "numpy.py").write_text(SPY)
    (folder / "cnncli" / "core").mkdir(parents=True)
    for package in (folder / "cnncli", folder / "cnncli" / "core"):
        (package / "__init__.py").write_text(SPY)
    command = [sys.executable, script, *COMMANDS[name], "--threads", "2"]
    cold = tmp_path / "cold"
    found, code, err = spied(folder, command, tmp_path, CNNCLI_CACHE_DIR=str(cold))
    assert (found, code) == ([], 0), err
    assert list((cold / "native").glob("*.o"))


@pytest.mark.parametrize("path", ["{root}", "{root}:", ":{root}"])
def test_started_as_a_module_and_with_an_empty_word_in_the_path(folder, tmp_path, path):
    command = [sys.executable, "-m", "cnncli", *COMMANDS["convolve"]]
    command = command if path == "{root}" else [sys.executable, "-P", *command[1:]]
    (folder / "sitecustomize.py").unlink()  # Python itself runs it, before cnncli begins
    found, code, err = spied(folder, command, tmp_path, PYTHONPATH=path.format(root=ROOT))
    assert (found, code) == ([], 0), err


def test_a_process_that_helps_compiling_finds_what_it_is_told_and_nothing_else(folder, tmp_path):
    code = "import numpy, numba, llvmlite, json, cnncli.core.precompile; print(*sys.path, sep='\\n')"
    done = subprocess.run(
        modules.isolated(code), cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    paths = done.stdout.splitlines()
    assert str(ROOT) in paths
    assert str(Path(np.__file__).parent.parent) in paths
    assert not {"", ".", str(folder)} & set(paths)


def test_a_program_in_an_archive_keeps_its_modules(tmp_path):
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (ROOT / "cnncli").rglob("*.py"):
            file.write(path, path.relative_to(ROOT))
        file.writestr("__main__.py", "from cnncli.__main__ import main\nmain()\n")
    done = subprocess.run(
        [sys.executable, archive, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip
    assert done.stdout == f"cnncli {cnncli.__version__}\n", done.stderr


LOGGING = """
import logging
from cnncli.images.opening import configure_pillow
configure_pillow(1000)
logging.getLogger("PIL.TiffImagePlugin").error("of Pillow")
logging.getLogger("urllib3").warning("of another")
"""


def test_what_libraries_log_stays_off_standard_error(python):
    assert python(LOGGING).stderr == ""
