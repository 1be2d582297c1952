"""How far generated samples are from real ones: distances between two sets of activations [N, D].

Activations are what a feature network (kgan.metrics.features) makes of images; points can be given as they are. Every
function computes in float64, and a figure from it means something only together with its protocol
(kgan.metrics.protocol).
"""

from typing import NamedTuple

import numpy as np

from kgan.errors import UsageError
from kgan.metrics.pairs import rows_per_block

KERNEL_GROUPS = 20


class Estimate(NamedTuple):
    """A figure, and the standard error that the samples leave it."""

    value: float
    standard_error: float


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Measure the Fréchet distance of two sets, each taken for a Gaussian (Heusel et al. 2017).

    |mean difference|^2 + trace(S_r + S_f - 2 (S_r S_f)^(1/2)), S being the covariances with divisor N - 1.

    Few samples make it too large, by about a constant over N, the constant growing with D: only figures of equal
    sample counts can be compared. frechet_distance_infinity takes that bias out. With N <= D the covariances are
    singular; the value is then exact still, for the samples given.

    Args:
        real, fake: activations [N, D] and [M, D], at least 2 each.

    Returns:
        the distance, >= 0 and 0 for equal sets, in squared units of the activations.

    Raises:
        UsageError: for sets that are not two matrices of the same width, have too few rows, or hold NaN or inf.
    """
    real, fake = checked(real, fake)
    return _frechet_distance(real, fake)


def frechet_distance_infinity(
    real: np.ndarray, fake: np.ndarray, *, points: int = 10, smallest: float = 0.25, seed: int = 0
) -> float:
    """Extrapolate the Fréchet distance to infinitely many samples (Chong & Forsyth 2020).

    The bias of the Fréchet distance is nearly proportional to 1 / N. So the distance is measured on random shares of
    both sets, a line is fitted to it as a function of 1 / share, and its value at 0 is the distance without the bias.
    (The paper shrinks the generated set only; here the real set may be as small, and both are shrunk together.) With
    fewer samples than twice the width of the activations the line is bent, and a part of the bias remains.

    Args:
        real, fake: activations [N, D] and [M, D], at least 8 each.
        points: how many shares to measure at, evenly spaced in 1 / share.
        smallest: the smallest share, in (0, 1).
        seed: of the choice of samples.

    Returns:
        the distance; for sets that are alike it scatters about 0 and may be below.

    Raises:
        UsageError: as frechet_distance does, or for fewer than 2 points or a share outside (0, 1).
    """
    real, fake = checked(real, fake, least=8)
    if points < 2:
        raise UsageError(f"points is {points}, but a line needs at least 2: give points=10.")
    if not 0 < smallest < 1:
        raise UsageError(f"smallest is {smallest}, but it is a share of the samples between 0 and 1: give 0.25.")
    random = np.random.default_rng(seed)
    inverse_shares = np.linspace(1, 1 / smallest, points)
    distances = [
        _frechet_distance(
            *(
                random.choice(samples, max(2, round(len(samples) / inverse)), replace=False, shuffle=False)
                for samples in (real, fake)
            )
        )
        for inverse in inverse_shares
    ]
    _, at_zero = np.polyfit(inverse_shares, distances, 1)
    return float(at_zero)


def kernel_distance(real: np.ndarray, fake: np.ndarray, *, seed: int = 0) -> Estimate:
    """Estimate the squared maximum mean discrepancy under the kernel (x.y / D + 1)^3 (Binkowski et al. 2018).

    The estimate is unbiased at any number of samples: for equal distributions it scatters about 0, and may be
    negative. Its standard error is the jackknife's over at most 20 random groups, each left out in turn from both
    sets. (Published tables often multiply the value by 1,000.)

    Args:
        real, fake: activations [N, D] and [M, D], at least 4 each.
        seed: of the grouping; the value does not depend on it.

    Returns:
        Estimate(value, standard_error).

    Raises:
        UsageError: as frechet_distance does.
    """
    real, fake = checked(real, fake, least=4)
    random = np.random.default_rng(seed)
    count = min(KERNEL_GROUPS, len(real) // 2, len(fake) // 2)
    reals, fakes = (np.array_split(random.permutation(samples), count) for samples in (real, fake))

    # Sums of the kernel over pairs of groups, from which every leave-one-out estimate follows without a new kernel.
    real_real, fake_fake = _kernel_sums(reals, reals, same=True), _kernel_sums(fakes, fakes, same=True)
    real_fake = _kernel_sums(reals, fakes, same=False)
    real_counts, fake_counts = (np.array([len(group) for group in groups]) for groups in (reals, fakes))

    def estimate(kept: np.ndarray) -> float:
        pairs = np.ix_(kept, kept)
        n, m = real_counts[kept].sum(), fake_counts[kept].sum()
        return (
            real_real[pairs].sum() / (n * (n - 1))
            + fake_fake[pairs].sum() / (m * (m - 1))
            - 2 * real_fake[pairs].sum() / (n * m)
        )

    everything = np.arange(count)
    without_one = np.array([estimate(np.delete(everything, left_out)) for left_out in everything])
    variance = (count - 1) / count * np.square(without_one - without_one.mean()).sum()
    return Estimate(float(estimate(everything)), float(np.sqrt(variance)))


def checked(real: np.ndarray, fake: np.ndarray, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return both sets as float64 matrices, or raise a UsageError that says why they cannot be compared."""
    real, fake = np.asarray(real), np.asarray(fake)
    for name, samples in (("real", real), ("generated", fake)):
        if samples.ndim != 2:
            raise UsageError(
                f"the {name} set has the shape {samples.shape}, but a matrix [samples, activations] was expected: "
                "pass images through kgan.metrics.features.feature_network first."
            )
        if len(samples) < least:
            raise UsageError(f"the {name} set has {len(samples)} samples, but this needs at least {least}: give more.")
        if not np.isfinite(samples).all():
            raise UsageError(
                f"the {name} set holds NaN or inf, but finite numbers were expected: "
                "look for where the generator or the feature network first gives them."
            )
    if real.shape[1] != fake.shape[1]:
        raise UsageError(
            f"the real set has {real.shape[1]} activations and the generated one {fake.shape[1]}, "
            "but they must be as wide: use one feature network for both."
        )
    return real.astype(np.float64), fake.astype(np.float64)


def _frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    difference = real.mean(axis=0) - fake.mean(axis=0)
    real_root, fake_root = _covariance_root(real), _covariance_root(fake)
    # trace((S_r S_f)^(1/2)) is the sum of the singular values of R_r R_f' where S = R'R. Unlike a matrix square root,
    # that needs no square of a small number, so singular covariances cost no accuracy.
    cross = np.linalg.svd(real_root @ fake_root.T, compute_uv=False).sum()
    distance = difference @ difference + np.square(real_root).sum() + np.square(fake_root).sum() - 2 * cross
    return max(0.0, float(distance))


def _covariance_root(samples: np.ndarray) -> np.ndarray:
    """Return R [min(N, D), D] such that R'R is the covariance of the samples [N, D]."""
    return np.linalg.qr(samples - samples.mean(axis=0), mode="r") / np.sqrt(len(samples) - 1)


def _kernel_sums(rows: list[np.ndarray], columns: list[np.ndarray], *, same: bool) -> np.ndarray:
    """Sum the cubic kernel over each pair of groups; where both sets are the same, without a sample and itself."""
    sums = np.empty((len(rows), len(columns)))
    starts = np.cumsum([0] + [len(column) for column in columns[:-1]])
    columns = np.concatenate(columns)
    step = rows_per_block(len(columns))
    for i, row in enumerate(rows):
        blocks = (row[first : first + step] for first in range(0, len(row), step))
        totals = sum(_kernel(block @ columns.T, row).sum(axis=0) for block in blocks)
        sums[i] = np.add.reduceat(totals, starts)
        if same:
            sums[i, i] -= _kernel(np.square(row).sum(axis=1), row).sum()
    return sums


def _kernel(products: np.ndarray, samples: np.ndarray) -> np.ndarray:
    base = products / samples.shape[1] + 1
    return base * base * base
