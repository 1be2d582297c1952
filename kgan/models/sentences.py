"""Sentences from a GAN: one-hot matrices that are seen as images, with strings at the doors."""

import keras
import numpy as np
import tensorflow as tf

from kgan.datasets.texts import Vocabulary
from kgan.errors import UsageError
from kgan.models.gan import GAN
from kgan.serving.export import Signature


@keras.saving.register_keras_serializable(package="kgan")
class SentenceGAN(GAN):
    """A GAN over sentences, whose generator makes a distribution over symbols at every position at once.

    Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", section 5.4. It learns from int32 [N, length], as
    `kgan.datasets.texts` gives them; the discriminator sees them one-hot, beside the generator's softmax just as it
    is. Called on latents (float32 [N, latent_dim]) it gives probabilities [N, length, symbols]. A sentence is written
    by the likeliest symbol at each position, of those that `Vocabulary.writable` allows there: never the unknown mark,
    and punctuation where the form has it. The form is no part of the game, in which the generator has to learn it.

    Raises:
        UsageError: when the networks are for another number of symbols than the vocabulary has, or the form is not of
            the vocabulary.
    """

    def __init__(
        self, generator: keras.Model, discriminator: keras.Model, *args, characters: str, form: str = "", **kwargs
    ):
        """Play over this vocabulary, and write in this form; everything else is as in `GAN`."""
        super().__init__(generator, discriminator, *args, **kwargs)
        self.form = form
        self.vocabulary = Vocabulary(characters)
        self.length, symbols = generator.output_shape[1:]
        if symbols != len(self.vocabulary):
            raise UsageError(
                f"the networks are for {symbols} symbols but the vocabulary has {len(self.vocabulary)}, its two marks "
                "included: build them for as many."
            )
        self.writable = self.vocabulary.writable(self.length, form)

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """That of `GAN`, on one-hot sentences."""
        return super().discriminator_loss(tf.one_hot(batch, len(self.vocabulary)), proposal, seed, training)

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {**super().get_config(), "characters": self.vocabulary.characters, "form": self.form}

    def signatures(self) -> dict[str, Signature]:
        """`generate` (seed, count -> sentences), `decode` (latents -> sentences) and `score` (sentences -> scores)."""
        generator, vocabulary, inner = self.inference("generator"), self.vocabulary, super().signatures()

        def decode(latents):
            shares = tf.where(self.writable, generator(latents, training=False), -1.0)
            return {"sentences": vocabulary.decode(tf.argmax(shares, axis=2))}

        def generate(seed, count):
            return decode(tf.random.stateless_normal([count, self.latent_dim], tf.stack([seed, 0])))

        def score(sentences):
            real = tf.one_hot(vocabulary.encode(sentences, self.length), len(vocabulary))
            return {"scores": self.discriminator(real, training=False)[:, 0]}

        sentences = {"sentences": tf.TensorSpec([None], tf.string, name="sentences")}
        example = {"sentences": np.array([vocabulary.characters[: self.length]], object)}
        return {
            "generate": inner["generate"]._replace(function=generate),
            "decode": inner["decode"]._replace(function=decode),
            "score": Signature(score, sentences, example),
        }
