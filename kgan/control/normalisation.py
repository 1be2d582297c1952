"""Running moments: what observations and rewards are brought to one scale by, kept with the policy."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

CLIP = 10.0  # standard deviations beyond which a normalised value tells nothing more
EPSILON = 1e-8


class Moments(tf.Module):
    """Mean and variance of all vectors [length] seen so far (Chan, Golub and LeVeque 1979), in float64.

    They are variables, so that the exported policy normalises as the trained one did. Until something was seen they
    change nothing.
    """

    def __init__(self, length: int):
        super().__init__()
        self.mean = tf.Variable(tf.zeros(length, tf.float64), trainable=False)
        self.variance = tf.Variable(tf.ones(length, tf.float64), trainable=False)
        self.count = tf.Variable(tf.zeros([], tf.float64), trainable=False)

    def update(self, batch: np.ndarray) -> None:
        """Take in vectors [N, length]."""
        batch = np.asarray(batch, np.float64)
        seen, new = float(self.count.numpy()), len(batch)
        total = seen + new
        gap = batch.mean(0) - self.mean.numpy()
        squares = seen * self.variance.numpy() + new * batch.var(0) + gap**2 * seen * new / total
        self.mean.assign_add(gap * new / total)
        self.variance.assign(squares / total)
        self.count.assign(total)

    def scale(self) -> np.ndarray:
        """The standard deviations [length]."""
        return np.sqrt(self.variance.numpy() + EPSILON)

    def as_of_now(self) -> Callable[[np.ndarray], np.ndarray]:
        """Vectors [..., length] -> the same with their mean removed, in standard deviations, clipped; float32.

        Whatever comes later changes nothing in it, and it costs less than to look the moments up at every step.
        """
        mean, scale = self.mean.numpy(), self.scale()
        return lambda values: np.clip((values - mean) / scale, -CLIP, CLIP).astype(np.float32)

    def normalise(self, values: np.ndarray) -> np.ndarray:
        """Vectors [..., length], once."""
        return self.as_of_now()(values)

    def in_graph(self, values: tf.Tensor) -> tf.Tensor:
        """The same for tensors, inside an exported policy."""
        scaled = (tf.cast(values, tf.float64) - self.mean) / tf.sqrt(self.variance + EPSILON)
        return tf.cast(tf.clip_by_value(scaled, -CLIP, CLIP), tf.float32)

    def scale_in_graph(self) -> tf.Tensor:
        """The standard deviations [length], float32."""
        return tf.cast(tf.sqrt(self.variance + EPSILON), tf.float32)
