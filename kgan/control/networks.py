"""Small networks in tf-agents' terms (Keras 2), and the same in NumPy, in which acting is several times quicker.

A call into TensorFlow costs more than the whole arithmetic of a small network on a batch of eight observations, so
while a policy acts its weights are read out once a rollout and the forward pass is done here.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from tf_agents.networks import sequential

from kgan.control.environments import Spaces
from kgan.errors import UsageError, lookup

ACTIVATIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}
CONVOLUTIONS = ((8, 4), (4, 2), (3, 1))  # size and stride of each
LEAST_SIDE = 36  # of a picture that leaves them something to see
LOG_2PI = float(np.log(2 * np.pi))


class Gaussian(tf_keras.layers.Layer):
    """A normal distribution about its input, with a deviation of its own for each number, whatever the input."""

    def __init__(self, log_deviation: float, **kwargs):
        super().__init__(**kwargs)
        self.initial = log_deviation

    def build(self, shape) -> None:
        """Make the logarithms of the deviations."""
        self.log_deviation = self.add_weight(
            "log_deviation", shape[-1:], initializer=tf.constant_initializer(self.initial)
        )

    def call(self, means):
        """The distribution of actions [..., A]."""
        deviations = tf.broadcast_to(tf.exp(self.log_deviation), tf.shape(means))
        return tfp.distributions.MultivariateNormalDiag(means, deviations)


def policy_network(
    spaces: Spaces, widths: Sequence[int], activation: str, seed: int, log_deviation: float = 0.0
) -> sequential.Sequential:
    """Observations [N, D] -> a distribution over choices [N] or over vectors [N, A]; nearly uniform at first."""
    layers = _hidden(widths, activation, seed) + [_dense(spaces.actions, 0.01, seed, len(widths))]
    if spaces.choices is None:
        return sequential.Sequential([*layers, Gaussian(log_deviation)])
    return sequential.Sequential([*layers, tf_keras.layers.Lambda(lambda x: tfp.distributions.Categorical(logits=x))])


def value_network(widths: Sequence[int], activation: str, seed: int) -> sequential.Sequential:
    """Observations [N, D] -> values [N]."""
    layers = _hidden(widths, activation, seed) + [_dense(1, 1.0, seed, len(widths))]
    return sequential.Sequential([*layers, tf_keras.layers.Lambda(lambda x: tf.squeeze(x, -1))])


def action_values(spaces: Spaces, widths: Sequence[int], activation: str, seed: int) -> sequential.Sequential:
    """Observations [N, D] -> what each choice is worth, [N, n]."""
    return sequential.Sequential([*_hidden(widths, activation, seed), _dense(spaces.actions, 1.0, seed, len(widths))])


def squashed_policy(spaces: Spaces, widths: Sequence[int], activation: str, seed: int) -> sequential.Sequential:
    """Observations [N, D] -> means and log-deviations [N, 2 A], of vectors that tanh then squashes."""
    return sequential.Sequential(
        [*_hidden(widths, activation, seed), _dense(2 * spaces.actions, 0.01, seed, len(widths))]
    )


def picture_features(picture: Sequence[int], filters: Sequence[int], width: int, seed: int) -> sequential.Sequential:
    """Pictures float32 [N, H, W, C] in [0, 255] -> features [N, width]: three convolutions and a layer (Mnih 2015).

    Raises:
        UsageError: the pictures are too small for its strides, or `filters` are not three.
    """
    if len(filters) != len(CONVOLUTIONS) or min(*filters, width) < 1:
        raise UsageError(f"the filters {tuple(filters)} cannot be built: give three numbers, such as 16 32 32.")
    if min(picture[:2]) < LEAST_SIDE:
        raise UsageError(
            f"the pictures are {picture[0]} x {picture[1]}, but three convolutions need at least {LEAST_SIDE} x "
            f"{LEAST_SIDE}: have the environment draw larger ones."
        )
    convolutions = [
        tf_keras.layers.Conv2D(
            count, size, stride, activation="relu", kernel_initializer=_orthogonal(np.sqrt(2), seed, index)
        )
        for index, (count, (size, stride)) in enumerate(zip(filters, CONVOLUTIONS, strict=True))
    ]
    scale = tf_keras.layers.Lambda(lambda pixels: pixels / 255)
    last = _dense(width, np.sqrt(2), seed, len(filters), "relu")
    return sequential.Sequential([scale, *convolutions, tf_keras.layers.Flatten(), last])


def _hidden(widths, activation, seed) -> list:
    lookup("activation", activation, ACTIVATIONS)
    if not all(width >= 1 for width in widths):
        raise UsageError(f"the widths {tuple(widths)} cannot be built: each layer needs at least 1 unit.")
    return [_dense(width, np.sqrt(2), seed, index, activation) for index, width in enumerate(widths)]


def _dense(units, gain, seed, index, activation=None):
    return tf_keras.layers.Dense(units, activation, kernel_initializer=_orthogonal(gain, seed, index))


def _orthogonal(gain, seed, index):
    # As in the implementations whose figures are quoted; a seed a layer, or all would be alike.
    return tf_keras.initializers.Orthogonal(gain, seed=(seed * 1_000 + index) % 2**31)


class ArrayNetwork:
    """The hidden layers and the last one of a network above, in NumPy."""

    def __init__(self, network: sequential.Sequential, activation: str):
        weights = [variable.numpy() for variable in network.variables]
        self.rest = weights[len(weights) // 2 * 2 :]  # the deviations, of a policy of vectors
        self.layers = list(zip(weights[0::2], weights[1::2], strict=False))
        self.activation = ACTIVATIONS[activation]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Observations [N, D], float32 -> what the last dense layer gives, [N, units]."""
        for kernel, bias in self.layers[:-1]:
            x = self.activation(x @ kernel + bias)
        kernel, bias = self.layers[-1]
        return x @ kernel + bias


class ArrayPolicy:
    """A policy network in NumPy: draws actions, and says how probable they were."""

    def __init__(self, network: sequential.Sequential, spaces: Spaces, activation: str):
        self.network = ArrayNetwork(network, activation)
        self.choices = spaces.choices is not None

    def sample(self, observations: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Observations [N, D] -> actions [N] or [N, A], and their log-probabilities [N]."""
        outputs = self.network(observations)
        if not self.choices:
            (log_deviations,) = self.network.rest
            noise = random.standard_normal(outputs.shape, np.float32)
            squares = (noise**2 + LOG_2PI).sum(-1)
            return outputs + np.exp(log_deviations) * noise, -0.5 * squares - log_deviations.sum()
        logits = outputs - outputs.max(-1, keepdims=True)
        sums = np.exp(logits).cumsum(-1)
        actions = (sums < random.random((len(sums), 1), np.float32) * sums[:, -1:]).sum(-1)
        return actions, logits[np.arange(len(logits)), actions] - np.log(sums[:, -1])
