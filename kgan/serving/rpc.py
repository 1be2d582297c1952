"""TF Serving's gRPC services, through its own stubs: PredictionService and ModelService."""

import logging
import math
from collections.abc import Awaitable

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kgan.serving.messages import metadata_of, status_of
from kgan.serving.servable import Signature
from kgan.serving.service import Asked, Service
from kgan.serving.status import Code, ServingError, invalid, of_exception

_LOG = logging.getLogger(__name__)


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the methods that no model here has are refused as TF Serving refuses them."""

    def __init__(self, service: Service):
        self.service = service

    async def Predict(self, request, context):
        """Outputs for inputs."""
        return await _answered(context, self._predict(request))

    async def GetModelMetadata(self, request, context):
        """The signatures of a model."""

        async def answer():
            if not request.metadata_field:
                raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
            for field in request.metadata_field:
                if field != "signature_def":
                    raise invalid(f"Metadata field {field} is not supported")
            asked = _asked(request)
            with self.service.repository.hold(asked.name, asked.version, asked.label) as servable:
                return metadata_of(servable)

        return await _answered(context, answer())

    async def Classify(self, request, context):
        """Refused."""
        return await _answered(context, self._other(request, "classification", "classify"))

    async def Regress(self, request, context):
        """Refused."""
        return await _answered(context, self._other(request, "regression", "regress"))

    async def MultiInference(self, request, context):
        """Refused."""
        return await _answered(context, _unsupported("MultiInference"))

    async def _predict(self, request) -> predict_pb2.PredictResponse:
        asked, name = _asked(request), request.model_spec.signature_name
        with self.service.counted(asked.name, "Predict", "GRPC"), self.service.room() as take:
            take(request.ByteSize())
            answer = await self.service.predict(
                asked,
                name,
                lambda signature: self._inputs(request, signature),
                lambda wanted: ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{wanted}" not found.'),
            )
        response = predict_pb2.PredictResponse()
        response.model_spec.name = asked.name
        response.model_spec.version.value = answer.version
        response.model_spec.signature_name = name or "serving_default"
        for key in request.output_filter or answer.outputs:
            value = answer.outputs[key]
            dtype = tf.string if value.dtype == object else value.dtype
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value, dtype, value.shape))
        return response

    def _inputs(self, request, signature: Signature) -> dict[str, np.ndarray]:
        seen = set()
        for key in request.output_filter:
            if key not in signature.outputs:
                known = ",".join(signature.outputs)
                raise invalid(
                    f"output tensor alias not found in signature: {key} Outputs expected to be in the set {{{known}}}."
                )
            if key in seen:
                raise invalid(f"duplicate output tensor alias: {key}")
            seen.add(key)
        return {key: read_tensor(key, request.inputs[key], self.service.largest) for key in sorted(request.inputs)}

    async def _other(self, request, kind: str, verb: str):
        asked = _asked(request)
        with self.service.counted(asked.name, verb.capitalize(), "GRPC"):
            raise self.service.refuse_method(asked, request.model_spec.signature_name, kind, verb)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """The states of versions."""

    def __init__(self, service: Service):
        self.service = service

    async def GetModelStatus(self, request, context):
        """Of all versions of a model, or of one."""

        async def answer():
            asked = _asked(request, needs_name=False)
            return status_of(self.service.repository.statuses(asked.name, asked.version))

        return await _answered(context, answer())

    async def HandleReloadConfigRequest(self, request, context):
        """Refused: the directory is watched."""
        return await _answered(context, _unsupported("HandleReloadConfigRequest"))


def read_tensor(name: str, tensor: tensor_pb2.TensorProto, largest: int) -> np.ndarray:
    """The array of a message, whose claims about its size are not believed.

    Raises:
        ServingError: it says something that cannot be, or repeats one value into more than `largest` bytes.
    """
    try:
        dtype = tf.as_dtype(tensor.dtype)
        is_text = dtype == tf.string
        width = 8 if is_text else np.dtype(dtype.as_numpy_dtype).itemsize
    except (TypeError, ValueError, KeyError):
        raise invalid(f"input {name!r} is of no type that can be sent: {tensor.dtype}") from None
    sizes = [size.size for size in tensor.tensor_shape.dim]
    count = math.prod(sizes)
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in sizes) or len(sizes) > 32:
        raise invalid(f"input {name!r} has no valid shape")
    if count * width > largest:
        raise invalid(f"input {name!r} has more than {largest} bytes: send less at once")
    if tensor.tensor_content and len(tensor.tensor_content) != count * width:
        raise invalid(f"input {name!r} has {len(tensor.tensor_content)} bytes: its shape {sizes} needs {count * width}")
    try:
        array = tf.make_ndarray(tensor)
    except Exception:  # whatever a message that was not made by TensorFlow can do to it
        raise invalid(f"input {name!r} holds other values than its type and shape say") from None
    if is_text and not all(isinstance(item, bytes) for item in array.reshape(-1)):
        raise invalid(f"input {name!r} holds no strings")
    return array


def _asked(request, needs_name: bool = True) -> Asked:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    if needs_name and not spec.name:
        raise invalid("ModelSpec has no name specified.")
    kind = spec.WhichOneof("version_choice")
    return Asked(
        spec.name,
        spec.version.value if kind == "version" else None,
        spec.version_label if kind == "version_label" else None,
    )


async def _unsupported(method: str):
    raise ServingError(Code.UNIMPLEMENTED, f"this server has no {method}: use TF Serving")


async def _answered(context, answer: Awaitable):
    """The answer, or its error in gRPC's terms."""
    try:
        return await answer
    except Exception as unknown:
        error = of_exception(unknown)
        if error is not unknown:
            _LOG.error("a call by gRPC", exc_info=unknown)
        await context.abort(grpc.StatusCode[error.code.name], error.message)


def serve(service: Service, address: str, *, most_calls: int) -> tuple[grpc.aio.Server, int]:
    """A server that listens at `address` ("host:port") once it is started, and its port.

    Raises:
        OSError: it cannot listen there.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", service.largest),
            ("grpc.max_send_message_length", -1),
        ],
        maximum_concurrent_rpcs=most_calls,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(service), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(service), server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(str(error)) from error
    return server, port
