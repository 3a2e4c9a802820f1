"""Sound bytes to damaged ones, a pure function of a generator of random numbers."""

import gzip
import io
import re
import struct
import zipfile
import zlib
from random import Random

_NUMBERS = [0, 1, 2, 255, 256, 32767, 32768, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]
_WORDS = [
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"9" * 30,
    b"9" * 5000,
    b"[" * 3000,
]
_TEXT = ("kernel", "csv", "config")


def mutated(data: bytes, format: str, random: Random) -> bytes:
    """Damage a file of a format, where it hurts: within what checksums and compression would hide."""
    if format == "png" and random.random() < 0.6:
        return _png(data, random)
    if format in ("safetensors", "state") and random.random() < 0.8:
        return _safetensors(data, random)
    if format == "npz" and random.random() < 0.7:
        return _zip(data, random)
    if data[:2] == b"\x1f\x8b" and random.random() < 0.7:
        return gzip.compress(_bytes(gzip.decompress(data), random), mtime=0)
    if format in _TEXT and random.random() < 0.7:
        return _text(data, random)
    if random.random() < 0.5:  # headers are where the numbers are
        return _bytes(data[:200], random) + data[200:]
    return _bytes(data, random)


def _bytes(data: bytes, random: Random) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        if not out:
            break
        at = random.randrange(len(out))
        match random.randrange(8):
            case 0:
                out[at] ^= 1 << random.randrange(8)
            case 1:
                out[at] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))
            case 2 | 3:
                width = random.choice((2, 4, 4, 8))
                number = random.choice(_NUMBERS) % (1 << 8 * width)
                out[at : at + width] = number.to_bytes(width, random.choice(("little", "big")))
            case 4:
                del out[at:]
            case 5:
                del out[at : at + random.randrange(1, 40)]
            case 6:
                out[at:at] = random.randbytes(random.randrange(1, 40))
            case 7:
                piece = out[at : at + random.randrange(1, 200)]
                out[at:at] = piece * random.choice((1, 1, 5, 50))
    return bytes(out)


def _text(data: bytes, random: Random) -> bytes:
    tokens = re.split(rb"(\s+|[,;:{}\[\]\"]|-?\d+\.?\d*)", data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(tokens))
        match random.randrange(4):
            case 0:
                tokens[at] = random.choice(_WORDS)
            case 1:
                tokens[at] = b""
            case 2:
                tokens[at] = tokens[at] * random.choice((2, 1000))
            case 3:
                numbers = [
                    k for k, token in enumerate(tokens) if token.strip(b"-.").replace(b".", b"").isdigit()
                ]
                if numbers:
                    tokens[random.choice(numbers)] = random.choice(_WORDS)
    return b"".join(tokens)


def _png(data: bytes, random: Random) -> bytes:
    """Chunks changed, moved, doubled or lost, with checksums that are right."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + length]])
        at += 12 + length
    each = random.randrange(len(chunks))
    match random.randrange(5):
        case 0 | 1:
            body = chunks[each][1]
            if chunks[each][0] in (b"IDAT", b"zTXt") and random.random() < 0.5:
                try:
                    body = zlib.compress(_bytes(zlib.decompress(body), random))
                except zlib.error:
                    body = _bytes(body, random)
            else:
                body = _bytes(body, random)
            chunks[each][1] = body
        case 2:
            del chunks[each]
        case 3:
            chunks.insert(random.randrange(len(chunks) + 1), chunks[each])
        case 4:
            chunks[each][0] = random.choice(
                (b"gAMA", b"eXIf", b"iCCP", b"acTL", b"fcTL", b"tRNS", b"abCd", b"PLTE")
            )
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _safetensors(data: bytes, random: Random) -> bytes:
    """A header with other words, whose length is right."""
    length = int.from_bytes(data[:8], "little")
    header = _text(data[8 : 8 + length], random)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _zip(data: bytes, random: Random) -> bytes:
    """Members changed, with checksums that are right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen = random.choice(names)
        for name in names:
            body = old.read(name)
            if name == chosen:
                body = _bytes(body[:160], random) + body[160:]
            new.writestr(zipfile.ZipInfo(name), body)
    return out.getvalue()
