"""Words of texts in many scripts, and the numbers that a vocabulary gives them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.data.words import FIRST, UNKNOWN, Vocabulary, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\r\n\x00\u00a0", []),
        ("It's 2.5 hours: 1,000 too many!", ["it's", "2.5", "hours", ":", "1,000", "too", "many", "!"]),
        ("don\u2019t 'quoted' end.", ["don't", "'", "quoted", "'", "end", "."]),
        ("Der Straßenbahn-Film ÜBER", ["der", "straßenbahn", "-", "film", "über"]),
        ("Это хорошее кино", ["это", "хорошее", "кино"]),
        ("好看的 电影。Great", ["好", "看", "的", "电", "影", "。", "great"]),
        ("日本のテスト", ["日", "本", "の", "テ", "ス", "ト"]),
        ("หนังดี", ["ห", "นั", "ง", "ดี"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("한국어 영화", ["한국어", "영화"]),
        ("co\u00adop\ufeff a\u200bb", ["coop", "ab"]),
        ("👍🏽 :)", ["👍", "🏽", ":", ")"]),
        ("\ud800bad\udcff", ["bad"]),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


def test_one_letter_however_it_is_typed():
    assert words_of("caf\u00e9 İ") == words_of("cafe\u0301 I\u0307")


@given(st.text())
def test_words_stay_what_they_are(text):
    words = words_of(text)
    assert all(word and not any(letter.isspace() for letter in word) for word in words)
    assert all(word.casefold() == words_of(word)[0].casefold() for word in words)


def test_a_vocabulary_does_not_depend_on_the_order_of_texts():
    texts = [["b", "a", "b"], ["c", "a", "once"], ["b", "c"]]
    vocabulary = Vocabulary.of(texts, least=2)
    assert vocabulary.words == ("b", "a", "c") == Vocabulary.of(texts[::-1], least=2).words
    assert vocabulary.numbers(["b", "once", "a"]) == [FIRST, UNKNOWN, FIRST + 1]
    assert len(vocabulary) == 3 + FIRST
    assert "c" in vocabulary
    assert "once" not in vocabulary
