"""Environment steps per second of PPO on CartPole-v1 against stable-baselines3, training included, and time to 475.

    python -m benchmarks.control_speed --peer-python /path/to/python [--threads 1] [--rounds 5] [--seeds 0 1 2 3 4]

The other Python needs stable-baselines3, in an environment of its own:

    python -m venv /tmp/sb3 && /tmp/sb3/bin/pip install stable-baselines3==2.9.2

Both have the same networks (two hidden layers of 64, tanh, actor and critic apart), 8 environments and
hyper-parameters, and otherwise are what they are when installed; so are their threads with --threads 0. Each side is
one process that trains only when it is its turn, A B A B …; what is reported is the median over the rounds of the ratio
within the round. Then each seed is trained from nothing until the mean return of the last 100 training episodes is 475,
by the recipe of rl-baselines3-zoo but for its clip, which stays at 0.2. Run it on an idle machine: the last figure
printed says how much of the processors others had.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks.results import Row, record
from benchmarks.speed import Worker

STEPS = 20_480


def main() -> None:
    """Start both sides, measure in turns, and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True, help="the interpreter of an environment with stable-baselines3")
    parser.add_argument("--threads", type=int, default=1, help="of each side, 0 for what each takes by itself")
    parser.add_argument("--rounds", type=int, default=5, help="of the rates, 0 to leave them out")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)), help="of the trainings to 475, if any")
    parser.add_argument("--try", dest="dry", action="store_true", help="leave RESULTS.md as it is")
    given = parser.parse_args()
    workers = {
        "kgan": Worker(sys.executable, "-m", "benchmarks.control_speed_worker", str(given.threads)),
        "stable-baselines3": Worker(given.peer_python, "-m", "benchmarks.peers.sb3_speed", str(given.threads)),
    }
    threads = {0: "threads as each takes them by itself", 1: "one thread each"}
    threads = threads.get(given.threads, f"{given.threads} threads each")
    facts = json.dumps({name: worker.facts for name, worker in workers.items()})
    shown = {
        "command": f"python -m benchmarks.control_speed --peer-python PYTHON --threads {given.threads}",
        **({"path": Path("/dev/null")} if given.dry else {}),
    }
    if given.rounds:
        row, where, others = in_turns(workers, given.rounds)
        record(
            f"PPO's speed on CartPole-v1, {threads}",
            [row],
            seeds=[0],
            protocol=f"Same networks, hyper-parameters and 8 environments, in turns; {facts}. Where ours goes: "
            f"{where}, the rest acting, advantages and bookkeeping. Other processes had up to "
            f"{others:.0%} of the processors while it ran.",
            **shown,
        )
    if given.seeds:
        row, others = to_475(workers, given.seeds)
        record(
            f"PPO's time to 475 on CartPole-v1, {threads}",
            [row],
            seeds=given.seeds,
            protocol="Building and tracing included, until the mean return of the last 100 training episodes is 475; "
            f"same networks, hyper-parameters and 8 environments, in turns; {facts}. Other processes had up to "
            f"{others:.0%} of the processors while it ran.",
            **shown,
        )
    for worker in workers.values():
        worker.close()


def in_turns(workers: dict[str, Worker], rounds: int) -> tuple[Row, str, float]:
    """The row of the rates; where our seconds go; and what others had of the processors."""
    rates, others, shares = {name: [] for name in workers}, 0.0, {}
    for worker in workers.values():
        worker.ask("run", STEPS // 4)
    for index in range(rounds):
        for name, worker in workers.items():
            time.sleep(0.3)
            answer = worker.ask("run", STEPS)
            rates[name].append(answer["steps"] / answer["seconds"])
            others = max(others, answer["others"])
            shares = answer.get("shares", {}) or shares
        print(f"round {index + 1}: " + ", ".join(f"{n} {r[-1]:,.0f} steps/s" for n, r in rates.items()), flush=True)
    ratios = [ours / theirs for ours, theirs in zip(*rates.values(), strict=True)]
    speed = ", ".join(f"{name} {statistics.median(rate):,.0f} steps/s" for name, rate in rates.items())
    row = Row(
        setting="steps per second, 128-step rollouts, 10 epochs, minibatches of 256",
        ours=f"{statistics.median(ratios):.2f} × (rounds {min(ratios):.2f} to {max(ratios):.2f}); {speed}",
        reference="≥ 3 × stable-baselines3",
        passes=statistics.median(ratios) >= 3,
    )
    return row, ", ".join(f"{name} {share:.0%}" for name, share in shares.items()), others


def to_475(workers: dict[str, Worker], seeds: list[int]) -> tuple[Row, float]:
    """The row of the seconds to 475, and what others had of the processors."""
    times, others = {name: [] for name in workers}, 0.0
    for seed in seeds:
        for name, worker in workers.items():
            answer = worker.ask("reach", seed)
            times[name].append(answer["seconds"])
            others = max(others, answer["others"])
            print(f"seed {seed}, {name}: {answer['seconds']:.1f} s, {answer['steps']:,} steps", flush=True)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    each = "; ".join(
        f"{name} {medians[name]:.1f} s ({', '.join(f'{value:.1f}' for value in seconds)})"
        for name, seconds in times.items()
    )
    row = Row(
        setting="seconds to a mean return of 475, median of the seeds",
        ours=each,
        reference="at most half of stable-baselines3's",
        passes=medians["kgan"] <= medians["stable-baselines3"] / 2,
    )
    return row, others


if __name__ == "__main__":
    main()
