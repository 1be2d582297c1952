"""Two distributions whose distance is known exactly, in pairs: what a discriminator can be checked against."""

import numpy as np
import tensorflow as tf

from kgan.datasets.data import Data, stream_seed


def _gaussians(number: int, seed: tf.Tensor, theta: float) -> tuple[tf.Tensor, tf.Tensor]:
    """P = N(0, 1) and Q = N(theta, 1), on the line."""
    samples = tf.random.stateless_normal([number, 2, 1], seed)
    return samples + tf.constant([[0.0], [theta]]), tf.zeros([number], tf.int64)


def _lines(number: int, seed: tf.Tensor, theta: float) -> tuple[tf.Tensor, tf.Tensor]:
    """P = (0, u) and Q = (theta, u) with u uniform in [0, 1], in the plane (Arjovsky 2017, example 1)."""
    height = tf.random.stateless_uniform([number, 2, 1], seed)
    across = tf.broadcast_to(tf.constant([[0.0], [theta]]), [number, 2, 1])
    return tf.concat([across, height], axis=-1), tf.zeros([number], tf.int64)


PAIRS = {"gaussians": _gaussians, "lines": _lines}


def load_pair(name: str, theta: float, split: str, *, count: int | None = None, seed: int = 0) -> Data:
    """Samples of a pair of distributions, `theta` apart.

    Args:
        name: "gaussians" or "lines".
        theta: the distance between the two, any number.
        split: "train" or "test", which never share a sample.
        count: how many pairs `examples` holds; 10,000 when left out.
        seed: of those samples.

    Returns:
        Data whose examples and batches are float32 [N, 2, D]: [:, 0] is drawn from P and [:, 1] from Q.
    """
    count = count or 10_000

    def sampler(number, seed):
        return PAIRS[name](number, seed, theta)

    points, _ = sampler(count, tf.constant([stream_seed(seed, split), -1], tf.int64))
    return Data(
        name=f"{name}, theta {theta:g}",
        split=split,
        examples=np.asarray(points),
        licence="a distribution, free to use",
        sampler=sampler,
    )
