"""How many generated samples look real, and how many real ones could be generated: two figures, not one."""

from typing import NamedTuple

import numpy as np

from kgan.errors import UsageError
from kgan.metrics.distances import checked
from kgan.metrics.pairs import squared_distances


class PrecisionRecall(NamedTuple):
    """Shares in [0, 1]: of generated samples among the real ones, and of real samples among the generated ones."""

    precision: float
    recall: float


def precision_recall(real: np.ndarray, fake: np.ndarray, *, k: int = 3) -> PrecisionRecall:
    """Measure precision and recall of Kynkäänniemi et al. (2019).

    A set's manifold is the union of balls, one around each of its samples and as wide as the distance to its k-th
    nearest neighbour in the same set. Precision is the share of generated samples on the real manifold, recall the
    share of real samples on the generated one. Both rise with the number of samples: compare equal counts.

    Args:
        real, fake: activations [N, D] and [M, D], more than k each.
        k: which neighbour gives the radius; the paper's is 3.

    Returns:
        PrecisionRecall(precision, recall).

    Raises:
        UsageError: for k < 1, or for sets that cannot be compared or have too few samples.
    """
    if k < 1:
        raise UsageError(f"k is {k}, but it counts neighbours and must be at least 1: the paper's is 3.")
    real, fake = checked(real, fake, least=k + 1)
    return PrecisionRecall(_share_inside(fake, real, k), _share_inside(real, fake, k))


def _share_inside(samples: np.ndarray, centres: np.ndarray, k: int) -> float:
    radii = np.empty(len(centres))
    for rows, squares in squared_distances(centres, centres):
        squares[np.arange(len(squares)), np.arange(rows.start, rows.stop)] = np.inf  # nobody is their own neighbour
        radii[rows] = np.partition(squares, k - 1, axis=1)[:, k - 1]
    inside = sum(np.count_nonzero((squares <= radii).any(axis=1)) for _, squares in squared_distances(samples, centres))
    return inside / len(samples)
