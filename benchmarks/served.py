"""A server in a process of its own, for tests and benchmarks to ask, and callers that try what it can bear."""

import dataclasses
import gc
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc

ROOT = Path(__file__).parents[1]
SHIPPED = sorted(
    path.name
    for path in (ROOT / "saved_models").iterdir()
    if path.is_dir() and path.name != "demo" and not path.name.startswith("my_")  # as users call their own
)


@dataclasses.dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen
    models: Path
    port: int
    grpc_port: int
    log: Path

    def __post_init__(self):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}")
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def ask(self, method, path, body=None, headers=None):
        """The status, the headers and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def json(self, method, path, body=None):
        """The status and what the body says."""
        status, headers, content = self.ask(method, path, body)
        assert headers["content-type"] == "application/json", content
        return status, json.loads(content)

    def stop(self):
        """Ask it to; its exit status."""
        self.channel.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def start(models, log, *options):
    """A server of the models in a directory."""
    command = [sys.executable, "-m", "kgan.serving", "--models", str(models), "--port", "0", "--grpc-port", "0"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, *map(str, options)], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("Ctrl-C"):
            break
    else:
        raise AssertionError(f"no server: {said}{log.read_text()}")
    port = re.search(r"http://127.0.0.1:(\d+)/ ", said)
    grpc_port = re.search(r"gRPC +127.0.0.1:(\d+)", said)
    return Server(process, models, int(port[1]), int(grpc_port[1]), log)


METHODS = ["GET", "PUT", "HEAD", "DELETE", "OPTIONS", *["POST"] * 4]
PATHS = [
    *["/", "/v1/models", "/v1/models/plain", "/v1/models/plain/metadata", "/kgan/models", "/v1/%00", "/..%2f..%2f"],
    *[f"/v1/models/{name}:predict" for name in ("plain", "digits", "poems", "plain/versions/7", "plain/labels/x")],
    *["/v1/models/plain:classify", "/v1/models/plain:regress"],
]
NAMES = ["", "serving_default", "sums", "echo", "count", "generate", "decode", "score", "x" * 300, 1, None]
KEYS = ["x", "signal", "tag", "data", "count", "flag", "seed", "latents", "images", "sentences"]
VALUES = [
    *[0, 1, -1, 1.5, 2**31, 2**63, 2**70, 1e308, float("nan"), True, None, "", "text", "é鸟\x00", "9" * 400],
    *[{}, {"b64": "AA=="}, {"b64": "!"}, {"b64": 1}, {"x": [1]}, {"tag": "a"}],
    *[[], [[]], [1, [2]], ["a", 1], [[1, 2], [3]]],
]


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


def _write_slowly(target, pause):
    """A version, of each file half, then a pause, then all."""
    (target / "variables").mkdir(parents=True)
    source = ROOT / "saved_models/digits/1"
    gc.disable()  # looking for garbage among all that a long test run has made takes longer than the server waits
    try:
        for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
            content = (source / name).read_bytes()
            with (target / name).open("wb") as file:
                file.write(content[: len(content) // 2])
                file.flush()
                time.sleep(pause)
                file.write(content[len(content) // 2 :])
    finally:
        gc.enable()


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
        _write_slowly(models / str(version), pause / 10)
        deadline = time.monotonic() + 60
        while version not in seen and time.monotonic() < deadline:
            time.sleep(pause / 10)
        shutil.rmtree(models / str(version - 1))
        time.sleep(pause)
    stop.set()
    for thread in threads:
        thread.join()
    return seen, sum(calls), errors
