"""Named data sets and your own folders, as arrays in memory and as endless, exactly repeatable batches."""

from collections.abc import Iterable
from pathlib import Path

from kgan.datasets import captions, faces, folder, named, texts, toys
from kgan.datasets.data import Data
from kgan.datasets.images import MODES, from_uint8, parse_size, to_uint8
from kgan.datasets.toys import toy_modes
from kgan.errors import UsageError, lookup

__all__ = ["Data", "NAMES", "from_uint8", "load", "to_uint8", "toy_modes"]

# What `load` knows, and what each is.
NAMES: dict[str, str] = {
    "digits": "9,000 handwritten digits, 28 x 28, that ship with kgan",
    "faces": "cartoon faces with tags and captions, drawn here, any number and size",
    "mnist": "60,000 handwritten digits, 28 x 28 (download)",
    "fashion_mnist": "60,000 pieces of clothing, 28 x 28 (download)",
    "cifar10": "50,000 small colour photographs of ten things, 32 x 32 (download)",
    "folder:PATH": "the images in your own folder",
    **captions.SOURCES,
    **texts.TEXTS,
    **{name: "points in the plane" for name in toys.TOYS},
}


def load(
    name: str,
    split: str = "train",
    *,
    size: int | Iterable[int] | None = None,
    channels: int | None = None,
    count: int | None = None,
    seed: int = 0,
    strict: bool = False,
    cache: str | Path | None = None,
) -> Data:
    """Load a data set by name: one of `NAMES`, where PATH in "folder:PATH" stands for a folder of yours.

    Args:
        name: digits, faces, mnist, fashion_mnist, cifar10, folder:PATH, tags:PATH, captions:PATH (see
            `captions.load`), or a toy: ring, grid, four, moons, spiral, swiss-roll, checkerboard; or sentences, for
            which `texts.load` has more options: quatrains, quatrains-5, chitchat, lines:PATH.
        split: "train" or "test"; for a folder also "all".
        size: of the images, a number of pixels or (height, width): they are scaled and cropped, never distorted.
        channels: of the images: 1 grey, 3 RGB, 4 RGBA.
        count: how many examples; by default all there are, or a sensible number of those that are made here.
        seed: of what is drawn here: faces and points.
        strict: refuse a folder with a damaged file, or a text or tags.csv with an unfit line, instead of skipping it.
        cache: folder in which to keep the faces once drawn; by default $KGAN_CACHE or ~/.cache/kgan.

    Raises:
        UsageError: when there is no such set or split, or it cannot be had in this size or number.
    """
    is_folder = name.startswith("folder:") and name != "folder:"
    is_captioned = captions.is_captioned(name)
    if not is_folder and not is_captioned and not texts.is_text(name):
        if name and name not in NAMES and Path(name).is_dir():
            raise UsageError(f"unknown data set {name!r}: for the images in that folder write 'folder:{name}'.")
        lookup("data set", name, NAMES)
    lookup("split", split, dict.fromkeys(["train", "test"] + ["all"] * (is_folder or is_captioned)))
    height_width = parse_size(size)
    if channels is not None and channels not in MODES:
        raise UsageError(f"channels {channels!r} must be 1 for grey, 3 for RGB or 4 for RGBA.")
    if count is not None and count < 1:
        raise UsageError(f"count {count} must be a whole number of at least 1.")
    if seed < 0:
        raise UsageError(f"seed {seed} must not be negative.")

    if is_folder:
        return folder.load(name.removeprefix("folder:"), split, height_width, channels, count, strict)
    if is_captioned:
        return captions.load(name, split, height_width, channels, count, strict)
    if name == "faces":
        return faces.load(split, height_width, channels, count, seed, cache)
    if texts.is_text(name):
        toys.refuse_image_options(name, size, channels)
        return texts.load(name, split, count=count, strict=strict)
    if name in toys.TOYS:
        toys.refuse_image_options(name, size, channels)
        return toys.load(name, split, count, seed)
    return named.load(name, split, height_width, channels, count)
