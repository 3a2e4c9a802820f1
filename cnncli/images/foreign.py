"""Files that cannot be read but are recognised by their first bytes, and tools that read them."""

import re

from cnncli.images.formats import brands

_HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_MAGICK = "Convert it first, for example with ImageMagick: magick {} out.png"
_DEVELOP = "Develop it first, for example with darktable-cli or dcraw_emu -T, which write TIFF."
_FLOATS = "Convert it first, for example with oiiotool (OpenImageIO): oiiotool {} -o out.tif"
_DJXL = "Convert it first with libjxl's djxl in.jxl out.png."
_GS = "Draw it first: gs -sDEVICE=png16m -o out.png in.ps"
_HEIF = "Convert it first, for example with libheif's heif-convert in.heic out.png."

#: Offset and value of the first bytes, name of such a file, and advice.
_KNOWN: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\xff\x0a", "a JPEG XL image", _DJXL),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image", _DJXL),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image", _FLOATS.format("in.exr")),
    (0, b"#?RADIANCE", "a Radiance HDR image", _FLOATS.format("in.hdr")),
    (0, b"#?RGBE", "a Radiance HDR image", _FLOATS.format("in.hdr")),
    (0, b"SIMPLE  =", "a FITS image", "Save its array with astropy and numpy.save as .npy."),
    (128, b"DICM", "a DICOM image", "Save its array with pydicom and numpy.save as .npy."),
    (8, b"CR\x02", "a camera's raw data (CR2)", _DEVELOP),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw data (RAF)", _DEVELOP),
    (0, b"IIRO", "a camera's raw data (ORF)", _DEVELOP),
    (0, b"IIRS", "a camera's raw data (ORF)", _DEVELOP),
    (0, b"IIU\0", "a camera's raw data (RW2)", _DEVELOP),
    (0, b"8BPS\0\2", "a large Photoshop document (PSB)", _MAGICK.format("'in.psb[0]'")),
    (0, b"gimp xcf", "a GIMP project (XCF)", _MAGICK.format("in.xcf")),
    (0, b"II\xbc", "a JPEG XR image", _MAGICK.format("in.jxr")),
    (0, b"BPG\xfb", "a BPG image", "Convert it first with bpgdec -o out.png in.bpg."),
    (0, b"FLIF", "a FLIF image", "Convert it first with flif -d in.flif out.png."),
    (0, b"\x8aMNG", "an MNG animation", _MAGICK.format("in.mng")),
    (0, b"\x8bJNG", "a JNG image", _MAGICK.format("in.jng")),
    (0, b"AT&TFORM", "a DjVu document", "Convert it first with ddjvu -format=tiff in.djvu out.tif."),
    (0, b"BLP1", "a BLP texture", "Convert it first, for example with Pillow."),
    (0, b"BLP2", "a BLP texture", "Convert it first, for example with Pillow."),
    (0, b"FTEX", "an FTEX texture", "Convert it first, for example with Pillow."),
    (0, b"\x80\xe8\0\0", "a PIXAR image", "Convert it first, for example with Pillow."),
    (0, b"P7 332", "a thumbnail of XV", "Convert it first, for example with Pillow."),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)", _MAGICK.format("in.wmf")),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file and not an image", "Save its array with h5py and numpy.save."),
    (0, b"%PDF", "a PDF document and not an image", "Draw its pages first: pdftoppm -r 300 -png in.pdf page"),
    (0, b"%!PS", "a PostScript document and not an image", _GS),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document and not an image", _GS),
    (0, b"<svg", "an SVG drawing and not an image of pixels", "Draw it: rsvg-convert -o out.png in.svg"),
    (0, b"PK\x03\x04", "a ZIP archive (or an .npz) and not an image", "Unpack it, and name the files in it."),
    (0, b"\x1f\x8b", "a gzip file and not an image", "Unpack it first: gunzip FILE"),
    (0, b"BZh", "a bzip2 file and not an image", "Unpack it first: bunzip2 FILE"),
    (0, b"\xfd7zXZ\0", "an xz file and not an image", "Unpack it first: unxz FILE"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file and not an image", "Unpack it first: unzstd FILE"),
    (0, b"\x1a\x45\xdf\xa3", "a video and not an image", "Take its frames first: ffmpeg -i FILE %05d.png"),
)  # fmt: skip
_SVG = re.compile(rb"<\?xml[^>]*>(?s:.{0,2000}?)<svg[\s>]")

#: Formats that are not read: name, suffixes, and tools that read them.
NOT_READ: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("HEIC", (".heic", ".heif"), "heif-convert (libheif)"),
    ("JPEG XL", (".jxl",), "djxl (libjxl)"),
    ("OpenEXR", (".exr",), "oiiotool (OpenImageIO)"),
    ("Radiance HDR", (".hdr",), "oiiotool (OpenImageIO)"),
    (
        "camera raw",
        (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"),
        "darktable-cli, dcraw_emu",
    ),
    ("FITS", (".fits",), "astropy"),
    ("DICOM", (".dcm",), "pydicom"),
    ("PDF, PostScript, SVG", (".pdf", ".eps", ".svg"), "pdftoppm, gs, rsvg-convert"),
)


def foreign(prefix: bytes) -> tuple[str, str] | None:
    """Recognise a file of a format that is not read.

    Parameters
    ----------
    prefix : bytes
        Its first few thousand bytes.

    Returns
    -------
    what, hint : str
        None where it is not recognised.
    """
    if prefix[4:8] == b"ftyp":
        return _media(prefix)
    for at, magic, what, hint in _KNOWN:
        if prefix.startswith(magic, at):
            return what, hint
    if _SVG.match(prefix.lstrip()):
        return foreign(b"<svg")
    return None


def _media(prefix: bytes) -> tuple[str, str] | None:
    """Recognise HEIC and videos by their brands, which share a container with AVIF."""
    words = brands(prefix)
    if words & _HEIC:
        return "an HEIC image", _HEIF
    if b"crx " in words:
        return "a camera's raw data (CR3)", _DEVELOP
    if words & {b"mif1", b"msf1"}:
        return "an HEIF image of another kind than AVIF", _HEIF
    return "a video and not an image", "Take its frames first: ffmpeg -i FILE %05d.png"
