"""Structured learning: a judge of whole labellings, which generates the one it likes best.

The lecture's discriminator that generates alone, where what it generates is a labelling: the data's own labelling is
raised, and the negative that the judge itself proposes is lowered. The three classical methods differ in that
negative, and in nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kgan.errors import UsageError, lookup
from kgan.models.chains import Chain, Counts, Exact, Gibbs, count, labelling_scores, log_partition, within

INFERENCES = {"viterbi": Exact(), "gibbs": Gibbs()}
"""By what the best labelling is found."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """Labelled sequences, padded to one length; an index chooses among them."""

    x: np.ndarray  # features, float [N, T, D], 0 beyond the end
    labels: np.ndarray  # int64 [N, T], 0 beyond the end
    lengths: np.ndarray  # int64 [N], from 1 to T

    def __getitem__(self, index) -> "Sequences":
        return Sequences(self.x[index], self.labels[index], self.lengths[index])

    def __len__(self) -> int:
        return len(self.x)


def mistaken(chain: Chain, data: Sequences, inference, random) -> Counts:
    """The structured perceptron's negative (Collins 2002): what the judge likes best."""
    found = inference.best(chain.unary(data.x), chain.transition, data.lengths, random)
    return count(found, data.lengths, len(chain.bias))


def violating(chain: Chain, data: Sequences, inference, random) -> Counts:
    """The structured SVM's (Tsochantaridis 2005; Taskar 2003): what it likes too well for how many labels are wrong."""
    unary = chain.unary(data.x) + hamming(data.labels, len(chain.bias))
    found = inference.best(unary, chain.transition, data.lengths, random)
    return count(found, data.lengths, len(chain.bias))


def expected(chain: Chain, data: Sequences, inference, random) -> Counts:
    """The conditional random field's (Lafferty 2001): all labellings, each as far as the judge believes in it."""
    return inference.expect(chain.unary(data.x), chain.transition, data.lengths, data.labels, random)


NEGATIVES: dict[str, Callable[..., Counts]] = {"perceptron": mistaken, "svm": violating, "crf": expected}


@dataclass(frozen=True)
class Method:
    """How a chain is learnt: by averaged stochastic subgradient descent on its method's loss.

    Attributes:
        negative: perceptron, svm or crf.
        structured: whether neighbouring labels speak to each other; otherwise each position is on its own.
        epochs: passes over the data, each in an order of its own.
        batch_size: sequences for each step.
        rate: of the first step; at step t it is rate / (1 + rate decay t). A perceptron's does not matter.
        decay: of the squared weights, for each sequence.
    """

    negative: str = "crf"
    structured: bool = True
    epochs: int = 20
    batch_size: int = 4
    rate: float = 0.1
    decay: float = 1e-3

    def __post_init__(self):
        lookup("structured method", self.negative, NEGATIVES)
        if self.epochs < 1 or self.batch_size < 1 or not self.rate > 0 or not self.decay >= 0:
            raise UsageError(
                f"epochs {self.epochs}, batch_size {self.batch_size}, rate {self.rate} and decay {self.decay} must be "
                "positive (decay may be 0)."
            )


METHODS = {
    "multiclass": Method("crf", structured=False),
    "perceptron": Method("perceptron", batch_size=1, rate=1.0, decay=0.0),
    "svm": Method("svm"),
    "crf": Method("crf"),
}
"""The unstructured baseline (logistic regression), and the three methods."""


class Learnt(NamedTuple):
    """What `learn` gives: the average of the judges of all steps, and at how many steps positive and negative differed.

    For a perceptron with batches of one the latter is the number of its mistakes.
    """

    chain: Chain
    mistakes: int


def learn(data: Sequences, classes: int, method: Method, inference=None, seed: int = 0) -> Learnt:
    """Learn a judge of labellings.

    Args:
        data: labelled sequences.
        classes: how many labels there are.
        method: see `Method`; METHODS has the usual ones.
        inference: by what negatives are found, `Exact()` (the default) or a `Gibbs`.
        seed: of the orders and of what is sampled.

    Raises:
        UsageError: for labels or lengths out of range.
    """
    _check(data, classes)
    inference, random = inference or Exact(), np.random.default_rng(seed)
    chain = Chain(classes, data.x.shape[-1])
    average, step, mistakes = np.zeros_like(chain.weights), 0, 0
    for _ in range(method.epochs):
        order = random.permutation(len(data))
        for first in range(0, len(order), method.batch_size):
            batch = data[order[first : first + method.batch_size]]
            uphill = contrast(chain, batch, NEGATIVES[method.negative], inference, random)
            mistakes += bool(uphill.any())
            rate = method.rate / (1 + method.rate * method.decay * step)
            chain.weights += rate * (uphill / len(batch) - method.decay * chain.weights)
            if not method.structured:
                chain.transition[:] = 0
            step += 1
            average += (chain.weights - average) / step
    return Learnt(Chain(classes, data.x.shape[-1], average), mistakes)


def contrast(chain: Chain, data: Sequences, negative=expected, inference=None, random=None) -> np.ndarray:
    """The features of the data's labellings minus those of the negatives, summed over the sequences.

    It is the negative (sub)gradient of the sum of the method's losses.
    """
    positive = count(data.labels, data.lengths, len(chain.bias))
    return positive.features(data.x) - negative(chain, data, inference or Exact(), random).features(data.x)


def hinge_loss(chain: Chain, data: Sequences) -> np.ndarray:
    """The structured SVM's loss [N]: max over y of (Hamming distance + D(x, y)) - D(x, data's labels), at least 0."""
    unary = chain.unary(data.x) + hamming(data.labels, len(chain.bias))
    worst = Exact().best(unary, chain.transition, data.lengths)
    violations = labelling_scores(unary, chain.transition, worst, data.lengths)
    return violations - chain.scores(data.x, data.labels, data.lengths)


def log_loss(chain: Chain, data: Sequences) -> np.ndarray:
    """The conditional random field's loss [N]: -log p(data's labels | x), in nats."""
    partition = log_partition(chain.unary(data.x), chain.transition, data.lengths)
    return partition - chain.scores(data.x, data.labels, data.lengths)


def predict(chain: Chain, x: np.ndarray, lengths: np.ndarray, inference=None, seed: int = 0) -> np.ndarray:
    """What the judge generates: the labelling that it likes best, int64 [N, T]."""
    return (inference or Exact()).best(chain.unary(x), chain.transition, lengths, np.random.default_rng(seed))


def accuracy(found: np.ndarray, data: Sequences) -> float:
    """The share of labels that are right."""
    return float((found == data.labels)[within(found, data.lengths)].mean())


def hamming(labels: np.ndarray, classes: int) -> np.ndarray:
    """What each label would cost at each position, [N, T, K]: 1 unless it is the right one."""
    return 1 - np.eye(classes)[labels]


def _check(data: Sequences, classes: int) -> None:
    if not len(data) or data.labels.min() < 0 or data.labels.max() >= classes:
        raise UsageError(f"{len(data)} sequences with labels outside 0 to {classes - 1} cannot be learnt from.")
    if data.lengths.min() < 1 or data.lengths.max() > data.x.shape[1]:
        raise UsageError(
            f"the lengths span {data.lengths.min()} to {data.lengths.max()}, but must lie within 1 and the "
            f"{data.x.shape[1]} positions that there are."
        )
