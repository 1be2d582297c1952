"""Codes from a game: BiGAN, ALI or ALICE infers what its generator drew, VAE-GAN reconstructs beyond pixels."""

import math
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np

from apps import autoencoding, image_generation
from kgan import networks, objectives
from kgan.app import Caller, TrainOptions, main
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics import codes as measures
from kgan.metrics.protocol import Figure
from kgan.models.adversarial import AdversarialModel
from kgan.models.bigan import BiGAN
from kgan.models.vaegan import VAEGAN
from kgan.networks.joint import joint_discriminator
from kgan.networks.recognition import with_features

TRAINING = 8_000  # codes that the probes learn from at most


@dataclass(kw_only=True)
class Options(TrainOptions):
    """Train codes by a game on images: digits, mnist, fashion_mnist, cifar10, faces, or folder:PATH for your own."""

    model: Literal["alice", "bigan", "ali", "vaegan"] = "alice"
    """alice (Li 2017: a bigan whose reconstructions count beside the game; here its encoder also sees other moves of an
    image than its discriminator), bigan (Donahue 2017: the game alone, whose codes know less of digits than pixels),
    ali (Dumoulin 2017: as bigan, but the encoder draws its codes), or vaegan (Larsen 2016)."""
    objective: str = "non-saturating"
    """What generator and discriminator play for: non-saturating, minimax, least-squares or hinge."""
    network: str = "dcgan"
    """Of all players: dcgan (convolutional), residual or mlp (dense)."""
    latent_dim: int = 50
    """Size of the code."""
    width: int = 32
    """Channels at half the image's size, doubled at every halving; an mlp has 16 times as many units a layer."""
    depth: int | None = None
    """Layers of the residual network, or hidden layers of the mlp (2)."""
    units: int = 256
    """All but vaegan: units of the discriminator's layers that see features and code together."""
    dropout: float = 0.2
    """Share of the units of those layers that are dropped."""
    normalisation: Literal["batch", "layer", "none"] = "batch"
    """Of generator and encoder."""
    discriminator_normalisation: Literal["batch", "layer", "none"] | None = None
    """Of the discriminator; left out, batch, but none of an mlp, where statistics of its own hide what sets a batch of
    generated images apart."""
    gamma: float = 1e-2
    """vaegan: weight of the reconstruction of features against the game, for the decoder."""
    beta: float = 1.0
    """vaegan: weight of the codes' distance from N(0, 1), for the encoder."""
    jitter: float | None = None
    """All but vaegan: how far images are turned, stretched and shifted at random in training, falling to zero; left
    out, 0.1 for alice, otherwise 0."""
    views: bool = False
    """bigan, ali: show the encoder other moves of an image than the discriminator, so that codes do without them, as
    alice does."""
    cycle: float | None = None
    """All but vaegan: weight of the squared error of reconstructions beside the game; left out, 2000 for alice,
    otherwise 0."""
    learning_rate: float = 5e-4
    """Adam's, of generator and encoder, with a first decay of 0.5, falling to zero along a cosine."""
    discriminator_learning_rate: float = 2e-4
    """The same of the discriminator."""
    average_decay: float = 0.999
    """Decay of the moving average of generator and encoder, which is what answers; 0 for none."""
    updates: int = 8_000
    """Updates of all players, including those of the run that is resumed."""
    size: tuple[int, ...] | None = None
    """Side of the images, or height and width; left out, the data's own (64 for a folder)."""
    channels: int | None = None
    """1 grey, 3 colour, 4 with transparency; left out, the data's own."""


class RepresentationLearning(autoencoding.Autoencoding):
    """Codes from a game: BiGAN, ALI or VAE-GAN, which encode, reconstruct, generate and lay their codes out."""

    name = "representation_learning"
    Options = Options

    def build(self, options: Options, data: Data) -> AdversarialModel:
        """The players and their optimisers."""
        return build(options, data.shape)

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """What codes know of classes, beside pixels, and all that autoencoding says of reconstructions and samples."""
        training = self.data(options, "train")
        found = [] if data.labels is None else class_figures(model, training, data)
        return found + super().figures(model, options, data, count, seed, features)

    def health(self, model, options: Options, data: Data) -> dict:
        """Warn when samples grow alike, as of every game."""
        return {"diversity": image_generation.relative_diversity(model, data)}


def class_figures(model: Caller, training: Data, held_out: Data) -> list[Figure]:
    """How well classes are read off codes, and off pixels in the same way."""
    seen, asked = training.examples[:TRAINING], held_out.examples
    labels, wanted = training.labels[:TRAINING], held_out.labels
    protocol = f"share of {len(asked):,} held-out {held_out.name}; {len(seen):,} training images"
    spaces = {"codes": (encoded(model, seen), encoded(model, asked))}
    spaces["pixels"] = tuple(images.reshape(len(images), -1) / np.float32(255) for images in (seen, asked))
    ways = {
        "nearest neighbour": (measures.neighbour_transfer, "class of the nearest by Euclidean distance"),
        "linear probe": (measures.linear_probe, "logistic regression, standardised"),
    }
    return [
        Figure(f"{way} on {space}", measure((one, labels), (other, wanted)), f"{how}; {protocol}")
        for way, (measure, how) in ways.items()
        for space, (one, other) in spaces.items()
    ]


def encoded(model: Caller, images: np.ndarray) -> np.ndarray:
    """The codes of images, 250 a call."""
    parts = np.array_split(images, math.ceil(len(images) / 250))
    return np.concatenate([model.call("encode", images=part)["codes"] for part in parts])


def build(options: Options, shape: tuple[int, ...]) -> AdversarialModel:
    """The compiled model that the options describe, for images of this shape in [-1, 1]."""
    for name in ("latent_dim", "width", "depth", "units"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give at least 1.")
    for name in ("learning_rate", "discriminator_learning_rate"):
        if not 0 < getattr(options, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give one between 0 and 1.")
    if options.depth and options.network == "dcgan":
        raise UsageError(f"--depth {options.depth} is for --network residual or mlp, not dcgan.")
    if options.objective not in ("non-saturating", "minimax", "least-squares", "hinge"):
        raise UsageError(
            f"--objective {options.objective} is not for these games: give non-saturating, minimax, least-squares or "
            "hinge."
        )
    for name in ("jitter", "views", "cycle"):
        if getattr(options, name) and options.model == "vaegan":
            value = "" if name == "views" else f" {getattr(options, name):g}"
            raise UsageError(f"--{name}{value} is for --model alice, bigan or ali: leave it out.")
    is_alice = options.model == "alice"
    jitter = options.jitter if options.jitter is not None else 0.1 if is_alice else 0.0
    cycle = options.cycle if options.cycle is not None else 2000.0 if is_alice else 0.0
    views = options.views or is_alice
    if is_alice and not cycle:
        raise UsageError("--cycle 0 leaves no alice: give --model bigan.")
    if views and not jitter:
        told = "alice's encoder sees" if is_alice else "--views is of"
        raise UsageError(f"{told} images that are moved: give a --jitter above 0, such as 0.1.")
    builders, seed = networks.get(options.network), options.seed
    size = {"width": options.width} | ({"depth": options.depth} if options.depth else {})
    if options.network == "mlp":
        size = {"widths": (16 * options.width,) * (options.depth or 2)}
    both = {"normalisation": options.normalisation, **size}
    usual = "none" if options.network == "mlp" else "batch"
    judge = {"normalisation": options.discriminator_normalisation or usual, **size}
    generator = builders.generator(shape, options.latent_dim, seed=seed, **both)
    outputs = options.latent_dim if options.model in ("alice", "bigan") else 2 * options.latent_dim
    encoder = builders.discriminator(shape, outputs=outputs, activation="leaky_relu", seed=seed + 2, **both)
    common = {"average_decay": options.average_decay, "seed": seed}
    objective = objectives.get(options.objective)
    if options.model == "vaegan":
        discriminator = with_features(builders.discriminator(shape, seed=seed + 1, **judge))
        model = VAEGAN(
            encoder, generator, discriminator, objective, gamma=options.gamma, beta=options.beta, **common
        )  # fmt: skip
    else:
        features = builders.discriminator(shape, outputs=options.units, seed=seed + 1, **judge)
        discriminator = joint_discriminator(
            features, options.latent_dim, units=options.units, dropout=options.dropout, seed=seed + 3
        )
        model = BiGAN(
            generator, encoder, discriminator, objective, jitter=jitter, jitter_updates=max(1, options.updates),
            views=views, cycle=cycle, **common,
        )  # fmt: skip

    def adam(rate: float) -> keras.optimizers.Adam:
        return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, max(1, options.updates)), beta_1=0.5)

    rates = {player: options.learning_rate for player in model.proposers}
    rates["discriminator"] = options.discriminator_learning_rate
    given = {f"{player}_optimizer": adam(rate) for player, rate in rates.items()}
    model.compile(**given, jit_compile=options.devices.jit)
    return model


if __name__ == "__main__":
    main(RepresentationLearning())
