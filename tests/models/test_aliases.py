"""Layers as PyTorch and Keras write them: the hint says what works here."""

import pytest

from cnncli.errors import CnncliError
from cnncli.models.aliases import _ALIASES
from cnncli.models.choice import check_model
from cnncli.models.grammar import WORDS, is_word


def hint_of(text):
    with pytest.raises(CnncliError) as caught:
        check_model(text)
    return caught.value.hint


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("conv(3,64) fc", "conv64"),
        ("Conv2d(3, 64, 5) relu fc", "conv64-5"),
        ("conv(64) fc", "conv64"),
        ("conv32 dropout=0.5 fc", "dropout0.5"),
        ("maxpool fc", "pool"),
        ("MaxPool2d(2) fc", "pool2"),
        ("avgpool2d fc", "avgpool"),
        ("linear128 fc", "fc128"),
        ("dense(128) fc", "fc128"),
        ("nn.Linear(128, 10)", "fc10"),
        ("batchnorm2d(64) fc", "bn"),
        ("GlobalAveragePooling2D fc", "gap"),
        ("conv32 rlu fc", "relu"),
        ("conv32,relu,fc", '-m "conv32 relu fc"'),
        ("conv32->relu->fc", '-m "conv32 relu fc"'),
        ("conv32-relu-fc", '-m "conv32 relu fc"'),
    ],
)
def test_layers_of_other_libraries(written, right):
    assert hint_of(written) == f"Did you mean {right}?"


@pytest.mark.parametrize("written", ["softmax", "conv32 relu fc softmax", "fc LogSoftmax"])
def test_softmax_is_applied_already(written):
    assert "applied already" in hint_of(written)


def test_signs_between_words():
    assert hint_of("conv32 -> relu -> fc").startswith("Write blanks between words")


def test_a_number_that_stands_alone():
    assert "right after its word" in hint_of("conv 32 fc")


def test_the_names_here_are_layers():
    names = {word.rstrip("0123456789.") for word in WORDS}
    assert set(_ALIASES.values()) <= names
    assert all(map(is_word, (word for word in WORDS)))
    assert not is_word("bn64")
