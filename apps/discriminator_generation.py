"""A discriminator that generates alone: it draws, or labels, what it itself scores highest."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from kgan import datasets, networks, pictures
from kgan.app import App, Caller, TrainOptions, main, save_picture
from kgan.datasets.data import Data
from kgan.datasets.letters import ALPHABET, load_words, spell
from kgan.datasets.toys import MODES, TOYS
from kgan.errors import UsageError
from kgan.metrics.features import default_network, feature_network
from kgan.metrics.protocol import Figure, image_figures, point_figures, protocol
from kgan.models.discriminator_alone import Ascent, DiscriminatorAlone
from kgan.models.structured import INFERENCES, METHODS, Sequences, accuracy, learn, predict

POINTS = {
    "network": "mlp", "width": 128, "depth": 3, "activation": "leaky_relu", "steps": 40, "draw_steps": 200,
    "step_size": 0.01, "noise": 0.003, "heat": 10.0, "learning_rate": 1e-3, "buffer_size": 10_000,
}  # fmt: skip
"""What is left out, for points in the plane."""

IMAGES = {
    "network": "dcgan", "width": 16, "depth": None, "activation": "swish", "steps": 30, "draw_steps": 300,
    "step_size": 10.0, "noise": 0.005, "heat": 1.0, "learning_rate": 1e-3, "buffer_size": 1_000,
}  # fmt: skip
"""What is left out, for images."""


@dataclass(kw_only=True)
class Options(TrainOptions):
    """Train on points (ring, grid, four, moons, spiral ...) or images (digits, folder:PATH ...)."""

    data: str = "ring"
    """ring, grid, four, moons, spiral, swiss-roll or checkerboard; digits, mnist, fashion_mnist or folder:PATH."""
    updates: int = 2_000
    """Updates of the discriminator, including those of the run that is resumed."""
    batch_size: int = 64
    """Real samples, and as many negatives, for each update, over all devices."""
    size: int | None = None
    """Side of the images; left out, the data's own (64 for a folder)."""
    network: str | None = None
    """mlp, for images also dcgan or residual; left out: mlp for points, dcgan for images."""
    width: int | None = None
    """Units of each layer of an mlp; channels at half the image's size."""
    depth: int | None = None
    """Hidden layers of an mlp, or layers of the residual network."""
    activation: str | None = None
    """Of the discriminator, e.g. leaky_relu, swish."""
    objective: str = "wasserstein"
    """By which data is told from negatives: wasserstein, with which the discriminator is an energy-based model, or any
    other objective."""
    score_decay: float = 0.1
    """Weight of the mean squared score, which keeps the scores near zero."""
    steps: int | None = None
    """Steps uphill by which each update finds its negatives."""
    step_size: float | None = None
    """Longest step uphill, in halves of the data's width."""
    noise: float | None = None
    """Standard deviation of the noise on each step; 0 is plain gradient ascent."""
    heat: float | None = None
    """Factor on step and noise at a fresh start, from which they are annealed; 1 for none."""
    restart: float = 0.05
    """Share of the negatives that start afresh from noise; the others go on from the replay buffer."""
    buffer_size: int | None = None
    """Negatives that the replay buffer keeps."""
    draw_steps: int | None = None
    """Steps uphill from noise by which samples are drawn."""
    learning_rate: float | None = None
    """Adam's, falling to zero along a cosine."""
    average_decay: float = 0.99
    """Decay of the discriminator's moving average, which is what draws; 0 for none."""

    def resolved(self) -> "Options":
        """These options with every gap filled, for points or for images.

        Raises:
            UsageError: for a value that is out of range.
        """
        usual = POINTS if self.data in TOYS else IMAGES
        full = dataclasses.replace(self, **{name: v for name, v in usual.items() if getattr(self, name) is None})
        for name in ("width", "buffer_size", "learning_rate"):
            if not getattr(full, name) > 0:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(full, name)}: give more than 0.")
        if full.buffer_size < full.batch_size:
            raise UsageError(
                f"--buffer-size {full.buffer_size} holds less than a batch of {full.batch_size}: give at least that."
            )
        return full


class DiscriminatorGeneration(App):
    """A discriminator that generates alone, by arg max D(x): points, digits, and labels of handwritten words."""

    name = "discriminator_generation"
    Options = Options

    def data(self, options: Options, split: str) -> Data:
        """Points of a toy, or images."""
        if options.data in TOYS and options.size:
            raise UsageError(f"--size {options.size} is for images: leave it out with {options.data}.")
        data = datasets.load(options.data, split, size=options.size, strict=options.strict)
        if data.characters:
            raise UsageError(f"--data {options.data} is made of sentences: name points, such as ring, or images.")
        return data

    def build(self, options: Options, data: Data) -> DiscriminatorAlone:
        """The discriminator, its way uphill, and its optimiser."""
        full = options.resolved()
        rate = keras.optimizers.schedules.CosineDecay(full.learning_rate, max(1, full.updates))
        climb = Ascent(full.steps, full.step_size, full.noise, full.heat)
        model = DiscriminatorAlone(
            networks.get(full.network).discriminator(
                data.shape, activation=full.activation, seed=full.seed, **_size(full)
            ),
            full.objective,
            ascent=climb,
            drawing=dataclasses.replace(climb, steps=full.draw_steps),
            score_decay=full.score_decay,
            restart=full.restart,
            buffer_size=full.buffer_size,
            reach=1.0 if len(data.shape) == 3 else 1.25 * float(np.abs(data.examples).max()),
            average_decay=full.average_decay,
            seed=full.seed,
        )
        model.compile(
            discriminator_optimizer=keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9),
            jit_compile=full.devices.jit,
        )
        return model

    def picture(self, model: Caller, options: Options, count: int = 64, seed: int = 0) -> np.ndarray:
        """Points over the energy surface, or a grid of images."""
        if options.data not in TOYS:
            return pictures.grid(model.call("generate", seed=seed, count=count)["images"])
        count = max(count, 1_000)
        real = datasets.load(options.data, "test", count=count).examples
        fake = model.call("generate", seed=seed, count=count)["samples"]
        return pictures.landscape(real, {"generated": fake}, lambda plane: model.call("score", samples=plane)["scores"])

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """Points: divergences and modes. Images: distances to held-out ones, and how sure the classifier is."""
        kind = "samples" if options.data in TOYS else "images"
        samples = np.concatenate(
            [
                model.call("generate", seed=seed + index, count=min(500, count - 500 * index))[kind]
                for index in range(math.ceil(count / 500))
            ]
        )
        if options.data in TOYS:
            return point_figures(
                samples, data.examples, reference_name=options.data, seed=seed, mixture=MODES.get(options.data)
            )
        network = feature_network(features or default_network(data.shape))
        name = f"held-out {options.data}"
        found = image_figures(samples, data.examples, network, reference_name=name, seed=seed, real_labels=data.labels)
        if network.labels:
            sure, real = (float(network.predict(images).max(axis=1).mean()) for images in (samples, data.examples))
            how = protocol(network.description, len(samples), len(data.examples), name, seed=seed)
            remark = f"{real:.1%} on the held-out ones"
            found.insert(0, Figure("mean confidence of the classifier", sure, how, remark=remark))
        return found

    def verbs(self) -> dict:
        """`label`: what the judge likes best where it is not points or pixels that it judges, but labels."""
        return {"label": (LabelOptions, label)}


@dataclass
class LabelOptions:
    """Learn to read handwritten words, letter by letter and as a whole, by every method of structured learning."""

    unseen: bool = False
    """Judge by words none of which was learnt from, instead of by other people's handwriting of the same ones."""
    inference: Literal["viterbi", "gibbs"] = "viterbi"
    """By what negatives are found while learning: exactly, or by Gibbs sampling. Labels are found by both."""
    epochs: int = 20
    """Passes over the words that are learnt from."""
    seed: int = 0
    """Of the order of learning, of what is sampled, and of the choice of words with --unseen."""
    out: Path = Path("words.png")
    """Where the picture of some words and their labels goes."""


def label(options: LabelOptions) -> None:
    """Print each method's share of right letters, and draw what it reads."""
    if options.epochs < 1:
        raise UsageError(f"--epochs is {options.epochs}: give at least 1.")
    learning, held_out, split = split_words(options.unseen, options.seed)
    chosen = np.random.default_rng(options.seed).choice(len(held_out), 12, replace=False)
    print(f"letters right, {split}; negatives by {options.inference}\n  {'':<12}{'viterbi':>9}{'gibbs':>9}")
    found = {}
    for name, method in METHODS.items():
        method = dataclasses.replace(method, epochs=options.epochs)
        chain = learn(learning, len(ALPHABET), method, INFERENCES[options.inference], options.seed).chain
        labels = {
            kind: predict(chain, held_out.x, held_out.lengths, inference, options.seed)
            for kind, inference in INFERENCES.items()
        }
        shares = "".join(f"{accuracy(given, held_out):>9.1%}" for given in labels.values())
        print(f"  {name:<12}{shares}", flush=True)
        found[name] = spell(labels["viterbi"][chosen], held_out.lengths[chosen])
    some = held_out[chosen]
    pixels = some.x.reshape(*some.labels.shape, 16, 8)
    save_picture(pictures.words(pixels, spell(some.labels, some.lengths), found), options.out)
    print(f"wrote {options.out}")


def split_words(unseen: bool, seed: int) -> tuple[Sequences, Sequences, str]:
    """Words to learn from and words to judge by, and how they were told apart.

    Either the papers' fold number `seed` mod 10 to learn from and the nine others to judge by, in which the same 55
    words come again in other hands; or a tenth of the different words to judge by, and the others to learn from.
    """
    words = load_words()
    texts = np.array(words.texts())
    if unseen:
        different = np.random.default_rng(seed).permutation(sorted(set(texts)))
        judged = np.isin(texts, different[: len(different) // 10])
        how = f"on {judged.sum():,} of words never seen, learnt from {(~judged).sum():,} (seed {seed})"
    else:
        judged = words.folds != seed % 10
        how = f"on {judged.sum():,} words of nine folds, learnt from {(~judged).sum():,} of fold {seed % 10}"
    x = words.pixels.reshape(*words.letters.shape, -1).astype(float)
    data = Sequences(x, words.letters, words.lengths)
    return data[~judged], data[judged], how


def _size(options: Options) -> dict:
    if options.network == "mlp":
        return {"widths": (options.width,) * (options.depth or 3)}
    return {"width": options.width} | ({"depth": options.depth} if options.depth else {})


if __name__ == "__main__":
    main(DiscriminatorGeneration())
