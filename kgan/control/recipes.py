"""The options of an actor; and, for each actor, those that are known to work in an environment."""

import dataclasses
from dataclasses import dataclass
from typing import Literal, TypeVar

import gymnasium
import numpy as np
import tensorflow as tf

from kgan.control.actors import Actor
from kgan.control.environments import Environments, specification
from kgan.control.on_policy import OnPolicyActor, OnPolicyOptions
from kgan.control.rollouts import Credit
from kgan.errors import UsageError

ActorName = Literal["ppo", "a2c", "reinforce"]


@dataclass(kw_only=True)
class ControlOptions:
    """What learns, and how. What is left out is the actor's recipe for the environment."""

    actor: ActorName = "ppo"
    """Who learns: ppo, a2c, or reinforce (without a critic; --credit advantage gives it one as its baseline)."""
    copies: int | None = None
    """Of the environment, stepped side by side."""
    rollout: int | None = None
    """Steps of each copy between two updates."""
    credit: Credit | None = None
    """What an action is held to be worth: its advantage over the critic's value; reward-to-go; the reward of the
    whole-trajectory, R(tau); or the immediate reward r_t, which teaches an actor to look no further."""
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
    normalise: bool | None = None
    """Whether observations and rewards are brought to one scale by running moments, which the export keeps."""
    width: int | None = None
    """Units of each hidden layer of each network."""
    depth: int | None = None
    """Hidden layers of each network."""


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
    "epochs": 1, "clip": 0.0, "learning_rate": 1e-2, "decay": False, "normalise": False,
}  # fmt: skip

# Left out batch sizes are whole rollouts, and left out rollouts the longest episode.
RECIPES: dict[str, dict[str, dict]] = {
    "ppo": {
        "": PPO,
        "CartPole-v1": PPO | {
            "updates": 400, "batch_size": 256, "copies": 8, "rollout": 32, "discount": 0.98, "trace": 0.8,
            "epochs": 20, "learning_rate": 1e-3, "decay": True, "normalise": False,
        },
        "Pendulum-v1": PPO | {
            "updates": 25, "batch_size": 64, "copies": 4, "rollout": 1_024, "discount": 0.9, "learning_rate": 1e-3,
            "normalise": True,
        },
        "MountainCar-v0": PPO | {
            "updates": 3_900, "batch_size": 256, "copies": 16, "rollout": 16, "trace": 0.98, "epochs": 4,
        },
        "LunarLander-v3": PPO | {
            "updates": 61, "batch_size": 64, "copies": 16, "rollout": 1_024, "discount": 0.999, "trace": 0.98,
            "epochs": 4, "entropy": 0.01, "normalise": False,
        },
    },
    "a2c": {"": A2C, "CartPole-v1": A2C | {"normalise": False}},
    "reinforce": {"": REINFORCE},
}  # fmt: skip

Options = TypeVar("Options", bound=ControlOptions)


def completed(options: Options) -> Options:
    """The options with what was left out filled in by the recipe.

    Raises:
        UsageError: for an unknown environment, or numbers that cannot be.
    """
    name = options.data
    limit = specification(name).max_episode_steps
    recipes = RECIPES[options.actor]
    recipe = recipes.get(name, recipes[""])
    left_out = {key: value for key, value in recipe.items() if getattr(options, key) is None}
    options = dataclasses.replace(options, **left_out)
    if options.rollout is None:
        options = dataclasses.replace(options, rollout=limit or 1_000)
    if options.batch_size is None:
        options = dataclasses.replace(options, batch_size=options.rollout * options.copies)
    for key, least in {"copies": 1, "rollout": 1, "epochs": 1, "width": 1, "depth": 0, "clip": 0, "entropy": 0}.items():
        if getattr(options, key) < least:
            raise UsageError(f"--{key} is {getattr(options, key)}: give at least {least}.")
    for key in ("discount", "trace"):
        if not 0 <= getattr(options, key) <= 1:
            raise UsageError(f"--{key} is {getattr(options, key)}: give a number from 0 to 1.")
    if not 0 < options.learning_rate < 1:
        raise UsageError(f"--learning-rate is {options.learning_rate}: give a number between 0 and 1, such as 3e-4.")
    if options.devices.strategy != "one" or options.devices.precision != "float32":
        raise UsageError("actors are trained on one device in float32: leave out --strategy and --precision.")
    return options


def build_actor(options: ControlOptions) -> Actor:
    """The actor that completed options describe, in its environments."""
    environments = Environments(options.data, options.copies, options.seed)
    own = {"optimizer": "rmsprop"} if options.actor == "a2c" else {}
    own |= {"whole_episodes": True} if options.actor == "reinforce" else {}
    settings = OnPolicyOptions(
        minibatch=options.batch_size,
        widths=(options.width,) * options.depth,
        normalise_advantages=options.actor != "a2c",
        **{name: getattr(options, name) for name in _SHARED},
        **own,
    )
    return OnPolicyActor(environments, settings, options.updates, options.normalise, options.seed, options.devices.jit)


_SHARED = ("rollout", "credit", "discount", "trace", "epochs", "clip", "entropy", "learning_rate", "decay")


@dataclass(frozen=True)
class Arena:
    """An environment in the place of a data set: what there is to learn from is made by acting."""

    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one observation."""
        return (Environments(self.name, 1).spaces.observation,)

    @property
    def licence(self) -> str:
        """Under which terms the environment is."""
        module = str(specification(self.name).entry_point).split(".")[0]
        terms = "MIT" if module == "gymnasium" else f"terms of {module}"
        return f"no data; environment of {module} ({terms}), gymnasium {gymnasium.__version__}"

    def batches(self, batch_size: int, *, first: int = 0, steps: int = 0, seed: int = 0) -> tf.data.Dataset:
        """The numbers of the updates, which is all that an actor is given."""
        return tf.data.Dataset.range(np.int64(first), np.int64(first + steps))
