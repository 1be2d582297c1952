"""Gymnasium environments for those who use tf-agents' own drivers, replay buffers and agents."""

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from kgan.control.environments import make_vector, specification
from kgan.errors import UsageError


class GymnasiumEnvironment(py_environment.PyEnvironment):
    """A batch of copies of a gymnasium environment, which tf-agents 0.19 cannot load by itself.

    A copy whose episode has ended gives its last step, and takes the next call as a reset, as tf-agents has it. The
    discount is 0 after a termination alone: after a cut the future is still worth something.

    Raises:
        UsageError: as for `kgan.control.environments.make_vector`, or for spaces that no array can describe.
    """

    def __init__(self, name: str, count: int = 1, seed: int = 0, **options):
        """Make `count` copies, whose first episodes begin from `seed` and the numbers after it."""
        limit = specification(name).max_episode_steps
        options |= {"max_episode_steps": limit} if limit else {}
        self._vector = make_vector(name, count, AutoresetMode.NEXT_STEP, **options)
        self._seed: int | None = seed
        self._ended = np.zeros(count, bool)
        super().__init__(handle_auto_reset=False)

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    @property
    def batch_size(self) -> int:
        """How many copies."""
        return self._vector.num_envs

    def observation_spec(self):
        """Of one copy."""
        return _spec(self._vector.single_observation_space, "observation")

    def action_spec(self):
        """Of one copy."""
        return _spec(self._vector.single_action_space, "action")

    def _reset(self):
        observations, _ = self._vector.reset(seed=self._seed)
        self._seed = None  # later resets go on with the environments' own random numbers
        self._ended[:] = False
        return ts.restart(observations.copy(), self.batch_size)

    def _step(self, actions):
        observations, rewards, terminated, truncated, _ = self._vector.step(actions)
        ended = terminated | truncated
        kinds = np.where(self._ended, ts.StepType.FIRST, np.where(ended, ts.StepType.LAST, ts.StepType.MID))
        self._ended = ended.copy()
        return ts.TimeStep(
            kinds.astype(np.int32), rewards.astype(np.float32), (~terminated).astype(np.float32), observations.copy()
        )

    def close(self) -> None:
        """Give back windows and memory."""
        self._vector.close()


def _spec(space: gymnasium.Space, name: str) -> array_spec.BoundedArraySpec:
    if isinstance(space, spaces.Box):
        return array_spec.BoundedArraySpec(space.shape, space.dtype, space.low, space.high, name)
    if isinstance(space, spaces.Discrete):
        return array_spec.BoundedArraySpec((), space.dtype, space.start, space.start + space.n - 1, name)
    if isinstance(space, spaces.MultiDiscrete):
        return array_spec.BoundedArraySpec(space.shape, space.dtype, space.start, space.start + space.nvec - 1, name)
    if isinstance(space, spaces.MultiBinary):
        return array_spec.BoundedArraySpec(space.shape, space.dtype, 0, 1, name)
    raise UsageError(f"the {name} space {space} is no array: wrap the environment to give a Box or a Discrete.")
