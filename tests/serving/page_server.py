"""A server of models that are nothing but their signatures: it answers numbers of the right shapes, at once."""

import json
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parents[2] / "kgan/serving/page"


def spec(dtype, *shape):
    return {"dtype": dtype, "shape": list(shape)}


IMAGES, CODES, SENTENCES = spec("uint8", None, 16, 16, 3), spec("float32", None, 8), spec("string", None)
NUMBER, WHOLE = spec("float32"), spec("int32")
DRAW = {"inputs": {"seed": spec("int64"), "count": WHOLE}, "outputs": {"images": IMAGES}}
DECODE = {"inputs": {"latents": CODES}, "outputs": {"images": IMAGES}}
PROJECT = {
    "inputs": {"images": IMAGES, "steps": WHOLE, "feature_weight": NUMBER},
    "outputs": {"images": IMAGES, "latents": CODES, "trail": spec("float32", None, None, 8)},
}
SCORE = {"inputs": {"images": IMAGES}, "outputs": {"scores": spec("float32", None)}}
ENCODE = {"inputs": {"images": IMAGES}, "outputs": {"latents": CODES}}
EDIT = {
    "inputs": {
        "images": IMAGES, "constraints": spec("uint8", None, 16, 16, 4), "steps": WHOLE, "proximity": NUMBER,
        "realism": NUMBER,
    },
    "outputs": {"images": IMAGES, "carried": IMAGES, "reconstructions": IMAGES, "latents": CODES},
}  # fmt: skip
BY_TAGS = {"inputs": {"tags": SENTENCES}, "outputs": {"plain": CODES, "decorrelated": CODES}}
CAPTIONS = {"inputs": {"captions": SENTENCES, "seed": spec("int64")}, "outputs": {"images": IMAGES}}
WRITE = {"inputs": {"seed": spec("int64"), "count": WHOLE}, "outputs": {"sentences": SENTENCES}}
SPEAK = {"inputs": {"texts": SENTENCES}, "outputs": {"waves": spec("float32", None, None)}}
ACT = {"inputs": {"observation": spec("float32", None, 2, 3), "greedy": spec("bool")}, "outputs": {"action": NUMBER}}
POLICY = {
    "act": {"inputs": {"observations": spec("float32", None, 4)}, "outputs": {"actions": spec("int64", None)}},
    "value": {"inputs": {"observations": spec("float32", None, 4)}, "outputs": {"values": spec("float32", None)}},
}

WORDS = {"words": ["red", "blue", "hair"], "shown": ["red hair", "blue hair"]}
MODELS = {
    "captions": ({"generate": CAPTIONS}, WORDS),
    "codes": ({"generate": DRAW, "decode": DECODE, "score": SCORE, "serving_default": DRAW}, {}),
    "editor": ({"edit": EDIT, "project": PROJECT, "encode": ENCODE, "decode": DECODE, "generate": DRAW}, {}),
    "tags": (
        {"directions": BY_TAGS, "project": PROJECT, "encode": ENCODE, "decode": DECODE, "generate": DRAW, "edit": DRAW},
        {"tags": ["hair=red", "glasses"]},
    ),
    "autoencoder": ({"encode": ENCODE, "decode": DECODE, "reconstruct": SCORE | {"outputs": DRAW["outputs"]}}, {}),
    "poems": (
        {
            "generate": WRITE,
            "encode": {"inputs": {"sentences": SENTENCES}, "outputs": {"latents": CODES}},
            "decode": {"inputs": {"latents": CODES}, "outputs": WRITE["outputs"]},
        },
        {},
    ),
    "agent": (POLICY, {}),
    "others": ({"speak": SPEAK, "act": ACT}, {}),
}

DATA = {"agent": "CartPole-v1"}


def listed(name, signatures, options):
    about = {
        "app": "image_generation", "options": options, "updates": 10, "created": "2026-01-31T12:00:00+00:00",
        "data": {"name": DATA.get(name, "digits"), "shape": [16, 16, 3], "licence": "CC0: nobody's"},
        "figures": [{"name": "distance", "value": 17.93, "protocol": "against nothing", "standard_error": None}],
    }  # fmt: skip
    return {"name": name, "versions": [1, 2], "about": about, "signatures": signatures}


def answered(of, inputs, salt):
    """Values that are a function of the inputs."""
    rows = next((len(value) for value in inputs.values() if isinstance(value, list)), inputs.get("count", 1))
    random = np.random.default_rng([salt, *json.dumps(inputs).encode()[:4000]])
    if of["dtype"] == "string":
        return [f"sentence {random.integers(1000)} “quoted” it's" for _ in range(rows)]
    shape = [rows if i == 0 else 2000 if size is None else size for i, size in enumerate(of["shape"])]
    if of["dtype"] == "int64":  # a policy that follows the pole
        return [int(angle + turning > 0) for _, _, angle, turning in inputs["observations"]]
    if of["dtype"] == "uint8":
        return random.integers(0, 256, shape).tolist()
    return random.normal(0, 0.3, shape).tolist()


class Handler(SimpleHTTPRequestHandler):
    """The page, the list, and `predict`; `state` holds the models, the requests, and a delay or an error to give."""

    def __init__(self, *args, state, **kwargs):
        self.state = state
        super().__init__(*args, directory=PAGE, **kwargs)

    def do_GET(self):
        if self.path != "/kgan/models":
            return super().do_GET()
        self.reply(200, {"models": [listed(name, *model) for name, model in self.state["models"].items()]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        self.state["requests"].append((name, body))
        self.state["gate"].wait(20)
        if self.state["error"]:
            return self.reply(400, {"error": self.state["error"]})
        outputs = self.state["models"][name][0][body["signature_name"]]["outputs"]
        found = {key: answered(of, body["inputs"], i) for i, (key, of) in enumerate(outputs.items())}
        self.reply(200, {"outputs": found if len(found) > 1 else next(iter(found.values()))})

    def reply(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    """The address, and the state that tests read and change."""
    state = {"models": dict(MODELS), "requests": [], "error": None, "gate": threading.Event()}
    state["gate"].set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, state=state))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", state
    finally:
        state["gate"].set()
        server.shutdown()
        server.server_close()
