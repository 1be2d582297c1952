"""Environments so small that what should happen in them can be said."""

import gymnasium
import numpy as np
from gymnasium import spaces


class Identity(gymnasium.Env):
    """Shows one of three states; the action of the same number is worth 1."""

    observation_space = spaces.Discrete(3)
    action_space = spaces.Discrete(3, start=5)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.shown = int(self.np_random.integers(3))
        return self.shown, {}

    def step(self, action):
        reward = float(action == self.shown + 5)
        self.shown = int(self.np_random.integers(3))
        return self.shown, reward, False, False, {}


class Aim(gymnasium.Env):
    """Shows a number in [-1, 1]; the reward is minus the square of how far the action is from three times that."""

    observation_space = spaces.Box(-1, 1, (1,))
    action_space = spaces.Box(-4, 4, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.shown = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.shown, {}

    def step(self, action):
        reward = -float((action[0] - 3 * self.shown[0]) ** 2)
        self.shown = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.shown, reward, False, False, {}


class Patience(gymnasium.Env):
    """Action 0 is paid 1 and ends it; action 1 is paid nothing, but the step after it 3."""

    observation_space = spaces.Box(0, 1, (1,))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.waited = False
        return np.zeros(1, np.float32), {}

    def step(self, action):
        if self.waited:
            return np.ones(1, np.float32), 3.0, True, False, {}
        self.waited = bool(action)
        return np.full(1, self.waited, np.float32), float(not action), not action, False, {}


class Clock(gymnasium.Env):
    """Shows [seed's last digit, steps]; ends by itself after three steps where the digit is even, else goes on."""

    observation_space = spaces.Box(-100, 100, (2,))
    action_space = spaces.MultiDiscrete([2, 3], start=[0, 4])

    def reset(self, *, seed=None, options=None):
        self.digit, self.steps, self.taken = (seed or 1) % 10, 0, []
        return np.array([self.digit, 0], np.float32), {}

    def step(self, action):
        self.steps += 1
        self.taken.append(tuple(action))
        shown = np.array([self.digit, self.steps], np.float32)
        return shown, float(self.steps), self.digit % 2 == 0 and self.steps == 3, False, {}


class Odd(gymnasium.Env):
    """Has whatever spaces it is given."""

    def __init__(self, observation=None, action=None):
        self.observation_space = observation or spaces.Box(-1, 1, (1,))
        self.action_space = action or spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}


class Screen(gymnasium.Env):
    """Lights one third of a screen; the action of that number is worth 5, or, where it is steered, a number near."""

    def __init__(self, shape=(36, 36), kind=np.uint8, steered=False):
        self.observation_space = spaces.Box(0, 255, shape, kind)
        self.action_space = spaces.Box(-1, 1, (1,)) if steered else spaces.Discrete(3)

    def _screen(self):
        self.lit = int(self.np_random.integers(3))
        screen = np.zeros(self.observation_space.shape, self.observation_space.dtype)
        third = screen.shape[1] // 3
        screen[:, self.lit * third : (self.lit + 1) * third] = 200
        return screen

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._screen(), {}

    def step(self, action):
        reward = 5.0 * (np.round(action[0] + 1) == self.lit if np.ndim(action) else action == self.lit)
        return self._screen(), reward, False, False, {}


LIMITS = {Identity: 8, Aim: 8, Patience: 10, Clock: 5, Odd: None, Screen: 8}
for kind, limit in LIMITS.items():
    name = f"Tiny{kind.__name__}-v0"
    if name not in gymnasium.registry:
        gymnasium.register(name, entry_point=kind, max_episode_steps=limit)
