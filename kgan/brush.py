"""What a person paints: a photo, and on it a brush, a sketch or a mask with alpha, or a colour in a box."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageOps

from kgan.datasets.images import fit
from kgan.errors import UsageError
from kgan.pictures import rgb

RGBA = 4


def read_photo(path: Path, channels: int) -> np.ndarray:
    """Read an image file in its own size, the way up that its EXIF says: uint8 [H, W, channels].

    Raises:
        UsageError: when it cannot be read as an image.
    """
    image = _open(path)
    return fit(image, image.size[::-1], channels)


def to_model(photo: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Scale and crop a photo, uint8 [H, W, C], to a model's `shape`, as `images.fit` does."""
    return fit(Image.fromarray(photo[..., 0] if photo.shape[-1] == 1 else photo), tuple(shape[:2]), photo.shape[-1])


def read_brush(path: Path, photo: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """Read an image with alpha, painted on a photo of size `photo` or on what a model of `shape` sees of it.

    Returns:
        uint8 RGBA [h, w, 4] of the model's size; where alpha is 0 nothing is asked for.

    Raises:
        UsageError: when it is no image, has no alpha, paints nothing, or is of another size.
    """
    image = _open(path)
    if not image.has_transparency_data:
        raise UsageError(
            f"the brush {str(path)!r} has no alpha, which says where something is painted: save it as a PNG with a "
            "transparent background."
        )
    height, width = image.size[::-1]
    sizes = {tuple(photo[:2]), tuple(shape[:2])}
    if (height, width) not in sizes:
        allowed = " or ".join(f"{w} x {h}" for h, w in sorted(sizes, reverse=True))
        raise UsageError(
            f"the brush {str(path)!r} is {width} x {height} pixels: it must be {allowed}, as the image is."
        )
    return _painted(fit(image, tuple(shape[:2]), RGBA), f"the brush {str(path)!r}")


def fill_box(colour: str, box: Sequence[int], photo: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """Paint a box (left, top, right, bottom in pixels of the photo, the last two outside it) in one colour.

    Returns:
        as `read_brush`.

    Raises:
        UsageError: for an unknown colour, or a box that is empty or leaves the photo.
    """
    try:
        rgb = ImageColor.getrgb(colour)[:3]
    except ValueError:
        raise UsageError(f"unknown colour {colour!r}: give a name such as red, or #rrggbb.") from None
    height, width = photo[:2]
    left, top, right, bottom = box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise UsageError(
            f"the box {' '.join(map(str, box))} is not in the image of {width} x {height} pixels: give left, top, "
            "right and bottom, such as 10 10 30 30."
        )
    sheet = np.zeros([height, width, RGBA], np.uint8)
    sheet[top:bottom, left:right] = (*rgb, 255)
    return _painted(fit(Image.fromarray(sheet), tuple(shape[:2]), RGBA), f"the box {' '.join(map(str, box))}")


def carry(photo: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Carry an edit back to a photo in its own size: photo + (after - before), scaled up, clipped to 0..255.

    What lies outside of the part that the model sees (the middle of a photo of another shape) stays as it is.

    Args:
        photo: uint8 [H, W, C].
        before, after: uint8 [h, w, C], what the model draws before and after the edit.
    """
    height, width = photo.shape[:2]
    scale = min(height / before.shape[0], width / before.shape[1])
    seen = [max(1, round(side * scale)) for side in before.shape[:2]]
    change = after.astype(np.float32) - before
    larger = [
        np.asarray(Image.fromarray(change[..., channel]).resize(seen[::-1], Image.Resampling.BICUBIC))
        for channel in range(change.shape[-1])
    ]
    top, left = (height - seen[0]) // 2, (width - seen[1]) // 2
    carried = photo.astype(np.float32)
    carried[top : top + seen[0], left : left + seen[1]] += np.stack(larger, axis=-1)
    return np.clip(np.rint(carried), 0, 255).astype(np.uint8)


def overlay(images: np.ndarray, constraints: np.ndarray) -> np.ndarray:
    """Lay constraints, uint8 RGBA [N, h, w, 4], on images [N, h, w, C]: uint8 [N, h, w, 3]."""
    alpha = constraints[..., 3:].astype(np.float32) / 255
    return np.rint(rgb(images) * (1 - alpha) + constraints[..., :3] * alpha).astype(np.uint8)


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    except Exception as error:  # Pillow's decoders raise nearly every kind on damaged files
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"{str(path)!r} cannot be read as an image ({reason}): give a .png or .jpg file.") from None


def _painted(constraint: np.ndarray, what: str) -> np.ndarray:
    if not constraint[..., 3].any():
        raise UsageError(f"{what} paints nothing that the model sees: paint within the middle of the image.")
    return constraint
