"""Weights from elsewhere: names, shapes, classes and preprocessing become a checkpoint, or are refused."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from cnncli.data.shipped import model_path
from cnncli.errors import CnncliError
from cnncli.models.catalog import MODELS
from cnncli.models.choice import build
from cnncli.nn import Network
from cnncli.tasks.classification import Classification
from cnncli.training.checkpoint import load_checkpoint
from cnncli.training.tensors import read_tensors
from cnncli.training.transfer import starting_point, transfer_weights
from cnncli.training.weights.classes import read_classes
from cnncli.training.weights.compare import fitting, shapes_of
from cnncli.training.weights.load import load_weights
from cnncli.training.weights.pixels import Choices, preprocessing, published

NARROW = "resnet18:width=0.05"
NARROW_AUX = "googlenet:aux,width=0.05"
TIMM = {
    "architecture": "seresnet18",
    "num_classes": 3,
    "pretrained_cfg": {
        "input_size": [3, 160, 160],
        "crop_pct": 0.95,
        "interpolation": "bicubic",
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.3, 0.4],
    },
}


def arrays_of(model, classes=3, channels=3):
    return Network(build(model, (224, 224, channels), classes), seed=1).export()


@pytest.fixture
def narrow():
    return arrays_of(NARROW)


@pytest.fixture
def saved(tmp_path):
    """Write arrays with the format's own package: ``saved(arrays)``; the path."""

    def write(arrays, name="weights.safetensors"):
        path = tmp_path / name
        save_file(dict(arrays), path)
        return path

    return write


def same(found, wanted):
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


# Names


@pytest.mark.parametrize(
    "wrapped",
    [
        "module.{}".format,
        "_orig_mod.{}".format,
        "module._orig_mod.{}".format,
        "_orig_mod.module.{}".format,
        lambda name: name.replace("layer1.", "layer1._orig_mod."),
    ],
)
def test_names_that_training_wrapped(saved, narrow, wrapped):
    held = {wrapped(name): array for name, array in narrow.items()}
    held[wrapped("bn1.num_batches_tracked")] = np.array(7)
    same(load_weights(saved(held), NARROW).checkpoint.arrays, narrow)


def test_names_that_fall_together_are_refused(saved, narrow):
    with pytest.raises(CnncliError, match="two arrays that are fc"):
        load_weights(saved(narrow | {"module.fc.bias": narrow["fc.bias"]}), NARROW)


def test_half_precision(saved, narrow):
    halves = {name: array.astype(np.float16) for name, array in narrow.items()}
    wanted = {name: array.astype(np.float32) for name, array in halves.items()}
    same(load_weights(saved(halves), NARROW).checkpoint.arrays, wanted)


def test_auxiliary_heads_are_for_networks_that_have_them(saved):
    arrays = arrays_of(NARROW_AUX)
    path = saved(arrays)
    same(load_weights(path, NARROW_AUX).checkpoint.arrays, arrays)
    without = load_weights(path, NARROW_AUX.replace("aux,", ""))
    wanted = {name: array for name, array in arrays.items() if not name.startswith("aux")}
    same(without.checkpoint.arrays, wanted)
    assert "auxiliary heads" in without.notes[0]
    with pytest.raises(CnncliError, match=r"18 arrays are missing \(aux1"):
        load_weights(saved(wanted), NARROW_AUX)


def test_what_does_not_fit_is_counted_and_named(saved, narrow):
    held = {name: array for name, array in narrow.items() if not name.startswith("layer4.1.bn")}
    held |= {"layer1.0.bn1.weight": np.ones(9, np.float32), "extra.weight": np.ones((2, 2), np.float32)}
    with pytest.raises(CnncliError) as fault:
        load_weights(saved(held), NARROW)
    assert fault.value.message.endswith(
        f"does not fit {NARROW}: 8 arrays are missing (layer4.1.bn1.weight, layer4.1.bn1.bias, "
        "layer4.1.bn1.running_mean and 5 more); 1 array is too many (extra.weight); 1 array is of another "
        "shape (layer1.0.bn1.weight is 9 instead of 8)"
    )


@pytest.mark.parametrize("model", ["resnet34", "vgg11-bn", "googlenet:aux", "lenet5", "efficientnet-lite1"])
def test_the_model_that_fits_is_found(model):
    usual = (28, 28, 1) if model == "lenet5" else (240, 240, 3)
    shapes = shapes_of(build(model, usual, 7))
    assert fitting({name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}) == model


@pytest.mark.parametrize("name", ["layer0.conv1.weight", "layer1.0.se_module.fc1.weight"])
def test_legacy_networks_are_refused_by_name(saved, narrow, name):
    with pytest.raises(CnncliError, match=f"{name}, a name of timm's legacy_seresnet50"):
        load_weights(saved(narrow | {name: np.ones(3, np.float32)}), "seresnet50")


def test_vgg_of_timm_has_its_layers_as_convolutions(saved):
    ours = arrays_of("vgg11:width=0.05")
    theirs = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2", "classifier.6": "head.fc"}
    windows = {"classifier.0": 7, "classifier.3": 1}
    held = {}
    for name, array in ours.items():
        layer, _, kind = name.rpartition(".")
        side = windows.get(layer) if kind == "weight" else None
        shape = (len(array), -1, side, side) if side else array.shape
        held[f"{theirs.get(layer, layer)}.{kind}"] = array.reshape(shape)
    same(load_weights(saved(held), "vgg11:width=0.05").checkpoint.arrays, ours)


def test_densenet_was_published_with_dots_in_names(saved):
    """As torchvision.models.densenet reads densenet121-a639ec97.pth."""
    name = "densenet121:width=0.05"
    ours = arrays_of(name)
    held = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", each): ours[each] for each in ours}
    assert "features.denseblock4.denselayer16.norm.2.running_var" in held
    assert "features.transition1.norm.weight" in held
    same(load_weights(saved(held), name).checkpoint.arrays, ours)


@pytest.mark.parametrize("name", [NARROW, "googlenet:width=0.05", "densenet121:width=0.05"])
def test_networks_for_small_images_have_another_stem(name, saved):
    path = saved(Network(build(name, (48, 48, 3), 3), seed=1).export())
    with pytest.raises(CnncliError, match=r"is of .* for images with a side below 64 pixels, but") as fault:
        load_weights(path, name)
    assert fault.value.hint.startswith("Say --crop 32, ")
    found = load_weights(path, name, choices=Choices(crop=32)).checkpoint
    assert found.preprocessing.shape == (32, 32, 3)


def test_what_train_cannot_be_told_is_said_to_weights(saved):
    path = saved(arrays_of("lenet5"))
    with pytest.raises(CnncliError, match="expected --mean and --std") as fault:
        starting_point(str(path), "lenet5")
    assert "for --init to cnncli weights" in fault.value.hint


# What is no such file


def test_a_file_has_to_say_its_network(saved, narrow):
    with pytest.raises(CnncliError, match="does not say which network it is of; expected its name with -m"):
        load_weights(saved(narrow))


def test_a_checkpoint_is_no_weights_from_elsewhere():
    with pytest.raises(CnncliError, match="is a checkpoint of cnncli") as fault:
        load_weights(model_path("digits"), "compact")
    assert "-m " in fault.value.hint


def test_pickles_are_refused_with_lines_that_convert_them(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(CnncliError, match="a zip archive, as PyTorch and Keras write it") as fault:
        load_weights(tmp_path, "resnet18")
    assert "weights_only=True" in fault.value.hint


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(CnncliError, match=r"holds no model\.safetensors"):
        load_weights(tmp_path, "resnet18")


# Classes


def test_as_many_classes_as_the_head_has_rows(saved, narrow):
    checkpoint = load_weights(saved(narrow), NARROW).checkpoint
    assert checkpoint.task.outputs == ("0", "1", "2")
    assert checkpoint.is_numbered
    named = load_weights(saved(narrow), NARROW, classes=("ant", "bee", "cat")).checkpoint
    assert (named.task.outputs, named.is_numbered) == (("ant", "bee", "cat"), False)
    with pytest.raises(CnncliError, match="--classes has 2 names; expected 3"):
        load_weights(saved(narrow), NARROW, classes=("ant", "bee"))


@pytest.mark.parametrize(
    "text",
    [
        "ant\nbee\n",
        "\ufeffant\r\nbee\r\n\r\n",
        '["ant", "bee"]',
        '{"1": "bee", "0": "ant"}',
        '{"bee": 1, "ant": 0}',
        '{"0": ["n01", "ant"], "1": ["n02", "bee"]}',
    ],
)
def test_forms_of_names(tmp_path, text):
    path = tmp_path / "names"
    path.write_bytes(text.encode())
    assert read_classes(str(path)) == ("ant", "bee")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no list of names"),
        (b"ant\n\nbee", "class 1 has no name"),
        (b"[1, 2]", "class 0 has no name"),
        (b'{"0": "ant", "2": "bee"}', "there is no class 1 among its 2"),
        (b'{"ant": "bee"}', "there is no class 0"),
        (b"[", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_files_that_give_no_names(tmp_path, data, why):
    path = tmp_path / "names"
    path.write_bytes(data)
    with pytest.raises(CnncliError, match=why):
        read_classes(str(path))


def test_the_names_of_imagenet_ship():
    names = read_classes("imagenet")
    assert len(names) == 1000
    assert (names[282], names[504]) == ("tiger cat", "coffee mug")


# Preprocessing. Sources: torchvision's weights enums, timm's default_cfgs.

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("model", "file", "wanted"),
    [
        ("resnet50", "resnet50-0676ba61.safetensors", (224, 256, "bilinear", *IMAGENET)),
        ("resnet50", "resnet50-11ad3fa6.safetensors", (224, 232, "bilinear", *IMAGENET)),
        ("mobilenet-v2", "mobilenet_v2-b0353104.safetensors", (224, 256, "bilinear", *IMAGENET)),
        ("mobilenet-v2", "mobilenet_v2-7ebf99e0.safetensors", (224, 232, "bilinear", *IMAGENET)),
        ("resnet101", "resnet101-cd907fc2.safetensors", (224, 232, "bilinear", *IMAGENET)),
        ("vgg16-bn", "w.safetensors", (224, 256, "bilinear", *IMAGENET)),
        ("googlenet:aux", "w.safetensors", (224, 256, "bilinear", *HALVES)),
        ("seresnet50", "w.safetensors", (224, 256, "bicubic", *IMAGENET)),
        ("efficientnet-lite1", "w.safetensors", (240, 272, "bicubic", *HALVES)),
        ("efficientnet-lite4", "w.safetensors", (380, 413, "bilinear", *HALVES)),
    ],
)
def test_published_weights(model, file, wanted):
    found = preprocessing(published(model, file, 3), Choices(), 3, model)
    assert (found.size[0], found.resize, found.interpolation, found.mean, found.std) == wanted
    assert found.long_side == "truncated"


def test_networks_for_photographs_have_a_preprocessing():
    usual = [name for name, model in MODELS.items() if model.usual[1] == 1000]
    assert not [name for name in usual if not published(name, "", 3).mean]


def test_options_override():
    choices = Choices((0.1, 0.2, 0.3), (0.9,), 300, 288, "lanczos")
    found = preprocessing(published("resnet18", "", 3), choices, 3, "resnet18")
    assert (found.mean, found.std) == ((0.1, 0.2, 0.3), (0.9, 0.9, 0.9))
    assert (found.size, found.resize, found.interpolation) == ((288, 288), 300, "lanczos")


@pytest.mark.parametrize(("model", "crop", "short"), [("resnet18", 288, 329), ("seresnet18", 256, 292)])
def test_another_crop_keeps_the_proportion(model, crop, short):
    assert preprocessing(published(model, "", 3), Choices(crop=crop), 3, model).resize == short


@pytest.mark.parametrize(
    ("model", "channels", "choices", "why"),
    [
        ("resnet20", 3, Choices(), "is not known; expected --mean and --std"),
        ("resnet18", 1, Choices(mean=(0.5,)), "is not known; expected --std"),
        ("custom", 3, Choices((0.5,), (0.5,)), "is not known; expected --crop"),
        ("resnet18", 3, Choices(mean=(0.5, 0.5)), "--mean has 2 values"),
        ("resnet18", 3, Choices(mean=(123.7,)), "--mean is 123.7; expected 0 to 1"),
        ("resnet18", 3, Choices(std=(0.0,)), "--std is 0; expected 1e-07 to 1"),
        ("resnet18", 3, Choices(resize=200), "resized to 200; expected 224"),
    ],
)
def test_what_cannot_be_prepared(model, channels, choices, why):
    with pytest.raises(CnncliError, match=why):
        preprocessing(published(model, "", channels), choices, channels, model)


def test_gray_pictures_where_the_first_layer_takes_them(saved):
    path = saved(arrays_of(NARROW, channels=1))
    found = load_weights(path, NARROW, choices=Choices((0.5,), (0.25,))).checkpoint
    assert found.preprocessing.shape == (224, 224, 1)


# A folder with its description


@pytest.fixture
def folder(saved, tmp_path):
    """Write weights of SE-ResNet-18 and a description: ``folder(architecture=…)``; the folder."""

    def write(pretrained=None, **changes):
        shapes = shapes_of(build("seresnet18", (224, 224, 3), 3))
        saved({name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, "model.safetensors")
        known = TIMM["pretrained_cfg"] | (pretrained or {})
        described = {**TIMM, "pretrained_cfg": known, **changes}
        (tmp_path / "config.json").write_text(json.dumps(described))
        return tmp_path

    return write


def test_a_description_says_network_and_preprocessing(folder):
    found = load_weights(folder(label_names=["n1", "n2", "n3"], label_descriptions={"n2": "bee"}))
    pictures = found.checkpoint.preprocessing
    assert found.checkpoint.architecture.name == "seresnet18"
    assert (pictures.size, pictures.resize, pictures.interpolation) == ((160, 160), 168, "bicubic")
    assert (pictures.mean, pictures.std) == ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    assert found.checkpoint.task.outputs == ("n1", "bee", "n3")
    assert found.notes == ()
    shown = load_weights(folder(), choices=Choices(resize=200)).checkpoint
    assert (shown.preprocessing.resize, shown.task.outputs) == (200, ("0", "1", "2"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"architecture": "efficientnet_lite0"}, "pads evenly; expected tf_efficientnet_lite0"),
        ({"architecture": "legacy_seresnet18"}, "strides and pools elsewhere than seresnet18"),
        ({"architecture": "convnext_tiny.in12k"}, "architecture is 'convnext_tiny'; expected one of"),
        ({"architecture": "resnet18"}, "too many"),
        ({"num_classes": 4}, "says 4 classes; the head of its weights has 3"),
        ({"label_names": ["a"]}, "config.json has 1 names; expected 3"),
        ({"model_args": {"stem_width": 32}}, "model_args changes stem_width"),
        ({"model_args": {"global_pool": "max"}}, "global_pool is 'max'"),
        ({"pretrained": {"crop_mode": "squash"}}, "crop_mode is 'squash'"),
        ({"pretrained": {"input_size": [3, 160, 200]}}, "input_size is 160 x 200"),
        ({"pretrained": {"interpolation": "random"}}, "interpolation is 'random'"),
        ({"pretrained": {"mean": [0.5]}}, "mean has 1 values"),
    ],
)
def test_descriptions_of_what_is_not_here(folder, changes, why):
    with pytest.raises(CnncliError, match=why):
        load_weights(folder(**changes))


# As a start of training


def test_numbers_are_no_names_of_classes_to_start_from(saved, narrow):
    start, notes = starting_point(str(saved(narrow)), NARROW)
    network = Network(build(NARROW, (224, 224, 3), 2), seed=5)
    fresh = network.export()
    assert "its head is new" in transfer_weights(network, start, Classification(("0", "1")))
    after = network.export()
    assert np.array_equal(after["fc.weight"], fresh["fc.weight"])
    assert np.array_equal(after["conv1.weight"], narrow["conv1.weight"])
    assert "as by torchvision: short side to 256" in notes[0]


def test_auxiliary_heads_start_anew(saved):
    start, _ = starting_point(str(saved(arrays_of(NARROW_AUX))), NARROW_AUX)
    network = Network(build(NARROW_AUX, (224, 224, 3), 2), seed=5)
    transfer_weights(network, start, Classification(("a", "b")))
    assert np.array_equal(network.export()["aux1.fc1.weight"], start.arrays["aux1.fc1.weight"])


def test_checkpoints_are_read_as_before():
    start, notes = starting_point("digits", "auto")
    wanted = load_checkpoint(model_path("digits"))
    assert (start.architecture, notes) == (wanted.architecture, ())
    same(start.arrays, dict(wanted.arrays))
    assert read_tensors(model_path("digits"))[1]["format"]
