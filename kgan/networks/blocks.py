"""The pieces that every network here is put together from: sizes, normalisation, activations, seeds, refusals."""

import random
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from kgan.errors import UsageError, lookup

MIN_SIDE, MAX_SIDE, MAX_CHANNELS = 8, 256, 4
NORMALISATIONS = {"batch": "over the batch", "layer": "over each sample", "none": "not at all"}
ACTIVATIONS = {
    "relu": keras.layers.ReLU,
    "leaky_relu": lambda: keras.layers.LeakyReLU(negative_slope=0.2),
    "elu": lambda: keras.layers.Activation("elu"),
    "gelu": lambda: keras.layers.Activation("gelu"),
    "selu": lambda: keras.layers.Activation("selu"),
    "sigmoid": lambda: keras.layers.Activation("sigmoid"),
    "softplus": lambda: keras.layers.Activation("softplus"),
    "swish": lambda: keras.layers.Activation("silu"),
    "tanh": lambda: keras.layers.Activation("tanh"),
}
HEAD = "float32"  # scores, and what makes pixels of features, whatever keras.config.dtype_policy() says


@keras.saving.register_keras_serializable("kgan")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalisation through TensorFlow's fused kernel, 3 times quicker on a CPU (Ioffe & Szegedy 2015).

    Weights and figures are Keras's own. With several replicas in sync the statistics are those of the global batch.
    """

    def call(self, inputs, training=None, mask=None):
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if not (training and self.trainable) or replicas > 1:
            return super().call(inputs, training=training, mask=mask)
        images = inputs if len(inputs.shape) == 4 else tf.reshape(inputs, (-1, 1, 1, inputs.shape[-1]))
        scale, offset = self.gamma.value, self.beta.value
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.reduce_prod(tf.shape(images)[:-1]), variance.dtype)
        variance *= (count - 1) / count  # the kernel gives the unbiased one
        for moving, batch in (self.moving_mean, mean), (self.moving_variance, variance):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs if images is inputs else tf.reshape(outputs, tf.shape(inputs))


def for_each(network: Callable, batches: list[tf.Tensor], training: bool) -> list[tf.Tensor]:
    """The outputs [N_k, ...] of a network that judges every sample by itself, for each of several batches [N_k, ...].

    They go through in one pass, which is quicker; but one by one through batch normalisation, which would mix them, and
    through a callable that is no Keras model.
    """
    if not isinstance(network, keras.Model) or has_batch_normalisation(network):
        return [network(batch, training=training) for batch in batches]
    sizes = [tf.shape(batch)[0] for batch in batches]
    return tf.split(network(tf.concat(batches, axis=0), training=training), sizes)


def in_halves(network: Callable, samples: tf.Tensor, training: bool) -> tf.Tensor:
    """The outputs of a network for samples [N, ...], as two halves side by side: on a CPU, one on each thread.

    Batch normalisation sees both. What is no plain chain of layers, or has a layer with a memory, is called as it is,
    and so is any network on one sample, or on nobody knows how many, on one thread, and where replicas work side by
    side.
    """
    layers, count = _chain(network), samples.shape[0] or 0
    if any(layer.non_trainable_variables and not _is_batch_normalisation(layer) for layer in layers):
        layers = []
    one_thread = tf.config.threading.get_inter_op_parallelism_threads() == 1
    if not layers or count < 2 or one_thread or tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return network(samples, training=training)
    sizes = [count // 2, count - count // 2]
    halves = tf.split(samples, sizes)
    for layer in layers:
        if _is_batch_normalisation(layer):
            halves = tf.split(layer(tf.concat(halves, axis=0), training=training), sizes)
        else:
            halves = [layer(half) for half in halves]
    return tf.concat(halves, axis=0)


def _chain(network: Callable) -> list[keras.layers.Layer]:
    """The layers of a model in which each takes what the one before it gives, or none for any other."""
    layers = [layer for layer in getattr(network, "layers", ()) if not isinstance(layer, keras.layers.InputLayer)]
    try:
        ends = [network.input, *(layer.output for layer in layers)] if layers else []
        follows = all(layer.input is before for layer, before in zip(layers, ends, strict=False))
        return layers if follows and ends and ends[-1] is network.output else []
    except (AttributeError, ValueError):  # a layer that is used twice
        return []


def _is_batch_normalisation(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def has_batch_normalisation(model: keras.layers.Layer) -> bool:
    """Say whether batch normalisation sits anywhere inside ``model``: nested models and wrapped layers count."""
    return any(map(_is_batch_normalisation, model._flatten_layers()))


def normalise(x: keras.KerasTensor, kind: str) -> keras.KerasTensor:
    """Normalise features [N, ..., C] with a learned scale and offset for each of the C channels.

    Args:
        kind: ``"batch"`` over everything but the channels; ``"layer"`` each sample over all its axes, as the critic of
            WGAN-GP does (Gulrajani et al. 2017), and so fit for a per-sample penalty; ``"none"`` leaves x as it is.
    """
    if kind == "batch":
        # DCGAN's momentum: samples are drawn with the moving averages after 100 updates already.
        return BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True)(x)
    if kind == "layer":
        # One group is layer normalisation over all axes: 1.3 times quicker on a CPU than LayerNormalization over
        # axes 1, 2 and 3, whose scale and offset would be one a pixel.
        return keras.layers.GroupNormalization(groups=1, epsilon=1e-5)(x)
    return x


def activate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Apply the activation called ``name`` in ACTIVATIONS (leaky_relu has slope 0.2)."""
    return ACTIVATIONS[name]()(x)


def drop(x: keras.KerasTensor, rate: float, seeds: Iterator[int]) -> keras.KerasTensor:
    """Drop out a share ``rate`` of the features, or return ``x`` itself when the rate is 0."""
    return keras.layers.Dropout(rate, seed=next(seeds))(x) if rate else x


def weigh(x: keras.KerasTensor, layer: keras.layers.Layer, spectral: bool, seeds: Iterator[int]) -> keras.KerasTensor:
    """Apply a dense or convolution ``layer``, under spectral normalisation (Miyato et al. 2018) if ``spectral``."""
    if not spectral:
        return layer(x)
    # In float32 since Keras writes the divided kernel back: in half precision that would round the master weights.
    wrapper = keras.layers.SpectralNormalization(layer, dtype="float32")
    outputs = wrapper(x)
    # Keras draws this vector without a seed.
    vector = np.random.default_rng(next(seeds)).normal(size=wrapper.vector_u.shape)
    wrapper.vector_u.assign(vector / np.linalg.norm(vector))
    return outputs


def seed_stream(seed: int | None) -> Iterator[int]:
    """Yield one seed a layer, all of them fixed by ``seed``; None follows ``keras.utils.set_random_seed``."""
    generator = np.random.default_rng(random.getrandbits(32) if seed is None else seed)
    while True:
        yield int(generator.integers(2**31))


def pyramid(height: int, width: int) -> list[tuple[int, int]]:
    """List the sizes from the image down to the base of a network, e.g. ``[(28, 28), (14, 14), (7, 7)]``.

    Each side is halved, rounded up, while it is above 7, so that it ends at 4 to 7. At least two halvings are made:
    an image whose longer side is under 15 ends at a base of 2 to 4.
    """
    sizes = [(height, width)]
    while max(sizes[-1]) > 7 or len(sizes) < 3:
        always = max(sizes[-1]) <= 7
        sizes.append(tuple(-(-side // 2) if side > 7 or always else side for side in sizes[-1]))
    return sizes


def strides(larger: tuple[int, int], smaller: tuple[int, int]) -> tuple[int, int]:
    """Give the strides that lead from a ``larger`` size of a pyramid to the next ``smaller`` one: 1 or 2 a side."""
    return tuple(2 if a > b else 1 for a, b in zip(larger, smaller, strict=True))


def kernel_size(stride: tuple[int, int], kernel: int) -> tuple[int, int]:
    """Give the kernel's sides: ``kernel`` where it strides, 3 where it does not."""
    return tuple(kernel if s == 2 else 3 for s in stride)


def crop(x: keras.KerasTensor, size: tuple[int, int]) -> keras.KerasTensor:
    """Cut the row or column that doubling made too many, so that features [N, H, W, C] are of ``size``."""
    surplus = [(0, have - want) for have, want in zip(x.shape[1:3], size, strict=True)]
    return keras.layers.Cropping2D(surplus)(x) if any(after for _, after in surplus) else x


def check_image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return ``shape`` as (height, width, channels), or raise a UsageError with the nearest shape that can be built."""
    if len(shape) != 3 or not all(isinstance(n, int | np.integer) for n in shape):
        raise UsageError(
            f"image shape {tuple(shape)} cannot be built: give whole numbers (height, width, channels), "
            "for instance (28, 28, 1)."
        )
    ranges = (MIN_SIDE, MAX_SIDE), (MIN_SIDE, MAX_SIDE), (1, MAX_CHANNELS)
    fit = tuple(int(np.clip(n, *between)) for n, between in zip(shape, ranges, strict=True))
    if fit != tuple(shape):
        raise UsageError(
            f"image shape {tuple(shape)} cannot be built: height and width must be from {MIN_SIDE} to {MAX_SIDE} "
            f"and channels from 1 to {MAX_CHANNELS}, for instance {fit}."
        )
    return fit


def check_options(normalisation: str, activation: str, dropout: float = 0.0, **counts: int) -> None:
    """Raise a UsageError for an unknown name, a dropout rate outside [0, 1) or a count (a width …) below 1."""
    lookup("normalisation", normalisation, NORMALISATIONS)
    lookup("activation", activation, ACTIVATIONS)
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout {dropout} is not a share of features: give a number from 0 to under 1, such as 0.3.")
    for name, count in counts.items():
        if not isinstance(count, int | np.integer) or count < 1:
            raise UsageError(f"{name} {count} cannot be built: give a whole number of at least 1.")
