"""EBGAN and BEGAN beside WGAN-GP on the digits, for the same time on one core; and how BEGAN keeps its balance.

    python -m benchmarks.energy [--seeds 0] [--seconds 150]

Each trains as `python -m apps.image_generation train --model ... ` would, without pictures and checkpoints, until it
has used so many seconds of processor time, tracing its step included, which others' work does not change.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas
from PIL import Image

from apps.image_generation import ImageGeneration, Options
from benchmarks.results import record
from kgan import pictures
from kgan.app import Live
from kgan.metrics.distances import frechet_distance
from kgan.metrics.features import feature_network
from kgan.training import callbacks, devices

MODELS: dict[str, dict[str, Any]] = {
    "wgan-gp": {"objective": "wgan-gp", "jitter": 0.0},  # the paper's
    "ebgan": {"model": "ebgan"},
    "began": {"model": "began"},
}
SAMPLES = 10_000
TIMES_WGAN_GP = 2
FOLDER = Path("runs/energy")
PICTURES = Path(__file__).with_name("pictures")


class Until(callbacks.Counting):
    """Stop after so many seconds of processor time."""

    def __init__(self, seconds: float):
        super().__init__(0)
        self.seconds, self.updates = seconds, 0

    def on_train_begin(self, logs=None):
        """Start the clock."""
        self.end = time.process_time() + self.seconds

    def after_update(self, update, logs):
        """Look at the clock."""
        self.updates = update
        if time.process_time() >= self.end:
            self.model.stop_training = True


def train(options: Options, seconds: float, directory: Path) -> tuple[Live, int]:
    """Train for so long; leaves metrics.csv in the directory. Gives the model and the number of its updates."""
    app = ImageGeneration()
    data = app.data(options, "train")
    model = app.build(options, data)
    directory.mkdir(parents=True, exist_ok=True)
    until, curves = Until(seconds), callbacks.Curves(directory, 0, options.log_every)
    model.fit(
        data.batches(options.batch_size * model.critic_steps, seed=options.seed), steps_per_epoch=10**7, verbose=0,
        shuffle=False, callbacks=[curves, until],
    )  # fmt: skip
    return Live(model), until.updates


def distance(model: Live, seed: int) -> float:
    """The Fréchet distance of 10,000 samples to the held-out digits."""
    app, network = ImageGeneration(), feature_network("digits")
    real = app.data(Options(), "test").examples
    calls = [model.call("generate", seed=seed * SAMPLES + i, count=500)["images"] for i in range(SAMPLES // 500)]
    return frechet_distance(network(real), network(np.concatenate(calls)))


def balance_picture(path: Path, gamma: float) -> np.ndarray:
    """BEGAN's energies, k and convergence measure over training, from a metrics.csv."""
    rows = callbacks.read_curves(path)
    column = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    canvas = Canvas(figsize=(8, 7), dpi=100, layout="constrained")
    energies, ratio, convergence = canvas.subplots(3, 1, sharex=True)
    energies.plot(column["update"], column["real_energy"], color="tab:blue", label="L(x), real")
    energies.plot(column["update"], column["fake_energy"], color="tab:orange", label="L(G(z)), generated")
    energies.set_ylabel("mean absolute error")
    energies.legend(loc="upper right")
    ratio.plot(column["update"], column["fake_energy"] / column["real_energy"], color="black", label="L(G(z)) / L(x)")
    ratio.axhline(gamma, color="grey", linestyle="--", label=f"γ = {gamma:g}")
    ratio.plot(column["update"], column["k"], color="tab:red", label="k")
    ratio.set_ylabel("balance")
    ratio.legend(loc="lower right")
    convergence.plot(column["update"], column["convergence"], color="tab:green")
    convergence.set_ylabel("M = L(x) + |γL(x) − L(G(z))|")
    convergence.set_xlabel("update")
    return pictures.from_figure(canvas)


def measure(name: str, seed: int, seconds: float) -> None:
    """Train one model; leaves what it measures as result.json, and its pictures where people look."""
    devices.set_up(devices.Devices(threads=1), seed)
    options, directory = Options(seed=seed, **MODELS[name]), FOLDER / f"{name}-{seed}"
    model, updates = train(options, seconds, directory)
    result = {"distance": distance(model, seed), "updates": updates, "seconds": seconds}
    (directory / "result.json").write_text(json.dumps(result))
    print(f"{name} seed {seed}: {result}", flush=True)
    shown = {}
    if seed == 0 and name != "wgan-gp":
        shown[name] = ImageGeneration().picture(model, options)
    if seed == 0 and name == "began":
        shown["began_balance"] = balance_picture(directory / "metrics.csv", options.resolved().gamma)
    for title, picture in shown.items():
        PICTURES.mkdir(exist_ok=True)
        Image.fromarray(picture).save(PICTURES / f"{title}.png")


def main() -> None:
    """Train each of them for each seed, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one run of each model for each")
    parser.add_argument("--seconds", type=float, default=150, help="of processor time for each run")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS), help="those to train anew")
    given = parser.parse_args()
    for seed in given.seeds:
        for name in given.models:
            measure(name, seed, given.seconds)
    results = {(name, seed): FOLDER / f"{name}-{seed}" / "result.json" for name in MODELS for seed in given.seeds}
    if missing := [f"{name} seed {seed}" for (name, seed), path in results.items() if not path.exists()]:
        return print(f"no table yet: {', '.join(missing)} still to train.")
    found = {name: [json.loads(results[name, seed].read_text()) for seed in given.seeds] for name in MODELS}
    if any(result["seconds"] != given.seconds for results in found.values() for result in results):
        raise SystemExit("not all models were trained for the same time: train those with --models.")

    def said(name: str) -> str:
        return "; ".join(f"{result['distance']:.2f} after {result['updates']:,} updates" for result in found[name])

    bars = [TIMES_WGAN_GP * result["distance"] for result in found["wgan-gp"]]
    record(
        "Energy-based GANs at equal time",
        [
            {
                "setting": f"{name}, digits, {given.seconds:g} s",
                "ours": said(name),
                "reference": "below " + "; ".join(f"{bar:.2f}" for bar in bars),
                "passes": all(ours["distance"] < bar for ours, bar in zip(found[name], bars, strict=True)),
            }
            for name in ("ebgan", "began")
        ],
        command=f"python -m benchmarks.energy --seconds {given.seconds:g}",
        seeds=given.seeds,
        protocol=f"Fréchet distance, digit classifier, 64 activations; {SAMPLES:,} samples against 1,000 held-out "
        f"digits. Every model has one core for {given.seconds:g} s of processor time, with its defaults in "
        "apps.image_generation, which were chosen on other seeds (100 and above). The reference is "
        f"{TIMES_WGAN_GP} times WGAN-GP's distance after the same time, seed by seed: {said('wgan-gp')}.",
    )


if __name__ == "__main__":
    main()
