"""Figures of sentences against SciPy, and by hand."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from kgan.errors import UsageError
from kgan.metrics import texts


def test_ngrams():
    assert texts.ngrams(["abab", "b"], 2) == {"ab": 2, "ba": 1}


def test_ngram_distance():
    one, other = ["aab", "ac"], ["abb", "cc", "d"]
    # a, b, c, d: 3, 1, 1, 0 of 5 and 1, 2, 2, 1 of 6.
    expected = jensenshannon([3, 1, 1, 0], [1, 2, 2, 1], base=2)
    assert texts.ngram_distance(one, other, 1) == pytest.approx(expected, rel=1e-12)
    # By hand: {ab: 1/2, ba: 1/2} and {ab: 1}; divergence = (1/2 log2(2/3) + 1/2 log2 2 + log2(4/3)) / 2.
    by_hand = (0.5 * math.log2(2 / 3) + 0.5 + math.log2(4 / 3)) / 2
    assert texts.ngram_distance(["aba"], ["ab", "ab"], 2) == pytest.approx(math.sqrt(by_hand), rel=1e-12)
    assert texts.ngram_distance(one, one * 3, 2) == 0
    assert texts.ngram_distance(["ab"], ["cd"], 2) == 1
    with pytest.raises(UsageError, match="no sentence has 4 characters"):
        texts.ngram_distance(one, other, 4)


def test_witten_bell_by_hand():
    model = texts.NGramModel(["ab", "aa"], order=2, characters=4)
    end = model.EDGE
    # Unigrams: a 3, b 1, end 2; three kinds of six: (N + 3/4) / 9.
    one = {"a": 3.75 / 9, "b": 1.75 / 9, end: 2.75 / 9, "c": 0.75 / 9}
    # After a: b, a, end, once each of three; after b: the end, once; after the beginning: a, twice of one kind.
    assert model.probability("b", "a") == pytest.approx((1 + 3 * one["b"]) / 6)
    assert model.probability("c", "a") == pytest.approx(3 * one["c"] / 6)
    assert model.probability(end, "b") == pytest.approx((1 + one[end]) / 2)
    assert model.probability("a", end) == pytest.approx((2 + one["a"]) / 3)
    assert model.probability("a", "c") == pytest.approx(one["a"])
    logs = [math.log((2 + one["a"]) / 3), math.log((1 + 3 * one["b"]) / 6), math.log((1 + one[end]) / 2)]
    assert model.perplexity(["ab"]) == pytest.approx(math.exp(-sum(logs) / 3))


def test_a_language_model_is_a_distribution_and_knows_its_language():
    random = np.random.default_rng(0)
    text = ["".join(random.choice(list("abcd"), 12)) for _ in range(50)]
    model = texts.NGramModel(text, order=3, characters=5)
    for history in ("ab", "zz", model.EDGE * 2):
        assert sum(model.probability(c, history) for c in ["a", "b", "c", "d", model.EDGE]) == pytest.approx(1)
    ordered = texts.NGramModel(["abcdabcdabcd"] * 50, order=3, characters=5)
    assert ordered.perplexity(["abcdabcdabcd"]) < 2 < 4 < ordered.perplexity(["aaccbbdd"])


def test_self_bleu():
    same, apart = ["abcdefgh"] * 4, ["abcdefgh", "ijklmnop", "qrstuvwx"]
    assert texts.self_bleu(same) == pytest.approx(100)
    assert texts.self_bleu(apart) < 5
    assert texts.self_bleu(apart) < texts.self_bleu([*apart, "abcdefgx"]) < 100


def test_real_words():
    assert texts.words("I don't KNOW, 3 cats!") == ["i", "don't", "know", "cats"]
    assert texts.real_words(["the cat sxt", "dog"], ["The cat sat."]) == 0.5
    assert texts.real_words(["，"], ["a"]) == 0


def test_figures_of_english():
    random = np.random.default_rng(1)
    words = ["the", "cat", "dog", "sat", "ran", "home"]
    training, held_out = ([" ".join(random.choice(words, 4)) for _ in range(60)] for _ in range(2))
    figures = {f.name: f for f in texts.sentence_figures(held_out, held_out, training, reference_name="x", seed=0)}
    assert figures["1-gram distance"].value == 0  # the samples are the first half of what they are compared with
    assert figures["real words"].value == 1 and "right shape" not in figures
    assert {f"{n}-gram distance" for n in range(1, 7)} < figures.keys()
    garbage = ["".join(random.choice(list("abcdefgh t"), 15)) for _ in range(60)]
    worse = {f.name: f for f in texts.sentence_figures(garbage, held_out, training, reference_name="x", seed=0)}
    for name in ("1-gram distance", "3-gram distance", "perplexity"):
        assert worse[name].value > 1.5 * float(worse[name].remark.split()[-1])
    assert worse["real words"].value < 0.3
    few = {f.name: f for f in texts.sentence_figures(garbage[:5], held_out, training, reference_name="x", seed=0)}
    as_few = texts.ngram_distance(held_out[30:35], held_out[:30], 2)
    assert few["2-gram distance"].remark == f"as many other x: {as_few:.3f}" != worse["2-gram distance"].remark
    copies = texts.sentence_figures(training[:9] + garbage[:1], held_out, training, reference_name="x", seed=0)
    assert next(f.value for f in copies if f.name == "copies") == pytest.approx(len(set(training[:9])) / 10)
