"""Requests that nobody means, and versions that come and go while others are called."""

import http.client
import json
import shutil
import threading
import time

import numpy as np
import tensorflow as tf
from served import ROOT, start
from tensorflow_serving.apis import predict_pb2

METHODS = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "POST", "POST", "POST"]
PATHS = ["/", "/v1/models", "/v1/models/plain", "/v1/models/plain:predict", "/v1/models/digits:predict", "/kgan/models",
         "/v1/models/plain/versions/7:predict", "/v1/models/plain/labels/x:predict", "/v1/models/poems:predict",
         "/v1/models/plain/metadata", "/v1/models/plain:classify", "/v1/%00", "/..%2f..%2f", "/v1/models/plain:regress"]  # fmt: skip
NAMES = ["", "serving_default", "sums", "echo", "count", "generate", "decode", "score", "x" * 300, 1, None]
VALUES = [0, 1, -1, 1.5, 2**31, 2**63, 2**70, 1e308, float("nan"), True, None, "", "text", "é鸟\x00", {}, {"b64": "AA=="},
          {"b64": "!"}, {"b64": 1}, [], [[]], [1, [2]], ["a", 1], [[1, 2], [3]], {"x": [1]}, {"tag": "a"}, "9" * 400]  # fmt: skip
KEYS = ["x", "signal", "tag", "data", "count", "flag", "seed", "latents", "images", "sentences"]


def nonsense(random):
    """A method, a path and a body: from what is almost right to noise."""
    method, path = (str(random.choice(choices)) for choices in (METHODS, PATHS))
    value = lambda: VALUES[random.integers(len(VALUES))]  # noqa: E731
    inputs = {str(key): value() for key in random.choice(KEYS, random.integers(4))}
    request = {
        "signature_name": NAMES[random.integers(len(NAMES))],
        str(random.choice(["inputs", "instances", "examples"])): [inputs, value(), [inputs], [value()] * 3][
            random.integers(4)
        ],
    }
    body = json.dumps(request).encode()
    kind = random.integers(4)
    if kind == 0:
        place = random.integers(len(body))
        body = body[:place] + random.bytes(random.integers(1, 5)) + body[place + random.integers(5) :]
    elif kind == 1:
        body = random.bytes(random.integers(200))
    if random.random() < 0.05:
        path += random.bytes(5).hex() * random.integers(1, 200)
    return method, path, body


def throw(server, count, seed):
    """Send nonsense; the statuses of the answers."""
    random, statuses = np.random.default_rng(seed), {}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for _ in range(count):
        method, path, body = nonsense(random)
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = answer.read()
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        assert answer.status in (200, 400, 404, 405, 413, 501), (method, path, body, answer.status, content)
        if answer.status != 200 and method != "HEAD":
            error = json.loads(content)["error"]
            assert error and "\n" not in error and len(error) < 2000 and "Traceback" not in error
    connection.close()
    return statuses


def throw_messages(server, count, seed):
    """The same by gRPC: messages that were broken on the way, and bytes that were never one."""
    random, codes = np.random.default_rng(seed), {}
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "plain", "sums"
    request.inputs["signal"].CopyFrom(tf.make_tensor_proto(np.float32([[1, 2]])))
    request.inputs["tag"].CopyFrom(tf.make_tensor_proto([b"a"]))
    whole = request.SerializeToString()
    call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    for _ in range(count):
        sent = bytearray(whole if random.random() < 0.8 else random.bytes(100))
        for place in random.integers(len(sent), size=random.integers(1, 4)):
            sent[place] = random.integers(256)
        error = call.future(bytes(sent)).exception(30)
        code = error.code().name if error else "OK"
        codes[code] = codes.get(code, 0) + 1
    return codes


def test_nonsense(server):
    statuses = throw(server, 300, seed=0)
    assert min(statuses.get(status, 0) for status in (200, 400, 404)) > 5
    codes = throw_messages(server, 150, seed=0)
    assert codes.keys() <= {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "INTERNAL", "UNIMPLEMENTED"}
    assert codes["INVALID_ARGUMENT"] > 5
    assert server.json("POST", "/v1/models/plain:predict", '{"instances": [1]}') == (200, {"predictions": [3.5]})


def swap(server, count, callers, pause):
    """Write a version after the other, the whole of it slowly, and remove the one before, while others call.

    Returns what was served, the number of calls and their errors.
    """
    models, stop = server.models / "swapped", threading.Event()
    seen, calls, errors = set(), [0] * callers, []
    body = json.dumps({"inputs": {"seed": 3, "count": 1}})
    expected = server.json("POST", "/v1/models/swapped:predict", body)

    def call(index):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "swapped"
        request.inputs["seed"].CopyFrom(tf.make_tensor_proto(3, tf.int64))
        request.inputs["count"].CopyFrom(tf.make_tensor_proto(1))
        while not stop.is_set():
            try:
                if index % 2:
                    connection.request("POST", "/v1/models/swapped:predict", body)
                    answer = connection.getresponse()
                    found = answer.status, json.loads(answer.read())
                    assert found == expected, found
                else:
                    response = server.prediction.Predict(request, timeout=60)
                    seen.add(response.model_spec.version.value)
                    images = tf.make_ndarray(response.outputs["images"])
                    assert images.tolist() == expected[1]["outputs"]
                calls[index] += 1
            except Exception as error:
                errors.append(error)
        connection.close()

    threads = [threading.Thread(target=call, args=[index]) for index in range(callers)]
    for thread in threads:
        thread.start()
    for version in range(2, count + 2):
        target = models / str(version)
        (target / "variables").mkdir(parents=True)
        source = ROOT / "saved_models/digits/1"
        names = ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
        for name in names:  # half of it, then a pause, then all of it
            content = (source / name).read_bytes()
            with (target / name).open("wb") as file:
                file.write(content[: len(content) // 2])
                file.flush()
                time.sleep(pause / 10)
                file.write(content[len(content) // 2 :])
        deadline = time.monotonic() + 60
        while version not in seen and time.monotonic() < deadline:
            time.sleep(pause / 10)
        shutil.rmtree(models / str(version - 1))
        time.sleep(pause)
    stop.set()
    for thread in threads:
        thread.join()
    return seen, sum(calls), errors


def test_versions_come_and_go(tmp_path):
    (tmp_path / "models/swapped").mkdir(parents=True)
    shutil.copytree(ROOT / "saved_models/digits/1", tmp_path / "models/swapped/1")
    running = start(tmp_path / "models", tmp_path / "log", "--poll", 0.05, "--settle", 0.3)
    seen, calls, errors = swap(running, count=10, callers=4, pause=0.1)
    assert not errors, errors[:3]
    assert calls > 100 and seen >= set(range(2, 12))
    states = running.json("GET", "/v1/models/swapped")[1]["model_version_status"]
    assert states[0]["version"] == "11" and states[0]["state"] == "AVAILABLE"
    assert "cannot load" not in running.log.read_text()
    assert running.stop() == 0
