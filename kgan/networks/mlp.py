"""Fully connected networks: for points in the plane, and for images as the lecture's plainest generator."""

import math
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from kgan.errors import UsageError
from kgan.networks import blocks


def mlp_generator(
    shape: tuple[int, ...],
    latent_dim: int = 100,
    *,
    widths: Sequence[int] = (512, 512),
    normalisation: str = "none",
    activation: str = "relu",
    output: str = "tanh",
    seed: int | None = None,
) -> keras.Model:
    """Build a generator of fully connected layers (Goodfellow et al. 2014).

    Args:
        shape: (height, width, channels) of an image, 8 to 256 pixels a side and 1 to 4 channels, or (d,) of a point.
        latent_dim: length of the latent code, at least 1.
        widths: units of each hidden layer, first to last; () is a linear map.
        normalisation: before each activation: batch, layer or none.
        activation: of the hidden layers, a name in ``blocks.ACTIVATIONS``.
        output: of an image's pixels: tanh, or linear for a decoder whose outputs are logits or means.
        seed: of the weights; the same seed gives the same weights.

    Returns:
        float32 codes [N, latent_dim] -> float32 [N, *shape]: images in [-1, 1] with tanh, points of any value (linear).

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    shape = _check(shape, widths, normalisation, activation, latent_dim=latent_dim)
    seeds = blocks.seed_stream(seed)
    codes = x = keras.Input((latent_dim,), dtype="float32")
    for width in widths:
        x = _hidden(x, width, normalisation, activation, False, seeds)
    x = keras.layers.Dense(
        math.prod(shape),
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        activation=output if len(shape) == 3 else None,
        dtype=blocks.HEAD,
    )(x)
    if len(shape) == 3:
        x = keras.layers.Reshape(shape, dtype=blocks.HEAD)(x)
    return keras.Model(codes, x, name="mlp_generator")


def mlp_discriminator(
    shape: tuple[int, ...],
    *,
    widths: Sequence[int] = (512, 512),
    normalisation: str = "none",
    activation: str = "leaky_relu",
    dropout: float = 0.0,
    spectral: bool = False,
    outputs: int = 1,
    seed: int | None = None,
) -> keras.Model:
    """Build a discriminator of fully connected layers (Goodfellow et al. 2014).

    Args:
        shape: of one sample, as in ``mlp_generator``.
        widths: units of each hidden layer, first to last; () is a linear score.
        normalisation: before each activation: batch, layer or none.
        activation: of the hidden layers, a name in ``blocks.ACTIVATIONS``.
        dropout: share of the features dropped after each activation in training, in [0, 1).
        spectral: whether every layer is spectrally normalised (Miyato et al. 2018).
        outputs: 1 score, or as many numbers as an encoder has to give.
        seed: of the weights and the dropout.

    Returns:
        samples [N, *shape] -> raw float32 scores [N, outputs].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    shape = _check(shape, widths, normalisation, activation, dropout, outputs=outputs)
    seeds = blocks.seed_stream(seed)
    samples = x = keras.Input(shape, dtype="float32")
    if len(shape) == 3:
        x = keras.layers.Flatten()(x)
    for width in widths:
        x = _hidden(x, width, normalisation, activation, spectral, seeds)
        x = blocks.drop(x, dropout, seeds)
    head = keras.layers.Dense(
        outputs, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)), dtype=blocks.HEAD
    )
    return keras.Model(samples, blocks.weigh(x, head, spectral, seeds), name="mlp_discriminator")


def standardised(network: keras.Model, samples: np.ndarray) -> keras.Model:
    """Put before a network of points what brings each coordinate of `samples` [N, d] to mean 0 and variance 1.

    Mean and variance are weights that no training moves, so that they are saved and served with the network.
    """
    scale = keras.layers.BatchNormalization(center=False, scale=False, epsilon=1e-6, trainable=False)
    points = keras.Input(network.input_shape[1:], dtype="float32")
    model = keras.Model(points, network(scale(points)), name=f"standardised_{network.name}")
    variance = samples.var(axis=0)
    scale.set_weights([samples.mean(axis=0), np.where(variance > 0, variance, 1.0)])
    return model


def _hidden(
    x: keras.KerasTensor, width: int, normalisation: str, activation: str, spectral: bool, seeds: Iterator[int]
) -> keras.KerasTensor:
    layer = keras.layers.Dense(
        width, use_bias=normalisation == "none", kernel_initializer=keras.initializers.HeNormal(next(seeds))
    )
    return blocks.activate(blocks.normalise(blocks.weigh(x, layer, spectral, seeds), normalisation), activation)


def _check(shape, widths, normalisation, activation, dropout=0.0, **counts):
    if len(shape) == 1:
        if shape[0] < 1:
            raise UsageError(f"point shape {tuple(shape)} cannot be built: give at least one number, such as (2,).")
    else:
        shape = blocks.check_image(shape)
    counts |= {f"widths[{i}]": width for i, width in enumerate(widths)}
    blocks.check_options(normalisation, activation, dropout, **counts)
    return tuple(shape)
