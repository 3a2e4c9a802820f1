"""The SPEC grammar: a name with parameters, a matrix, ImageMagick's matrix, a file, or an expression."""

import os
import re
from collections.abc import Callable
from functools import partial
from zlib import crc32

from cnncli.errors import CnncliError
from cnncli.filters.entry import Entry, file_words, see, write_number
from cnncli.filters.model import Filter, Weights
from cnncli.filters.named import build_named, find_entry, values_of

_SIZED = re.compile(r"\s*[0-9]+\s*(?:[xX]\s*[0-9]+\s*)?(?:[+-][0-9]+[+-][0-9]+)?\s*[@<>]*\s*:")
_NUMERIC = re.compile(r"\s*(?:[+-]?[0-9.]|[−,;/-]|[+-]?(?:nan|inf(?:inity)?)\b)", re.IGNORECASE)
_ROWS = re.compile(r"\s*\[(\s*\[[^\[\]]+\](?:\s*(?:,\s*)?\[[^\[\]]+\])*\s*|[^\[\]]+)\]\s*")

_CALCULATES = re.compile(r"[*(\[]|(?:^|\s)[-+/\N{MINUS SIGN}\N{EN DASH}]")
_UNSPACED = re.compile(r"[\w.]([-+/])([A-Za-z]+(?::.*)?)$")
_AXIS = re.compile(r"\s*([a-z]+)[_-]([xy])\s*", re.IGNORECASE)

_FORMS = (
    "Write a name (see: cnncli kernels), a matrix such as '0 -1 0; -1 5 -1; 0 -1 0', a file, or "
    "'gaussian:3 - gaussian:1'."
)


def parse_spec(text: str, *, read_image: Callable[[str], Weights] | None = None) -> Filter:
    """Turn a SPEC into a filter.

    Parameters
    ----------
    text : str
        ``name``, ``name:size=5,sigma=1.2``, ``0 -1 0; -1 5 -1; 0 -1 0``,
        ``3x3: 0,-1,0 -1,5,-1 0,-1,0``, ``[[0, -1], [1, 0]]``,
        a file (.txt .csv .json .npy, or an image), or arithmetic with kernels: ``gaussian:3 - gaussian:1``.
    read_image : callable, optional
        Reads an image file as gray weights of shape (kh, kw), 0 to 1; by default `cnncli.images`.

    Returns
    -------
    Filter
        With weights as written for convolution, float64.

    Raises
    ------
    CnncliError
        If the text is none of these, or a number is invalid.
    """
    text = _with_axis(text)
    head, colon, rest = text.partition(":")
    entry = find_entry(head)
    reads_rest = colon and entry is not None and entry.operand
    if not reads_rest and _CALCULATES.search(text) and not os.path.isfile(text.strip()):  # noqa: PTH113
        from cnncli.filters.arithmetic import is_arithmetic, parse_arithmetic

        if is_arithmetic(text):
            return parse_arithmetic(text, partial(parse_spec, read_image=read_image))
    if entry is not None:
        if not colon:
            return entry.make({})
        try:
            return build_named(entry, rest)
        except CnncliError as fault:
            raise _with_spelling(fault, text, entry) from None
    # Imported here, as named kernels do not need them: that halves the 14 ms of this import.
    from cnncli.filters.kernelfile import is_file_name, read_kernel_file
    from cnncli.filters.matrix import custom, parse_matrix, parse_sized

    if _SIZED.match(text):
        return parse_sized(text)
    if is_file_name(text):
        return read_kernel_file(text.strip(), read_image=read_image)
    if text.lstrip().startswith("["):
        return custom(_parse_lists(text))
    if _NUMERIC.match(text):
        return custom(parse_matrix(text))
    raise _unknown(text, head)


def _with_axis(text: str) -> str:
    """``sobel:x`` for ``sobel_x``, and so for all derivatives along an axis."""
    found = _AXIS.fullmatch(text)
    entry = None if found is None else find_entry(found[1])
    if found is None or entry is None or find_entry(text) is not None:
        return text
    choices = next((each.choices for each in entry.parameters if each.name == "output"), ())
    return f"{found[1]}:{found[2]}" if found[2].lower() in choices else text


def name_for_files(text: str, filter: Filter) -> str:
    """A name for output files that tells SPECs apart.

    Parameters
    ----------
    text : str
        The SPEC.
    filter : Filter
        The filter it describes.

    Returns
    -------
    str
        ``sobel-x`` for ``sobel:x``, ``gaussian-sigma2`` for ``gaussian:sigma=2``: the parameters that are not
        the defaults. A matrix is ``custom-`` and its checksum; a file has its name before the checksum, as
        another folder may hold another kernel under that name.
    """
    head, _, rest = _with_axis(text).partition(":")
    entry = find_entry(head)
    if entry is None or entry.name != filter.name:
        return f"{filter.name}-{_checksum(filter)}"
    parts = [entry.name]
    for key, value in (values_of(entry, rest) if rest else {}).items():
        parameter = entry.parameter(key)
        written = write_number(value)
        if parameter.kind == "file":
            parts.append(f"{file_words(written)}-{crc32(written.encode(errors='surrogateescape')):08x}")
        elif parameter.kind in ("size", "area"):
            from cnncli.filters.geometry import for_files

            parts.append(for_files(written))
        elif written != parameter.default:
            parts.append(written if parameter.kind == "choice" else f"{parameter.name}{written}")
    return "-".join(parts)


def _checksum(filter: Filter) -> str:
    return f"{crc32(repr((filter.anchor, filter.kernels[0].tolist())).encode()):08x}"


def _with_spelling(fault: CnncliError, text: str, entry: Entry) -> CnncliError:
    """The same error, with a corrected SPEC as its hint if only the punctuation is wrong."""
    from cnncli.filters.aliases import corrected_spec
    from cnncli.nearest import meant

    if (apart := _UNSPACED.search(text)) is not None and find_entry(apart[2].partition(":")[0]) is not None:
        hint = f"Write a blank on both sides of {apart[1]!r} to calculate with kernels."
        return CnncliError(fault.message, hint)
    spec = corrected_spec(text)
    return CnncliError(fault.message, meant(f"-k {spec}", see(entry.name))) if spec else fault


def _parse_lists(text: str) -> Weights:
    import json

    from cnncli.filters.kernelfile import weights_of_lists

    try:
        rows = json.loads(text)
    except RecursionError:
        raise CnncliError(
            f"kernel {text[:40]!r} is not a list of lists: it is nested too deeply", _FORMS
        ) from None
    except json.JSONDecodeError as fault:
        if (rows := _ROWS.fullmatch(text)) is not None:  # as written by MATLAB and NumPy, without commas
            return _bracketed(rows[1])
        raise CnncliError(f"kernel {text[:40]!r} is not a list of lists: {fault}", _FORMS) from None
    except ValueError:  # Python refuses integers of more than 4,300 digits
        raise CnncliError(f"kernel {text[:40]!r} holds a number of thousands of digits", _FORMS) from None
    return weights_of_lists(rows, where="kernel")


def _bracketed(text: str) -> Weights:
    """Read the inside of MATLAB's (``[0 -1; 1 0]``) and NumPy's (``[[0 -1] [1 0]]``) outer brackets."""
    from cnncli.filters.matrix import parse_matrix

    if "[" in text:  # NumPy wraps long rows over several lines
        text = ";".join(row.replace("\n", " ") for row in re.findall(r"\[([^\[\]]+)\]", text))
    return parse_matrix(text)


def _unknown(text: str, head: str) -> CnncliError:
    if not text.strip():
        return CnncliError("the kernel is empty; expected a name, a matrix or a file", _FORMS)
    from cnncli.filters.aliases import suggest_spec

    hint = suggest_spec(text) or _FORMS
    return CnncliError(f"unknown kernel {text.strip()!r}; expected a name, a matrix or a file", hint)
