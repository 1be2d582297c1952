"""Asks a model that is served, by TF Serving or by `python -m kgan.serving`, as one asks an exported model.

    model = Client("http://localhost:8501/digits")      REST
    model = Client("grpc://localhost:8500/digits/3")    gRPC; version 3
    model.call("generate", seed=0, count=64)["images"]

Only overload is tried again, since only then has nothing been computed.
"""

import base64
import http.client
import json
import random
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from kgan.errors import UsageError, lookup
from kgan.serving.exported import cast

_OVERLOAD_HTTP = {429, 503}
_OVERLOAD_GRPC = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
_MOST_BYTES = 2**30


class ServerError(UsageError):
    """A server that cannot be reached, or that refused: one sentence."""


class _Overload(Exception):
    """The server has no room now; carries what it said."""


class Client:
    """A model on a server, with the `call` and `signatures` of `exported.Exported`.

    Args:
        url: http://HOST:PORT/MODEL[/VERSION] for REST, grpc://HOST:PORT/MODEL[/VERSION] for gRPC.
        timeout: seconds for one request.
        retries: how often a request that met overload is sent again, after 0.1, 0.2, 0.4, … seconds.

    Raises:
        ServerError: nobody answers there, or there is no such model.
    """

    def __init__(self, url: str, *, timeout: float = 60.0, retries: int = 5):
        self.url, self.timeout, self.retries = url, timeout, retries
        parts = urllib.parse.urlsplit(url)
        place = parts.path.strip("/").split("/")
        try:
            port = parts.port
        except ValueError:
            port = None
        is_good = parts.scheme in _PROTOCOLS and parts.hostname and port and len(place) <= 2 and place[0]
        if not is_good or len(place) == 2 and not place[1].isdecimal():
            raise UsageError(
                f"the address {url!r} is not one of a served model: give http://HOST:8501/MODEL or "
                "grpc://HOST:8500/MODEL."
            )
        self.name, self.version = place[0], int(place[1]) if len(place) == 2 else None
        self._protocol = _PROTOCOLS[parts.scheme](parts.hostname, port, self.name, self.version, timeout)
        self._signatures = {
            name: definition
            for name, definition in self._again(self._protocol.metadata).items()
            if not name.startswith("__")
        }

    @property
    def signatures(self) -> tuple[str, ...]:
        """The names that `call` takes."""
        return tuple(sorted(self._signatures.keys() - {"serving_default"}))

    def card(self) -> dict[str, Any] | None:
        """What the `kgan.json` of the model says, where the server tells; TF Serving does not, nor does gRPC."""
        return self._protocol.card()

    def call(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """The outputs of signature `name`; inputs are cast where that keeps every value.

        Raises:
            UsageError: unknown signature; an input is missing, unknown, of another shape, or would change by the cast.
            ServerError: the server cannot be reached or refuses.
        """
        known = self._signatures
        signature = lookup("signature", name, known if name in known else dict.fromkeys(self.signatures))
        for key in sorted(signature.inputs):
            if key not in inputs:
                raise UsageError(f"{name!r} lacks its input {key!r}: it takes {', '.join(sorted(signature.inputs))}.")
        for key in inputs:
            lookup(f"input of {name!r}", key, signature.inputs)
        arrays = {
            key: cast(f"{key!r} of {name!r}", inputs[key], *_spec(info)) for key, info in signature.inputs.items()
        }
        return self._again(lambda: self._protocol.predict(name, arrays, signature))

    def close(self) -> None:
        """Let go of the connection."""
        self._protocol.close()

    def _again(self, ask):
        wait = 0.1
        for attempt in range(self.retries + 1):
            try:
                return ask()
            except _Overload as overload:
                if attempt == self.retries:
                    said = str(overload).rstrip(".")
                    raise ServerError(
                        f"{self.url} has no room ({said}) after {attempt + 1} attempts: try again later."
                    ) from None
            time.sleep(wait * random.uniform(0.5, 1))  # so that those who were refused together do not return together
            wait *= 2
        raise AssertionError("never here")


class _Rest:
    """TF Serving's REST API, in columns."""

    def __init__(self, host: str, port: int, name: str, version: int | None, timeout: float):
        self.host, self.port, self.timeout, self.name = host, port, timeout, name
        versions = "" if version is None else f"/versions/{version}"
        self.path = f"/v1/models/{urllib.parse.quote(name, safe='')}{versions}"

    def metadata(self) -> dict[str, meta_graph_pb2.SignatureDef]:
        """The signatures."""
        found = self._ask("GET", f"{self.path}/metadata")["metadata"]["signature_def"]
        message = json_format.ParseDict(found, get_model_metadata_pb2.SignatureDefMap(), ignore_unknown_fields=True)
        return dict(message.signature_def)

    def card(self) -> dict[str, Any] | None:
        """From our own server."""
        try:
            models = self._ask("GET", "/kgan/models")["models"]
        except (ServerError, KeyError, TypeError):
            return None
        return next((model["about"] for model in models if model["name"] == self.name and model["about"]), None)

    def predict(self, name: str, inputs: Mapping[str, np.ndarray], signature) -> dict[str, np.ndarray]:
        """The outputs."""
        body = json.dumps({"signature_name": name, "inputs": {key: _written(value) for key, value in inputs.items()}})
        answer = self._ask("POST", f"{self.path}:predict", body)["outputs"]
        if len(signature.outputs) == 1:
            answer = {next(iter(signature.outputs)): answer}
        return {key: _read(answer[key], *_spec(info)) for key, info in signature.outputs.items()}

    def close(self) -> None:
        """Nothing is kept."""

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        where = f"http://{self.host}:{self.port}"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request(method, path, body and body.encode(), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read(_MOST_BYTES)
        except TimeoutError:
            raise ServerError(
                f"{where} gave no answer within {self.timeout:g} seconds: ask for less, or wait longer."
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(f"{where} cannot be reached ({error}): is the server running there?") from error
        finally:
            connection.close()
        try:
            told = json.loads(content)
        except ValueError:
            told = {"error": content[:200].decode(errors="replace")}
        if answer.status == 200:
            if not isinstance(told, dict) or "error" in told:
                raise ServerError(f"{where} does not speak TF Serving's protocol: give its REST port.")
            return told
        said = told.get("error", "") if isinstance(told, dict) else str(told)
        if answer.status in _OVERLOAD_HTTP:
            raise _Overload(said)
        raise ServerError(_refused(where, answer.status, said))


class _Grpc:
    """TF Serving's gRPC API."""

    def __init__(self, host: str, port: int, name: str, version: int | None, timeout: float):
        self.where, self.timeout, self.name, self.version = f"grpc://{host}:{port}", timeout, name, version
        bracketed = f"[{host}]" if ":" in host else host
        self._channel = grpc.insecure_channel(
            f"{bracketed}:{port}",
            [("grpc.max_receive_message_length", _MOST_BYTES), ("grpc.max_send_message_length", _MOST_BYTES)],
        )
        try:
            grpc.channel_ready_future(self._channel).result(min(timeout, 10))
        except grpc.FutureTimeoutError:
            self._channel.close()
            raise ServerError(f"{self.where} cannot be reached: is the server running there?") from None
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def metadata(self) -> dict[str, meta_graph_pb2.SignatureDef]:
        """The signatures."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        response = self._ask(self._stub.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(found)
        return dict(found.signature_def)

    def card(self) -> None:
        """The protocol has no place for it."""
        return None

    def predict(self, name: str, inputs: Mapping[str, np.ndarray], signature) -> dict[str, np.ndarray]:
        """The outputs."""
        request = predict_pb2.PredictRequest()
        request.model_spec.signature_name = name
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value, signature.inputs[key].dtype, value.shape))
        response = self._ask(self._stub.Predict, request)
        return {key: tf.make_ndarray(value) for key, value in response.outputs.items()}

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _ask(self, method, request):
        request.model_spec.name = self.name
        if self.version is not None:
            request.model_spec.version.value = self.version
        try:
            return method(request, timeout=self.timeout)
        except grpc.RpcError as error:
            if error.code() in _OVERLOAD_GRPC:
                raise _Overload(error.details()) from None
            raise ServerError(_refused(self.where, error.code().name, error.details())) from None


_PROTOCOLS = {"http": _Rest, "grpc": _Grpc}


def _refused(where: str, code: Any, said: str) -> str:
    return f"{where} refused ({code}): {' '.join(str(said).split())[:500].rstrip('.')}."


def _spec(info) -> tuple[tf.DType, tf.TensorShape]:
    return tf.as_dtype(info.dtype), tf.TensorShape(info.tensor_shape)


def _written(value: np.ndarray) -> Any:
    """An array as JSON's lists; strings as binary, which they may be."""
    if value.dtype != object:
        return value.tolist()
    coded = np.empty(value.size, object)
    coded[:] = [{"b64": base64.b64encode(item).decode()} for item in value.reshape(-1)]
    return coded.reshape(value.shape).tolist()


def _read(value: Any, dtype: tf.DType, shape: tf.TensorShape) -> np.ndarray:
    """JSON's lists as an array of the type that the model gives."""
    if dtype != tf.string:
        array = np.array(value, dtype.as_numpy_dtype)
    else:
        array = np.array(value, object)
        array.reshape(-1)[:] = [
            base64.b64decode(item["b64"]) if isinstance(item, dict) else item.encode() for item in array.reshape(-1)
        ]
    if not array.size and shape.rank is not None:  # empty lists do not say how wide they would be
        array = array.reshape([0 if size is None else size for size in shape]) if None in shape.as_list() else array
    return array
