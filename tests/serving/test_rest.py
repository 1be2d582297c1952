"""TF Serving's REST API, case by case, as its documentation says it (tensorflow.org/tfx/serving/api_rest)."""

import base64
import http.client
import json

import numpy as np
import pytest

from kgan.serving.json_answers import write_outputs

PLAIN = "/v1/models/plain"
SUMS = {"signature_name": "sums"}
ROWS = [{"signal": [1, 2], "tag": "foo"}, {"signal": [3.5, -4], "tag": "Ärger 鸟"}]
COLUMNS = {"signal": [[1, 2], [3.5, -4]], "tag": ["foo", "Ärger 鸟"]}


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


ANSWERS = [
    # The examples of the documentation.
    (":predict", {"instances": [1.0, 2.0, 5.0]}, {"predictions": [3.5, 4.0, 5.5]}),
    (":predict", {"inputs": [1.0, 2.0, 5.0]}, {"outputs": [3.5, 4.0, 5.5]}),
    ("/versions/7:predict", {"instances": [1]}, {"predictions": [3.5]}),
    (":predict", {"instances": [{"x": 1.0}, {"x": 2}]}, {"predictions": [3.5, 4.0]}),
    (":predict", {"inputs": {"x": [1e0]}}, {"outputs": [3.5]}),
    (":predict", {"signature_name": "serving_default", "instances": [-6]}, {"predictions": [0.0]}),
    (":predict", {**SUMS, "instances": ROWS},
        {"predictions": [{"sum": 3.0, "tag": "FOO"}, {"sum": -0.5, "tag": "ÄRGER 鸟"}]}),
    (":predict", {**SUMS, "inputs": COLUMNS}, {"outputs": {"sum": [3.0, -0.5], "tag": ["FOO", "ÄRGER 鸟"]}}),
    # Binary values; an output whose name ends in _bytes is one.
    (":predict", {"signature_name": "echo", "instances": [b64(b"\xff\x00"), "text"]},
        {"predictions": [b64(b"\xff\x00"), b64(b"text")]}),
    (":predict", {"signature_name": "echo", "instances": [{"data": b64(b"\x80")}]}, {"predictions": [b64(b"\x80")]}),
    (":predict", {"signature_name": "echo", "inputs": ["a", b64(b"b")]}, {"outputs": [b64(b"a"), b64(b"b")]}),
    # Columns need not have the same number of rows; booleans; no rows at all.
    (":predict", {"signature_name": "count", "inputs": {"count": 3, "flag": [True, False]}},
        {"outputs": {"numbers": [0, 1, 2], "flag": [True, False]}}),
    (":predict", {"inputs": []}, {"outputs": []}),
    (":predict", {"instances": [float("inf"), float("-inf")]}, {"predictions": [float("inf"), float("-inf")]}),
    (":predict", {"instances": [0.1, 1e-30, 16777217]}, {"predictions": [3.05, 3.0, 8388611.0]}),
]  # fmt: skip

REFUSALS = [
    ("POST", "/v1/models/half:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(half)"),
    ("POST", f"{PLAIN}/versions/3:predict", {"instances": [1]}, 404,
        "Servable not found for request: Specific(plain, 3)"),
    ("POST", f"{PLAIN}/versions/99999999999999999999:predict", {"instances": [1]}, 400,
        "Failed to convert version: 99999999999999999999 to numeric."),
    ("POST", f"{PLAIN}/labels/stable:predict", {"instances": [1]}, 400,
        "Unrecognized servable version label: stable"),
    ("POST", f"{PLAIN}:predict", {"signature_name": "x", "instances": [1]}, 400,
        'Serving signature name: "x" not found in signature def'),
    ("POST", f"{PLAIN}:predict", {"signature_name": 3, "instances": [1]}, 400,
        "'signature_name' key must be a string value."),
    ("POST", f"{PLAIN}:predict", b"", 400, "JSON Parse error: The document is empty"),
    ("POST", f"{PLAIN}:predict", b'{"instances": [1', 400, "JSON Parse error: "),
    ("POST", f"{PLAIN}:predict", b'{"instances": ]', 400, "JSON Parse error: Invalid value. at offset: 14"),
    ("POST", f"{PLAIN}:predict", b'{"instances": ["\xff"]}', 400, "Invalid encoding in string. at offset: 16"),
    ("POST", f"{PLAIN}:predict", b"[" * 200_000, 400, "nested too deeply"),
    ("POST", f"{PLAIN}:predict", b'{"instances": ' + b"[" * 900 + b"]" * 900 + b"}", 400, ""),
    ("POST", f"{PLAIN}:predict", b'{"instances": [' + b"9" * 9000 + b"]}", 400, "Number too big"),
    ("POST", f"{PLAIN}:predict", [1], 400, "JSON Value: [1] Is not object"),
    ("POST", f"{PLAIN}:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
    ("POST", f"{PLAIN}:predict", {"inputs": [1], "instances": [1]}, 400, "expecting only one of"),
    ("POST", f"{PLAIN}:predict", {"instances": 1}, 400, "Expecting 'instances' to be an list/array"),
    ("POST", f"{PLAIN}:predict", {"instances": []}, 400, "No values in 'instances' array"),
    ("POST", f"{PLAIN}:predict", {**SUMS, "instances": [1]}, 400, "instances is a plain list, but expecting list of"),
    ("POST", f"{PLAIN}:predict", {**SUMS, "inputs": [1]}, 400, "inputs is a plain value/list, but expecting an"),
    ("POST", f"{PLAIN}:predict", {"instances": [1, {"x": 2}]}, 400, "Expecting value/list but got object at item 1"),
    ("POST", f"{PLAIN}:predict", {"instances": [{"x": 2}, 1]}, 400, "Expecting object but got list at item 1"),
    ("POST", f"{PLAIN}:predict", {"instances": [{"x": 2, "z": 1}]}, 400, "does not have named input: z"),
    # Wrong shape.
    ("POST", f"{PLAIN}:predict", {**SUMS, "inputs": {**COLUMNS, "signal": [[1, 2, 3], [4, 5, 6]]}}, 400,
        "input 'signal' has shape [2, 3]: it must be [-1, 2], where -1 is any size"),
    ("POST", f"{PLAIN}:predict", {"inputs": 3}, 400, "input 'x' has shape []: it must be [-1]"),
    ("POST", f"{PLAIN}:predict", {**SUMS, "inputs": {**COLUMNS, "signal": [[1, 2], [3]]}}, 400,
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ("POST", f"{PLAIN}:predict", {"instances": [1, [2]]}, 400, "Encountered list at unexpected level: 1"),
    ("POST", f"{PLAIN}:predict", {"instances": [[1], 2]}, 400, "found at incorrect level: 2 in the JSON DOM"),
    # Wrong type.
    ("POST", f"{PLAIN}:predict", {"instances": ["1"]}, 400, 'JSON Value: "1" Type: String is not of expected type:'),
    ("POST", f"{PLAIN}:predict", {"instances": [1, True]}, 400, "JSON Value: true Type: True is not of expected"),
    ("POST", f"{PLAIN}:predict", {"instances": [None]}, 400, "JSON Value: null Type: Null is not of expected"),
    ("POST", f"{PLAIN}:predict", {**SUMS, "inputs": {**COLUMNS, "tag": ["a", 1]}}, 400, "JSON Value: 1 Type: Number"),
    ("POST", f"{PLAIN}:predict", {"signature_name": "count", "inputs": {"count": 1.5, "flag": [True]}}, 400,
        "JSON Value: 1.5 Type: Number is not of expected type: int32"),
    ("POST", f"{PLAIN}:predict", {"signature_name": "count", "inputs": {"count": 2**31, "flag": [True]}}, 400,
        "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
    ("POST", f"{PLAIN}:predict", {"signature_name": "count", "inputs": {"count": 1, "flag": [1]}}, 400,
        "JSON Value: 1 Type: Number is not of expected type: bool"),
    ("POST", "/v1/models/digits:predict", {"signature_name": "score", "instances": [[[[256]] * 28] * 28]}, 400,
        "JSON Value: 256 Type: Number is not of expected type: uint8"),
    ("POST", f"{PLAIN}:predict", {"signature_name": "echo", "instances": [{"b64": "?"}]}, 400,
        "Unable to base64 decode"),
    ("POST", f"{PLAIN}:predict", b'{"signature_name": "echo", "instances": ["\\ud800"]}', 400, "surrogate pair"),
    # A missing input; too much at once; what the graph itself refuses.
    ("POST", f"{PLAIN}:predict", {**SUMS, "inputs": {"tag": ["a"]}}, 400, "Missing named input: signal in 'inputs'"),
    ("POST", f"{PLAIN}:predict", {**SUMS, "instances": [{"tag": "a"}]}, 400, "keys must be equal to: signal,tag"),
    ("POST", f"{PLAIN}:predict", {"signature_name": "count", "inputs": {"count": 999999, "flag": [True]}}, 400,
        "too much at once (count: 999999, rows of 'flag': 1): this server computes 2048 samples or steps a request"),
    ("POST", f"{PLAIN}:predict", {"signature_name": "count", "inputs": {"count": -1, "flag": [True]}}, 400,
        ""),
    ("POST", f"{PLAIN}:predict", {"signature_name": "count", "inputs": {"count": 1500, "flag": [True]}}, 400,
        "more than this graph draws"),
    ("POST", f"{PLAIN}:predict", {"signature_name": "count", "instances": [{"count": 3, "flag": True}]}, 400,
        "input 'count' has shape [1]: it must be []"),
    ("POST", "/v1/models/digits:predict", {"signature_name": "generate", "inputs": {"seed": 0, "count": 10**6}}, 400,
        "too much at once"),
    ("POST", f"{PLAIN}:predict", b'{"instances": [1], "x": "' + b"a" * 1_000_000 + b'"}', 413,
        "the request has more than 1000000 bytes"),
    # Other methods.
    ("POST", f"{PLAIN}:classify", {}, 400, "When method is classify, key 'examples' is expected and was not found"),
    ("POST", f"{PLAIN}:classify", {"examples": []}, 400, "'examples' value is an empty array"),
    ("POST", f"{PLAIN}:classify", {"examples": [1]}, 400, "Example must be JSON object but got JSON Number"),
    ("POST", f"{PLAIN}:classify", {"examples": [{"x": 1}]}, 400,
        "Expected classification signature method_name to be tensorflow/serving/classify. "
        "Was: tensorflow/serving/predict"),
    ("POST", f"{PLAIN}:regress", {"signature_name": "sums", "examples": [{"x": 1}]}, 400,
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict"),
    ("POST", "/v1/models/half:regress", {"examples": [{"x": 1}]}, 404, "Servable not found for request: Latest(half)"),
    ("POST", f"{PLAIN}:explain", {}, 400, f"Malformed request: POST {PLAIN}:explain"),
    ("PUT", f"{PLAIN}:predict", {}, 400, f"Malformed request: PUT {PLAIN}:predict"),
    ("GET", f"{PLAIN}:predict", None, 400, f"Malformed request: GET {PLAIN}:predict"),
    ("POST", PLAIN, {}, 400, f"Malformed request: POST {PLAIN}"),
    ("GET", "/v1/models", None, 400, "Missing model name in request."),
    ("GET", "/v1/models/half", None, 404, "Could not find any versions of model half"),
    ("GET", f"{PLAIN}/versions/8", None, 404, "Could not find version 8 of model plain"),
    ("GET", "/v1/models/half/metadata", None, 404, "Servable not found for request: Latest(half)"),
    # No name or number is ever a path.
    ("GET", "/v1/models/..%2f..%2fetc", None, 404, "Could not find any versions of model ../../etc"),
    ("POST", "/v1/models/%2e%2e:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(..)"),
    ("POST", "/v1/models/plain%2f7:predict", {"instances": [1]}, 404, "Latest(plain/7)"),
    ("POST", "/v1/models/../models/plain:predict", {"instances": [1]}, 400, "Malformed request"),
    ("POST", f"{PLAIN}/versions/../7:predict", {"instances": [1]}, 400, "Malformed request"),
    ("GET", "/../../etc/passwd", None, 404, "there is nothing at"),
    ("GET", "/%2e%2e/rest.py", None, 404, "there is nothing at"),
    ("POST", "/kgan/models", {}, 405, "POST is not for /kgan/models: use GET"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "request_", "answer"), ANSWERS)
def test_answers(server, path, request_, answer):
    status, found = server.json("POST", PLAIN + path, json.dumps(request_))
    assert (status, found) == (200, answer)


def test_refusals(server):
    wrong = []
    for method, path, body, wanted, message in REFUSALS:
        body = body if isinstance(body, bytes | None) else json.dumps(body)
        status, found = server.json(method, path, body)
        is_one_line = found.keys() == {"error"} and "\n" not in found["error"]
        if status != wanted or not is_one_line or message not in found["error"]:
            wrong.append((method, path, str(body)[:200], status, found))
    assert not wrong
    assert server.json("POST", f"{PLAIN}:predict", '{"instances": [1]}')[0] == 200


def test_not_a_number_and_what_follows_the_document(server):
    status, _, body = server.ask("POST", f"{PLAIN}:predict", '{"instances": [NaN]} and more')
    assert status == 200 and body == b'{\n    "predictions": [NaN]\n}'
    assert server.json("POST", f"{PLAIN}:predict", '\ufeff{"instances": [1]}'.encode())[0] == 200  # marked UTF-8


def test_status(server):
    available = {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in (PLAIN, f"{PLAIN}/versions/7", "/V1/MODELS/plain", "/v1/models/pl%61in"):
        assert server.json("GET", path) == (200, {"model_version_status": [available]})


def test_metadata(server):
    status, found = server.json("GET", f"{PLAIN}/metadata")
    assert status == 200
    spec = found["model_spec"]
    assert (spec["name"], spec["version"]) == ("plain", "7")
    signature = found["metadata"]["signature_def"]["signature_def"]["sums"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["tag"]["dtype"] == "DT_STRING"
    sizes = [size["size"] for size in signature["inputs"]["signal"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", "2"]
    assert server.json("GET", f"{PLAIN}/versions/7/metadata") == (200, found)


def test_what_is_ours(server):
    status, found = server.json("GET", "/kgan/models")
    models = {model["name"]: model for model in found["models"]}
    assert status == 200 and models["plain"]["about"] == {} and models["plain"]["versions"] == [7]
    assert models["plain"]["signatures"]["echo"] == {
        "inputs": {"data": {"dtype": "string", "shape": [None]}},
        "outputs": {"data_bytes": {"dtype": "string", "shape": [None]}},
    }
    assert models["digits"]["about"]["app"] == "image_generation"
    assert models["digits"]["signatures"]["generate"] == models["digits"]["about"]["signatures"]["generate"]
    status, found = server.json("GET", "/health")
    assert (status, found["status"]) == (200, "ok") and "notes.txt" not in found["models"]


def test_metrics(server):
    server.json("POST", f"{PLAIN}:predict", '{"instances": [1]}')
    server.json("POST", "/v1/models/nobody:predict", '{"instances": [1]}')
    status, headers, body = server.ask("GET", "/monitoring/prometheus/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain")
    text = body.decode()
    assert "# TYPE :tensorflow:serving:request_count counter" in text
    assert ':tensorflow:serving:request_count{model_name="plain",status="OK"} ' in text
    assert ':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"} ' in text and "nobody" not in text
    labels = 'model_name="plain",API="Predict",entrypoint="REST"'
    count = next(line for line in text.splitlines() if f"latency_count{{{labels}}}" in line).split()[-1]
    assert f':tensorflow:serving:request_latency_bucket{{{labels},le="+Inf"}} {count}\n' in text and int(count) > 0


@pytest.mark.parametrize("shape", [(2, 3, 2, 1), (1, 2, 1), (3, 1), (2, 2), (4,)])
def test_numbers_are_written_as_tf_serving_writes_them(shape):
    value = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    wanted = b'{\n    "predictions": %b\n}' % json.dumps(value.tolist()).encode()
    assert write_outputs({"images": value}, True) == wanted


def test_a_large_request(server):
    values = [0.5] * 40_000
    status, answer = server.json("POST", f"{PLAIN}:predict", json.dumps({"instances": values[:2000]}))
    assert (status, answer) == (200, {"predictions": [3.25] * 2000})
    status, answer = server.json("POST", f"{PLAIN}:predict", json.dumps({"instances": values}))  # beyond 64 KB
    assert status == 400 and "too much at once (rows of 'x': 40000)" in answer["error"]


def test_overload_and_time_out(server):
    """Requests that take long: some are answered, some given up, and what does not fit is refused at once."""
    body = json.dumps({"signature_name": "work", "inputs": {"steps": 200}})
    waiting = []
    for _ in range(60):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", f"{PLAIN}:predict", body)
        waiting.append(connection)
    found = [connection.getresponse() for connection in waiting]
    texts = [answer.read().decode() for answer in found]
    statuses = [answer.status for answer in found]
    refused = [text for answer, text in zip(found, texts, strict=True) if answer.status == 503]
    assert set(statuses) <= {200, 503, 504} and 200 in statuses and 504 in statuses
    assert len(refused) >= 10 and all("is full" in text for text in refused)
    for connection in waiting:
        connection.close()
    assert server.json("POST", f"{PLAIN}:predict", '{"instances": [1]}') == (200, {"predictions": [3.5]})
