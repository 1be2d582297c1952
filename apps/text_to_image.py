"""Images that show what a caption says, by a GAN whose two players read."""

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from kgan import app as verbs
from kgan import datasets, pictures
from kgan.app import App, Caller, SampleOptions, TrainOptions, main
from kgan.datasets import captions
from kgan.datasets.captions import Captioned, WordVocabulary
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics import tags
from kgan.metrics.features import feature_network
from kgan.metrics.protocol import Figure, image_figures
from kgan.models.recipes import GANOptions, build_gan
from kgan.models.text_to_image import TextToImageGAN
from kgan.networks.captions import captioned_discriminator, captioned_generator
from kgan.training.callbacks import diversity

COLUMNS = 8
ROWS = 8


@dataclass(kw_only=True)
class Options(GANOptions, TrainOptions):
    """Train on images with captions: faces, or your own as tags:PATH or captions:PATH."""

    data: str = "faces"
    """faces; tags:PATH, a folder of 0.jpg, 1.jpg ... and a tags.csv; or captions:PATH, where each image has a text file
    of the same name, a caption a line."""
    objective: str = "r1gan"
    """A recipe or any single objective, as for images; a plain dcgan wins too soon from drawings to go on learning."""
    width: int = 16
    """Channels at half the image's size, doubled at every halving."""
    generator_learning_rate: float | None = 5e-4
    """Of the generator."""
    discriminator_learning_rate: float | None = 5e-4
    """Of the discriminator."""
    updates: int = 2_500
    """Updates of the generator, including those of the run that is resumed."""
    size: int = 64
    """Side of the images in pixels."""
    matching: float = 0.5
    """Share of real images under wrong captions in what the discriminator learns to reject; 0 for none, 0.5 in the
    paper (GAN-CLS)."""
    interpolation: float = 0.0
    """Weight of images drawn halfway between two captions, which train the generator alone; 0 for none, 1 in the paper
    (GAN-INT)."""
    held_out: int = 1
    """Eye colours with which each hair colour is never shown in training, so that they can be asked for as something
    new; for data with one colour of each."""
    code_dim: int = 128
    """Size of the generator's code for a caption, and features of an image that the discriminator holds against it."""
    text_width: int = 64
    """Channels of the two text encoders."""
    vocabulary: int = 2_000
    """How many words are known at most: the most frequent of the data."""
    words: tuple[str, ...] = ()
    """The known words themselves; left out, taken from the data when training begins, and kept with the model."""
    length: int | None = None
    """Words of a caption that are read; left out, those of the longest, up to 32."""
    shown: tuple[str, ...] = ()
    """Captions that the pictures show; left out, some of the data's and of those never shown in training."""


@dataclass
class CaptionOptions(SampleOptions):
    """Draw what a caption says."""

    text: tuple[str, ...] = ()
    """What to draw, such as "red hair, blue eyes"; several captions for a row each. Left out: those of the training."""


class TextToImage(App):
    """Images that show what a caption says, such as "red hair blue eyes"."""

    name = "text_to_image"
    Options = Options

    def data(self, options: Options, split: str) -> Captioned:
        """The images with their captions; the first ones decide on words, length and what is shown."""
        for name in ("size", "code_dim", "text_width", "vocabulary", "length"):
            if getattr(options, name) is not None and getattr(options, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give at least 1.")
        whole = self._load(options, split)
        if not (options.words and options.length):
            training = whole if split == "train" else self._load(options, "train")
            options.words = options.words or tuple(captions.frequent_words(training.captions, options.vocabulary))
            options.length = options.length or min(32, captions.longest(training.captions))
        options.shown = options.shown or _shown(whole, options.held_out)
        kept = captions.without_pairs(whole, options.held_out) if split == "train" else whole
        return Captioned(kept, WordVocabulary(options.words), options.length)

    def _load(self, options: Options, split: str) -> Data:
        data = datasets.load(options.data, split, size=options.size, channels=3, strict=options.strict)
        if not data.captions:
            raise UsageError(
                f"{options.data!r} has no captions: give faces, tags:PATH or captions:PATH, or use python -m "
                "apps.image_generation for images alone."
            )
        return data

    def build(self, options: Options, data: Captioned) -> TextToImageGAN:
        """The GAN that the options describe, with captions for both players."""
        sizes = {"words": len(options.words) + 2, "length": options.length, "width": options.text_width}

        def kind(generator, discriminator, *rules, **further) -> TextToImageGAN:
            return TextToImageGAN(
                captioned_generator(generator, **sizes, code_dim=options.code_dim, seed=options.seed + 2),
                captioned_discriminator(discriminator, **sizes, spectral=spectral, seed=options.seed + 3),
                *rules,
                words=options.words,
                matching=options.matching,
                interpolation=options.interpolation,
                **further,
            )

        spectral = options.resolved().spectral
        both = replace(options, latent_dim=options.latent_dim + options.code_dim)
        return build_gan(
            both, data.shape, options.updates, options.seed, options.devices.jit, kind, outputs=options.code_dim
        )

    def picture(self, model: Caller, options: Options, count: int = ROWS * COLUMNS, seed: int = 0) -> np.ndarray:
        """A row for each of some captions, which stand at its left."""
        return draw(model, options.shown, count, seed)

    def figures(
        self, model: Caller, options: Options, data: Captioned, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """How often images show what they should and captions find their image; distances to held-out images."""
        asked = list(itertools.islice(itertools.cycle(data.captions), count))
        drawn = drawn_by(model, asked, seed)
        found = [matching_figure(model, data)]
        if options.data == "faces":
            found += colour_figures(model, data.pictures, options.held_out, count, seed)
        return found + image_figures(
            drawn, data.examples, feature_network(features or "efficientnet-lite0"),
            reference_name=f"held-out {options.data}", seed=seed,
        )  # fmt: skip

    def health(self, model: TextToImageGAN, options: Options, data: Captioned) -> dict:
        """Warn when images grow alike."""
        usual, asked = diversity(data.examples[:256]), tf.constant(data.captions[:64])
        generate = model.signatures()["generate"].function

        def ratio() -> float:
            return diversity(generate(captions=asked, seed=tf.constant(0, tf.int64))["images"].numpy()) / usual

        return {"diversity": ratio if usual > 0 else None}

    def verbs(self) -> dict:
        """`sample` takes a text."""
        return {"sample": (CaptionOptions, self.sample)}

    def sample(self, options: CaptionOptions) -> None:
        """Draw captions of the user's, or those that were shown in training."""
        if not options.text:
            return verbs.sample(self, options)
        if options.count < 1:
            raise UsageError(f"--count is {options.count}: give at least 1.")
        model, trained = verbs.open_model(self, options.model, options.server)
        vocabulary = WordVocabulary(trained.words)
        for text in options.text:
            known, strange = vocabulary.known(text)
            if not known:
                wrong = "has no word that this model knows" if strange else "is empty"
                raise UsageError(f"the caption {text!r} {wrong}: use some of {', '.join(trained.words[:40])}.")
            if strange:
                print(f"not known to this model, and so without meaning: {', '.join(strange)}", file=sys.stderr)
        verbs.save_picture(draw(model, options.text, options.count, options.seed), options.out)
        print(f"wrote {options.out}: {options.count} samples of {options.model}, seed {options.seed}")


def drawn_by(model: Caller, asked: Sequence[str], seed: int) -> np.ndarray:
    """An image for each caption, uint8 [N, H, W, C], a hundred at a time."""
    parts = [asked[first : first + 100] for first in range(0, len(asked), 100)]
    drawn = [model.call("generate", captions=list(part), seed=seed + k)["images"] for k, part in enumerate(parts)]
    return np.concatenate(drawn)


def draw(model: Caller, texts: Sequence[str], count: int, seed: int) -> np.ndarray:
    """`count` images, as many for each caption, in a row beside it."""
    texts = list(texts)[:count]
    columns = -(-count // len(texts))
    images = drawn_by(model, [text for text in texts for _ in range(columns)], seed)
    return pictures.captioned(images, texts, columns)


def matching_figure(model: Caller, data: Captioned) -> Figure:
    """How often the discriminator finds a held-out image's own caption likelier than another's."""
    own, images = data.captions[:1000], data.examples[data.image_of[:1000]]
    other = own[1:] + own[:1]
    wrong = np.array([a != b for a, b in zip(own, other, strict=True)])

    def scores(texts: list[str]) -> np.ndarray:
        parts = [slice(first, first + 100) for first in range(0, len(images), 100)]
        return np.concatenate([model.call("score", images=images[p], captions=texts[p])["scores"] for p in parts])

    right = (scores(own) > scores(other))[wrong]
    return Figure(
        "right captions preferred to wrong ones",
        float(right.mean()) if len(right) else float("nan"),
        f"share, by the discriminator's scores; {len(right):,} held-out {data.name} images; chance 0.5",
    )


def colour_figures(model: Caller, real: Data, held_out: int, count: int, seed: int) -> list[Figure]:
    """Whether an independent classifier reads off the faces what their captions say, and what it makes of real ones.

    Captions that were seen in training and those that were not are asked for `count` times each.
    """
    new = captions.held_out_pairs(real, held_out)
    everything = itertools.product(*(sorted({face[part] for face in real.tags}) for part in ("hair", "eyes")))
    sets = {"seen": [pair for pair in everything if pair not in new], "never seen": new}
    found = []
    for name, pairs in sets.items():
        if not pairs:
            continue
        asked = [pairs[k] for k in np.random.default_rng(seed).permutation(count) % len(pairs)]
        faces = drawn_by(model, [f"{hair} hair {eyes} eyes" for hair, eyes in asked], seed)
        found += _shares(f"combinations {name} in training", faces, asked, f"{count:,} samples; seed {seed}")
    truth = [(face["hair"], face["eyes"]) for face in real.tags]
    return found + _shares("real faces", real.examples, truth, f"{len(truth):,} held-out faces")


def _shares(what: str, faces: np.ndarray, pairs: list[tuple[str, str]], protocol: str) -> list[Figure]:
    read = tags.read_tags(faces)
    return [
        Figure(
            f"{part} as the caption says, {what}",
            float(np.mean(read[part] == np.array(truth))),
            f"share read by the {tags.DESCRIPTION}; {protocol}",
        )
        for part, truth in zip(("hair", "eyes"), zip(*pairs, strict=True), strict=True)
    ]


def _shown(data: Data, held_out: int) -> tuple[str, ...]:
    """Some captions for pictures: half of them of combinations that are not trained on, where there are any."""
    new = [f"{hair} hair {eyes} eyes" for hair, eyes in captions.held_out_pairs(data, held_out)]
    every = dict.fromkeys(text.split("\n")[0] for text in data.captions)
    seen = [text for text in every if text not in new]
    new = [text for text in new if text in every][:: max(1, len(new) // (ROWS // 2))][: ROWS // 2]
    return tuple((seen[: ROWS - len(new)] + new) or every)


if __name__ == "__main__":
    main(TextToImage())
