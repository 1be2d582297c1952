"""The lecture's table: four GANs on five kinds of networks, the same number of updates each (E4).

`python -m benchmarks.architectures` trains every cell on the digits and writes the Fréchet distances and, as
benchmarks/architectures.png, samples of each. WGAN-GP should work everywhere: its distance finite and under three times
its own best in every row. `--rows` and `--columns` train a part of the table; what was trained before is kept in
runs/architectures.json and drawn with it.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Canvas
from PIL import Image

from benchmarks.results import record
from kgan import datasets, pictures
from kgan.app import Live
from kgan.metrics.distances import frechet_distance
from kgan.metrics.features import feature_network
from kgan.models.recipes import GANOptions, build_gan

HERE = Path(__file__).parent
COLUMNS = ("dcgan", "lsgan", "wgan", "wgan-gp")
NORMAL = {"dcgan": "batch", "lsgan": "batch", "wgan": "batch", "wgan-gp": "layer"}  # batch norm is not for a penalty
ROWS = {
    "CNN, normalisation": {"width": 32, "normalisation": "batch"},
    "CNN, none": {"width": 32, "normalisation": "none", "discriminator_normalisation": "none"},
    "tanh everywhere": {"width": 32, "activation": "tanh"},
    "MLP generator": {"width": 32, "generator_network": "mlp"},
    "101 layers": {"network": "residual", "depth": 101, "width": 8},
}


def main() -> None:
    """Train the table, or a part of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.architectures", description=__doc__.split("\n")[0])
    parser.add_argument("--updates", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--columns", nargs="+", default=list(COLUMNS), choices=list(COLUMNS))
    options = parser.parse_args()

    data, real = datasets.load("digits", "train"), datasets.load("digits", "test")
    network = feature_network("digits")
    activations = network(real.examples)
    kept = Path("runs/architectures.json")
    kept.parent.mkdir(exist_ok=True)
    cells = json.loads(kept.read_text()) if kept.exists() else {}
    for row in options.rows:
        for column in options.columns:
            began = time.perf_counter()
            images = train(row, column, data, options.updates, options.seed)
            distance = frechet_distance(activations, network(images)) if images is not None else float("inf")
            cells[f"{row} / {column}"] = {
                "frechet": distance, "seconds": round(time.perf_counter() - began), "updates": options.updates,
                "seed": options.seed, "date": time.strftime("%Y-%m-%d"),
                "samples": images[:16, :, :, 0].reshape(16, -1).tolist() if images is not None else None,
            }  # fmt: skip
            kept.write_text(json.dumps(cells))
            print(f"{row:<20} {column:<8} {distance:8.2f}  ({cells[f'{row} / {column}']['seconds']} s)", flush=True)
    draw(cells)
    report(cells)


def train(row: str, column: str, data, updates: int, seed: int) -> np.ndarray | None:
    """Train one cell; 5,000 samples uint8, or None where the game blew up."""
    choices = {"discriminator_normalisation": NORMAL[column], **ROWS[row]}
    model = build_gan(GANOptions(objective=column, latent_dim=64, **choices), data.shape, updates, seed)
    batches = data.batches(64 * model.critic_steps, steps=updates, seed=seed)
    model.fit(batches, verbose=0, shuffle=False)
    live = Live(model)
    raw = model(np.zeros((2, 64), np.float32)).numpy()
    if not np.isfinite(raw).all():
        return None
    return np.concatenate([live.call("generate", seed=seed * 100 + i, count=500)["images"] for i in range(10)])


def draw(cells: dict) -> None:
    """The table as a picture: 16 samples of each cell under its figure."""
    canvas = Canvas(figsize=(2.2 * len(COLUMNS), 2.5 * len(ROWS)), dpi=80, layout="constrained")
    axes = canvas.subplots(len(ROWS), len(COLUMNS), squeeze=False)
    for i, row in enumerate(ROWS):
        for j, column in enumerate(COLUMNS):
            cell, ax = cells.get(f"{row} / {column}"), axes[i, j]
            ax.set(xticks=[], yticks=[])
            if cell and cell["samples"]:
                ax.imshow(pictures.grid(np.array(cell["samples"], np.uint8).reshape(16, 28, 28, 1)))
            title = f"{cell['frechet']:.1f}" if cell else "not trained"
            ax.set_title(f"{column}\n{title}" if i == 0 else title, fontsize=10)
            if j == 0:
                ax.set_ylabel(row, fontsize=10)
    Image.fromarray(pictures.from_figure(canvas)).quantize(64).save(HERE / "architectures.png", optimize=True)


def report(cells: dict) -> None:
    """Write the table's rows into RESULTS.md."""
    penalised = {row: cells[f"{row} / wgan-gp"]["frechet"] for row in ROWS if f"{row} / wgan-gp" in cells}
    best = min(penalised.values())
    rows = []
    for row in ROWS:
        found = {column: cells[f"{row} / {column}"]["frechet"] for column in COLUMNS if f"{row} / {column}" in cells}
        rows.append({
            "setting": row,
            "ours": ", ".join(f"{column} {value:.1f}" for column, value in found.items()),
            "reference": f"wgan-gp under {3 * best:.1f}, three times its best",
            "passes": row in penalised and penalised[row] < 3 * best,
        })  # fmt: skip
    record(
        "E4 robustness to architecture",
        rows,
        command="python -m benchmarks.architectures",
        seeds=sorted({cell["seed"] for cell in cells.values()}),
        protocol="Fréchet distance, digit classifier, 64 activations; 5,000 samples against 1,000 held-out digits; "
        + f"{sorted({cell['updates'] for cell in cells.values()})} updates; picture: architectures.png",
    )


if __name__ == "__main__":
    main()
