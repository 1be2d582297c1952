"""Episodes that somebody played, to be learnt from: recorded, written, read back and checked.

A file of demonstrations is a NumPy archive (.npz) that holds

    format               the number 1
    environment          its gymnasium id, such as CartPole-v1
    observation_space    what the environment says of itself, as text
    action_space         likewise
    lengths              int64 [episodes], the steps of each
    observations         [steps + episodes, ...]: of every episode one more than steps, since the last one is kept
    actions              [steps, ...], what was done at the observation of the same place in the episode
    rewards              float64 [steps]
    terminated           bool [steps], whether the step ended the episode
    truncated            bool [steps], whether the step was the last only because the time was up

one episode after the other. Nothing in it is pickled.
"""

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import gymnasium
import h5py
import numpy as np

from kgan.errors import UsageError

FORMAT = 1
STEPS = ("actions", "rewards", "terminated", "truncated")

Policy = Callable[[np.ndarray], np.ndarray]
"""What is done at one observation."""


class Enough(Exception):
    """Raised by a policy, such as a person, that will not play on; the episode under way is not kept."""


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """Episodes of one environment; the arrays are as the file has them."""

    environment: str
    observation_space: str
    action_space: str
    lengths: np.ndarray
    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray

    @property
    def returns(self) -> np.ndarray:
        """The undiscounted return of each episode, [episodes]."""
        return np.add.reduceat(self.rewards, np.cumsum(self.lengths) - self.lengths)

    def between(self, begin: int, end: int) -> "Demonstrations":
        """The episodes number `begin` to `end` - 1.

        Raises:
            UsageError: when there are not so many.
        """
        count = len(self.lengths)
        if not 0 <= begin < end <= count:
            raise UsageError(f"episodes {begin + 1} to {end} were asked for, but there are only 1 to {count}.")
        first, last = (int(self.lengths[:bound].sum()) for bound in (begin, end))
        kept = {name: getattr(self, name)[first:last] for name in STEPS}
        kept |= {"lengths": self.lengths[begin:end], "observations": self.observations[first + begin : last + end]}
        return replace(self, **kept)

    def pairs(self, every: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """What was seen and what was then done, [N, ...] each; `every` and `seed` as of `chosen`."""
        before, kept = self.chosen(every, seed)
        return self.observations[before], self.actions[kept]

    def chosen(self, every: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Where to find a part of the steps: int [N] places of the observations before them, and of all else.

        Args:
            every: keep only one step in so many of each episode, from a first one drawn at random (Ho & Ermon 2016).
            seed: of those first ones.
        """
        if every < 1:
            raise UsageError(f"every is {every}: give 1 for all steps, 10 for one in ten.")
        random = np.random.default_rng(seed)
        ends = np.cumsum(self.lengths)
        kept = np.concatenate(
            [
                np.arange(end - length + random.integers(0, min(every, length)), end, every)
                for end, length in zip(ends, self.lengths, strict=True)
            ]
        )
        return kept + np.searchsorted(ends, kept, side="right"), kept


def record(environment: gymnasium.Env, policy: Policy, episodes: int, seed: int = 0) -> Demonstrations:
    """Play so many episodes by a policy, or until it has had `Enough`; the same seed begins the same ones.

    Raises:
        UsageError: when no episode is asked for, or none was played to its end.
    """
    if episodes < 1:
        raise UsageError(f"{episodes} episodes cannot be recorded: give at least 1.")
    lengths, seen, steps = [], [], {name: [] for name in STEPS}
    try:
        for index in range(episodes):
            observations, done = _episode(environment, policy, seed if index == 0 else None)
            lengths.append(len(done))
            seen += observations
            for name, values in zip(STEPS, zip(*done, strict=True), strict=True):
                steps[name] += values
    except Enough:
        if not lengths:
            raise UsageError("no episode was played to its end, so none is recorded: play at least one.") from None
    return Demonstrations(
        environment.spec.id,
        str(environment.observation_space),
        str(environment.action_space),
        np.array(lengths, np.int64),
        np.array(seen),
        np.array(steps["actions"]),
        np.array(steps["rewards"], np.float64),
        np.array(steps["terminated"], bool),
        np.array(steps["truncated"], bool),
    )


def _episode(environment: gymnasium.Env, policy: Policy, seed: int | None) -> tuple[list, list[tuple]]:
    """What was seen, and of each step what STEPS names."""
    observation, _ = environment.reset(seed=seed)
    seen, steps, over = [observation], [], False
    while not over:
        action = policy(observation)
        observation, reward, terminated, truncated, _ = environment.step(action)
        seen.append(observation)
        steps.append((action, reward, terminated, truncated))
        over = terminated or truncated
    return seen, steps


def save(demonstrations: Demonstrations, path: str | os.PathLike) -> None:
    """Write the file; it is there whole or not at all.

    Raises:
        UsageError: when it cannot be written.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.partial")
    try:
        with open(beside, "wb") as file:
            np.savez_compressed(file, format=FORMAT, **vars(demonstrations))
        os.replace(beside, path)
    except OSError as error:
        raise UsageError(f"cannot write the demonstrations {path} ({error.strerror}): give a writable file.") from None


def load(path: str | os.PathLike, environment: gymnasium.Env | None = None) -> Demonstrations:
    """Read a file of this format, or a data set of Minari's: its directory or its main_data.hdf5.

    Args:
        path: the file.
        environment: what they have to be of; anything when left out.

    Raises:
        UsageError: when it is missing, damaged, of another environment, or its arrays do not fit together.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError(f"there are no demonstrations at {path}: give a file that `record` has written.")
    try:
        if path.is_dir() or path.suffix == ".hdf5":
            found = _minari(path)
        else:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            if int(arrays.pop("format")) != FORMAT:
                raise UsageError(f"the demonstrations {path} are of a later format: update kgan, or record them again.")
            texts = {name: str(arrays.pop(name)) for name in ("environment", "observation_space", "action_space")}
            found = Demonstrations(**texts, **arrays)
    except UsageError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"the demonstrations {path} are damaged ({error}): record them again.") from None
    _check(found, path, environment)
    return found


def _check(found: Demonstrations, path: Path, environment: gymnasium.Env | None) -> None:
    steps, episodes = int(found.lengths.sum()), len(found.lengths)
    if not episodes or (found.lengths < 1).any():
        raise UsageError(f"the demonstrations {path} have an episode without a step: record them again.")
    have = {name: len(getattr(found, name)) for name in STEPS} | {"observations": len(found.observations) - episodes}
    for name, count in have.items():
        if count != steps:
            raise UsageError(f"the demonstrations {path} have {count} {name} for {steps} steps: record them again.")
    if not np.isfinite(np.asarray(found.observations, np.float64)).all():
        raise UsageError(f"the demonstrations {path} have observations that are not finite: record them again.")
    if environment is None:
        return
    if found.environment != environment.spec.id:
        raise UsageError(
            f"the demonstrations {path} are of {found.environment}, not of {environment.spec.id}: "
            f"give --environment {found.environment}, or others."
        )
    for what, rows, space in (
        ("observations", found.observations, environment.observation_space),
        ("actions", found.actions, environment.action_space),
    ):
        if rows.shape[1:] != space.shape:
            raise UsageError(
                f"the {what} of {path} are of shape {rows.shape[1:]}, but those of {environment.spec.id} are of shape "
                f"{space.shape}: record them again in this environment."
            )
    space = environment.action_space
    if isinstance(space, gymnasium.spaces.Discrete):
        last = space.start + space.n - 1
        if found.actions.min() < space.start or found.actions.max() > last:
            raise UsageError(
                f"the actions of {path} go from {found.actions.min()} to {found.actions.max()}, but those of "
                f"{environment.spec.id} from {space.start} to {last}: record them again in this environment."
            )


def _minari(path: Path) -> Demonstrations:
    """A data set as Minari 0.5 writes it: main_data.hdf5, one group an episode, and metadata.json beside it."""
    main = path
    if path.is_dir():
        main = next((place for place in (path / "main_data.hdf5", path / "data" / "main_data.hdf5")
                     if place.exists()), None)  # fmt: skip
        if main is None:
            raise UsageError(f"{path} is a directory without a main_data.hdf5: give a data set of Minari's.")
    card = json.loads((main.parent / "metadata.json").read_text(encoding="utf8"))
    spec = json.loads(card.get("env_spec") or "{}")
    if "id" not in spec:
        raise UsageError(f"the data set {path} does not say of which environment it is: record it with one.")
    parts = {name: [] for name in ("observations", "actions", "rewards", "terminations", "truncations")}
    with h5py.File(main, "r") as file:
        for index in range(len(file)):
            group = file[f"episode_{index}"]
            for name, rows in parts.items():
                if not isinstance(group[name], h5py.Dataset):
                    raise UsageError(
                        f"the {name} of {path} are of several parts, but only arrays can be read: "
                        "flatten them before recording."
                    )
                rows.append(group[name][()])
    return Demonstrations(
        spec["id"],
        str(card.get("observation_space", "")),
        str(card.get("action_space", "")),
        np.array([len(rewards) for rewards in parts["rewards"]], np.int64),
        np.concatenate(parts["observations"]),
        np.concatenate(parts["actions"]),
        np.concatenate(parts["rewards"]).astype(np.float64),
        np.concatenate(parts["terminations"]).astype(bool),
        np.concatenate(parts["truncations"]).astype(bool),
    )
