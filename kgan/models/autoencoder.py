"""Codes: an encoder and a decoder that propose together, with no judge but the data."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kgan import likelihoods, regularisation
from kgan.datasets.images import from_uint8, to_uint8
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.serving.export import Signature, generate_signature


class Proposal(NamedTuple):
    """What the two offer for a batch: the images as they were seen, what the encoder and the decoder make of them."""

    images: tf.Tensor
    encoded: tf.Tensor
    parameters: tf.Tensor


@keras.saving.register_keras_serializable(package="kgan")
class Autoencoder(AdversarialModel):
    """An encoder that makes of every image a code, and a decoder that makes the image of the code again.

    Minimises E[-log p(x | code) + beta |code|^2 / 2] (Hinton & Salakhutdinov 2006); the second term keeps the codes
    near zero, so that the space around it can be walked. Called on images (float32 [N, H, W, C] in [-1, 1]) it gives
    their reconstructions. It learns from batches of such images; labels beside them are ignored.

    Raises:
        UsageError: when encoder, decoder and likelihood do not fit each other, or for an option out of range.
    """

    judges: ClassVar[tuple[str, ...]] = ()
    proposers: ClassVar[tuple[str, ...]] = ("autoencoder",)
    reported: ClassVar[tuple[str, ...]] = ("distortion", "code_penalty")
    outputs_per_latent: ClassVar[int] = 1

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: str | likelihoods.Bernoulli | likelihoods.Gaussian = "bernoulli",
        *,
        beta: float = 0.01,
        jitter: float = 0.0,
        jitter_updates: int = 10_000,
        **kwargs,
    ):
        """Put the two together.

        Args:
            encoder: images [N, H, W, C] -> codes [N, latent_dim].
            decoder: codes [N, latent_dim] -> the likelihood's parameters, as its `decoder()` gives them.
            likelihood: bernoulli or gaussian, by name or itself.
            beta: weight of what is asked of the codes, at least 0.
            jitter: how far images are turned, stretched and shifted at random in training, at the start; it falls to
                zero over `jitter_updates`, so that the model ends on images as they are.
            kwargs: `average_decay`, `seed` of `AdversarialModel`.
        """
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.likelihood = likelihoods.get(likelihood)
        self.beta, self.jitter, self.jitter_updates = beta, jitter, jitter_updates
        for name in ("beta", "jitter"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is {getattr(self, name)}: give 0 or more.")
        shape = encoder.input_shape[1:]
        fits = {
            "the encoder's outputs": (encoder.output_shape[1:], (self.outputs_per_latent * self.latent_dim,)),
            "the decoder's outputs": (decoder.output_shape[1:], (*shape[:-1], self.likelihood.parameters * shape[-1])),
        }
        for what, (have, want) in fits.items():
            if have != want:
                raise UsageError(
                    f"{what} are of shape {have} but must be {want} for images {shape} and "
                    f"{self.latent_dim} latents: build both for the same."
                )
        self.build()

    @property
    def latent_dim(self) -> int:
        """The size of a code."""
        return self.decoder.input_shape[-1]

    def parts(self, player: str) -> tuple[str, ...]:
        """The two networks, which move together."""
        return ("encoder", "decoder")

    def call(self, images, training: bool = False) -> tf.Tensor:
        """Reconstructions, always in inference mode."""
        codes = self.codes(self.inference("encoder")(images, training=False))
        return self.likelihood.mean(self.inference("decoder")(codes, training=False))

    # The game.

    def propose(self, batch, seed: tf.Tensor, training: bool) -> Proposal:
        """Codes of the images, and what the decoder makes of them."""
        images = batch[0] if isinstance(batch, tuple | list) else batch
        if training and self.jitter:
            amount = regularisation.noise_stddev(self.updates.value, self.jitter, self.jitter_updates)
            images = regularisation.jitter(images, amount, draw(seed, 0))
        images = self.observe(images, draw(seed, 1))
        encoder, decoder = (self.encoder, self.decoder) if training else map(self.inference, self.parts(""))
        encoded = encoder(images, training=training)
        return Proposal(images, encoded, decoder(self.sampled(encoded, draw(seed, 2)), training=training))

    def observe(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """What is to be reconstructed: here the images themselves, grey as they are."""
        return images

    def codes(self, encoded: tf.Tensor) -> tf.Tensor:
        """The code that stands for an image, of what the encoder gives."""
        return encoded

    def sampled(self, encoded: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The code that is decoded in training."""
        return encoded

    def autoencoder_loss(self, batch, proposal: Proposal, seed: tf.Tensor, training: bool):
        """Distortion (nats) and what keeps the codes near zero."""
        distortion = -tf.reduce_mean(self.likelihood.log_prob(proposal.images, proposal.parameters))
        penalty = tf.reduce_mean(tf.reduce_sum(proposal.encoded**2, axis=1)) / 2
        return distortion + self.beta * penalty, {"distortion": distortion, "code_penalty": penalty}

    # Saving and serving.

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {
            **super().get_config(),
            "encoder": described(self.encoder),
            "decoder": described(self.decoder),
            "likelihood": described(self.likelihood),
            "beta": self.beta,
            "jitter": self.jitter,
            "jitter_updates": self.jitter_updates,
        }

    def signatures(self) -> dict[str, Signature]:
        """`reconstruct`, `encode` (codes are float32 [N, latent_dim]), `decode`, and `generate` from codes N(0, 1)."""
        encoder, decoder = self.inference("encoder"), self.inference("decoder")
        return code_signatures(
            encoder.input_shape[1:],
            self.latent_dim,
            lambda images: self.codes(encoder(images, training=False)),
            lambda codes: self.likelihood.mean(decoder(codes, training=False)),
        )


@keras.saving.register_keras_serializable(package="kgan")
class VAE(Autoencoder):
    """An autoencoder whose codes are drawn, and which so is a model of the images: p(x) = E[p(x | z)], z ~ N(0, 1).

    Maximises the bound E_q[log p(x | z)] - KL(q(z | x) || N(0, 1)) on log p(x), where q is the encoder's N(mean,
    variance) (Kingma & Welling 2014). `beta` other than 1 weighs the second term (Higgins et al. 2017); `free_bits`
    are the nats that each latent may carry, on average over a batch, without a price (Kingma et al. 2016).
    """

    reported: ClassVar[tuple[str, ...]] = ("distortion", "rate", "bound")
    outputs_per_latent: ClassVar[int] = 2

    def __init__(self, encoder, decoder, likelihood="bernoulli", *, beta=1.0, free_bits: float = 0.0, **kwargs):
        """As an `Autoencoder`, but the encoder gives [N, 2 latent_dim]: means, and then logarithms of variances."""
        if not free_bits >= 0:
            raise UsageError(f"free_bits is {free_bits}: give 0 or more nats.")
        super().__init__(encoder, decoder, likelihood, beta=beta, **kwargs)
        self.free_bits = free_bits

    def observe(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """What the likelihood is of: for Bernoulli the images binarised afresh."""
        return self.likelihood.observe(images, seed)

    def codes(self, encoded: tf.Tensor) -> tf.Tensor:
        """The mean of q."""
        return tf.split(encoded, 2, axis=-1)[0]

    def sampled(self, encoded: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """A draw from q, through which gradients pass."""
        return gaussian_sample(encoded, seed)

    def autoencoder_loss(self, batch, proposal: Proposal, seed: tf.Tensor, training: bool):
        """Distortion and rate (both nats), the latter above the free bits and weighed; reports the true bound too."""
        distortion = -tf.reduce_mean(self.likelihood.log_prob(proposal.images, proposal.parameters))
        rates = tf.reduce_mean(gaussian_rates(proposal.encoded), axis=0)
        rate = tf.reduce_sum(rates)
        loss = distortion + self.beta * tf.reduce_sum(tf.maximum(rates, self.free_bits))
        return loss, {"distortion": distortion, "rate": rate, "bound": -distortion - rate}

    def log_weights(self, images: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """log p(x, z) - log q(z | x) in nats, [N, draws], of images [N, H, W, C] at so many z drawn from q.

        Their mean estimates the bound, and the logarithm of the mean of k of them, exponentiated, the tighter
        importance-weighted one (Burda et al. 2016).
        """
        encoder, decoder = self.inference("encoder"), self.inference("decoder")
        encoded = tf.repeat(encoder(images, training=False), draws, axis=0)
        mean, log_variance = tf.split(encoded, 2, axis=-1)
        codes = self.sampled(encoded, seed)
        noise = (codes - mean) * tf.exp(-log_variance / 2)
        # log N(z; 0, 1) - log N(z; mean, variance): what both are divided by falls out.
        ratio = tf.reduce_sum(noise**2 + log_variance - codes**2, axis=1) / 2
        seen = self.likelihood.log_prob(tf.repeat(images, draws, axis=0), decoder(codes, training=False))
        return tf.reshape(seen + ratio, [-1, draws])

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {**super().get_config(), "free_bits": self.free_bits}

    def signatures(self) -> dict[str, Signature]:
        """Those of an `Autoencoder`, and `log_weights` (images, draws, seed -> [N, draws]), which bound log p(x)."""
        common = super().signatures()

        def log_weights(images, draws, seed):
            first, second = tf.stack([seed, 0]), tf.stack([seed, 1])
            return {"log_weights": self.log_weights(self.observe(from_uint8(images), first), draws, second)}

        given = common["encode"]
        inputs = {"draws": tf.TensorSpec([], tf.int32, name="draws"), "seed": tf.TensorSpec([], tf.int64, name="seed")}
        example = {"draws": np.int32(1), "seed": np.int64(0)}
        return common | {"log_weights": Signature(log_weights, given.inputs | inputs, given.example | example)}


def gaussian_rates(encoded: tf.Tensor) -> tf.Tensor:
    """KL(N(mean, variance) || N(0, 1)) in nats, of each latent [N, latent_dim], of [N, 2 latent_dim]."""
    mean, log_variance = tf.split(encoded, 2, axis=-1)
    return (mean**2 + tf.exp(log_variance) - 1 - log_variance) / 2


def gaussian_sample(encoded: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A draw from N(mean, variance), [N, latent_dim], of [N, 2 latent_dim]; gradients pass through it."""
    mean, log_variance = tf.split(encoded, 2, axis=-1)
    return mean + tf.exp(log_variance / 2) * tf.random.stateless_normal(tf.shape(mean), seed)


def code_signatures(
    shape: tuple[int, ...],
    latent_dim: int,
    encode: Callable[[tf.Tensor], tf.Tensor],
    decode: Callable[[tf.Tensor], tf.Tensor],
) -> dict[str, Signature]:
    """What every model of images and their codes answers: `reconstruct`, `encode`, `decode` and `generate`.

    Args:
        shape: (H, W, C) of an image.
        latent_dim: length of a code, which is N(0, 1) where images are generated.
        encode: images float32 in [-1, 1] -> codes [N, latent_dim], in inference mode.
        decode: the other way round.
    """
    images = {"images": tf.TensorSpec([None, *shape], tf.uint8, name="images")}
    codes = {"codes": tf.TensorSpec([None, latent_dim], tf.float32, name="codes")}
    blank = {"images": np.zeros([1, *shape], np.uint8)}

    def served(codes):
        return {"images": to_uint8(decode(codes))}

    def generate(seed, count):
        return served(tf.random.stateless_normal([count, latent_dim], tf.stack([seed, 0])))

    return {
        "reconstruct": Signature(lambda images: served(encode(from_uint8(images))), images, blank),
        "encode": Signature(lambda images: {"codes": encode(from_uint8(images))}, images, blank),
        "decode": Signature(served, codes, {"codes": np.zeros([1, latent_dim], np.float32)}),
        "generate": generate_signature(generate),
    }
