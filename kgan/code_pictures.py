"""The lecture's pictures of what codes have understood. All return uint8 [H, W, 3].

`model` is whatever answers the signatures of an autoencoder: `encode`, `decode`, `reconstruct`, `generate`. Images are
uint8 [N, H, W, C], codes float32 [N, D], labels int [N].
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure as Canvas
from sklearn.manifold import TSNE

from kgan import pictures
from kgan.metrics.codes import neighbour_accuracy


def reconstructions(model, images: np.ndarray) -> np.ndarray:
    """Images in one row and their reconstructions below, ten in a row."""
    again = model.call("reconstruct", images=images)["images"]
    rows = [part[first : first + 10] for first in range(0, len(images), 10) for part in (images, again)]
    return pictures.grid(np.concatenate(rows), 10)


def plane(model, side: int = 20, reach: float = 1.5) -> np.ndarray:
    """What is decoded from a grid over the plane of 2-D codes, from -reach to reach, the second code upwards."""
    axis = np.linspace(-reach, reach, side, dtype=np.float32)
    codes = np.stack(np.meshgrid(axis, -axis), axis=-1).reshape(-1, 2)
    return pictures.grid(model.call("decode", codes=codes)["images"], side, margin=0)


def interpolations(model, first: np.ndarray, second: np.ndarray, steps: int = 10) -> np.ndarray:
    """From each first image to its second in a straight line between their codes; the images themselves at the ends."""
    start, end = (model.call("encode", images=images)["codes"] for images in (first, second))
    way = np.linspace(0, 1, steps, dtype=np.float32)[None, :, None]
    codes = start[:, None] * (1 - way) + end[:, None] * way
    decoded = model.call("decode", codes=codes.reshape(-1, codes.shape[-1]))["images"]
    rows = decoded.reshape(len(first), steps, *first.shape[1:])
    rows = np.concatenate([first[:, None], rows, second[:, None]], axis=1)
    return pictures.grid(rows.reshape(-1, *first.shape[1:]), steps + 2)


def classes(maps: dict[str, np.ndarray], labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Points in the plane coloured by class, one map beside the other, each under its title."""
    canvas = Canvas(figsize=(5 * len(maps), 5), dpi=100, layout="constrained")
    shades = 10 if len(names) <= 10 else 20
    for axes, (title, points) in zip(canvas.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        colours = {"cmap": f"tab{shades}", "vmin": -0.5, "vmax": shades - 0.5}
        drawn = axes.scatter(*points.T, c=labels, s=8, linewidths=0, **colours)
        axes.set(title=title, xticks=[], yticks=[])
    handles, _ = drawn.legend_elements(num=range(len(names)))
    canvas.legend(handles, names, loc="outside right center", markerscale=0.8, frameon=False)
    return pictures.from_figure(canvas)


def tsne(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Lay [N, D] out in the plane so that neighbours stay neighbours: [N, 2] (van der Maaten & Hinton 2008)."""
    method = TSNE(perplexity=min(30, (len(values) - 1) / 3), init="pca", random_state=seed, n_jobs=1)
    return method.fit_transform(np.asarray(values, np.float32))


def tsne_of_pixels_and_codes(
    model, images: np.ndarray, labels: np.ndarray, names: Sequence[str], seed: int = 0
) -> np.ndarray:
    """The pipelines pixels -> t-SNE and codes -> t-SNE side by side.

    The titles say how many of the images have their nearest neighbour on the map in their own class.
    """
    codes = model.call("encode", images=images)["codes"]
    maps = {}
    for title, values in (
        (f"{images[0].size} pixels", images.reshape(len(images), -1) / 255),
        (f"{codes.shape[-1]} codes", codes),
    ):
        points = tsne(values, seed)
        maps[f"{title} → t-SNE; own class nearest: {neighbour_accuracy(points, labels):.1%}"] = points
    return classes(maps, labels, names)


def side_by_side(images: dict[str, np.ndarray]) -> np.ndarray:
    """Grids of images of one size, each under its title."""
    return titled([{title: pictures.grid(several) for title, several in images.items()}])


def titled(rows: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
    """Rows of pictures, uint8 [H, W, 3], each picture under its title."""
    columns = max(map(len, rows))
    heights = [max(sheet.shape[0] / sheet.shape[1] for sheet in row.values()) for row in rows]
    size = (5 * columns, 5 * sum(heights) + 0.4 * len(rows))
    canvas = Canvas(figsize=size, dpi=100, layout="constrained")
    drawn = canvas.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for line, row in zip(drawn, rows, strict=True):
        for axes in line:
            axes.axis("off")
        for axes, (title, sheet) in zip(line, row.items(), strict=False):
            axes.imshow(sheet, interpolation="nearest")
            axes.set(title=title)
    return pictures.from_figure(canvas)
