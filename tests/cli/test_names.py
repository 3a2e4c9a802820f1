"""Which files are read and written, and what is refused before anything is done."""

import os
from pathlib import Path

import pytest

from cnncli.cli.outputs import ignores_case

BLUR = ["-k", "box:3"]


def outputs(done):
    assert (done.code, done.err) == (0, "")
    return done.lines


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        ("a.png", [], "a-box.png"),
        ("sub/a.png", [], "sub/a-box.png"),
        ("./a.png", [], "./a-box.png"),
        ("a.jpeg", [], "a-box.jpeg"),
        ("a.PNG", [], "a-box.PNG"),
        ("a.ico", [], "a-box.png"),
        ("a.png", ["--format", "tiff"], "a-box.tif"),
        ("a.png", ["-o", "new/"], "new/a-box.png"),
        ("a.png", ["-o", "sub"], "sub/a-box.png"),
        ("sub/a.png", ["-o", "{parent}/x/{stem}_{kernel}{ext}"], "sub/x/a_box.png"),
        ("a.png", ["-o", "{number:03}-{name}.webp"], "001-a.png.webp"),
        ("a.png", ["-o", "{n:04}-{stem}{ext}"], "0001-a.png"),
        ("a.png", ["-o", "{width}x{height}{ext}"], "12x16.png"),
        ("a.png", ["-o", "{stem}-{width:04}{ext}", "--stride", "3,1"], "a-0004.png"),
        ("a.png", ["-o", "{width}x{height}{ext}", "--mode", "full", "--repeat", "2"], "16x20.png"),
        ("a.png", ["-o", "{width}x{height}{ext}", "--roi", "1,2,7,5"], "7x5.png"),
        ("a.png", ["-o", "{width}x{height}{ext}", "--roi", "1,2,7,5", "--inside"], "12x16.png"),
        ("a.png", ["-o", "{{{stem}}}.png"], "{a}.png"),
        ("a.png", ["-o", "{stem}_thumb.{ext}"], "a_thumb.png"),
        ("a.png", ["-o", "{stem}_thumb{ext}"], "a_thumb.png"),
        ("a.png", ["-o", "x{ext}"], "x.png"),
    ],
)
def test_names_of_outputs(run, photo, tmp_path, given, options, expected):
    (tmp_path / "sub").mkdir()
    photo(given, (16, 12))
    assert outputs(run("convolve", given, *BLUR, *options)) == [expected]
    assert (tmp_path / expected).is_file()


def test_a_named_output_is_not_printed(run, photo, tmp_path):
    photo("a.png")
    assert outputs(run("convolve", "a.png", *BLUR, "-o", "b.jpg")) == []
    assert (tmp_path / "b.jpg").read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    "name",
    ["-x.png", "a b.png", "a\nb.png", "{stem}.png", "n\udcff.png", "ü.png", "'$(x)`.png", "*.png", "a"],
)
def test_any_name_comes_out_as_it_went_in(run, photo, tmp_path, name):
    photo("plain.png")
    Path("plain.png").rename(name)
    done = run("convolve", *BLUR, "--", name)
    stem = name.removesuffix(".png")
    assert (done.code, done.err) == (0, "")
    assert done.out == os.fsencode(f"{stem}-box.png\n")
    assert (tmp_path / f"{stem}-box.png").is_file()
    done = run("convolve", *BLUR, "--json", "-o", "{stem}{stem}.png", "--", name)
    expected = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    assert done.results[0]["input"] == expected


def test_a_folder_gives_its_images_in_order(run, photo, tmp_path, two_lines):
    for name in ("d/b.png", "d/a.jpg", "d/.hidden.png", "d/sub/c.png", "d/.git/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        photo(name)
    (tmp_path / "d/notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    assert outputs(run("convolve", "d", *BLUR, "-o", "out")) == ["out/a-box.jpg", "out/b-box.png"]
    done = run("convolve", "d", "-r", *BLUR, "-o", "all/")
    assert outputs(done) == ["all/a-box.jpg", "all/b-box.png", "all/sub/c-box.png"]
    assert two_lines(run("convolve", "empty", *BLUR), 1).startswith("error: empty is a folder without images")
    done = run("convolve", "empty", "d/b.png", *BLUR)
    assert two_lines(done, 1)
    assert done.lines == ["d/b-box.png"]


def test_pipes_and_devices_in_a_folder_are_passed_over(run, photo, tmp_path, two_lines):
    (tmp_path / "d").mkdir()
    photo("a.png")
    photo("d/b.png")
    os.mkfifo(tmp_path / "d/pipe.png")
    for name, target in (("zero", "/dev/zero"), ("tty", "/dev/tty"), ("to_pipe", "pipe.png")):
        (tmp_path / f"d/{name}.png").symlink_to(target)
    (tmp_path / "d/link.png").symlink_to("../a.png")
    assert outputs(run("convolve", "d", *BLUR, "-o", "out/")) == ["out/b-box.png", "out/link-box.png"]
    assert [each["input"] for each in run("predict", "d", "-r", "--json").results] == [
        "d/b.png",
        "d/link.png",
    ]
    (tmp_path / "d/gone.png").symlink_to("nowhere")
    done = run("convolve", "d", *BLUR, "-o", "out/")
    assert "cannot read d/gone.png: no such file" in two_lines(done, 1)
    assert len(done.lines) == 2


@pytest.mark.parametrize(("option", "end"), [([], b"\n"), (["-0"], b"\0")])
def test_files_from(run, photo, tmp_path, option, end):
    names = ["b.png", "a b.png", "n\udcff.png", "-"] + (["c\nd.png"] if option else [])
    for name in names:
        photo("plain.png")
        Path("plain.png").rename(name)
    listed = end.join(map(os.fsencode, names)) + end
    expected = [f"out/{name.removesuffix('.png')}-box.png" for name in names]
    done = run("convolve", "--files-from", "-", *option, *BLUR, "-o", "out/", stdin=listed)
    assert (done.code, done.out) == (0, "\n".join([*expected, ""]).encode("utf-8", "surrogateescape"))
    (tmp_path / "list").write_bytes(listed)
    assert run("convolve", "--files-from", "list", *option, *BLUR, "-o", "out/").out == done.out


@pytest.mark.parametrize("end", [b"\n", b"\0"])
def test_a_listed_file_that_is_missing_is_named_with_its_line(run, shell, photo, tmp_path, end):
    photo("a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_bytes(end.join([b"a.png", b"", b"none.png", b"empty"]) + end)
    null = ["-0"] if end == b"\0" else []
    missing = "cannot read none.png: no such file ({}:3)"
    done = run("convolve", "--files-from", "list.txt", *null, *BLUR, "-o", "out/", "--json")
    assert f"error: {missing.format('list.txt')}" in done.err
    assert "(list.txt:4)" in done.err
    assert missing.format("list.txt") in [each.get("error") for each in done.results]
    done = run("predict", "--files-from", "list.txt", *null, "--json")
    assert [each["input"] for each in done.results] == ["a.png", "none.png", "empty"]
    assert done.results[1]["error"] == missing.format("list.txt")
    assert done.results[2]["error"].endswith("(list.txt:4)")
    done = shell(f"cnncli predict --files-from - --json {' '.join(null)} < list.txt")
    assert done.results[1]["error"] == missing.format("standard input")


def test_specs_do_not_write_over_each_other(run, photo):
    photo("a.png")
    specs = ["sobel", "sobel:x", "gaussian:sigma=2", "gaussian:sigma=3", "1 0; 0 1", "0 1; 1 0"]
    names = [run("convolve", "a.png", "-k", spec, "-q").lines[0] for spec in specs]
    assert names[:4] == ["a-sobel.png", "a-sobel-x.png", "a-gaussian-sigma2.png", "a-gaussian-sigma3.png"]
    assert len(set(names)) == len(specs)
    (name,) = run("convolve", "a.png", *["-k", "gaussian:sigma=0.25"] * 40, "-q").lines
    assert len(name) < 130


def test_case_counts_where_the_file_system_says_so(run, photo, tmp_path):
    photo("a.png")
    Path("A.png").write_bytes(Path("a.png").read_bytes())
    one = ignores_case(str(tmp_path))
    assert one == ((tmp_path / "A-BOX.PNG").exists() or (tmp_path.parent / tmp_path.name.swapcase()).exists())
    (tmp_path / "d").mkdir()
    Path("d/A.png").write_bytes(Path("a.png").read_bytes())
    done = run("convolve", "a.png", "d/A.png", *BLUR, "-o", "out/")
    assert done.code == (2 if one else 0)


STREAMED = "cnncli predict --files-from - --json -q < list.txt"
LISTS = {
    "Windows": b"in/a.png\r\nin/b.png\r\n\r\n",
    "a mark": b"\xef\xbb\xbfin/a.png\nin/b.png\n",
    "both": b"\xef\xbb\xbfin/a.png\r\nin/b.png",
    "PowerShell": "in/a.png\r\nin/b.png\r\n".encode("utf-16"),
    "big-endian": b"\xfe\xff" + "in/a.png\nin/b.png\n".encode("utf-16-be"),
    "backslashes": b"in\\a.png\r\n.\\in\\b.png\r\n",
}


@pytest.mark.parametrize("listed", LISTS.values(), ids=LISTS)
def test_lists_of_other_systems(run, shell, photo, tmp_path, listed):
    (tmp_path / "in").mkdir()
    photo("in/a.png")
    photo("in/b.png")
    (tmp_path / "list.txt").write_bytes(listed)
    for source, stdin in (("list.txt", None), ("-", listed)):
        done = run("convolve", "--files-from", source, *BLUR, "-o", "out/", stdin=stdin)
        assert (done.code, done.err) == (0, ""), source
        assert done.lines == ["out/a-box.png", "out/b-box.png"]
    for done in (run("predict", "--files-from", "list.txt", "--json"), shell(STREAMED)):
        assert [each["input"].removeprefix("./") for each in done.results] == ["in/a.png", "in/b.png"]


def test_a_name_that_is_a_file_as_it_stands_is_left_alone(shell, photo, tmp_path):
    names = ["\ufeffa.png", "a.png\r", "in\\a.png"]
    (tmp_path / "in").mkdir()
    photo(tmp_path / "a.png")
    for name in [*names, "in/a.png"]:
        (tmp_path / name).write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "list.txt").write_bytes("\n".join(names).encode())
    assert [each["input"] for each in shell(STREAMED).results] == names


def test_lists_that_hold_nul(run, shell, two_lines, tmp_path):
    done = run("convolve", "--files-from", "-", *BLUR, stdin=b"a.png\nb.png\0c.png\0")
    assert "line 2 of standard input holds NUL" in two_lines(done, 2)
    (tmp_path / "list.txt").write_bytes("a.png\n".encode("utf-16") + b"\0")
    assert "standard input begins as UTF-16 and is none behind line 1" in two_lines(shell(STREAMED), 2)


def test_in_folders_only_regular_files_count(run, photo, tmp_path):
    (tmp_path / "d").mkdir()
    photo("d/a.png")
    (tmp_path / "d/linked.png").symlink_to(tmp_path / "d/a.png")
    (tmp_path / "d/zero.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "d/pipe.png")
    assert outputs(run("convolve", "d", *BLUR, "-o", "out")) == ["out/a-box.png", "out/linked-box.png"]
    done = run("predict", "d", "--json")
    assert [each["input"] for each in done.results] == ["d/a.png", "d/linked.png"]


REFUSED = {
    "one output for two": (["a.png", "b.png", "-o", "x.png"], "x.png is one file for 2 inputs"),
    "stream for two": (["a.png", "b.png", "-o", "-"], "-o - is given with 2 inputs"),
    "the same twice": (["a.png", "./a.png"], "would both be written to"),
    "two suffixes, one format": (["a.png", "a.jpg", "--format", "png"], "would both be written to a-box.png"),
    "one name in two folders": (
        ["a.png", "sub/a.png", "-o", "out/"],
        "would both be written to out/a-box.png",
    ),
    "template without fields that differ": (
        ["a.png", "b.png", "-o", "{kernel}.png"],
        "would both be written",
    ),
    "hard link of an output": (["a.png", "b.png", "-o", "{stem}-hard.png"], "would both be written"),
    "output is input": (["a.png", "-o", "a.png"], "a.png is also an input"),
    "spelled differently": (["a.png", "-o", "sub/../a.png"], "is also an input"),
    "through a link": (["a.png", "-o", "link.png"], "is also an input"),
    "link as input": (["link.png", "-o", "a.png"], "is also an input"),
    "through a linked folder": (["sub/a.png", "-o", "linked/a.png"], "is also an input"),
    "hard link": (["a.png", "-o", "hard.png"], "is also an input"),
    "one output is another input": (
        ["a.png", "b.png", "-o", "{kernel}-{number}.png", "box-2.png"],
        "also an input",
    ),
    "in place and elsewhere": (["a.png", "--in-place", "-o", "b.png"], "--in-place and -o"),
    "in place and another format": (["a.png", "--in-place", "--format", "jpeg"], "--in-place and --format"),
    "in place of a stream": (["-", "--in-place"], "--in-place is given with standard input"),
    "in place twice": (["a.png", "link.png", "--in-place"], "would both be written"),
    "unknown field": (["a.png", "-o", "{foo}.png"], "{foo} means nothing; expected {stem}"),
    "open brace": (["a.png", "-o", "{stem.png"], "a { that stands alone"),
    "attribute": (["a.png", "-o", "{stem.__class__}.png"], "means nothing"),
    "endless width": (["a.png", "-o", "{stem!r:>9999999999}.png"], "means nothing"),
    "one size for two": (["a.png", "b.png", "-o", "{width}x{height}.png"], "both be written to 31x24.png"),
    "joined to one name": (["a.png", "b.png", "-o", "{width}{height}.png"], "both be written to 3124.png"),
    "size of a stream": (["-", "-o", "{width}.png"], "standard input is an input, which is read once"),
    "size of a device": (["/dev/null", "-o", "{height}.png"], "/dev/null is an input, which is read once"),
    "a name that is an input": (["a.png", "b.png", "-o", "{n}-{height}.png", "1-24.png"], "also an input"),
    "word for a width": (["a.png", "-o", "{w}.png"], "expected {stem} {kernel} {ext} {name} {parent} {n} "),
    "endless number": (["a.png", "-o", "{number:9999999999}.png"], "means nothing"),
    "width of a word": (["a.png", "-o", "{stem:9}.png"], "means nothing"),
    "standard input twice": (["-", "-"], "given twice"),
    "names and image from one stream": (["-", "--files-from", "-"], "expected it once"),
    "list of names as output": (
        ["--files-from", "names.txt", "-o", "names.txt", "--format", "png"],
        "also read",
    ),
    "-0 alone": (["a.png", "-0"], "-0 is given without --files-from"),
    "missing list": (["--files-from", "none.txt"], "cannot read names from none.txt"),
    "empty list": (["--files-from", "empty.txt"], "holds no names"),
    "explanation over the input": (["a.png", "--explain", "./a.png"], "which is also the input"),
    "explanation over the output": (
        ["a.png", "-o", "x.png", "--explain", "x.png"],
        "which is also the output",
    ),
    "explanation over a kernel": (
        ["a.png", "-k", "box-2.png", "-o", "x.png", "--explain", "sub/../box-2.png"],
        "which is also read",
    ),
    "explanation over a list of names": (
        ["--files-from", "names.png", "-o", "x.png", "--explain", "names.png"],
        "which is also read",
    ),
    "stream and a file": (["a.png", "-"], "standard input is one of 2 inputs"),
    "stream before a file": (["-", "a.png", "--json"], "standard input is one of 2 inputs"),
    "device and a file": (["a.png", "/dev/null"], "/dev/null is one of 2 inputs"),
    "in place of a device": (["/dev/null", "--in-place"], "--in-place is given with standard input"),
    "in place without a suffix": (["noext", "--in-place"], "output"),
    "explanation of two": (["a.png", "b.png", "--explain", "x.png"], "given with 2 inputs"),
    "explanation without picture": (["a.png", "--explain", "x.txt"], "ends in .png, .gif or .html"),
    "a page over a second input": (["a.png", "b.html", "--explain", "b.html"], "which is also an input"),
    "no suffix": (["a.png", "-o", "x"], "has no suffix"),
    "unknown suffix": (["a.png", "-o", "x.pmg"], "unknown suffix .pmg"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_is_written(run, photo, tmp_path, two_lines, name):
    arguments, message = REFUSED[name]
    (tmp_path / "sub").mkdir()
    for file in ("a.png", "a.jpg", "b.png", "sub/a.png", "box-2.png", "a-hard.png", "1-24.png"):
        photo(file)
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "linked").symlink_to("sub")
    Path("noext").write_bytes(Path("b.png").read_bytes())
    os.link("a.png", "hard.png")
    os.link("a-hard.png", "b-hard.png")
    (tmp_path / "names.txt").write_text("a.png\n")
    (tmp_path / "names.png").write_text("a.png\n")
    (tmp_path / "empty.txt").write_text("\n")
    before = snapshot(tmp_path)
    done = run("convolve", *arguments, *BLUR)
    assert message in two_lines(done, 2)
    if "--in-place" in arguments:
        assert "--format" not in done.err.splitlines()[1]
    assert snapshot(tmp_path) == before


def test_a_page_explains_at_most_twelve_inputs(run, photo, two_lines):
    names = [f"{i}.png" for i in range(13)]
    for name in names:
        photo(name)
    done = run("convolve", *names, "--explain", "x.html", *BLUR)
    assert "given with 13 inputs; expected 1 to 12" in two_lines(done, 2)


def snapshot(folder):
    return {path: path.is_file() and path.read_bytes() for path in sorted(folder.rglob("*"))}


def test_a_kernel_file_is_not_overwritten(run, photo, tmp_path, two_lines):
    photo("a.png")
    photo("kernel.png", (3, 3))
    before = (tmp_path / "kernel.png").read_bytes()
    assert "also read" in two_lines(run("convolve", "a.png", "-k", "kernel.png", "-o", "./kernel.png"), 2)
    assert (tmp_path / "kernel.png").read_bytes() == before


def test_devices_take_the_format_of_the_input(run, photo, two_lines):
    photo("a.png")
    assert outputs(run("convolve", "a.png", *BLUR, "-o", "/dev/null")) == []
    photo("b.png")
    assert outputs(run("convolve", "a.png", "b.png", *BLUR, "-o", "/dev/null")) == []
    os.mkfifo("pipe")
    done = run("convolve", "a.png", "b.png", *BLUR, "-o", "pipe")
    assert "pipe is one file for 2 inputs" in two_lines(done, 2)
