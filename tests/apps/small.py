"""The smallest training of every app, and the apps as `python -m kgan` finds them.

To add an app, enter in SMALL the options with which three updates take no time.
"""

import importlib
from pathlib import Path

import numpy as np
from PIL import Image

from kgan.__main__ import apps
from kgan.app import App, main

APPS = sorted(apps())
SMALL: dict[str, list[str]] = {
    "autoencoding": [
        "--data",
        "folder:{folder}",
        "--size",
        "8",
        "--network",
        "mlp",
        "--width",
        "1",
        "--likelihood",
        "gaussian",
    ],
    "disentanglement": ["--data", "folder:{folder}", "--size", "8", "--width", "4", "--categorical", "3"],
    "representation_learning": ["--data", "folder:{folder}", "--size", "8", "--network", "mlp", "--width", "1"],
    "attribute_editing": ["--generator", "saved_models/digits", "--width", "4"],
    "photo_editing": ["--generator", "saved_models/digits", "--width", "4", "--steps", "2"],
    "image_generation": ["--data", "folder:{folder}", "--size", "8", "--width", "4", "--objective", "lsgan"],
    "policy_control": ["--copies", "2", "--rollout", "8", "--epochs", "1", "--width", "4"],
    "video_game": [
        "--environment",
        "tiny:TinyScreen-v0",
        "--copies",
        "2",
        "--rollout",
        "8",
        "--epochs",
        "1",
        "--width",
        "4",
        "--filters",
        "2",
        "2",
        "2",
    ],
    "text_to_image": [
        "--data",
        "captions:{folder}",
        "--size",
        "8",
        "--width",
        "2",
        "--code-dim",
        "3",
        "--text-width",
        "3",
    ],
    "toy_distributions": ["--width", "4", "--depth", "1", "--objective", "lsgan"],
    "divergence_estimation": ["--width", "4"],
    "sentence_generation": ["--data", "lines:{folder}/lines.txt", "--width", "4", "--depth", "1", "--latent-dim", "4"],
    "domain_adaptation": ["--data", "moons", "--features", "4"],
    "imitation": ["--width", "4", "--episodes", "1", "--horizon", "30"],
    "value_estimation": ["--width", "4", "--episodes", "5"],
    "discriminator_generation": ["--width", "4", "--steps", "2", "--draw-steps", "3", "--buffer-size", "20"],
}


def app_of(name: str) -> App:
    """The app in `apps/<name>.py`."""
    found = vars(importlib.import_module(f"apps.{name}")).values()
    (kind,) = {k for k in found if isinstance(k, type) and issubclass(k, App) and k is not App}
    return kind()


def run(name: str, *arguments) -> None:
    """`python -m apps.<name> <arguments>` in this process, which must be a success."""
    try:
        main(app_of(name), [str(argument) for argument in arguments])
    except SystemExit as end:  # pytest would lose its own way
        raise AssertionError(f"it ended with status {end.code}") from end


def train(name: str, folder: Path, *further) -> Path:
    """Three small updates; gives the run's directory. `folder` holds the pictures and the runs."""
    options = [option.format(folder=folder / "pictures") for option in SMALL[name]]
    before = set((folder / "runs" / name).glob("*"))
    common = ["--updates", "3", "--batch-size", "8", "--log-every", "1", "--average-decay", "0.5"]
    common = common[: -2 if name in {"divergence_estimation", "policy_control", "video_game"} else None]
    run(name, "train", *options, *common, "--runs", folder / "runs", *further)
    (made,) = set((folder / "runs" / name).glob("*")) - before
    return made


def write_pictures(folder: Path, count: int = 120) -> None:
    """Pictures of noise, 8 x 8, with captions, and lines of it."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    for index, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(f"{['red', 'blue'][index % 2]} hair\n")
    lines = np.random.default_rng(0).choice(list("abcdefgh "), (count, 12))
    (folder / "lines.txt").write_text("".join("".join(line).strip() + "\n" for line in lines))
