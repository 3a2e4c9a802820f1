"""``cnncli samples``: the sample images, where a user can get at them."""

from pathlib import Path

from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE
from cnncli.cli.options.samples import Settings
from cnncli.cli.streams import write_line
from cnncli.data.shipped import sample_path
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.files.faults import in_unicode, shown, writing_fault


def run(settings: Settings) -> int:
    """Run the command and return its exit code."""
    count, written = copy_samples(Path(settings.folder))
    if settings.json:
        for file in written:
            value = {"output": in_unicode(str(file)), "bytes": file.stat().st_size}
            write_line(as_json(value))
    elif not settings.quiet:
        write_line(f"{count} files in {settings.folder}")
    return DONE


def copy_samples(folder: Path) -> tuple[int, list[Path]]:
    """Copy the samples that ship with cnncli into a folder, keeping what is there.

    Parameters
    ----------
    folder : Path
        Made if it is missing.

    Returns
    -------
    count : int
        Files in the folder that are samples.
    written : list of Path
        Those that were not there before.

    Raises
    ------
    CnncliError
        If the folder cannot be written, or a file of another kind stands in the way.
    """
    source = sample_path(".").resolve()
    if folder.exists() and not folder.is_dir():
        raise CnncliError(f"{shown(folder)} is not a folder; expected one to copy to", "Choose another name.")
    count, written = 0, []
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        target = folder / file.relative_to(source)
        count += 1
        if target.exists():
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise writing_fault(error, target) from error
        write_atomic(target, file.read_bytes())
        written.append(target)
    return count, written
