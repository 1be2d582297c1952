"""One version of a model, loaded as TF Serving loads it: a session over its graph, which needs no code of ours."""

import dataclasses
import functools
import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from kgan.serving.exported import CARD, nodes
from kgan.serving.status import invalid

WARM_UP = "assets.extra/tf_serving_warmup_requests"
MOST_WARM_UPS = 1000  # as in TF Serving
DEFAULT = "serving_default"
_HOW_OFTEN = "steps"
_BENDS = re.compile(
    r"(Stateless)?(While|If|Case)|For|(Ref)?(Switch|Merge|Enter|Exit|NextIteration)|LoopCond|.*Variable(V2)?"
)


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output: its name in the graph, its type, and its shape, in which None is any size."""

    node: str
    dtype: tf.DType
    shape: tuple[int | None, ...] | None

    @functools.cached_property
    def array_dtype(self) -> np.dtype:
        """Of the arrays that hold it: text is in arrays of objects."""
        return np.dtype(object if self.dtype == tf.string else self.dtype.as_numpy_dtype)

    @functools.cached_property
    def has_rows(self) -> bool:
        """Whether its first dimension may have any size."""
        return bool(self.shape) and self.shape[0] is None

    def described(self) -> dict[str, Any]:
        """In the terms of JSON and of `kgan.json`."""
        return {"dtype": self.dtype.name, "shape": None if self.shape is None else list(self.shape)}

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether a value may have this shape."""
        if self.shape is None or self.shape[1:] == shape[1:] and self.has_rows and shape:
            return True
        if len(shape) != len(self.shape):
            return False
        return all(own is None or own == given for own, given in zip(self.shape, shape, strict=True))


class Signature:
    """One thing that a loaded model can be asked."""

    def __init__(self, name: str, definition, session: tf.compat.v1.Session):
        self.name = name
        self.method = definition.method_name
        self.inputs = {key: _tensor(definition.inputs[key]) for key in sorted(definition.inputs)}
        self.outputs = {key: _tensor(definition.outputs[key]) for key in sorted(definition.outputs)}
        # Rows of several requests can be computed together only where every tensor has rows.
        self.is_batchable = all(tensor.has_rows for tensor in (*self.inputs.values(), *self.outputs.values()))
        self._rows = [key for key, tensor in self.inputs.items() if tensor.has_rows]
        self._counts = [key for key, tensor in self.inputs.items() if tensor.shape == () and tensor.dtype == tf.int32]
        # What Session.run does in Python takes a tenth of a millisecond, in which nothing else in Python runs.
        wanted = config_pb2.CallableOptions(
            feed=[tensor.node for tensor in self.inputs.values()],
            fetch=[tensor.node for tensor in self.outputs.values()],
        )
        self._call = session._make_callable_from_options(wanted)
        self.took: float | None = None  # seconds of the last batches, on the average; of the scheduler

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs; the inputs have been checked."""
        return dict(zip(self.outputs, self._call(*[inputs[key] for key in self.inputs]), strict=True))

    def check(self, inputs: Mapping[str, np.ndarray], most: int | None = None) -> None:
        """Refuse inputs that the graph would choke on.

        Args:
            inputs: of the request.
            most: samples that one request may ask for, in rows and in the numbers that say how many (every scalar of
                int32, such as `count`); None is no limit.

        Raises:
            ServingError: an input is missing, unknown, of another type or shape, or asks for too much.
        """
        if inputs.keys() != self.inputs.keys():
            extra, missing = inputs.keys() - self.inputs.keys(), self.inputs.keys() - inputs.keys()
            raise invalid(
                f"input size does not match signature: {len(inputs)}!={len(self.inputs)} "
                f"len({{{_listed(inputs)}}}) != len({{{_listed(self.inputs)}}}). "
                f"Sent extra: {{{_listed(extra)}}}. Missing but required: {{{_listed(missing)}}}."
            )
        for key, tensor in self.inputs.items():
            value = inputs[key]
            if value.dtype != tensor.array_dtype:
                given = "string" if value.dtype == object else value.dtype.name
                raise invalid(f"input {key!r} is {given}: it must be {tensor.dtype.name}")
            if not tensor.takes(value.shape):
                wanted = [-1 if size is None else size for size in tensor.shape]
                raise invalid(f"input {key!r} has shape {list(value.shape)}: it must be {wanted}, where -1 is any size")
        if most is not None:
            self._check_sizes(inputs, most)

    def _check_sizes(self, inputs: Mapping[str, np.ndarray], most: int) -> None:
        """Rows and counts multiply; a number of steps takes time, not memory."""
        counts = {key: int(inputs[key]) for key in self._counts}
        rows = {key: len(inputs[key]) for key in self._rows}
        samples = max(rows.values(), default=1)
        for key, count in counts.items():
            samples *= 1 if key == _HOW_OFTEN else max(1, count)
        if samples > most or counts.get(_HOW_OFTEN, 0) > most:
            sizes = counts | {f"rows of {key!r}": size for key, size in rows.items()}
            told = ", ".join(f"{what}: {size}" for what, size in sizes.items())
            raise invalid(f"too much at once ({told}): this server computes {most} samples or steps a request at most")


class Servable:
    """A loaded version: its signatures and what it says of itself. `close` frees it; nothing may be running then.

    Raises:
        Exception: whatever TensorFlow raises for files that are damaged or incomplete, and for a warm-up that fails.
    """

    def __init__(self, name: str, version: int, directory: Path, *, threads: int = 1):
        """Load it.

        Args:
            name: of the model.
            version: its number.
            directory: where it is.
            threads: that share an operator; 0 is one for each processor.
        """
        self.name, self.version = name, version
        self.about = _card(directory / CARD)
        graph = tf.Graph()
        # Operators one after the other in the thread that asks: handing small ones from thread to thread takes longer
        # than computing them, and while threads spin for work nothing else gets their processors.
        config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=-1, intra_op_parallelism_threads=threads)
        config.experimental.disable_thread_spinning = True
        if _is_straight(directory):
            config.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"  # keeps no account of what is ready
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            with graph.as_default():
                meta = tf.compat.v1.saved_model.loader.load(self._session, [tf.saved_model.SERVING], str(directory))
            self.definitions = {name: meta.signature_def[name] for name in sorted(meta.signature_def)}
            self.signatures = {
                name: Signature(name, definition, self._session)
                for name, definition in self.definitions.items()
                if not name.startswith("__")  # what initialises the graph
            }
            graph.finalize()
            self.warm_ups = self._warm_up(directory / WARM_UP)
        except BaseException:
            self._session.close()
            raise
        self.users, self.retired = 0, False  # of the repository, under its lock

    def signature(self, name: str) -> Signature | None:
        """The signature of this name, the default one for none."""
        return self.signatures.get(name or DEFAULT)

    def close(self) -> None:
        """Free what the graph holds."""
        self._session.close()

    def _warm_up(self, path: Path) -> int:
        """Ask everything once, so that no user waits for what only the first request must do."""
        if not path.is_file():
            return 0
        count = 0
        for record in tf.compat.v1.io.tf_record_iterator(str(path)):
            if count >= MOST_WARM_UPS:
                break
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            signature = self.signature(request.model_spec.signature_name)
            if signature and request.inputs:
                signature.run({key: tf.make_ndarray(value) for key, value in request.inputs.items()})
                count += 1
        return count


def _is_straight(directory: Path) -> bool:
    """Whether the graph has nothing that branches, loops or waits, which a plain list of operators cannot."""
    found = saved_model_pb2.SavedModel()
    try:
        found.ParseFromString((directory / "saved_model.pb").read_bytes())
    except (OSError, DecodeError):  # in text, or damaged, which whoever loads it will say
        return False
    every = itertools.chain(*(nodes(meta.graph_def) for meta in found.meta_graphs))
    return not any(_BENDS.fullmatch(node.op) for node in every)


def _tensor(info) -> Tensor:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(None if size.size < 0 else size.size for size in shape.dim)
    return Tensor(info.name, tf.as_dtype(info.dtype), sizes)


def _card(path: Path) -> dict[str, Any]:
    """What kgan wrote of the model; other SavedModels are served as well."""
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _listed(names) -> str:
    return ",".join(sorted(names))
