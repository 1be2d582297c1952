"""Codes of images: an autoencoder or VAE that reconstructs them, draws new ones and lays out what it has understood."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from apps import image_generation
from kgan import code_pictures, likelihoods, networks, pictures
from kgan.app import Caller, TrainOptions, main, open_model, save_picture
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics import codes
from kgan.metrics.protocol import Figure
from kgan.models.autoencoder import VAE, Autoencoder
from kgan.serving.exported import Exported, load

MODELS = {"autoencoder": Autoencoder, "vae": VAE}
DRAWS = 500  # of the tightest importance-weighted bound
DECODED = 400_000_000  # values decoded at most for the bounds: 500 draws of 1,000 digits


@dataclass(kw_only=True)
class Options(TrainOptions):
    """Train an autoencoder or VAE on images: digits, mnist, fashion_mnist, cifar10, faces, or folder:PATH."""

    model: Literal["vae", "autoencoder"] = "vae"
    """vae, whose codes are drawn and which so can generate; or a plain autoencoder."""
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """Of the decoder: bernoulli for black on white, binarised afresh for every update; gaussian for everything else."""
    network: str = "dcgan"
    """Of encoder and decoder: dcgan (convolutional), residual or mlp (dense)."""
    latent_dim: int = 20
    """Size of the code; 2 can be drawn as a plane."""
    width: int = 32
    """Channels at half the image's size, doubled at every halving; an mlp has 16 times as many units a layer."""
    depth: int | None = None
    """Layers of the residual network, or hidden layers of the mlp (2)."""
    normalisation: Literal["batch", "layer", "none"] = "batch"
    """In both networks."""
    activation: str = "leaky_relu"
    """Of both networks, e.g. relu, leaky_relu, gelu."""
    dropout: float = 0.0
    """Share of the encoder's units that are dropped."""
    beta: float | None = None
    """Weight of the codes' distance from N(0, 1); left out, 1 for a vae and 0.01 for an autoencoder."""
    free_bits: float = 0.0
    """Nats that each latent of a vae carries without a price."""
    jitter: float = 0.05
    """How far images are turned, stretched and shifted at random in training, falling to zero over the run."""
    learning_rate: float = 3e-3
    """Adam's, falling to zero along a cosine."""
    weight_decay: float = 0.0
    """Share of each weight that is taken away at every update, times the learning rate."""
    average_decay: float = 0.999
    """Decay of the networks' moving average, which is what answers; 0 for none."""
    updates: int = 8_000
    """Updates of both networks, including those of the run that is resumed."""
    size: tuple[int, ...] | None = None
    """Side of the images, or height and width; left out, the data's own (64 for a folder)."""
    channels: int | None = None
    """1 grey, 3 colour, 4 with transparency; left out, the data's own."""


@dataclass
class ExploreOptions:
    """Draw the lecture's pictures of an exported model's codes."""

    model: Path
    """An exported model, such as saved_models/my_autoencoding."""
    out: Path = Path("explored")
    """The directory that the pictures go to."""
    data: str | None = None
    """Data set whose held-out part is shown; left out: the one it was trained on."""
    gan: Path | None = None
    """An exported model of image_generation, such as saved_models/digits, to draw samples of beside this one's."""
    count: int = 1_000
    """How many images are laid out by t-SNE."""
    seed: int = 0
    """Of the samples, of the pairs to interpolate between, and of t-SNE."""


class Autoencoding(image_generation.ImageGeneration):
    """Codes of images: an autoencoder or VAE that reconstructs, generates, interpolates and lays its codes out."""

    name = "autoencoding"
    Options = Options
    _shown: dict[tuple, np.ndarray] = {}

    def build(self, options: Options, data: Data):
        """The encoder, the decoder and their optimiser."""
        return build(options, data.shape)

    def picture(self, model: Caller, options: Options, count: int = 64, seed: int = 0) -> np.ndarray:
        """Held-out images, their reconstructions below them, and samples below a line."""
        columns = 2 * math.ceil(math.sqrt(count) / 2) if count > 1 else 1
        samples = pictures.grid(model.call("generate", seed=seed, count=count)["images"], columns)
        try:
            images = self._held_out(options)[: 2 * columns]
        except UsageError:  # the model is here, but its data is not
            return samples
        images = np.tile(images, (math.ceil(2 * columns / len(images)), 1, 1, 1))[: 2 * columns]
        again = model.call("reconstruct", images=images)["images"]
        halves = [images[:columns], again[:columns], images[columns:], again[columns:]]
        shown = pictures.grid(np.concatenate(halves), columns)
        return np.concatenate([shown, np.full_like(shown[:6], 128), samples])

    def _held_out(self, options: Options) -> np.ndarray:
        """Some images to reconstruct, read once: a folder takes its time."""
        asked = (options.data, options.size, options.channels)
        if asked not in self._shown:
            self._shown = {asked: self.data(options, "test").examples[:64]}
        return self._shown[asked]

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """Bounds on the likelihood of held-out images, how they are reconstructed, and what is said of any samples."""
        images, of = data.examples, f"{len(data.examples):,} held-out {options.data}"
        again = np.concatenate([model.call("reconstruct", images=part)["images"] for part in _parts(images, 250)])
        means = np.concatenate([model.call("encode", images=part)["codes"] for part in _parts(images, 250)])
        found = bounds(model, options, images[:count], seed) if options.model == "vae" else []
        samples = model.call("generate", seed=seed, count=min(count, 1_000))["images"]
        usual, laplacian = codes.sharpness(images), "variance of the Laplacian divided by that of the images"
        found += [
            Figure("reconstruction error", codes.reconstruction_error(images, again), f"mean square in [0, 1]; {of}"),
            Figure(
                "active latents", codes.active_latents(means), f"of {means.shape[1]}, codes of variance > 0.01; {of}"
            ),
            Figure("sharpness of reconstructions", codes.sharpness(again) / usual, f"{laplacian}; {of}"),
            Figure(
                "sharpness of samples", codes.sharpness(samples) / usual, f"{laplacian}; {len(samples):,} samples; {of}"
            ),
        ]
        if data.labels is not None:
            share = codes.neighbour_accuracy(means, data.labels)
            found.append(Figure("nearest code of the same class", share, f"share; {of}"))
        return found + super().figures(model, options, data, count, seed, features)

    def health(self, model, options: Options, data: Data) -> dict:
        """Nothing to warn of: there is no game that could collapse."""
        return {}

    def verbs(self) -> dict[str, tuple[type, Callable[[Any], None]]]:
        """`explore`, which draws what codes have understood."""
        return {"explore": (ExploreOptions, self.explore)}

    def explore(self, options: ExploreOptions) -> None:
        """Write every picture that this model and its data allow."""
        if options.count < 20:
            raise UsageError(f"--count is {options.count}: give at least 20 images to lay out.")
        model, trained = open_model(self, options.model)
        trained = dataclasses.replace(trained, data=options.data or trained.data)
        data = self.data(trained, "test")
        images = data.examples[: options.count]
        pairs = np.random.default_rng(options.seed).choice(len(images), (2, min(8, len(images) // 2)), replace=False)
        drawn = {
            "reconstructions": lambda: code_pictures.reconstructions(model, images[:30]),
            "interpolations": lambda: code_pictures.interpolations(model, *images[pairs]),
        }
        if trained.latent_dim == 2:
            drawn["plane"] = lambda: code_pictures.plane(model)
        if data.labels is not None:
            shown = images, data.labels[: options.count], data.label_names
            drawn["tsne"] = lambda: code_pictures.tsne_of_pixels_and_codes(model, *shown, options.seed)
            if trained.latent_dim == 2:
                codes_ = model.call("encode", images=images)["codes"]
                drawn["classes"] = lambda: code_pictures.classes({f"codes of {data.name}": codes_}, *shown[1:])
        if options.gan:
            drawn["samples"] = lambda: code_pictures.side_by_side(
                {
                    _budget(one): one.call("generate", seed=options.seed, count=64)["images"]
                    for one in (model, load(options.gan))
                }
            )
        options.out.mkdir(parents=True, exist_ok=True)
        for name, draw in drawn.items():
            save_picture(draw(), options.out / f"{name}.png")
            print(f"wrote {options.out / name}.png")


def build(options: Options, shape: tuple[int, ...]) -> Autoencoder:
    """The compiled model that the options describe, for images of this shape in [-1, 1]."""
    for name in ("latent_dim", "width", "depth"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give at least 1.")
    if not 0 < options.learning_rate < 1:
        raise UsageError(f"--learning-rate is {options.learning_rate}: give one between 0 and 1.")
    if not 0 <= options.weight_decay < 1:
        raise UsageError(f"--weight-decay is {options.weight_decay}: give at least 0 and below 1.")
    if options.model == "autoencoder" and options.free_bits:
        raise UsageError(f"--free-bits {options.free_bits} is for --model vae: leave it out.")
    if options.depth and options.network == "dcgan":
        raise UsageError(f"--depth {options.depth} is for --network residual or mlp, not dcgan.")
    kind, builders = MODELS[options.model], networks.get(options.network)
    size = {"width": options.width} | ({"depth": options.depth} if options.depth else {})
    if options.network == "mlp":
        size = {"widths": (16 * options.width,) * (options.depth or 2)}
    both = {"normalisation": options.normalisation, "activation": options.activation, **size}
    likelihood = likelihoods.get(options.likelihood)
    encoder = builders.discriminator(
        shape, outputs=kind.outputs_per_latent * options.latent_dim, dropout=options.dropout, seed=options.seed, **both
    )
    decoder = builders.generator(shape, options.latent_dim, output="linear", seed=options.seed + 1, **both)
    given = {"beta": options.beta} if options.beta is not None else {}
    given |= {"free_bits": options.free_bits} if kind is VAE else {}
    model = kind(
        encoder, likelihood.decoder(decoder), likelihood, jitter=options.jitter,
        jitter_updates=max(1, options.updates), average_decay=options.average_decay,
        seed=options.seed, **given,
    )  # fmt: skip
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, max(1, options.updates))
    optimizer = keras.optimizers.AdamW(rate, weight_decay=options.weight_decay)
    model.compile(autoencoder_optimizer=optimizer, jit_compile=options.devices.jit)
    return model


def bounds(model: Caller, options: Options, images: np.ndarray, seed: int = 0) -> list[Figure]:
    """The variational and the importance-weighted bounds on log p of images, uint8 [N, H, W, C], in nats."""
    shown = max(2, min(len(images), DECODED // (DRAWS * images[0].size)))
    weights = np.concatenate(
        [
            model.call("log_weights", images=part, draws=DRAWS, seed=seed + index)["log_weights"]
            for index, part in enumerate(_parts(images[:shown], 10))
        ]
    )
    unit = likelihoods.get(options.likelihood).unit
    protocol = f"{unit}; {len(weights):,} held-out {options.data}, {DRAWS} draws each; seed {seed}"
    found = []
    for k in (1, 50, DRAWS):
        value, error = codes.likelihood_bound(weights, k)
        name = "test bound" if k == 1 else f"importance-weighted test bound, k = {k}"
        found.append(Figure(name, value, protocol, error))
    return found


def _budget(model: Exported) -> str:
    """What a model is and how long it was trained, in its card's words."""
    card = model.card
    kind = card["options"].get("model") or card["options"].get("objective")
    return f"{kind}: {card['updates']:,} updates of {card['options']['batch_size']}"


def _parts(images: np.ndarray, size: int) -> list[np.ndarray]:
    return [images[first : first + size] for first in range(0, len(images), size)]


if __name__ == "__main__":
    main(Autoencoding())
