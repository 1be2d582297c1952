"""One task in two domains: a source whose labels are known, and a target that has to do without."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import make_moons

from kgan.datasets import named
from kgan.datasets.data import Data
from kgan.datasets.images import fit_all
from kgan.errors import UsageError

PHOTOS = Path(__file__).parent / "files" / "photos"
LONGER_SIDE = 481  # that of BSDS500's photographs, from which MNIST-M was made: patches of larger ones are blander
COLOURED = {"coloured-digits": "digits", "coloured-mnist": "mnist"}


@dataclass(frozen=True, eq=False)
class Domains:
    """Two data sets of one shape, served side by side as `Data` serves one.

    Attributes:
        source: labelled examples.
        target: examples whose labels, if there are any, are only for measuring.

    Raises:
        UsageError: for a source without labels, or for sets that do not fit each other.
    """

    source: Data
    target: Data

    def __post_init__(self):
        if self.source.labels is None:
            raise UsageError(f"data set {self.source.name!r} has no labels: a source needs them, choose one that has.")
        if self.source.shape != self.target.shape:
            raise UsageError(
                f"{self.source.name!r} is of shape {self.source.shape} but {self.target.name!r} of "
                f"{self.target.shape}: give two sets of one shape, or a --size and --channels for both."
            )
        if self.target.labels is not None and self.target.label_names != self.source.label_names:
            raise UsageError(
                f"{self.source.name!r} has the classes {', '.join(self.source.label_names)} but {self.target.name!r} "
                f"{', '.join(self.target.label_names)}: give two sets of the same classes."
            )

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.source.name} to {self.target.name}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.source.shape

    @property
    def label_names(self) -> list[str]:
        """The name of each class."""
        return self.source.label_names

    @property
    def licence(self) -> str:
        """Those of both."""
        return "; ".join(dict.fromkeys([self.source.licence, self.target.licence]))

    def batches(self, batch_size: int, *, seed: int = 0, **which) -> tf.data.Dataset:
        """Batches ((x, y), t): `batch_size` of the source with their labels, and as many of the target without.

        Each is a pure function of `seed` and its number; `which` is `first`, `steps` and `shard` of `Data.batches`.
        The two go through their examples in orders of their own, so that what lies side by side is not a pair.
        """
        source = self.source.batches(batch_size, seed=2 * seed, labels=True, **which)
        return tf.data.Dataset.zip((source, self.target.batches(batch_size, seed=2 * seed + 1, **which)))


def moons(split: str, *, count: int = 300, degrees: float = 35.0, seed: int = 0) -> Domains:
    """Two moons, and two moons turned (Ganin et al. 2016, section 5.1.1): centred, twice the usual size, noise 0.1.

    Args:
        split: "train" or "test", which share no point.
        count: points of each domain, half of them in each moon.
        degrees: by how much the target is turned, anticlockwise.
        seed: of the points.
    """
    sets = []
    for index, (name, turn) in enumerate((("moons", 0.0), (f"moons turned {degrees:g} degrees", np.deg2rad(degrees)))):
        stream = int(np.random.default_rng([seed, split == "test", index]).integers(2**31))
        points, labels = make_moons(count, noise=0.05, random_state=stream)
        points = 2 * (points - (0.5, 0.25))
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        points = (points @ rotation.T).astype(np.float32)
        sets.append(Data(name, split, points, labels.astype(np.int64), ["upper", "lower"], licence="free to use"))
    return Domains(*sets)


def coloured(
    name: str, split: str, size: tuple[int, int] | None, channels: int | None, count: int | None, seed: int
) -> Data:
    """Digits blended with patches of photographs, as MNIST-M was made (Ganin & Lempitsky 2015): |patch - digit|.

    Digit number k of the set is digit number k of the plain one. The photographs of the two splits are different ones.

    Args:
        name: a name in COLOURED.
        seed: of the choice of patches; each digit's patch is from a photograph drawn evenly, and a place in it.
    """
    digits = named.load(COLOURED[name], split, None, 1, count)
    random = np.random.default_rng([seed, split == "test"])
    backgrounds = patches(photographs(split), len(digits.examples), digits.shape[:2], random)
    return Data(
        name=name,
        split=split,
        examples=fit_all(blend(backgrounds, digits.examples), size, channels),
        labels=digits.labels,
        label_names=digits.label_names,
        licence=f"{digits.licence}; photographs: CC0, CC BY and CC BY-SA, by those whom LICENSES.md names",
    )


def blend(backgrounds: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """|background - digit| of uint8 [N, H, W, 3] and [N, H, W, 1], uint8 [N, H, W, 3]."""
    return np.maximum(backgrounds, digits) - np.minimum(backgrounds, digits)


def photographs(split: str) -> list[np.ndarray]:
    """The photographs that ship, uint8 [H, W, 3], at most LONGER_SIDE pixels a side."""
    photos = []
    for path in sorted((PHOTOS / split).glob("*.jpg")):
        with Image.open(path) as photo:
            photo.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
            photos.append(np.asarray(photo))
    return photos


def patches(photos: list[np.ndarray], count: int, size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Cut `count` patches of `size` out of photographs [H, W, 3], each from anywhere in any: uint8 [count, h, w, 3]."""
    chosen, places = random.integers(len(photos), size=count), random.random((count, 2))
    cut = np.empty((count, *size, 3), np.uint8)
    for index, photo in enumerate(photos):
        windows = np.lib.stride_tricks.sliding_window_view(photo, size, axis=(0, 1))  # [rows, columns, 3, *size]
        mine = chosen == index
        row, column = (places[mine] * windows.shape[:2]).astype(int).T
        cut[mine] = windows[row, column].transpose(0, 2, 3, 1)
    return cut
