"""Native functions: compiled once with Numba, cached as machine code, loaded without Numba or LLVM.

Every native function has one C signature::

    void loop(const Job *job, char *scratch, ssize_t lo, ssize_t hi)

``job`` is a record (see ``jobs.py``) of addresses and numbers, ``scratch`` is memory of the calling
thread, and items ``lo`` to ``hi`` of the job are processed: tiles of an image, rows of a batch. A call
releases the interpreter lock. Native functions only compute: they do not allocate, raise or check; the
caller that fills in the job has checked it.

The module with a native function's body is imported, and Numba with it, only to compile. Code that came
with the package is taken where it fits the processor (`shipped`). The cache is keyed by everything that
determines the machine code: the sources of this package, the versions of Numba, llvmlite and Python, and the
processor's name and features.
"""

import contextlib
import ctypes
import functools
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli import ending, modules
from cnncli.core import cache, linker
from cnncli.core.choices import Target
from cnncli.core.heap import LINE, address_of, aligned_part
from cnncli.core.platforms import Platform, fitting
from cnncli.core.shipped import is_shipped, shipped_code, sources_digest
from cnncli.core.target import choose_target, held_to
from cnncli.errors import CnncliError

# Loop name: the module that defines it as a function `loop`, in alphabetical order.
LOOPS = {
    "above": "cnncli.core.loops.above",
    "affine": "cnncli.core.loops.affine",
    "arithmetic": "cnncli.core.loops.arithmetic",
    "augment": "cnncli.core.loops.augment",
    "bilateral": "cnncli.core.loops.bilateral",
    "bilateral_grid": "cnncli.core.loops.bilateral_grid",
    "box": "cnncli.core.loops.box",
    "box_bytes": "cnncli.core.loops.box_bytes",
    "box_bytes_mixed": "cnncli.core.loops.box_bytes_mixed",
    "box_bytes_wide": "cnncli.core.loops.box_bytes_wide",
    "box_losses": "cnncli.core.loops.box_losses",
    "clahe": "cnncli.core.loops.clahe",
    "clahe_tables": "cnncli.core.loops.clahe_tables",
    "confusions": "cnncli.core.loops.confusions",
    "conv_backward": "cnncli.core.loops.conv_backward",
    "conv_forward": "cnncli.core.loops.conv_forward",
    "conv_pairs": "cnncli.core.loops.conv_pairs",
    "conv_scatter": "cnncli.core.loops.conv_scatter",
    "conv_winograd": "cnncli.core.loops.conv_winograd",
    "curve": "cnncli.core.loops.curve",
    "dense_backward": "cnncli.core.loops.dense_backward",
    "depthwise": "cnncli.core.loops.depthwise",
    "depthwise_backward": "cnncli.core.loops.depthwise_backward",
    "dice": "cnncli.core.loops.dice",
    "direct": "cnncli.core.loops.direct",
    "direct_bytes": "cnncli.core.loops.direct_bytes",
    "direct_pairs": "cnncli.core.loops.direct_pairs",
    "dropout": "cnncli.core.loops.dropout",
    "elementwise": "cnncli.core.loops.elementwise",
    "embed": "cnncli.core.loops.embed",
    "embed_sums": "cnncli.core.loops.embed_sums",
    "enlarge": "cnncli.core.loops.enlarge",
    "enlarge_bytes": "cnncli.core.loops.enlarge_bytes",
    "fft": "cnncli.core.loops.fft",
    "frame": "cnncli.core.loops.frame",
    "hysteresis": "cnncli.core.loops.hysteresis",
    "level_counts": "cnncli.core.loops.level_counts",
    "level_ends": "cnncli.core.loops.level_ends",
    "level_table": "cnncli.core.loops.level_table",
    "limit_norms": "cnncli.core.loops.limit_norms",
    "losses": "cnncli.core.loops.losses",
    "luma_change": "cnncli.core.loops.luma_change",
    "marks": "cnncli.core.loops.marks",
    "mask_overlap": "cnncli.core.loops.mask_overlap",
    "match_objects": "cnncli.core.loops.match_objects",
    "median_f32": "cnncli.core.loops.median_f32",
    "median_histogram": "cnncli.core.loops.median_histogram",
    "median_ranks": "cnncli.core.loops.median_ranks",
    "median_u16": "cnncli.core.loops.median_u16",
    "median_u8": "cnncli.core.loops.median_u8",
    "median_weighted": "cnncli.core.loops.median_weighted",
    "morphology_f32": "cnncli.core.loops.morphology_f32",
    "morphology_u16": "cnncli.core.loops.morphology_u16",
    "morphology_u8": "cnncli.core.loops.morphology_u8",
    "mirror": "cnncli.core.loops.mirror",
    "move_pixels": "cnncli.core.loops.move_pixels",
    "nearest": "cnncli.core.loops.nearest",
    "norm_backward": "cnncli.core.loops.norm_backward",
    "norm_forward": "cnncli.core.loops.norm_forward",
    "norm_moments": "cnncli.core.loops.norm_moments",
    "norm_sums": "cnncli.core.loops.norm_sums",
    "optimise": "cnncli.core.loops.optimise",
    "orthogonal": "cnncli.core.loops.orthogonal",
    "over_time": "cnncli.core.loops.over_time",
    "over_time_backward": "cnncli.core.loops.over_time_backward",
    "over_time_weights": "cnncli.core.loops.over_time_weights",
    "pack": "cnncli.core.loops.pack",
    "paint_digits": "cnncli.core.loops.paint_digits",
    "pair": "cnncli.core.loops.pair",
    "pair_integers": "cnncli.core.loops.pair_integers",
    "polygon_edges": "cnncli.core.loops.polygon_edges",
    "pooling": "cnncli.core.loops.pooling",
    "pooling_backward": "cnncli.core.loops.pooling_backward",
    "program": "cnncli.core.loops.program",
    "reduce": "cnncli.core.loops.reduce",
    "resample": "cnncli.core.loops.resample",
    "resize": "cnncli.core.loops.resize",
    "response_norm": "cnncli.core.loops.response_norm",
    "responses": "cnncli.core.loops.responses",
    "ridges": "cnncli.core.loops.ridges",
    "scale_channels": "cnncli.core.loops.scale_channels",
    "separable": "cnncli.core.loops.separable",
    "separable_bytes": "cnncli.core.loops.separable_bytes",
    "share": "cnncli.core.loops.share",
    "sign_changes": "cnncli.core.loops.sign_changes",
    "similarity": "cnncli.core.loops.similarity",
    "slices": "cnncli.core.loops.slices",
    "spacing": "cnncli.core.loops.spacing",
    "suppress": "cnncli.core.loops.suppress",
    "take": "cnncli.core.loops.take",
    "take_backward": "cnncli.core.loops.take_backward",
    "winograd_backward": "cnncli.core.loops.winograd_backward",
    "winograd_weights": "cnncli.core.loops.winograd_weights",
}

NativeFunction = Callable[[int, int, int, int], None]
_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_ssize_t)
_lock = threading.Lock()
_keep_alive: list[object] = []  # engines own the machine code
_NO_SCRATCH = np.zeros(0, np.uint8)
_compiled_for: Platform | None = None  # instead of this processor


def run(
    name: str, job: NDArray[np.void], count: int, *, threads: int, scratch_bytes: int = 0
) -> list[NDArray[np.uint8]]:
    """Run a native function over all items of a job.

    Parameters
    ----------
    name : str
        A key of `LOOPS`.
    job : ndarray, shape (1,)
        The record that the function reads. Arrays it points to must outlive the call.
    count : int
        Number of items in the job.
    threads : int
        Threads to spread the items over.
    scratch_bytes : int
        Zeroed memory for each thread, aligned to 64 bytes.

    Returns
    -------
    list of ndarray
        The scratch of each thread, where loops store their counts.
    """
    function = native_function(name)
    workers = max(1, min(threads, count))
    scratches = [aligned_zeros(scratch_bytes) if scratch_bytes else _NO_SCRATCH for _ in range(workers)]
    addresses = [address_of(scratch) if scratch_bytes else 0 for scratch in scratches]
    if workers == 1:
        function(address_of(job), addresses[0], 0, count)
    else:
        from cnncli.core.crew import share

        loop = native_function("share")
        share(loop, address(name), address_of(job), addresses, count, architecture=processor()[0])
    return scratches


def native_function(name: str) -> NativeFunction:
    """Load a native function, compiling it first if its code is not in the cache."""
    with _lock:
        return _load(name)[0]


def address(name: str) -> int:
    """Address of a native function, for native functions that call it."""
    with _lock:
        return _load(name)[1]


def prepare(names: Sequence[str], *, processes: int) -> None:
    """Compile those of several native functions that are missing, in several processes at once.

    Numba compiles one function at a time per process. What another process cannot compile or cache is
    compiled here when it is first called.

    Parameters
    ----------
    names : sequence of str
        Keys of `LOOPS`.
    processes : int
        Processes to spread the work over, this one included.
    """
    folder = cache.cache_folder()
    missing = [name for name in dict.fromkeys(names) if folder is not None and not _is_there(folder, name)]
    helpers = min(processes, len(missing)) - 1
    if helpers < 1 or not sys.executable:
        return
    starts = [len(missing) * helper // (helpers + 1) for helper in range(1, helpers + 1)]
    with contextlib.ExitStack() as others:
        for start in starts:
            others.enter_context(_helper_process([*missing[start:], *missing[:start]]))
        compile_missing(missing)


@contextlib.contextmanager
def _helper_process(names: Sequence[str]) -> Iterator[None]:
    """Another process that compiles; waited for, or terminated if this one fails."""
    import subprocess

    code = f"from cnncli.core.precompile import main; main({list(names)!r})"
    none = subprocess.DEVNULL
    other = subprocess.Popen(modules.isolated(code), stdin=none, stdout=none, stderr=none)
    try:
        with ending.helper(other):
            yield
            other.wait()
    finally:
        if other.poll() is None:
            other.terminate()
            other.wait()


def compile_missing(names: Sequence[str]) -> None:
    """Compile those of several native functions that are missing and not being compiled elsewhere."""
    folder = cache.cache_folder()
    if folder is None:
        return
    for name in names:
        if not _is_there(folder, name) and not cache.is_being_compiled(_path(folder, name)):
            native_function(name)


@functools.cache
def processor() -> tuple[str, str, str, Target]:
    """Architecture, model and features, from the Linux kernel if possible, and the chosen target."""
    if _compiled_for is not None:
        features = " ".join(sorted(_compiled_for.features))
        return _compiled_for.architecture, _compiled_for.name, features, _compiled_for.target
    told = _linux_processor()
    if told is None:
        llvm = _llvm()
        features = llvm.get_host_cpu_features()
        present = " ".join(sorted(name for name, there in features.items() if there))
        told = llvm.get_process_triple().split("-")[0], llvm.get_host_cpu_name(), present
    architecture, model, features = told
    return architecture, model, features, choose_target(architecture, frozenset(features.split()))


def compile_for(platform: Platform) -> None:
    """Let this process, which has loaded no loop yet, compile for other processors, to ship the code."""
    global _compiled_for  # noqa: PLW0603 - vectors have one length in a process
    _compiled_for = platform
    forget()


@functools.cache
def _platform() -> Platform | None:
    """The platform whose code fits this processor, if there is one."""
    architecture, _, features, target = processor()
    return fitting(architecture, frozenset(features.split()), target)


def _linux_processor() -> tuple[str, str, str] | None:
    """The Linux kernel's description of the first processor, which needs no library."""
    if sys.platform != "linux":
        return None
    try:
        first = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0]
    except OSError:
        return None
    lines = (line.partition(":") for line in first.splitlines())
    facts = {name.strip().lower(): value.strip() for name, _, value in lines}
    features = facts.get("flags") or facts.get("features")
    if not features:
        return None
    identity = ("vendor_id", "cpu family", "model", "model name", "stepping", "cpu implementer", "cpu part")
    model = " ".join(facts[name] for name in identity if name in facts)
    return os.uname().machine, model, features


@functools.cache
def _load(name: str) -> tuple[NativeFunction, int]:
    """A native function, and its address."""
    code = _cached_code(name)
    address = (
        linker.place(code)[_symbol(name)] if code.startswith(linker.MAGIC) else _load_by_llvm(code, name)
    )
    function: NativeFunction = _SIGNATURE(address)
    return function, address


def _load_by_llvm(code: bytes, name: str) -> int:
    """Address of a function in object code that our linker does not support."""
    llvm = _llvm()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine(), use_lmm=True)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _keep_alive.append(engine)
    return int(engine.get_function_address(_symbol(name)))


def _cached_code(name: str) -> bytes:
    """The code of a loop, from the package or the cache, or compiled and then cached."""
    shipped = shipped_code(name, _platform())
    if shipped is not None:
        return shipped
    folder = cache.cache_folder()
    if folder is None:
        return compiled(name)
    path = _path(folder, name)
    code = cache.read_cached(path)
    if code is None:
        with cache.compiling(path):
            code = cache.read_cached(path)
            if code is None:
                code = compiled(name)
                cache.keep(path, code)
    return code


def _is_there(folder: Path, name: str) -> bool:
    """Whether a loop needs no compilation."""
    return is_shipped(name, _platform()) or _path(folder, name).exists()


def _path(folder: Path, name: str) -> Path:
    """The file of a loop's code in the cache."""
    return folder / "native" / f"{name}-{_key()}.o"


def compiled(name: str) -> bytes:
    """Compile a loop: a block, or an object file where the linker makes none for the processor.

    Raises
    ------
    CnncliError
        If Numba, which only compiling needs, is not installed.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"compiling {name} for this processor (once) …", file=sys.stderr, flush=True)
    try:
        from cnncli.core.compiler import compile_loop
    except ModuleNotFoundError as missing:
        package = (missing.name or "numba").partition(".")[0]
        raise CnncliError(
            f"{package} is not installed, and cnncli came without machine code for this processor",
            "Install what compiles it: pip install numba",
        ) from missing

    code = compile_loop(LOOPS[name], _symbol(name), _target_machine())
    return linker.link(code) or code


def _symbol(name: str) -> str:
    return f"cnncli_{name}"


@functools.cache
def _key() -> str:
    """Digest of everything that determines the machine code."""
    facts = (_version("llvmlite"), _version("numba"), sys.version_info[:2], processor())
    return cache.digest(repr(facts).encode() + b"\0" + sources_digest()).hex()[:32]


def _version(package: str) -> str:
    """A package's version without importing it: Numba takes a quarter of a second."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return "absent"
    return (Path(found.origin).parent / "_version.py").read_text()


@functools.cache
def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _target_machine() -> Any:
    llvm = _llvm()
    if _compiled_for is not None:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        return llvm.Target.from_triple(_compiled_for.triple).create_target_machine(
            cpu=_compiled_for.cpu, opt=3, reloc="pic", codemodel="small", jit=True
        )
    architecture, _, features, target = processor()
    level = held_to(target, architecture, frozenset(features.split()))
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=level or llvm.get_host_cpu_name(),
        features="" if level else llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="small",
        jit=True,
    )


def aligned_zeros(size: int) -> NDArray[np.uint8]:
    """Zeroed bytes that start on a cache line."""
    return aligned_part(np.zeros(size + LINE, np.uint8))


def forget() -> None:
    """Drop what this process has loaded, so that the next call reads the cache again."""
    with _lock:
        _load.cache_clear()
        _key.cache_clear()
        _platform.cache_clear()
        processor.cache_clear()


def cached_loops() -> list[str]:
    """Names of the loops in the cache, for this version on this processor."""
    folder = cache.cache_folder()
    if folder is None:
        return []
    return [name for name in LOOPS if _path(folder, name).exists()]
