"""The client over both protocols, against the server and against servers that misbehave."""

import contextlib
import http.server
import json
import threading

import numpy as np
import pytest

from benchmarks.served import ROOT
from kgan.errors import UsageError
from kgan.serving.client import Client, ServerError
from kgan.serving.exported import load


@pytest.fixture(params=["http", "grpc"])
def address(request, server):
    port = server.port if request.param == "http" else server.grpc_port
    return f"{request.param}://127.0.0.1:{port}"


def test_the_same_as_the_export(address):
    exported = load(ROOT / "saved_models/text_to_image")
    model = Client(f"{address}/text_to_image")
    assert model.signatures == tuple(sorted(exported.signatures))
    captions = ["red hair", "blue eyes é"]
    inputs = {"captions": captions, "latents": np.random.default_rng(0).normal(size=(2, 100))}
    own, answer = exported.call("decode", **inputs), model.call("decode", **inputs)
    assert answer["images"].dtype == np.uint8 and answer["images"].tobytes() == own["images"].tobytes()
    inputs = {"captions": captions, "images": own["images"]}
    own, answer = exported.call("score", **inputs), model.call("score", **inputs)
    assert answer["scores"].dtype == np.float32 and answer["scores"].tobytes() == own["scores"].tobytes()
    assert (model.card() == exported.card) if address.startswith("http") else model.card() is None
    model.close()


def test_text_numbers_and_nothing(address):
    model = Client(f"{address}/plain/7")
    assert model.call("echo", data=[b"\xff\x00", "text"])["data_bytes"].tolist() == [b"\xff\x00", b"text"]
    answer = model.call("serving_default", x=[])["y"]  # of no rows; JSON has no way to say how wide they would be
    assert answer.shape == (0,) and answer.dtype == np.float32
    assert model.call("echo", data=[])["data_bytes"].shape == (0,)
    answer = model.call("count", count=3, flag=[True])
    assert answer["numbers"].dtype == np.int32 and answer["flag"].tolist() == [True]
    assert model.call("serving_default", x=[1])["y"].tolist() == [3.5]
    numbers = np.float32([0.1, np.pi, 1e-38, np.inf, -0.0, 16777217, 1e-45])
    direct = model.call("serving_default", x=(numbers - 3) * 2)["y"]
    assert direct.tobytes() == (np.float32(0.5) * ((numbers - 3) * 2) + np.float32(3)).tobytes()
    model.close()


def test_what_a_user_gets_wrong(address):
    model = Client(f"{address}/plain")
    for inputs, message in [
        ({"x": [1]}, "'sums' lacks its input 'signal': it takes signal, tag."),
        ({"signal": [[1, 2]], "tag": ["a"], "y": 1}, "unknown input of 'sums' 'y'"),
        ({"signal": [[1, 2, 3]], "tag": ["a"]}, r"has shape \[1, 3\]: it must be \[None, 2\]"),
    ]:
        with pytest.raises(UsageError, match=message):
            model.call("sums", **inputs)
    with pytest.raises(UsageError, match="unknown signature 'sum': did you mean 'sums'"):
        model.call("sum")
    with pytest.raises(ServerError, match="refused .*: .*more than this graph draws"):
        model.call("count", count=1500, flag=[True])
    model.close()
    with pytest.raises(ServerError, match=r"refused .*: Servable not found for request: Latest\(half\)"):
        Client(f"{address}/half")
    with pytest.raises(ServerError, match=r"Specific\(plain, 8\)"):
        Client(f"{address}/plain/8")


def test_addresses():
    for url in ("localhost:8501/digits", "http://localhost/digits", "http://localhost:8501", "http://localhost:8501/a/b",
                "ftp://localhost:1/a", "http://localhost:99999999/a", "http://localhost:1/a/1/2"):  # fmt: skip
        with pytest.raises(UsageError, match="is not one of a served model: give http://HOST:8501/MODEL or"):
            Client(url)
    with pytest.raises(ServerError, match="http://127.0.0.1:9 cannot be reached .*: is the server running there"):
        Client("http://127.0.0.1:9/a")
    with pytest.raises(ServerError, match="grpc://127.0.0.1:9 cannot be reached: is the server running there"):
        Client("grpc://127.0.0.1:9/a", timeout=0.3)


@contextlib.contextmanager
def pretender(*answers):
    """A server that gives these answers (status, body) one after the other, the last one for ever."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, body = answers[min(len(asked), len(answers)) - 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/a", asked
        running.shutdown()


def test_only_overload_is_tried_again():
    empty = json.dumps({"metadata": {"signature_def": {"signature_def": {}}}}).encode()
    full = json.dumps({"error": "queue is full"}).encode()
    with pretender((503, full), (429, full), (200, empty)) as (url, asked):
        assert Client(url).signatures == () and len(asked) == 3
    with (
        pretender((503, full)) as (url, asked),
        pytest.raises(ServerError, match=r"no room \(queue is full\) after 3 "),
    ):
        Client(url, retries=2)
    assert len(asked) == 3
    for status, body, message in [
        (500, full, r"refused \(500\): queue is full\."),
        (404, b"no", r"refused \(404\): no"),
        (200, b"<html>", "does not speak TF Serving's protocol"),
    ]:
        with pretender((status, body)) as (url, asked), pytest.raises(ServerError, match=message):
            Client(url)
        assert len(asked) == 1


def test_an_app_samples_from_a_server(address, tmp_path, capsys):
    from small import run

    for name, app in [("digits", "image_generation"), ("poems", "sentence_generation")]:
        run(app, "sample", "--model", ROOT / "saved_models" / name, "--count", 4, "--out", tmp_path / "own.png")
        own = capsys.readouterr().out.splitlines()
        place = name if address.startswith("http") else ROOT / "saved_models" / name
        run(app, "sample", "--server", address, "--model", place, "--count", 4, "--out", tmp_path / "asked.png")
        assert capsys.readouterr().out.splitlines()[:-1] == own[:-1]
        assert (tmp_path / "own.png").read_bytes() == (tmp_path / "asked.png").read_bytes()
