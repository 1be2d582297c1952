"""What export writes: the model's own answers wherever it is loaded, its card, and its weights."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tiny_gan import LATENT, SHAPE, TinyGAN

from kgan.errors import UsageError
from kgan.models.gan import GAN
from kgan.networks import mlp
from kgan.networks.images import dcgan_discriminator, dcgan_generator
from kgan.serving.export import Signature, export
from kgan.serving.weights import load_networks, save_networks

RANDOM = np.random.default_rng(7)
REQUESTS = [
    *[("generate", {"seed": np.int64(5), "count": np.int32(count)}) for count in (1, 64)],
    *[("decode", {"latents": RANDOM.normal(size=(count, LATENT)).astype(np.float32)}) for count in (1, 64)],
    *[("score", {"images": RANDOM.integers(0, 256, (count, *SHAPE), np.uint8)}) for count in (1, 64)],
]


@pytest.fixture(scope="module")
def model():
    return TinyGAN()


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    return export(model, tmp_path_factory.mktemp("models") / "tiny", card={"app": "image_generation"})


def own_answer(model, name, inputs):
    """The model's output layer by layer, in eager Keras and inference mode."""
    outputs = model.signatures()[name].function(**{key: tf.constant(value) for key, value in inputs.items()})
    return {key: value.numpy() for key, value in outputs.items()}


def assert_same(answer, own):
    assert answer.keys() == own.keys()
    for key in own:
        assert answer[key].dtype == own[key].dtype and answer[key].shape == own[key].shape
        difference = np.max(np.abs(answer[key].astype(np.float64) - own[key]))
        # TensorFlow may fold batch normalisation into a neighbour: the last bits of a float, never of a picture.
        assert difference <= (0 if own[key].dtype == np.uint8 else 1e-6), (key, difference)


def test_the_tiny_model_would_show_a_wrong_mode(model):
    latents = REQUESTS[3][1]["latents"]
    trained = keras.models.clone_model(model.average)
    trained.set_weights(model.average.get_weights())
    assert np.max(np.abs(trained(latents, training=True) - model.average(latents, training=False))) > 0.1


def test_layout(version):
    files = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}
    assert version.name == "1"
    assert files >= {
        "saved_model.pb",
        "variables/variables.index",
        "assets.extra/kgan.json",
        "assets.extra/model.weights.h5",
        "assets.extra/tf_serving_warmup_requests",
    }
    assert os.stat(version).st_mode & 0o055 == ~umask() & 0o055  # a server runs as someone else


def umask():
    value = os.umask(0)
    os.umask(value)
    return value


PLAIN_TENSORFLOW = """
import pickle, sys
for package in ("kgan", "keras", "tf_keras"):
    sys.modules[package] = None
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
requests = pickle.load(open(sys.argv[2], "rb"))
answers = [model.signatures[name](**{k: tf.constant(v) for k, v in inputs.items()}) for name, inputs in requests]
pickle.dump([{k: v.numpy() for k, v in answer.items()} for answer in answers], open(sys.argv[3], "wb"))
assert not any(sys.modules[package] for package in ("kgan", "keras", "tf_keras"))
"""


def test_plain_tensorflow_gives_the_models_own_answers(model, version, tmp_path):
    (tmp_path / "requests").write_bytes(pickle.dumps(REQUESTS))
    paths = [str(version), str(tmp_path / "requests"), str(tmp_path / "answers")]
    subprocess.run([sys.executable, "-c", PLAIN_TENSORFLOW, *paths], check=True, cwd=tmp_path)
    for (name, inputs), answer in zip(REQUESTS, pickle.loads((tmp_path / "answers").read_bytes()), strict=True):
        assert_same(answer, own_answer(model, name, inputs))


def test_the_path_that_tensorflow_serving_takes(model, version):
    requests = [*REQUESTS, ("serving_default", REQUESTS[0][1])]
    answers = []
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        signatures = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(version)).signature_def
        for name, inputs in requests:
            feeds = {signatures[name].inputs[key].name: value for key, value in inputs.items()}
            answers.append(session.run({key: out.name for key, out in signatures[name].outputs.items()}, feeds))
    for (name, inputs), answer in zip(requests, answers, strict=True):
        assert_same(answer, own_answer(model, "generate" if name == "serving_default" else name, inputs))


def test_an_export_can_be_differentiated_and_loads_without_a_word(tmp_path, caplog):
    shape = (16, 16, 1)  # so large that convolutions are done by sub-pixels, with gradients of their own
    gan = GAN(dcgan_generator(shape, latent_dim=8, width=4), dcgan_discriminator(shape, width=4))
    latents = tf.random.stateless_normal((3, 8), (0, 1))
    spec = {"latents": tf.TensorSpec([None, 8], name="latents")}
    gan.signatures = lambda: {
        "raw": Signature(lambda latents: {"raw": gan(latents)}, spec, {"latents": latents.numpy()})
    }
    version = export(gan, tmp_path / "gan", card={})
    with caplog.at_level("WARNING", "absl"):
        module = tf.saved_model.load(str(version))
    assert not caplog.records
    slopes = []
    for function in lambda x: module.signatures["raw"](latents=x)["raw"], gan:
        with tf.GradientTape() as tape:
            tape.watch(latents)
            loss = tf.reduce_sum(tf.sin(function(latents)))
        slopes.append(tape.gradient(loss, latents))
    np.testing.assert_allclose(*slopes, rtol=1e-3, atol=1e-6)


def test_warm_up_records_are_requests_that_the_model_answers(version):
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(version / "assets.extra/tf_serving_warmup_requests"))
    ]
    requests = [log.predict_log.request for log in logs]
    assert [log.WhichOneof("log_type") for log in logs] == ["predict_log"] * 4
    assert {request.model_spec.name for request in requests} == {"tiny"}
    loaded = tf.saved_model.load(str(version))
    answers = {
        request.model_spec.signature_name: loaded.signatures[request.model_spec.signature_name](
            **{key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        )
        for request in requests
    }
    shapes = {name: {key: value.shape.as_list() for key, value in answer.items()} for name, answer in answers.items()}
    assert shapes == {
        "serving_default": {"images": [2, *SHAPE]},
        "generate": {"images": [2, *SHAPE]},
        "decode": {"images": [1, *SHAPE]},
        "score": {"scores": [1]},
    }


def test_card(model, tmp_path):
    card = {
        "metrics": {"distance": np.float32(3.5), "kl": np.inf, "histogram": np.array([1, 2]), "spread": (0.5, None)},
        "data": Path("my/faces"),
        "licence": "CC BY 4.0 – α",
    }
    text = (export(model, tmp_path / "tiny", card=card) / "assets.extra/kgan.json").read_text(encoding="utf-8")
    written = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert written["metrics"] == {"distance": 3.5, "kl": None, "histogram": [1, 2], "spread": [0.5, None]}
    assert written["data"] == "my/faces" and written["licence"] == "CC BY 4.0 – α"
    assert written["versions"]["tensorflow"] == tf.__version__ and written["versions"]["keras"] == keras.__version__
    assert written["serving_default"] == "generate"
    assert written["signatures"]["score"] == {
        "inputs": {"images": {"dtype": "uint8", "shape": [None, *SHAPE]}},
        "outputs": {"scores": {"dtype": "float32", "shape": [None]}},
    }


def test_weights_are_those_of_every_network_and_nothing_else(model, version):
    with h5py.File(version / "assets.extra/model.weights.h5") as file:
        arrays = []
        file.visititems(lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None)
        assert {name.split("/")[0] for name in arrays} == {"generator", "average", "discriminator"}
    assert len(arrays) == len(model.weights) == 28
    other = TinyGAN(seed=1)
    assert not np.array_equal(other.get_weights()[0], model.get_weights()[0])
    load_networks(other, version / "assets.extra/model.weights.h5")
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    name, inputs = REQUESTS[1]
    np.testing.assert_array_equal(own_answer(model, name, inputs)["images"], own_answer(other, name, inputs)["images"])


def test_a_network_with_a_moving_average_is_stored_once_and_goes_on_from_that(tmp_path):
    def game(decay: float, seed: int) -> GAN:
        players = (
            mlp.mlp_generator((2,), 3, widths=(4,), seed=seed),
            mlp.mlp_discriminator((2,), widths=(4,), seed=seed),
        )
        return GAN(*players, average_decay=decay)

    model, other, path = game(0.9, 1), game(0.9, 2), tmp_path / "model.weights.h5"
    model.average_generator.set_weights([weight + 1 for weight in model.generator.get_weights()])
    save_networks(model, path)
    with h5py.File(path) as file:
        assert set(file) - {"vars"} == {"average_generator", "discriminator"}
    with pytest.raises(UsageError, match="another model"):
        load_networks(game(0.0, 1), path)
    load_networks(other, path)
    for network in other.generator, other.average_generator:
        for mine, theirs in zip(model.average_generator.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)

    keras.saving.save_weights(model, path)  # as older exports are
    assert not np.array_equal(model.generator.get_weights()[0], other.generator.get_weights()[0])
    load_networks(other, path)
    np.testing.assert_array_equal(model.average_generator.get_weights()[0], other.generator.get_weights()[0])


def test_weights_of_another_model_and_damaged_weights(model, tmp_path):
    path = tmp_path / "model.weights.h5"
    save_networks(model, path)
    with pytest.raises(UsageError, match="another model"):
        load_networks(TinyGAN(width=17), path)
    with pytest.raises(UsageError, match="another model"):
        load_networks(model.average, path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UsageError, match="missing or damaged"):
        load_networks(model, path)
    with pytest.raises(UsageError, match="missing or damaged"):
        load_networks(model, tmp_path / "none.weights.h5")
