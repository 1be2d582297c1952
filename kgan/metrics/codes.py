"""Figures of autoencoders: bounds on the likelihood, how near and how sharp their images are, what codes know."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kgan.errors import UsageError


def likelihood_bound(log_weights: np.ndarray, k: int = 1) -> tuple[float, float]:
    """The importance-weighted bound E[log (1/k) sum w] on log p(x) and its standard error over the images, in nats.

    Burda et al. 2016, "Importance weighted autoencoders". With k = 1 it is the variational bound; it grows with k.

    Args:
        log_weights: float [N, draws], log p(x, z) - log q(z | x); draws a multiple of k.
        k: how many draws a bound is made of; there are draws / k of them for an image, which are averaged.

    Raises:
        UsageError: when the draws cannot be divided so.
    """
    count, draws = np.shape(log_weights)
    if k < 1 or draws % k:
        raise UsageError(f"{draws} draws cannot be divided by k = {k}: give a multiple of k draws.")
    groups = np.asarray(log_weights, np.float64).reshape(count, draws // k, k)
    bounds = (logsumexp(groups, axis=2) - np.log(k)).mean(axis=1)
    return float(bounds.mean()), float(bounds.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")


def reconstruction_error(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """The mean squared error of a value in [0, 1], of uint8 [N, H, W, C] each."""
    return float((((images.astype(np.float64) - reconstructions) / 255) ** 2).mean())


def sharpness(images: np.ndarray) -> float:
    """The variance of the Laplacian (4 neighbours, interior pixels, values in [0, 1]), mean over uint8 [N, H, W, C].

    Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy". Only its ratio to that of data says
    anything: below 1 is blurred, above 1 noisy or harsher.
    """
    x = images.astype(np.float64) / 255
    inner = x[:, 1:-1, 1:-1]
    laplacian = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:] - 4 * inner
    return float(laplacian.var(axis=(1, 2)).mean())


def active_latents(means: np.ndarray, least: float = 0.01) -> int:
    """How many latents of the means of q, [N, D], vary by more than `least` over the images (Burda et al. 2016)."""
    return int((np.var(means, axis=0) > least).sum())


def neighbour_accuracy(points: np.ndarray, labels: np.ndarray) -> float:
    """The share of points [N, D] whose nearest other point is of the same class, labels [N]."""
    nearest = NearestNeighbors(n_neighbors=1).fit(points).kneighbors(return_distance=False)[:, 0]
    return float((labels[nearest] == labels).mean())


Labelled = tuple[np.ndarray, np.ndarray]  # points [N, D], labels [N]


def neighbour_transfer(training: Labelled, held_out: Labelled) -> float:
    """The share of held-out points whose nearest training point, by Euclidean distance, is of the same class."""
    return float(KNeighborsClassifier(1).fit(*training).score(*held_out))


def linear_probe(training: Labelled, held_out: Labelled) -> float:
    """The share of held-out points that a logistic regression on standardised training points puts in their class."""
    return float(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)).fit(*training).score(*held_out))


def matched_classes(values: np.ndarray, classes: np.ndarray, sizes: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Match each value of a categorical code with a class of its own, so that as many samples as can be agree.

    Args:
        values: of the code that each sample was made from, int [N].
        classes: of the same samples, int [N].
        sizes: how many values and classes there are; of the more numerous some stay alone.

    Returns:
        the class of each value, -1 for one that has none, and the share of samples that are of another class than
        their value's.
    """
    counts = np.zeros(sizes, np.int64)
    np.add.at(counts, (values, classes), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    match = np.full(sizes[0], -1)
    match[rows] = columns
    return match, float((match[values] != classes).mean())
