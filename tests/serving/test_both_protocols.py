"""Every model that ships, by both protocols and by saved_model_cli: the bytes of the SavedModel called directly."""

import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.python.tools import saved_model_cli
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
    prediction_log_pb2,
)

from benchmarks.served import ROOT, SHIPPED
from kgan.serving.exported import load, versions

RANDOM = np.random.default_rng(3)


def newest(name):
    return versions(ROOT / "saved_models" / name)[-1]


def requests(name):
    """A request for each signature: that of the warm-up, but of three rows where there are rows, with other numbers."""
    path = newest(name) / "assets.extra/tf_serving_warmup_requests"
    found = {}
    for record in tf.data.TFRecordDataset(str(path)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {key: vary(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        found[request.model_spec.signature_name] = inputs
    return found


def vary(value):
    if not value.ndim:
        return value + 1 if value.dtype.kind == "i" else value
    value = np.repeat(value, 3, axis=0)
    if value.dtype == np.uint8:
        return RANDOM.integers(0, 256, value.shape, np.uint8)
    return RANDOM.normal(size=value.shape).astype(value.dtype) if value.dtype.kind == "f" else value


def by_grpc(server, name, signature, inputs, **spec):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for key, value in spec.items():
        if key == "version":
            request.model_spec.version.value = value
        else:
            setattr(request.model_spec, key, value)
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return server.prediction.Predict(request, timeout=60)


def by_rest(server, name, signature, inputs):
    lists = {
        key: [item.decode() for item in value] if value.dtype == object else value.tolist()
        for key, value in inputs.items()
    }
    body = json.dumps({"signature_name": signature, "inputs": lists})
    status, answer = server.json("POST", f"/v1/models/{name}:predict", body)
    assert status == 200, answer
    return answer["outputs"]


def assert_same(found, direct):
    assert found.shape == direct.shape
    if direct.dtype == object:
        assert found.tolist() == direct.tolist()
    else:
        assert found.dtype == direct.dtype and found.tobytes() == direct.tobytes()


@pytest.fixture
def plain_tensorflow():
    """The graph passes that kgan turns off for training: they decide the last bit, here as in the server."""
    passes = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options(passes | {"remapping": True, "dependency_optimization": True})
    yield
    tf.config.optimizer.set_experimental_options(passes)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models(server, name, tmp_path, plain_tensorflow):
    exported, asked = load(newest(name)), requests(name)
    assert asked.keys() == {"serving_default", *exported.signatures}
    parser = saved_model_cli.create_parser()
    for signature, inputs in asked.items():
        own = exported.card["serving_default"] if signature == "serving_default" else signature
        direct = exported.call(own, **inputs)
        response = by_grpc(server, name, signature, inputs)
        assert response.model_spec.version.value == int(newest(name).name)
        assert response.outputs.keys() == direct.keys()
        rest = by_rest(server, name, signature, inputs)
        rest = {next(iter(direct)): rest} if len(direct) == 1 else rest
        for key, value in direct.items():
            assert_same(tf.make_ndarray(response.outputs[key]), value)
            if value.dtype == object:
                assert rest[key] == [item.decode() for item in value]
            else:
                assert_same(np.array(rest[key], value.dtype), value)
        if signature == "serving_default":
            continue
        given = []
        for key, value in inputs.items():
            np.save(tmp_path / f"{key}.npy", value)
            given.append(f"{key}={tmp_path / key}.npy")
        arguments = parser.parse_args([
            "run", "--dir", str(newest(name)), "--tag_set", "serve", "--signature_def", signature,
            "--inputs", ";".join(given), "--outdir", str(tmp_path / signature), "--overwrite",
        ])  # fmt: skip
        arguments.func()
        for key, value in direct.items():
            assert_same(np.load(tmp_path / signature / f"{key}.npy", allow_pickle=True), value)


def refused(code, message, call, *arguments, **named):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **named)
    assert caught.value.code() is code, caught.value.details()
    assert message in caught.value.details() and "\n" not in caught.value.details()


def test_grpc_answers(server):
    response = by_grpc(server, "plain", "", {"x": np.float32([1, 2, 5])})
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [3.5, 4.0, 5.5]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("plain", 7, "serving_default")
    by_grpc(server, "plain", "", {"x": np.float32([1])}, version=7)
    request = predict_pb2.PredictRequest(output_filter=["sum"])
    request.model_spec.name, request.model_spec.signature_name = "plain", "sums"
    request.inputs["signal"].CopyFrom(tf.make_tensor_proto(np.float32([[1, 2]])))
    request.inputs["tag"].CopyFrom(tf.make_tensor_proto([b"\xff"]))
    assert dict(server.prediction.Predict(request).outputs).keys() == {"sum"}
    request.output_filter.append("sum")
    refused(grpc.StatusCode.INVALID_ARGUMENT, "duplicate output tensor alias: sum", server.prediction.Predict, request)
    request.output_filter[:] = ["x"]
    refused(grpc.StatusCode.INVALID_ARGUMENT, "alias not found in signature: x", server.prediction.Predict, request)


def test_grpc_refusals(server):
    one, code = {"x": np.float32([1])}, grpc.StatusCode
    refused(code.NOT_FOUND, "Servable not found for request: Latest(half)", by_grpc, server, "half", "", one)
    refused(code.NOT_FOUND, "Specific(plain, 3)", by_grpc, server, "plain", "", one, version=3)
    refused(code.INVALID_ARGUMENT, "Unrecognized servable version label: a", by_grpc, server, "plain", "", one,
            version_label="a")  # fmt: skip
    refused(code.FAILED_PRECONDITION, 'Serving signature key "x" not found.', by_grpc, server, "plain", "x", one)
    refused(code.INVALID_ARGUMENT, "Missing but required: {x}", by_grpc, server, "plain", "", {"z": one["x"]})
    refused(code.INVALID_ARGUMENT, "input 'x' is float64", by_grpc, server, "plain", "", {"x": np.ones(1)})
    refused(code.INVALID_ARGUMENT, "input 'x' has shape [1, 1]", by_grpc, server, "plain", "", {"x": one["x"][None]})
    refused(code.INVALID_ARGUMENT, "ModelSpec has no name", by_grpc, server, "", "", one)
    refused(code.INVALID_ARGUMENT, "Missing ModelSpec", server.prediction.Predict, predict_pb2.PredictRequest())
    many = {"x": np.zeros(400_000, np.float32)}
    refused(code.RESOURCE_EXHAUSTED, "larger than max", by_grpc, server, "plain", "", many)
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name = "plain"
    refused(code.INVALID_ARGUMENT, "Expected classification signature", server.prediction.Classify, classify)
    reload = model_management_pb2.ReloadConfigRequest()
    refused(code.UNIMPLEMENTED, "use TF Serving", server.model.HandleReloadConfigRequest, reload)


def test_tensors_that_lie(server):
    """A message of a few bytes may claim any size, and values of another type."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "plain"
    tensor = request.inputs["x"]
    for sizes, fields, message in [
        ([10**12], {"float_val": [1.0]}, "has more than"),
        ([2**40, 2**40], {}, "has more than"),
        ([-1], {"float_val": [1.0]}, "no valid shape"),
        ([2], {"tensor_content": b"123"}, "has 3 bytes: its shape [2] needs 8"),
        ([1], {"float_val": [1.0, 2.0, 3.0]}, "other values than its type and shape say"),
        ([1], {"string_val": [b"a"], "dtype": tf.string.as_datatype_enum}, "input 'x' is string"),
        ([1], {"dtype": tf.variant.as_datatype_enum}, "input 'x'"),
        ([1], {"dtype": 0}, "input 'x' is of no type"),
    ]:
        tensor.Clear()
        tensor.dtype = fields.pop("dtype", tf.float32.as_datatype_enum)
        for size in sizes:
            tensor.tensor_shape.dim.add(size=size)
        for key, value in fields.items():
            tensor.tensor_content = value if key == "tensor_content" else tensor.tensor_content
            if key != "tensor_content":
                getattr(tensor, key).extend(value)
        refused(grpc.StatusCode.INVALID_ARGUMENT, message, server.prediction.Predict, request)


def test_grpc_status_and_metadata(server):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "plain"
    (status,) = server.model.GetModelStatus(request).model_version_status
    assert (status.version, status.state, status.status.error_code) == (7, 30, 0)
    request.model_spec.name = "half"
    refused(grpc.StatusCode.NOT_FOUND, "any versions of model half", server.model.GetModelStatus, request)
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "digits"
    response = server.prediction.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    by_http = server.json("GET", "/v1/models/digits/metadata")[1]["metadata"]["signature_def"]
    assert json_format.ParseDict(by_http, get_model_metadata_pb2.SignatureDefMap()) == signatures
    request.metadata_field[:] = ["x"]
    call = server.prediction.GetModelMetadata
    refused(grpc.StatusCode.INVALID_ARGUMENT, "Metadata field x is not supported", call, request)
