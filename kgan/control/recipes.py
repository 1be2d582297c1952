"""The options of an actor; and, for each actor, those that are known to work in an environment."""

import dataclasses
from dataclasses import dataclass
from typing import Literal, TypeVar

import gymnasium
import numpy as np
import tensorflow as tf

from kgan.control.actors import Actor
from kgan.control.environments import Environments, specification
from kgan.control.evaluation import Make
from kgan.control.off_policy import DQNActor, DQNOptions
from kgan.control.on_policy import OnPolicyActor, OnPolicyOptions
from kgan.control.pixel_actor import PixelActor, PixelOptions
from kgan.control.pixels import pixel_environments
from kgan.control.rollouts import Credit
from kgan.control.sac import SACActor, SACOptions
from kgan.errors import UsageError

ActorName = Literal["ppo", "a2c", "reinforce", "dqn", "sac"]


@dataclass(kw_only=True)
class LearningOptions:
    """What learns, and how. What is left out is the actor's recipe for the environment."""

    actor: ActorName = "ppo"
    """Who learns: ppo; a2c; reinforce (without a critic; --credit advantage gives it one as its baseline); dqn; sac."""
    copies: int | None = None
    """Of the environment, stepped side by side."""
    rollout: int | None = None
    """Steps of each copy between two updates."""
    discount: float | None = None
    """Gamma: what a reward is worth one step later."""
    trace: float | None = None
    """Lambda of the advantages: 0 trusts the critic, 1 the rewards."""
    epochs: int | None = None
    """How often an update goes over its rollout."""
    clip: float | None = None
    """Of the probability ratio; 0 is the plain policy gradient."""
    entropy: float | None = None
    """Weight of the policy's entropy, which keeps it trying."""
    learning_rate: float | None = None
    """Of actor and critic."""
    decay: bool | None = None
    """Whether the learning rate falls to zero over the run."""
    width: int | None = None
    """Units of each hidden layer of each network."""


@dataclass(kw_only=True)
class ControlOptions(LearningOptions):
    """What learns from vectors."""

    credit: Credit | None = None
    """What an action is held to be worth: its advantage over the critic's value; reward-to-go; the reward of the
    whole-trajectory, R(tau); or the immediate reward r_t, which teaches an actor to look no further."""
    normalise: bool | None = None
    """Whether observations and rewards are brought to one scale by running moments, which the export keeps."""
    gradient_steps: int | None = None
    """Of dqn and sac, in an update."""
    steps_ahead: int | None = None
    """Of dqn and sac: how many rewards a target adds up before it trusts the critic."""
    double: bool | None = None
    """Of dqn: whether the network chooses the action whose target value is taken."""
    prioritised: float | None = None
    """Of dqn and sac: how much surprising experience is preferred, 0 (not at all) to 1."""
    exploration: float | None = None
    """Of dqn: the share of the run in which random actions become rare."""
    persistence: int | None = None
    """Of dqn: the most steps for which a random action is kept, where single ones would cancel out."""
    depth: int | None = None
    """Hidden layers of each network."""


@dataclass(kw_only=True)
class GameOptions(LearningOptions):
    """What learns from pictures."""

    actor: Literal["ppo", "a2c"] = "ppo"
    """Who learns: ppo, or a2c."""
    width: int | None = None
    """Features that the convolutional network makes of a picture; actor and critic are one layer on them."""
    filters: tuple[int, int, int] | None = None
    """Of its three convolutions."""
    clip_rewards: bool | None = None
    """Whether rewards are cut to [-1, 1] for learning; scores are reported as they are."""


PPO = {
    "updates": 250, "batch_size": 64, "copies": 4, "rollout": 1_024, "credit": "advantage", "discount": 0.99,
    "trace": 0.95, "epochs": 10, "clip": 0.2, "entropy": 0.0, "learning_rate": 3e-4, "decay": False,
    "normalise": True, "width": 64, "depth": 2,
}  # fmt: skip
A2C = PPO | {
    "updates": 10_000, "batch_size": None, "copies": 8, "rollout": 8, "trace": 1.0, "epochs": 1, "clip": 0.0,
    "learning_rate": 7e-4, "decay": True,
}  # fmt: skip
REINFORCE = PPO | {
    "updates": 200, "batch_size": None, "copies": 8, "rollout": None, "credit": "reward-to-go", "trace": 1.0,
    "epochs": 1, "clip": 0.0, "learning_rate": 1e-2, "decay": True,
}  # fmt: skip

DQN = {
    "updates": 400, "batch_size": 64, "copies": 4, "rollout": 64, "gradient_steps": 128, "discount": 0.99,
    "steps_ahead": 1, "double": True, "prioritised": 0.0, "exploration": 0.2, "persistence": 1,
    "learning_rate": 1e-3, "decay": True, "normalise": True, "width": 128, "depth": 2,
}  # fmt: skip

SAC = {
    "updates": 1_500, "batch_size": 256, "copies": 4, "rollout": 16, "gradient_steps": 64, "discount": 0.99,
    "steps_ahead": 1, "prioritised": 0.0, "learning_rate": 7e-4, "decay": False, "normalise": False, "width": 128,
    "depth": 2,
}  # fmt: skip

# Left out batch sizes are whole rollouts, and left out rollouts the longest episode.
RECIPES: dict[str, dict[str, dict]] = {
    "ppo": {
        "": PPO,
        "CartPole-v1": PPO | {
            "updates": 390, "batch_size": 256, "copies": 8, "rollout": 32, "discount": 0.98, "trace": 0.8,
            "epochs": 20, "learning_rate": 1e-3, "decay": True, "normalise": False,
        },
        "Pendulum-v1": PPO | {
            "updates": 80, "rollout": 256, "discount": 0.95, "learning_rate": 1e-3, "decay": True,
        },
        "MountainCar-v0": PPO | {
            "updates": 975, "batch_size": 256, "copies": 16, "rollout": 64, "trace": 0.98, "learning_rate": 1e-3,
            "decay": True,
        },
        "LunarLander-v3": PPO | {
            "updates": 243, "batch_size": 256, "copies": 16, "rollout": 256, "discount": 0.999, "trace": 0.98,
            "entropy": 0.01, "learning_rate": 1e-3, "decay": True,
        },
    },
    "a2c": {
        "": A2C,
        "CartPole-v1": A2C | {
            "updates": 700, "rollout": 32, "trace": 0.95, "learning_rate": 3e-3, "normalise": False,
        },
    },
    "reinforce": {"": REINFORCE, "CartPole-v1": REINFORCE | {"updates": 60}},
    "sac": {"": SAC, "Pendulum-v1": SAC | {"updates": 312, "learning_rate": 1e-3, "width": 64}},
    "dqn": {
        "": DQN,
        "CartPole-v1": DQN | {"updates": 195, "steps_ahead": 3, "exploration": 0.16},
        "MountainCar-v0": DQN | {"updates": 468, "steps_ahead": 3, "discount": 0.98, "persistence": 32},
    },
}  # fmt: skip

# rl-baselines3-zoo's for Atari but for what makes it affordable without a GPU: half the filters and features and three
# epochs instead of four, for about twice the steps in an hour of one core (350 a second).
GAME_PPO = {
    "updates": 500, "batch_size": 256, "copies": 8, "rollout": 128, "discount": 0.99, "trace": 0.95, "epochs": 3,
    "clip": 0.1, "entropy": 0.01, "learning_rate": 2.5e-4, "decay": True, "width": 256, "filters": (16, 32, 32),
    "clip_rewards": True,
}  # fmt: skip
GAME_A2C = GAME_PPO | {
    "updates": 6_000, "batch_size": None, "copies": 16, "rollout": 5, "trace": 1.0, "epochs": 1, "clip": 0.0,
    "learning_rate": 7e-4,
}  # fmt: skip
GAMES = {"ppo": {"": GAME_PPO}, "a2c": {"": GAME_A2C}}

# Of on-policy actors, what is not for the user to choose.
OWN = {
    "a2c": {"optimizer": "rmsprop", "normalise_advantages": False},
    "reinforce": {"whole_episodes": True},
}

LEAST = {
    "copies": 1, "rollout": 1, "epochs": 1, "batch_size": 1, "width": 1, "depth": 0, "clip": 0, "entropy": 0,
    "gradient_steps": 1, "steps_ahead": 1, "persistence": 1,
}  # fmt: skip

Options = TypeVar("Options", bound=LearningOptions)


def completed(options: Options) -> Options:
    """The options with what was left out filled in by the recipe.

    Raises:
        UsageError: for an unknown environment, or numbers that cannot be.
    """
    name = options.data
    limit = specification(name).max_episode_steps
    kind, recipes = (GameOptions, GAMES) if isinstance(options, GameOptions) else (ControlOptions, RECIPES)
    recipe = recipes[options.actor].get(name, recipes[options.actor][""])
    for option in dataclasses.fields(kind):
        if option.name not in recipe and option.name != "actor" and getattr(options, option.name) is not None:
            raise UsageError(f"--{option.name.replace('_', '-')} is not for {options.actor}: leave it out.")
    options = dataclasses.replace(options, **{k: v for k, v in recipe.items() if getattr(options, k) is None})
    if options.rollout is None:
        options = dataclasses.replace(options, rollout=limit or 1_000)
    if options.batch_size is None:
        options = dataclasses.replace(options, batch_size=options.rollout * options.copies)
    for key, least in LEAST.items():
        value = getattr(options, key, None)
        if value is not None and value < least:
            raise UsageError(f"--{key.replace('_', '-')} is {value}: give at least {least}.")
    for key in ("discount", "trace", "prioritised", "exploration"):
        value = getattr(options, key, None)
        if value is not None and not 0 <= value <= 1:
            raise UsageError(f"--{key} is {value}: give a number from 0 to 1.")
    if not 0 < options.learning_rate < 1:
        raise UsageError(f"--learning-rate is {options.learning_rate}: give a number between 0 and 1, such as 3e-4.")
    if options.devices.strategy != "one" or options.devices.precision != "float32":
        raise UsageError("actors are trained on one device in float32: leave out --strategy and --precision.")
    return options


def build_actor(options: ControlOptions) -> Actor:
    """The actor that completed options describe, in its environments."""
    environments = Environments(options.data, options.copies, options.seed)
    kinds = {"dqn": (DQNActor, DQNOptions), "sac": (SACActor, SACOptions)}
    kind, settings = kinds.get(options.actor, (OnPolicyActor, OnPolicyOptions))
    sizes = {"minibatch": options.batch_size, "widths": (options.width,) * options.depth}
    return kind(
        environments, _settings(settings, options, **sizes), options.updates, options.normalise, options.seed,
        options.devices.jit,
    )  # fmt: skip


def build_game_actor(options: GameOptions) -> PixelActor:
    """The actor that completed options describe, in its environments."""
    environments = pixel_environments(options.data, options.copies, options.seed)
    settings = _settings(PixelOptions, options, minibatch=options.batch_size, widths=(options.width,))
    return PixelActor(environments, settings, options.updates, seed=options.seed, jit=options.devices.jit)


def _settings(kind, options: LearningOptions, **further):
    """What an actor's own options are, of those that a user gave."""
    named = {one.name for one in dataclasses.fields(kind)} & {one.name for one in dataclasses.fields(options)}
    return kind(**{name: getattr(options, name) for name in named}, **OWN.get(options.actor, {}), **further)


@dataclass(frozen=True)
class Arena:
    """An environment in the place of a data set: what there is to learn from is made by acting."""

    name: str
    make: Make = Environments

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one observation."""
        return tuple(self.make(self.name, 1).spaces.seen.shape)

    @property
    def licence(self) -> str:
        """Under which terms the environment is."""
        module = str(specification(self.name).entry_point).split(".")[0]
        terms = {"gymnasium": "MIT", "ale_py": "GPL-2.0, no part of it or of its games is in here"}.get(
            module, f"terms of {module}"
        )
        return f"no data; environment of {module} ({terms}), gymnasium {gymnasium.__version__}"

    def batches(self, batch_size: int, *, first: int = 0, steps: int = 0, seed: int = 0) -> tf.data.Dataset:
        """The numbers of the updates, which is all that an actor is given."""
        return tf.data.Dataset.range(np.int64(first), np.int64(first + steps))
