"""A video game from its screen: raw scores of 30 unseen games, against random play of the same games.

    python -m benchmarks.video_game [--run runs/video_game/2026-01-31_120000] [--seed 0]

Without --run it trains first, by the recipe of `apps.video_game`, which takes about an hour of one core; with it, it
measures that run's newest checkpoint. The curve goes to benchmarks/pictures.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from apps.video_game import VideoGame
from benchmarks.results import record
from kgan.app import main as run_app
from kgan.app import save_picture, stored_options
from kgan.control import evaluation
from kgan.control.pixels import pixel_environments
from kgan.serving import exported
from kgan.training import devices, run
from kgan.training.callbacks import read_curves

GAME, GAMES, LEAST_STEPS, LEVEL = "ALE/SpaceInvaders-v5", 30, 300_000, 0.01
CURVE = Path(__file__).parent / "pictures" / "space_invaders_curve.png"


def main() -> None:
    """Train unless there is a run, and measure; one part of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="of apps.video_game, under way or done")
    parser.add_argument("--seed", type=int, default=0, help="of the training, and of the games that are measured")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, 0 for all cores")
    given = parser.parse_args()
    devices.set_up(devices.Devices(threads=given.threads), given.seed)
    directory = given.run or train(given.seed, given.threads)
    if stored_options(VideoGame(), run.read_config(directory), directory).data != GAME:
        parser.error(f"{directory} is not of {GAME}")
    with tempfile.TemporaryDirectory() as folder:
        run_app(VideoGame(), ["export", "--run", str(directory), "--to", f"{folder}/model", "--count", "0"])
        model = exported.load(Path(folder) / "model")
        steps = model.card["updates"] * model.card["options"]["copies"] * model.card["options"]["rollout"]
        scores = {
            "greedy actions": play(lambda seen: model.call("act", observations=seen)["actions"], given.seed),
            "actions drawn from the policy": play(drawn_from(model), given.seed),
        }
    chance = play(evaluation.at_random(pixel_environments(GAME, 1).spaces, given.seed), given.seed)
    save_picture(evaluation.learning_curve(directory / "metrics.csv", float(chance.mean())), CURVE)
    seconds = float(read_curves(directory / "metrics.csv")[-1]["seconds"])
    record(
        f"Video game: {GAME}, ppo",
        [
            row(f"{how} after {steps:,} steps", found, chance, steps, bar=how == "greedy actions")
            for how, found in scores.items()
        ],
        command="python -m benchmarks.video_game" + (f" --run {given.run}" if given.run else ""),
        seeds=[given.seed],
        protocol=f"Mean raw score, with its standard error, of {GAMES} whole games from unseen seeds, with the sticky "
        "actions of the id (0.25), after training from pixels by the recipe of kgan.control.recipes; beside it, "
        "random play of the same games. To pass, the greedy policy must be better than random play with p < "
        f"{LEVEL} (one-sided test of Welch; that of Mann and Whitney is given too) after at least "
        f"{LEAST_STEPS:,} steps (decisions, of four frames each). Trained in {seconds / 60:.0f} minutes in all, "
        f"{given.threads} thread(s), beside other work on the machine. "
        "[The curve](pictures/space_invaders_curve.png).",
    )


def train(seed: int, threads: int) -> Path:
    """Train by the recipe; gives the run's directory."""
    folder = Path("runs") / VideoGame.name
    before = set(folder.glob("*"))
    run_app(VideoGame(), ["train", "--environment", GAME, "--seed", str(seed), "--threads", str(threads)])
    (directory,) = set(folder.glob("*")) - before
    return directory


def play(policy: evaluation.Policy, seed: int) -> np.ndarray:
    """Raw scores of the games."""
    return evaluation.play(GAME, policy, GAMES, seed, pixel_environments)[0]


def drawn_from(model: exported.Exported) -> evaluation.Policy:
    """The policy as it acted in training."""
    seeds = iter(range(10**9))
    return lambda seen: model.call("sample", observations=seen, seed=next(seeds))["actions"]


def row(setting: str, scores: np.ndarray, chance: np.ndarray, steps: int, bar: bool) -> dict:
    """The scores against those of random play."""
    welch = float(stats.ttest_ind(scores, chance, equal_var=False, alternative="greater").pvalue)
    ranks = float(stats.mannwhitneyu(scores, chance, alternative="greater").pvalue)

    def mean(values: np.ndarray) -> str:
        return f"{values.mean():.0f} ± {values.std(ddof=1) / np.sqrt(len(values)):.0f}"

    return {
        "setting": setting,
        "ours": f"{mean(scores)}; p = {welch:.1e} (Welch), {ranks:.1e} (Mann–Whitney)",
        "reference": f"random play {mean(chance)}" + (f"; p < {LEVEL}" if bar else ""),
        "passes": welch < LEVEL and steps >= LEAST_STEPS,
    }


if __name__ == "__main__":
    main()
