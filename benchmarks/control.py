"""Actors on classic control: mean return of 100 unseen episodes after a number of environment steps.

    python -m benchmarks.control [--environments CartPole-v1 Pendulum-v1] [--actors ppo baseline] [--seeds 0 1 2 3 4]

Each actor is trained by its recipe, which is what `apps.policy_control` takes when it is told nothing else, and then
plays greedily from seeds that it has not seen; "baseline" is REINFORCE with one. The steps beside the bars are those
after which rl-baselines3-zoo publishes its figure of the same algorithm. "credits" is REINFORCE with each of the
things that an action can be credited with, after fewer steps; there is no bar in it.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from apps.policy_control import Options
from benchmarks.results import record
from kgan.app import Live
from kgan.control import evaluation
from kgan.control.recipes import build_actor, completed
from kgan.control.rollouts import Credit
from kgan.training import devices

# environment -> actor -> least mean return, steps of rl-baselines3-zoo (none where it has no such actor)
BARS = {
    "CartPole-v1": {
        "ppo": (475, 100_000), "a2c": (475, 500_000), "reinforce": (475, None), "baseline": (475, None),
        "dqn": (475, 50_000),
    },
    "Pendulum-v1": {"ppo": (-200, 100_000), "sac": (-200, 20_000)},
    "MountainCar-v0": {"ppo": (-115, 1_000_000), "dqn": (-115, 120_000)},
    "LunarLander-v3": {"ppo": (200, 1_000_000)},
}  # fmt: skip
BASELINE = {"actor": "reinforce", "credit": "advantage"}
ACTORS = ["ppo", "a2c", "reinforce", "baseline", "dqn", "sac", "credits"]
EPISODES = 100
CREDITED_UPDATES = 40


def main() -> None:
    """Train and measure; one part of RESULTS.md an environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", nargs="+", default=list(BARS), choices=list(BARS))
    parser.add_argument("--actors", nargs="+", default=ACTORS, choices=ACTORS)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), help="one training each")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, 0 for all cores")
    parser.add_argument("--try", dest="dry", action="store_true", help="leave RESULTS.md as it is")
    given = parser.parse_args()
    devices.set_up(devices.Devices(threads=given.threads), given.seeds[0])
    where = {"path": Path("/dev/null")} if given.dry else {}
    if "credits" in given.actors and "CartPole-v1" in given.environments:
        record(
            "Policy control: CartPole-v1, what an action is credited with",
            credited(given.seeds),
            command="python -m benchmarks.control --environments CartPole-v1 --actors credits",
            seeds=given.seeds,
            protocol=f"REINFORCE by its recipe, but {CREDITED_UPDATES} updates of 8 episodes; mean return of "
            f"{EPISODES} greedy episodes from unseen seeds, {given.threads} thread(s). Every step of CartPole is worth "
            "1 whatever is done, so that r_t in the place of R(tau) leaves nothing to learn.",
            **where,
        )
    for environment in given.environments:
        for actor in [actor for actor in BARS[environment] if actor in given.actors]:
            least, steps = BARS[environment][actor]
            name = "reinforce with a baseline" if actor == "baseline" else actor
            record(
                f"Policy control: {environment}, {name}",
                [measure(environment, actor, least, steps, given.seeds)],
                command=f"python -m benchmarks.control --environments {environment} --actors {actor}",
                seeds=given.seeds,
                protocol=f"Mean return of {EPISODES} greedy episodes from unseen seeds after training by the recipe of "
                f"kgan.control.recipes, {given.threads} thread(s). To pass, every seed must reach the bar, after no "
                "more environment steps than rl-baselines3-zoo's, where it has this actor.",
                **where,
            )


def measure(environment: str, actor: str, least: float, steps: int | None, seeds: list[int]) -> dict:
    """Train with every seed; the row."""
    settings = BASELINE if actor == "baseline" else {"actor": actor}
    runs = [trained(Options(data=environment, seed=seed, **settings)) for seed in seeds]
    found, seconds, taken = zip(*runs, strict=True)
    return {
        "setting": f"{environment}, {actor}",
        "ours": f"{_each(found)}; {max(taken):,} steps, {np.median(seconds):.0f} s",
        "reference": f"≥ {least}" + (f"; {steps:,} steps" if steps else ""),
        "passes": min(found) >= least and (steps is None or max(taken) <= steps),
    }


def credited(seeds: list[int]) -> list[dict]:
    """A row for each kind of credit."""
    rows = []
    for credit in reversed(get_args(Credit)):
        settings = {"actor": "reinforce", "credit": credit, "updates": CREDITED_UPDATES}
        runs = [trained(Options(data="CartPole-v1", seed=seed, **settings)) for seed in seeds]
        rows.append(
            {
                "setting": credit,
                "ours": f"{_each([found for found, _, _ in runs])}; {runs[0][2]:,} steps",
                "reference": "no bar; at most 500",
                "passes": True,
            }
        )
    return rows


def trained(options: Options) -> tuple[float, float, int]:
    """Train by the options and their recipe: the mean return, the seconds of training and the environment steps."""
    options = completed(options)
    model, begun, name = build_actor(options), time.perf_counter(), f"{options.data} {options.actor} {options.seed}"
    for number in range(options.updates):
        report = model.train_step(number)
        if (number + 1) % max(1, options.updates // 10) == 0:
            print(f"  {name}: {int(model.steps):,} steps, {report['return']:.1f}", flush=True)
            model.reset_metrics()
    seconds, live = time.perf_counter() - begun, Live(model)
    returns, _ = evaluation.play(
        options.data, lambda seen: live.call("act", observations=seen)["actions"], EPISODES, options.seed
    )
    print(f"{name}: {returns.mean():.1f} after {seconds:.0f} s", flush=True)
    return float(returns.mean()), seconds, int(model.steps)


def _each(found: Sequence[float]) -> str:
    return f"{np.mean(found):.1f} ({', '.join(f'{value:.1f}' for value in found)})"


if __name__ == "__main__":
    main()
