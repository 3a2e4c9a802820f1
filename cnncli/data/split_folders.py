"""Whether the folders in a folder are classes or splits with classes in them, decided where it is plain."""

from dataclasses import dataclass
from pathlib import Path

from cnncli.data.classes import class_name
from cnncli.data.folder_tree import Branch
from cnncli.data.layout import Layout
from cnncli.data.split_names import SPLITS, assigned, joined, meaning_note, split_of, unknown_words
from cnncli.errors import CnncliError
from cnncli.images.faults import shown

LAYOUT = (
    "Arrange them as FOLDER/CLASS/image.png, or FOLDER/train/CLASS/image.png and FOLDER/test/CLASS/image.png."
)
_ASKED = "Say --no-splits for folders that are classes, --splits for folders that are splits."


@dataclass(frozen=True)
class _Tree:
    """The branches with images, sorted by what their names say.

    Attributes
    ----------
    root : Path
    splits : dict
        Name of a branch to the split that it means.
    known, unknown : list of Branch
        Those that mean a split, and the others.
    """

    root: Path
    splits: dict[str, str]
    known: list[Branch]
    unknown: list[Branch]

    @property
    def nested(self) -> list[Branch]:
        """Known ones with class folders in them."""
        return [branch for branch in self.known if branch.filled]

    def of(self, split: str) -> set[str]:
        """Classes of a split."""
        return {name for each in self.nested if self.splits[each.path.name] == split for name in each.filled}


def splits_of(
    root: Path, found: list[Branch], layout: Layout, *, untrained: bool = False
) -> tuple[dict[str, str], str]:
    """Tell which branches are splits.

    Parameters
    ----------
    root : Path
        The folder.
    found : list of Branch
        What lies right below it.
    layout : Layout
        What the user says.
    untrained : bool
        Nothing is trained: there need be no training split.

    Returns
    -------
    splits, note
        Name of a branch to "train", "val" or "test", empty where the branches are classes; which name was
        taken for which, in brackets, where that is not plain.

    Raises
    ------
    CnncliError
        Where both readings are possible or neither is, or a folder beside the splits seems to be one more.
    """
    if layout.splits is False:
        return {}, ""
    tree = _tree(root, [branch for branch in found if branch.images])
    if not tree.known:
        if layout.splits:
            words = ", ".join(word for words in SPLITS.values() for word in words)
            raise CnncliError(
                f"--splits: no folder in {shown(root)} is called as a split is; expected one of {words}",
                "Rename the folders, or leave --splits out.",
            )
        return {}, ""
    _refuse_one_more(tree)
    if layout.splits is None and _are_classes(tree):
        return {}, f" ({joined([each.path.name for each in tree.known])} as a class)"
    if layout.splits is None and not _are_splits(tree):
        raise _both(tree)
    if not tree.nested or not (untrained or tree.of("train")):
        raise _no_training(tree)
    note = meaning_note({each.path.name: tree.splits[each.path.name] for each in tree.known})
    return {each.path.name: tree.splits[each.path.name] for each in tree.known}, f" ({note})" if note else ""


def turned(root: Path, found: list[Branch], layout: Layout) -> list[Branch]:
    """Branches as splits of classes, where they are classes of splits: CLASS/train/image.png.

    Raises
    ------
    CnncliError
        Where they may be, and the user does not say.
    """
    filled = [branch for branch in found if branch.images]
    words = {name for branch in filled for name in branch.filled}
    meaning, unknown = assigned(sorted(words))
    named = any(split_of(branch.path.name) is not None for branch in filled)
    if named or unknown or any(branch.loose for branch in filled) or len(filled) < 2:
        return found
    if len(set(meaning.values())) < 2:
        return found
    if layout.splits is None:
        raise CnncliError(
            f"{shown(root)} can be read in two ways: {joined(sorted(words))} in the folders of classes are "
            "splits, or belong together; expected one way",
            "Say --splits to train, validate and test by these folders, --no-splits to take them together.",
        )
    if not layout.splits:
        return found
    return [
        Branch(root / word, (), {class_name(b.path.name): b.inner.get(word, []) for b in filled})
        for word in sorted(words)
    ]


def _tree(root: Path, filled: list[Branch]) -> _Tree:
    splits, _ = assigned([branch.path.name for branch in filled])
    if any(split_of(word) is None for word in splits) and not all(branch.filled for branch in filled):
        splits = {}  # 0, 1 and 2 with images in them are three classes
    known = [branch for branch in filled if branch.path.name in splits]
    return _Tree(root, splits, known, [branch for branch in filled if branch not in known])


def _refuse_one_more(tree: _Tree) -> None:
    """A folder whose name is no split, but whose folders are called as the classes of the splits."""
    classes = {name for branch in tree.nested for name in branch.filled}
    if odd := [branch.path.name for branch in tree.unknown if branch.filled & classes]:
        raise unknown_words(
            f"{shown(tree.root)} holds {joined([each.path.name for each in tree.nested])} and, with the same "
            "folders in it",
            odd,
            "Rename the folder as the split that it is, move it away, or say --no-splits if all of them are "
            "classes.",
        )


def _are_classes(tree: _Tree) -> bool:
    """Whether one class is called like a split: images lie in it as in the others, and no folders."""
    return not tree.nested and bool(tree.unknown) and len({tree.splits[b.path.name] for b in tree.known}) == 1


def _are_splits(tree: _Tree) -> bool:
    """Whether no other reading makes sense."""
    train = tree.of("train")
    if not train:
        return not tree.unknown and bool(tree.nested)  # splits, of which none is for training
    others = [branch for branch in tree.nested if tree.splits[branch.path.name] != "train"]
    numbered = any(branch.path.name.isdecimal() for branch in tree.known)
    alike = all(branch.filled & train for branch in others) and not numbered
    return alike and (bool(others) or not tree.unknown)


def _both(tree: _Tree) -> CnncliError:
    if not tree.nested:
        return CnncliError(
            f"{shown(tree.root)} holds images but no class folders in the splits "
            f"{joined([branch.path.name for branch in tree.known])}; expected folders of "
            "classes in them",
            "Put folders of classes into the splits, or say --no-splits if these folders are the classes.",
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
        _ASKED,
    )


def _no_training(tree: _Tree) -> CnncliError:
    names = joined([branch.path.name for branch in tree.known])
    if not tree.nested:
        return _both(tree)
    one = tree.nested[0].path
    return CnncliError(
        f"{shown(tree.root)} holds {names} but no training images; expected a folder train beside them",
        f"Name a folder of classes, such as {shown(one)}; or say --no-splits if {names} are the classes.",
    )
