"""A server in a process of its own, for tests to ask."""

import dataclasses
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.name for path in (ROOT / "saved_models").iterdir() if path.is_dir())


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
