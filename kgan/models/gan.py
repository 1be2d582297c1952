"""The generative adversarial network: any objective, any penalty, any pair of networks."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from kgan import objectives, penalties, regularisation
from kgan.datasets.images import from_uint8, to_uint8
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.networks import blocks
from kgan.serving.export import Signature, generate_signature


class LatentGame(AdversarialModel):
    """A game whose generator turns noise into samples and whose discriminator looks at samples.

    Called on latents (float32 [N, latent_dim]) it gives samples (float32 [N, ...]; images lie in [-1, 1]) of the
    generator's moving average, in inference mode. It learns from batches of samples of that kind; labels beside them
    are ignored. A subclass says what each player's loss is, and calls `build()`.

    Raises:
        UsageError: when generator and discriminator do not fit each other.
    """

    def __init__(self, generator: keras.Model, discriminator: keras.Model, **kwargs):
        """Put the two players together; `kwargs` are those of `AdversarialModel`."""
        super().__init__(**kwargs)
        self.attach(generator, discriminator)
        for one, other in itertools.product(self.networks("generator"), self.networks("discriminator")):
            if one.output_shape[1:] != first_input_shape(other)[1:]:
                raise UsageError(
                    f"the generator makes samples of shape {one.output_shape[1:]} but the discriminator takes "
                    f"{first_input_shape(other)[1:]}: build both for the same shape."
                )

    def attach(self, generator: keras.Model, discriminator: keras.Model) -> None:
        """Hold the networks under the names of their parts."""
        self.generator = generator
        self.discriminator = discriminator

    @property
    def latent_dim(self) -> int:
        """The size of the code that the generator starts from."""
        return first_input_shape(self.networks("generator")[0])[-1]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample: [H, W, C] of an image, [D] of a point."""
        return self.networks("generator")[0].output_shape[1:]

    @property
    def makes_images(self) -> bool:
        """Whether samples are images [H, W, C] rather than points [D]."""
        return len(self.sample_shape) == 3

    def call(self, latents, training: bool = False) -> tf.Tensor:
        """Samples for these latents, always in inference mode."""
        return self.inference("generator")(latents, training=False)

    def propose(self, batch, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """As many generated samples as there are real ones."""
        return self.proposed_by("generator", batch, seed, training)

    def proposed_by(self, part: str, batch, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """As many samples of this generator as there are real ones."""
        count = tf.shape(samples_of(batch))[0]
        latents = tf.random.stateless_normal([count, self.latent_dim], draw(seed, 0))
        network = getattr(self, part) if training else self.inference(part)
        return network(latents, training=training)

    def scores(self, samples: tf.Tensor) -> tf.Tensor:
        """One score for each sample, float32 [N], in inference mode: higher for what looks real."""
        return mean_score(self.discriminator, samples)

    # Saving and serving.

    def get_config(self) -> dict:
        """The options of the game and its networks."""
        return {
            **super().get_config(),
            "generator": described(self.generator),
            "discriminator": described(self.discriminator),
        }

    def signatures(self) -> dict[str, Signature]:
        """What an export of this model answers: `generate`, `decode` and `score`.

        Images are uint8 [N, H, W, C] under the name "images"; other samples float32 [N, D] under "samples".
        """
        kind, _, out, _ = served(self.sample_shape)

        def decode(latents):
            return {kind: out(self.call(latents))}

        def generate(seed, count):
            return decode(tf.random.stateless_normal([count, self.latent_dim], tf.stack([seed, 0])))

        latents = tf.TensorSpec([None, self.latent_dim], tf.float32, name="latents")
        return {
            "generate": generate_signature(generate),
            "decode": Signature(decode, {"latents": latents}, {"latents": np.zeros([1, self.latent_dim], np.float32)}),
            "score": score_signature(self.scores, self.sample_shape),
        }


@keras.saving.register_keras_serializable(package="kgan")
class GAN(LatentGame):
    """A generator that turns noise into samples, and a discriminator that tells them from data.

    Goodfellow et al. 2014, "Generative adversarial nets"; with other objectives and penalties it is LSGAN,
    WGAN, WGAN-GP, DRAGAN, f-GAN and so on.

    Raises:
        UsageError: when generator and discriminator do not fit each other, or when a discriminator with
            batch normalisation meets a per-sample penalty.
    """

    reported: ClassVar[tuple[str, ...]] = ("penalty", "real_score", "fake_score")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        objective: str | objectives.Objective = "non-saturating",
        penalty: str | penalties.Penalty | None = None,
        *,
        weight_clip: float = 0.0,
        instance_noise: float = 0.0,
        instance_noise_updates: int = 10_000,
        label_flip: float = 0.0,
        jitter: float = 0.0,
        **kwargs,
    ):
        """Put the two players together.

        Args:
            generator: latents [N, latent_dim] -> samples [N, ...].
            discriminator: samples [N, ...] -> raw scores [N, 1], or [N, h, w, 1] of patches; each sample is judged by
                itself, but for batch normalisation, since real and generated ones go through it together.
            objective: what the two minimise, by name or as an `Objective`.
            penalty: what keeps the discriminator smooth, by name or as a penalty; None for nothing.
            weight_clip: keep each weight of the discriminator within +- this (WGAN); 0 leaves them free.
            instance_noise: standard deviation of the noise added to what the discriminator sees, at the start;
                it falls to zero over `instance_noise_updates` (Sønderby 2017).
            label_flip: the share of real and generated samples whose roles are swapped for the discriminator.
            jitter: how far all images, real and generated, are turned, stretched and shifted at random before the
                discriminator sees them in training, as of `kgan.regularisation.jitter` (differentiable augmentation,
                Zhao et al. 2020): with few data it would otherwise learn them by heart.
            kwargs: `critic_steps`, `average_decay`, `seed` of `AdversarialModel`.
        """
        super().__init__(generator, discriminator, **kwargs)
        self.objective = objectives.get(objective)
        self.penalty = penalties.get(penalty)
        self.weight_clip = weight_clip
        self.instance_noise = instance_noise
        self.instance_noise_updates = instance_noise_updates
        self.label_flip = label_flip
        self.jitter = jitter
        if not jitter >= 0:
            raise UsageError(f"jitter is {jitter}: give 0 or more, such as 0.05.")
        if jitter and not self.makes_images:
            raise UsageError(f"jitter {jitter} turns images but samples are {self.sample_shape}: leave it at 0.")
        if (
            self.penalty is not None
            and self.penalty.per_sample
            and any(blocks.has_batch_normalisation(network) for network in self.networks("discriminator"))
        ):
            raise UsageError(
                f"the penalty {penalty!r} is taken sample by sample, which batch normalisation in the discriminator "
                "mixes up: build the discriminator with 'layer' normalisation or 'none'."
            )
        if weight_clip:
            for variable in self.variables_of("discriminator"):
                variable.constraint = penalties.WeightClip(weight_clip)
        self.build()

    # The game.

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The objective on a batch of real and generated samples, plus the penalty."""
        return self.loss_of_judging(self.discriminator, samples_of(batch), proposal, seed, training)

    def generator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The objective on generated samples, as the discriminator sees them now."""
        return self.loss_of_generating(self.discriminator, proposal, seed, training), {}

    def loss_of_judging(
        self, discriminator: Callable, real, fake, seed: tf.Tensor, training: bool, fake_weight: float = 1.0
    ):
        """A discriminator's loss between real and generated samples, and what to report of it.

        Args:
            discriminator: a network, or any callable of (samples, training=...).
            fake_weight: of the generated samples; only 1 for an objective that does not tell the two sides apart.
        """
        real, fake = self.shown(real, seed, 1, training), self.shown(fake, seed, 2, training)
        real_scores, fake_scores = blocks.for_each(discriminator, [real, fake], training)
        reported = {"real_score": tf.reduce_mean(real_scores), "fake_score": tf.reduce_mean(fake_scores)}
        if self.label_flip and training:
            real_scores, fake_scores = regularisation.flip(real_scores, fake_scores, self.label_flip, draw(seed, 3))
        loss = self.objective.discriminator_loss(real_scores, fake_scores, self.objective.margins(real, fake))
        if fake_weight != 1.0:
            loss += (fake_weight - 1.0) * tf.reduce_mean(self.objective.fake_loss(tf.cast(fake_scores, tf.float32)))
        penalty = tf.constant(0.0)
        if self.penalty is not None:
            penalty = self.penalty(partial(discriminator, training=training), real, fake, seed=draw(seed, 4))
        return loss + penalty, {"penalty": penalty, **reported}

    def loss_of_generating(self, discriminator: Callable, fake, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """A generator's loss for its samples, before this discriminator."""
        scores = blocks.in_halves(discriminator, self.shown(fake, seed, 5, training), training)
        return self.objective.generator_loss(scores)

    def shown(self, samples: tf.Tensor, seed: tf.Tensor, k: int, training: bool) -> tf.Tensor:
        """Samples as the discriminator is shown them: jittered and noisy, where that is asked for.

        The k-th draw of the step's seed is used, and the one 8 after it.
        """
        if self.jitter and training:
            samples = regularisation.jitter(samples, self.jitter, draw(seed, k + 8))
        if not self.instance_noise:
            return samples
        stddev = regularisation.noise_stddev(self.updates.value, self.instance_noise, self.instance_noise_updates)
        return regularisation.instance_noise(samples, stddev, draw(seed, k))

    # Saving.

    def get_config(self) -> dict:
        """Everything `from_config` needs to build this game again."""
        return {
            **super().get_config(),
            "objective": described(self.objective),
            "penalty": described(self.penalty),
            "weight_clip": self.weight_clip,
            "instance_noise": self.instance_noise,
            "instance_noise_updates": self.instance_noise_updates,
            "label_flip": self.label_flip,
            "jitter": self.jitter,
        }


def first_input_shape(network: keras.Model) -> tuple[int | None, ...]:
    """The shape of a network's input, or of the first of several: samples or latents, before what they go with."""
    return network.inputs[0].shape


def mean_score(discriminator: keras.Model, samples: tf.Tensor) -> tf.Tensor:
    """A discriminator's scores in inference mode, float32 [N]: those of patches are averaged."""
    scores = discriminator(samples, training=False)
    return tf.reduce_mean(tf.reshape(scores, [tf.shape(scores)[0], -1]), axis=1)


def served(shape: tuple[int, ...]) -> tuple[str, tf.TensorSpec, Callable, Callable]:
    """How samples of this shape leave and enter an export: name, spec, and the conversions out and in."""
    if len(shape) == 3:
        return "images", tf.TensorSpec([None, *shape], tf.uint8, name="images"), to_uint8, from_uint8
    return "samples", tf.TensorSpec([None, *shape], tf.float32, name="samples"), tf.identity, tf.identity


def score_signature(scores: Callable[[tf.Tensor], tf.Tensor], shape: tuple[int, ...]) -> Signature:
    """The signature of a function that scores samples of this shape, -> float32 [N]."""
    kind, spec, _, into = served(shape)
    return Signature(
        lambda **given: {"scores": scores(into(given[kind]))},
        {kind: spec},
        {kind: np.zeros([1, *shape], spec.dtype.as_numpy_dtype)},
    )


def samples_of(batch) -> tf.Tensor:
    """The samples of a batch that may carry labels."""
    return batch[0] if isinstance(batch, tuple | list) else batch
