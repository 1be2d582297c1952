"""The games that the contract is proven for: every one of kgan.models, how a tiny one is built, and what it holds."""

import importlib
import inspect
import pkgutil
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from examples import EXAMPLES, Example

import kgan.models
from kgan.models.adversarial import AdversarialModel


def models() -> list[type[AdversarialModel]]:
    """Every game of kgan.models that says what its players' losses are."""
    names = [found.name for found in pkgutil.iter_modules(kgan.models.__path__)]
    rooms = [importlib.import_module(f"kgan.models.{name}") for name in names]
    kinds = [kind for room in rooms for _, kind in inspect.getmembers(room, inspect.isclass)]
    games = {kind for kind in kinds if issubclass(kind, AdversarialModel) and kind is not AdversarialModel}
    whole = [kind for kind in games if all(hasattr(kind, f"{p}_loss") for p in kind.judges + kind.proposers)]
    return sorted(whole, key=lambda kind: kind.__name__)


def adam():
    return keras.optimizers.Adam(1e-2)


def build(kind, optimizer=adam, eager=False, average_decay=0.5, critic_steps=2) -> Example:
    critic_steps = critic_steps if kind.judges else 1
    example = EXAMPLES[kind](critic_steps=critic_steps, average_decay=average_decay, seed=5)
    optimizers = {f"{player}_optimizer": optimizer() for player in example.model.players}
    example.model.compile(**optimizers, run_eagerly=eager)
    return example


def arrays(model, metrics=True) -> dict[str, np.ndarray]:
    """Copies of all that an exact resume restores."""
    return {k: np.array(v.value) for k, v in model.state().items() if metrics or not k.startswith("metric_")}


def assert_same(one: dict, other: dict):
    assert one.keys() == other.keys()
    different = [name for name in one if not np.array_equal(one[name], other[name], equal_nan=True)]
    assert not different


@contextmanager
def nothing_traced():
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
