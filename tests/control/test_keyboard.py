"""A person at the keyboard: which keys act how, and a whole recording by keys that are pressed here."""

import gymnasium
import numpy as np
import pytest

from kgan.control import demonstrations, imitation, keyboard
from kgan.errors import UsageError

pygame = pytest.importorskip("pygame")


@pytest.fixture
def shown(monkeypatch):
    """Environments in windows that nobody sees, and that do not wait between steps."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    made = []

    def show(name, horizon=0):
        environment = keyboard.Keyboard(imitation.drawn(name, horizon), rate=1e6)
        made.append(environment)
        return environment

    yield show
    for environment in made:
        environment.close()
    pygame.quit()


def press(name, release=False):
    pygame.event.post(pygame.event.Event(pygame.KEYUP if release else pygame.KEYDOWN, key=pygame.key.key_code(name)))


def test_keys_act_while_they_are_held(shown):
    car = shown("MountainCar-v0")
    seen, _ = car.reset(seed=0)
    press("right")
    assert car.act(seen) == 2 and car.act(seen) == 2
    press("left")
    assert car.act(seen) == 0  # the last pressed of two
    press("left", release=True)
    assert car.act(seen) == 2
    press("right", release=True)
    assert car.act(seen) == 1  # rest
    press("left")
    press("left", release=True)
    assert car.act(seen) == 0 and car.act(seen) == 1  # a short touch counts once
    assert car.window.get_size() == (600, 400) and pygame.surfarray.array3d(car.window).std() > 0


def test_where_there_is_no_rest_the_last_key_holds_on(shown):
    cart = shown("CartPole-v1")
    press("right")
    press("right", release=True)
    assert [cart.act(None) for _ in range(3)] == [1, 1, 1]


def test_on_a_board_every_step_is_a_key(shown):
    lake = shown("FrozenLake-v1")
    acted = []
    for key in ("down", "x", "right"):
        press(key)
        if key != "x":
            acted.append(lake.act(None))
    assert acted == [1, 2]


def test_episodes_are_recorded_until_escape(shown, tmp_path):
    """Right all the time: the pole falls after some ten steps; then a second one that is given up."""
    cart = shown("CartPole-v1", horizon=30)
    press("right")
    begun = []

    def act(observation):
        if cart.last is None:
            begun.append(observation)
            press("escape" if len(begun) > 2 else "right")
        return cart.act(observation)

    found = demonstrations.record(cart, act, episodes=9, seed=3)
    assert len(found.lengths) == 2 and (found.lengths < 15).all() and (found.actions == 1).all()
    assert found.environment == "CartPole-v1" and found.terminated.sum() == 2
    demonstrations.save(found, tmp_path / "mine.npz")
    again = demonstrations.load(tmp_path / "mine.npz", imitation.make("CartPole-v1"))
    assert np.array_equal(again.observations, found.observations)
    press("escape")
    with pytest.raises(UsageError, match="no episode was played to its end"):
        demonstrations.record(cart, cart.act, episodes=1)


def test_the_keys_of_environments_that_are_not_known():
    keys = keyboard.keys_for(imitation.make("Pendulum-v1"))
    assert keys.actions["left"] == [-2] and keys.actions["right"] == [2] and keys.rest == [0]
    assert keys.rest.dtype == np.float32
    some = imitation.make("CartPole-v1")
    some.spec.id = "Other-v0"
    assert keyboard.keys_for(some).actions == {"0": 0, "1": 1, "left": 0, "up": 1}
    some.action_space = gymnasium.spaces.Box(-1.0, 2.0, (2,))
    keys = keyboard.keys_for(some)
    assert keys.actions["up"].tolist() == [0.5, 2] and keys.actions["left"].tolist() == [-1, 0.5]
    some.action_space = gymnasium.spaces.Discrete(11)
    with pytest.raises(UsageError, match="too many for a keyboard"):
        keyboard.keys_for(some)


def test_without_a_screen_it_is_one_sentence(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "nonsense")
    pygame.quit()
    with pytest.raises(UsageError, match="no window can be opened"):
        keyboard.Keyboard(imitation.drawn("CartPole-v1"))
