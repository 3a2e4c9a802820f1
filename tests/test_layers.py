"""Imports point down only, and what is heavy is imported only where it is needed."""

import ast
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnncli

PACKAGE = Path(cnncli.__file__).parent
FLOORS = {
    "checked": 0.5,
    "text": 0,
    "nearest": 0,
    "table": 0,
    "errors": 0.5,
    "records": 0,
    "ending": 0,
    "modules": 0,
    "threaded": 0,
    "files": 0.7,
    "core": 1,
    "images": 1,
    "filters": 2,
    "nn": 2,
    "models": 3,
    "data": 3,
    "attribution": 3,
    "tasks": 4,
    "training": 5,
    "views": 6,
    "onnx": 6,
    "cli": 7,
}
GROUND = ("errors", "text", "nearest", "table", "records", "ending", "modules", "threaded", "files")
# Narrower than "everything on a lower floor".
ONLY = {
    "checked": {"text"},
    "text": set(),
    "nearest": set(),
    "table": set(),
    "errors": {"text"},
    "records": set(),
    "ending": set(),
    "modules": set(),
    "threaded": set(),
    "files": {"ending", "errors", "text"},
    "core": {*GROUND},
    "images": {*GROUND},
    "nn": {"core", "checked", *GROUND},
    "filters": {"core", "images", *GROUND},
    # Methods ask for a network alone, whatever its task, so that a user of the library can too.
    "attribution": {"nn", *GROUND},
    "models": {"nn", "images", "core", "checked", *GROUND},
    "data": {"nn", "images", "core", "checked", *GROUND},  # checked: annotations are JSON from outside
}
# Distributions that one folder alone may import.
OWNERS = {"numba": "core", "llvmlite": "core", "PIL": "images", "onnx": "onnx", "onnxruntime": "onnx"}
OWNERS |= {"mpi4py": "core", "distributed": "cli", "fsspec": "cli"}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def folder_of(path):
    """The floor's name: the folder, or the module that lies beside the folders."""
    inside = path.relative_to(PACKAGE).parts
    return inside[0] if len(inside) > 1 else path.stem


def imported(source, module):
    """Absolute names of all that a module imports, at its top, in functions, and by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module[: len(module) - node.level] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (
                a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            )


def faults(folder, names):
    """What a module of a folder may not import."""
    for name in names:
        first, _, rest = name.partition(".")
        if first in OWNERS and OWNERS[first] != folder:
            yield f"only {OWNERS[first]} imports {first}"
        if first != "cnncli" or folder in ("__main__", "__init__"):
            continue
        other = rest.split(".")[0]
        if other in ("", "__version__", folder):
            continue
        if other not in FLOORS:
            yield f"{other} stands on no floor"
        elif FLOORS[other] >= FLOORS[folder] or (folder in ONLY and other not in ONLY[folder]):
            yield f"{folder} may not import {other}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path):
    module = ["cnncli", *path.relative_to(PACKAGE).with_suffix("").parts]
    folder = folder_of(path)
    assert folder in FLOORS or folder in ("__init__", "__main__")
    found = list(faults(folder, imported(path.read_text(encoding="utf-8"), module)))
    assert not found, f"{path.relative_to(PACKAGE)}: {'; '.join(found)}"


@pytest.mark.parametrize(
    ("folder", "line", "fault"),
    [
        ("core", "from cnncli.images.read import read", "core may not import images"),
        ("core", "import cnncli.filters", "core may not import filters"),
        ("core", "from ..filters import spec", "core may not import filters"),
        ("filters", "def f():\n    from cnncli.nn import layer", "filters may not import nn"),
        ("nn", "from cnncli.images.read import read", "nn may not import images"),
        ("models", "from cnncli.filters.spec import parse_spec", "models may not import filters"),
        ("data", "import cnncli.models.lenet", "data may not import models"),
        ("views", "from cnncli.cli import app", "views may not import cli"),
        ("filters", "import numba", "only core imports numba"),
        ("cli", "from llvmlite import binding", "only core imports llvmlite"),
        ("views", "def f():\n    from PIL import Image", "only images imports PIL"),
        ("filters", "importlib.import_module('cnncli.cli.app')", "filters may not import cli"),
        ("views", "from cnncli.helpers import x", "helpers stands on no floor"),
        ("cli", "from cnncli.filters.spec import parse_spec", None),
        ("filters", "from cnncli.core import native", None),
        ("tasks", "from cnncli.filters.spec import parse_spec", None),
    ],
)
def test_the_rules_find_what_they_are_for(folder, line, fault):
    found = list(faults(folder, imported(line, ["cnncli", folder, "module"])))
    assert found == ([fault] if fault else [])


# Circles


def imports_among(sources):
    """Of each module the modules of cnncli that it imports, at its top or in a function; types apart."""
    modules = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sources
    }
    found = {}
    for name, path in modules.items():
        parts = [*path.relative_to(PACKAGE.parent).with_suffix("").parts]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = [ast.Pass()]
        every = imported(ast.unparse(tree), parts)
        near = (each if each in modules else each.rpartition(".")[0] for each in every)
        found[name] = {each for each in near if each in modules and each != name}
    return found


def circles(graph):
    """Modules that reach each other: each set of them that is larger than one."""

    def reached(start):
        seen, left = set(), [start]
        while left:
            new = graph[left.pop()] - seen
            seen |= new
            left += new
        return seen

    reach = {name: reached(name) for name in graph}
    return {
        frozenset(other for other in reach[name] if name in reach[other])
        for name in graph
        if name in reach[name]
    }


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(graph) == {frozenset("bc")}


def test_modules_import_each_other_in_no_circle():
    assert [sorted(circle) for circle in circles(imports_among(SOURCES))] == []


# What a process imports

HEAVY = ("numba", "llvmlite", "numpy", "PIL", "rich", "scipy")
HELP = """
import sys
import cnncli.__main__
from cnncli.cli.run import prepare_process, run
prepare_process()
code = run(sys.argv[1:])
print("imported:", *sorted({name.split(".")[0] for name in sys.modules}))
sys.exit(code)
"""


@pytest.mark.parametrize("words", [["--help"], ["convolve", "--help"], ["kernels", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(python, words):
    done = python(HELP, *words)
    assert done.stdout.startswith(("Usage", " \n", "\n", "cnncli "))
    names = done.stdout.split("imported:")[1].split()
    assert "cnncli" in names
    assert not set(HEAVY) & set(names)


FILTER = """
import sys
import numpy as np
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

depth = Depth(np.dtype(np.uint8), 255.0)
frame = np.arange(600, dtype=np.uint8).reshape(20, 30, 1)
for spec in ("sharpen", "gaussian:sigma=5", "box:9", "sobel"):
    how = {"alpha": False, "source": depth, "target": depth, "threads": 2}
    done = apply_filters(frame, [parse_spec(spec)], Options(), **how)
    print(spec, done.plans[0].way, int(done.pixels.sum()))
print("imported:", *sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_compiled_filters_import_no_numba(python):
    first, second = (python(FILTER).stdout.split("imported:") for _ in range(2))
    assert first[0] == second[0]
    assert [line.split()[1] for line in second[0].splitlines()] == ["direct", "separable", "box", "gradient"]
    names = second[1].split()
    assert "numpy" in names
    assert not {"numba", "llvmlite", "PIL", "scipy", "rich"} & set(names)


def test_the_core_is_imported_without_numba(python):
    done = python("import sys, cnncli.core.native; print('numba' in sys.modules, 'llvmlite' in sys.modules)")
    assert done.stdout.split() == ["False", "False"]


# What a warm command imports of ours: each module costs 0.2 to 1 ms of its start. One that you add is to be
# imported where it is needed, inside a function, unless every such command needs it: then add it here.
WARM = {
    "compare": {
        "": "checked ending errors modules nearest records text threaded",
        "cli": "compare compared exit_codes late messages metadata_notes names options options.compare "
        "options.convolve options.model options.shared outputs plain result_form run streams task values",
        "core": "cache choices heap jobs linker luma native platforms shipped target threads tiling",
        "files": "atomic drafts faults",
        "filters": (
            "apply borders color entry execute histogram mapping model named options rgbx run similarity spec"
        ),
        "images": (
            "arrow decode decoding_limits encode formats large levels limits metadata metadata_reading "
            "opening picture pillow_pixels png_chunks read row_source trailing_bytes"
        ),
    },
    "convolve": {
        "": "ending errors modules records text threaded",
        "cli": "batch convolve exit_codes late messages metadata_notes names options options.convolve "
        "options.model options.shared outputs plain result_form run streams task values",
        "files": "atomic drafts faults",
        "core": "cache choices heap jobs linker luma native platforms shipped target threads tiling",
        "filters": (
            "apply borders color derivatives entry execute kinds kinds.gradient mapping model named options "
            "run rgbx spec"
        ),
        "images": (
            "arrow png_chunks decode decoding_limits encode formats large limits metadata metadata_reading "
            "opening picture pillow_pixels png read row_source trailing_bytes"
        ),
    },
    "predict": {
        "": "checked ending errors modules records text",
        "cli": "answers exit_codes late listing messages names options options.model options.predict "
        "options.shared plain predict row_writers run streams trained values",
        "core": (
            "cache choices workers heap linker luma native nn_jobs platforms program shipped target threads"
        ),
        "data": "conversion digits prepare shipped",
        "files": "faults",
        "images": "decoding_limits formats picture png_read resize",
        "models": "architecture grammar",
        "nn": (
            "algorithms algorithms.depthwise algorithms.direct algorithms.gather algorithms.outer "
            "algorithms.pairs algorithms.scatter algorithms.winograd calls chunks elementwise exchange "
            "folding fusion graph inference init layer layers layers.activation layers.clips layers.combine "
            "layers.convolution layers.dropout layers.linear layers.normalisation layers.pooling "
            "layers.upsampling losses memory network objective optimisers orthogonal schedule schedules "
            "slots step window"
        ),
        "tasks": "classification preprocessing softmax task",
        "training": "checkpoint tensors",
    },
    "--help": {
        "": "ending errors records",
        "cli": "app examples exit_codes help_pages messages plain run options options.cnncli "
        "options.compare options.convolve options.draw options.evaluate options.explain options.export "
        "options.featuremaps "
        "options.formats options.help options.kernels options.model options.models options.predict "
        "options.samples options.search options.shared options.train options.weights",
    },
}
OWN = """
import sys
import cnncli.__main__
from cnncli.cli.run import prepare_process, run
prepare_process()
code = run(sys.argv[1:])
print("\\nown:", *(name.removeprefix("cnncli.") for name in sys.modules if name.startswith("cnncli.")))
sys.exit(code)
"""


@pytest.mark.parametrize("command", WARM)
def test_warm_commands_import_what_they_need(python, tmp_path, command):
    Image.fromarray(np.arange(784, dtype=np.uint8).reshape(28, 28)).save(tmp_path / "in.png")
    words = {
        "compare": [command, tmp_path / "in.png", tmp_path / "in.png"],
        "convolve": [command, tmp_path / "in.png", "-k", "sobel", "-o", tmp_path / "out.png"],
        "predict": [command, tmp_path / "in.png"],
        "--help": [command],
    }[command]
    python(OWN, *words)  # compiles what is not compiled yet
    found = set(python(OWN, *words).stdout.split("own:")[1].split())
    folders = {folder for folder in WARM[command] if folder}
    expected = {
        f"{folder}.{name}".strip(".") for folder, names in WARM[command].items() for name in names.split()
    }
    assert found == {"__main__", *folders, *expected}
