"""Domain adaptation: a classifier for images (or points) of a kind for which nobody has given labels."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from matplotlib.figure import Figure as Canvas

from kgan import code_pictures, datasets, networks, pictures
from kgan.app import App, Caller, TrainOptions, main, open_model, save_picture
from kgan.datasets import domains
from kgan.datasets.data import Data
from kgan.datasets.domains import Domains
from kgan.datasets.images import parse_size
from kgan.errors import UsageError
from kgan.metrics.codes import neighbour_accuracy
from kgan.metrics.protocol import Figure
from kgan.models.domain_adversarial import DomainAdversarial, GradientReversal
from kgan.networks.features import feature_extractor

ADAPTING = ("reversal", "alternating")  # the methods that look at the target's examples without their labels
IMAGES = {
    "network": "dcgan", "features": 128, "hidden": 100, "activation": "relu", "normalisation": "layer", "strength": 0.1,
    "entropy": 0.1, "optimizer": "adam", "learning_rate": 1e-3, "discriminator_learning_rate": 6e-3,
    "learning_rate_decay": "cosine", "average_decay": 0.99,
}  # fmt: skip
POINTS = {
    "network": "mlp", "features": 15, "hidden": 0, "activation": "sigmoid", "normalisation": "none", "strength": 6.0,
    "entropy": 0.05, "optimizer": "adam", "learning_rate": 2e-2, "discriminator_learning_rate": 4e-2,
    "learning_rate_decay": "none", "average_decay": 0.999,
}  # fmt: skip
"""What stands in for options that are left out. A domain classifier that cannot keep up with the features, because it
is slow or they grow without bound, is outwitted instead of confused: hence its rate, the normalisation and the strength
of images."""


@dataclass(kw_only=True)
class Options(TrainOptions):
    """Train on a source with labels and a target without: digits and coloured digits, two moons, or your own."""

    data: str = "digits"
    """The source: digits, mnist, moons, or any labelled images, such as folder:PATH with one sub-folder a class."""
    target: str | None = None
    """The target; left out, coloured-digits for digits, coloured-mnist for mnist, turned moons for moons."""
    method: Literal["reversal", "alternating", "none", "target"] = "reversal"
    """reversal (all networks at once, features against the domain classifier's gradient), alternating (the domain
    classifier first); none (source only) and target (on the target's own labels) are what to compare with."""
    strength: float | None = None
    """Weight of the wish to confuse the domain classifier (lambda); left out, 0.1 for images, 6 for points."""
    entropy: float | None = None
    """Weight of the wish for certain answers about the target; left out, 0.1 for images and 0.05 for points."""
    schedule: Literal["rising", "constant"] = "rising"
    """Let both weights rise from zero as in the paper, by 2 / (1 + exp(-gamma p)) - 1 at the share p of the run."""
    gamma: float = 10.0
    """How soon it rises."""
    objective: str = "minimax"
    """What domain classifier and features play: minimax (the paper's), non-saturating, hinge, or wasserstein."""
    penalty: str = "none"
    """What keeps the domain classifier smooth, e.g. gradient-penalty, which wasserstein needs."""
    critic_steps: int = 1
    """When alternating, updates of the domain classifier, each on fresh data, for one of the features."""
    network: str | None = None
    """Of the features: dcgan (convolutional), residual or mlp; left out, dcgan for images and mlp for points."""
    features: int | None = None
    """How many features; left out, 128 of images and 15 of points."""
    width: int = 16
    """Channels at half the image's size, doubled at every halving; an mlp has 32 times as many units."""
    hidden: int | None = None
    """Units of the label predictor's and the domain classifier's hidden layer, 0 for none; left out, 100 for images."""
    activation: str | None = None
    """Of all layers; left out, relu for images and sigmoid for points."""
    normalisation: Literal["batch", "layer", "none"] | None = None
    """Of the features' layers; left out, layer for images and none for points. A batch mixes the domains."""
    dropout: float = 0.0
    """Share of the features' units that are dropped."""
    optimizer: Literal["adam", "momentum", "sgd"] | None = None
    """Of all networks; left out, adam."""
    learning_rate: float | None = None
    """Of features and labels; left out, 0.001 for images and 0.02 for points."""
    discriminator_learning_rate: float | None = None
    """Of the domain classifier; left out, 0.006 for images and 0.04 for points."""
    learning_rate_decay: Literal["none", "cosine"] | None = None
    """Let the learning rates fall to zero over the run; left out, cosine for images and none for points."""
    average_decay: float | None = None
    """Decay of the networks' moving average, which is what answers, 0 for none; left out, 0.99 for images and 0.999 for
    points."""
    updates: int = 3_000
    """Updates of the features, including those of the run that is resumed."""
    size: tuple[int, ...] | None = None
    """Side of the images, or height and width; left out, the data's own (64 for a folder)."""
    degrees: float = 35.0
    """By how much the target's moons are turned."""

    def resolved(self) -> "Options":
        """These options with every gap filled.

        Raises:
            UsageError: for a value out of range, or options that do not go together.
        """
        usual = POINTS if self.data == "moons" else IMAGES
        full = dataclasses.replace(self, **{name: v for name, v in usual.items() if getattr(self, name) is None})
        for name in ("features", "width", "critic_steps"):
            if getattr(full, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(full, name)}: give at least 1.")
        for name in ("learning_rate", "discriminator_learning_rate"):
            if not 0 < getattr(full, name) < 10:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(full, name)}: give one above 0 and below 10.")
        if full.hidden < 0:
            raise UsageError(f"--hidden is {full.hidden}: give at least 0 units.")
        if full.data == "moons" and full.network != "mlp":
            raise UsageError(f"--network {full.network} is not for points in the plane: leave it out, or give mlp.")
        if full.data == "moons" and (full.target or full.size):
            raise UsageError("--target and --size are for images, not for moons: leave them out.")
        if full.critic_steps > 1 and full.method != "alternating":
            raise UsageError(f"--critic-steps {full.critic_steps} is for --method alternating: leave it out.")
        if full.objective in ("wasserstein", "wgan") and full.penalty == "none":
            raise UsageError(
                "--objective wasserstein without a constraint has no minimum: add --penalty gradient-penalty."
            )
        return full


@dataclass
class CompareOptions:
    """Draw two exported models side by side: their features of both domains (t-SNE), or their decision boundaries."""

    before: Path
    """An exported model, such as one trained with --method none."""
    after: Path
    """Another of the same data, such as one trained with --method reversal."""
    out: Path = Path("compared.png")
    """Where the picture goes."""
    count: int = 500
    """How many held-out examples of each domain are laid out."""
    seed: int = 0
    """Of t-SNE."""


class DomainAdaptation(App):
    """Domain-adversarial training: a classifier learns from labelled images to read others that have no labels."""

    name = "domain_adaptation"
    Options = Options
    _shown: dict[tuple, Domains] = {}

    def data(self, options: Options, split: str) -> Domains:
        """The source and the target; to train on the target's labels, the target twice."""
        options = options.resolved()
        both = _load(options, split)
        if options.method == "target" and split == "train":
            return Domains(both.target, both.target)
        return both

    def build(self, options: Options, data: Domains) -> DomainAdversarial:
        """The three networks and their optimisers."""
        return build(options, data.shape, len(data.label_names))

    def picture(self, model: Caller, options: Options, count: int = 300, seed: int = 0) -> np.ndarray:
        """Points over the decision boundary; of images a t-SNE of features, coloured by domain and by class."""
        shown = self._held_out(options)
        if shown.source.examples.dtype != np.uint8:
            return _boundary(model, shown, options.method)
        points, domain, labels = _map(model, shown, max(count, 50), seed)
        named = {f"{options.method}: {_mixed(points, domain)}": points}
        sheets = [code_pictures.classes(named, domain, [shown.source.name, shown.target.name])]
        if labels is not None:
            sheets.append(code_pictures.classes({"the same, by class": points}, labels, shown.label_names))
        return pictures.beside(*sheets)

    def _held_out(self, options: Options) -> Domains:
        """What pictures show, read once: blending and folders take their time."""
        asked = (options.data, options.target, options.size, options.degrees)
        if asked not in self._shown:
            self._shown = {asked: self.data(options, "test")}
        return self._shown[asked]

    def figures(
        self, model: Caller, options: Options, data: Domains, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """How many labels are right in either domain, and how often the domain classifier still is."""
        found, right = [], []
        for which, domain, sign in (("source", data.source, 1), ("target", data.target, -1)):
            examples = domain.examples[:count]
            share = accuracy(model, domain, count)
            if share is not None:
                found.append(Figure(f"{which} accuracy", share, f"share; {len(examples):,} held-out {domain.name}"))
            right.append(float((sign * _ask(model, "score", examples)["scores"] > 0).mean()))
        how = f"share, chance is 0.5; held-out {data.name}"
        return [*found, Figure("domain classifier's accuracy", sum(right) / 2, how)]

    def verbs(self) -> dict[str, tuple[type, Callable[[Any], None]]]:
        """`compare`, which draws what adaptation has changed."""
        return {"compare": (CompareOptions, self.compare)}

    def compare(self, options: CompareOptions) -> None:
        """Write the picture of two models side by side."""
        if options.count < 20:
            raise UsageError(f"--count is {options.count}: give at least 20 examples to lay out.")
        models, shown = {}, None
        for path in (options.before, options.after):
            model, trained = open_model(self, path)
            shown = shown or self._held_out(trained)
            models[path.name] = model
        save_picture(side_by_side(models, shown, options.count, options.seed), options.out)
        print(f"wrote {options.out}")


def side_by_side(models: dict[str, Caller], shown: Domains, count: int = 500, seed: int = 0) -> np.ndarray:
    """Models by name, each as a t-SNE of its features of both domains, or of points by its decision boundary."""
    if shown.source.examples.dtype != np.uint8:
        return np.concatenate([_boundary(model, shown, name) for name, model in models.items()])
    maps = {}
    for name, model in models.items():
        points, domain, _ = _map(model, shown, count, seed)
        read = accuracy(model, shown.target)
        known = "" if read is None else f": target accuracy {read:.1%}"
        maps[f"{name}{known}\n{_mixed(points, domain)}"] = points
    return code_pictures.classes(maps, domain, [shown.source.name, shown.target.name])


def accuracy(model: Caller, data: Data, count: int | None = None) -> float | None:
    """The share of (the first `count`) examples whose label is read right; None where nobody knows the labels."""
    if data.labels is None:
        return None
    return float((_ask(model, "classify", data.examples[:count])["labels"] == data.labels[:count]).mean())


def _load(options: Options, split: str) -> Domains:
    if options.data == "moons":
        return domains.moons(split, degrees=options.degrees)
    usual = {plain: coloured for coloured, plain in domains.COLOURED.items()}
    if options.target is None and options.data not in usual:
        raise UsageError(f"--data {options.data} has no usual target: name one, as in --target folder:PATH.")
    size = parse_size(options.size if options.size is None or len(options.size) > 1 else options.size[0])
    both = [
        datasets.load(name, split, size=size, channels=3, strict=options.strict)
        for name in (options.data, options.target or usual[options.data])
    ]
    return Domains(*both)


def build(options: Options, shape: tuple[int, ...], classes: int) -> DomainAdversarial:
    """The compiled model that the options describe, for examples of this shape."""
    full = options.resolved()
    size = {"widths": () if len(shape) == 1 else (32 * full.width,)} if full.network == "mlp" else {"width": full.width}
    extractor = feature_extractor(
        shape, full.features, network=full.network, activation=full.activation, normalisation=full.normalisation,
        dropout=full.dropout, seed=full.seed, **size,
    )  # fmt: skip
    head = networks.get("mlp").discriminator
    widths = (full.hidden,) if full.hidden else ()
    heads = [
        head((full.features,), widths=widths, activation=full.activation, outputs=outputs, seed=full.seed + 1 + index)
        for index, outputs in enumerate((classes, 1))
    ]
    kind, adapts = DomainAdversarial if full.method == "alternating" else GradientReversal, full.method in ADAPTING
    model = kind(
        extractor, *heads, full.objective, full.penalty,
        strength=full.strength if adapts else 0.0, entropy=full.entropy if adapts else 0.0,
        gamma=full.gamma, schedule_updates=full.updates if full.schedule == "rising" else 0,
        critic_steps=full.critic_steps, average_decay=full.average_decay, seed=full.seed,
    )  # fmt: skip
    model.compile(
        classifier_optimizer=_optimizer(full, full.learning_rate, full.updates),
        discriminator_optimizer=_optimizer(full, full.discriminator_learning_rate, full.updates * full.critic_steps),
        jit_compile=full.devices.jit,
    )
    return model


def _optimizer(options: Options, rate: float, steps: int) -> keras.optimizers.Optimizer:
    if options.learning_rate_decay == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, max(1, steps))
    if options.optimizer == "adam":
        return keras.optimizers.Adam(rate, beta_1=0.5)  # with more momentum the game turns in circles
    return keras.optimizers.SGD(rate, momentum=0.9 if options.optimizer == "momentum" else 0.0)


def _ask(model: Caller, name: str, examples: np.ndarray) -> dict[str, np.ndarray]:
    """What a signature says of examples of either kind, 250 at a time."""
    key = "images" if examples.dtype == np.uint8 else "points"
    answers = [model.call(name, **{key: examples[k : k + 250]}) for k in range(0, len(examples), 250)]
    return {output: np.concatenate([answer[output] for answer in answers]) for output in answers[0]}


def _map(model: Caller, shown: Domains, count: int, seed: int):
    """A t-SNE of both domains' features: points [2 count, 2], domains, and labels where both have some."""
    both: list[Data] = [shown.source, shown.target]
    features = np.concatenate([_ask(model, "features", data.examples[:count])["features"] for data in both])
    domain = np.repeat([0, 1], [len(data.examples[:count]) for data in both])
    labelled = all(data.labels is not None for data in both)
    labels = np.concatenate([data.labels[:count] for data in both]) if labelled else None
    return code_pictures.tsne(features, seed), domain, labels


def _mixed(points: np.ndarray, domain: np.ndarray) -> str:
    return f"own domain nearest {neighbour_accuracy(points, domain):.0%}"


def _boundary(model: Caller, shown: Domains, title: str) -> np.ndarray:
    """The source's points and the target's, coloured by class, over what the model takes for which class."""
    canvas = Canvas(figsize=(9, 3.7), dpi=100, layout="constrained")
    everything = np.concatenate([shown.source.examples, shown.target.examples])
    (left, bottom), (right, top) = everything.min(0) - 0.5, everything.max(0) + 0.5
    plane = np.meshgrid(np.linspace(left, right, 150), np.linspace(bottom, top, 150))
    probabilities = _ask(model, "classify", np.stack(plane, -1).reshape(-1, 2).astype(np.float32))["probabilities"]
    surface = probabilities[:, 1].reshape(plane[0].shape)
    for axes, data in zip(canvas.subplots(1, 2), (shown.source, shown.target), strict=True):
        axes.contourf(*plane, surface, levels=np.linspace(0, 1, 11), cmap="coolwarm", alpha=0.4)
        axes.contour(*plane, surface, levels=[0.5], colors="black")
        axes.scatter(*data.examples.T, c=data.labels, cmap="coolwarm", s=12, edgecolors="white", linewidths=0.3)
        axes.set(title=f"{title}; {data.name}: {accuracy(model, data):.1%} right", xticks=[], yticks=[], aspect="equal")
    return pictures.from_figure(canvas)


if __name__ == "__main__":
    main(DomainAdaptation())
