"""The options of an imitator, what each method learns from, and how it is built."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import gymnasium
import keras
import numpy as np

from kgan import networks
from kgan.control import demonstrations, imitation
from kgan.control.adversarial_imitation import AdversarialImitator, JudgeOptions, ShapedImitator
from kgan.control.demonstrations import Demonstrations
from kgan.control.environments import Environments
from kgan.control.experts import expert
from kgan.control.on_policy import OnPolicyOptions
from kgan.control.steps import demonstrated
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.models.cloning import BehaviourCloner
from kgan.networks.mlp import standardised

COPIES = 16
"""Of the environment in which gail and airl play."""
ADVERSARIAL: dict[str, type[AdversarialImitator]] = {"gail": AdversarialImitator, "airl": ShapedImitator}


@dataclass(kw_only=True)
class ImitationOptions:
    """Whom to imitate, and how."""

    environment: str = "CartPole-v1"
    """A gymnasium environment whose observations are numbers, such as CartPole-v1, MountainCar-v0, Acrobot-v1."""
    data: str = "expert"
    """Whom to imitate: expert (a scripted one, of the three environments above), or a file of demonstrations that
    `record` has written, or a data set of Minari's (its directory)."""
    method: Literal["behaviour-cloning", "dagger", "gail", "airl"] = "behaviour-cloning"
    """behaviour-cloning learns from the demonstrations alone; dagger also asks the expert about where it goes; gail
    plays in the environment until a discriminator cannot tell it from the demonstrations; airl does so with one that
    is made of a reward and its shaping, of which the reward is exported."""
    episodes: int = 7
    """Episodes of the demonstrations to learn from; what else a file holds is held out."""
    every: int = 1
    """Learn from one step in so many only, from a first one at random; 10 is Ho & Ermon's for CartPole."""
    horizon: int = 200
    """Steps after which an episode is cut off, the same for good and bad players; 0 leaves the environment's own."""
    objective: str | None = None
    """Of gail: the game, any of image_generation's; minimax is Ho & Ermon's. Left out: wasserstein. (airl plays
    minimax.)"""
    penalty: str | None = None
    """Of gail and airl: what keeps the discriminator smooth; none for nothing. Left out: gradient-penalty, and none for
    airl."""
    discriminator_learning_rate: float = 3e-4
    """Of gail and airl: how fast the discriminator learns, by Adam."""
    state_only: bool = False
    """Of airl: whether its reward is kept from seeing the action, so that it holds in other dynamics too."""
    entropy: float | None = None
    """Of gail and airl: weight of the actor's entropy beside its reward; of gail it falls to zero over the run. Left
    out: 0.1, and 0.01 for airl."""
    warm_start: int = 0
    """Of gail and airl: updates of behaviour cloning before the game begins."""
    rounds: int = 8
    """Of dagger: times that it plays an episode and asks the expert about every step."""
    round_updates: int = 250
    """Of dagger: updates in each round, before it plays."""
    width: int = 64
    """Units of each of the two hidden layers."""
    learning_rate: float | None = None
    """Adam's, falling to zero over the run; left out, 0.003, 0.002 for gail and 0.001 for airl."""
    average_decay: float = 0.99
    """Of behaviour-cloning and dagger: decay of the policy's moving average, which is what acts; 0 for none."""


USUAL = {"objective": None, "penalty": None, "entropy": 0.0, "updates": 1_000, "learning_rate": 3e-3}
GAIL = {
    "objective": "wasserstein", "penalty": "gradient-penalty", "entropy": 0.1, "updates": 300, "learning_rate": 2e-3,
}  # fmt: skip
RECIPES = {
    "behaviour-cloning": USUAL,
    "dagger": USUAL,
    "gail": GAIL,
    "airl": GAIL | {"objective": "minimax", "penalty": "none", "entropy": 0.01, "learning_rate": 1e-3},
}

LEAST = {"episodes": 1, "every": 1, "round_updates": 1, "rounds": 0, "horizon": 0, "warm_start": 0, "entropy": 0}

Options = TypeVar("Options", bound=ImitationOptions)
Learn = Callable[[BehaviourCloner, Data, int], imitation.BatchPolicy]
"""Train a policy so many updates on these data; gives what it does."""


def completed(options: Options) -> Options:
    """The options with what was left out filled in, as is usual for the method.

    Raises:
        UsageError: for options out of range, or that do not go together.
    """
    usual = RECIPES[options.method]
    options = dataclasses.replace(options, **{n: v for n, v in usual.items() if getattr(options, n) is None})
    adversarial = options.method in ADVERSARIAL
    if adversarial and (options.devices.strategy != "one" or options.devices.precision != "float32"):
        raise UsageError(
            f"--method {options.method} trains on one device in float32: leave out --strategy and --precision."
        )
    if options.method == "airl" and options.objective != "minimax":
        raise UsageError(f"--method airl plays minimax, not {options.objective}: leave --objective out, or use gail.")
    for name, least in LEAST.items():
        if getattr(options, name) < least:
            said = "at least 1" if least else "0 or more"
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give {said}.")
    for name in ("learning_rate", "discriminator_learning_rate"):
        if not 0 < getattr(options, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give more than 0, less than 1.")
    if options.method == "dagger" and options.data != "expert":
        raise UsageError(
            f"--method dagger asks the expert as it goes, which the file {options.data} cannot answer: "
            "leave --data out, or use behaviour-cloning."
        )
    return options


def shown(options: ImitationOptions, split: str) -> tuple[Demonstrations, int]:
    """The demonstrations to learn from, or to judge by; and their seed."""
    environment = imitation.make(options.environment, options.horizon)
    seed = 2 * options.seed + (split == "test")
    if options.data == "expert":
        policy = imitation.one(expert(options.environment))
        return demonstrations.record(environment, policy, options.episodes, seed), seed
    found = demonstrations.load(options.data, environment)
    held_out = split == "test" and len(found.lengths) > options.episodes
    return found.between(*((options.episodes, len(found.lengths)) if held_out else (0, options.episodes))), seed


def to_clone(options: ImitationOptions, split: str, learn: Learn) -> Data:
    """What was seen and done, side by side; for dagger with the expert's answers, asked for as `learn` gets better."""
    found, seed = shown(options, split)
    observations, actions = found.pairs(options.every, seed)
    if options.method == "dagger" and split == "train":
        observations, actions = imitation.dagger(
            options.environment, expert(options.environment), observations, actions, _learner(options, learn),
            rounds=options.rounds, horizon=options.horizon, every=options.every, seed=options.seed,
        )  # fmt: skip
    return _packed(options, split, observations, actions)


def cloner(options: ImitationOptions, data: Data) -> BehaviourCloner:
    """Two hidden layers over observations of mean 0 and variance 1.

    Raises:
        UsageError: for actions that are neither one choice nor a vector.
    """
    space = imitation.make(options.environment).action_space
    discrete = isinstance(space, gymnasium.spaces.Discrete)
    if not discrete and not (isinstance(space, gymnasium.spaces.Box) and len(space.shape) == 1):
        raise UsageError(
            f"the actions of {options.environment} are {space}, but --method {options.method} learns one choice or a "
            "vector: use gail."
        )
    columns = 1 if discrete else space.shape[0]
    size = data.shape[0] - columns
    network = networks.get("mlp").discriminator(
        (size,), widths=(options.width,) * 2, activation="tanh", seed=options.seed,
        outputs=int(space.n) if discrete else columns,
    )  # fmt: skip
    network = standardised(network, data.examples[:, :size])
    model = BehaviourCloner(network, discrete, average_decay=options.average_decay, seed=options.seed)
    decay = keras.optimizers.schedules.CosineDecay(options.learning_rate, max(1, options.updates))
    model.compile(policy_optimizer=keras.optimizers.Adam(decay), jit_compile=options.devices.jit)
    return model


def adversary(options: ImitationOptions) -> AdversarialImitator:
    """PPO in sixteen copies of the environment, on the reward of a discriminator."""
    environments = Environments(options.environment, COPIES, options.seed, limit=options.horizon or None)
    found, seed = shown(options, "train")
    rules = OnPolicyOptions(
        rollout=128, minibatch=256, epochs=5, discount=0.995, trace=0.98, entropy=options.entropy,
        entropy_decay=options.method == "gail", decay=True, learning_rate=options.learning_rate,
        widths=(options.width,) * 2,
    )  # fmt: skip
    judge = JudgeOptions(
        objective=options.objective, penalty=options.penalty, widths=(options.width,) * 2,
        learning_rate=options.discriminator_learning_rate, batch_size=options.batch_size,
        state_only=options.state_only,
    )  # fmt: skip
    rows = demonstrated(found, environments.spaces, environments.limit, options.every, seed)
    return ADVERSARIAL[options.method](environments, rules, rows, judge, options.updates, True, options.seed)


def _learner(options: ImitationOptions, learn: Learn):
    """What dagger learns by between its rounds: one policy that goes on, on all there is so far."""
    made: list[BehaviourCloner] = []

    def go_on(observations: np.ndarray, actions: np.ndarray) -> imitation.BatchPolicy:
        data = _packed(options, "train", observations, actions)
        if not made:
            made.append(cloner(dataclasses.replace(options, updates=10**9), data))
        return learn(made[0], data, options.round_updates)

    return go_on


def _packed(options: ImitationOptions, split: str, observations: np.ndarray, actions: np.ndarray) -> Data:
    columns = [part.reshape(len(part), -1).astype(np.float32) for part in (observations, actions)]
    licence = f"as the author of {options.data} has it"
    if options.data == "expert":
        licence = "episodes played on this machine, free to use"
    name = f"{options.environment} by {options.data}"
    return Data(name=name, split=split, examples=np.concatenate(columns, axis=1), licence=licence)
