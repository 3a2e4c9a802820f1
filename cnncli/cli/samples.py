"""``cnncli samples``: the sample images, where a user can get at them."""

import shutil
from pathlib import Path

from cnncli.data.shipped import sample_path
from cnncli.errors import CnncliError
from cnncli.images.faults import shown, writing_fault


def copy_samples(folder: Path) -> int:
    """Copy the samples that ship with cnncli into a folder, keeping what is there.

    Parameters
    ----------
    folder : Path
        Made if it is missing.

    Returns
    -------
    int
        Files in the folder that are samples.

    Raises
    ------
    CnncliError
        If the folder cannot be written, or a file of another kind stands in the way.
    """
    source = sample_path(".").resolve()
    if folder.exists() and not folder.is_dir():
        raise CnncliError(f"{shown(folder)} is not a folder; expected one to copy to", "choose another name")
    count = 0
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        target = folder / file.relative_to(source)
        count += 1
        if target.exists():
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        except OSError as error:
            raise writing_fault(error, target) from error
    return count
