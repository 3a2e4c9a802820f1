"""Class labels: the targets of images of which each belongs to one of K classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.text import listed

Numbers = NDArray[np.int64]
_IMBALANCED = 10  # times as many images of one class as of another are worth a warning


@dataclass(frozen=True, eq=False)
class ClassLabels:
    """The class of each of N images.

    Attributes
    ----------
    numbers : ndarray, shape (N,), int64
        0 to K - 1; -1 where there is no label.
    classes : tuple of str
        K names.
    """

    numbers: Numbers
    classes: tuple[str, ...]
    task: ClassVar[str] = "classification"
    noun: ClassVar[str] = "images"

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, positions: NDArray[np.intp]) -> Self:
        """The labels at these positions."""
        return replace(self, numbers=self.numbers[positions])

    def joined(self, others: "Sequence[ClassLabels]") -> Self:
        """These, and after them others of the same classes."""
        return replace(self, numbers=np.concatenate([self.numbers, *(each.numbers for each in others)]))

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) whether an image has a label."""
        return np.asarray(self.numbers >= 0)

    @property
    def identities(self) -> NDArray[np.uint64]:
        """(N,) the class numbers."""
        return self.numbers.astype(np.uint64)

    @property
    def groups(self) -> Numbers:
        """(N,) the class numbers: a share of each class is held out."""
        return self.numbers

    def texts(self) -> list[str]:
        """The names of the images' classes."""
        return [self.classes[number] for number in self.numbers.tolist()]

    def check_learnable(self, dataset: str, warnings: Sequence[str]) -> None:
        """Refuse labels of a single class.

        Raises
        ------
        CnncliError
            Where there are fewer than two.
        """
        present = np.unique(self.numbers)
        if len(present) < 2:
            only, why = self.classes[int(present[0])], "".join(f"; {each}" for each in warnings)
            raise CnncliError(
                f"{dataset} has training {self.noun} of one class only, {only}{why}; expected two or more",
                f"Add {self.noun} of a second class: there is nothing to tell apart yet.",
            )

    def problems(self, test: "ClassLabels") -> tuple[str, ...]:
        """Warnings about classes that cannot be learned, cannot be tested, or are much rarer than others."""
        learned = np.bincount(self.numbers, minlength=len(self.classes))
        tested = np.bincount(test.numbers, minlength=len(self.classes))
        warnings = []
        if absent := [name for name, count in zip(self.classes, learned, strict=True) if count == 0]:
            warnings.append(f"no training {self.noun} of {listed(absent)}: these classes cannot be learned")
        if untested := [name for name, count in zip(self.classes, tested, strict=True) if count == 0]:
            warnings.append(f"no test {self.noun} of {listed(untested)}: their accuracy is not measured")
        rare, often = int(np.argmin(np.where(learned, learned, learned.max()))), int(np.argmax(learned))
        if learned[often] >= _IMBALANCED * learned[rare] > 0:
            warnings.append(
                f"classes are imbalanced: {learned[rare]:,} training {self.noun} of {self.classes[rare]}, "
                f"{learned[often]:,} of {self.classes[often]}"
            )
        return tuple(warnings)


class TextLabels(ClassLabels):
    """The class of each of N texts."""

    task = "text"
    noun = "texts"
