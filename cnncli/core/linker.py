"""Link object code into one position-independent block, and load a block into memory.

A linker for LLVM's output for native functions on Linux, for 64-bit x86 and ARM: code and constants with
relative references. Loading such a block takes a page mapping; loading an object file through llvmlite takes
60 ms more, a third of a whole command. Other kinds of objects are left unchanged.

Source: System V ABI, AMD64 supplement, chapter 4 (object files, relocation); ELF for the Arm 64-bit
Architecture, relocation (immediates of instructions: Arm Architecture Reference Manual, chapter C6).
"""

import ctypes
import mmap
import os
import struct
from collections.abc import Callable, Mapping

from cnncli.errors import CnncliError
from cnncli.records import record

MAGIC = b"cnncli-block-2\n"

_ELF64_LITTLE = b"\x7fELF\x02\x01"
_SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, address, offset, size, link, info, align, entry
_SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
_RELOCATION = struct.Struct("<QQq")  # offset, symbol << 32 | type, addend
_PROGBITS, _SYMTAB, _RELA, _NOBITS = 1, 2, 4, 8
_ALLOCATED = 2
_WRITABLE = 1
_UNDEFINED = 0

# The word at a place that refers to a symbol: from the word there, the symbol's offset and the place's.
_Patch = Callable[[int, int, int], int]


def _relative(word: int, symbol: int, place: int) -> int:
    return symbol - place


def _pages(word: int, symbol: int, place: int) -> int:
    """``adrp``: pages of 4 KiB between both, in bits 5 to 23, the lowest two in bits 29 and 30."""
    pages = (symbol >> 12) - (place >> 12)
    return word | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5


def _branch(word: int, symbol: int, place: int) -> int:
    """``b`` and ``bl``: instructions between both, in the lowest 26 bits."""
    return word | symbol - place >> 2 & 0x3FFFFFF


def _within_page(unit: int) -> _Patch:
    """``add``, ``ldr`` and ``str``: the offset within a page in units of 2**unit bytes, in bits 10 to 21."""
    return lambda word, symbol, place: word | (symbol & 0xFFF) >> unit << 10


@record
class _Machine:
    """What blocks for a processor need.

    Attributes
    ----------
    stub : bytes
        A jump to the address that follows it.
    patches : mapping
        By number of a relocation that it supports, the word at its place.
    """

    stub: bytes
    patches: Mapping[int, _Patch]


# By ELF's number of the machine.
_MACHINES = {
    62: _Machine(  # x86-64: R_X86_64_PC32 and PLT32
        stub=b"\xff\x25\0\0\0\0",  # jmp *0(%rip)
        patches={2: _relative, 4: _relative},
    ),
    183: _Machine(  # aarch64: PREL32, ADR_PREL_PG_HI21, ADD_ABS_LO12_NC, JUMP26, CALL26, LDSTn_ABS_LO12_NC
        stub=b"\x50\0\0\x58\0\x02\x1f\xd6",  # ldr x16, .+8; br x16
        patches={
            261: _relative,
            275: _pages,
            277: _within_page(0),
            278: _within_page(0),
            282: _branch,
            283: _branch,
            284: _within_page(1),
            285: _within_page(2),
            286: _within_page(3),
            299: _within_page(4),
        },
    ),
}


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
        `MAGIC`, a line of words (``entry NAME OFFSET`` for entry points, ``call NAME OFFSET`` for addresses
        of functions of the C library that have to be filled in), and the block, which has to start on a page;
        None for an unsupported kind of object.
    """
    machine = _machine(code)
    if machine is None:
        return None
    sections = _sections(code)
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
                patch = machine.patches.get(info & 0xFFFFFFFF)
                if patch is None:
                    return None
                name, _, _, home, value, _ = symbols[info >> 32]
                if home == _UNDEFINED:
                    target = _stub(block, machine.stub, calls, _text(names, name))
                elif home in places:
                    target = places[home] + value
                else:
                    return None
                at = places[section.info] + offset
                (word,) = struct.unpack_from("<I", block, at)
                struct.pack_into("<I", block, at, patch(word, target + addend, at) & 0xFFFFFFFF)
    entries = {
        _text(names, name): places[home] + value
        for name, info, _, home, value, _ in symbols
        if info >> 4 == 1 and home in places  # global and defined here
    }
    facts = [("entry", *each) for each in sorted(entries.items())] + [
        ("call", name, at + len(machine.stub)) for name, at in calls.items()
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
        struct.pack_into("<Q", image, at, address)
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


def _machine(code: bytes) -> _Machine | None:
    """The processor that a 64-bit ELF object is for; None for one without blocks, and for anything else."""
    if not code.startswith(_ELF64_LITTLE):
        return None
    return _MACHINES.get(struct.unpack_from("<H", code, 18)[0])


def _sections(code: bytes) -> list[_Section]:
    """The sections of a 64-bit ELF object."""
    (start,) = struct.unpack_from("<Q", code, 40)
    size, count = struct.unpack_from("<HH", code, 58)
    sections = []
    for index in range(count):
        fields = _SECTION.unpack_from(code, start + index * size)
        _, kind, flags, _, offset, length, linked, info, align, _ = fields
        data = bytes(length) if kind == _NOBITS else code[offset : offset + length]
        sections.append(_Section(kind, flags, data, linked, info, align, length))
    return sections


def _stub(block: bytearray, jump: bytes, calls: dict[str, int], name: str) -> int:
    """Offset of the jump to a function of the C library, added on first use."""
    if name not in calls:
        block += bytes(-len(block) % 16)
        calls[name] = len(block)
        block += jump + bytes(8)
    return calls[name]


def _text(names: bytes, at: int) -> str:
    return names[at : names.index(b"\0", at)].decode()
