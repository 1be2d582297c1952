"""Codes that mean something: an InfoGAN finds digits, slant and width by itself, where a plain GAN tangles them up."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from apps import image_generation
from kgan import code_pictures, networks, pictures
from kgan.app import Caller, TrainOptions, main, open_model, save_picture
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics import codes as measures
from kgan.metrics.protocol import Figure
from kgan.models.infogan import Codes, InfoGAN
from kgan.models.invariant_infogan import InvariantInfoGAN
from kgan.models.recipes import GANOptions, build_gan
from kgan.networks.recognition import with_candidates, with_recogniser

CANDIDATES = 20  # heads that look for categories
STEPS, REACH = 10, 2.0  # of a continuous code in pictures: the paper's -2 to 2, twice as far as in training


@dataclass(kw_only=True)
class Options(GANOptions, TrainOptions):
    """Train an InfoGAN on images: digits, mnist, fashion_mnist, cifar10, faces, or folder:PATH for your own."""

    categorical: tuple[int, ...] = (10,)
    """How many values each categorical code has, such as 10, or 10 4 for two of them."""
    continuous: int = 2
    """How many continuous codes there are."""
    information: float = 1.0
    """Weight of the bound on the mutual information of codes and images for the generator; 0 makes it a plain GAN."""
    continuous_weight: float = 0.1
    """Weight of the continuous codes within that bound."""
    jitter: float = 0.1
    """How far all images are turned, stretched and shifted at random before they are judged and their codes read, so
    that a category is a shape and no slant or width (0.1 is 6 degrees and a tenth); 0 is the paper's InfoGAN."""
    invariance: float = 1.0
    """Weight of what makes the category the same for two views of a real image (invariant information clustering, Ji
    2019), so that it is what images show; 0 is the paper's InfoGAN, which learns its codes from samples alone."""
    strokes: float | None = None
    """How much the thickness of bright strokes differs between two views, below 0.4; left out, 0.25 for grey images
    and 0 for colour."""
    warm_up: int | None = None
    """Updates in which categories are looked for before the generator is bound to them; left out, 800, or a third of
    --updates where that is less. With --from give 0: the export has found its categories."""
    recogniser: Literal["shared", "own"] | None = None
    """What reads the codes off: a second head of the discriminator, or a network of its own; left out, a network of
    its own with --invariance and in a plain GAN (in which it changes nothing), and otherwise shared."""
    width: int = 16
    """Channels at half the image's size, doubled at every halving; units of each layer of an mlp."""
    latent_dim: int = 16
    """Size of the noise beside the codes; the less noise, the more is left for codes to say."""
    generator_learning_rate: float | None = 1e-3
    """Of the generator: the paper's."""
    discriminator_learning_rate: float | None = 5e-4
    """Of the discriminator and what reads codes off; the paper's is 2e-4."""
    batch_size: int = 256
    """Images of one update; what two views share is estimated over them, so few are not enough."""
    emphasis: float = 3.0
    """Factor by which codes are enlarged before they enter the generator beside the noise."""
    updates: int = 3_000
    """Updates of the generator, including those of the run that is resumed."""
    size: tuple[int, ...] | None = None
    """Side of the images, or height and width; left out, the data's own (64 for a folder)."""
    channels: int | None = None
    """1 grey, 3 colour, 4 with transparency; left out, the data's own."""

    @property
    def codes(self) -> Codes:
        """What is to mean something."""
        return Codes(self.categorical, self.continuous)

    @property
    def bound_after(self) -> int:
        """The update from which the generator is bound to its category."""
        return min(800, self.updates // 3) if self.warm_up is None else self.warm_up

    @property
    def game(self) -> str:
        """What is played."""
        if not self.information:
            return "plain GAN"
        kind = "invariant InfoGAN" if self.invariance else "InfoGAN"
        return f"{kind}, weight {self.information:g}"


@dataclass
class VaryOptions:
    """Draw what each code does: along every row one code changes and all else stays."""

    model: Path
    """An exported model, such as saved_models/my_disentanglement."""
    beside: Path | None = None
    """Another one, to be drawn below it: say a plain GAN, trained with --information 0."""
    rows: int = 6
    """How many samples are varied."""
    seed: int = 0
    """Of their noise and other codes."""
    out: Path = Path("varied.png")
    """Where the picture goes."""


class Disentanglement(image_generation.ImageGeneration):
    """Codes that mean something: InfoGAN, whose categorical and continuous codes can be read off its images again."""

    name = "disentanglement"
    Options = Options

    def build(self, options: Options, data: Data):
        """The generator of noise and codes, and the discriminator that recognises codes, too."""
        return build(options, data.shape)

    def picture(self, model: Caller, options: Options, count: int = 64, seed: int = 0) -> np.ndarray:
        """Each code varied along rows of about `count` images."""
        return code_pictures.titled([varied(model, options, max(1, math.ceil(count / STEPS)), seed)])

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """What each code tells, whether a categorical one has found the classes, and what is said of any samples."""
        codes, drawn = options.codes, _drawn(model, count, seed)
        nats = np.concatenate([part["nats"] for part in _asked(model, "information", **drawn)])
        protocol = f"nats, E[log Q(c|x)] + H(c), {{}}; {count:,} samples; seed {seed}"
        found = [
            Figure(
                f"information of {name}", float(each.mean()), protocol.format(f"H(c) = {entropy:.3f}"),
                float(each.std(ddof=1) / np.sqrt(count)),
            )
            for name, entropy, each in zip(codes.names, codes.entropies, nats.T, strict=True)
        ]  # fmt: skip
        network = image_generation._network(options, features)
        if codes.categorical and network.labels and data.labels is not None:
            found += class_figures(model, options, data, drawn, network, seed)
        return found + super().figures(model, options, data, count, seed, features)

    def health(self, model, options: Options, data: Data) -> dict:
        """Warn when samples grow alike; the discriminator's loss has the bound in it, and so no floor."""
        return {"diversity": image_generation.relative_diversity(model, data)}

    def verbs(self) -> dict[str, tuple[type, Callable[[Any], None]]]:
        """`vary` beside those of image_generation."""
        return super().verbs() | {"vary": (VaryOptions, self.vary)}

    def vary(self, options: VaryOptions) -> None:
        """Draw one model's codes varied, and another's below."""
        if options.rows < 1:
            raise UsageError(f"--rows is {options.rows}: give at least 1.")
        sheets = []
        for path in filter(None, (options.model, options.beside)):
            model, trained = open_model(self, path)
            drawn = varied(model, trained, options.rows, options.seed)
            sheets.append({f"{trained.game}: {title}": sheet for title, sheet in drawn.items()})
        save_picture(code_pictures.titled(sheets), options.out)
        print(f"wrote {options.out}")


def build(options: Options, shape: tuple[int, ...]) -> InfoGAN:
    """The compiled model that the options describe, for images of this shape."""
    if options.ensemble != 1:
        raise UsageError(f"--ensemble {options.ensemble} is for image_generation: leave it out.")
    if not options.emphasis > 0:
        raise UsageError(f"--emphasis is {options.emphasis:g}: give a factor above 0, such as 3.")
    if options.recogniser == "shared" and not options.information:
        raise UsageError(
            "--recogniser shared would change the plain GAN of --information 0: leave it out, or give own."
        )
    codes, full = options.codes, options.resolved()
    is_invariant = bool(options.information and options.invariance)
    if is_invariant and options.recogniser == "shared":
        raise UsageError("--recogniser shared has no network to look at views of images: leave it out, or give own.")
    if is_invariant and len(codes.categorical) != 1:
        raise UsageError(
            f"--invariance finds one categorical code, but there are {len(codes.categorical)}: give one, or add "
            "--invariance 0."
        )

    def infogan(generator: keras.Model, discriminator: keras.Model, *rules, **given) -> InfoGAN:
        recogniser, categories = codes.parameters, sum(codes.categorical)
        if is_invariant or (options.recogniser or ("shared" if options.information else "own")) == "own":
            size = {"widths": (full.width,) * 2} if full.network == "mlp" else {"width": full.width}
            recogniser = networks.get(full.network).discriminator(
                shape, outputs=codes.parameters + (CANDIDATES - 1) * categories * is_invariant,
                normalisation=full.discriminator_normalisation, seed=options.seed + 2, **size,
            )  # fmt: skip
        if is_invariant:
            recogniser = with_candidates(recogniser, categories, CANDIDATES)
        judge = with_recogniser(
            discriminator, recogniser, normalisation=full.discriminator_normalisation, seed=options.seed + 2
        )
        # Beside so much noise, one-hot codes as they are end up as a stroke more or less.
        latents = keras.Input((options.latent_dim + codes.size,))
        scale = [1.0] * options.latent_dim + [options.emphasis] * codes.size
        generator = keras.Model(latents, generator(keras.layers.Rescaling(scale)(latents)), name=generator.name)
        given |= {"information_weight": options.information, "continuous_weight": options.continuous_weight}
        if not is_invariant:
            return InfoGAN(generator, judge, *rules, codes=codes, **given)
        strokes = options.strokes if options.strokes is not None else 0.25 * (shape[-1] == 1)
        views = {"invariance": options.invariance, "strokes": strokes, "warm_up": options.bound_after}
        return InvariantInfoGAN(generator, judge, *rules, codes=codes, **views, **given)

    inner = dataclasses.replace(options, latent_dim=options.latent_dim + codes.size)
    return build_gan(inner, shape, options.updates, options.seed, options.devices.jit, infogan)


def varied(model: Caller, options: Options, rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """For each code a picture in which it changes along the rows, under a title that says which it is.

    Everything else, noise and other codes, is the row's own and the same in all pictures.
    """
    random, codes = np.random.default_rng(seed), options.codes
    noise = random.normal(size=(rows, options.latent_dim))
    hot = [np.eye(values)[(np.arange(rows) + random.integers(values)) % values] for values in codes.categorical]
    base = np.concatenate([*hot, random.uniform(-1, 1, (rows, codes.continuous))], axis=1)
    found, first = {}, 0
    for values, name in zip((*codes.categorical, *[1] * codes.continuous), codes.names, strict=True):
        way = np.eye(values) if values > 1 else np.linspace(-REACH, REACH, STEPS)[:, None]
        each = np.repeat(base[:, None], len(way), axis=1)
        each[:, :, first : first + values] = way
        images = model.call(
            "decode", latents=np.repeat(noise, len(way), axis=0), codes=each.reshape(-1, codes.size)
        )["images"]  # fmt: skip
        way_of = f"{values} values" if values > 1 else f"{-REACH:g} to {REACH:g}"
        found[f"{name}, {way_of}"] = pictures.grid(images, len(way))
        first += values
    return found


def class_figures(
    model: Caller, options: Options, data: Data, drawn: dict[str, np.ndarray], network, seed: int
) -> list[Figure]:
    """Of each categorical code: how often a sample's class is not its value's, and Q's accuracy on held-out images."""
    classes, found, first = network.predict(drawn["images"]).argmax(axis=1), [], 0
    held_out = np.concatenate([part["codes"] for part in _asked(model, "encode", images=data.examples)])
    for index, values in enumerate(options.codes.categorical):
        of_code = slice(first, first + values)
        match, error = measures.matched_classes(
            drawn["codes"][:, of_code].argmax(axis=1), classes, (values, len(network.labels))
        )
        read = match[held_out[:, of_code].argmax(axis=1)]
        matched = "values and classes matched one to one on the samples"
        found += [
            Figure(
                f"error of {options.codes.names[index]}", error,
                f"share of samples of another class than their value's, {matched}; classes by the "
                f"{network.description.split(',')[0]}; {len(classes):,} samples; seed {seed}",
            ),
            Figure(
                f"accuracy of {options.codes.names[index]} on held-out {options.data}",
                float((read == data.labels).mean()), f"class by the likeliest value of Q, {matched}; "
                f"{len(held_out):,} images",
            ),
        ]  # fmt: skip
        first += values
    return found


def _drawn(model: Caller, count: int, seed: int) -> dict[str, np.ndarray]:
    """So many samples, and the codes they were made from."""
    calls = [
        model.call("generate", seed=seed + index, count=min(100, count - 100 * index))
        for index in range(math.ceil(count / 100))
    ]
    return {key: np.concatenate([call[key] for call in calls]) for key in calls[0]}


def _asked(model: Caller, name: str, **inputs: np.ndarray) -> list[dict[str, np.ndarray]]:
    """The answers to a signature, for 250 samples a call."""
    count = len(next(iter(inputs.values())))
    return [
        model.call(name, **{key: value[first : first + 250] for key, value in inputs.items()})
        for first in range(0, count, 250)
    ]


if __name__ == "__main__":
    main(Disentanglement())
