"""A figure never goes without its protocol: what measured it, on how many samples, against what.

>>> print(Figure("Fréchet distance", 5.31, "digit classifier, 64 activations; 1,000 samples against ...; seed 0"))
Fréchet distance 5.31 (digit classifier, 64 activations; 1,000 samples against ...; seed 0)
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from kgan.metrics.distances import frechet_distance, frechet_distance_infinity, kernel_distance
from kgan.metrics.features import FeatureNetwork
from kgan.metrics.modes import HIGH_QUALITY_SIGMAS, class_histogram, kl_2d, mode_coverage
from kgan.metrics.neighbours import nearest_neighbours
from kgan.metrics.precision_recall import precision_recall


@dataclass(frozen=True)
class Figure:
    """A measured value, how it was measured and, where known, its standard error or a remark."""

    name: str
    value: float
    protocol: str
    standard_error: float | None = None
    remark: str = ""

    def __str__(self) -> str:
        error = "" if self.standard_error is None else f" ± {self.standard_error:.2g}"
        return f"{self.name} {self.value:.4g}{error} ({self.protocol})" + (f": {self.remark}" if self.remark else "")

    def as_dict(self) -> dict[str, str | float | None]:
        """The fields, for JSON."""
        return asdict(self)


def protocol(network: str, samples: int, references: int, reference_name: str, *, seed: int, extra: str = "") -> str:
    """Say how a figure was measured.

    Args:
        network: the description of the feature network, or what else measured ("32 × 32 bins, smoothing 0.5").
        samples, references: how many generated and real examples were compared.
        reference_name: what the real ones are, e.g. "held-out digits".
        seed: of the samples.
        extra: what else changes the value, e.g. "k 3".
    """
    parts = [network, extra, f"{samples:,} samples against {references:,} {reference_name}", f"seed {seed}"]
    return "; ".join(part for part in parts if part)


def image_figures(
    fake: np.ndarray,
    real: np.ndarray,
    network: FeatureNetwork,
    *,
    reference_name: str,
    seed: int,
    real_labels: np.ndarray | None = None,
    training: np.ndarray | None = None,
) -> list[Figure]:
    """Measure everything that is known about generated images, each figure with its protocol.

    Fréchet distance, as measured and extrapolated to infinitely many samples; kernel distance; precision and recall;
    with labels, the divergence of the class histogram, naming missing classes; with training images, how much nearer
    the generated ones are to them than the real held-out ones are.

    Args:
        fake, real: uint8 [N, H, W, C] and [M, H, W, C]; the real ones held out from training.
        network: from kgan.metrics.features.feature_network.
        reference_name: what the real images are, e.g. "held-out digits".
        seed: that the fakes were generated with; the estimates that draw subsets use it too.
        real_labels: int [M] classes of the real images, if the network predicts such classes.
        training: uint8 [K, H, W, C] that the generator was trained on.

    Raises:
        UsageError: for images that the network does not take, or too few of them (8).
    """

    def how(extra: str = "", measured_by: str = network.description) -> str:
        return protocol(measured_by, len(fake), len(real), reference_name, seed=seed, extra=extra)

    real_activations, fake_activations = network(real), network(fake)
    few = min(len(fake), len(real)) < 2 * real_activations.shape[1]
    kernel = kernel_distance(real_activations, fake_activations, seed=seed)
    shares = precision_recall(real_activations, fake_activations)
    figures = [
        Figure("Fréchet distance", frechet_distance(real_activations, fake_activations), how()),
        Figure(
            "Fréchet distance, infinite samples",
            frechet_distance_infinity(real_activations, fake_activations, seed=seed),
            how("extrapolated in 1/N"),
            remark="too large still, as there are too few samples for so many activations" if few else "",
        ),
        Figure("kernel distance", kernel.value, how("unbiased, cubic kernel"), kernel.standard_error),
        Figure("precision", shares.precision, how("k 3")),
        Figure("recall", shares.recall, how("k 3")),
    ]
    if network.labels and real_labels is not None:
        classes = class_histogram(network.predict(fake), real_labels, network.labels)
        remark = f"missing {', '.join(classes.missing)}" if classes.missing else f"all {len(network.labels)} classes"
        figures.append(Figure("class KL(model || data)", classes.kl, how("nats"), remark=remark))
    if training is not None:
        ratio = np.median(nearest_neighbours(fake, training)[1]) / np.median(nearest_neighbours(real, training)[1])
        remark = "well below 1 would mean that training images are remembered"
        figures.append(
            Figure(
                "distance to the nearest training image, samples / real",
                float(ratio),
                how(f"{len(training):,} training images", "medians of Euclidean distances of pixels"),
                remark=remark,
            )
        )
    return figures


def point_figures(
    fake: np.ndarray,
    real: np.ndarray,
    *,
    reference_name: str,
    seed: int,
    mixture: tuple[np.ndarray, float] | None = None,
) -> list[Figure]:
    """Measure generated points of the plane: the lecture's two divergences; of mixtures, which modes and how pure.

    Args:
        fake, real: float [N, 2] and [M, 2].
        reference_name: what the real points are, e.g. "ring".
        seed: that the fakes were generated with.
        mixture: centres [K, 2] and standard deviation of the modes, where the data is such a mixture.
    """
    protocol = f"{len(fake):,} samples against {len(real):,} fresh points of {reference_name}; seed {seed}"
    divergences = kl_2d(real, fake)
    found = [
        Figure("KLD(real, generated)", divergences.real_fake, f"nats; 32 × 32 cells, smoothing 0.1; {protocol}"),
        Figure("KLD(generated, real)", divergences.fake_real, f"nats; 32 × 32 cells, smoothing 0.1; {protocol}"),
    ]
    if mixture:
        coverage = mode_coverage(fake, *mixture)
        remark = f"missing {', '.join(coverage.missing)}" if coverage.missing else "none is missing"
        share = f"share within {HIGH_QUALITY_SIGMAS} sigma of a mode; {protocol}"
        found += [
            Figure(
                "modes",
                coverage.covered,
                f"of {coverage.modes}, holding a high-quality sample; {protocol}",
                remark=remark,
            ),
            Figure("high quality", coverage.high_quality, share),
            Figure("reverse KL", coverage.reverse_kl, f"nats, over the modes; {protocol}"),
        ]
    return found


def report(figures: Iterable[Figure]) -> str:
    """One line a figure."""
    return "\n".join(str(figure) for figure in figures)
