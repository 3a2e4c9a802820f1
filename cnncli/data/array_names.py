"""Find images and labels of each split in an ``.npz`` file by the names of its arrays."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from cnncli.data.archive import EXPECTED, Archive
from cnncli.data.split_names import assigned, joined, plain, split_of, unknown_words
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

_X = ("x", "images", "image", "imgs", "img", "data", "features", "pixels")
_Y = ("y", "labels", "label", "targets", "target")
_CLASSES = ("classes", "class_names", "label_names", "target_names")


@dataclass(frozen=True)
class ArrayNames:
    """The names of the arrays that hold images and labels.

    Attributes
    ----------
    pairs : dict
        "train", "val" or "test" to the names of images and of labels.
    classes : str or None
        The array of class names.
    warnings : tuple of str
        About arrays that are left out.
    """

    pairs: dict[str, tuple[str, str]]
    classes: str | None
    warnings: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The arrays that are used: ``train_images with train_labels, test_images with test_labels``."""
        return ", ".join(f"{shown(x)} with {shown(y)}" for x, y in self.pairs.values())


def find_array_names(archive: Archive) -> ArrayNames:
    """Find images and labels by the names of the arrays.

    A name is a word for images or labels, with a word for a split before or after it: ``x_train``,
    ``train_images``, ``labels``. Without a word for a split, it is all images, or the training images.

    Raises
    ------
    CnncliError
        Where there are no images with labels, two arrays have the same role, or a word is not a split's name.
    """
    found: dict[str, dict[str, list[str]]] = {"x": defaultdict(list), "y": defaultdict(list)}
    for name in archive.headers:
        if plain(name) not in _CLASSES and (role := _role(name)) is not None:
            found[role[0]][role[1]].append(name)
    both = [word for word in found["x"] if word in found["y"]]
    splits = _splits(archive.path, [word for word in both if word])
    warnings = [
        f"{joined(names)} of {shown(archive.path)} without {missing}: left out"
        for kind, other, missing in (("x", "y", "labels"), ("y", "x", "images"))
        for word, names in found[kind].items()
        if word not in found[other] and split_of(word) is not None
    ]
    if "" in both:
        splits[""] = "train"
    pairs: dict[str, tuple[str, str]] = {}
    for word in both:
        x = _single(archive, found["x"][word], "the images", shaped=True)
        y = _single(archive, found["y"][word], "the labels", shaped=False)
        split = splits[word]
        if split in pairs:
            raise CnncliError(
                f"{shown(archive.path)}: {shown(pairs[split][0])} and {shown(x)} are both {split} images; "
                "expected one array for each split",
                "Join them, or save the one that is meant alone.",
            )
        pairs[split] = x, y
    if not pairs:
        held = ", ".join(f"{shown(name)} {archive.shape(name)}" for name in archive.headers) or "no arrays"
        raise CnncliError(f"{shown(archive.path)} holds {held}; expected images and labels by name", EXPECTED)
    classes = [name for name in archive.headers if plain(name) in _CLASSES]
    return ArrayNames(
        pairs, _single(archive, classes, "names of the classes") if classes else None, tuple(warnings)
    )


def _role(name: str) -> tuple[str, str] | None:
    """Tell whether a name means images (x) or labels (y), and the remaining word for a split."""
    parts = plain(name).split("_")
    for kind, words in (("y", _Y), ("x", _X)):
        if parts[0] in words or parts[-1] in words:
            return kind, "_".join(part for part in parts if part not in _X and part not in _Y)
    for kind in ("x", "y"):  # xtrain, trainx
        word = "".join(parts)
        for rest in (word.removeprefix(kind), word.removesuffix(kind)):
            if rest != word and split_of(rest) is not None:
                return kind, rest
    return None


def _splits(path: Path, words: list[str]) -> dict[str, str]:
    meaning, unknown = assigned(words)
    if unknown:
        raise unknown_words(
            f"{shown(path)}: names of its arrays", unknown, "Name them x_train, y_train, x_test, y_test."
        )
    return meaning


def _single(archive: Archive, names: list[str], what: str, *, shaped: bool = False) -> str:
    """The only suitable array of several: for images, the only one with the shape of images."""
    fitting = (
        [name for name in names if len(archive.shape(name)) >= 3] if shaped and len(names) > 1 else names
    )
    if len(fitting) == 1 or not fitting:
        return (fitting or names)[0]
    raise CnncliError(
        f"{shown(archive.path)}: {joined(fitting)} could all be {what}; expected one of them",
        "Save the file with that one alone.",
    )
