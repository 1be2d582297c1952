"""The weights of a model's networks as one file: what a fine-tune starts from."""

import os
import warnings
from pathlib import Path

import h5py
import keras

from kgan.errors import UsageError


def save_networks(model: keras.Model, path: str | os.PathLike) -> None:
    """Write the weights of every network in ``model`` to ``path`` (``.weights.h5``).

    Optimisers and metrics stay out: they are the state of a run, not of a model, and Adam alone would triple the file.
    So does a network of which there is a moving average, since training goes on from that.
    """
    # HDF5 takes the whole process down when the disk fills up under it, so ask for the room first; 4 kB an array is
    # what its bookkeeping needs at most.
    room = sum(weight.numpy().nbytes + 4096 for weight in model.weights) + 65536
    Path(path).write_bytes(bytes(room))
    keras.saving.save_weights(model, path, objects_to_skip=[*_run_state(model), *_averaged(model).values()])


def load_networks(model: keras.Model, path: str | os.PathLike) -> None:
    """Give ``model`` the weights that ``save_networks`` wrote to ``path``; its optimisers and metrics stay as they are.

    Networks that have a moving average are given the weights of that.

    Raises:
        UsageError: the file is missing, damaged, or of a model with other networks.
    """
    try:
        with h5py.File(path) as file:
            arrays, averaged = [], _averaged(model)
            file.visititems(lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None)
    except OSError as error:
        raise UsageError(f"the weights in {str(path)!r} are missing or damaged: export the model again.") from error
    try:
        # Keras passes over what is in the file but not in the model.
        held = [name for name in arrays if name.split("/")[0] not in averaged]
        wanted = len(model.weights) - sum(len(network.weights) for network in averaged.values())
        if len(held) != wanted:
            raise ValueError(f"the file holds {len(held)} arrays, the model {wanted}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of what does not fit before it says so; one sentence does
            keras.saving.load_weights(model, path, objects_to_skip=[*_run_state(model), *averaged.values()])
        if averaged:
            model.adopt_averages()
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"the weights in {str(path)!r} are of another model: build it with the options that kgan.json beside them "
            "states."
        ) from error


def _averaged(model: keras.Model) -> dict[str, keras.Model]:
    """The networks of a game of which it keeps a moving average, by the name of their attribute."""
    return {part: getattr(model, part) for part in getattr(model, "averaged_parts", list)()}


def _run_state(model: keras.layers.Layer) -> list:
    """The optimisers and metrics among the attributes of a model and of the models within it."""
    found, held = [], list(vars(model).values())
    while held:
        thing = held.pop()
        if isinstance(thing, keras.optimizers.Optimizer | keras.metrics.Metric):
            found.append(thing)
        elif isinstance(thing, dict):
            held += thing.values()
        elif isinstance(thing, list | tuple | set):
            held += thing
    for layer in getattr(model, "layers", ()):
        found += _run_state(layer)
    return found
