"""An actor for any gymnasium environment, by PPO, A2C, REINFORCE, DQN or SAC."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from matplotlib.figure import Figure as Canvas
from PIL import Image

from kgan import app, pictures
from kgan.app import App, Caller, EvaluateOptions, ExportOptions, TrainOptions, evaluate, export, main, open_model
from kgan.control import evaluation
from kgan.control.actors import Actor
from kgan.control.environments import Environments
from kgan.control.recipes import Arena, ControlOptions, build_actor, completed
from kgan.errors import UsageError
from kgan.metrics.protocol import Figure
from kgan.training import run
from kgan.training.callbacks import write_gif


@dataclass(kw_only=True)
class Options(ControlOptions, TrainOptions):
    """Train an actor; what is left out follows from the environment."""

    data: Annotated[str, tyro.conf.arg(name="environment", aliases=["--data"])] = "CartPole-v1"
    """Any environment that gymnasium knows, such as CartPole-v1, Pendulum-v1, LunarLander-v3 or module:Name-v0."""
    updates: int | None = None
    """Rollouts and what is learnt from each, including those of the run that is resumed."""
    batch_size: int | None = None
    """Steps of experience in one gradient step."""
    checkpoint_every: int = 100
    """Updates between two checkpoints."""
    log_every: int = 10
    """Updates between two rows of metrics.csv."""


@dataclass
class EvaluateEpisodes(EvaluateOptions):
    """Measure an exported policy: mean return with its 95 % confidence interval, and random play beside it."""

    count: int = 100
    """How many episodes."""


@dataclass
class ExportPolicy(ExportOptions):
    """Write the newest checkpoint of a run as a policy that serves and fine-tunes."""

    count: int = 100
    """Episodes for the figures that go into kgan.json; 0 leaves the figures out."""


@dataclass
class PlayOptions:
    """Watch an exported policy: one episode as a GIF."""

    model: Path
    """An exported policy, such as saved_models/cartpole."""
    seed: int = 0
    """Of the episode."""
    out: Path = Path("play.gif")
    """Where the animation goes."""


@dataclass
class CurveOptions:
    """Draw how a run has learnt: its mean return over its steps."""

    run: Path
    """A run directory, under way or done."""
    out: Path = Path("curve.png")
    """Where the picture goes."""


class PolicyControl(App):
    """An actor for any gymnasium environment, by PPO, A2C, REINFORCE, DQN or SAC; `play` shows it."""

    name = "policy_control"
    Options = Options
    environments: evaluation.Make = staticmethod(Environments)
    counted = (EvaluateEpisodes, ExportPolicy)
    shown = 75  # pictures of an episode in an animation

    def complete(self, options: Options) -> Options:
        """The actor's recipe for the environment."""
        return completed(options)

    def data(self, options: Options, split: str) -> Arena:
        """The environment."""
        return Arena(options.data, self.environments)

    def build(self, options: Options, data: Arena) -> Actor:
        """The actor in its environments."""
        return build_actor(options)

    def picture(self, model: Caller, options: Options, count: int = 12, seed: int = 0) -> np.ndarray:
        """An episode of the greedy policy in pictures; of an environment that cannot be drawn, its observations."""
        try:
            return pictures.grid(self._frames(options.data, model, min(count, 12), seed)[0])
        except UsageError:
            observations, rewards = evaluation.trace(options.data, _greedy(model), seed)
        canvas = Canvas(figsize=(6, 5), dpi=100, layout="constrained")
        above, below = canvas.subplots(2, sharex=True)
        above.plot(observations[:, :16])
        above.set_ylabel("observation")
        below.plot(rewards, color="black")
        below.set(ylabel="reward", xlabel="step")
        return pictures.from_figure(canvas)

    def figures(
        self, model: Caller, options: Options, data: Arena, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """The mean return and length of greedy play, and of random play."""
        return evaluation.figures(options.data, _greedy(model), count, seed, "greedy actions", self.environments)

    def verbs(self):
        """The usual verbs count episodes; beside them, `play` and `curve`."""
        return {
            "evaluate": (self.counted[0], lambda options: evaluate(self, options)),
            "export": (self.counted[1], lambda options: export(self, options)),
            "play": (PlayOptions, self._play),
            "curve": (CurveOptions, self._curve),
        }

    def _curve(self, options: CurveOptions) -> None:
        app.stored_options(self, run.read_config(options.run), options.run)
        app.save_picture(evaluation.learning_curve(options.run / "metrics.csv"), options.out)
        print(f"wrote {options.out}: the curve of {options.run}")

    def _play(self, options: PlayOptions) -> None:
        model, trained = open_model(self, options.model)
        shown, seconds = self._frames(trained.data, model, self.shown, options.seed)
        if options.out.suffix != ".gif":
            raise UsageError(f"cannot write {options.out}: an animation is a GIF, so give a name such as play.gif.")
        try:
            write_gif([Image.fromarray(frame) for frame in shown], options.out, max(20, round(1000 * seconds)))
        except OSError as error:
            raise UsageError(f"cannot write {options.out} ({error.strerror}): give a writable file.") from None
        print(f"wrote {options.out}: one episode of {trained.data}, seed {options.seed}")

    def _frames(self, name: str, model: Caller, most: int, seed: int) -> tuple[np.ndarray, float]:
        return evaluation.frames(name, _greedy(model), most, seed, self.environments)


def _greedy(model: Caller) -> evaluation.Policy:
    return lambda observations: model.call("act", observations=observations)["actions"]


if __name__ == "__main__":
    main(PolicyControl())
