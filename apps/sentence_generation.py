"""Sentences and poems: a GAN that sees them as images, and a variational autoencoder between any two of them."""

import dataclasses
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from kgan import pictures
from kgan.app import App, Caller, TrainOptions, main, open_model
from kgan.datasets import texts
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics.protocol import Figure
from kgan.metrics.texts import sentence_figures
from kgan.models.recipes import GANOptions, build_gan
from kgan.models.sentence_vae import SentenceVAE
from kgan.models.sentences import SentenceGAN
from kgan.networks import sequences


@dataclass(kw_only=True)
class Options(GANOptions, TrainOptions):
    """Train on sentences: quatrains, quatrains-5, chitchat, or lines:PATH for your own, one a line."""

    model: Literal["gan", "vae"] = "gan"
    """gan: all characters at once, after Gulrajani 2017; vae: one by one from a code, after Bowman 2016. Of the options
    below the vae knows latent-dim, average-decay and its own."""
    objective: str = "wgan-gp"
    """A recipe or any single objective, as for images; non-saturating shows how the plain GAN fails here."""
    data: str = "quatrains"
    """quatrains, quatrains-5, chitchat, or lines:PATH for a text file of your own."""
    symbols: int = 2_000
    """Size of the vocabulary at most: the most frequent characters; rarer ones count as one unknown character."""
    length: int | None = None
    """Characters of a sentence; longer ones are left out, shorter ones padded. Left out: the longest's, up to 64."""
    characters: str = ""
    """The vocabulary itself; left out, taken from the data when training begins, and kept with the model."""
    form: str | None = None
    """Punctuation that is written in its place whatever the model says, with □ for every other place; left out, that
    on which all training sentences agree, as the quatrains' do; an empty one for none."""
    updates: int = 3_000
    """Updates of the generator, including those of the run that is resumed."""
    network: str = "sequence"
    """sequence, the residual 1-D convolutions; the other networks are for images and points."""
    latent_dim: int = 64
    """Size of the noise that the generator starts from."""
    width: int = 64
    """Channels of the residual blocks."""
    depth: int | None = 5
    """Residual blocks, of two convolutions each."""
    normalisation: str | None = "none"
    """Of the generator: batch, layer or none."""
    discriminator_normalisation: str | None = "none"
    """Of the discriminator; no batch normalisation together with a penalty."""
    critic_steps: int | None = 3
    """Updates of the critic, each on fresh data, for one of the generator."""
    average_decay: float = 0.0
    """Decay of the generator's moving average; 0 for none, since the learning rates fall to zero."""
    learning_rate_decay: str = "cosine"
    """Let both learning rates fall to zero over the run: none, linear or cosine."""
    units: int = 256
    """Of the vae's recurrent layers and embeddings."""
    word_dropout: float = 0.3
    """Share of the characters shown to the vae's decoder that are hidden, so that it looks at the code."""
    annealing_updates: int = 500
    """Updates over which the weight of the vae's divergence rises to 1."""
    free_nats: float = 10.0
    """Divergence of the vae's codes that is free, in nats a sentence; with 0 they end up saying next to nothing."""
    vae_learning_rate: float = 2e-3
    """Adam's, for the vae, falling to zero along a cosine."""


@dataclass
class InterpolateOptions:
    """Walk from one sentence to another through the codes between them; with a vae."""

    model: Path
    """An exported vae, such as saved_models/my_sentences."""
    first: str
    """The sentence to begin with."""
    last: str
    """The sentence to end with."""
    steps: int = 7
    """Sentences to print, the two ends as the model renders them included."""


class SentenceGeneration(App):
    """Sentences and poems, from a GAN that sees them as images or from a variational autoencoder."""

    name = "sentence_generation"
    Options = Options

    def data(self, options: Options, split: str) -> Data:
        """The sentences; the first ones decide on vocabulary, length and form, which the options then keep."""
        data = texts.load(
            options.data, split, length=options.length, symbols=options.symbols,
            characters=options.characters or None, strict=options.strict,
        )  # fmt: skip
        options.characters, options.length = data.characters, data.shape[0]
        options.form = texts.common_form(data) if options.form is None else options.form
        return data

    def build(self, options: Options, data: Data):
        """The model that the options describe."""
        if options.model == "vae":
            return _build_vae(options)
        if options.network != "sequence":
            raise UsageError(f"--network {options.network} is not for sentences: leave it out, or give sequence.")
        shape = (options.length, len(texts.Vocabulary(options.characters)))
        kind = partial(SentenceGAN, characters=options.characters, form=options.form)
        return build_gan(options, shape, options.updates, options.seed, options.devices.jit, kind)

    def texts(self, model: Caller, options: Options, count: int = 64, seed: int = 0) -> list[str]:
        """Sentences."""
        parts = [
            model.call("generate", seed=seed + index, count=min(100, count - 100 * index))["sentences"]
            for index in range(math.ceil(count / 100))
        ]
        return [sentence.decode() for sentence in np.concatenate(parts)]

    def picture(self, model: Caller, options: Options, count: int = 64, seed: int = 0) -> np.ndarray:
        """The same, written out."""
        each = 0.62 if options.characters.isascii() else 1.0
        return pictures.text(self.texts(model, options, count, seed), math.ceil(each * options.length))

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """Distances of n-grams, perplexity, variety; shape, rhyme and tones of poems; real words of English."""
        return sentence_figures(
            self.texts(model, options, count, seed), texts.sentences_of(data),
            texts.sentences_of(self.data(options, "train")), reference_name=f"held-out {options.data}", seed=seed,
        )  # fmt: skip

    def verbs(self) -> dict:
        """`interpolate` beside the usual ones."""
        return {"interpolate": (InterpolateOptions, self.interpolate)}

    def interpolate(self, options: InterpolateOptions) -> None:
        """Print the sentences on the straight line between the codes of two."""
        if options.steps < 2:
            raise UsageError(f"--steps is {options.steps}: give at least 2, for the two ends.")
        model, trained = open_model(self, options.model)
        if "encode" not in model.signatures:
            raise UsageError(f"{options.model} is a GAN, which has no code for a sentence: train with --model vae.")
        ends = [options.first, options.last]
        for sentence in ends:
            if not 0 < len(sentence) <= trained.length:
                raise UsageError(f"{sentence!r} has {len(sentence)} characters: give 1 to {trained.length}.")
            if not set(sentence) & set(trained.characters):
                raise UsageError(
                    f"{sentence!r} has no character that the model knows, such as {trained.characters[:10]}."
                )
        first, last = model.call("encode", sentences=ends)["latents"]
        way = np.linspace(0, 1, options.steps, dtype=np.float32)[:, None]
        rendered = model.call("decode", latents=first + way * (last - first))["sentences"]
        print("\n".join([options.first, *("  " + sentence.decode() for sentence in rendered), options.last]))

    def health(self, model, options: Options, data: Data) -> dict:
        """Warn when sentences grow alike, or when the discriminator no longer errs."""
        usual = _diversity(texts.sentences_of(dataclasses.replace(data, examples=data.examples[:64])))
        generate, seed = model.signatures()["generate"].function, tf.constant(0, tf.int64)

        def ratio() -> float:
            return _diversity([sentence.decode() for sentence in generate(seed, 64)["sentences"].numpy()]) / usual

        judged = options.model == "gan" and options.objective not in ("wasserstein", "wgan", "wgan-gp")
        return {"saturated_loss": 0.01 if judged else None, "diversity": ratio}


def _build_vae(options: Options) -> SentenceVAE:
    """The variational autoencoder that the options describe, compiled."""
    for name in ("objective", "ensemble"):
        if (given := getattr(options, name)) != getattr(Options, name):
            raise UsageError(f"--{name} {given} is for --model gan: leave it out.")
    if not 0 < options.vae_learning_rate < 1:
        raise UsageError(f"--vae-learning-rate is {options.vae_learning_rate}: give one between 0 and 1.")
    shape = (options.length, len(texts.Vocabulary(options.characters)))
    size = {"latent_dim": options.latent_dim, "width": options.units}
    model = SentenceVAE(
        sequences.sequence_encoder(shape, **size, seed=options.seed),
        sequences.sequence_decoder(shape, **size, seed=options.seed + 1),
        characters=options.characters,
        form=options.form,
        word_dropout=options.word_dropout,
        annealing_updates=options.annealing_updates,
        free_nats=options.free_nats,
        average_decay=options.average_decay,
        seed=options.seed,
    )
    rate = keras.optimizers.schedules.CosineDecay(options.vae_learning_rate, max(1, options.updates))
    model.compile(autoencoder_optimizer=keras.optimizers.Adam(rate, clipnorm=5.0), jit_compile=options.devices.jit)
    return model


def _diversity(sentences: list[str]) -> int:
    """How many different pairs of neighbouring characters there are."""
    return len({sentence[i : i + 2] for sentence in sentences for i in range(len(sentence) - 1)})


if __name__ == "__main__":
    main(SentenceGeneration())
