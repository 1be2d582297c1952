"""A GAN that learns to infer: an encoder plays beside the generator, before a judge of samples and codes together."""

from typing import ClassVar, NamedTuple

import keras
import tensorflow as tf

from kgan import objectives, regularisation
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.models.autoencoder import code_signatures, gaussian_sample
from kgan.models.gan import samples_of, score_signature
from kgan.serving.export import Signature


class Pairs(NamedTuple):
    """Two batches of images with codes: data with what the encoder makes of it, and codes with their samples."""

    images: tf.Tensor
    encoded: tf.Tensor
    samples: tf.Tensor
    latents: tf.Tensor


@keras.saving.register_keras_serializable(package="kgan")
class BiGAN(AdversarialModel):
    """A generator z -> G(z) and an encoder x -> E(x), before a discriminator that tells (x, E(x)) from (G(z), z).

    Donahue et al. 2017, "Adversarial feature learning", where the encoder gives latent_dim numbers; ALI (Dumoulin et
    al. 2017, "Adversarially learned inference") where it gives twice as many, means and logarithms of variances of the
    Gaussian that a code is drawn from. D minimises the objective between the two; G and E minimise it with the roles
    swapped, which fools D on both. At its best E inverts G without ever having been asked to.

    Called on images (float32 [N, H, W, C] in [-1, 1]) it gives their reconstructions G(E(x)). It learns from batches of
    such images; labels beside them are ignored.

    Raises:
        UsageError: when the networks do not fit each other, or for an option out of range.
    """

    reported: ClassVar[tuple[str, ...]] = ("real_score", "fake_score", "reconstruction_error")

    def __init__(
        self,
        generator: keras.Model,
        encoder: keras.Model,
        discriminator: keras.Model,
        objective: str | objectives.Objective = "non-saturating",
        *,
        jitter: float = 0.0,
        jitter_updates: int = 10_000,
        views: bool = False,
        cycle: float = 0.0,
        **kwargs,
    ):
        """Put the players together.

        Args:
            generator: latents [N, latent_dim] -> images [N, H, W, C].
            encoder: images -> codes [N, latent_dim], or [N, 2 latent_dim].
            discriminator: [images, codes] -> raw scores [N, 1]; see `kgan.networks.joint`.
            objective: what D minimises between the two kinds of pairs, by name or as an `Objective`.
            jitter: how far images are turned, stretched and shifted at random in training, at the start; it falls to
                zero over `jitter_updates`.
            views: whether the encoder is shown other moves of an image than the discriminator, which is then shown
                moved samples too: D tells (T x, E(T' x)) from (T'' G(z), z), so that no code can say how its image was
                moved, and the cycle asks for the image as it was. T is differentiable augmentation's (Zhao et al. 2020,
                "Differentiable augmentation for data-efficient GAN training"), T' a denoising autoencoder's (Vincent
                et al. 2008, "Extracting and composing robust features with denoising autoencoders").
            cycle: weight, at least 0, of the mean squared error of G(E(x)), values in [0, 1], in what G and E minimise.
                It is not BiGAN's but ALICE's (Li et al. 2017, "ALICE: towards understanding adversarial learning for
                joint distribution matching"): the game alone lets E forget of x whatever G does not need.
            kwargs: `critic_steps`, `average_decay`, `seed` of `AdversarialModel`.
        """
        super().__init__(**kwargs)
        self.generator, self.encoder, self.discriminator = generator, encoder, discriminator
        self.objective = objectives.get(objective)
        self.jitter, self.jitter_updates = jitter, jitter_updates
        self.views, self.cycle = views, cycle
        for name in ("jitter", "cycle"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is {getattr(self, name)}: give 0 or more.")
        if views and not jitter:
            raise UsageError("views of an image differ by its jitter, which is 0: give one above 0, such as 0.1.")
        shape, size = generator.output_shape[1:], generator.input_shape[-1]
        pair = [tuple(one[1:]) for one in discriminator.input_shape]
        fits = encoder.input_shape[1:] == shape and encoder.output_shape[-1] in (size, 2 * size)
        if not fits or pair != [shape, (size,)]:
            raise UsageError(
                f"the generator makes {shape} of {size} latents, the encoder {encoder.output_shape[1:]} of "
                f"{encoder.input_shape[1:]}, and the discriminator takes {pair}: build all for the same."
            )
        self.build()

    @property
    def latent_dim(self) -> int:
        """The size of a code."""
        return self.generator.input_shape[-1]

    @property
    def is_stochastic(self) -> bool:
        """Whether the encoder draws codes (ALI) or gives them (BiGAN)."""
        return self.encoder.output_shape[-1] > self.latent_dim

    def parts(self, player: str) -> tuple[str, ...]:
        """Generator and encoder move together."""
        return ("generator", "encoder") if player == "generator" else (player,)

    def codes(self, encoded: tf.Tensor) -> tf.Tensor:
        """The code that stands for an image, of what the encoder gives: the code itself, or the Gaussian's mean."""
        return encoded[:, : self.latent_dim]

    def call(self, images, training: bool = False) -> tf.Tensor:
        """Reconstructions, always in inference mode."""
        codes = self.codes(self.inference("encoder")(images, training=False))
        return self.inference("generator")(codes, training=False)

    # The game.

    def propose(self, batch, seed: tf.Tensor, training: bool) -> Pairs:
        """Codes for the images, and as many images for new codes."""
        images = samples_of(batch)

        def moved(images: tf.Tensor, k: int) -> tf.Tensor:
            if not training or not self.jitter:
                return images
            amount = regularisation.noise_stddev(self.updates.value, self.jitter, self.jitter_updates)
            return regularisation.jitter(images, amount, draw(seed, k))

        shown = moved(images, 1)
        seen = moved(images, 3) if self.views else shown
        latents = tf.random.stateless_normal([tf.shape(images)[0], self.latent_dim], draw(seed, 0))
        generator, encoder = (
            getattr(self, part) if training else self.inference(part) for part in self.parts("generator")
        )
        encoded = encoder(seen, training=training)
        encoded = gaussian_sample(encoded, draw(seed, 2)) if self.is_stochastic else encoded
        samples = generator(latents, training=training)
        return Pairs(shown, encoded, moved(samples, 4) if self.views else samples, latents)

    def discriminator_loss(self, batch, proposal: Pairs, seed: tf.Tensor, training: bool):
        """The objective, where data with its codes are real, and samples with theirs generated."""
        real, fake = self._scores(proposal, training)
        report = {"real_score": tf.reduce_mean(real), "fake_score": tf.reduce_mean(fake)}
        return self.objective.discriminator_loss(real, fake), report

    def generator_loss(self, batch, proposal: Pairs, seed: tf.Tensor, training: bool):
        """The objective the other way round, for both networks; reports how far they are from being inverses."""
        real, fake = self._scores(proposal, training)
        # In inference mode without the cycle, which alone is to touch the generator's batch statistics.
        encoded = proposal.encoded if self.cycle else tf.stop_gradient(proposal.encoded)
        again = self.generator(encoded, training=training and self.cycle > 0)
        wanted = samples_of(batch) if self.views else proposal.images
        error = tf.reduce_mean((again - wanted) ** 2) / 4
        loss = self.objective.discriminator_loss(fake, real)
        return (loss + self.cycle * error if self.cycle else loss), {"reconstruction_error": error}

    def _scores(self, proposal: Pairs, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Those of data with their codes, and of samples with theirs."""
        real = self.discriminator([proposal.images, proposal.encoded], training=training)
        return real, self.discriminator([proposal.samples, proposal.latents], training=training)

    def scores(self, images: tf.Tensor) -> tf.Tensor:
        """How real images look together with their codes, float32 [N], in inference mode."""
        codes = self.codes(self.inference("encoder")(images, training=False))
        return self.discriminator([images, codes], training=False)[:, 0]

    # Saving and serving.

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        networks = ("generator", "encoder", "discriminator")
        return {
            **super().get_config(),
            **{name: described(getattr(self, name)) for name in networks},
            "objective": described(self.objective),
            "jitter": self.jitter,
            "jitter_updates": self.jitter_updates,
            "views": self.views,
            "cycle": self.cycle,
        }

    def signatures(self) -> dict[str, Signature]:
        """`reconstruct`, `encode` (codes are float32 [N, latent_dim]), `decode`, `generate`, and `score`."""
        encoder, generator = self.inference("encoder"), self.inference("generator")
        shape = encoder.input_shape[1:]
        return {
            **code_signatures(
                shape,
                self.latent_dim,
                lambda images: self.codes(encoder(images, training=False)),
                lambda codes: generator(codes, training=False),
            ),
            "score": score_signature(self.scores, shape),
        }
