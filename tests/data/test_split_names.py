import itertools

import pytest

from cnncli.data.split_names import assigned, plain, split_of

# As the issue tracker of the field has them: torchvision, Keras, timm, Kaggle, Ludwig, speech corpora.
WORDS = {
    "train": "train training train_set training_set seg_train fit",
    "val": "val valid validation dev eval val_set",
    "test": "test testing test_set seg_test holdout evaluation",
}


@pytest.mark.parametrize("split", WORDS)
def test_usual_words_in_any_case(split):
    for word in WORDS[split].split():
        for spelt in (
            word,
            word.upper(),
            word.title(),
            f" {word} ",
            word.replace("_", "-"),
            word.replace("_", " "),
        ):
            assert split_of(spelt) == split, spelt


@pytest.mark.parametrize("word", ["", "check", "trains", "contest", "0", "1", "retrain", "extra", "val2"])
def test_other_words_mean_nothing(word):
    assert split_of(word) is None


def test_three_numbers_together():
    assert assigned(["2", "0", "1"]) == ({"0": "train", "1": "val", "2": "test"}, [])
    assert assigned(["0.0", "1.0", "2.0"])[0] == {"0.0": "train", "1.0": "val", "2.0": "test"}
    for few in (
        ["0"],
        ["0", "1"],
        ["1", "2"],
        ["0", "1", "2", "3"],
        ["1", "2", "3"],
        ["0", "1", "2", "test"],
    ):
        assert set(assigned(few)[1]) == {word for word in few if word != "test"}


def test_eval_is_the_test_only_beside_another_validation_split():
    for words in itertools.permutations(["train", "dev", "eval"]):
        assert assigned(words)[0] == {"train": "train", "dev": "val", "eval": "test"}
    assert assigned(["train", "eval", "test"])[0]["eval"] == "val"
    assert assigned(["train", "eval"])[0]["eval"] == "val"
    assert assigned(["train", "dev", "eval", "test"])[0]["eval"] == "val"
    assert assigned(["training", "check", "EVAL"]) == ({"training": "train", "EVAL": "val"}, ["check"])


def test_accents_have_one_spelling():
    assert plain("caf\u00e9") == plain("cafe\u0301")
