"""Images like those of a data set: any objective, penalty and network of the GAN family, on any images."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kgan import datasets, modes, pictures
from kgan.app import App, Caller, TrainOptions, main
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics.features import feature_network
from kgan.metrics.protocol import Figure, image_figures
from kgan.models.energy_recipes import ImageGANOptions, build_image_gan
from kgan.modes import ModesOptions, of_images
from kgan.training.callbacks import diversity


@dataclass(kw_only=True)
class Options(ImageGANOptions, TrainOptions):
    """Train on images: digits, faces, mnist, fashion_mnist, cifar10, or folder:PATH for your own."""

    objective: str = "r1gan"
    """A recipe (dcgan, lsgan, wgan, wgan-gp, dragan, r1gan, sngan) or any objective: minimax, non-saturating,
    least-squares, wasserstein, hinge, loss-sensitive, kl, reverse-kl, pearson, squared-hellinger, jensen-shannon,
    jeffreys, total-variation. With its jitter, r1gan is the first to draw good digits."""
    jitter: float = 0.05
    """How far all images are turned, stretched and shifted at random before the discriminator sees them (0.05 is 3
    degrees and a twentieth; 0 is not at all): where data are few it would otherwise learn them by heart (Zhao 2020)."""
    updates: int = 5_000
    """Updates of the generator, including those of the run that is resumed."""
    size: tuple[int, ...] | None = None
    """Side of the images, or height and width; left out, the data's own (64 for a folder)."""
    channels: int | None = None
    """1 grey, 3 colour, 4 with transparency; left out, the data's own."""


CLASSIFYING = ("minimax", "non-saturating", "least-squares", "hinge", "dcgan", "lsgan", "sngan")
"""Objectives whose discriminator's loss falls to zero when it no longer errs."""


class ImageGeneration(App):
    """Images like those of a data set, by any GAN: DCGAN, LSGAN, WGAN-GP and so on."""

    name = "image_generation"
    Options = Options

    def __init__(self):
        self.real: dict[tuple, np.ndarray | None] = {}  # what pictures show beside samples, read once

    def data(self, options: Options, split: str) -> Data:
        """The images, at the size that was asked for."""
        if options.size and len(options.size) > 2:
            raise UsageError(
                f"--size {options.size} has {len(options.size)} numbers: give one side, or height and width."
            )
        size = None if options.size is None else options.size * 2 if len(options.size) == 1 else options.size
        data = datasets.load(options.data, split, size=size, channels=options.channels, strict=options.strict)
        if len(data.shape) != 3:
            raise UsageError(
                f"{options.data!r} is not made of images: python -m apps.toy_distributions is for points, and "
                "python -m apps.sentence_generation for sentences."
            )
        return data

    def build(self, options: Options, data: Data):
        """The GAN that the options describe."""
        return build_image_gan(options, data.shape, options.updates, options.seed, options.devices.jit)

    def picture(self, model: Caller, options: Options, count: int = 64, seed: int = 0) -> np.ndarray:
        """A grid of samples; where the discriminator is an auto-encoder, real | reconstruction pairs to its right."""
        drawn = model.call("generate", seed=seed, count=count)
        samples = drawn["images"]
        if "members" in drawn:  # of an ensemble: one member after the other
            samples = samples[np.argsort(drawn["members"], kind="stable")]
        if options.model == "gan":
            return pictures.grid(samples)
        side = math.ceil(math.sqrt(count))
        images = self._real(options, 2 * math.ceil(count / side))
        images = samples if images is None else images
        pairs = np.stack([images, model.call("reconstruct", images=images)["images"]], axis=1)
        return pictures.beside(
            pictures.grid(samples, side), pictures.grid(pairs.reshape(-1, *images.shape[1:]), columns=4)
        )

    def _real(self, options: Options, count: int) -> np.ndarray | None:
        """Some held-out images; None where an export is looked at without its data."""
        chosen = (options.data, options.size, options.channels, count)
        if chosen not in self.real:
            try:
                self.real[chosen] = self.data(options, "test").examples[:count]
            except UsageError:
                self.real[chosen] = None
        return self.real[chosen]

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """Distances to held-out images, precision and recall, classes, and how near the training images are."""
        samples = modes.draw(model, count, seed)
        return image_figures(
            samples, data.examples, _network(options, features),
            reference_name=f"held-out {options.data}", seed=seed, real_labels=data.labels,
            training=self.data(options, "train").examples[:10_000],
        )  # fmt: skip

    def verbs(self):
        """Beside the usual four: which classes are drawn, and which are left out."""

        def report(options: ModesOptions) -> None:
            modes.run(self, options, lambda trained, training: of_images(training, _network(trained, options.features)))

        return {"modes": (ModesOptions, report)}

    def health(self, model, options: Options, data: Data) -> dict:
        """Warn when samples grow alike, or when the discriminator no longer errs."""
        judged = options.model == "gan" and options.objective in CLASSIFYING
        return {"saturated_loss": 0.01 if judged else None, "diversity": relative_diversity(model, data)}


def relative_diversity(model, data: Data) -> Callable[[], float] | None:
    """What measures how different a model's samples are, divided by how different images are; None if all are alike."""
    usual = diversity(data.examples[:256])

    def ratio() -> float:
        images = model.signatures()["generate"].function(seed=tf.constant(0, tf.int64), count=64)["images"]
        return diversity(images.numpy()) / usual

    return ratio if usual > 0 else None


def _network(options: Options, features: str | None):
    """The feature network that was asked for, or what fits the data."""
    return feature_network(features or ("digits" if options.data in ("digits", "mnist") else "efficientnet-lite0"))


if __name__ == "__main__":
    main(ImageGeneration())
