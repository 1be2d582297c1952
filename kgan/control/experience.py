"""Episodes of a fixed policy, as the transitions that a critic learns from."""

from collections.abc import Callable

import gymnasium
import numpy as np

from kgan.control import tabular
from kgan.datasets.data import Data, stream_seed
from kgan.datasets.transitions import Transitions, pack
from kgan.errors import UsageError, suggestion

WALK = "random-walk"
WALK_STATES, WALK_REACH = 1_000, 100
LARGEST_OBSERVATION = 1_000
LICENCE = "episodes played on this machine, free to use"

Policy = Callable[[np.ndarray], int]


def walk_positions() -> np.ndarray:
    """What the states of the long walk look like: their places between -1 and 1, float32 [states, 1]."""
    return np.linspace(-1, 1, WALK_STATES, dtype=np.float32)[:, None]


def long_walk() -> tabular.World:
    """The walk of 1,000 states, with jumps of up to 100."""
    return tabular.random_walk(WALK_STATES, WALK_REACH)


def load(name: str, split: str, *, episodes: int, discount: float, seed: int = 0) -> Data:
    """The steps of so many episodes in which every action is taken alike.

    Args:
        name: "random-walk", or the id of a gymnasium environment whose observations are numbers.
        split: "train" or "test", which never share an episode.
        episodes: at least 1.
        discount: of the rewards, in [0, 1].
        seed: of the policy and the environment.

    Returns:
        Data whose examples are packed transitions, float32 [N, 2 d + 3], in the order in which they were met.

    Raises:
        UsageError: for an environment that is not known, or that this cannot look at.
    """
    if episodes < 1:
        raise UsageError(f"--episodes is {episodes}: give at least 1.")
    if not 0 <= discount <= 1:
        raise UsageError(f"--discount is {discount}: give a number from 0 to 1.")
    play = _walk if name == WALK else _gymnasium
    steps = play(name, episodes, discount, stream_seed(seed, split))
    return Data(name=name, split=split, examples=pack(steps), licence=LICENCE)


def _walk(name: str, episodes: int, discount: float, seed: int) -> Transitions:
    world = long_walk()
    played = tabular.simulate(world, world.uniform(), episodes, seed=seed)
    positions = np.vstack([walk_positions(), np.zeros((1, 1), np.float32)])
    states, following = played.states[:, :-1, 0], played.states[:, 1:, 0]
    met = states < played.end
    return Transitions(
        positions[states[met]],
        positions[following[met]],
        played.rewards[..., 0][met],
        np.where(following[met] < played.end, discount, 0.0),
        played.returns(discount)[..., 0][met],
    )


def _gymnasium(name: str, episodes: int, discount: float, seed: int) -> Transitions:
    environment = make(name)
    environment.action_space.seed(seed)
    space = environment.observation_space
    parts = Transitions([], [], [], [], [])
    for episode in range(episodes):
        seen, _ = environment.reset(seed=seed if episode == 0 else None)
        seen, rewards, over = gymnasium.spaces.flatten(space, seen), [], False
        while not over:
            following, reward, terminated, truncated, _ = environment.step(environment.action_space.sample())
            following, over = gymnasium.spaces.flatten(space, following), terminated or truncated
            parts.observations.append(seen)
            parts.next_observations.append(following)
            parts.discounts.append(0.0 if terminated else discount)
            rewards.append(reward)
            seen = following
        parts.rewards.extend(rewards)
        parts.returns.extend(discounted_sums(rewards, discount))
    environment.close()
    return parts


def discounted_sums(rewards: list[float], discount: float) -> list[float]:
    """The return from each step of one episode."""
    sums, following = [], 0.0
    for reward in reversed(rewards):
        following = reward + discount * following
        sums.append(following)
    return sums[::-1]


def make(name: str) -> gymnasium.Env:
    """The environment of this id.

    Raises:
        UsageError: when there is none, what it needs is not installed, or its observations are no few numbers.
    """
    try:
        environment = gymnasium.make(name)
    except gymnasium.error.DependencyNotInstalled as error:
        raise UsageError(f"the environment {name} needs a package that is not installed: {error}.") from None
    except (gymnasium.error.Error, ImportError):
        raise UsageError(f"unknown environment {name!r}: {suggestion(name, [WALK, *_few()])}.") from None
    space = environment.observation_space
    if not space.is_np_flattenable or gymnasium.spaces.flatdim(space) > LARGEST_OBSERVATION:
        raise UsageError(
            f"the observations of {name} are {space}, but a value network here takes up to {LARGEST_OBSERVATION} "
            "numbers: choose an environment such as CartPole-v1."
        )
    return environment


def _few() -> list[str]:
    """The environments that come with gymnasium and need nothing more."""
    own = ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text")
    return [name for name, spec in gymnasium.registry.items() if str(spec.entry_point).startswith(own)]
