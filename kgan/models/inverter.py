"""A generator's encoder: from an image back to the code that the generator would draw it from, and editing there."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kgan import editing
from kgan.datasets.images import from_uint8, to_uint8
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.models.gan import mean_score, samples_of, score_signature
from kgan.serving.export import Signature, generate_signature

PARTS = ("generator", "discriminator", "encoder")
WEIGHTS = ("latent_weight", "feature_weight", "code_weight", "noise")


class Proposal(NamedTuple):
    """Codes that were drawn and what the encoder makes of their images; real images, their codes, and their return."""

    latents: tf.Tensor
    recovered: tf.Tensor
    real: tf.Tensor
    codes: tf.Tensor
    reconstructed: tf.Tensor


@keras.saving.register_keras_serializable(package="kgan")
class Inverter(AdversarialModel):
    """An encoder learnt for a generator and a discriminator, which stay as they are unless the generator is tuned.

    Minimises latent_weight |En(G(z)) - z|^2 on generated samples, and on real ones |G(En(x)) - x|^2 of pixels and
    feature_weight times that of the discriminator's features (the inputs of its last layer, as a share of their
    square); after Luo et al. 2017, "Learning inverse mapping by autoencoder based generative adversarial nets". Called
    on images (float32 [N, H, W, C] in [-1, 1]) it gives G(En(x)). It learns from batches of such images; labels beside
    them are ignored.

    A tuned generator learns with the encoder to draw what it lacks of the data, as pivotal tuning does for one image
    (Roich et al. 2021). Noise on the codes of real images, held against code_weight |En(x)|^2, makes of the two a
    variational autoencoder whose codes all have one variance (Kingma & Welling 2014): then neighbouring codes look
    alike, and directions mean the same everywhere.

    Raises:
        UsageError: when the three do not fit each other, or for a weight below 0.
    """

    judges: ClassVar[tuple[str, ...]] = ()
    proposers: ClassVar[tuple[str, ...]] = ("encoder",)
    reported: ClassVar[tuple[str, ...]] = ("latent_error", "pixel_error", "feature_error")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        encoder: keras.Model,
        *,
        latent_weight: float = 0.2,
        feature_weight: float = 0.2,
        code_weight: float = 0.0,
        noise: float = 0.0,
        tuned: bool = False,
        rate: float = 0.1,
        **kwargs,
    ):
        """Learn this encoder.

        Args:
            generator: codes [N, latent_dim] -> images [N, H, W, C].
            discriminator: images -> raw scores.
            encoder: images -> codes.
            latent_weight, feature_weight: beside 1 for the pixels, at least 0.
            code_weight: of the mean square of the codes of real images, at least 0.
            noise: standard deviation of what is added to those codes in training, at least 0.
            tuned: whether the generator moves along.
            rate: of the searches that `project`, `descend` and `edit` make.
            kwargs: `average_decay` (of the encoder), `seed` of `AdversarialModel`.
        """
        super().__init__(**kwargs)
        self.generator, self.discriminator, self.encoder = generator, discriminator, encoder
        self.latent_weight, self.feature_weight, self.rate = latent_weight, feature_weight, rate
        self.code_weight, self.noise, self.tuned = code_weight, noise, tuned
        for name in WEIGHTS:
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is {getattr(self, name)}: give 0 or more.")
        fits = {
            "the discriminator's inputs": (discriminator.input_shape[1:], self.image_shape),
            "the encoder's inputs": (encoder.input_shape[1:], self.image_shape),
            "the encoder's outputs": (encoder.output_shape[1:], (self.latent_dim,)),
        }
        for what, (have, want) in fits.items():
            if have != want:
                raise UsageError(f"{what} are of shape {have} but the generator's need {want}: build it for those.")
        inner = keras.Model(discriminator.input, discriminator.layers[-1].input)
        # In a function, so that Keras does not take it for a network of its own.
        self.features = lambda images: _flat(inner(images, training=False))
        self.build()

    @property
    def latent_dim(self) -> int:
        """The size of a code."""
        return self.generator.input_shape[-1]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """[H, W, C] of an image."""
        return self.generator.output_shape[1:]

    def parts(self, player: str) -> tuple[str, ...]:
        """The encoder, and the generator where it is tuned."""
        return ("encoder", "generator") if self.tuned else ("encoder",)

    def decode(self, latents: tf.Tensor) -> tf.Tensor:
        """Images of codes."""
        return self.inference("generator")(latents, training=False)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """Codes of images."""
        return self.inference("encoder")(images, training=False)

    def scores(self, images: tf.Tensor) -> tf.Tensor:
        """One raw score for each image: higher for what looks real."""
        return mean_score(self.discriminator, images)

    def call(self, images, training: bool = False) -> tf.Tensor:
        """Reconstructions G(En(x)), always in inference mode."""
        return self.decode(self.encode(images))

    # The game.

    def propose(self, batch, seed: tf.Tensor, training: bool) -> Proposal:
        """As many generated images as there are real ones, and what the encoder makes of both."""
        real = samples_of(batch)
        latents = tf.random.stateless_normal([tf.shape(real)[0], self.latent_dim], draw(seed, 0))
        encoder = self.encoder if training else self.inference("encoder")
        # Always in inference mode, since the statistics of codes of real images are not those of draws.
        generator = self.generator if training else self.inference("generator")
        generated = tf.stop_gradient(generator(latents, training=False))
        recovered = encoder(generated, training=training)
        codes = encoder(real, training=training)
        noisy = codes + self.noise * tf.random.stateless_normal(tf.shape(codes), draw(seed, 1)) if training else codes
        return Proposal(latents, recovered, real, codes, generator(noisy, training=False))

    def encoder_loss(self, batch, proposal: Proposal, seed: tf.Tensor, training: bool):
        """How far codes and images are from themselves on the way there and back."""
        latents, recovered, real, codes, reconstructed = proposal
        latent = tf.reduce_mean((recovered - latents) ** 2)
        pixel = tf.reduce_mean(editing.pixel_error(reconstructed, real))
        feature = tf.reduce_mean(editing.feature_error(self.features(reconstructed), self.features(real)))
        loss = self.latent_weight * latent + pixel + self.feature_weight * feature
        loss += self.code_weight * tf.reduce_mean(codes**2)
        return loss, {"latent_error": latent, "pixel_error": pixel, "feature_error": feature}

    # Searching.

    def project(self, images: tf.Tensor, starts: tf.Tensor, steps, feature_weight=None) -> editing.Search:
        """Codes whose images are nearest to these, in pixels and if weighed in features, by descent from the starts."""
        features = None if feature_weight is None else self.features(images)

        def loss(latents):
            drawn = self.decode(latents)
            error = editing.pixel_error(drawn, images)
            if features is None:
                return error
            return error + feature_weight * editing.feature_error(self.features(drawn), features)

        return editing.descend(loss, starts, steps, self.rate)

    def edit(self, starts: tf.Tensor, constraint: Callable, steps, proximity, realism) -> editing.Search:
        """Codes near the starts whose images do as the constraint (images -> U [N]) says."""
        loss = editing.edit_loss(self.decode, self.scores, constraint, starts, proximity, realism)
        return editing.descend(loss, starts, steps, self.rate)

    # Saving and serving.

    def state(self, optimizers: bool = True) -> dict[str, keras.Variable]:
        """As of every game, and the networks that do not move, without which the encoder means nothing."""
        fixed = {
            f"{part}/{index:03d}": variable
            for part in PARTS
            if part not in self.parts("encoder")
            for index, variable in enumerate(getattr(self, part).variables)
        }
        return {**super().state(optimizers), **fixed}

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {
            **super().get_config(),
            **{part: described(getattr(self, part)) for part in PARTS},
            **{name: getattr(self, name) for name in (*WEIGHTS, "tuned", "rate")},
        }

    def signatures(self) -> dict[str, Signature]:
        """What an export of this model answers; images are uint8 [N, H, W, C], codes float32 [N, latent_dim].

        - `edit` (images, constraints, steps, proximity, realism): the images as the constraints ask, uint8 RGBA
          [N, H, W, 4] whose alpha says where. Gives `images`, the generator's; `carried`, the change carried back to
          the given pixels; `reconstructions`, what the edit began from; `starts`, `latents` and, after every step,
          `trail` [N, steps + 1, latent_dim].
        - `project` (images, steps, feature_weight): encoder, then descent; 0 steps are the encoder alone.
        - `descend` (images, starts, steps, feature_weight): descent from any codes, such as draws from N(0, 1).
        - `reconstruct`, `encode`, `decode`, `generate`, `score`.
        """
        height, width, channels = self.image_shape
        image = {"images": tf.TensorSpec([None, height, width, channels], tf.uint8, name="images")}
        blank = {"images": np.zeros([1, height, width, channels], np.uint8)}
        start = {"starts": tf.TensorSpec([None, self.latent_dim], tf.float32, name="starts")}
        paint = {"constraints": tf.TensorSpec([None, height, width, 4], tf.uint8, name="constraints")}
        steps, one_step = scalar("steps", tf.int32), {"steps": np.int32(1)}
        weight, no_weight = scalar("feature_weight"), {"feature_weight": np.float32(0)}
        zeros = np.zeros([1, self.latent_dim], np.float32)

        def found(search: editing.Search) -> dict[str, tf.Tensor]:
            images = to_uint8(self.decode(search.latents))
            return {"images": images, "latents": search.latents, "trail": search.trail}

        def descend(images, starts, steps, feature_weight):
            return found(self.project(from_uint8(images), starts, steps, feature_weight))

        def project(images, steps, feature_weight):
            return descend(images, self.encode(from_uint8(images)), steps, feature_weight)

        def edit(images, constraints, steps, proximity, realism):
            images = from_uint8(images)
            starts = self.project(images, self.encode(images), steps).latents
            colours, where = editing.wanted(constraints, channels)
            search = self.edit(
                starts, lambda drawn: editing.constraint_error(drawn, colours, where), steps, proximity, realism
            )
            return {**self.changed(images, starts, search.latents), "trail": search.trail}

        def generate(seed, count):
            latents = tf.random.stateless_normal([count, self.latent_dim], tf.stack([seed, 0]))
            return {"images": to_uint8(self.decode(latents))}

        def decode(latents):
            return {"images": to_uint8(self.decode(latents))}

        weights = scalar("proximity") | scalar("realism")
        usual = {"proximity": np.float32(0.01), "realism": np.float32(0.01)}
        painted = {"constraints": np.zeros([1, height, width, 4], np.uint8)}
        latents = {"latents": tf.TensorSpec([None, self.latent_dim], tf.float32, name="latents")}
        return {
            "edit": Signature(edit, image | paint | steps | weights, blank | painted | one_step | usual),
            "project": Signature(project, image | steps | weight, blank | one_step | no_weight),
            "descend": Signature(
                descend, image | start | steps | weight, blank | {"starts": zeros} | one_step | no_weight
            ),
            "reconstruct": Signature(lambda images: {"images": to_uint8(self(from_uint8(images)))}, image, blank),
            "encode": Signature(lambda images: {"latents": self.encode(from_uint8(images))}, image, blank),
            "decode": Signature(decode, latents, {"latents": zeros}),
            "generate": generate_signature(generate),
            "score": score_signature(self.scores, self.image_shape),
        }

    def changed(self, images: tf.Tensor, starts: tf.Tensor, latents: tf.Tensor) -> dict[str, tf.Tensor]:
        """Of an edit: the images, what it began from, and the change carried back to the original images."""
        before, after = self.decode(starts), self.decode(latents)
        return {
            "images": to_uint8(after),
            "reconstructions": to_uint8(before),
            "carried": to_uint8(editing.carry_back(images, before, after)),
            "starts": starts,
            "latents": latents,
        }


def _flat(features: tf.Tensor) -> tf.Tensor:
    """float32 [N, F] of features of any shape and precision."""
    return tf.reshape(tf.cast(features, tf.float32), [tf.shape(features)[0], -1])


def scalar(name: str, dtype=tf.float32) -> dict[str, tf.TensorSpec]:
    """The input of a signature that is one number."""
    return {name: tf.TensorSpec([], dtype, name=name)}
