"""Your own pictures: every image file in a folder and the folders within it."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from kgan.datasets import tags
from kgan.datasets.data import Data
from kgan.datasets.images import check_memory, fit
from kgan.errors import UsageError

NAMED = 5  # damaged files are named one by one up to here, then only counted


def load(
    path: str,
    split: str,
    size: tuple[int, int] | None,
    channels: int | None,
    count: int | None,
    strict: bool,
    captions: Mapping[str, str] | None = None,
) -> Data:
    """Return the pictures in `path`, of `size` (64 x 64) with `channels` (3), as `images.fit` brings them there.

    A file is for testing when a hash of its path within the folder says so, one in ten: files that are added move no
    others. The order is the hash's too, so that `count` takes a fair sample. When there are at least two sub-folders
    and every picture is in one, the names of the sub-folders are the labels. A tags.txt says what each shows (see
    `kgan.datasets.tags`).

    Args:
        strict: refuse a file that cannot be read, instead of naming and skipping it.
        captions: of the files that are wanted, by their paths within the folder; all files when left out.

    Raises:
        UsageError: when there is nothing to use, too little, too much for the memory, or (strict) a damaged file.
    """
    root = root_of(path)
    everything = sorted(find(root) if captions is None else captions, key=_hash)
    if not everything:
        raise UsageError(
            f"no images in {path!r}: looked in it and its sub-folders for files such as .jpg, .png, .webp, .bmp or "
            f".tif and found {sum(len(names) for _, _, names in os.walk(root))} other files."
        )
    relative = [name for name in everything if split == "all" or (_hash(name) % 10 == 0) == (split == "test")]
    if not relative:
        raise UsageError(
            f"none of the {len(everything)} images in {path!r} is in the {split} split, which takes its share by a "
            "hash of the file's name: add images or use split 'all'."
        )
    wanted = len(relative) if count is None else count
    if wanted > len(relative):
        raise UsageError(f"{wanted} images asked for but {path!r} has {len(relative)} ({split}): lower the count.")
    shape = (*(size or (64, 64)), channels or 3)
    check_memory(wanted, shape)

    examples, used = np.empty((wanted, *shape), np.uint8), []
    damaged: list[str] = []
    with tqdm(total=wanted, desc="reading images", unit="image", disable=None) as bar:
        for name, image in _decode_all(root, relative, shape):
            if isinstance(image, Exception):
                if strict:
                    raise UsageError(
                        f"{root / name} cannot be read as an image ({image}): mend or remove it, or go without strict."
                    )
                damaged.append(name)
                if len(damaged) <= NAMED:
                    bar.write(f"skipped {root / name}: {image}", file=sys.stderr)
                continue
            examples[len(used)] = image
            used.append(name)
            bar.update()
            if len(used) == wanted:
                break
    if len(damaged) > NAMED:
        print(f"skipped {len(damaged)} files in all that could not be read, of {len(relative)}.", file=sys.stderr)
    if not used:
        raise UsageError(f"none of the {len(relative)} image files in {path!r} ({split}) can be read as an image.")
    if count is not None and len(used) < count:
        raise UsageError(
            f"{count} images asked for but only {len(used)} in {path!r} ({split}) can be read: lower the count."
        )
    labels, names = _classes(everything, used)
    return Data(
        name=f"folder:{path}",
        split=split,
        examples=examples[: len(used)],
        tags=tags.read(root, used, strict),
        labels=labels,
        label_names=names,
        captions=None if captions is None else [captions[name] for name in used],
        licence="your own images: their licence is yours to know",
    )


def root_of(path: str) -> Path:
    """The folder of images that a person named, or a UsageError."""
    root = Path(path).expanduser()
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise UsageError(f"folder {path!r} {what}: give the folder that holds your images, as in folder:my_images.")
    return root


def find(root: Path) -> list[str]:
    """Return the paths, relative to `root` and with "/", of all files that look like images, hidden ones left out."""
    Image.init()
    extensions = {extension for extension, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    seen, found = set(), []
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        found += [
            (Path(folder) / name).relative_to(root).as_posix()
            for name in files
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in extensions
        ]
    return found


def decode(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Read one image file, the way up that its EXIF says, as uint8 `shape`.

    Raises:
        Exception: of whatever kind, when the file is damaged or no image.
    """
    with Image.open(path) as image:
        side = 2 * max(shape[:2])
        image.draft(None, (side, side))  # lets a JPEG of many megapixels be decoded at a fraction of its size
        image.load()
        return fit(ImageOps.exif_transpose(image), shape[:2], shape[2])


def _decode_all(
    root: Path, names: list[str], shape: tuple[int, int, int]
) -> Iterator[tuple[str, np.ndarray | Exception]]:
    """Yield each name with its image, or with what was wrong with it, in order; a few hundred are under way at once."""

    def attempt(name: str) -> np.ndarray | Exception:
        try:
            return decode(root / name, shape)
        except Image.UnidentifiedImageError:
            return ValueError("not an image")
        except Exception as error:  # Pillow's decoders raise nearly every kind on damaged files
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(names), 256):
            chunk = names[start : start + 256]
            yield from zip(chunk, pool.map(attempt, chunk), strict=True)


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")


def _classes(everything: list[str], used: list[str]) -> tuple[np.ndarray | None, list[str] | None]:
    """Return the label of each used file and the names of all classes, or None twice when the folder has no classes."""
    names = sorted({name.split("/")[0] for name in everything if "/" in name})
    if len(names) < 2 or not all("/" in name for name in everything):
        return None, None
    number = {name: k for k, name in enumerate(names)}
    return np.array([number[name.split("/")[0]] for name in used], np.int64), names
