from dataclasses import replace

import pytest

from cnncli.data.augment import PRESETS, Augment, parse_augment
from cnncli.errors import CnncliError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shift=2,rotate=10,flip", Augment(shift=2, rotate=10, flip=0.5)),
        (" Shift = 2 , FLIP=0.25 ", Augment(shift=2, flip=0.25)),
        ("shift=10%", Augment(shift=0.1)),
        ("color=0.2", Augment(brightness=0.2, contrast=0.2, saturation=0.2)),
        (
            "colour=0.2,border=reflect",
            Augment(brightness=0.2, contrast=0.2, saturation=0.2, border="reflect"),
        ),
        ("erase,mixup,vflip", Augment(erase=0.5, mixup=0.2, vflip=0.5)),
        ("rot90", Augment(rot90=0.75)),
        ("crop=4,scale=0.1,shear=5", Augment(crop=4, scale=0.1, shear=5)),
        ("none", None),
        ("", None),
    ],
)
def test_words(text, expected):
    assert parse_augment(text) == expected


@pytest.mark.parametrize(("names", "values", "beyond"), [
    (("flip", "vflip", "rot90", "erase"), (0, 0.3, 1), (-0.1, 1.1)),
    (("brightness", "contrast", "saturation", "color"), (0, 0.3, 1), (-0.1, 1.1)),
    (("shift", "crop"), (0, 0.3, 8, 1024), (-1, 1025)),
    (("rotate",), (0, 15, 180), (-5, 181)),
    (("scale",), (0, 0.3, 4), (-0.1, 4.1)),
    (("shear",), (0, 10, 60), (-10, 61)),
    (("mixup",), (0.05, 0.3, 1), (0, 0.04, 1.1)),
])  # fmt: skip
def test_values_from_nothing_to_the_most_are_taken(names, values, beyond):
    for name in names:
        for value in values:
            found = parse_augment(f"{name}={value}")
            assert getattr(found, "contrast" if name == "color" else name) == value
        for value in beyond:
            with pytest.raises(CnncliError, match=f"{name} is {value}; expected "):
                parse_augment(f"{name}={value}")


@pytest.mark.parametrize("augment", [*PRESETS.values(), Augment(), Augment(flip=0.5, erase=0.2, mixup=0.2)])
def test_text_reads_back(augment):
    assert (parse_augment(augment.text) or Augment()) == augment


def test_auto_suits_the_data():
    assert parse_augment("auto", dataset="mnist") == PRESETS["mnist"]
    assert parse_augment("auto", dataset="mnist").flip == 0
    assert parse_augment("auto", dataset="photos", shape=(64, 64, 3)).crop == 0.5
    assert parse_augment("auto", dataset="letters", shape=(28, 28, 1)).flip == 0
    upright = parse_augment("auto", dataset="x-rays", shape=(28, 28, 1), kind="upright")
    assert (upright.flip, upright.rot90) == (0.5, 0)


@pytest.mark.parametrize("shape", [(32, 32, 1), (32, 32, 3), (64, 64, 3)])
def test_auto_turns_textures_alone(shape):
    """Mirrored as often as not and turned by each of four angles alike: all eight positions."""
    upright = parse_augment("auto", shape=shape, kind="upright")
    assert parse_augment("auto", shape=shape, kind="textures") == replace(upright, flip=0.5, rot90=0.75)
    assert upright.rot90 == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shift=2,rotat=10", r"unknown word 'rotat'.*in shift=2,»rotat=10«$"),
        ("shift=two,flip", r"shift is 'two'; expected a number.*in shift=»two«,flip$"),
        ("flip,rotate=1000", r"rotate is 1000; expected 0 to 180, degrees, in flip,rotate=»1000«$"),
        ("rotate", r"rotate needs a value, degrees, in »rotate«$"),
        ("flip,flip=0.2", r"flip is given twice; expected once, in flip,»flip=0.2«$"),
        ("flip,,shift=1", r"unknown word ''.*in flip,»«,shift=1$"),
        ("rotate=nan", r"rotate is nan; expected 0 to 180"),
        ("border=pink", r"border is 'pink'; expected black, edge, reflect"),
        ("mixup=0", r"mixup is 0; expected 0.05 to 1"),
    ],
)
def test_faults_show_the_place(text, message):
    with pytest.raises(CnncliError, match=message) as caught:
        parse_augment(text)
    assert "--augment" in caught.value.hint


def test_nearest_word_is_suggested():
    with pytest.raises(CnncliError) as caught:
        parse_augment("rotat=10")
    assert caught.value.hint.startswith("Did you mean rotate?")


def test_saturation_of_gray_images_is_refused():
    with pytest.raises(
        CnncliError, match=r"saturation needs colour images; these are gray, in flip,»saturation=0.2«"
    ):
        parse_augment("flip,saturation=0.2", shape=(28, 28, 1))


def test_turning_images_that_are_not_square_is_refused():
    with pytest.raises(CnncliError, match=r"rot90 needs square images; these are 48x32, in »rot90«,flip"):
        parse_augment("rot90,flip", shape=(32, 48, 1))
    assert parse_augment("rot90,flip", shape=(32, 32, 1)).rot90 == 0.75
