"""Networks from strings: every word, shapes by an independent count, errors that point at the word."""

import pytest

from cnncli.errors import CnncliError
from cnncli.models.choice import build
from cnncli.models.grammar import WORDS, looks_like_layers
from cnncli.nn import AvgPool, BatchNorm, Conv, Dropout, Flatten, LeakyRelu, Linear, MaxPool, Relu, Relu6

SHAPE = (28, 28, 1)


def layers(text, shape=SHAPE, classes=10, seed=0):
    return [node.layer for node in build(text, shape, classes, seed=seed).nodes.values()]


def shapes(text, shape=SHAPE):
    return [str(node.shape) for node in build(text, shape, 10).nodes.values()]


@pytest.mark.parametrize(
    ("word", "size"),
    [
        ("conv4", 28),
        ("conv4-5", 28),
        ("conv4k5", 28),
        ("conv4p0", 26),
        ("conv4-5s2", 14),
        ("conv4k5s2p2", 14),
        ("conv4d2", 28),
        ("conv4d2p0", 24),
        ("conv4k2p0s2", 14),
        ("pool", 14),
        ("pool3", 9),
        ("pool3s2", 13),
        ("pool3s2p1", 14),
        ("avgpool", 14),
        ("avgpool4s1", 25),
        ("relu", 28),
    ],
)
def test_sizes(word, size):
    channels = 4 if word.startswith("conv") else 1
    assert shapes(f"{word} gap fc")[0] == f"{size}x{size}x{channels}"


@pytest.mark.parametrize("word", WORDS[:-1])
def test_every_word_builds(word):
    assert build(f"{word} fc", SHAPE, 10).output_shape.size == 10


def test_the_example_of_the_manual():
    got = layers("conv32 relu conv64 relu pool fc128 relu dropout0.5 fc")
    assert [type(layer).__name__ for layer in got] == (
        ["Conv", "Relu", "Conv", "Relu", "MaxPool", "Flatten", "Linear", "Relu", "Dropout", "Linear"]
    )
    assert got[0] == Conv(32, 3, padding=1)
    assert got[-4] == Linear(128)
    assert got[-1] == Linear(10)


def test_a_convolution_before_batch_norm_has_no_bias():
    first, norm, second, *_ = layers("conv8 bn conv8 relu fc")
    assert isinstance(norm, BatchNorm)
    assert not first.bias
    assert second.bias


def test_depthwise_groups_follow_the_channels():
    assert layers("conv6 dwconv-5 gap fc")[1] == Conv(6, 5, padding=2, groups=6)


@pytest.mark.parametrize(
    ("word", "layer"),
    [
        ("dwconvk5", Conv(6, 5, padding=2, groups=6)),
        ("dwconvs2", Conv(6, 3, stride=2, padding=1, groups=6)),
        ("dwconvd2p0k5", Conv(6, 5, dilation=2, padding=0, groups=6)),
        ("pools2", MaxPool(2, stride=2)),
        ("poolp1s1", MaxPool(2, stride=1, padding=1)),
        ("avgpools3", AvgPool(2, stride=3)),
    ],
)
def test_a_setting_may_stand_right_after_the_name(word, layer):
    assert layers(f"conv6 {word} gap fc")[1] == layer
    assert looks_like_layers(word)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("convk5", "conv has no number"),
        ("relus2", "'relus2' is not a layer"),
        ("poolk3", "'poolk3' sets 'k'"),
        ("pools2.5", "'pools2.5' ends with 's2.5'"),
        ("poolx", "'poolx' is not a layer"),
    ],
)
def test_a_setting_right_after_the_name_is_checked(word, message):
    with pytest.raises(CnncliError, match=message):
        layers(f"{word} fc")


def test_relu6_is_a_relu_that_ends_at_6():
    assert layers("relu6 relu fc")[:2] == [Relu6(), Relu()]


def test_numbers_of_leaky_and_dropout():
    got = layers("leaky0.2 dropout0.25 fc")
    assert got[0] == LeakyRelu(0.2)
    assert isinstance(got[1], Dropout)
    assert got[1].rate == 0.25
    assert layers("dropout fc")[0].rate == 0.5


def test_dropout_follows_the_seed_and_differs_within_a_network():
    a, b = [layer.seed for layer in layers("dropout dropout fc", seed=1) if isinstance(layer, Dropout)]
    assert a != b
    assert layers("dropout dropout fc", seed=2)[0].seed not in (a, b)


def test_flatten_stands_once_whether_written_or_not():
    for text in ("pool fc32 relu fc", "pool flatten fc32 relu fc"):
        assert sum(isinstance(layer, Flatten) for layer in layers(text)) == 1
    assert not any(isinstance(layer, Flatten) for layer in layers("gap fc"))


def test_the_last_layer_is_called_head():
    assert build("gap fc", SHAPE, 10).output == "head"


def test_case_and_blanks_do_not_matter():
    assert layers("  Conv8   RELU\tfc ") == layers("conv8 relu fc")


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("cnov32 relu fc", r"'cnov32' is not a layer.*word 1, column 1.*»cnov32«", "mean conv32"),
        ("conv32 rleu fc", r"'rleu' is not a layer.*word 2, column 8", "mean relu"),
        ("conv32 relu", r"last word is 'relu'", "Add fc"),
        ("conv32 relu fc10", r"last word is 'fc10'", "Add fc"),
        ("conv32 fc fc", r"fc stands before the end.*column 8", "fc128"),
        ("conv fc", r"conv has no number.*whole number", ""),
        ("conv3.5 fc", r"conv has 3\.5", ""),
        ("conv0 fc", r"conv has 0", ""),
        ("conv99999 fc", r"conv has 99999.*1 to 8192", ""),
        ("conv8q3 fc", r"sets 'q' which it does not have", ""),
        ("conv8k3k5 fc", r"sets 'k' twice", ""),
        ("conv8k0 fc", r"k0 is out of range.*1 to 255", ""),
        ("conv8k fc", r"ends with 'k'", ""),
        ("conv8-5-5 fc", r"ends with 'k5-5'", ""),
        ("relu3 fc", r"'relu3' has a number; expected relu alone", ""),
        ("reluk3 fc", r"'reluk3' is not a layer", "mean relu"),
        ("dropout1 fc", r"dropout is 1; expected a rate", "dropout0.5"),
        ("dropout0 fc", r"dropout is 0", ""),
        ("leaky1 fc", r"leaky has slope 1", ""),
        ("dwconv3 fc", r"has a number; expected dwconv alone", ""),
        ("conv6 conv5g4 fc", r"groups.*word 2", ""),
        ("conv8 pool64 fc", r"window of 64 does not fit.*word 2", ""),
        ("conv8p0s40 conv8p0 fc", r"does not fit.*word 2, column 12", ""),
        ("conv8 fc32 conv8-5p0 fc", r"word 3", ""),
    ],
)
def test_errors_point_at_the_word(text, what, hint):
    with pytest.raises(CnncliError, match=what) as caught:
        build(text, SHAPE, 10)
    assert caught.value.message.startswith("--model: ")
    assert hint in caught.value.hint


def test_a_long_string_is_shown_around_the_fault():
    text = "conv8 relu " * 60 + "bogus fc"
    with pytest.raises(CnncliError, match=r"….*»bogus« fc") as caught:
        build(text, SHAPE, 10)
    assert len(caught.value.message) < 350


def test_too_many_words():
    with pytest.raises(CnncliError, match="2001 layers; expected at most 1000"):
        build("relu " * 2000 + "fc", SHAPE, 10)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("fc", True), ("conv32 fc", True), ("conv32", True), ("lenet6", False), ("vgg", False)],
)
def test_names_and_strings_are_told_apart(text, meant):
    assert looks_like_layers(text) is meant


@pytest.mark.parametrize("word", ["conv" + "9" * 5000, "conv8k" + "9" * 5000, "fc1234567890"])
def test_numbers_without_end_are_refused(word):
    with pytest.raises(CnncliError, match="has a number of 10 digits or more"):
        build(f"{word} fc", (8, 8, 1), 2)
