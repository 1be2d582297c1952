"""What images show, as attributes that are there or not, and the direction of each among the images' codes.

Lecture: photo editing by z_long = mean En(x with) - mean En(x without); after Larsen et al. 2016, "Autoencoding beyond
pixels". NumPy, float64. Codes are [N, D], `present` is bool [N, T].
"""

from typing import NamedTuple

import numpy as np

from kgan.datasets.data import Data
from kgan.errors import UsageError


class Attributes(NamedTuple):
    """Names [T], which of them each image has, bool [N, T], and the tag that each is a value of."""

    names: tuple[str, ...]
    present: np.ndarray
    groups: tuple[str, ...]


def of_data(data: Data) -> Attributes:
    """The attributes of a data set: "glasses" of a tag that is true or false, "hair=red" of one with values.

    Where there are no tags, classes are the values of the tag "class". What all images have, or none, is left out.

    Raises:
        UsageError: when nothing tells the images apart.
    """
    tags = data.tags
    if tags is None and data.labels is not None:
        tags = [{"class": data.label_names[label]} for label in data.labels]
    values = {(key, value) for tag in tags or [] for key, value in tag.items() if value is not False}
    named = sorted((key if value is True else f"{key}={value}", key, value) for key, value in values)
    present = np.array([[tag.get(key) == value for _, key, value in named] for tag in tags or []], bool)
    kept = [t for t in range(len(named)) if 0 < present[:, t].sum() < len(present)]
    if not kept:
        raise UsageError(
            f"the images of {data.name!r} have no tags that tell them apart: use faces, a folder with a tags.txt, or "
            "one whose sub-folders are classes."
        )
    return Attributes(tuple(named[t][0] for t in kept), present[:, kept], tuple(named[t][1] for t in kept))


def directions(codes: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The mean code with each attribute minus that without it: [T, D]."""
    codes, having = np.asarray(codes, np.float64), present.astype(np.float64)
    return _means(codes, having) - _means(codes, 1 - having)


def decorrelated(codes: np.ndarray, present: np.ndarray, groups: tuple[str, ...]) -> np.ndarray:
    """The same with all else held equal: what remains of each direction beside the attributes of other tags, [T, D].

    It is the attribute's coefficient in the least-squares regression of the codes on it and on all attributes of other
    tags. So a pair that often goes together (glasses and age) is told apart; where nothing goes together, and for a
    single tag, these are the differences of means.
    """
    codes, having = np.asarray(codes, np.float64), present.astype(np.float64)
    codes, having = codes - codes.mean(axis=0), having - having.mean(axis=0)
    found = []
    for index, group in enumerate(groups):
        others = [other for other, its in enumerate(groups) if its != group]
        found.append(np.linalg.lstsq(having[:, [index, *others]], codes, rcond=1e-9)[0][0])
    return np.stack(found)


def correlations(present: np.ndarray) -> np.ndarray:
    """How far attributes go together in the data, -1 to 1: [T, T]."""
    return np.corrcoef(present.astype(np.float64), rowvar=False).reshape(present.shape[1], -1)


def cosines(vectors: np.ndarray) -> np.ndarray:
    """How far directions [T, D] point the same way, -1 to 1: [T, T]; 0 for one that is nothing."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit @ unit.T


def table(attributes: Attributes, plain: np.ndarray, apart: np.ndarray, rows: int = 20) -> str:
    """The pairs of attributes of different tags that go together most, as lines of text.

    For each: their correlation in the data, and the cosine between their directions, plain and decorrelated.
    """
    names, groups = attributes.names, attributes.groups
    data, before, after = correlations(attributes.present), cosines(plain), cosines(apart)
    pairs = [(a, b) for a in range(len(names)) for b in range(a) if groups[a] != groups[b]]
    pairs.sort(key=lambda pair: -max(abs(data[pair]), abs(before[pair])))
    width = max([len(name) for name in names])
    lines = [f"{'attributes':<{2 * width + 3}}  correlation  cosine  decorrelated"]
    for a, b in pairs[:rows]:
        pair = f"{names[b]:<{width}} ~ {names[a]:<{width}}"
        lines.append(f"{pair}  {data[a, b]:>11.2f}  {before[a, b]:>6.2f}  {after[a, b]:>12.2f}")
    return "\n".join(lines)


def _means(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weights.T @ codes / weights.sum(axis=0)[:, None]
