"""Images from captions: a generator and a discriminator that both read."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from kgan.datasets.captions import WordVocabulary
from kgan.datasets.images import from_uint8, to_uint8
from kgan.errors import UsageError
from kgan.models.adversarial import draw
from kgan.models.gan import GAN, mean_score
from kgan.objectives import LossSensitive
from kgan.serving.export import Signature


@keras.saving.register_keras_serializable(package="kgan")
class TextToImageGAN(GAN):
    """A generator that draws what a caption says, before a discriminator that is told the caption too.

    Reed et al. 2016, "Generative adversarial text to image synthesis" (GAN-CLS, GAN-INT). The discriminator learns from
    real images under their captions, generated images under the captions they were drawn from, and, if it is matching-
    aware, real images under wrong captions, those of their neighbours in the batch:

        real_loss(real, right) + (1 - matching) fake_loss(generated, right) + matching fake_loss(real, wrong)

    Called on latents (float32 [N, latent_dim]) and ids (int32 [N, length]) it gives images. It learns from batches of
    images and ids. Words that are not in the vocabulary share one id, whose meaning is only learned where the training
    captions have such words; a caption with no other word, and an empty one, are drawn as any one fixed caption is.

    Raises:
        UsageError: as `GAN` does, and for weights out of range or an objective that cannot be matching-aware.
    """

    reported: ClassVar[tuple[str, ...]] = (*GAN.reported, "mismatch_loss")

    def __init__(
        self,
        *players_and_rules,
        words: Sequence[str],
        matching: float = 0.5,
        interpolation: float = 0.0,
        **options,
    ):
        """Put the players together.

        Args:
            players_and_rules: generator, [latents, ids [N, K, length]] -> images; discriminator, [images, ids] -> raw
                scores (see `kgan.networks.captions`); objective and penalty, the latter on images alone.
            words: the vocabulary, for captions as strings.
            matching: share of wrong captions in what the discriminator is to reject, in [0, 1); 0 for a plain
                conditional GAN, 1/2 in the paper.
            interpolation: weight, for the generator, of images drawn halfway between two captions, which are judged
                by the code halfway between them; 0 for none, 1 in the paper.
            options: as in `GAN`.
        """
        super().__init__(*players_and_rules, **options)
        if not 0 <= matching < 1:
            raise UsageError(f"matching is {matching}: give at least 0 and below 1, such as 0.5.")
        if not interpolation >= 0:
            raise UsageError(f"interpolation is {interpolation}: give at least 0.")
        if matching and isinstance(self.objective, LossSensitive):
            raise UsageError("the loss-sensitive objective has no loss for wrong captions: give matching 0 with it.")
        self.vocabulary = WordVocabulary(words)
        self.length = self.generator.inputs[1].shape[-1]
        self.matching = matching
        self.interpolation = interpolation

    def call(self, inputs, training: bool = False) -> tf.Tensor:
        """Images for latents [N, latent_dim] and ids [N, length], always in inference mode."""
        latents, ids = inputs
        return self.inference("generator")([latents, ids[:, None]], training=False)

    # The game.

    def propose(self, batch, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """An image for each caption."""
        return self._drawn(batch[1][:, None], draw(seed, 0), training)

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The objective on real and generated images under right captions, and on real ones under wrong captions."""
        images, ids = batch
        critic, mismatch = self._told(ids[:, None]), tf.constant(0.0)
        if self.matching:
            wrong = tf.roll(ids, 1, axis=0)
            scores = self._told(wrong[:, None])(self.shown(images, seed, 1, training), training)
            losses = tf.reshape(self.objective.fake_loss(tf.cast(scores, tf.float32)), [-1])
            is_wrong = tf.cast(tf.reduce_any(wrong != ids, axis=1), tf.float32)
            mismatch = tf.math.divide_no_nan(tf.reduce_sum(losses * is_wrong), tf.reduce_sum(is_wrong))
        loss, reported = self.loss_of_judging(critic, images, proposal, seed, training, 1.0 - self.matching)
        return loss + self.matching * mismatch, {**reported, "mismatch_loss": mismatch}

    def generator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The objective on generated images under their captions, and on those drawn halfway between two captions."""
        ids = batch[1]
        loss = self.loss_of_generating(self._told(ids[:, None]), proposal, seed, training)
        if self.interpolation:
            both = tf.stack([ids, tf.roll(ids, 1, axis=0)], axis=1)
            between = self._drawn(both, draw(seed, 6), training)
            loss += self.interpolation * self.loss_of_generating(self._told(both), between, seed, training)
        return loss, {}

    def _told(self, captions: tf.Tensor) -> Callable[..., tf.Tensor]:
        """The discriminator as it judges images when told these captions, ids [N, K, length]."""
        return lambda images, training: self.discriminator([images, captions], training=training)

    def _drawn(self, captions: tf.Tensor, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """An image for each of these captions, ids [N, K, length], with noise of this seed."""
        latents = tf.random.stateless_normal([tf.shape(captions)[0], self.latent_dim], seed)
        network = self.generator if training else self.inference("generator")
        return network([latents, captions], training=training)

    # Saving and serving.

    def signatures(self) -> dict[str, Signature]:
        """`generate` (captions, seed), `decode` (latents, captions) and `score` (images, captions).

        Captions are strings [N], read as `WordVocabulary` does. An image depends on the seed, its caption and its place
        in the batch.
        """

        def decode(latents, captions):
            return {"images": to_uint8(self([latents, self.vocabulary.encode(captions, self.length)]))}

        def generate(captions, seed):
            latents = tf.random.stateless_normal([tf.shape(captions)[0], self.latent_dim], tf.stack([seed, 0]))
            return decode(latents, captions)

        def score(images, captions):
            ids = self.vocabulary.encode(captions, self.length)
            return {"scores": mean_score(self.discriminator, [from_uint8(images), ids[:, None]])}

        captions = {"captions": tf.TensorSpec([None], tf.string, name="captions")}
        example = {"captions": np.array([" ".join(self.vocabulary.words[: self.length])], object)}
        seed = {"seed": tf.TensorSpec([], tf.int64, name="seed")}
        latents = {"latents": tf.TensorSpec([None, self.latent_dim], tf.float32, name="latents")}
        images = {"images": tf.TensorSpec([None, *self.sample_shape], tf.uint8, name="images")}
        return {
            "generate": Signature(generate, {**captions, **seed}, {**example, "seed": np.int64(0)}),
            "decode": Signature(
                decode, {**latents, **captions}, {**example, "latents": np.zeros([1, self.latent_dim], np.float32)}
            ),
            "score": Signature(
                score, {**images, **captions}, {**example, "images": np.zeros([1, *self.sample_shape], np.uint8)}
            ),
        }

    def get_config(self) -> dict:
        """Everything `from_config` needs to build this game again."""
        return {
            **super().get_config(),
            "words": self.vocabulary.words,
            "matching": self.matching,
            "interpolation": self.interpolation,
        }
