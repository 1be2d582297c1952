"""Figures of going back to codes and of editing, through a model's signatures (`kgan.models.inverter`).

`model` is whatever answers them: a live model or an export. Images are uint8 [N, H, W, C].
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from kgan.metrics.codes import reconstruction_error
from kgan.metrics.protocol import Figure

BATCH = 50
LEAST_CHANGE = 0.15  # of a stroke's colour, in [0, 1]: one that is there already tells nothing


def projections(model, images: np.ndarray, steps: int, feature_weight: float = 0.0, seed: int = 0) -> dict:
    """What the lecture's three methods make of images at the same number of steps: method -> uint8 [N, H, W, C]."""
    found: dict[str, list[np.ndarray]] = {"encoder": [], "descent": [], "hybrid": []}
    random = np.random.default_rng(seed)
    for first in range(0, len(images), BATCH):
        part = images[first : first + BATCH]
        searched = {"steps": steps, "feature_weight": feature_weight}
        encoded = model.call("encode", images=part)["latents"]
        starts = random.normal(size=encoded.shape)
        found["encoder"].append(model.call("decode", latents=encoded)["images"])
        found["descent"].append(model.call("descend", images=part, starts=starts, **searched)["images"])
        found["hybrid"].append(model.call("project", images=part, **searched)["images"])
    return {method: np.concatenate(parts) for method, parts in found.items()}


def projection_figures(model, images: np.ndarray, steps: int, *, reference_name: str, seed: int = 0) -> list[Figure]:
    """The reconstruction error of each method."""
    return [
        Figure(
            f"reconstruction error, {method}",
            reconstruction_error(images, again),
            f"mean square in [0, 1]; {0 if method == 'encoder' else steps} steps; {len(images):,} {reference_name}; "
            f"seed {seed}",
        )
        for method, again in projections(model, images, steps, seed=seed).items()
    ]


def strokes(images: np.ndarray, seed: int = 0) -> np.ndarray:
    """One stroke for each image: a box of a quarter of its sides, in the mean colour of another image there.

    A place is drawn, up to 50 times, until the colour is another than the image's own (by 0.15 of the range in the mean
    over the channels). Returns RGBA, uint8 [N, H, W, 4].
    """
    count, height, width, channels = images.shape
    random = np.random.default_rng(seed)
    sides = max(1, height // 4), max(1, width // 4)
    constraints = np.zeros([count, height, width, 4], np.uint8)
    for index in range(count):
        for _ in range(50):
            top, left = random.integers(height - sides[0] + 1), random.integers(width - sides[1] + 1)
            box = np.s_[top : top + sides[0], left : left + sides[1]]
            colour = images[random.integers(count)][box].mean(axis=(0, 1))
            if np.abs(colour - images[index][box].mean(axis=(0, 1))).mean() >= 255 * LEAST_CHANGE:
                break
        constraints[index][box] = (*np.rint(np.broadcast_to(colour[:3], [3]) if channels < 3 else colour[:3]), 255)
    return constraints


def colour_error(images: np.ndarray, constraints: np.ndarray) -> np.ndarray:
    """The mean absolute difference, in [0, 1], of each image to what is painted on it, where it is: float [N].

    Grey images are compared with each of the three colours.
    """
    colours, alpha = constraints[..., :3].astype(np.float64), constraints[..., 3:].astype(np.float64) / 255
    difference = np.abs(images[..., :3].astype(np.float64) - colours) / 255
    return (alpha * difference).sum(axis=(1, 2, 3)) / (3 * alpha.sum(axis=(1, 2, 3)))


def stroke_figures(
    model, images: np.ndarray, steps: int, proximity: float, realism: float, *, reference_name: str, seed: int = 0
) -> list[Figure]:
    """What edits make of strokes: the colour's error before and after, how far the codes went, and how long it took."""
    painted = strokes(images, seed)
    given = {"steps": steps, "proximity": proximity, "realism": realism}
    parts = [
        model.call("edit", images=images[i : i + BATCH], constraints=painted[i : i + BATCH], **given)
        for i in range(0, len(images), BATCH)
    ]
    edited = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    before = colour_error(edited["reconstructions"], painted)
    after = colour_error(edited["images"], painted)
    distance = np.linalg.norm(edited["latents"] - edited["starts"], axis=1)
    usual = np.linalg.norm(edited["starts"], axis=1)
    how = (
        f"strokes of a quarter of the sides in another image's colour on {len(images):,} {reference_name}; {steps} "
        f"steps, proximity {proximity:g}, realism {realism:g}; seed {seed}"
    )
    one = {"images": images[:1], "constraints": painted[:1], **given}
    model.call("edit", **one)
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        model.call("edit", **one)
        seconds.append(time.perf_counter() - begun)
    return [
        Figure("colour error of strokes, before", before.mean(), f"mean absolute in [0, 1]; {how}"),
        Figure("colour error of strokes, after", after.mean(), f"mean absolute in [0, 1]; {how}"),
        Figure("colour error, after / before", after.mean() / before.mean(), how),
        Figure(
            "distance |z - z0|",
            distance.mean(),
            how,
            remark=f"at most {distance.max():.2f}, where the codes are of length {usual.mean():.2f}",
        ),
        Figure("seconds an edit", float(np.median(seconds)), f"one image, after warm-up, median of 3; {steps} steps"),
    ]


def attribute_figures(
    model,
    images: np.ndarray,
    tags: list[dict],
    names: Sequence[str],
    read: Callable[[np.ndarray], dict[str, np.ndarray]],
    *,
    strength: float,
    steps: int,
    reader: str,
    reference_name: str,
) -> list[Figure]:
    """What an independent classifier says of adding each attribute to the images that lack it.

    For each attribute the share of edits that it confirms, and the share of all other tags that it still reads as in
    the reconstruction, which the edit began from, or as the image really has it; over all, the means, and the share of
    tags that it reads off the reconstructions as they are in truth.

    Args:
        model: with the signatures of an `AttributeEditor`.
        images: uint8 [N, H, W, C].
        tags: of each image, as in `Data.tags`.
        names: the attributes, "glasses" or "hair=red".
        read: images -> for each tag its values [N].
        strength, steps: of the edits.
        reader: what the classifier is.
        reference_name: what the images are.
    """
    found, confirmed, kept, true = [], [], [], []
    for name in names:
        tag, _, value = name.partition("=")
        wanted = value or True
        lacking = np.array([this.get(tag) != wanted for this in tags[: len(images)]])
        if not lacking.any():
            continue
        edited = _edited(model, images[lacking], name, strength, steps)
        before, after = read(edited["reconstructions"]), read(edited["images"])
        others = [other for other in before if other != tag]
        confirmed.append(float(np.mean(after[tag] == wanted)))
        kept.append(float(np.mean([after[other] == before[other] for other in others])))
        truth = {other: np.array([this[other] for this in tags[: len(images)]])[lacking] for other in before}
        true.append(float(np.mean([before[other] == truth[other] for other in before])))
        how = f"{reader}; {lacking.sum():,} {reference_name} without it; strength {strength:g}, {steps} steps"
        found += [
            Figure(f"{name}: edits confirmed", confirmed[-1], how),
            Figure(f"{name}: other tags kept", kept[-1], f"as read off the reconstruction; {how}"),
            Figure(
                f"{name}: other tags as in truth",
                float(np.mean([after[other] == truth[other] for other in others])),
                f"of the edited images; {how}",
            ),
        ]
    how = f"mean over {len(confirmed)} attributes; {reader}; strength {strength:g}, {steps} steps"
    return [
        Figure("edits confirmed", float(np.mean(confirmed)), how),
        Figure("other tags kept", float(np.mean(kept)), f"as read off the reconstruction; {how}"),
        Figure("tags of reconstructions as in truth", float(np.mean(true)), how),
        *found,
    ]


def _edited(model, images: np.ndarray, name: str, strength: float, steps: int) -> dict[str, np.ndarray]:
    parts = []
    for first in range(0, len(images), BATCH):
        part = images[first : first + BATCH]
        given = {"tags": np.array([name] * len(part), object), "strengths": np.full([len(part)], strength)}
        parts.append(model.call("edit", images=part, steps=steps, **given))
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
