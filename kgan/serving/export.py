"""Writes a model as one directory that TensorFlow Serving serves and that kgan can go on training.

    saved_models/digits/3/
        saved_model.pb, variables/               plain TensorFlow: needs neither Keras nor kgan
        assets.extra/tf_serving_warmup_requests  a real request for each signature, replayed when a server loads it
        assets.extra/kgan.json                   what it is, how it was made, what it takes and gives
        assets.extra/model.weights.h5            the weights of all its networks, for fine-tuning

A version is written in a hidden directory beside the others and renamed into place once it is whole and on
the disk: a server that polls the directory sees all of it or nothing.
"""

import contextlib
import datetime
import errno
import json
import math
import os
import platform
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

import kgan
from kgan.errors import UsageError
from kgan.serving.exported import CARD, WEIGHTS, nodes, versions
from kgan.serving.weights import save_networks

WARM_UP = "assets.extra/tf_serving_warmup_requests"


class Signature(NamedTuple):
    """One thing an exported model can be asked to do.

    Args:
        function: takes the inputs as keyword tensors and returns a dict of tensors, in inference mode; whatever is
            random in it is a function of a ``seed`` among the inputs.
        inputs: name -> shape and dtype; None in a shape is any size.
        example: name -> value of one valid request, which warms up a server.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: dict[str, tf.TensorSpec]
    example: dict[str, Any]


def generate_signature(function: Callable[..., dict[str, tf.Tensor]]) -> Signature:
    """The signature of a function of (seed int64, count int32)."""
    return Signature(
        function,
        {"seed": tf.TensorSpec([], tf.int64, name="seed"), "count": tf.TensorSpec([], tf.int32, name="count")},
        {"seed": np.int64(0), "count": np.int32(1)},
    )


def export(model: keras.Model, directory: str | os.PathLike, *, card: Mapping[str, Any]) -> Path:
    """Write ``model`` as the next version under ``directory`` and return that version's path.

    Args:
        model: a built keras.Model with ``signatures() -> dict[str, Signature]``. The first signature is also the
            one that answers requests which name none (``serving_default``).
        directory: one model's directory, such as ``saved_models/digits``; its last part is the name it is served by.
        card: what a person wants to know of the model (app, options, data, licence, metrics and their protocol),
            JSON-like; NumPy values are converted and NaN or infinity becomes null. The keys ``created``,
            ``versions``, ``serving_default`` and ``signatures`` are filled in here.

    Raises:
        UsageError: ``directory`` cannot be written, is a file or names a version, or the disk is full. Nothing is
            left behind then, as after any other error.
        ValueError: a signature would change the model when it is called, so it is not in inference mode.
    """
    directory = Path(os.path.abspath(directory))
    if directory.name.isdecimal():
        raise UsageError(
            f"{str(directory)!r} names a version but versions are numbered by themselves: "
            f"export to the model's directory, {str(directory.parent)!r}."
        )
    signatures = model.signatures()
    default = next(iter(signatures))
    functions = {name: _trace(name, signature) for name, signature in signatures.items()}
    text = _card_text(card, default, functions)
    served = {"serving_default": functions[default], **functions}

    # Only what the functions read, as bare variables: TensorFlow Serving's loader does not find the variables of a
    # Keras model that hangs in a module, and networks that answer no request need not be served.
    module = tf.Module()
    module.held = list({id(v): v for function in functions.values() for v in function.graph.variables}.values())

    temporary = directory / f".exporting-{uuid.uuid4().hex}"  # no number, so that no server takes it for a version
    is_new = not directory.exists()
    try:
        temporary.mkdir(parents=True)
        forward = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(temporary), signatures=served, options=forward)
        _forget_custom_gradients(temporary / "saved_model.pb")
        (temporary / CARD).parent.mkdir()
        (temporary / CARD).write_text(text, encoding="utf-8")
        with tf.io.TFRecordWriter(str(temporary / WARM_UP)) as records:
            for name, function in served.items():
                example = signatures[default if name == "serving_default" else name].example
                records.write(_warm_up(directory.name, name, function, example).SerializeToString())
        save_networks(model, temporary / WEIGHTS)
        _flush(*temporary.rglob("*"), temporary)
        version = _publish(temporary, directory)
        _flush(directory, directory.parent)
        return version
    except (OSError, tf.errors.OpError) as error:
        if sentence := _refusal(error, directory):
            raise UsageError(sentence) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):
                directory.rmdir()  # only if it is empty


def _forget_custom_gradients(file: Path) -> None:
    """Leave to whoever differentiates an export the operators' own gradients, which are the same, only slower.

    TensorFlow saves none of the second order, and warns of each that it misses whenever such an export is loaded.
    """
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in (meta_graph.graph_def for meta_graph in model.meta_graphs):
        for node in nodes(graph):
            node.attr.pop("_gradient_op_type", None)
    file.write_bytes(model.SerializeToString(deterministic=True))


def _trace(name: str, signature: Signature):
    """The signature as a graph, after trying its example: a server refuses a model whose warm-up fails."""
    if signature.example.keys() != signature.inputs.keys():
        raise ValueError(f"signature {name!r}: the example has other names than the inputs")

    @tf.function
    def serve(**inputs):
        return signature.function(**inputs)

    specs = {key: tf.TensorSpec(spec.shape, spec.dtype, name=key) for key, spec in signature.inputs.items()}
    function = serve.get_concrete_function(**specs)
    if not isinstance(function.structured_outputs, dict):
        raise ValueError(f"signature {name!r} must return a dict of tensors, not {function.structured_outputs!r}")
    # Batch normalisation moves its averages, and dropout its seed, only while training.
    changes = sorted({node.op for node in nodes(function.graph.as_graph_def()) if node.op.startswith("Assign")})
    if changes:
        raise ValueError(f"signature {name!r} is not in inference mode: it changes variables ({', '.join(changes)})")
    function(**{key: tf.constant(signature.example[key], spec.dtype) for key, spec in specs.items()})
    return function


def _card_text(card: Mapping[str, Any], default: str, functions: Mapping[str, Any]) -> str:
    signatures = {
        name: {
            "inputs": {spec.name: _described(spec) for spec in function.structured_input_signature[1].values()},
            "outputs": {key: _described(tensor) for key, tensor in function.structured_outputs.items()},
        }
        for name, function in functions.items()
    }
    filled_in = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {
            "kgan": kgan.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
        "serving_default": default,
        "signatures": signatures,
    }
    return json.dumps(_plain({**card, **filled_in}), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _described(tensor) -> dict:
    return {"dtype": tensor.dtype.name, "shape": tensor.shape.as_list() if tensor.shape.rank is not None else None}


def _plain(value):
    """``value`` in the terms of JSON, which knows neither NumPy nor NaN."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, os.PathLike) else value


def _warm_up(model: str, name: str, function, example: Mapping[str, Any]) -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = name
    for key, spec in function.structured_input_signature[1].items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(example[key], spec.dtype))
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))


def _publish(temporary: Path, directory: Path) -> Path:
    """Rename into the next free version; a rename cannot overwrite what another exporter has put there meanwhile."""
    while True:
        version = directory / str(1 + max((int(path.name) for path in versions(directory)), default=0))
        try:
            os.rename(temporary, version)
            return version
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


def _flush(*paths: Path) -> None:
    """Wait until the disk has them."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refusal(error: OSError | tf.errors.OpError, directory: Path) -> str | None:
    """What to tell the user of an error while writing; TensorFlow has codes of its own for what the system says."""
    code = getattr(error, "errno", None)
    where = f"cannot export to {str(directory)!r}"
    if code in (errno.ENOSPC, errno.EDQUOT) or isinstance(error, tf.errors.ResourceExhaustedError):
        return f"{where}: the disk is full; free some space or export elsewhere."
    if code in (errno.EROFS, errno.EACCES, errno.EPERM) or isinstance(error, tf.errors.PermissionDeniedError):
        return f"{where}: it may not be written to; change its permissions or export elsewhere."
    if code in (errno.ENOTDIR, errno.EEXIST):
        return f"{where}: a file is where a directory should be; choose another name."
    return f"{where}: {os.strerror(code)}; export elsewhere." if code else None
