"""Try a folder of images that others keep: ``python tests/images/corpus.py FOLDER...``.

Each file goes through ``cnncli convolve FILE -k identity`` in a process of its own. Where Pillow decodes
it, the result must hold Pillow's pixels; where it does not, or where cnncli refuses it, the answer must be
an error of two lines within 20 seconds and 1.5 GiB. What differs is printed, and counted at the end.
Corpora that were tried: Pillow's Tests/images, libpng's contrib, imageio-binaries, image-tiff's tests.
"""

import ast
import os
import re
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cnncli.cli.run import run
from cnncli.images.decode import ANIMATED
from cnncli.images.read import read_picture

SECONDS, KIBIBYTES = 20, 1_572_864
COMPARING = 600  # seconds, of which nobody judges
WIDER = {"1": "L", "YCbCr": "RGB", "RGBX": "RGB", "CMYK": "RGB", "LAB": "RGB", "HSV": "RGB", "La": "LA"}
LEFT_OUT = (".py", ".txt", ".md", ".html", ".rst", ".c", ".h", ".sh", ".json")


def apart(work, *arguments, seconds=SECONDS):
    """Do work in a process of its own, which starts with all modules loaded: what it returns and has used.

    Its standard error comes back too, and a word about what became of it: an exit code or a signal.
    """
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as told:
        child = os.fork()
        if child == 0:
            signal.alarm(seconds)
            os.dup2(told.fileno(), 2)
            try:
                answer.write(repr(work(*arguments)).encode())
                answer.flush()
                os._exit(0)
            except BaseException:  # noqa: BLE001 - a forked process must not go on
                traceback.print_exc()
                os._exit(99)
        _, status, used = os.wait4(child, 0)
        for file in (answer, told):
            file.seek(0)
        result = ast.literal_eval(answer.read().decode() or "None")
        return result, told.read().decode(errors="replace"), os.waitstatus_to_exitcode(status), used.ru_maxrss


def command(path, out):
    """Run the command: its exit code, standard error, and what it broke."""
    code, told, ended, used = apart(run, ["convolve", str(path), "-k", "identity", "-o", str(out)])
    broken = []
    if ended or code not in (0, 1):
        broken.append(f"ended with {ended}, {code}")
    if used > KIBIBYTES:
        broken.append(f"{used >> 10} MiB")
    if "Traceback" in told or "internal error" in told:
        broken.append("an internal error")
    if code == 1 and not re.fullmatch(r"error: [^\n]+\nhint: [^\n]+\n", told):
        broken.append("an error that has not two lines")
    if code == 0 and not re.fullmatch(r"(?:(?:note|warning): [^\n]+\n)*", told):
        broken.append("words of a library")
    return code, told.strip(), broken


def of_pillow(path):
    """All frames that Pillow decodes, widened as it widens them; None where it does not."""
    frames = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as image:
                count = getattr(image, "n_frames", 1) if image.format in {*ANIMATED, "GIF", "TIFF"} else 1
                first = 1 if count > 1 and getattr(image, "default_image", False) else 0
                for index in range(first, min(count, 50)):
                    if count > 1:
                        image.seek(index)
                    image.load()
                    upright = ImageOps.exif_transpose(image)
                    mode = WIDER.get(upright.mode, upright.mode)
                    if mode in ("P", "PA", "L", "RGB", "1") and upright.has_transparency_data:
                        mode = "RGBA"
                    mode = "RGB" if mode in ("P", "PA") else mode
                    frames.append(np.asarray(upright.convert(mode)))
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises
            return None, f"{type(error).__name__}: {error}"
    return frames, image.format


def difference(ours, theirs):
    """How two frames differ, in words; empty where they do not."""
    ours, theirs = (each if each.ndim == 3 else each[..., None] for each in (ours, theirs))
    if ours.shape[:2] != theirs.shape[:2]:
        return f"{ours.shape} for {theirs.shape}"
    channels = max(ours.shape[2], theirs.shape[2])
    ours, theirs = (_widened(each, channels) for each in (ours, theirs))
    if ours.dtype != theirs.dtype and theirs.dtype == np.uint8 and ours.dtype == np.uint16:
        ours = (ours >> 8).astype(np.uint8)
    if channels in (2, 4):
        ours, theirs = (np.where(each[..., -1:] > 0, each, 0) for each in (ours, theirs))
    away = np.nan_to_num(np.abs(ours.astype(np.float64) - theirs))
    return f"{away.max():g} at most, {np.mean(away > 0):.1%} of the samples" if away.max() else ""


def _widened(frame, channels):
    """Gray as colour, and opaque, as far as the other frame is."""
    full = 255 if frame.dtype == np.uint8 else 65535 if frame.dtype == np.uint16 else 1
    alpha = frame[..., -1:] if frame.shape[2] in (2, 4) else np.full_like(frame[..., :1], full)
    color = frame[..., : frame.shape[2] - (frame.shape[2] in (2, 4))]
    color = np.broadcast_to(color, (*color.shape[:2], 3)) if channels > 2 else color
    return np.concatenate([color, alpha], axis=2) if channels in (2, 4) else color


def compared(path, out, code, told):
    """What became of a file: a word for the count, and a line about it."""
    theirs, what = of_pillow(path)
    if code:
        return ("both refuse", "") if theirs is None else ("refused", f"[{what}] {told.splitlines()[0]}")
    if theirs is None:
        return "read where Pillow fails", what
    ours = read_picture(out, bands=True).frames
    if len(ours) != len(theirs) and len(theirs) < 50:
        return "DIFFERS", f"[{what}] {len(ours)} frames for {len(theirs)}"
    found = [difference(*pair) for pair in zip(ours, theirs, strict=False)]
    worst = [f"frame {at}: {each}" for at, each in enumerate(found) if each]
    return ("DIFFERS", f"[{what}] {worst[0]} ({len(worst)} frames)") if worst else ("same", "")


def main(folders):
    """Try all files in folders."""
    counts = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.tif"
        for path in sorted(path for folder in folders for path in Path(folder).rglob("*")):
            if path.is_file() and path.suffix.lower() not in LEFT_OUT:
                out.unlink(missing_ok=True)
                code, told, broken = command(path, out)
                word, line = "BROKEN", f"{', '.join(broken)}: {told[-300:]}"
                if not broken:
                    found, fault, _, _ = apart(compared, path, out, code, told, seconds=COMPARING)
                    word, line = found or ("NOT COMPARED", fault[-200:])
                counts[word] += 1
                if line:
                    print(f"{word:24}{path}: {line}", flush=True)
    print(dict(counts))


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    main(sys.argv[1:])
