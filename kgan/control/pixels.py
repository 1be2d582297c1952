"""Environments that are looked at: small grey pictures, four in a row, as an actor meets Atari's games.

Pictures are uint8 [84, 84, 4], the newest last (Mnih 2015). Atari's games come from ale-py's own native vector
environment: each action is held for four frames, of which the brighter of the last two is seen; an episode begins with
up to 30 idle frames and, where a game needs it, with its fire button; with the probability that the game's id
registers, an action is repeated instead of the chosen one (Machado 2018). Rewards are the game's own score.
"""

import dataclasses

import gymnasium
import numpy as np
import tensorflow as tf
from gymnasium import spaces, wrappers
from gymnasium.vector import AutoresetMode
from PIL import Image

from kgan.control.environments import Environments, Spaces, make_vector, specification
from kgan.errors import UsageError

SIDE = 84
STACK = 4
FRAME_SKIP, FRAMES_PER_SECOND = 4, 60
MOST_SEED = 2**31 - 1


class PixelEnvironments(Environments):
    """Copies of an environment whose observations are pictures: any of gymnasium's, made grey, small and stacked.

    Raises:
        UsageError: as for `Environments`; or the observations are not pictures.
    """

    def make(self, render_mode: str | None = None, **options) -> gymnasium.vector.VectorEnv:
        """The copies, each in gymnasium's own wrappers."""
        options |= {"wrapper": as_pictures, "max_episode_steps": self.limit}
        return _drawable(make_vector(self.name, self.count, AutoresetMode.DISABLED, **options))

    def describe(self) -> Spaces:
        """What the copies' spaces are to a policy."""
        stack, height, width = self.vector.single_observation_space.shape
        return dataclasses.replace(super().describe(), picture=(height, width, stack))

    def seen(self, observations: np.ndarray) -> np.ndarray:
        """A copy as uint8 [N, H, W, STACK]."""
        return np.ascontiguousarray(np.moveaxis(observations, 1, -1))

    def render(self) -> np.ndarray:
        """What the first copy shows, uint8 [H, W, 3], grey as it is seen."""
        return np.repeat(self.observations[0, :, :, -1:], 3, axis=2)


class AtariEnvironments(PixelEnvironments):
    """Copies of one of ale-py's games; `Step.lost` is where a life was lost, but the game goes on.

    Raises:
        UsageError: ale-py is missing, or has no such game.
    """

    def longest(self) -> int:
        """Actions of the longest game."""
        return specification(self.name).kwargs["max_num_frames_per_episode"] // FRAME_SKIP

    def make(self, render_mode: str | None = None, **options) -> gymnasium.vector.VectorEnv:
        """The copies, and where they are to be drawn, a second set of them that sees colours."""
        # Resets are ours: an ended copy is reset by its seed before the mode's own would come.
        options |= {
            "vectorization_mode": "vector_entry_point", "autoreset_mode": AutoresetMode.NEXT_STEP,
            "num_threads": min(self.count, tf.config.threading.get_intra_op_parallelism_threads()),
            "frameskip": FRAME_SKIP, "max_num_frames_per_episode": self.limit * FRAME_SKIP, "reward_clipping": False,
        }  # fmt: skip
        colours = {"grayscale": False, "stack_num": 1, "img_height": 210, "img_width": 160}
        self.coloured = gymnasium.make_vec(self.name, self.count, **options, **colours) if render_mode else None
        self.lives, self.drawn = np.zeros(self.count, np.int32), None
        grey = {"stack_num": STACK, "img_height": SIDE, "img_width": SIDE}
        return _drawable(gymnasium.make_vec(self.name, self.count, **options, **grey), FRAMES_PER_SECOND / FRAME_SKIP)

    def advance(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray | bool]:
        """Step all copies."""
        observations, rewards, terminated, truncated, info = self.vector.step(actions)
        if self.coloured:
            self.drawn = self.coloured.step(actions)[0]
        lost, self.lives = info["lives"] < self.lives, info["lives"].copy()
        return observations, rewards.astype(np.float32), terminated, truncated, lost & ~terminated

    def begin_anew(self, which: np.ndarray, seeds: list[int | None]) -> np.ndarray:
        """Reset the copies where `which`; gives what all of them show."""
        given = {
            "seed": np.array([seed % MOST_SEED for seed in seeds if seed is not None]),
            "options": {"reset_mask": which},
        }
        observations, info = self.vector.reset(**given)
        if self.coloured:
            self.drawn = self.coloured.reset(**given)[0]
        self.lives = info["lives"].copy()
        return observations

    def replay(self, taken: np.ndarray, lengths: np.ndarray) -> None:
        """Take the first `lengths[i]` actions of `taken[i]` in copy i, whose episode has just begun.

        No copy can step alone, so they come to their ends together: one with less to do begins anew when it is time.
        """
        longest = int(lengths.max())
        for t in range(longest):
            at = t - (longest - lengths)
            if t and (at == 0).any():
                self._reset(at == 0)
            actions = taken[np.arange(self.count), np.maximum(at, 0)]
            observations, rewards, *_ = self.advance(actions)
            self.returns += rewards * (at >= 0)
            if t == longest - 1:
                self.observations = self.seen(observations)

    def render(self) -> np.ndarray:
        """The first copy's screen, uint8 [210, 160, 3], where it was made with render_mode="rgb_array"."""
        return super().render() if self.drawn is None else self.drawn[0, -1].copy()


def pixel_environments(name: str, count: int, seed: int = 0, limit: int | None = None, **options) -> PixelEnvironments:
    """Copies of an environment that is looked at; the arguments are those of `Environments`.

    Raises:
        UsageError: as for `AtariEnvironments` and `PixelEnvironments`; or it is an old name of a game.
    """
    found = specification(name)
    if not str(found.entry_point).startswith("ale_py"):
        return PixelEnvironments(name, count, seed, limit, **options)
    if not found.vector_entry_point:
        raise UsageError(f"{name!r} is an old name of a game, with other rules: take its newest, such as ALE/Pong-v5.")
    return AtariEnvironments(name, count, seed, limit, **options)


def as_pictures(environment: gymnasium.Env) -> gymnasium.Env:
    """The environment with its pictures grey, at most 84 x 84, and the last four of them at a time.

    Raises:
        UsageError: its observations are no pictures.
    """
    space = environment.observation_space
    shape = space.shape or ()
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8 or (len(shape), *shape[2:]) not in _PICTURES:
        raise UsageError(
            f"the observations of {environment.spec.id!r} are {space}, which are no pictures (uint8, [H, W], [H, W, 1] "
            "or [H, W, 3]): train it with python -m apps.policy_control."
        )
    if shape[2:] == (3,):
        environment = wrappers.GrayscaleObservation(environment)
    elif shape[2:] == (1,):
        environment = wrappers.ReshapeObservation(environment, shape[:2])
    if max(shape[:2]) > SIDE:
        small = spaces.Box(0, 255, tuple(min(side, SIDE) for side in shape[:2]), np.uint8)
        environment = wrappers.TransformObservation(
            environment, lambda seen: np.asarray(Image.fromarray(seen).resize(small.shape[::-1], Image.BOX)), small
        )
    return wrappers.FrameStackObservation(environment, STACK)


def _drawable(vector: gymnasium.vector.VectorEnv, rate: float = 30) -> gymnasium.vector.VectorEnv:
    vector.metadata = {**vector.metadata, "render_modes": ["rgb_array"], "render_fps": rate}
    return vector


_PICTURES = {(2,), (3, 1), (3, 3)}
