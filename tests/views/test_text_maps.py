"""Evidence of words: shares of filters add up to what the network says."""

import numpy as np
import pytest

from cnncli.views.featuremaps.texts import Filters, evidence, ngrams, responses_of, text_sections

WORDS = ["not", "a", "good", "film"]


@pytest.fixture
def filters():
    random = np.random.default_rng(0)
    vectors = random.standard_normal((4, 6)).astype(np.float32)
    found = []
    for width in (2, 3):
        weight = random.standard_normal((5, 6, width)).astype(np.float32)
        responses = responses_of(vectors, weight, np.float32([0, 0.1, -50, 0.2, 0]))
        shares = responses.max(axis=0) * random.standard_normal(5)
        found.append(Filters(f"conv{width}", width, responses, shares))
    return found


def test_responses_are_a_convolution_over_the_words():
    vectors, weight = np.eye(3, dtype=np.float32), np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    found = responses_of(vectors, weight, np.float32([0.5, -1]))
    wanted = np.zeros((4, 2))
    for at in range(4):  # words at - 1 and at
        for place, word in enumerate((at - 1, at)):
            if 0 <= word < 3:
                wanted[at] += weight[:, word, place]
    np.testing.assert_allclose(found, np.maximum(0, wanted + np.array([0.5, -1])))
    assert responses_of(vectors[:0], weight, np.float32([1, 1])).shape == (0, 2)


def test_evidence_adds_up(filters):
    said = evidence(filters, len(WORDS))
    assert said.sum() == pytest.approx(sum(each.shares.sum() for each in filters))
    for each in filters:
        listed = ngrams(each, WORDS)
        assert sum(row["evidence"] for row in listed) == pytest.approx(each.shares.sum(), abs=1e-5)
        assert sorted(at for row in listed for at in row["filters"]) == [0, 1, 3, 4]  # the third never fires
        for row in listed:
            assert " ".join(WORDS).find(row["ngram"]) >= 0
            assert len(row["ngram"].split()) <= each.width


def test_pages_have_all_words(filters):
    sections = text_sections(filters, WORDS, [True, True, False, True], "good")
    assert [section.name for section in sections] == ["text", "conv2", "conv3"]
    for section in sections:
        assert [box.text for box in section.words] == ["not", "a", "[good]", "film"]
    assert text_sections(filters[:0], [], [], "good")[0].words == ()
