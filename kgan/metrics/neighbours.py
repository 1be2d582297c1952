"""The training example nearest to each generated one, to show that a generator does not merely remember."""

import numpy as np

from kgan.errors import UsageError
from kgan.metrics.pairs import squared_distances


def nearest_neighbours(samples: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest training example of each sample, by Euclidean distance.

    To judge memory, compare the distances with those of held-out real examples to the same training set: a generator
    that remembers is nearer than real examples are.

    Args:
        samples: [N, ...], images of any range, activations or points.
        training: [M, ...], of the same shape and range.

    Returns:
        indices int64 [N] into the training set, and distances float64 [N] over all values of an example, in the units
        given (for uint8 images, levels from 0 to 255).

    Raises:
        UsageError: for examples of different shapes, or an empty training set.
    """
    samples, training = np.asarray(samples), np.asarray(training)
    if samples.shape[1:] != training.shape[1:]:
        raise UsageError(
            f"the samples have the shape {samples.shape[1:]} and the training examples {training.shape[1:]}, "
            "but they must agree: resize one of them."
        )
    if not len(training):
        raise UsageError("the training set has 0 examples, but a neighbour needs at least 1: give more.")
    if not len(samples):
        return np.empty(0, np.int64), np.empty(0)
    rows, columns = samples.reshape(len(samples), -1), training.reshape(len(training), -1)
    indices = np.concatenate([squares.argmin(axis=1) for _, squares in squared_distances(rows, columns)])
    # Once more by subtraction, so that the distance of an exact copy is exactly 0.
    distances = np.linalg.norm(rows.astype(np.float64) - columns[indices], axis=1)
    return indices, distances
