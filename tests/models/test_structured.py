"""Structured learning: gradients against differences, the perceptron's mistake bound, and that each method learns."""

import dataclasses
import itertools

import numpy as np
import pytest

from kgan.datasets.letters import load_words
from kgan.errors import UsageError
from kgan.models import structured
from kgan.models.chains import Chain, Exact, Gibbs, count
from kgan.models.structured import METHODS, Method, Sequences, accuracy, learn, predict

CLASSES, STEPS, DIMENSIONS = 3, 4, 2


def sequences(number, seed, lengths=None) -> Sequences:
    """Noise with labels that the chain of `truth` likes best."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, STEPS + 1, number) if lengths is None else lengths
    x = random.normal(size=(number, STEPS, DIMENSIONS)) * (np.arange(STEPS) < lengths[:, None])[..., None]
    labels = predict(truth(), x, lengths) * (np.arange(STEPS) < lengths[:, None])
    return Sequences(x, labels, lengths)


def truth() -> Chain:
    return Chain(CLASSES, DIMENSIONS, np.random.default_rng(7).normal(size=CLASSES * (DIMENSIONS + 1 + CLASSES)))


def some_chain() -> Chain:
    return Chain(CLASSES, DIMENSIONS, np.random.default_rng(8).normal(size=CLASSES * (DIMENSIONS + 1 + CLASSES)))


@pytest.mark.parametrize(
    ("loss", "negative"),
    [(structured.log_loss, structured.expected), (structured.hinge_loss, structured.violating)],
)
def test_the_contrast_is_the_gradient_of_the_loss(loss, negative):
    data, chain, step = sequences(6, 0), some_chain(), 1e-6
    found = structured.contrast(chain, data, negative)
    for index in range(len(chain.weights)):
        kept, around = chain.weights[index], []
        for move in (step, -step):
            chain.weights[index] = kept + move
            around.append(loss(chain, data).sum())
        chain.weights[index] = kept
        assert -found[index] == pytest.approx((around[0] - around[1]) / (2 * step), abs=1e-6)


def test_the_hinge_loss_is_the_worst_violation_of_all_labellings():
    data, chain = sequences(4, 1, np.full(4, 3)), some_chain()
    found = structured.hinge_loss(chain, data)
    for index in range(4):
        one = data[index : index + 1]
        violations = []
        for labels in itertools.product(range(CLASSES), repeat=3):
            other = np.array([[*labels, 0]])
            wrong = sum(a != b for a, b in zip(labels, data.labels[index], strict=False))
            violations.append(wrong + chain.scores(one.x, other, one.lengths)[0])
        assert found[index] == pytest.approx(max(violations) - chain.scores(one.x, one.labels, one.lengths)[0])
    assert (found >= 0).all()


def test_the_perceptron_makes_no_more_mistakes_than_novikoff_allows():
    """E14: on data that a unit vector separates with margin gamma, at most (R / gamma)^2 mistakes (Collins 2002)."""
    data = sequences(60, 2, np.full(60, STEPS))
    unit = truth().weights / np.linalg.norm(truth().weights)
    labellings = np.array(list(itertools.product(range(CLASSES), repeat=STEPS)))
    length, margins, gaps = np.array([STEPS]), [], []
    for index in range(len(data)):
        one = data[index : index + 1]
        own = count(one.labels, length, CLASSES).features(one.x)
        others = [count(y[None], length, CLASSES).features(one.x) for y in labellings if (y != one.labels[0]).any()]
        difference = own - np.array(others)
        margins.append((difference @ unit).min())
        gaps.append(np.linalg.norm(difference, axis=1).max())
    wide = np.array(margins) > 0.02
    bound = (max(np.array(gaps)[wide]) / min(np.array(margins)[wide])) ** 2
    kept = data[wide]
    assert len(kept) > 40
    found = learn(kept, CLASSES, dataclasses.replace(METHODS["perceptron"], epochs=60))
    again = learn(kept, CLASSES, dataclasses.replace(METHODS["perceptron"], epochs=61))
    assert 0 < found.mistakes <= bound
    assert again.mistakes == found.mistakes  # converged: the last pass made none


def test_the_perceptrons_first_step_by_hand():
    data = Sequences(np.array([[[2.0], [3.0]]]), np.array([[1, 1]]), np.array([2]))
    one = learn(data, 2, Method("perceptron", epochs=1, batch_size=1, rate=1.0, decay=0.0))
    # Weights of zero like (0, 0) as much as any labelling, and take it as the first.
    np.testing.assert_array_equal(one.chain.emission, [[-5], [5]])
    np.testing.assert_array_equal(one.chain.bias, [-2, 2])
    np.testing.assert_array_equal(one.chain.transition, [[-1, 0], [0, 1]])
    assert one.mistakes == 1


@pytest.fixture(scope="module")
def letters():
    words = load_words()
    x = words.pixels.reshape(*words.letters.shape, -1).astype(float)
    chosen = np.random.default_rng(0).permutation(len(x))[:600]
    data = Sequences(x, words.letters, words.lengths)[chosen]
    return data[:400], data[400:]


def test_structure_helps_to_read_handwritten_words(letters):
    learning, held_out = letters
    share = {}
    for name, method in METHODS.items():
        chain = learn(learning, 26, dataclasses.replace(method, epochs=4)).chain
        share[name] = accuracy(predict(chain, held_out.x, held_out.lengths), held_out)
    alone = share.pop("multiclass")
    assert alone > 0.5  # the commonest letter alone: about 10 %
    assert all(of_chain > alone + 0.05 for of_chain in share.values()), (alone, share)


def test_gibbs_sampling_learns_and_labels_too(letters):
    learning, held_out = (part[:100] for part in letters)
    for name in ("perceptron", "crf"):
        method = dataclasses.replace(METHODS[name], epochs=3, batch_size=5)
        chain = learn(learning, 26, method, Gibbs(sweeps=5)).chain
        found = predict(chain, held_out.x, held_out.lengths, Gibbs())
        exact = predict(chain, held_out.x, held_out.lengths, Exact())
        assert accuracy(found, held_out) > 0.35
        assert abs(accuracy(found, held_out) - accuracy(exact, held_out)) < 0.05


def test_the_words_are_those_of_the_papers():
    words = load_words()
    assert words.pixels.shape == (6_877, 14, 16, 8) and int(words.lengths.sum()) == 52_152
    assert len(set(words.texts())) == 55 and words.texts()[0] == "ommanding"
    np.testing.assert_array_equal(np.bincount(words.folds), [626, 704, 684, 698, 693, 651, 739, 717, 690, 675])
    assert not words.pixels[words.lengths == 3][:, 3:].any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": np.array([[0, 3, 0, 0]])}, "labels outside 0 to 2"),
        ({"lengths": np.array([5])}, "lengths span 5 to 5"),
        ({"lengths": np.array([0])}, "lengths span 0 to 0"),
    ],
)
def test_data_out_of_range_is_one_sentence(change, said):
    data = Sequences(np.zeros((1, STEPS, 1)), np.zeros((1, STEPS), np.int64), np.array([2]))
    with pytest.raises(UsageError, match=f"{said}[^\n]*\\.$"):
        learn(dataclasses.replace(data, **change), CLASSES, Method())


def test_an_unknown_method_is_one_sentence():
    with pytest.raises(UsageError, match="unknown structured method 'crff': did you mean 'crf'"):
        Method("crff")
    with pytest.raises(UsageError, match=r"epochs 0[^\n]*\.$"):
        Method(epochs=0)
