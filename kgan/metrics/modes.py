"""What a generator leaves out: modes, classes, or regions of the plane that the data has."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kgan.errors import UsageError
from kgan.metrics.pairs import squared_distances

HIGH_QUALITY_SIGMAS = 3


class ModeCoverage(NamedTuple):
    """What mode_coverage found; a mode is covered when it holds a high-quality sample."""

    covered: int
    modes: int
    high_quality: float  # share of the samples within 3 sigma of a mode
    reverse_kl: float  # KL(model || data) over the modes, in nats
    missing: tuple[str, ...]  # names of the modes that are not covered


def mode_coverage(
    samples: np.ndarray,
    centres: np.ndarray,
    sigma: float,
    *,
    weights: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> ModeCoverage:
    """Count the modes of a mixture of round Gaussians that samples reach (Srivastava et al. 2017, VEEGAN).

    A sample is of high quality within 3 sigma of a centre, and a mode is covered when it is the nearest to at least
    one such sample. For the reverse KL every sample, good or not, counts for its nearest mode. The papers draw 2,500
    samples.

    Args:
        samples: points [N, D]; centres: [K, D]; sigma: the standard deviation of every mode.
        weights: [K], how much of the data is in each mode, in any unit; None for equal shares.
        names: one a mode, for `missing`; None for "(x, y)".

    Returns:
        ModeCoverage(covered, modes, high_quality, reverse_kl, missing).

    Raises:
        UsageError: for no samples, widths that differ, or a sigma or weights that are not positive.
    """
    samples, centres = np.asarray(samples, np.float64), np.asarray(centres, np.float64)
    if samples.ndim != 2 or centres.ndim != 2 or samples.shape[1:] != centres.shape[1:] or not len(samples):
        raise UsageError(
            f"samples of shape {samples.shape} cannot be matched with centres of shape {centres.shape}: "
            "give [samples, D] and [modes, D] of one width D and at least one sample."
        )
    if not sigma > 0:
        raise UsageError(f"sigma is {sigma}, but a standard deviation is above 0: give that of one mode.")
    weights = np.ones(len(centres)) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (len(centres),) or not (weights > 0).all():
        raise UsageError(
            f"the weights are {weights.tolist()}, but {len(centres)} positive numbers were expected: give one a mode."
        )
    if names is None:
        names = ["(" + ", ".join(f"{round(value, 3) + 0:g}" for value in centre) + ")" for centre in centres]

    distances = np.linalg.norm(samples[:, None] - centres, axis=-1)
    nearest, good = distances.argmin(axis=1), distances.min(axis=1) <= HIGH_QUALITY_SIGMAS * sigma
    good_counts = np.bincount(nearest[good], minlength=len(centres))
    return ModeCoverage(
        covered=int(np.count_nonzero(good_counts)),
        modes=len(centres),
        high_quality=float(good.mean()),
        reverse_kl=kl_divergence(np.bincount(nearest, minlength=len(centres)), weights),
        missing=tuple(names[mode] for mode in np.flatnonzero(good_counts == 0)),
    )


class ClassHistogram(NamedTuple):
    """What class_histogram found."""

    counts: dict[str, int]  # samples in each class
    kl: float  # KL(model || data) over the classes, in nats
    missing: tuple[str, ...]  # classes that the data has and the samples have not


def class_histogram(predictions: np.ndarray, data_labels: np.ndarray, names: Sequence[str]) -> ClassHistogram:
    """Compare the classes that a classifier sees in samples with the classes of the data.

    Args:
        predictions: class probabilities or scores [N, C], of which the largest counts, or class numbers int [N].
        data_labels: class numbers int [M] of the data, in [0, C).
        names: the C names of the classes.

    Returns:
        ClassHistogram(counts, kl, missing); the divergence is inf when samples are in a class that the data lacks.

    Raises:
        UsageError: for no samples or labels, or classes without a name.
    """
    predictions, data_labels = np.asarray(predictions), np.asarray(data_labels)
    if predictions.ndim == 2:
        if predictions.shape[1] != len(names):
            raise UsageError(
                f"the predictions are of {predictions.shape[1]} classes but {len(names)} names were "
                "given: give one name a class."
            )
        predictions = predictions.argmax(axis=1)
    counts, data_counts = (
        _count_classes(kind, labels, len(names)) for kind, labels in (("sample", predictions), ("data", data_labels))
    )
    return ClassHistogram(
        counts={name: int(count) for name, count in zip(names, counts, strict=True)},
        kl=kl_divergence(counts, data_counts),
        missing=tuple(names[label] for label in np.flatnonzero((data_counts > 0) & (counts == 0))),
    )


class PlaneDivergences(NamedTuple):
    """The two Kullback-Leibler divergences of two sets of points, in nats."""

    real_fake: float  # KLD(r, g): large where the generator leaves data out
    fake_real: float  # KLD(g, r): large where the generator draws what is not in the data


def kl_2d(real: np.ndarray, fake: np.ndarray, *, bins: int = 32, smoothing: float = 0.1) -> PlaneDivergences:
    """Measure KLD(r, g) and KLD(g, r) between points of the plane, over a grid of bins.

    The grid spans the box of the real points, widened by a tenth of its width on each side, in bins x bins cells; one
    more cell takes every point outside. `smoothing` is added to the count of every cell of both sets, so both figures
    are finite; what is missed altogether weighs by its logarithm. Both depend on bins, smoothing and sample counts:
    give those with them.

    Args:
        real, fake: points [N, 2] and [M, 2].
        bins: cells along each axis; smoothing: the count added to each cell, above 0.

    Returns:
        PlaneDivergences(real_fake, fake_real), both >= 0.

    Raises:
        UsageError: for points that are not [N, 2] with N >= 1, or bins or smoothing that are not positive.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    for name, points in (("real", real), ("generated", fake)):
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise UsageError(
                f"the {name} points have the shape {points.shape}, but [N, 2] with N >= 1 was expected: "
                "give points of the plane."
            )
    if bins < 1 or not smoothing > 0:
        raise UsageError(f"bins is {bins} and smoothing {smoothing}, but both must be positive: give 32 and 0.1.")
    low, high = real.min(axis=0), real.max(axis=0)
    margin = np.maximum(0.1 * (high - low), 1e-9)
    edges = np.linspace(low - margin, high + margin, bins + 1, axis=1)

    def counts(points: np.ndarray) -> np.ndarray:
        cells = np.histogram2d(*points.T, bins=edges)[0].ravel()
        return np.append(cells, len(points) - cells.sum()) + smoothing

    real_counts, fake_counts = counts(real), counts(fake)
    return PlaneDivergences(kl_divergence(real_counts, fake_counts), kl_divergence(fake_counts, real_counts))


def entropy(counts: np.ndarray) -> float:
    """The entropy in nats of a histogram [K] in any unit, at most log K; of an empty one it is not a number."""
    shares = np.asarray(counts, np.float64) / np.sum(counts) if np.any(counts) else np.full(1, np.nan)
    return float(-np.sum(shares[shares != 0] * np.log(shares[shares != 0]))) + 0.0


def k_means(examples: np.ndarray, clusters: int, *, rounds: int = 30, seed: int = 0) -> np.ndarray:
    """Find centres [clusters, D] of examples [N, D], N >= clusters, by Lloyd's rounds from k-means++ seeds.

    The clusters of real data are modes to look for in samples where there are no labels (Richardson & Weiss 2018).
    """
    examples, random = np.asarray(examples, np.float64), np.random.default_rng(seed)
    centres = examples[random.integers(len(examples), size=1)]
    while len(centres) < clusters:  # each next one far from those there are (Arthur & Vassilvitskii 2007)
        far = np.concatenate([squares.min(axis=1) for _, squares in squared_distances(examples, centres)])
        share = far / far.sum() if far.sum() else None
        centres = np.vstack([centres, examples[random.choice(len(examples), p=share)]])
    for _ in range(rounds):
        nearest = np.concatenate([squares.argmin(axis=1) for _, squares in squared_distances(examples, centres)])
        members = np.bincount(nearest, minlength=clusters)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, examples)
        centres = np.where(members[:, None] > 0, sums / np.maximum(members, 1)[:, None], centres)
    return centres


def kl_divergence(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q) in nats of two histograms [K] in any unit; 0 log 0 is 0, and inf where p is in a bin that q lacks."""
    p, q = np.asarray(p, np.float64) / np.sum(p), np.asarray(q, np.float64) / np.sum(q)
    here = p > 0
    with np.errstate(divide="ignore"):
        return max(0.0, float(np.sum(p[here] * np.log(p[here] / q[here]))))


def _count_classes(kind: str, labels: np.ndarray, classes: int) -> np.ndarray:
    if labels.ndim != 1 or not len(labels) or labels.min() < 0 or labels.max() >= classes:
        raise UsageError(
            f"the {kind} labels must be at least one number in [0, {classes}), "
            f"but they have the shape {labels.shape}"
            + (f" and span [{labels.min()}, {labels.max()}]" if labels.size else "")
            + ": give one class number each."
        )
    return np.bincount(labels, minlength=classes)
