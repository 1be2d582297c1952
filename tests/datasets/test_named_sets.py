"""What a person asks for by name."""

import keras
import numpy as np
import pytest

from kgan.datasets import NAMES, load
from kgan.errors import UsageError


def test_digits():
    train, test = load("digits"), load("digits", "test")
    assert train.examples.shape == (8000, 28, 28, 1)
    assert test.examples.shape == (1000, 28, 28, 1)
    assert train.examples.dtype == np.uint8
    assert train.labels.dtype == np.int64
    assert train.label_names == list("0123456789")
    assert np.bincount(train.labels).min() > 600
    assert "CC BY-SA 3.0" in train.licence
    assert not {image.tobytes() for image in train.examples} & {image.tobytes() for image in test.examples}
    means = np.stack([train.examples[train.labels == k].mean(0).ravel() for k in range(10)])
    distance = ((test.examples.reshape(1000, 1, -1) - means) ** 2).sum(-1)
    assert (distance.argmin(1) == test.labels).mean() > 0.75  # the labels are the labels


def test_digits_in_other_sizes_and_colours():
    small = load("digits", count=5, size=(14, 20), channels=3)
    assert small.examples.shape == (5, 14, 20, 3)
    assert small.shape == (14, 20, 3)
    np.testing.assert_array_equal(small.labels, load("digits").labels[:5])
    np.testing.assert_array_equal(load("digits", count=5).examples, load("digits").examples[:5])
    large = load("digits", count=5, size=56)
    halved = large.examples.reshape(5, 28, 2, 28, 2).mean((2, 4))
    assert np.abs(halved - load("digits", count=5).examples[..., 0]).mean() < 4


def test_sets_that_keras_downloads(monkeypatch):
    x = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    y = np.arange(6, dtype=np.uint8)[:, None]
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: ((x[:4], y[:4]), (x[4:], y[4:])))
    train, test = load("cifar10"), load("cifar10", "test", channels=1)
    np.testing.assert_array_equal(train.examples, x[:4])
    assert train.labels.tolist() == [0, 1, 2, 3]
    assert train.label_names[3] == "cat"
    assert test.examples.shape == (2, 32, 32, 1)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_download_that_fails_is_one_sentence(name, monkeypatch):
    def unreachable():
        raise Exception("URL fetch failure on https://example.org/x.npz:\nNone -- Name or service not known")

    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", unreachable)
    with pytest.raises(UsageError, match=rf"{name}.*https://example.org/x.npz.*'digits'") as caught:
        load(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("digitz", {}, "unknown data set 'digitz': did you mean 'digits'"),
        ("fashion-mnist", {}, "did you mean 'fashion_mnist'"),
        ("folder:", {}, "folder:PATH"),
        ("", {}, "choose one of digits, coloured-digits, faces"),
        ("digits", {"split": "tset"}, "unknown split 'tset': did you mean 'test'"),
        ("digits", {"split": "all"}, "unknown split 'all'"),
        ("digits", {"size": -28}, "size -28"),
        ("digits", {"channels": 2}, "channels 2"),
        ("digits", {"count": 0}, "count 0"),
        ("digits", {"count": 9000}, "9000 images asked for but 'digits' has 8000"),
        ("digits", {"size": 100_000}, "GiB"),
        ("faces", {"count": 10**9}, "GiB"),
        ("ring", {"count": 10**12}, "GiB"),
        ("faces", {"seed": -1}, "seed -1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(name, options, words):
    with pytest.raises(UsageError, match=words):
        load(name, **options)


def test_a_bare_folder_gets_a_hint(tmp_path):
    with pytest.raises(UsageError, match=f"write 'folder:{tmp_path}'"):
        load(str(tmp_path))


def test_all_names_are_listed():
    with pytest.raises(UsageError) as caught:
        load("nothing like it")
    assert all(name in str(caught.value) for name in NAMES)
