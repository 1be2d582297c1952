"""Reads what ``export`` wrote: calls its signatures as a server does, and finds its card and its weights.

Nothing here needs Keras: an exported model is plain TensorFlow.
"""

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.errors import UsageError, lookup

CARD = "assets.extra/kgan.json"
WEIGHTS = "assets.extra/model.weights.h5"


@dataclass(frozen=True)
class Export:
    """What an export says of itself: ``directory`` is that of the version, ``card`` what its ``kgan.json`` says."""

    directory: Path
    card: dict[str, Any]

    @property
    def weights(self) -> Path:
        """The ``.weights.h5`` of all networks, for fine-tuning; UsageError if the export was stripped of it."""
        path = self.directory / WEIGHTS
        if not path.is_file():
            raise UsageError(f"{str(path)!r} is missing, so this export cannot be trained on: export it again.")
        return path


@dataclass(frozen=True)
class Exported(Export):
    """A loaded export, whose signatures can be called."""

    _module: Any = field(repr=False)  # keeps the variables alive that the signatures read

    @property
    def signatures(self) -> tuple[str, ...]:
        """The names that ``call`` takes, the default one first."""
        default = self.card.get("serving_default")
        names = set(self._module.signatures) - {"serving_default"}
        return tuple(sorted(names, key=lambda name: (name != default, name)))

    def call(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Ask signature ``name``, e.g. ``call("generate", seed=0, count=64)["images"]``.

        Inputs are anything NumPy takes and are cast where that keeps every value. Their names, shapes and dtypes, and
        those of the outputs, stand in ``card["signatures"]``.

        Raises:
            UsageError: unknown signature; an input is missing, unknown, of another shape, or would change by the cast.
        """
        function = lookup("signature", name, {name: self._module.signatures[name] for name in self.signatures})
        specs = function.structured_input_signature[1]
        for key in specs.keys() - inputs.keys():
            raise UsageError(f"{name!r} lacks its input {key!r}: it takes {', '.join(specs)}.")
        for key in inputs:
            lookup(f"input of {name!r}", key, specs)
        arrays = {key: cast(f"{key!r} of {name!r}", inputs[key], spec.dtype, spec.shape) for key, spec in specs.items()}
        tensors = {key: tf.constant(value, specs[key].dtype) for key, value in arrays.items()}
        return {key: value.numpy() for key, value in function(**tensors).items()}


def load(path: str | os.PathLike) -> Exported:
    """Load ``saved_models/NAME`` (its latest version) or ``saved_models/NAME/3``.

    Raises:
        UsageError: there is no such model or version, or something in it is missing or damaged.
    """
    export = find(path)
    try:
        module = tf.saved_model.load(str(export.directory))
    except Exception as error:  # half a protocol buffer can break the loader anywhere
        raise UsageError(
            f"the model in {str(export.directory)!r} is damaged or incomplete: export it again."
        ) from error
    return Exported(export.directory, export.card, module)


def find(path: str | os.PathLike) -> Export:
    """Read only the card of ``saved_models/NAME`` or ``saved_models/NAME/3``: nothing is computed, no device chosen.

    Raises:
        UsageError: there is no such model or version, or its card is missing or damaged.
    """
    directory = _find(Path(path))
    try:
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
        if not isinstance(card, dict):
            raise ValueError("not an object")
    except FileNotFoundError as error:
        raise UsageError(f"{str(directory / CARD)!r} is missing: export the model again with kgan.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(directory / CARD)!r} is damaged: export the model again.") from error
    return Export(directory, card)


def versions(directory: Path) -> list[Path]:
    """The versions of one model that exist, oldest first: what is named by a number, as TensorFlow Serving has it."""
    return sorted((path for path in directory.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))


def _find(path: Path) -> Path:
    """The directory of the version that ``path`` means."""
    if path.is_dir():
        if path.name.isdecimal() or (path / "saved_model.pb").exists():
            return path
        if found := versions(path):
            return found[-1]
        raise UsageError(f"{str(path)!r} holds no version of a model: name a directory that export has written.")
    if path.exists():
        raise UsageError(f"{str(path)!r} is a file but an exported model is a directory, such as saved_models/digits.")
    beside = sorted(entry for entry in path.parent.iterdir() if entry.is_dir()) if path.parent.is_dir() else []
    models = [str(entry) for entry in beside if entry.name.isdecimal() or versions(entry)]
    there = f"there are {', '.join(models)}" if models else f"nor is there any other in {str(path.parent)!r}"
    raise UsageError(f"there is no exported model {str(path)!r}: {there}.")


def nodes(graph) -> Iterator:
    """The nodes of a GraphDef and of the functions in it."""
    return itertools.chain(graph.node, *(inner.node_def for inner in graph.library.function))


def cast(what: str, value: Any, dtype: tf.DType, shape: tf.TensorShape) -> np.ndarray:
    """`value` as an array of this type (strings as bytes in an array of objects), where that keeps every value.

    Raises:
        UsageError: it has another shape, or would change; the sentence calls it `what`.
    """
    value = np.asarray(value, object if dtype == tf.string else None)
    if not shape.is_compatible_with(value.shape):
        raise UsageError(f"{what} has shape {list(value.shape)}: it must be {shape.as_list()} (None is any size).")
    if dtype == tf.string:
        strings = np.empty(value.shape, object)
        for index, item in np.ndenumerate(value):
            if not isinstance(item, bytes | str):
                raise UsageError(f"{what} holds {item!r}: give text.")
            strings[index] = item if isinstance(item, bytes) else item.encode()
        return strings
    found = value.astype(dtype.as_numpy_dtype) if value.dtype.kind in "biuf" else None
    # Pictures scaled to floats would become all black, and 256 would become 0, without a word.
    is_kept = found is not None and (dtype.is_floating or value.dtype.kind != "f" and np.array_equal(found, value))
    if not is_kept:
        wanted = dtype.name
        raise UsageError(f"{what} is {value.dtype} with values that {wanted} cannot hold: give it as {wanted}.")
    return found
