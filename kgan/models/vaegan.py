"""A VAE whose decoder plays a GAN: how near a reconstruction is, the discriminator's features say."""

from typing import ClassVar, NamedTuple

import keras
import tensorflow as tf

from kgan import objectives
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.models.autoencoder import code_signatures, gaussian_rates, gaussian_sample
from kgan.models.gan import samples_of, score_signature
from kgan.serving.export import Signature


class Drawn(NamedTuple):
    """What the encoder says of the images, what the decoder makes of it, and what it makes of codes N(0, 1)."""

    encoded: tf.Tensor
    reconstructions: tf.Tensor
    samples: tf.Tensor


@keras.saving.register_keras_serializable(package="kgan")
class VAEGAN(AdversarialModel):
    """Autoencoding beyond pixels using a learned similarity metric (Larsen et al. 2016).

    With the features f(x) of a layer of the discriminator, reconstructions x' = Dec(z), z ~ q(z|x) = N(mean, variance),
    and samples x'' = Dec(z), z ~ N(0, 1), each player minimises terms of its own and nothing else (algorithm 1):

    - encoder: KL(q(z|x) || N(0, 1)) + E |f(x) - f(x')|^2 / 2;
    - decoder: gamma E |f(x) - f(x')|^2 / 2, and the objective's loss of a generator on x' and on x'';
    - discriminator: the objective with x real, and x' and x'' generated, half each.

    Called on images (float32 [N, H, W, C] in [-1, 1]) it gives their reconstructions. It learns from batches of such
    images; labels beside them are ignored.

    Raises:
        UsageError: when the networks do not fit each other, or for an option out of range.
    """

    proposers: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    reported: ClassVar[tuple[str, ...]] = ("real_score", "reconstruction_score", "sample_score", "rate", "distortion")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        discriminator: keras.Model,
        objective: str | objectives.Objective = "non-saturating",
        *,
        gamma: float = 1.0,
        beta: float = 1.0,
        **kwargs,
    ):
        """Put the players together.

        Args:
            encoder: images [N, H, W, C] -> [N, 2 latent_dim]: means, and then logarithms of variances.
            decoder: codes [N, latent_dim] -> images.
            discriminator: images -> raw scores [N, 1], and features [N, F]; see `kgan.networks.recognition`.
            objective: what decoder and discriminator play for, by name or as an `Objective`.
            gamma: weight of the reconstruction against the game for the decoder, at least 0.
            beta: weight of the KL for the encoder, at least 0; 1 in the paper.
            kwargs: `critic_steps`, `average_decay`, `seed` of `AdversarialModel`.
        """
        super().__init__(**kwargs)
        self.encoder, self.decoder, self.discriminator = encoder, decoder, discriminator
        self.objective = objectives.get(objective)
        self.gamma, self.beta = gamma, beta
        for name in ("gamma", "beta"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is {getattr(self, name)}: give 0 or more.")
        shape = decoder.output_shape[1:]
        takes = encoder.input_shape[1:], discriminator.input_shape[1:]
        if takes != (shape, shape) or encoder.output_shape[-1] != 2 * self.latent_dim:
            raise UsageError(
                f"the decoder makes {shape} of {self.latent_dim} latents, the encoder {encoder.output_shape[1:]} of "
                f"{takes[0]}, and the discriminator takes {takes[1]}: build all for the same images, the encoder with "
                "two outputs a latent."
            )
        if len(discriminator.outputs) != 2:
            raise UsageError(
                "the discriminator gives scores alone but must give its features, too: build it with "
                "kgan.networks.recognition.with_features."
            )
        self.build()

    @property
    def latent_dim(self) -> int:
        """The size of a code."""
        return self.decoder.input_shape[-1]

    def codes(self, images: tf.Tensor) -> tf.Tensor:
        """The means of q(z|x), in inference mode."""
        return self.inference("encoder")(images, training=False)[:, : self.latent_dim]

    def call(self, images, training: bool = False) -> tf.Tensor:
        """Reconstructions, always in inference mode."""
        return self.inference("decoder")(self.codes(images), training=False)

    # The game.

    def propose(self, batch, seed: tf.Tensor, training: bool) -> Drawn:
        """The posterior of each image, a reconstruction of it, and a sample."""
        encoder, decoder = (getattr(self, part) if training else self.inference(part) for part in self.proposers)
        encoded = encoder(samples_of(batch), training=training)
        codes = gaussian_sample(encoded, draw(seed, 0))
        latents = tf.random.stateless_normal(tf.shape(codes), draw(seed, 1))
        # Apart, so that batch statistics of one do not help the other.
        return Drawn(encoded, decoder(codes, training=training), decoder(latents, training=training))

    def discriminator_loss(self, batch, proposal: Drawn, seed: tf.Tensor, training: bool):
        """The objective between images and both kinds of generated ones."""
        real, again, drawn = (
            self.discriminator(images, training=training)[0]
            for images in (samples_of(batch), proposal.reconstructions, proposal.samples)
        )
        loss = (self.objective.discriminator_loss(real, again) + self.objective.discriminator_loss(real, drawn)) / 2
        scores = {"real_score": real, "reconstruction_score": again, "sample_score": drawn}
        return loss, {name: tf.reduce_mean(score) for name, score in scores.items()}

    def encoder_loss(self, batch, proposal: Drawn, seed: tf.Tensor, training: bool):
        """The divergence of the codes (rate) and of the features (distortion)."""
        rate = tf.reduce_mean(tf.reduce_sum(gaussian_rates(proposal.encoded), axis=1))
        distortion, _ = self._distortion(batch, proposal, training)
        return self.beta * rate + distortion, {"rate": rate, "distortion": distortion}

    def decoder_loss(self, batch, proposal: Drawn, seed: tf.Tensor, training: bool):
        """The distortion weighed against the game, on reconstructions and samples."""
        distortion, again = self._distortion(batch, proposal, training)
        drawn, _ = self.discriminator(proposal.samples, training=training)
        game = (self.objective.generator_loss(again) + self.objective.generator_loss(drawn)) / 2
        return self.gamma * distortion + game, {}

    def _distortion(self, batch, proposal: Drawn, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Half the squared distance of features, and the reconstructions' scores."""
        _, wanted = self.discriminator(samples_of(batch), training=training)
        scores, found = self.discriminator(proposal.reconstructions, training=training)
        gap = tf.cast(found, tf.float32) - tf.cast(wanted, tf.float32)
        return tf.reduce_mean(tf.reduce_sum(gap**2, axis=1)) / 2, scores

    def scores(self, images: tf.Tensor) -> tf.Tensor:
        """One score for each image, float32 [N], in inference mode: higher for what looks real."""
        return self.discriminator(images, training=False)[0][:, 0]

    # Saving and serving.

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        networks = ("encoder", "decoder", "discriminator")
        return {
            **super().get_config(),
            **{name: described(getattr(self, name)) for name in networks},
            "objective": described(self.objective),
            "gamma": self.gamma,
            "beta": self.beta,
        }

    def signatures(self) -> dict[str, Signature]:
        """`reconstruct`, `encode` (codes are float32 [N, latent_dim]), `decode`, `generate`, and `score`."""
        decoder, shape = self.inference("decoder"), self.encoder.input_shape[1:]
        return {
            **code_signatures(shape, self.latent_dim, self.codes, lambda codes: decoder(codes, training=False)),
            "score": score_signature(self.scores, shape),
        }
