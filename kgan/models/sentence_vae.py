"""The sentence VAE: a code for every sentence, a sentence for every code, and all that lies between two of them."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from kgan.datasets.texts import PAD, UNKNOWN, Vocabulary
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.serving.export import Signature, generate_signature


@keras.saving.register_keras_serializable(package="kgan")
class SentenceVAE(AdversarialModel):
    """A recurrent encoder and decoder that maximise the evidence lower bound of sentences.

    Bowman et al. 2016, "Generating Sentences from a Continuous Space". Nobody judges: the one proposer is the
    autoencoder. The decoder would soon write without looking at the code, against which there are the paper's two
    remedies: the divergence's weight rises from 0 to 1 (linearly here, along a sigmoid there), and of the symbols that
    the decoder is shown while it trains a share is replaced by the unknown one. Here symbols are characters, for which
    that is not enough, so the first nats of divergence can be made free (Kingma et al. 2016, "Improved Variational
    Inference with Inverse Autoregressive Flow"; here of a batch's mean, not of each number of the code).

    It learns from int32 [N, length], as `kgan.datasets.texts` gives them. Called on such it gives the mean codes,
    float32 [N, latent_dim].

    Raises:
        UsageError: for networks that do not fit each other or the vocabulary, or a value out of range.
    """

    judges: ClassVar[tuple[str, ...]] = ()
    proposers: ClassVar[tuple[str, ...]] = ("autoencoder",)
    reported: ClassVar[tuple[str, ...]] = ("reconstruction", "divergence", "divergence_weight")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        characters: str,
        form: str = "",
        word_dropout: float = 0.3,
        annealing_updates: int = 1_000,
        free_nats: float = 0.0,
        **kwargs,
    ):
        """Put the two halves together.

        Args:
            encoder: sentences [N, length] -> mean and log-variance [N, 2, latent_dim].
            decoder: codes and the symbols before each -> logits [N, length, symbols].
            characters: the vocabulary.
            form: in which sentences are written (`kgan.datasets.texts.common_form`), though not learned; "" for none.
            word_dropout: share of the symbols shown to the decoder that are replaced by the unknown one, in [0, 1].
            annealing_updates: over how many the divergence's weight rises to 1; 0 for none.
            free_nats: divergence, in nats a sentence, below which training does not push it.
            kwargs: `average_decay`, `seed` of `AdversarialModel`.
        """
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.vocabulary = Vocabulary(characters)
        self.form = form
        self.word_dropout, self.annealing_updates, self.free_nats = word_dropout, annealing_updates, free_nats
        self.length, symbols = decoder.output_shape[1:]
        if symbols != len(self.vocabulary):
            raise UsageError(
                f"the decoder is for {symbols} symbols but the vocabulary has {len(self.vocabulary)}, its two marks "
                "included: build it for as many."
            )
        if encoder.output_shape[-1] != decoder.input_shape[0][-1]:
            raise UsageError(
                f"the encoder's codes have {encoder.output_shape[-1]} numbers but the decoder takes "
                f"{decoder.input_shape[0][-1]}: build both for the same."
            )
        if not 0 <= word_dropout <= 1 or annealing_updates < 0 or not free_nats >= 0:
            raise UsageError(
                f"word_dropout is {word_dropout}, annealing_updates {annealing_updates} and free_nats {free_nats}: "
                "give a share from 0 to 1, and at least 0 of the others."
            )
        self.writable = self.vocabulary.writable(self.length, form)
        self.build()

    @property
    def latent_dim(self) -> int:
        """The size of the code."""
        return self.encoder.output_shape[-1]

    def parts(self, player: str) -> tuple[str, ...]:
        """The autoencoder's two networks."""
        return ("encoder", "decoder")

    def call(self, sentences, training: bool = False) -> tf.Tensor:
        """The mean codes, in inference mode."""
        return self.inference("encoder")(sentences, training=False)[:, 0]

    # Learning.

    def propose(self, batch, seed: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        """A code drawn for each sentence, and what the decoder makes of it."""
        encoder, decoder = (getattr(self, part) if training else self.inference(part) for part in self.parts(""))
        mean, log_variance = tf.unstack(encoder(batch, training=training), axis=1)
        codes = mean + tf.exp(log_variance / 2) * tf.random.stateless_normal(tf.shape(mean), draw(seed, 0))
        before = tf.pad(batch[:, :-1], [[0, 0], [1, 0]], constant_values=PAD)
        if training:
            dropped = tf.random.stateless_uniform(tf.shape(batch), draw(seed, 1)) < self.word_dropout
            before = tf.where(dropped, UNKNOWN, before)
        return {"mean": mean, "log_variance": log_variance, "logits": decoder([codes, before], training=training)}

    def autoencoder_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The negative lower bound, in nats a sentence; in training with the weight of the moment and the free nats.

        Symbols up to the first padding, which ends a sentence, are counted.
        """
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=batch, logits=proposal["logits"])
        counted = tf.math.cumprod(tf.cast(batch != PAD, tf.float32), axis=1, exclusive=True)
        reconstruction = tf.reduce_mean(tf.reduce_sum(each * counted, axis=1))
        mean, log_variance = proposal["mean"], proposal["log_variance"]
        divergences = tf.square(mean) + tf.exp(log_variance) - 1.0 - log_variance
        divergence = tf.reduce_mean(tf.reduce_sum(divergences, axis=1)) / 2
        weight = tf.constant(1.0)
        if training and self.annealing_updates:
            weight = tf.minimum(1.0, tf.cast(self.updates.value, tf.float32) / self.annealing_updates)
        reported = {"reconstruction": reconstruction, "divergence": divergence, "divergence_weight": weight}
        paid = tf.maximum(divergence, self.free_nats) if training else divergence
        return reconstruction + weight * paid, reported

    # Writing.

    def write(self, codes: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Codes [N, latent_dim] -> int32 [N, length]: symbol by symbol, drawn with a seed, the likeliest without one.

        Only what `Vocabulary.writable` allows is written: never the unknown mark.
        """
        layers = {layer.name: layer for layer in self.inference("decoder").layers}
        embed, cell, logits = layers["embedding"], layers["cells"].cell, layers["logits"]
        unwritten = tf.constant(np.where(self.writable, 0.0, -np.inf), tf.float32)

        def step(carried, position):
            symbol, state = carried
            x = embed(symbol)
            x, [state] = cell(tf.concat([x, tf.cast(codes, x.dtype)], axis=1), [state])
            scores = tf.cast(logits(x), tf.float32) + unwritten[position]
            if seed is not None:
                uniform = tf.random.stateless_uniform(tf.shape(scores), seed + tf.stack([0, position]), minval=1e-20)
                scores -= tf.math.log(-tf.math.log(uniform))  # the largest is then a draw from the softmax (Gumbel)
            return tf.argmax(scores, axis=1, output_type=tf.int32), state

        begin = tf.fill([tf.shape(codes)[0]], PAD), layers["state"](codes)
        symbols, _ = tf.scan(step, tf.range(self.length, dtype=tf.int64), begin)
        return tf.transpose(symbols)

    def signatures(self) -> dict[str, Signature]:
        """`generate` (seed, count -> sentences drawn), `encode` (to mean codes), `decode` (to likeliest sentences)."""

        def generate(seed, count):
            codes = tf.random.stateless_normal([count, self.latent_dim], tf.stack([seed, -1]))
            return {"sentences": self.vocabulary.decode(self.write(codes, tf.stack([seed, 0])))}

        def encode(sentences):
            return {"latents": self(self.vocabulary.encode(sentences, self.length))}

        def decode(latents):
            return {"sentences": self.vocabulary.decode(self.write(latents))}

        return {
            "generate": generate_signature(generate),
            "encode": Signature(
                encode,
                {"sentences": tf.TensorSpec([None], tf.string, name="sentences")},
                {"sentences": np.array([self.vocabulary.characters[: self.length]], object)},
            ),
            "decode": Signature(
                decode,
                {"latents": tf.TensorSpec([None, self.latent_dim], tf.float32, name="latents")},
                {"latents": np.zeros([1, self.latent_dim], np.float32)},
            ),
        }

    # Saving.

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {
            **super().get_config(),
            "encoder": described(self.encoder),
            "decoder": described(self.decoder),
            "characters": self.vocabulary.characters,
            "form": self.form,
            "word_dropout": self.word_dropout,
            "annealing_updates": self.annealing_updates,
            "free_nats": self.free_nats,
        }
