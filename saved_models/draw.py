"""Draws a grid of pictures with an exported generator, and shows how little that takes: TensorFlow, nothing of ours.

python saved_models/draw.py saved_models/digits --count 64 --seed 0 --out grid.png
python saved_models/draw.py saved_models/poems --count 4    (sentences are printed)
"""

import argparse
import math
import os
import sys
from pathlib import Path

for package in ("kgan", "keras", "tf_keras"):
    sys.modules[package] = None  # so that importing it fails: TensorFlow looks for Keras, and does without
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from PIL import Image  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a grid of pictures with an exported generator.")
    parser.add_argument("model", type=Path, help="saved_models/NAME (its latest version) or saved_models/NAME/VERSION")
    parser.add_argument("--count", type=int, default=64, help="how many pictures (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same pictures (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("grid.png"), help="the PNG to write (default: grid.png)")
    options = parser.parse_args()
    if options.count < 1:
        parser.error(f"--count is {options.count}: it must be at least 1")

    version = latest_version(options.model)
    if not (version / "saved_model.pb").is_file():
        parser.error(f"there is no exported model in {str(options.model)!r}: name one such as saved_models/digits")
    model = tf.saved_model.load(str(version))
    if "generate" not in model.signatures:
        parser.error(f"{str(version)!r} cannot generate: its signatures are {', '.join(sorted(model.signatures))}")

    seed = tf.constant(options.seed, tf.int64)
    count = tf.constant(options.count, tf.int32)
    answer = model.signatures["generate"](seed=seed, count=count)
    if "sentences" in answer:
        print("\n".join(sentence.decode() for sentence in answer["sentences"].numpy()))
        return
    if "images" not in answer:
        parser.error(f"{str(version)!r} draws no pictures: it gives {', '.join(sorted(answer))}")
    images = answer["images"].numpy()  # uint8 [count, H, W, C]

    options.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid(images)).save(options.out)
    loaded = [package for package in ("kgan", "keras", "tf_keras") if sys.modules[package] is not None]
    assert not loaded, f"{loaded} should not have been needed"
    print(f"{options.out}: {len(images)} pictures by {version}, drawn with neither keras nor kgan")


def latest_version(model: Path) -> Path:
    """The sub-directory with the highest number, or ``model`` itself if it has none."""
    numbers = [int(path.name) for path in model.glob("*") if path.name.isdecimal()]
    return model / str(max(numbers)) if numbers else model


def grid(images: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, C] -> one uint8 picture of about as many rows as columns, without C if it is 1."""
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
    cells[:count] = images
    picture = cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    picture = picture.reshape(rows * height, columns * width, channels)
    return picture[..., 0] if channels == 1 else picture


if __name__ == "__main__":
    main()
