"""Chains of labels: how well a labelling fits a sequence, and what fits best, exactly or by Gibbs sampling.

A batch of sequences is padded to one length: features float [N, T, D], labels int [N, T] in [0, K) (what stands
beyond a sequence's end does not count), lengths int [N] in [1, T]. Its potentials are `unary` [N, T, K], how well each
label fits each position, and `transition` [K, K], how well label j follows label i; all are scores, in nats where the
chain is a distribution. Everything is float64 NumPy, vectorised over the sequences.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kgan.errors import UsageError


class Chain:
    """A linear judge of labellings, D(x, y) = sum of emission[y_t] . x_t + bias[y_t] + transition[y_(t-1), y_t].

    `emission` [K, D], `bias` [K] and `transition` [K, K] are views of one vector `weights`, so that
    D(x, y) = weights . features(x, y).
    """

    def __init__(self, labels: int, dimensions: int, weights: np.ndarray | None = None):
        """A judge of `labels` classes (K) and `dimensions` features (D); without weights it likes all labellings."""
        size = labels * dimensions + labels + labels**2
        self.weights = np.zeros(size) if weights is None else np.array(weights, np.float64)
        if self.weights.shape != (size,):
            raise UsageError(
                f"the weights have the shape {self.weights.shape}, but {labels} labels and {dimensions} features need "
                f"({size},)."
            )
        emission, self.bias, transition = np.split(self.weights, [labels * dimensions, labels * dimensions + labels])
        self.emission = emission.reshape(labels, dimensions)
        self.transition = transition.reshape(labels, labels)

    def unary(self, x: np.ndarray) -> np.ndarray:
        """How well each label fits each position, [N, T, K]."""
        return x @ self.emission.T + self.bias

    def scores(self, x: np.ndarray, labels: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """D(x, y) of each sequence, [N]."""
        return labelling_scores(self.unary(x), self.transition, labels, lengths)


class Counts(NamedTuple):
    """What a chain sees of labellings, certain or expected."""

    nodes: np.ndarray  # [N, T, K]: how often each label stands at each position, 0 beyond the end
    pairs: np.ndarray  # [K, K]: how often j follows i, over all sequences

    def features(self, x: np.ndarray) -> np.ndarray:
        """The sum over the sequences of features(x, y), in the layout of `Chain.weights`."""
        nodes = self.nodes.reshape(-1, self.nodes.shape[-1])
        emission = nodes.T @ x.reshape(-1, x.shape[-1])
        return np.concatenate([emission.ravel(), nodes.sum(axis=0), self.pairs.ravel()])


def count(labels: np.ndarray, lengths: np.ndarray, classes: int) -> Counts:
    """The counts of given labellings."""
    alive = within(labels, lengths)
    nodes = np.eye(classes)[labels] * alive[..., None]
    pairs = np.zeros((classes, classes))
    np.add.at(pairs, (labels[:, :-1][alive[:, 1:]], labels[:, 1:][alive[:, 1:]]), 1.0)
    return Counts(nodes, pairs)


def within(labels: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Which positions are before their sequence's end, bool [N, T]."""
    return np.arange(labels.shape[1]) < np.asarray(lengths)[:, None]


def labelling_scores(unary: np.ndarray, transition: np.ndarray, labels: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The score of each labelling, [N]."""
    alive = within(labels, lengths)
    emitted = np.take_along_axis(unary, labels[..., None], axis=2)[..., 0]
    followed = transition[labels[:, :-1], labels[:, 1:]]
    return (emitted * alive).sum(axis=1) + (followed * alive[:, 1:]).sum(axis=1)


@dataclass(frozen=True)
class Exact:
    """Dynamic programming over the chain."""

    def best(self, unary: np.ndarray, transition: np.ndarray, lengths: np.ndarray, random=None) -> np.ndarray:
        """The labelling with the highest score, int64 [N, T] (Viterbi 1967)."""
        number, steps, classes = unary.shape
        best, back = unary[:, 0], np.tile(np.arange(classes), (steps, number, 1))
        for t in range(1, steps):
            through = best[:, :, None] + transition
            alive = (t < lengths)[:, None]
            back[t] = np.where(alive, through.argmax(axis=1), back[t])
            best = np.where(alive, through.max(axis=1) + unary[:, t], best)
        labels = np.empty((number, steps), np.int64)
        labels[:, -1] = best.argmax(axis=1)
        for t in range(steps - 1, 0, -1):
            labels[:, t - 1] = back[t][np.arange(number), labels[:, t]]
        return labels

    def expect(self, unary, transition, lengths, labels=None, random=None) -> Counts:
        """The counts expected under p(y) ~ exp(score), by the forward-backward algorithm."""
        forward, log_partition = _forward(unary, transition, lengths)
        number, steps, classes = unary.shape
        nodes, pairs = np.zeros(unary.shape), np.zeros((classes, classes))
        backward = np.zeros((number, classes))
        for t in range(steps - 1, -1, -1):
            alive = (t < lengths)[:, None]
            nodes[:, t] = np.exp(forward[t] + backward - log_partition[:, None]) * alive
            if t:
                after = unary[:, t] + backward
                through = forward[t - 1][:, :, None] + transition + after[:, None]
                pairs += (np.exp(through - log_partition[:, None, None]) * alive[..., None]).sum(axis=0)
                backward = np.where(alive, _log_sum(transition + after[:, None], axis=2), backward)
        return Counts(nodes, pairs)


@dataclass(frozen=True)
class Gibbs:
    """One label after another, drawn given its neighbours, in sweeps over the chain (Geman & Geman 1984).

    The temperatures of `best` are in units of the standard deviation of the potentials: a perceptron's have any scale.
    """

    sweeps: int = 30
    hottest: float = 1.0
    coldest: float = 0.05

    def __post_init__(self):
        if self.sweeps < 1 or not self.hottest >= self.coldest > 0:
            raise UsageError(
                f"sweeps is {self.sweeps} and the temperature falls from {self.hottest} to {self.coldest}: give at "
                "least 1 sweep and temperatures above 0 that do not rise."
            )

    def best(self, unary: np.ndarray, transition: np.ndarray, lengths: np.ndarray, random=None) -> np.ndarray:
        """The best labelling met while the temperature falls geometrically (simulated annealing), int64 [N, T]."""
        random = random or np.random.default_rng(0)
        labels = unary.argmax(axis=2)
        best, best_scores = labels.copy(), labelling_scores(unary, transition, labels, lengths)
        for temperature in (unary.std() or 1.0) * np.geomspace(self.hottest, self.coldest, self.sweeps):
            _sweep(labels, unary, transition, lengths, temperature, random)
            scores = labelling_scores(unary, transition, labels, lengths)
            better = scores > best_scores
            best[better], best_scores[better] = labels[better], scores[better]
        return best

    def expect(self, unary, transition, lengths, labels, random=None) -> Counts:
        """The counts of one sample each, after `sweeps` from the true labels (contrastive divergence; Hinton 2002)."""
        labels = labels.copy()
        for _ in range(self.sweeps):
            _sweep(labels, unary, transition, lengths, 1.0, random or np.random.default_rng(0))
        return count(labels, lengths, unary.shape[-1])


def log_partition(unary: np.ndarray, transition: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The logarithm of the sum of exp(score) over all labellings of each sequence, [N], in nats."""
    return _forward(unary, transition, lengths)[1]


def _forward(unary, transition, lengths) -> tuple[np.ndarray, np.ndarray]:
    """The forward messages [T, N, K], frozen beyond each end, and the log partition [N]."""
    messages = [unary[:, 0]]
    for t in range(1, unary.shape[1]):
        on = _log_sum(messages[-1][:, :, None] + transition, axis=1) + unary[:, t]
        messages.append(np.where((t < lengths)[:, None], on, messages[-1]))
    return np.stack(messages), _log_sum(messages[-1], axis=1)


def _sweep(labels, unary, transition, lengths, temperature: float, random: np.random.Generator) -> None:
    """Draw every label anew, in place."""
    number, steps, classes = unary.shape
    for t in range(steps):
        scores = unary[:, t].copy()
        if t:
            scores += transition[labels[:, t - 1]]
        if t + 1 < steps:
            scores += transition.T[labels[:, t + 1]] * (t + 1 < lengths)[:, None]
        # The largest of scores with Gumbel noise is a draw from their softmax.
        labels[:, t] = (scores / temperature + random.gumbel(size=(number, classes))).argmax(axis=1)


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    highest = values.max(axis=axis, keepdims=True)
    return np.log(np.exp(values - highest).sum(axis=axis)) + highest.squeeze(axis)
