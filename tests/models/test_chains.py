"""Dynamic programming over chains against counting every labelling, and Gibbs sampling against both."""

import itertools

import numpy as np
import pytest

from kgan.errors import UsageError
from kgan.models.chains import Chain, Exact, Gibbs, count, labelling_scores, log_partition

LENGTHS = np.array([4, 1, 3, 4, 2])
CLASSES, STEPS = 3, 4


@pytest.fixture(scope="module")
def potentials():
    random = np.random.default_rng(0)
    return random.normal(size=(len(LENGTHS), STEPS, CLASSES)) * 2, random.normal(size=(CLASSES, CLASSES)) * 2


def every(unary, transition, index):
    """All labellings of one sequence, as far as its own length, and their scores, one by one."""
    labellings = list(itertools.product(range(CLASSES), repeat=int(LENGTHS[index])))
    scores = []
    for labels in labellings:
        score = sum(unary[index, t, label] for t, label in enumerate(labels))
        scores.append(score + sum(transition[a, b] for a, b in itertools.pairwise(labels)))
    return labellings, np.array(scores)


def test_viterbi_is_the_best_of_all_labellings(potentials):
    found = Exact().best(*potentials, LENGTHS)
    scores = labelling_scores(*potentials, found, LENGTHS)
    for index, length in enumerate(LENGTHS):
        labellings, all_scores = every(*potentials, index)
        assert tuple(found[index, :length]) == labellings[all_scores.argmax()]
        assert scores[index] == pytest.approx(all_scores.max(), abs=1e-12)


def test_viterbi_equals_brute_force_on_a_thousand_short_chains():
    """E14."""
    random = np.random.default_rng(1)
    labellings = np.array(list(itertools.product(range(4), repeat=5)))
    unary, transition = random.normal(size=(1_000, 5, 4)), random.normal(size=(4, 4))
    emitted = unary[:, np.arange(5), labellings].sum(axis=2)
    scores = emitted + transition[labellings[:, :-1], labellings[:, 1:]].sum(axis=1)
    found = Exact().best(unary, transition, np.full(1_000, 5))
    np.testing.assert_array_equal(found, labellings[scores.argmax(axis=1)])


def test_log_partition_sums_over_all_labellings(potentials):
    found = log_partition(*potentials, LENGTHS)
    for index in range(len(LENGTHS)):
        assert found[index] == pytest.approx(np.log(np.exp(every(*potentials, index)[1]).sum()), abs=1e-10)


def test_log_partition_of_huge_scores_is_finite():
    unary = np.array([[[1e4, 0.0], [0.0, 1e4]]])
    assert log_partition(unary, np.zeros((2, 2)), np.array([2]))[0] == pytest.approx(2e4)


def test_expected_counts_are_those_of_all_labellings(potentials):
    found = Exact().expect(*potentials, LENGTHS)
    pairs = np.zeros((CLASSES, CLASSES))
    for index, length in enumerate(LENGTHS):
        labellings, scores = every(*potentials, index)
        share = np.exp(scores) / np.exp(scores).sum()
        nodes = np.zeros((STEPS, CLASSES))
        for labels, p in zip(labellings, share, strict=True):
            for t, label in enumerate(labels):
                nodes[t, label] += p
            for a, b in itertools.pairwise(labels):
                pairs[a, b] += p
        np.testing.assert_allclose(found.nodes[index], nodes, atol=1e-12)
        assert not found.nodes[index, length:].any()
    np.testing.assert_allclose(found.pairs, pairs, atol=1e-12)


def test_gibbs_draws_from_the_distribution_of_the_chain(potentials):
    unary, transition = (part[:1] if part.ndim == 3 else part for part in potentials)
    many, lengths = np.repeat(unary, 20_000, axis=0), np.full(20_000, 4)
    start = np.zeros((20_000, 4), np.int64)
    found = Gibbs(sweeps=60).expect(many, transition, lengths, start, np.random.default_rng(0))
    exact = Exact().expect(unary, transition, lengths[:1])
    np.testing.assert_allclose(found.nodes.mean(axis=0), exact.nodes[0], atol=0.02)
    np.testing.assert_allclose(found.pairs / 20_000, exact.pairs, atol=0.02)


def test_annealed_gibbs_nearly_always_finds_what_viterbi_finds():
    random = np.random.default_rng(3)
    unary, transition = random.normal(size=(300, 6, 5)), random.normal(size=(5, 5)) * 1.5
    lengths = random.integers(2, 7, 300)
    best = labelling_scores(unary, transition, Exact().best(unary, transition, lengths), lengths)
    greedy = labelling_scores(unary, transition, unary.argmax(axis=2), lengths)
    found = labelling_scores(unary, transition, Gibbs(sweeps=300).best(unary, transition, lengths, random), lengths)
    assert (found <= best + 1e-9).all() and (found >= greedy).all()
    assert (found > best - 1e-9).mean() > 0.95 and (greedy > best - 1e-9).mean() < 0.3


def test_the_score_is_weights_times_features():
    random = np.random.default_rng(4)
    chain = Chain(CLASSES, 2, random.normal(size=CLASSES * 2 + CLASSES + CLASSES**2))
    x, labels = random.normal(size=(5, STEPS, 2)), random.integers(0, CLASSES, (5, STEPS))
    seen = count(labels, LENGTHS, CLASSES).features(x)
    assert chain.weights @ seen == pytest.approx(chain.scores(x, labels, LENGTHS).sum(), abs=1e-10)
    by_hand = chain.emission[labels[1, 0]] @ x[1, 0] + chain.bias[labels[1, 0]]  # a sequence of one
    assert chain.scores(x, labels, LENGTHS)[1] == pytest.approx(by_hand)


def test_bad_input_is_one_sentence():
    with pytest.raises(UsageError, match=r"sweeps is 0 [^\n]*\.$"):
        Gibbs(sweeps=0)
    with pytest.raises(UsageError, match=r"temperature falls from 0.1 to 3[^\n]*\.$"):
        Gibbs(hottest=0.1, coldest=3.0)
    with pytest.raises(UsageError, match=r"need \(15,\)\.$"):
        Chain(3, 1, np.zeros(4))
