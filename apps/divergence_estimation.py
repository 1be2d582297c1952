"""What a discriminator measures: the divergence between two distributions, beside its exact value."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure as Canvas

from kgan import networks, objectives, penalties, pictures
from kgan.app import App, Caller, TrainOptions, main
from kgan.datasets.data import Data
from kgan.datasets.pairs import PAIRS, load_pair
from kgan.errors import lookup
from kgan.metrics.protocol import Figure
from kgan.models.divergence import DivergenceEstimator, exact_divergence
from kgan.models.recipes import GANOptions, optimizers


@dataclass(kw_only=True)
class Options(TrainOptions):
    """Train a discriminator between two distributions that do not move, and read off their divergence."""

    data: str = "gaussians"
    """gaussians: N(0, 1) and N(theta, 1); lines: two parallel lines in the plane, theta apart."""
    theta: float = 2.0
    """How far apart the two are."""
    objective: str = "minimax"
    """minimax (Jensen-Shannon divergence), wasserstein (earth mover's distance), or an f-divergence: kl, reverse-kl,
    pearson, squared-hellinger, jensen-shannon, jeffreys, total-variation."""
    penalty: str | None = None
    """What keeps the critic smooth; left out: one-sided-gradient-penalty for wasserstein, none for the others."""
    penalty_weight: float = 200.0
    """Its weight w. The distance is overestimated by the share theta / 2w, so far above the usual 10."""
    width: int = 64
    """Units of each of the two hidden layers."""
    learning_rate: float = 2e-3
    """Adam's, falling to zero along a cosine."""
    updates: int = 4_000
    """Updates of the discriminator, including those of the run that is resumed."""
    batch_size: int = 512
    """Samples of each distribution for each update, over all devices."""


class DivergenceEstimation(App):
    """What a trained discriminator measures between two distributions, beside the exact divergence."""

    name = "divergence_estimation"
    Options = Options

    def data(self, options: Options, split: str) -> Data:
        """Pairs of samples, [:, 0] of P and [:, 1] of Q, drawn afresh for every batch."""
        lookup("pair of distributions", options.data, PAIRS)
        return load_pair(options.data, options.theta, split)

    def build(self, options: Options, data: Data):
        """A discriminator with tanh layers and its optimiser."""
        dimensions = data.shape[-1]
        network = networks.get("mlp").discriminator(
            (dimensions,), widths=(options.width,) * 2, activation="tanh", seed=options.seed
        )
        # One-sided, because so heavy a two-sided one holds a slope of -1 as fast as one of 1.
        usual = "one-sided-gradient-penalty" if options.objective == "wasserstein" else None
        penalty = penalties.get(options.penalty or usual, options.penalty_weight)
        model = DivergenceEstimator(network, objectives.get(options.objective), penalty, seed=options.seed)
        game = GANOptions(
            objective="non-saturating", discriminator_learning_rate=options.learning_rate, learning_rate_decay="cosine"
        )
        model.compile(
            discriminator_optimizer=optimizers(game, options.updates)["discriminator_optimizer"],
            jit_compile=options.devices.jit,
        )
        return model

    def picture(self, model: Caller, options: Options, count: int = 2_000, seed: int = 0) -> np.ndarray:
        """Samples of P (blue) and Q (orange) and the discriminator's score over them."""
        pairs = load_pair(options.data, options.theta, "test", count=max(count, 500)).examples
        canvas = Canvas(figsize=(6, 4), dpi=100, layout="constrained")
        axes = canvas.add_subplot()
        low, high = pairs.min() - 1, pairs.max() + 1
        axis = np.linspace(low, high, 200, dtype=np.float32)
        if pairs.shape[-1] == 1:
            for index, (name, colour) in enumerate((("P", "tab:blue"), ("Q", "tab:orange"))):
                axes.hist(pairs[:, index, 0], bins=60, density=True, color=colour, alpha=0.4, label=name)
            scores = axes.twinx()
            scores.plot(axis, model.call("score", samples=axis[:, None])["scores"], color="black", label="score")
            scores.set_ylabel("discriminator's score")
        else:
            plane = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
            surface = model.call("score", samples=plane)["scores"].reshape(len(axis), len(axis))
            axes.contourf(axis, axis, surface, levels=24, cmap="Greys")
            for index, (name, colour) in enumerate((("P", "tab:blue"), ("Q", "tab:orange"))):
                axes.scatter(*pairs[:500, index].T, s=4, color=colour, label=name)
        axes.set_title(f"{options.objective}, θ = {options.theta:g}")
        axes.legend(loc="upper left")
        return pictures.from_figure(canvas)

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """The estimate on fresh samples, and what it should be."""
        pairs = load_pair(options.data, options.theta, "test", count=count, seed=seed).examples
        estimate = float(model.call("estimate", p=pairs[:, 0], q=pairs[:, 1])["divergence"][0])
        exact = exact_divergence(objectives.get(options.objective), options.data, options.theta)
        what = "earth mover's distance" if options.objective == "wasserstein" else "nats"
        between = f"{options.data}, theta {options.theta:g}"
        return [
            Figure(f"{options.objective} estimate", estimate, f"{what}; {between}; {count:,} fresh pairs, seed {seed}"),
            Figure(f"{options.objective} exact", exact, f"{what}; {between}; by quadrature or in closed form"),
        ]


if __name__ == "__main__":
    main(DivergenceEstimation())
