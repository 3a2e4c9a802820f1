"""Link object code into one position-independent block, and load a block into memory.

A linker for LLVM's output for native functions on 64-bit x86 Linux: code and constants with relative
references. Loading such a block takes a page mapping; loading an object file through llvmlite takes 60 ms
more, a third of a whole command. Other kinds of objects are left unchanged.

Source: System V ABI, AMD64 supplement, chapter 4 (object files, relocation).
"""

import ctypes
import mmap
import os
import struct

from cnncli.errors import CnncliError
from cnncli.records import record

MAGIC = b"cnncli-block-1\n"

_ELF64_LITTLE_X86 = (b"\x7fELF\x02\x01", 62)
_SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, address, offset, size, link, info, align, entry
_SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
_RELOCATION = struct.Struct("<QQq")  # offset, symbol << 32 | type, addend
_PROGBITS, _SYMTAB, _RELA, _NOBITS = 1, 2, 4, 8
_ALLOCATED = 2
_WRITABLE = 1
_RELATIVE = (2, 4)  # R_X86_64_PC32 and R_X86_64_PLT32: S + A - P in 32 bits
_UNDEFINED = 0
# jmp *0(%rip), followed by the address to jump to.
_STUB = b"\xff\x25\0\0\0\0" + bytes(8)
_STUB_ADDRESS = 6


@record
class _Section:
    kind: int
    flags: int
    data: bytes
    link: int
    info: int
    align: int
    size: int


def link(code: bytes) -> bytes | None:
    """Link an object file into one block.

    Parameters
    ----------
    code : bytes
        An object file.

    Returns
    -------
    bytes or None
        `MAGIC`, a line of words (``entry NAME OFFSET`` for entry points, ``call NAME OFFSET`` for jumps to
        the C library that have to be patched), and the block; None for an unsupported kind of object.
    """
    sections = _sections(code)
    if sections is None:
        return None
    block = bytearray()
    places: dict[int, int] = {}
    for index, section in enumerate(sections):
        if section.kind in (_PROGBITS, _NOBITS) and section.flags & _ALLOCATED:
            if section.flags & _WRITABLE and section.size:
                return None
            block += bytes(-len(block) % max(section.align, 1))
            places[index] = len(block)
            block += section.data
    table = next((section for section in sections if section.kind == _SYMTAB), None)
    if table is None:
        return None
    symbols = list(_SYMBOL.iter_unpack(table.data))
    names = sections[table.link].data
    calls: dict[str, int] = {}
    for section in sections:
        if section.kind == _RELA and section.info in places:
            for offset, info, addend in _RELOCATION.iter_unpack(section.data):
                if info & 0xFFFFFFFF not in _RELATIVE:
                    return None
                name, _, _, home, value, _ = symbols[info >> 32]
                if home == _UNDEFINED:
                    target = _stub(block, calls, _text(names, name))
                elif home in places:
                    target = places[home] + value
                else:
                    return None
                at = places[section.info] + offset
                struct.pack_into("<i", block, at, target + addend - at)
    entries = {
        _text(names, name): places[home] + value
        for name, info, _, home, value, _ in symbols
        if info >> 4 == 1 and home in places  # global and defined here
    }
    facts = [("entry", *each) for each in sorted(entries.items())] + [
        ("call", *each) for each in calls.items()
    ]
    head = " ".join(f"{kind} {name} {at}" for kind, name, at in facts)
    return MAGIC + head.encode() + b"\n" + bytes(block)


def place(block: bytes) -> dict[str, int]:
    """Load a block into executable memory.

    Parameters
    ----------
    block : bytes
        From `link`.

    Returns
    -------
    dict
        Address of each entry point. The memory is never freed: code may run until the process ends.

    Raises
    ------
    CnncliError
        If the system refuses executable memory.
    """
    head, _, code = block[len(MAGIC) :].partition(b"\n")
    words = head.decode().split()
    facts = list(zip(words[::3], words[1::3], map(int, words[2::3]), strict=True))
    image = bytearray(code)
    library = ctypes.CDLL(None, use_errno=True)
    for name, at in ((name, at) for kind, name, at in facts if kind == "call"):
        address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        struct.pack_into("<Q", image, at + _STUB_ADDRESS, address)
    memory = mmap.mmap(-1, len(code), prot=mmap.PROT_READ | mmap.PROT_WRITE)
    memory[:] = bytes(image)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    library.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if library.mprotect(base, len(code), mmap.PROT_READ | mmap.PROT_EXEC):
        raise CnncliError(
            f"the system refuses executable memory: {os.strerror(ctypes.get_errno())}",
            "Allow this program to run generated code (SELinux: execmem), as Numba needs it too.",
        )
    _placed.append(memory)
    return {name: base + at for kind, name, at in facts if kind == "entry"}


_placed: list[mmap.mmap] = []


def _sections(code: bytes) -> list[_Section] | None:
    """The sections of an ELF object for 64-bit x86; None for anything else."""
    magic, machine = _ELF64_LITTLE_X86
    if code[: len(magic)] != magic or struct.unpack_from("<H", code, 18)[0] != machine:
        return None
    (start,) = struct.unpack_from("<Q", code, 40)
    size, count = struct.unpack_from("<HH", code, 58)
    sections = []
    for index in range(count):
        fields = _SECTION.unpack_from(code, start + index * size)
        _, kind, flags, _, offset, length, linked, info, align, _ = fields
        data = bytes(length) if kind == _NOBITS else code[offset : offset + length]
        sections.append(_Section(kind, flags, data, linked, info, align, length))
    return sections


def _stub(block: bytearray, calls: dict[str, int], name: str) -> int:
    """Offset of the jump to a function of the C library, added on first use."""
    if name not in calls:
        block += bytes(-len(block) % 16)
        calls[name] = len(block)
        block += _STUB
    return calls[name]


def _text(names: bytes, at: int) -> str:
    return names[at : names.index(b"\0", at)].decode()
