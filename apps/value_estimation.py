"""Critics: what states are worth, from returns or temporal differences, beside the exact values."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from matplotlib.figure import Figure as Canvas
from tqdm import tqdm

from kgan import networks, pictures
from kgan.app import App, Caller, TrainOptions, main, save_animation, save_picture
from kgan.control import book, cliff, experience, tabular
from kgan.datasets.data import Data
from kgan.datasets.transitions import observation_size, unpack
from kgan.errors import UsageError
from kgan.metrics.protocol import Figure
from kgan.models.value import ValueEstimator
from kgan.networks.mlp import standardised
from kgan.training import run

PIECE = 16  # successive steps that a trace goes over


@dataclass(kw_only=True)
class Options(TrainOptions):
    """Train a network that says what each observation is worth to a policy that acts at random."""

    data: str = experience.WALK
    """random-walk (1,000 states in a row, whose values are known exactly), or a gymnasium environment whose
    observations are numbers, such as CartPole-v1, MountainCar-v0 or Blackjack-v1."""
    target: Literal["td", "monte-carlo"] = "td"
    """What a value is drawn towards: td, the reward and the value of what follows; monte-carlo, the whole return."""
    trace: float = 0.0
    """Lambda of td: 0 looks one step ahead, more of it further, through pieces of 16 steps, which a batch then has."""
    discount: float | None = None
    """Of the rewards, a step; left out: 1 on the walk, 0.99 elsewhere."""
    episodes: int = 1_000
    """Episodes to learn from; a fifth as many others are held out."""
    width: int = 64
    """Units of each of the two hidden layers."""
    learning_rate: float = 2e-3
    """Adam's, falling to zero along a cosine."""
    average_decay: float = 0.9
    """Decay of the network's moving average, which is what td looks ahead with and what is exported; 0 for none. The
    more it lags, the more updates td needs, since values come from the end of the episode backwards."""
    updates: int = 3_000
    """Updates of the network, including those of the run that is resumed."""
    batch_size: int = 128
    """Steps for each update, over all devices."""


@dataclass
class ExperimentOptions:
    """Repeat the experiments of Sutton & Barto's book whose answers are known; draws them beside the references."""

    which: Literal["all", "walk", "episodes", "corridor", "cliff"] = "all"
    """walk: TD(0) against Monte-Carlo (example 6.2); episodes: the eight of example 6.4, on which the two disagree;
    corridor: REINFORCE, its baseline and actor-critic (example 13.1); cliff: Q-learning against SARSA (6.6)."""
    repeats: int | None = None
    """Independent runs to average over; left out, 1,000 on the walk, 20 in the corridor, 60 on the cliff."""
    seed: int = 0
    """The same seed gives the same curves."""
    runs: Path = Path("runs")
    """Where the directory with the pictures and figures is made."""


@dataclass
class PlayOptions:
    """Watch Q-learning and SARSA learn the cliff and then walk it, the one along the edge, the other above: a GIF."""

    seed: int = 0
    """Of the run."""
    out: Path = Path("play.gif")
    """Where the animation goes."""


class ValueEstimation(App):
    """Critics: what states are worth. `experiment` draws the curves of the book; the others train a network."""

    name = "value_estimation"
    Options = Options

    def data(self, options: Options, split: str) -> Data:
        """Steps of episodes that are played here; a fifth as many to judge by."""
        episodes = options.episodes if split == "train" else max(1, options.episodes // 5)
        data = experience.load(options.data, split, episodes=episodes, discount=_discount(options), seed=options.seed)
        return _in_pieces(data) if options.trace and split == "train" else data

    def build(self, options: Options, data: Data) -> ValueEstimator:
        """Two hidden layers over observations of mean 0 and variance 1."""
        if not options.learning_rate > 0:
            raise UsageError(f"--learning-rate is {options.learning_rate}: give more than 0.")
        if options.trace and options.target != "td":
            raise UsageError(f"--trace is of --target td, not of {options.target}: leave it out.")
        size = observation_size(data.shape[-1])
        network = networks.get("mlp").discriminator(
            (size,), widths=(options.width,) * 2, activation="tanh", seed=options.seed
        )
        network = standardised(network, unpack(data.examples).observations.reshape(-1, size))
        model = ValueEstimator(
            network, options.target, options.trace, average_decay=options.average_decay, seed=options.seed
        )
        decay = keras.optimizers.schedules.CosineDecay(options.learning_rate, max(1, options.updates))
        model.compile(value_optimizer=keras.optimizers.Adam(decay), jit_compile=options.devices.jit)
        return model

    def picture(self, model: Caller, options: Options, count: int = 64, seed: int = 0) -> np.ndarray:
        """On the walk, the values beside the exact ones; elsewhere, along held-out episodes, beside their returns."""
        canvas = Canvas(figsize=(7, 4), dpi=100, layout="constrained")
        axes = canvas.add_subplot()
        if options.data == experience.WALK:
            positions = experience.walk_positions()
            axes.plot(exact_walk(_discount(options)), color="black", label="exact")
            values = model.call("value", observations=positions)["values"]
            axes.plot(values, color="tab:orange", label=options.target)
            axes.set(xlabel="state", ylabel="value")
        else:
            played = experience.load(
                options.data, "test", episodes=min(count, 4), discount=_discount(options), seed=seed
            )
            steps = unpack(played.examples)
            axes.plot(steps.returns, color="black", linewidth=1, label="return that followed")
            values = model.call("value", observations=steps.observations)["values"]
            axes.plot(values, color="tab:orange", label=f"value, {options.target}")
            axes.set(xlabel="step of held-out episodes", ylabel="discounted return")
        axes.set_title(f"{options.data}, acting at random")
        axes.legend()
        return pictures.from_figure(canvas)

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """How far the values are from exact ones where those are known, and from returns that were held out."""
        steps = unpack(data.examples[:count])
        values = model.call("value", observations=steps.observations)["values"]
        how = f"{len(values):,} steps of held-out episodes of {data.name}, acting at random"
        found = [
            Figure("error of the values against returns", _rms(values - steps.returns), f"root mean square; {how}"),
            Figure("spread of the returns", float(steps.returns.std()), f"standard deviation; {how}"),
        ]
        if options.data == experience.WALK:
            values = model.call("value", observations=experience.walk_positions())["values"]
            error = _rms(values - exact_walk(_discount(options)))
            found.insert(
                0, Figure("error of the values", error, "root mean square over all states; against exact ones")
            )
        return found

    def verbs(self):
        """Beside the usual four: the book's experiments, and one to look at."""
        return {"experiment": (ExperimentOptions, experiment), "play": (PlayOptions, play)}


def experiment(options: ExperimentOptions) -> None:
    """Run experiments of the book; prints the figures and leaves them in a directory with the pictures."""
    if options.repeats is not None and options.repeats < 1:
        raise UsageError(f"--repeats is {options.repeats}: give at least 1.")
    chosen = list(book.EXPERIMENTS) if options.which == "all" else [options.which]
    directory, lines = run.create(options.runs, ValueEstimation.name), []
    given = {"seed": options.seed} | ({} if options.repeats is None else {"runs": options.repeats})
    for name in chosen:
        with tqdm(desc=name, unit="curve", disable=None, leave=False) as bar:
            found = book.EXPERIMENTS[name](**given, tick=bar.update)
        save_picture(found.picture, directory / f"{name}.png")
        lines += [f"{name}: {figure}" for figure in found.figures]
        print("\n".join(lines[-len(found.figures) :]), flush=True)
    run.write_atomically(directory / "figures.txt", "\n".join(lines) + "\n")
    print(f"\nwrote {', '.join(f'{directory}/{name}.png' for name in chosen)} and {directory}/figures.txt")


def play(options: PlayOptions) -> None:
    """Draw the cliff as it is learnt."""
    save_animation(cliff.animation(options.seed), options.out, 0.25)
    print(f"wrote {options.out}: Q-learning and SARSA on the cliff, seed {options.seed}")


def _in_pieces(data: Data) -> Data:
    """Its successive steps in pieces, [N, PIECE, 2 d + 3]; the last ones that fill none are left out."""
    width = data.shape[-1]
    if len(data.examples) < PIECE:
        raise UsageError(f"there are {len(data.examples)} steps, but --trace needs {PIECE}: give more --episodes.")
    whole = data.examples[: len(data.examples) // PIECE * PIECE]
    return dataclasses.replace(data, examples=whole.reshape(-1, PIECE, width))


def exact_walk(discount: float) -> np.ndarray:
    """The exact values of the long walk, [states]."""
    world = experience.long_walk()
    return tabular.state_values(world, world.uniform(), discount)


def _discount(options: Options) -> float:
    usual = 1.0 if options.data == experience.WALK else 0.99
    return usual if options.discount is None else options.discount


def _rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


if __name__ == "__main__":
    main(ValueEstimation())
