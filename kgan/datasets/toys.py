"""Distributions in the plane that are known exactly, to see what a game does with them.

Each is a function ``(number, seed) -> (points float32 [number, 2], component int64 [number])`` of TensorFlow's
stateless generators: the same seed (int64 [2]) gives the same points anywhere, inside a tf.function too.
"""

import math
from functools import partial

import numpy as np
import tensorflow as tf

from kgan.datasets.data import Data, Sampler, stream_seed
from kgan.datasets.images import check_memory
from kgan.errors import UsageError, lookup


def _circle(number: int) -> np.ndarray:
    angles = np.arange(number) * 2 * np.pi / number  # without the end point, which is the first point again
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _lattice(coordinates: tuple[float, ...]) -> np.ndarray:
    return np.array([(x, y) for x in coordinates for y in coordinates], np.float64)


# The centres [K, 2] and standard deviation of the mixtures; all components weigh the same.
MODES: dict[str, tuple[np.ndarray, float]] = {
    "ring": (_circle(8), 0.01),
    "grid": (_lattice((-4, -2, 0, 2, 4)), 0.05),
    "four": (_lattice((-1, 1)), 0.1),
}


def toy_modes(name: str) -> tuple[np.ndarray, float]:
    """Return the centres, float64 [K, 2], and the standard deviation of a mixture of Gaussians: ring, grid or four.

    "ring" and "grid" are the mixtures by which mode coverage is measured since Metz et al. 2017 (unrolled GANs) and
    Srivastava et al. 2017 (VEEGAN).

    Raises:
        UsageError: when the set is not such a mixture.
    """
    centres, std = lookup("mixture of Gaussians", name, MODES)
    return centres.copy(), std


def load(name: str, split: str, count: int | None, seed: int) -> Data:
    """Return `count` points of a toy (10,000 to train, 2,500 to test), with the sampler that drew them."""
    count = count or {"train": 10_000, "test": 2_500}[split]
    check_memory(count, (2, 4))
    sampler, components = TOYS[name]
    # No batch has number -1, so these are never the points of a training batch.
    points, component = sampler(count, tf.constant([stream_seed(seed, split), -1], tf.int64))
    return Data(
        name=name,
        split=split,
        examples=points.numpy(),
        labels=component.numpy() if components else None,
        label_names=components,
        licence="a distribution, free to use",
        sampler=sampler,
    )


def _mixture(name: str, number: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Gaussians of equal weight around the centres of `toy_modes`."""
    centres, std = MODES[name]
    a, b = _split(seed, 2)
    component = tf.random.stateless_uniform([number], a, maxval=len(centres), dtype=tf.int64)
    noise = tf.random.stateless_normal([number, 2], b, stddev=std)
    return tf.gather(tf.constant(centres, tf.float32), component) + noise, component


def _moons(number: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Two half circles of radius 1 that reach into each other, noise .05."""
    a, b, c = _split(seed, 3)
    component = tf.random.stateless_uniform([number], a, maxval=2, dtype=tf.int64)
    angle = tf.random.stateless_uniform([number], b, maxval=math.pi)
    upper = tf.stack([tf.cos(angle), tf.sin(angle)], axis=1)
    lower = tf.constant([1.0, 0.5]) - upper
    points = tf.where(component[:, None] == 0, upper, lower)
    return points + tf.random.stateless_normal([number, 2], c, stddev=0.05), component


def _spiral(number: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One and a half turns of Archimedes' spiral out to radius 1, noise .02."""
    a, b = _split(seed, 2)
    radius = tf.sqrt(tf.random.stateless_uniform([number], a))  # the square root evens out the density along the arm
    return _polar(radius, 3 * math.pi * radius, b, 0.02), tf.zeros([number], tf.int64)


def _swiss_roll(number: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The section of the Swiss roll: radius = angle / 4.5 pi, angle from 1.5 pi to 4.5 pi, noise .02."""
    a, b = _split(seed, 2)
    angle = tf.random.stateless_uniform([number], a, 1.5 * math.pi, 4.5 * math.pi)
    return _polar(angle / (4.5 * math.pi), angle, b, 0.02), tf.zeros([number], tf.int64)


def _checkerboard(number: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The eight dark squares of a 4 x 4 board over [-1, 1]^2, each filled evenly."""
    a, b = _split(seed, 2)
    square = tf.random.stateless_uniform([number], a, maxval=8, dtype=tf.int64)
    row = square // 2
    column = 2 * (square % 2) + row % 2
    corner = tf.cast(tf.stack([column, row], axis=1), tf.float32)
    inside = tf.random.stateless_uniform([number, 2], b)
    return (corner + inside) / 2 - 1, tf.zeros([number], tf.int64)


def _polar(radius: tf.Tensor, angle: tf.Tensor, seed: tf.Tensor, std: float) -> tf.Tensor:
    points = tf.stack([radius * tf.cos(angle), radius * tf.sin(angle)], axis=1)
    return points + tf.random.stateless_normal(tf.shape(points), seed, stddev=std)


def _split(seed: tf.Tensor, number: int) -> list[tf.Tensor]:
    return tf.unstack(tf.random.split(seed, number))


# Each toy's sampler, and the names of its components where they are classes.
TOYS: dict[str, tuple[Sampler, list[str] | None]] = {
    **{
        name: (partial(_mixture, name), [f"mode {k}" for k in range(len(centres))])
        for name, (centres, _) in MODES.items()
    },
    "moons": (_moons, ["upper", "lower"]),
    "spiral": (_spiral, None),
    "swiss-roll": (_swiss_roll, None),
    "checkerboard": (_checkerboard, None),
}


def refuse_image_options(name: str, size: object, channels: object) -> None:
    """Raise a UsageError when a size or channels are asked of what is not made of images."""
    if size is not None or channels is not None:
        raise UsageError(
            f"{name!r} is not made of images, which alone have a size and channels: name a set of images, such as "
            "digits or folder:PATH, or leave those out."
        )
