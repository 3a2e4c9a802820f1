"""Decide whether the subfolders of a folder are classes, or splits that contain classes."""

from dataclasses import dataclass
from pathlib import Path

from cnncli.data.classes import class_name
from cnncli.data.folder_tree import Branch
from cnncli.data.layout import Layout
from cnncli.data.split_names import SPLITS, assigned, joined, meaning_note, split_of, unknown_words
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

LAYOUT_HINT = (
    "Arrange them as FOLDER/CLASS/image.png, or FOLDER/train/CLASS/image.png and FOLDER/test/CLASS/image.png."
)
_SPLITS_HINT = "Use --no-splits for folders that are classes, --splits for folders that are splits."


@dataclass(frozen=True)
class _Tree:
    """The branches with images, sorted by whether their names mean a split.

    Attributes
    ----------
    root : Path
    splits : dict
        Branch name to the split that it means.
    known, unknown : list of Branch
        Branches whose names mean a split, and the others.
    """

    root: Path
    splits: dict[str, str]
    known: list[Branch]
    unknown: list[Branch]

    @property
    def nested(self) -> list[Branch]:
        """Branches named as splits that contain class folders."""
        return [branch for branch in self.known if branch.filled]

    def classes_of(self, split: str) -> set[str]:
        """Classes of a split."""
        return {name for each in self.nested if self.splits[each.path.name] == split for name in each.filled}


def splits_of(
    root: Path, branches: list[Branch], layout: Layout, *, untrained: bool = False
) -> tuple[dict[str, str], str]:
    """Find the branches that are splits.

    Parameters
    ----------
    root : Path
        The folder.
    branches : list of Branch
        The folders directly below it.
    layout : Layout
        The user's options.
    untrained : bool
        Nothing is trained, so that no training split is required.

    Returns
    -------
    splits, note
        Branch name to "train", "val" or "test", empty where the branches are classes; the meaning of names in
        parentheses, where it is not obvious.

    Raises
    ------
    CnncliError
        Where both interpretations or none is possible, or another folder looks like a further split.
    """
    if layout.splits is False:
        return {}, ""
    tree = _tree(root, [branch for branch in branches if branch.images])
    if not tree.known:
        if layout.splits:
            words = ", ".join(word for words in SPLITS.values() for word in words)
            raise CnncliError(
                f"--splits: no folder in {shown(root)} has a name of a split; expected one of {words}",
                "Rename the folders, or leave --splits out.",
            )
        return {}, ""
    _refuse_one_more(tree)
    if layout.splits is None and _are_classes(tree):
        return {}, f" ({joined([each.path.name for each in tree.known])} as a class)"
    if layout.splits is None and not _are_splits(tree):
        raise _ambiguous_error(tree)
    if not tree.nested or not (untrained or tree.classes_of("train")):
        raise _no_training_error(tree)
    note = meaning_note({each.path.name: tree.splits[each.path.name] for each in tree.known})
    return {each.path.name: tree.splits[each.path.name] for each in tree.known}, f" ({note})" if note else ""


def with_splits_on_top(root: Path, branches: list[Branch], layout: Layout) -> list[Branch]:
    """Convert a CLASS/train/image.png layout to branches for splits that contain classes.

    Raises
    ------
    CnncliError
        Where the layout is possible but no option confirms it.
    """
    filled = [branch for branch in branches if branch.images]
    words = {name for branch in filled for name in branch.filled}
    meaning, unknown = assigned(sorted(words))
    named = any(split_of(branch.path.name) is not None for branch in filled)
    if named or unknown or any(branch.loose for branch in filled) or len(filled) < 2:
        return branches
    if len(set(meaning.values())) < 2:
        return branches
    if layout.splits is None:
        raise CnncliError(
            f"{shown(root)} can be read in two ways: {joined(sorted(words))} in the class folders are "
            "splits, or belong together; expected one meaning",
            "Use --splits to train, validate and test by these folders, --no-splits to take them together.",
        )
    if not layout.splits:
        return branches
    return [
        Branch(root / word, (), {class_name(b.path.name): b.inner.get(word, []) for b in filled})
        for word in sorted(words)
    ]


def _tree(root: Path, filled: list[Branch]) -> _Tree:
    splits, _ = assigned([branch.path.name for branch in filled])
    if any(split_of(word) is None for word in splits) and not all(branch.filled for branch in filled):
        splits = {}  # folders 0, 1 and 2 that contain images directly are classes
    known = [branch for branch in filled if branch.path.name in splits]
    return _Tree(root, splits, known, [branch for branch in filled if branch not in known])


def _refuse_one_more(tree: _Tree) -> None:
    """Refuse a folder whose name is not a split's but which contains the classes of the splits."""
    classes = {name for branch in tree.nested for name in branch.filled}
    if odd := [branch.path.name for branch in tree.unknown if branch.filled & classes]:
        raise unknown_words(
            f"{shown(tree.root)} holds {joined([each.path.name for each in tree.nested])} and, with the same "
            "folders in it",
            odd,
            "Rename the folder as the split that it is, move it away, or use --no-splits if all of them are "
            "classes.",
        )


def _are_classes(tree: _Tree) -> bool:
    """Whether a class has the name of a split: it contains images directly, like the other classes."""
    return not tree.nested and bool(tree.unknown) and len({tree.splits[b.path.name] for b in tree.known}) == 1


def _are_splits(tree: _Tree) -> bool:
    """Whether splits are the only sensible interpretation."""
    train = tree.classes_of("train")
    if not train:
        return not tree.unknown and bool(tree.nested)  # splits without a training split
    others = [branch for branch in tree.nested if tree.splits[branch.path.name] != "train"]
    numbered = any(branch.path.name.isdecimal() for branch in tree.known)
    alike = all(branch.filled & train for branch in others) and not numbered
    return alike and (bool(others) or not tree.unknown)


def _ambiguous_error(tree: _Tree) -> CnncliError:
    if not tree.nested:
        return CnncliError(
            f"{shown(tree.root)} holds images but no class folders in the splits "
            f"{joined([branch.path.name for branch in tree.known])}; expected folders of "
            "classes in them",
            "Put folders of classes into the splits, or use --no-splits if these folders are the classes.",
        )
    known = joined([branch.path.name for branch in tree.known])
    everything = sorted(branch.path.name for branch in [*tree.known, *tree.unknown])
    inner = sorted({name for branch in tree.nested for name in branch.filled})
    left = f", {joined([branch.path.name for branch in tree.unknown])} left out" if tree.unknown else ""
    verb = "is a split" if len(tree.known) == 1 else "are splits"
    return CnncliError(
        f"{shown(tree.root)} can be read in two ways: {joined(everything)} are the classes, or "
        f"{known} {verb} and {joined(inner)} the classes{left}; "
        "expected one way",
        _SPLITS_HINT,
    )


def _no_training_error(tree: _Tree) -> CnncliError:
    names = joined([branch.path.name for branch in tree.known])
    if not tree.nested:
        return _ambiguous_error(tree)
    one = tree.nested[0].path
    return CnncliError(
        f"{shown(tree.root)} holds {names} but no training images; expected a folder train beside them",
        f"Name a folder of classes, such as {shown(one)}; or use --no-splits if {names} are the classes.",
    )
