"""What a decoder says of an image: the distribution of its values, given the code.

Images are float32 [N, H, W, C] in [-1, 1] throughout; log-probabilities are in nats, one a sample.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import keras
import tensorflow as tf

from kgan.errors import lookup


@dataclass(frozen=True)
class Bernoulli:
    """Every value is black (-1) or white (1): log p = sum b log s(l) + (1 - b) log(1 - s(l)), where l are the logits.

    A grey value is the probability of white: images are binarised afresh whenever they are looked at ("dynamic
    binarisation", Salakhutdinov & Murray 2008; Burda et al. 2016).
    """

    parameters: ClassVar[int] = 1
    unit: ClassVar[str] = "nats, dynamic binarisation: each value is white with its grey level as probability"

    def observe(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The images binarised: -1 or 1."""
        white = tf.random.stateless_uniform(tf.shape(images), seed) < (images + 1) / 2
        return tf.where(white, 1.0, -1.0)

    def log_prob(self, images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """Log-probability [N] of images, given the logits; for grey ones its mean over all binarisations."""
        each = tf.nn.sigmoid_cross_entropy_with_logits(labels=(images + 1) / 2, logits=parameters)
        return -_total(each)

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """The expected image."""
        return tf.tanh(parameters / 2)

    def decoder(self, network: keras.Model) -> keras.Model:
        """The network itself: what it gives are the logits."""
        return network


@dataclass(frozen=True)
class Gaussian:
    """Every value is N(mean, scale^2), with one scale for all of them that is learned with the decoder.

    One shared scale balances reconstruction and code by itself (Rybkin et al. 2021, "Simple and effective VAE training
    with calibrated decoders"). The density is that of values in [-1, 1].
    """

    parameters: ClassVar[int] = 2
    unit: ClassVar[str] = "nats, a density over values in [-1, 1]"

    def observe(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The images as they are."""
        return images

    def log_prob(self, images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """Log-density [N] of images, given [N, H, W, 2C]: means, and then logarithms of the scale."""
        mean, log_scale = tf.split(parameters, 2, axis=-1)
        return -_total(((images - mean) * tf.exp(-log_scale)) ** 2 / 2 + log_scale + math.log(2 * math.pi) / 2)

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """The expected image."""
        return tf.split(parameters, 2, axis=-1)[0]

    def decoder(self, network: keras.Model) -> keras.Model:
        """The network, whose outputs are the means, with the scale beside them."""
        return keras.Model(network.input, SharedScale(dtype="float32")(network.output), name=network.name)


@keras.saving.register_keras_serializable("kgan")
class SharedScale(keras.layers.Layer):
    """Append to means [N, H, W, C] as many times the logarithm of one learned scale.

    The scale begins at 0.3 and stays above half a grey level of 8 bits: a density may not grow without end on values
    that are really steps.
    """

    least = math.log(1 / 255)

    def build(self, shape) -> None:
        """One number."""
        self.log_scale = self.add_weight(
            name="log_scale", shape=(), initializer=keras.initializers.Constant(math.log(0.3))
        )

    def call(self, means):
        """[N, H, W, 2C]."""
        log_scale = self.least + keras.ops.softplus(self.log_scale - self.least)
        return keras.ops.concatenate([means, keras.ops.zeros_like(means) + log_scale], axis=-1)

    def compute_output_shape(self, shape):
        """Twice the channels."""
        return (*shape[:-1], 2 * shape[-1])


LIKELIHOODS = {"bernoulli": Bernoulli, "gaussian": Gaussian}


def get(likelihood: "str | Bernoulli | Gaussian") -> "Bernoulli | Gaussian":
    """The likelihood of this name, bernoulli or gaussian; one that is there already is returned.

    Raises:
        UsageError: for an unknown name.
    """
    return lookup("likelihood", likelihood, LIKELIHOODS)() if isinstance(likelihood, str) else likelihood


def _total(each: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(each, axis=list(range(1, each.shape.rank)))
