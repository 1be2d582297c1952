"""Points in the plane: watch a generator chase a distribution over the discriminator's landscape."""

from dataclasses import dataclass

import numpy as np

from kgan import datasets, modes, pictures
from kgan.app import App, Caller, TrainOptions, main
from kgan.datasets.data import Data
from kgan.datasets.toys import MODES, TOYS
from kgan.errors import UsageError
from kgan.metrics.protocol import Figure, point_figures
from kgan.models.recipes import GANOptions, build_gan
from kgan.modes import ModesOptions


@dataclass(kw_only=True)
class Options(GANOptions, TrainOptions):
    """Train on points: ring, grid, four, moons, spiral, swiss-roll or checkerboard."""

    objective: str = "wgan-gp"
    """A recipe or any single objective, as for images."""
    data: str = "ring"
    """ring, grid, four, moons, spiral, swiss-roll or checkerboard."""
    updates: int = 10_000
    """Updates of the generator, including those of the run that is resumed."""
    batch_size: int = 256
    """Real points for each update of each player, over all devices."""
    network: str = "mlp"
    """mlp; the other networks are for images."""
    width: int = 128
    """Units of each of the layers."""
    depth: int | None = 3
    """Hidden layers of each player."""
    latent_dim: int = 2
    """Size of the noise that the generator starts from."""
    normalisation: str | None = "none"
    """Of the generator: batch, layer or none."""
    discriminator_normalisation: str | None = "none"
    """Of the discriminator: batch, layer or none."""
    activation: str | None = "relu"
    """Of both players, e.g. relu, leaky_relu, tanh."""
    penalty_weight: float | None = 0.1
    """Of the penalty, where the objective has one: small, for modes this narrow need a steep critic."""
    critic_steps: int | None = 1
    """Updates of the discriminator, each on fresh data, for one of the generator."""
    generator_learning_rate: float | None = 5e-3
    """The two time-scales of Heusel 2017 are this and the next."""
    discriminator_learning_rate: float | None = 2e-3
    """Of the discriminator or critic."""
    learning_rate_decay: str = "cosine"
    """Let both learning rates fall to zero over the run: none, linear or cosine."""
    beta_1: float | None = 0.0
    """Adam's decay of the first moment: with momentum the modes of the grid come out blurred."""
    beta_2: float | None = 0.9
    """Adam's decay of the second moment; RMSprop's rho is its own 0.9."""


class ToyDistributions(App):
    """Points in the plane, drawn over the discriminator's landscape as the two players move."""

    name = "toy_distributions"
    Options = Options

    def data(self, options: Options, split: str) -> Data:
        """A distribution in the plane; every batch is drawn afresh."""
        if options.data not in TOYS:
            raise UsageError(
                f"unknown toy {options.data!r}: choose one of {', '.join(TOYS)}; "
                "images are for python -m apps.image_generation."
            )
        if options.network != "mlp":
            raise UsageError(f"--network {options.network} is not for points in the plane: leave it out, or give mlp.")
        return datasets.load(options.data, split)

    def build(self, options: Options, data: Data):
        """The GAN that the options describe."""
        return build_gan(options, data.shape, options.updates, options.seed, options.devices.jit)

    def picture(self, model: Caller, options: Options, count: int = 1_000, seed: int = 0) -> np.ndarray:
        """Real points (blue) and generated ones (orange, or a colour a member) over the discriminator's score."""
        real = datasets.load(options.data, "test", count=max(count, 1_000)).examples
        drawn = model.call("generate", seed=seed, count=max(count, 1_000))
        fake, members = drawn["samples"], drawn.get("members")
        fakes = {"generated": fake}
        if members is not None:
            fakes = {f"member {member}": fake[members == member] for member in range(options.ensemble)}
        return pictures.landscape(real, fakes, lambda plane: model.call("score", samples=plane)["scores"])

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """The lecture's two divergences; for mixtures, which modes are there and how pure they are."""
        samples = model.call("generate", seed=seed, count=count)["samples"]
        return point_figures(
            samples, data.examples, reference_name=options.data, seed=seed, mixture=MODES.get(options.data)
        )

    def verbs(self):
        """Beside the usual four: which modes are drawn, and which are left out."""
        return {"modes": (ModesOptions, lambda options: modes.run(self, options, _modes_of))}


def _modes_of(options: Options, training: Data) -> modes.Modes:
    """The components of a mixture; of any other distribution clusters."""
    return modes.of_mixture(*MODES[options.data]) if options.data in MODES else modes.of_points(training)


if __name__ == "__main__":
    main(ToyDistributions())
