"""Equal wall time, same digits, same machine: our DCGAN, LSGAN and WGAN-GP beside PyTorch scripts of the same name.

`python -m benchmarks.quality --torch-python /path/to/python` (an environment with torch and NumPy). The two sides take
turns. Each trains on one core for the same number of seconds, ours including the time that compiling its step takes,
and then draws 10,000 digits, kept in runs/quality/; both are judged through our digit classifier against the held-out
digits (`--judge` does only that). Two of the peers train at 32 x 32, as their published scripts do, and their samples
are scaled back to 28 x 28, which costs them: so the held-out digits scaled there and back are judged beside them.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.results import record
from kgan import datasets
from kgan.app import Live
from kgan.metrics.distances import frechet_distance
from kgan.metrics.features import feature_network
from kgan.models.recipes import GANOptions, build_gan
from kgan.training import devices

PEERS = {"dcgan": "dcgan", "lsgan": "lsgan", "wgan-gp": "wgan_gp"}
SAMPLES = 10_000
SIDES = ("ours", "torch")
FOLDER = Path("runs/quality")


def main() -> None:
    """Run the comparison and write its table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__.split("\n")[0])
    parser.add_argument("--torch-python", default=sys.executable, help="a Python that has torch and NumPy")
    parser.add_argument("--seconds", type=float, default=120, help="of training for each side")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--ours", help="internal: train one of our models and write its samples here")
    parser.add_argument("--judge", action="store_true", help="judge the samples of an earlier run again")
    options = parser.parse_args()
    if options.ours:
        return train_ours(options.models[0], options.seconds, options.seeds[0], Path(options.ours))

    FOLDER.mkdir(parents=True, exist_ok=True)
    if not options.judge:
        for name in options.models:
            for seed in options.seeds:
                train_both(options.torch_python, name, seed, options.seconds)
    real = datasets.load("digits", "test").examples
    network = feature_network("digits")
    activations = network(real)

    def distance(samples: Path) -> float:
        return frechet_distance(activations, network(np.load(samples)))

    rows = []
    for name in options.models:
        for seed in options.seeds:
            said = FOLDER / f"{name}-{seed}.json"
            if not said.exists():  # an earlier run was stopped before this one
                continue
            row = json.loads(said.read_text())
            row |= {side: row[side] | {"frechet": distance(FOLDER / f"{name}-{seed}-{side}.npy")} for side in SIDES}
            rows.append(row)
            print(
                f"{name} seed {seed}: ours {row['ours']['frechet']:.2f} after {row['ours']['updates']:,} updates, "
                f"torch {row['torch']['frechet']:.2f} after {row['torch']['generator_updates']:,}; "
                f"real digits scaled as torch's are {distance(FOLDER / f'{name}-reference.npy'):.2f}",
                flush=True,
            )
    record(
        "Quality at equal wall time",
        [
            {
                "setting": f"{name}, {options.seconds:g} s each, seeds "
                f"{[row['seed'] for row in rows if row['model'] == name]}",
                "ours": _spread(row["ours"]["frechet"] for row in rows if row["model"] == name),
                "reference": _spread(row["torch"]["frechet"] for row in rows if row["model"] == name),
                "passes": all(r["ours"]["frechet"] < r["torch"]["frechet"] for r in rows if r["model"] == name),
            }
            for name in options.models
        ],
        command=f"python -m benchmarks.quality --torch-python PYTHON --seconds {options.seconds:g}",
        seeds=options.seeds,
        protocol="Fréchet distance, digit classifier, 64 activations; 10,000 samples against 1,000 held-out digits. "
        "One core each. The held-out digits scaled as the peer's samples are, to 32 x 32 and back for dcgan and lsgan: "
        + ", ".join(f"{name} {distance(FOLDER / f'{name}-reference.npy'):.2f}" for name in options.models),
    )


def train_both(torch_python: str, name: str, seed: int, seconds: float) -> None:
    """Train one model on both sides, one after the other, and keep what they draw and say."""
    commands = {
        "ours": [sys.executable, "-m", "benchmarks.quality", "--models", name, "--seeds", str(seed), "--ours"],
        "torch": [
            torch_python, "-m", "benchmarks.peers.torch_gan", "--model", PEERS[name], "--seed", str(seed),
            "--threads", "1", "--reference", str(FOLDER / f"{name}-reference.npy"), "--out",
        ],
    }  # fmt: skip
    said = {"model": name, "seed": seed}
    for side, command in commands.items():
        out = str(FOLDER / f"{name}-{seed}-{side}.npy")
        ran = subprocess.run([*command, out, "--seconds", str(seconds)], check=True, capture_output=True, text=True)
        said[side] = json.loads(ran.stdout.strip().splitlines()[-1])
        print(f"{name} seed {seed} {side}: {said[side]}", flush=True)
    (FOLDER / f"{name}-{seed}.json").write_text(json.dumps(said))


def train_ours(name: str, seconds: float, seed: int, out: Path) -> None:
    """Train one model for so long, as `apps.image_generation` would, and write its samples."""
    import keras

    class Until(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.end = time.perf_counter() + seconds

        def on_train_batch_end(self, batch, logs=None):
            self.updates = batch + 1
            if time.perf_counter() >= self.end:
                self.model.stop_training = True

    devices.set_up(devices.Devices(threads=1), seed)
    data = datasets.load("digits", "train")
    model = build_gan(GANOptions(objective=name), data.shape, 10_000, seed)
    until = Until()
    model.fit(data.batches(64 * model.critic_steps, seed=seed), steps_per_epoch=10**7, verbose=0, shuffle=False,
              callbacks=[until])  # fmt: skip
    live = Live(model)
    images = [live.call("generate", seed=seed * SAMPLES + i, count=500)["images"] for i in range(SAMPLES // 500)]
    np.save(out, np.concatenate(images))
    print(json.dumps({"updates": until.updates, "seconds": seconds}))


def _spread(values) -> str:
    values = sorted(values)
    return f"{np.median(values):.2f} ({values[0]:.2f} to {values[-1]:.2f})"


if __name__ == "__main__":
    main()
