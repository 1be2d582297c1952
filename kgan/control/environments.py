"""Gymnasium's environments in batches, as an actor meets them.

Observations are float32 vectors and actions are what a policy is made of: one choice out of n, or a vector in
[-1, 1]. What an environment's spaces really are is said once, in `Spaces`, which also goes into an exported policy.
"""

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from kgan.errors import UsageError

LONGEST_EPISODE = 10_000  # steps, where the environment itself sets no limit
GAMES = "ALE/"  # what the names of the Arcade Learning Environment's games begin with
ALE_PY = "0.12.1"  # the version that was tried
MOST_CHOICES = 4_096  # combinations that an action of several parts may have


@dataclass(frozen=True)
class Spaces:
    """How an environment's spaces look to a policy.

    Attributes:
        observation: length of the vector that an observation is; of a picture, how many bytes.
        choices: [n, ...] what the environment is given for each of n choices; None where actions are vectors.
        low, high: [d] bounds of a vector action, which a policy sees as -1 and 1; None where actions are choices.
        shape: of one action as the environment takes it.
        picture: height, width and channels of an observation that is a picture; None where it is a vector.
    """

    observation: int
    choices: np.ndarray | None
    low: np.ndarray | None
    high: np.ndarray | None
    shape: tuple[int, ...]
    picture: tuple[int, int, int] | None = None

    @property
    def seen(self) -> tf.TensorSpec:
        """What a policy is given of one observation: float32 [D], or uint8 [H, W, C] of a picture."""
        if self.picture is not None:
            return tf.TensorSpec(self.picture, tf.uint8)
        return tf.TensorSpec([self.observation], tf.float32)

    @property
    def actions(self) -> int:
        """How many choices, or numbers in a vector, an action has."""
        return len(self.choices) if self.choices is not None else len(self.low)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """A policy's actions [N] or [N, d] as the environment takes them, [N, *shape]; vectors are clipped."""
        if self.choices is not None:
            return self.choices[actions]
        scaled = self.low + (np.clip(actions, -1.0, 1.0) + 1.0) / 2 * (self.high - self.low)
        return scaled.reshape(-1, *self.shape).astype(np.float32)

    def from_environment(self, actions: np.ndarray) -> np.ndarray:
        """The environment's actions [N, *shape] as a policy has them, [N] or [N, d].

        Raises:
            UsageError: for an action that is none of the choices.
        """
        if self.choices is None:
            flat = actions.reshape(len(actions), -1)
            return (2 * (flat - self.low) / (self.high - self.low) - 1).astype(np.float32)
        same = (actions[:, None] == self.choices).reshape(len(actions), len(self.choices), -1).all(axis=2)
        if not same.any(axis=1).all():
            raise UsageError(
                f"the action {actions[~same.any(axis=1)][0]} is none of the {len(self.choices)} that there are: "
                "record the demonstrations in this environment."
            )
        return same.argmax(axis=1)

    def in_graph(self, actions: tf.Tensor) -> tf.Tensor:
        """The same as `to_environment` for tensors, inside an exported policy."""
        if self.choices is not None:
            return tf.gather(tf.constant(self.choices), actions)
        scaled = self.low + (tf.clip_by_value(actions, -1.0, 1.0) + 1.0) / 2 * (self.high - self.low)
        return tf.reshape(scaled, [-1, *self.shape])


class Step(NamedTuple):
    """What a batch of environments answered; each field has one entry an environment.

    `final` is the observation that the step led to; `observations`, from which to act next, differs from it where an
    episode has ended and a new one has begun. The future is worth nothing after `terminated` alone; `lost` says where
    an actor should learn as if it were, although the episode goes on: in a game, where it has lost a life.
    """

    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    final: np.ndarray
    lost: np.ndarray | bool = False

    @property
    def ended(self) -> np.ndarray:
        """Where an episode ended, for whichever reason."""
        return self.terminated | self.truncated


class Environments:
    """Copies of one gymnasium environment that step together; each episode begins from a seed of its own.

    The seed of episode k of copy i is a pure function of `seed`, i and k, so that where a copy stands follows from k
    and the actions since: `state` and `restore` bring a run back to the very step, for every environment that its
    seed and actions decide. Resets are ours (`AutoresetMode.DISABLED`), since gymnasium's own take no seed.

    Raises:
        UsageError: the environment is unknown or not installed, or a space is of a kind that policies cannot have.
    """

    def __init__(self, name: str, count: int, seed: int = 0, limit: int | None = None, **options):
        """Make them and begin their first episodes.

        Args:
            name: as gymnasium knows the environment.
            count: how many copies.
            seed: all episodes follow from it.
            limit: steps after which an episode is cut off; None is the environment's own.
            options: to `gymnasium.make`.
        """
        self.name, self.count, self.seed = name, count, seed
        self.limit = limit or self.longest()
        self.vector = self.make(**options)
        self.spaces = self.describe()
        shape, kind = ((), np.int32) if self.spaces.choices is not None else ((self.spaces.actions,), np.float32)
        self.actions = np.zeros((count, self.limit, *shape), kind)  # since each episode began
        self.episodes = np.zeros(count, np.int64)
        self.lengths = np.zeros(count, np.int64)
        self.returns = np.zeros(count)
        self.shown: list = [None] * count  # by each copy, as the environment has it
        self.observations = self._reset(np.ones(count, bool))

    # What other kinds of environments do otherwise.

    def longest(self) -> int:
        """Steps of the longest episode."""
        return specification(self.name).max_episode_steps or LONGEST_EPISODE

    def make(self, **options) -> gymnasium.vector.VectorEnv:
        """The copies."""
        return make_vector(self.name, self.count, AutoresetMode.DISABLED, max_episode_steps=self.limit, **options)

    def describe(self) -> Spaces:
        """What the copies' spaces are to a policy."""
        return spaces_of(self.vector, self.name)

    def advance(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray | bool]:
        """Step all copies: observations, rewards, terminated, truncated, and what `Step.lost` says."""
        # Not by the vector environment's own step: gathering infos that nobody reads takes it as long as stepping.
        rewards, terminated, truncated = np.zeros(self.count), *np.zeros((2, self.count), bool)
        choices = actions.tolist() if actions.ndim == 1 else actions  # of which Discrete.contains is quicker
        for index, (environment, action) in enumerate(zip(self.vector.envs, choices, strict=True)):
            self.shown[index], rewards[index], terminated[index], truncated[index], _ = environment.step(action)
        return np.stack(self.shown), rewards, terminated, truncated, False

    def begin_anew(self, which: np.ndarray, seeds: list[int | None]) -> np.ndarray:
        """Reset the copies where `which`; gives what all of them show."""
        for index in np.flatnonzero(which):
            self.shown[index], _ = self.vector.envs[index].reset(seed=seeds[index])
        return np.stack(self.shown)

    def seen(self, observations: np.ndarray) -> np.ndarray:
        """A copy of what the copies show, as a policy is given it: here float32 [N, D]."""
        return observations.reshape(len(observations), -1).astype(np.float32)

    def replay(self, taken: np.ndarray, lengths: np.ndarray) -> None:
        """Take the first `lengths[i]` actions of `taken[i]` in copy i, whose episode has just begun."""
        for index, environment in enumerate(self.vector.envs):
            for at in range(lengths[index]):
                observation, reward, *_ = environment.step(taken[index, at])
                self.returns[index] += reward
            if lengths[index]:
                self.observations[index] = self.seen(observation[None])[0]

    # What all do.

    def step(self, actions: np.ndarray) -> Step:
        """Take a policy's actions, [count] choices or [count, d] vectors in [-1, 1]; ended episodes begin anew."""
        self.actions[np.arange(self.count), self.lengths] = actions
        return self.take(self.spaces.to_environment(actions))

    def take(self, actions: np.ndarray) -> Step:
        """Take actions as the environment itself has them, [count, *shape]; `restore` knows nothing of these."""
        final, rewards, terminated, truncated, lost = self.advance(actions)
        # The vector environment goes on writing into what it returned.
        final, rewards = self.seen(final), rewards.copy()
        terminated, truncated = terminated.copy(), truncated & ~terminated
        self.lengths += 1
        self.returns += rewards
        ended = terminated | truncated
        self.observations = final
        if ended.any():
            self.episodes += ended
            self.observations = self._reset(ended)
        return Step(self.observations, rewards, terminated, truncated, final, lost)

    def begin(self, episodes: int | np.ndarray) -> None:
        """Give up what is under way and begin the episodes of these numbers."""
        self.episodes[:] = episodes
        self.observations = self._reset(np.ones(self.count, bool))

    def state(self) -> dict[str, np.ndarray]:
        """Where every copy stands, as arrays of shapes that never change."""
        return {"episodes": self.episodes, "lengths": self.lengths, "actions": self.actions}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back to where `state` was taken, by taking the same actions again."""
        lengths = state["lengths"]
        self.actions[:] = state["actions"]
        self.begin(state["episodes"])
        taken = self.spaces.to_environment(self.actions.reshape(-1, *self.actions.shape[2:]))
        taken = taken.reshape(self.count, self.limit, *self.spaces.shape)
        self.replay(taken, lengths)
        self.lengths = lengths.copy()

    def render(self) -> np.ndarray | None:
        """A picture of the first copy, uint8 [H, W, 3], where it was made with render_mode="rgb_array"."""
        return self.vector.envs[0].render()

    def close(self) -> None:
        """Give back windows and memory."""
        self.vector.close()

    def _reset(self, which: np.ndarray) -> np.ndarray:
        seeds = [
            int(np.random.SeedSequence([self.seed, index, int(self.episodes[index])]).generate_state(1)[0])
            if which[index]
            else None
            for index in range(self.count)
        ]
        self.lengths[which] = 0
        self.returns[which] = 0
        return self.seen(self.begin_anew(which, seeds))


def specification(name: str) -> gymnasium.envs.registration.EnvSpec:
    """What gymnasium knows of the environment.

    Raises:
        UsageError: it knows none of this name; the nearest names are listed.
    """
    module, _, own = name.rpartition(":")
    game = own.startswith(GAMES)
    try:
        for needed in filter(None, [module, "ale_py" if game else ""]):
            importlib.import_module(needed)  # which registers them
        return gymnasium.spec(own)
    except ImportError as error:
        raise UsageError(
            f"the environment {name!r} needs {error.name}, which is not installed: "
            + (f'pip install "ale-py=={ALE_PY}".' if error.name == "ale_py" else "install it.")
        ) from None
    except (gymnasium.error.Error, ValueError):
        known = sorted(
            key
            for key, one in gymnasium.registry.items()
            if (key.startswith(GAMES) if game else not str(one.entry_point).startswith("ale_py") and "/" not in key)
        )
        some = [f"{GAMES}SpaceInvaders-v5", f"{GAMES}Pong-v5"] if game else ["CartPole-v1", "Pendulum-v1"]
        near = difflib.get_close_matches(own, known, n=4, cutoff=0.4) or some
        where = " (of a package of its own it is named with its module: module:Name-v0)" if "/" in own else ""
        raise UsageError(
            f"unknown environment {name!r}{'' if game else where}: choose another, such as "
            f"{', '.join(map(repr, near))}."
        ) from None


_EXTRAS = {"box2d": "box2d", "mujoco": "mujoco", "toy_text": "toy-text", "classic_control": "classic-control"}


def as_box(environment: gymnasium.Env) -> gymnasium.Env:
    """The environment with its observations flattened as gymnasium does it, unless they are boxes.

    Raises:
        UsageError: they have no fixed length.
    """
    space = environment.observation_space
    if isinstance(space, spaces.Box):
        return environment
    if not space.is_np_flattenable:
        raise UsageError(
            f"the observations of {environment.spec.id!r} are {type(space).__name__}, whose length is not fixed: "
            "wrap the environment to give a Box, Discrete, MultiDiscrete, MultiBinary, Dict or Tuple."
        )
    return gymnasium.wrappers.FlattenObservation(environment)


def make_vector(
    name: str,
    count: int,
    autoreset: AutoresetMode,
    wrapper: Callable[[gymnasium.Env], gymnasium.Env] = as_box,
    **options,
) -> gymnasium.vector.SyncVectorEnv:
    """`count` copies in their wrapper.

    Raises:
        UsageError: as for `specification`; or the environment's own package is missing.
    """
    entry = str(specification(name).entry_point)
    try:
        return gymnasium.make_vec(
            name, count, vectorization_mode="sync", wrappers=[wrapper],
            vector_kwargs={"autoreset_mode": autoreset, "copy": False}, disable_env_checker=True, **options,
        )  # fmt: skip
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        extra = next((extra for part, extra in _EXTRAS.items() if part in entry), None)
        command = f"pip install 'gymnasium[{extra}]'" if extra else "install its package"
        raise UsageError(f"the environment {name!r} lacks a package ({_first_line(error)}): {command}.") from None
    except gymnasium.error.Error as error:
        raise UsageError(f"the environment {name!r} cannot be made ({_first_line(error)}): try another.") from None


def spaces_of(vector: gymnasium.vector.VectorEnv, name: str) -> Spaces:
    """What the spaces of `make_vector`'s environments are to a policy.

    Raises:
        UsageError: for actions that are neither choices nor a bounded box.
    """
    observation, action = vector.single_observation_space, vector.single_action_space
    length = int(np.prod(observation.shape))
    if isinstance(action, spaces.Box):
        low, high = action.low.ravel(), action.high.ravel()
        if not (np.issubdtype(action.dtype, np.floating) and np.isfinite(low).all() and np.isfinite(high).all()):
            raise UsageError(
                f"the actions of {name!r}, {action}, have no bounds: a policy needs a bounded box of floats."
            )
        return Spaces(length, None, low.astype(np.float32), high.astype(np.float32), action.shape)
    counts = starts = None
    if isinstance(action, spaces.Discrete):
        choices = np.arange(action.start, action.start + action.n)
        return Spaces(length, choices.astype(np.int64), None, None, ())
    if isinstance(action, spaces.MultiDiscrete | spaces.MultiBinary) and len(action.shape) == 1:
        counts = action.nvec if isinstance(action, spaces.MultiDiscrete) else np.full(action.shape, 2)
        starts = getattr(action, "start", np.zeros_like(counts))
        if np.prod(counts.astype(float)) <= MOST_CHOICES:
            choices = np.stack(np.unravel_index(np.arange(np.prod(counts)), counts), axis=-1) + starts
            return Spaces(length, choices.astype(np.int64), None, None, action.shape)
        raise UsageError(
            f"the actions of {name!r}, {action}, have more than {MOST_CHOICES:,} combinations: "
            "take an environment with fewer."
        )
    raise UsageError(
        f"the actions of {name!r} are {type(action).__name__}: a policy can have Discrete, MultiDiscrete, MultiBinary "
        "or bounded Box actions, so wrap the environment to give one of those."
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
