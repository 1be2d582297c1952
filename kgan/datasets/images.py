"""Pictures to arrays: any mode and size Pillow can read to uint8 [H, W, C], and uint8 to [-1, 1] and back."""

import os
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from kgan.errors import UsageError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def from_uint8(images):
    """Bring uint8 values 0..255 to float32 in [-1, 1]; NumPy arrays stay NumPy, tensors stay tensors."""
    if isinstance(images, np.ndarray):
        return images.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def to_uint8(x):
    """Bring [-1, 1] back to uint8, rounded and clipped: the inverse of `from_uint8`, exact for all 256 values."""
    if isinstance(x, np.ndarray):
        return np.clip(np.rint((x.astype(np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)
    x = tf.round((tf.cast(x, tf.float32) + 1.0) * 127.5)
    return tf.cast(tf.clip_by_value(x, 0.0, 255.0), tf.uint8)


def fit(image: Image.Image, size: tuple[int, int], channels: int) -> np.ndarray:
    """Return a picture of any mode as uint8 [H, W, C].

    It is scaled (Lanczos) until it covers `size` and what stands out is cropped evenly, so that nothing is distorted.
    Values of 16 bits are scaled to 8. Transparent parts show white, unless there are 4 channels to keep them in.

    Args:
        image: what Pillow opened.
        size: (height, width) in pixels.
        channels: 1 grey, 3 RGB, 4 RGBA.
    """
    image = _eight_bit(image)
    if channels != 4 and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = ImageOps.fit(image.convert(MODES[channels]), size[::-1], Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(*size, channels)


def fit_all(images: np.ndarray, size: tuple[int, int] | None, channels: int | None) -> np.ndarray:
    """Do the same to an array uint8 [N, H, W, C] of pictures; None leaves the size or the channels as they are."""
    size, channels = size or images.shape[1:3], channels or images.shape[3]
    if images.shape[1:] == (*size, channels):
        return images
    check_memory(len(images), (*size, channels))
    pictures: Iterable = images[..., 0] if images.shape[3] == 1 else images
    return np.stack([fit(Image.fromarray(picture), size, channels) for picture in pictures])


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring 16-bit and float grey to 8 bits: Pillow's own conversion would clip them to white."""
    if image.mode == "F":  # by custom 0..1, sometimes 0..255
        values = np.nan_to_num(np.asarray(image))
        values = values * 255 if values.max() <= 1 else values
    elif image.mode.startswith("I"):  # 16-bit PNG, PGM and TIFF; "I" has room for 32 bits, but files hold 16
        values = np.asarray(image).astype(np.float64) / 257
    else:
        return image
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def parse_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Return (height, width) from one number or a pair, or None from None.

    Raises:
        UsageError: when it is neither, or not positive.
    """
    if size is None:
        return None
    sides = (size, size) if isinstance(size, (int, np.integer)) else size
    try:
        height, width = (int(side) for side in sides if side == int(side))
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1:
        raise UsageError(f"size {size!r} must be a number of pixels, or a pair (height, width), of at least 1.")
    return height, width


def check_memory(count: int, shape: tuple[int, ...]) -> None:
    """Raise a UsageError when `count` uint8 examples of this shape would fill over half of the machine's memory."""
    needed, limit = count * int(np.prod(shape, dtype=np.int64)), machine_memory() / 2
    if needed > limit:
        raise UsageError(
            f"{count:,} examples of {int(np.prod(shape)):,} bytes need {needed / 2**30:.1f} GiB but only "
            f"{limit / 2**30:.1f} GiB, half of this machine's memory, may be used: lower the size or the count."
        )


def machine_memory() -> float:
    """Bytes of memory this machine has; without end where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
