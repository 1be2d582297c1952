"""The verb `modes`: which modes or classes of the data an exported model draws, and by name which it leaves out."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from kgan import pictures
from kgan.app import App, Caller, TrainOptions, open_model, save_picture
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics.features import FeatureNetwork
from kgan.metrics.modes import HIGH_QUALITY_SIGMAS, entropy, k_means, kl_divergence
from kgan.metrics.neighbours import nearest_neighbours
from kgan.metrics.precision_recall import precision_recall
from kgan.metrics.protocol import Figure, protocol

CLUSTERS = 20
TRAINING = 10_000  # training examples that neighbours are sought among, at most
SHOWN = 32


@dataclass
class ModesOptions:
    """Say which modes or classes of the data an exported model draws, and name those that it leaves out."""

    model: Path
    """An exported model, such as saved_models/digits."""
    data: str | None = None
    """Data set to compare with; its held-out part is used. Left out: the one it was trained on."""
    count: int = 2_500
    """How many samples to draw."""
    seed: int = 0
    """Of the samples."""
    features: str | None = None
    """Feature network for images: digits, efficientnet-lite0 or inception; left out, what fits the images."""
    out: Path = Path("modes.png")
    """Where the picture goes: the classes beside the data's, and samples beside their nearest training examples."""


@dataclass(frozen=True)
class Modes:
    """The modes of a data set, and how to tell which one an example is of.

    Attributes:
        names: of the modes.
        by: what tells, for the protocol of each figure.
        sort: examples [N, ...] -> int64 [N], the mode of each, -1 for what is of none.
        activations: examples [N, ...] -> [N, D], what precision and recall are measured on.
        least: a mode is missing when its share of the samples is below this times its share of the data, or nil: what
            sorts by looks errs now and then, and a few mistakes do not make up for a class.
    """

    names: tuple[str, ...]
    by: str
    sort: Callable[[np.ndarray], np.ndarray]
    activations: Callable[[np.ndarray], np.ndarray]
    least: float = 0.1

    def counts(self, examples: np.ndarray) -> np.ndarray:
        """How many of the examples are of each mode, int64 [modes]."""
        found = self.sort(examples)
        return np.bincount(found[found >= 0], minlength=len(self.names))

    def missing(self, counts: np.ndarray, of_data: np.ndarray) -> np.ndarray:
        """Which modes the data has and the samples have not, bool [modes], both given as counts."""
        expected = of_data * counts.sum() / max(1, of_data.sum())
        return (of_data > 0) & (counts < np.maximum(1, self.least * expected))

    def named(self, chosen: np.ndarray) -> str:
        """The names of some of the modes."""
        return ", ".join(self.names[index] for index in np.flatnonzero(chosen))


def of_mixture(centres: np.ndarray, sigma: float) -> Modes:
    """The components of a mixture of round Gaussians; what is farther than 3 sigma from all centres is of none."""

    def sort(points: np.ndarray) -> np.ndarray:
        distances = np.linalg.norm(points[:, None] - centres, axis=-1)
        return np.where(distances.min(axis=1) <= HIGH_QUALITY_SIGMAS * sigma, distances.argmin(axis=1), -1)

    names = tuple(f"({x + 0:.3g}, {y + 0:.3g})" for x, y in np.round(centres, 3))
    return Modes(names, f"samples within {HIGH_QUALITY_SIGMAS} sigma of a mean", sort, np.asarray, least=0.0)


def of_points(data: Data) -> Modes:
    """Regions of the plane: clusters of the data."""
    return _of_clusters(data.examples, np.asarray, "")


def of_images(training: Data, network: FeatureNetwork) -> Modes:
    """The classes of images: as the network names them, as their nearest neighbour's label is, or clusters."""
    if training.label_names and tuple(training.label_names) == network.labels:
        return Modes(network.labels, network.description, lambda x: network.predict(x).argmax(axis=1), network)
    if training.labels is not None:
        known, labels = network(training.examples[:TRAINING]), training.labels[:TRAINING]
        return Modes(
            tuple(training.label_names),
            f"the class of the nearest of {len(known):,} training images; {network.description}",
            lambda x: labels[nearest_neighbours(network(x), known)[0]],
            network,
        )
    return _of_clusters(training.examples[:TRAINING], network, f"; {network.description}")


def _of_clusters(examples: np.ndarray, activations: Callable, extra: str) -> Modes:
    known = activations(examples)
    centres = k_means(known, min(CLUSTERS, len(known)))
    return Modes(
        tuple(f"cluster {index}" for index in range(len(centres))),
        f"{len(centres)} clusters of the training data (k-means){extra}",
        lambda x: nearest_neighbours(activations(x), centres)[0],
        activations,
    )


def run(app: App, options: ModesOptions, modes_of: Callable[[TrainOptions, Data], Modes]) -> None:
    """Print the report of an exported model and draw its picture.

    Args:
        app: image_generation or toy_distributions, whose models answer `generate`.
        options: from the command line.
        modes_of: the modes of an app's data, given the options of training and the training data.
    """
    if options.count < 8:
        raise UsageError(f"--count is {options.count}: give at least 8 samples to measure.")
    model, trained = open_model(app, options.model)
    trained = dataclasses.replace(trained, **({"data": options.data} if options.data else {}))
    held_out, training = app.data(trained, "test"), app.data(trained, "train")
    modes = modes_of(trained, training)
    samples = draw(model, options.count, options.seed)
    counts, of_data = modes.counts(samples), modes.counts(held_out.examples)
    figures = report(modes, samples, counts, held_out, of_data, training, options.seed)
    if counts.sum() < len(samples):
        how = protocol(modes.by, len(samples), len(held_out.examples), f"held-out {held_out.name}", seed=options.seed)
        figures.insert(1, Figure("samples in a mode", counts.sum() / len(samples), f"share; {how}"))
    if trained.ensemble > 1:
        figures.append(best_member(model, trained, modes, counts, of_data, options.count, options.seed))
    for figure in figures:
        print(figure)
    save_picture(picture(modes, counts, of_data, samples, training.examples[:TRAINING]), options.out)
    print(f"wrote {options.out}: modes of {options.model}, and samples beside their nearest training examples")


def draw(model: Caller, count: int, seed: int = 0) -> np.ndarray:
    """So many samples, a hundred a call."""
    calls = [
        model.call("generate", seed=seed + index, count=min(100, count - 100 * index))
        for index in range(math.ceil(count / 100))
    ]
    kind = "images" if "images" in calls[0] else "samples"
    return np.concatenate([call[kind] for call in calls])


def draw_member(model: Caller, member: int, latent_dim: int, count: int, seed: int = 0) -> np.ndarray:
    """So many samples of one member of an ensemble."""
    latents = np.random.default_rng([seed, member]).normal(size=(count, latent_dim)).astype(np.float32)
    calls = [
        model.call("decode", latents=some, members=np.full(len(some), member, np.int32))
        for some in np.array_split(latents, math.ceil(count / 100))
    ]
    return np.concatenate([value for call in calls for value in call.values()])


def report(
    modes: Modes,
    samples: np.ndarray,
    counts: np.ndarray,
    held_out: Data,
    of_data: np.ndarray,
    training: Data,
    seed: int,
) -> list[Figure]:
    """What is covered, how evenly, how precisely, and how near the samples are to training examples."""
    kl = kl_divergence(counts, of_data) if counts.any() else float("nan")
    missing = modes.missing(counts, of_data)
    how = protocol(modes.by, len(samples), len(held_out.examples), f"held-out {held_out.name}", seed=seed)
    equal = min(len(samples), len(held_out.examples))
    shares = precision_recall(modes.activations(held_out.examples[:equal]), modes.activations(samples[:equal]))
    known = training.examples[:TRAINING]
    near, usual = (np.median(nearest_neighbours(x, known)[1]) for x in (samples, held_out.examples))
    what = getattr(modes.activations, "description", "points")
    k_3 = f"{what}; k 3; {equal:,} samples against as many held-out {held_out.name}; seed {seed}"
    return [
        Figure(
            "modes", int(np.count_nonzero((of_data > 0) & ~missing)),
            f"of {np.count_nonzero(of_data)}" + (f", with {modes.least:.0%} of their share" if modes.least else "")
            + f"; {how}",
            remark=f"missing {modes.named(missing)}" if missing.any() else "none is missing",
        ),
        Figure("entropy of the modes", entropy(counts), f"nats, the data's is {entropy(of_data):.4g}; {how}"),
        Figure("KL(model || data) over the modes", kl, f"nats; {how}"),
        Figure("precision", shares.precision, k_3),
        Figure("recall", shares.recall, k_3),
        Figure(
            "distance to the nearest training example, samples / held-out", float(near / usual),
            f"medians of Euclidean distances; {len(known):,} training examples; seed {seed}",
            remark="well below 1 would mean that training examples are remembered",
        ),
    ]  # fmt: skip


def best_member(
    model: Caller,
    trained: TrainOptions,
    modes: Modes,
    together: np.ndarray,
    of_data: np.ndarray,
    count: int,
    seed: int,
) -> Figure:
    """How many modes the member covers that covers most, and which the ensemble has beside these."""
    covered = [
        (of_data > 0)
        & ~modes.missing(modes.counts(draw_member(model, member, trained.latent_dim, count, seed)), of_data)
        for member in range(trained.ensemble)
    ]
    best = max(range(len(covered)), key=lambda member: covered[member].sum())
    added = (of_data > 0) & ~modes.missing(together, of_data) & ~covered[best]
    return Figure(
        "modes of the best member", int(covered[best].sum()),
        f"member {best}; all of them: {', '.join(str(one.sum()) for one in covered)}; {count:,} samples of each; "
        f"{modes.by}; seed {seed}",
        remark=f"the ensemble adds {modes.named(added)}" if added.any() else "the ensemble adds nothing",
    )  # fmt: skip


def picture(
    modes: Modes, counts: np.ndarray, of_data: np.ndarray, samples: np.ndarray, training: np.ndarray
) -> np.ndarray:
    """The histogram of the modes beside the data's, and samples beside their nearest training examples."""
    canvas = Canvas(figsize=(7, 5), dpi=100, layout="constrained")
    axes, at, missing = canvas.add_subplot(), np.arange(len(modes.names)), modes.missing(counts, of_data)
    axes.bar(at - 0.2, of_data / max(1, of_data.sum()), 0.4, color="tab:blue", label="data")
    axes.bar(at + 0.2, counts / max(1, counts.sum()), 0.4, color="tab:orange", label="samples")
    axes.set_xticks(at, modes.names, rotation=90 if len(at) > 10 or max(map(len, modes.names)) > 3 else 0)
    for label, is_missing in zip(axes.get_xticklabels(), missing, strict=True):
        label.set_color("tab:red" if is_missing else "black")
    axes.set_title(f"{missing.sum()} missing (red) of {np.count_nonzero(of_data)}")
    axes.set_ylabel("share")
    axes.legend()
    shown = samples[:SHOWN]
    indices, _ = nearest_neighbours(shown, training)
    if samples.ndim == 4:
        pairs = np.stack([shown, training[indices]], axis=1).reshape(-1, *samples.shape[1:])
        return pictures.beside(pictures.from_figure(canvas), pictures.grid(pairs, columns=8))
    plane = Canvas(figsize=(5, 5), dpi=100)
    _draw_neighbours(plane.add_axes((0, 0, 1, 1)), samples, training)
    return pictures.beside(pictures.from_figure(canvas), pictures.from_figure(plane))


def _draw_neighbours(axes: Axes, samples: np.ndarray, training: np.ndarray) -> None:
    """Samples in the plane, each joined to its nearest training point."""
    some = samples[:500]
    nearest = training[nearest_neighbours(some, training)[0]]
    axes.scatter(*training[:2_500].T, s=5, color="tab:blue", alpha=0.5, linewidths=0, label="training")
    axes.plot(*np.stack([some, nearest], axis=1).T, color="grey", linewidth=0.5)
    axes.scatter(*some.T, s=5, color="tab:orange", linewidths=0, label="generated")
    axes.set(xticks=[], yticks=[])
    axes.legend(loc="upper right", markerscale=3)
