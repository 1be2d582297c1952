"""An actor that learns a video game from its screen, by PPO or A2C."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from apps import policy_control
from kgan.app import EvaluateOptions, ExportOptions, TrainOptions, main
from kgan.control.pixel_actor import PixelActor
from kgan.control.pixels import pixel_environments
from kgan.control.recipes import Arena, GameOptions, build_game_actor


@dataclass(kw_only=True)
class Options(GameOptions, TrainOptions):
    """Train an actor that sees the last four screens, grey and 84 x 84; what is left out is the actor's recipe."""

    data: Annotated[str, tyro.conf.arg(name="environment", aliases=["--data"])] = "ALE/SpaceInvaders-v5"
    """A game of ale-py, such as ALE/SpaceInvaders-v5 or ALE/Pong-v5, or any environment of gymnasium whose observations
    are pictures, such as CarRacing-v3."""
    updates: int | None = None
    """Rollouts and what is learnt from each, including those of the run that is resumed."""
    batch_size: int | None = None
    """Steps of experience in one gradient step."""
    checkpoint_every: int = 20
    """Updates between two checkpoints."""
    log_every: int = 5
    """Updates between two rows of metrics.csv."""


@dataclass
class EvaluateGames(EvaluateOptions):
    """Measure an exported policy: mean raw score with its 95 % confidence interval, and random play beside it."""

    count: int = 30
    """How many games."""


@dataclass
class ExportPolicy(ExportOptions):
    """Write the newest checkpoint of a run as a policy that serves and fine-tunes."""

    count: int = 30
    """Games for the figures that go into kgan.json; 0 leaves the figures out."""


class VideoGame(policy_control.PolicyControl):
    """An actor that learns a video game from its screen, by PPO or A2C; `play` shows it."""

    name = "video_game"
    Options = Options
    environments = staticmethod(pixel_environments)
    shown = 240
    counted = (EvaluateGames, ExportPolicy)

    def build(self, options: Options, data: Arena) -> PixelActor:
        """The actor in its environments."""
        return build_game_actor(options)


if __name__ == "__main__":
    main(VideoGame())
