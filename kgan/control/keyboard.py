"""A person as the policy: a window that shows the environment, and keys that act in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from kgan.control.demonstrations import Enough
from kgan.errors import UsageError

ARROWS = ("left", "up", "right", "down")
SIDE = 600  # pixels of the window's longer side, at least


@dataclass(frozen=True)
class Keys:
    """Which key does what.

    Attributes:
        actions: names of keys, as pygame has them -> the action while that key is held.
        rest: the action while none is held; None where there is no such action, and the last key holds on.
        waits: whether time stands still until a key is pressed, as on a board.
    """

    actions: Mapping[str, Any]
    rest: Any = None
    waits: bool = False


KEYS: dict[str, Keys] = {
    "CartPole": Keys({"left": 0, "right": 1}),
    "MountainCar": Keys({"left": 0, "right": 2}, rest=1),
    "Acrobot": Keys({"left": 0, "right": 2}, rest=1),
    "LunarLander": Keys({"left": 1, "up": 2, "right": 3}, rest=0),
    "FrozenLake": Keys({"left": 0, "down": 1, "right": 2, "up": 3}, waits=True),
    "FrozenLake8x8": Keys({"left": 0, "down": 1, "right": 2, "up": 3}, waits=True),
    "CliffWalking": Keys({"up": 0, "right": 1, "down": 2, "left": 3}, waits=True),
    "Taxi": Keys({"down": 0, "up": 1, "right": 2, "left": 3, "p": 4, "d": 5}, waits=True),
    "Blackjack": Keys({"s": 0, "h": 1}, waits=True),
}
"""By environment, whatever its version. All others have what `keys_for` gives."""


def keys_for(environment: gymnasium.Env) -> Keys:
    """The keys of an environment: of its own where they are known.

    Elsewhere the digits are the first ten choices and the arrows left, up, right and down the first four; or left and
    right, and down and up, are the bounds of the one or two numbers of a vector, whose middle is rest.

    Raises:
        UsageError: when an action is more than that.
    """
    name, space = environment.spec.id, environment.action_space
    if known := KEYS.get(name.rsplit("-v", 1)[0]):
        return known
    if isinstance(space, gymnasium.spaces.Discrete) and space.n <= 10:
        numbers = [int(space.start) + index for index in range(int(space.n))]
        return Keys({str(number): number for number in numbers} | dict(zip(ARROWS, numbers, strict=False)))
    if isinstance(space, gymnasium.spaces.Box) and space.shape in ((1,), (2,)) and space.is_bounded():
        rest = (space.low + space.high) / 2
        actions = {}
        for axis, pair in zip(range(len(rest)), (("left", "right"), ("down", "up")), strict=False):
            for key, bound in zip(pair, (space.low, space.high), strict=True):
                actions[key] = np.where(np.arange(len(rest)) == axis, bound, rest).astype(space.dtype)
        return Keys(actions, rest.astype(space.dtype))
    raise UsageError(
        f"the actions of {name} are {space}, too many for a keyboard: choose an environment with at most ten choices, "
        "or record a policy with --model."
    )


class Keyboard(gymnasium.Wrapper):
    """An environment that is shown in a window, where `act` is the policy of whoever sits before it.

    Every episode begins with the first key; Escape, or closing the window, raises `Enough`.
    """

    def __init__(self, environment: gymnasium.Env, rate: float | None = None):
        """Open the window.

        Args:
            environment: made with render_mode="rgb_array".
            rate: steps a second; None for the environment's own.

        Raises:
            UsageError: when there is no screen or no pygame, or the environment has too many actions or no picture.
        """
        super().__init__(environment)
        self.keys, self.rate = keys_for(environment), rate or environment.metadata.get("render_fps") or 30
        self._begin()
        try:
            import pygame

            environment.reset()
            picture = environment.render()
            pygame.display.init()
            factor = max(1, round(SIDE / max(picture.shape[:2])))
            self.window = pygame.display.set_mode((picture.shape[1] * factor, picture.shape[0] * factor))
        except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
            raise UsageError(f"a keyboard needs pygame ({error}): pip install pygame.") from None
        except pygame.error as error:
            raise UsageError(f"no window can be opened ({error}): use --keyboard where there is a screen.") from None
        pygame.display.set_caption(f"{environment.spec.id}: {', '.join(self.keys.actions)}; Escape ends the recording")
        self.pygame, self.clock = pygame, pygame.time.Clock()

    def reset(self, **kwargs):
        """Begin an episode, with the next key."""
        self._begin()
        return super().reset(**kwargs)

    def act(self, observation: np.ndarray) -> Any:
        """Show where things stand, and give the action of the keys; what is observed they know by looking.

        Raises:
            Enough: when the person has had enough.
        """
        surface = self.pygame.surfarray.make_surface(np.swapaxes(self.env.render(), 0, 1))
        self.pygame.transform.scale(surface, self.window.get_size(), self.window)
        self.pygame.display.flip()
        self.clock.tick(self.rate)
        pressed = self._listen()
        while pressed is None and (self.keys.waits or self.last is None):
            self.clock.tick(60)
            pressed = self._listen()
        if self.keys.waits:
            return self.keys.actions[pressed]
        if self.held:
            return self.keys.actions[self.held[-1]]
        # A key that was let go again within the step counts for it.
        return self.keys.actions[pressed or self.last] if pressed or self.keys.rest is None else self.keys.rest

    def _begin(self) -> None:
        self.held: list[str] = []  # the keys that are down, the last pressed last
        self.last: str | None = None  # of all that were

    def _listen(self) -> str | None:
        """Take note of all keys since the last time; gives the last that was pressed."""
        pressed = None
        for event in self.pygame.event.get():
            if event.type == self.pygame.QUIT:
                raise Enough
            if event.type not in (self.pygame.KEYDOWN, self.pygame.KEYUP):
                continue
            key = self.pygame.key.name(event.key)
            if key == "escape":
                raise Enough
            if key not in self.keys.actions:
                continue
            self.held = [other for other in self.held if other != key]
            if event.type == self.pygame.KEYDOWN:
                self.held.append(key)
                self.last = pressed = key
        return pressed
