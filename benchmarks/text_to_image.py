"""Images from captions: what a classifier of its own reads off them, with the matching-aware term and without.

    python -m benchmarks.text_to_image [--aware saved_models/text_to_image] [--plain saved_models/MY_PLAIN]

Reed et al. 2016. A model that is not given is trained here, as `python -m apps.text_to_image train` does.
"""

import argparse
from pathlib import Path

from apps.text_to_image import TextToImage, colour_figures, matching_figure
from benchmarks.results import Row, record
from kgan.app import main as run
from kgan.app import open_model, save_picture

SAMPLES = 1_000
BARS = {"hair": 0.90, "eyes": 0.60}
REAL_BARS = {"hair": 0.98, "eyes": 0.90}
GAP = 0.10
CLEARLY = 0.05
SETS = ("combinations seen in training", "combinations never seen in training")


def trained(matching: float, seed: int, updates: int, runs: Path) -> Path:
    """Train and export with this share of wrong captions; gives the export."""
    app, folder = TextToImage(), runs / f"matching_{matching:g}_seed_{seed}"
    options = ["--matching", str(matching), "--seed", str(seed), "--updates", str(updates)]
    options += ["--precision", "mixed_bfloat16", "--threads", "1"]
    run(app, ["train", *options, "--runs", str(folder)])
    directory = max((folder / app.name).iterdir())
    run(app, ["export", "--run", str(directory), "--to", str(folder / "model"), "--count", "0"])
    return folder / "model"


def measure(path: Path, picture: Path | None) -> tuple[dict[str, float], str]:
    """The shares by the name of their figure, and how the model was trained."""
    app = TextToImage()
    model, options = open_model(app, path)
    data = app.data(options, "test")
    figures = [*colour_figures(model, data.pictures, options.held_out, SAMPLES, seed=0), matching_figure(model, data)]
    if picture:
        save_picture(app.picture(model, options), picture)
    full = options.resolved()
    how = (
        f"{options.objective}, {model.card['updates']:,} updates, batch {options.batch_size}, width {options.width}, "
        f"rates {full.generator_learning_rate:g} and {full.discriminator_learning_rate:g}, "
        f"{options.size} × {options.size} pixels"
    )
    return {figure.name: figure.value for figure in figures}, how


def share(found: dict[str, float], part: str, what: str) -> float:
    """The share of images whose hair or eyes are as the caption says."""
    return found[f"{part} as the caption says, {what}"]


def rows(aware: dict[str, float], plain: dict[str, float]) -> list[Row]:
    """What is asked of the classifier, of the matching-aware model, and of it beside the plain one."""
    real = {part: share(aware, part, "real faces") for part in BARS}
    result = [
        Row(
            setting="real held-out faces", ours=_said(real), reference=f"at least {_said(REAL_BARS)}",
            passes=all(real[part] >= bar for part, bar in REAL_BARS.items()),
        )
    ]  # fmt: skip
    for name, found in (("matching-aware", aware), ("plain", plain)):
        seen, new = ({part: share(found, part, what) for part in BARS} for what in SETS)
        good = all(seen[part] >= bar for part, bar in BARS.items())
        near = all(new[part] >= seen[part] - GAP for part in BARS)
        result += [
            Row(
                setting=f"{name}, {SETS[0]}", ours=_said(seen), reference=f"at least {_said(BARS)}",
                passes=good or name == "plain",
            ),
            Row(
                setting=f"{name}, {SETS[1]}", ours=_said(new), reference=f"within {GAP:.0%} of those",
                passes=near or name == "plain",
            ),
        ]  # fmt: skip
    means = [sum(share(found, part, what) for part in BARS for what in SETS) / 4 for found in (aware, plain)]
    preferred = [found["right captions preferred to wrong ones"] for found in (aware, plain)]
    result.append(
        Row(
            setting="mean of the four shares: matching-aware, plain",
            ours=f"{means[0]:.1%}, {means[1]:.1%} (right captions preferred: {preferred[0]:.1%}, {preferred[1]:.1%})",
            reference=f"{CLEARLY:.0%} apart", passes=means[0] - means[1] >= CLEARLY,
        )
    )  # fmt: skip
    return result


def _said(shares: dict[str, float]) -> str:
    return ", ".join(f"{part} {value:.1%}" for part, value in shares.items())


def main() -> None:
    """Train what is not given, measure both and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aware", type=Path, help="an export trained with --matching 0.5")
    parser.add_argument("--plain", type=Path, help="an export trained with --matching 0")
    parser.add_argument("--seed", type=int, default=0, help="of the trainings")
    parser.add_argument("--updates", type=int, default=TextToImage.Options().updates, help="of each training")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark"), help="where what is trained here is kept")
    parser.add_argument("--picture", type=Path, help="where to write what the plain model draws")
    given = parser.parse_args()
    aware, how = measure(given.aware or trained(0.5, given.seed, given.updates, given.runs), None)
    plain, _ = measure(given.plain or trained(0.0, given.seed, given.updates, given.runs), given.picture)
    passed = record(
        "Text to image",
        rows(aware, plain),
        command=f"python -m benchmarks.text_to_image --updates {given.updates}",
        seeds=[given.seed],
        protocol=f"Faces with captions such as “red hair blue eyes”, of whose 96 combinations of colours 12 were left "
        f"out of training; {how}. Share of {SAMPLES:,} samples of each kind (seed 0) off which the face classifier, "
        "which has nothing to do with the models, reads what the caption says; the plain model has no wrong captions "
        "in its discriminator's loss, and nothing to pass.",
    )
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
