"""Cartoon faces, drawn on this machine: any number, any size, and for each it is known what it shows.

A face is a stack of layers (head, eyes, eyebrows, mouth, glasses, hair). There are only a few hundred different
layers, so each is drawn once, and faces are put together from them: 10,000 take seconds.

The drawings are Lisa Wischofsky's "Adventurer" (CC BY 4.0), as packed by DiceBear, with larger irises, a plain
background and a choice of parts in which hair and eye colour can always be seen.
"""

import contextlib
import io
import json
import os
import sys
import zlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from kgan.datasets.data import Data
from kgan.datasets.images import check_memory, fit_all

HAIR = {
    "black": "#1c1c1e",
    "brown": "#74421c",
    "blonde": "#f3d566",
    "red": "#c9211e",
    "orange": "#f2842c",
    "pink": "#f59cc4",
    "purple": "#7b3fb0",
    "blue": "#2d5fd6",
    "aqua": "#5fd6d2",
    "green": "#3fa53b",
    "gray": "#98999d",
    "white": "#f6f6f6",
}
EYES = {
    "blue": "#1d6bff",
    "green": "#12a832",
    "brown": "#8a4b14",
    "red": "#e3161b",
    "purple": "#a02be0",
    "yellow": "#f4b400",
    "pink": "#ff62b0",
    "black": "#101014",
}
SKIN = {"light": "#fbdcc3", "medium": "#e8b182", "brown": "#b97f52", "dark": "#87543a"}
BACKGROUND = "#dde6ee"

# Which of the style's numbered parts are used, by what they show: no closed or averted eyes, no flowers in the hair, no
# hair over the eyes, no bald heads.
HAIR_STYLES = {
    "long": ("01", "04", "05", "06", "07", "09", "14", "15", "16", "17", "19", "24"),
    "short": ("01", "02", "03", "04", "05", "07", "08", "10", "11", "14", "17", "18"),
}
MOUTHS = {"smile": "01", "grin": "23", "flat": "09", "frown": "14", "tongue": "16", "lips": "06"}
EYE_SHAPES = ("01", "03", "24", "26")
EYEBROWS = ("07", "09", "10", "11", "12", "13")
GLASSES = ("02", "04", "05")

# What is chosen for a face, and among how many; three times in ten the number for glasses is that of a pair.
CHOICES = {
    "hair": len(HAIR),
    "eyes": len(EYES),
    "skin": len(SKIN),
    "length": len(HAIR_STYLES),
    "style": 12,
    "mouth": len(MOUTHS),
    "shape": len(EYE_SHAPES),
    "eyebrows": len(EYEBROWS),
    "glasses": 10,
}
LAYERS = {  # from back to front, and what each depends on
    "head": ("skin",),
    "eyes": ("shape", "eyes"),
    "eyebrows": ("eyebrows",),
    "mouth": ("mouth",),
    "glasses": ("glasses",),
    "hair": ("length", "style", "hair"),
}
DRAWING = 1  # to be raised when the pictures change, so that nobody is served old ones from the cache

LICENCE = (
    'CC BY 4.0: drawn after "Adventurer" by Lisa Wischofsky '
    "(https://www.figma.com/community/file/1184595184137881796), with larger irises and a plain background"
)


def load(
    split: str,
    size: tuple[int, int] | None,
    channels: int | None,
    count: int | None,
    seed: int,
    folder: str | Path | None,
) -> Data:
    """Return `count` faces (10,000 to train, 1,000 to test) of `size` (64 x 64) with `channels` (3).

    A face depends on seed, split and its place only: asking for more adds faces at the end. No face of the test split
    is in the train split, whatever the seeds.

    Args:
        folder: of the cache; by default $KGAN_CACHE or ~/.cache/kgan.
    """
    count = count or {"train": 10_000, "test": 1_000}[split]
    height, width = size or (64, 64)
    side = max(height, width)
    check_memory(count, (side, side, 3))
    choices = choose(split, count, seed)
    folder = Path(folder or os.environ.get("KGAN_CACHE") or Path.home() / ".cache" / "kgan")
    path = folder / f"faces-{side}px-{split}-{count}-seed{seed}-v{DRAWING}.npz"
    images = cached(path, (count, side, side, 3), lambda: draw(choices, side))
    tags = [describe(row) for row in choices]
    return Data(
        name="faces",
        split=split,
        examples=fit_all(images, (height, width), channels),
        tags=tags,
        captions=[caption(tag) for tag in tags],
        licence=LICENCE,
    )


def caption(tags: dict) -> str:
    """Say it in words: "red hair blue eyes"."""
    return f"{tags['hair']} hair {tags['eyes']} eyes"


def describe(choice: np.ndarray) -> dict:
    """Return the tags of one row of `choose`."""
    chosen = dict(zip(CHOICES, choice, strict=True))
    return {
        "hair": list(HAIR)[chosen["hair"]],
        "eyes": list(EYES)[chosen["eyes"]],
        "skin": list(SKIN)[chosen["skin"]],
        "hair_length": list(HAIR_STYLES)[chosen["length"]],
        "glasses": bool(chosen["glasses"] < len(GLASSES)),
        "mouth": list(MOUTHS)[chosen["mouth"]],
    }


def choose(split: str, count: int, seed: int) -> np.ndarray:
    """Choose the looks of `count` faces, uniformly and independently: int64 [count, len(CHOICES)].

    One look in ten, told by a checksum, is for testing only.
    """
    random = np.random.RandomState(np.random.MT19937(seed))  # whose numbers NumPy promises never to change
    wanted, rows = split == "test", []
    while len(rows) < count:
        block = random.randint(0, list(CHOICES.values()), size=(1024, len(CHOICES)))
        rows += [row for row in block if (zlib.crc32(row.astype(np.uint8).tobytes()) % 10 == 0) == wanted]
    return np.array(rows[:count])


def draw(choices: np.ndarray, side: int) -> np.ndarray:
    """Draw the faces chosen by `choose`: uint8 [N, side, side, 3]."""
    layer = cache(lambda name, key: _layer(name, key, side))
    columns = {name: [list(CHOICES).index(choice) for choice in depends] for name, depends in LAYERS.items()}
    background = np.array([int(BACKGROUND[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
    images = np.empty((len(choices), side, side, 3), np.uint8)
    with tqdm(total=len(choices), desc="drawing faces", unit="face", disable=None) as bar:
        for start in range(0, len(choices), 64):
            rows = choices[start : start + 64]
            picture = np.broadcast_to(background, (len(rows), side, side, 3)).copy()
            for name in LAYERS:
                over = np.stack([layer(name, tuple(row[columns[name]])) for row in rows])
                picture += (over[..., :3] - picture) * (over[..., 3:] / np.float32(255))
            images[start : start + 64] = np.rint(picture)
            bar.update(len(rows))
    return images


def _layer(name: str, key: tuple[int, ...], side: int) -> np.ndarray:
    """Draw one layer, everything else left out: uint8 RGBA [side, side, 4]."""
    import resvg_py
    from dicebear import Avatar

    chosen = dict(zip(LAYERS[name], key, strict=True))
    options = {"seed": name, "scale": 1.1, "detailsProbability": 0, "earringsProbability": 0}
    options |= {f"{other}Probability": 100 if other == name else 0 for other in LAYERS}
    if name == "head":
        options["skinColor"] = list(SKIN.values())[chosen["skin"]]
    elif name == "eyes":
        options["eyesVariant"] = "variant" + EYE_SHAPES[chosen["shape"]]
        options["eyesColor"] = list(EYES.values())[chosen["eyes"]]
    elif name == "eyebrows":
        options["eyebrowsVariant"] = "variant" + EYEBROWS[chosen["eyebrows"]]
    elif name == "mouth":
        options["mouthVariant"] = "variant" + list(MOUTHS.values())[chosen["mouth"]]
    elif name == "hair":
        length, styles = list(HAIR_STYLES.items())[chosen["length"]]
        options["hairVariant"] = length + styles[chosen["style"]]
        options["hairColor"] = list(HAIR.values())[chosen["hair"]]
    elif chosen["glasses"] < len(GLASSES):
        options["glassesVariant"] = "variant" + GLASSES[chosen["glasses"]]
    else:
        return np.zeros((side, side, 4), np.uint8)
    svg = Avatar(_style(), options).to_string()
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


@cache
def _style():
    """The style, its irises made half as large again, so that their colour is seen in a small picture."""
    from dicebear import Style

    definition = json.loads(files("dicebear_styles").joinpath("adventurer.json").read_text("utf-8"))
    for shape in EYE_SHAPES:
        for element in definition["components"]["eyes"]["variants"]["variant" + shape]["elements"]:
            attributes = element["attributes"]
            if attributes.get("fill") == {"type": "color", "name": "eyes"}:
                attributes |= {"stroke": attributes["fill"], "stroke-width": "12"}
    return Style(definition)


def cached(path: Path, shape: tuple[int, ...], make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the uint8 array of `shape` kept in `path`; make it, and keep it there, when it is not, or is damaged.

    A cache that cannot be written costs time the next time, nothing else: that is said on stderr.
    """
    try:
        with np.load(path) as archive:
            images = archive["images"]
        if images.shape == shape and images.dtype == np.uint8:
            return images
        problem = f"it holds {images.dtype} {images.shape}"
    except FileNotFoundError:
        problem = None
    except Exception as error:  # a damaged archive can fail in any part of zipfile, zlib or NumPy
        problem = str(error)
    if problem:
        print(f"{path} is damaged ({problem}): drawing it anew.", file=sys.stderr)
    images = make()
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            np.savez_compressed(file, images=images)
        os.replace(beside, path)
    except OSError as error:
        print(f"{path} cannot be written ({error.strerror or error}): going on without a cache.", file=sys.stderr)
        with contextlib.suppress(OSError):
            beside.unlink()
    return images
