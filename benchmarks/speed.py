"""Images per second of our training step against PyTorch eager: the same networks, optimiser, batch and game.

    python -m benchmarks.speed --torch-python /path/to/python [--objective dcgan|wgan-gp]
                               [--precision float32|mixed_bfloat16] [--width 32] [--rounds 9] [--updates 100] [--try]

The networks are those of `apps.image_generation`'s recipes, of its default width unless told otherwise. The other
Python needs torch and numpy. Each side is one process that lives through the whole measurement and trains only when it
is its turn, A B A B …, so that a machine that becomes slower does so for both; what is reported is the median over the
rounds of the ratio within the round. The PyTorch networks are built from ours and must give the same outputs before
anything is timed. PyTorch plays twice: as its published scripts are written, and tuned so that it computes no gradient
that is thrown away. Under mixed_bfloat16 it moreover plays under bfloat16 autocast.

Run it on an idle machine: the last figure printed says how much of the processors others had meanwhile.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.results import Row, record, with_amx

BATCH = 64
CRITIC_STEPS = {"dcgan": 1, "wgan-gp": 5}
WARM_UP = 20


class Worker:
    """A process that answers lines with lines of JSON."""

    def __init__(self, *command: str):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.facts = self._answer()

    def ask(self, command: str, count: int) -> dict:
        """Send one command and wait for its answer."""
        self.process.stdin.write(f"{command} {count}\n")
        return self._answer()

    def close(self) -> None:
        """Let the process end by itself."""
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.process.args[:3])} ended with status {self.process.wait()}; see above.")
        return json.loads(line)


def main() -> None:
    """Start both sides, measure in turns, print the table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", required=True, help="the interpreter of an environment with torch and numpy")
    parser.add_argument("--objective", choices=tuple(CRITIC_STEPS), default="dcgan")
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    parser.add_argument("--width", type=int, default=32, help="channels of the networks at half the image's size")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--updates", type=int, default=100, help="of one side in one round, a multiple of 10")
    parser.add_argument("--threads", type=int, default=2, help="of each side")
    parser.add_argument("--try", dest="dry", action="store_true", help="leave RESULTS.md as it is")
    options = parser.parse_args()
    if options.updates % 10:
        parser.error(f"--updates is {options.updates}: give a multiple of 10, since we do ten a call")
    report = measure(options)
    print(json.dumps(report))
    if not options.dry:
        keep(report)


BARS = {("dcgan", "float32"): 1.4, ("wgan-gp", "float32"): 1.35}
BARS |= {("dcgan", "mixed_bfloat16"): 2.0, ("wgan-gp", "mixed_bfloat16"): 2.2}  # where the processor has AMX


def keep(report: dict) -> None:
    """Write the ratios to RESULTS.md."""
    game = report["objective"], report["precision"]
    published, *others = report["ratio"].items()
    beside = "".join(f"; to {name} {ratio:.2f}" for name, ratio in others)
    record(
        f"Speed of a training step: {game[0]}, {game[1]}",
        [
            Row(
                setting="images per second, over PyTorch's",
                ours=f"{published[1]:.2f} (rounds {report['least']:.2f} to {report['most']:.2f}){beside}",
                reference=f"{BARS[game]}",
                passes=published[1] >= BARS[game],
            )
        ],
        command=f"python -m benchmarks.speed --torch-python PYTHON --objective {game[0]} --precision {game[1]} "
        f"--rounds {report['rounds']} --updates {report['updates']}",
        seeds=[0],
        protocol=f"PyTorch 2.13 eager as its published scripts are written (tuned: without gradients that are thrown "
        f"away), the same networks of width {report['width']}, optimiser and batch of {BATCH}, {report['threads']} "
        "threads each, in turns; medians of the rounds. Both sides share the fakes between the players; we do ten "
        f"updates a call. Losses of the last round: {_losses(report)}. tf.data alone takes "
        f"{report['data_share']:.1%} of an update; other processes had up to "
        f"{report['others']:.0%} of the processors, {with_amx()}.",
    )


def _losses(report: dict) -> str:
    return "; ".join(
        f"{name} " + ", ".join(f"{key.removesuffix('_loss')} {value:.2f}" for key, value in losses.items())
        for name, losses in report["last_losses"].items()
    )


def measure(options: argparse.Namespace) -> dict:
    """Run the rounds; the ratios, rates and losses of every side."""
    threads = f"--threads={options.threads}"
    with tempfile.TemporaryDirectory() as networks:
        ours, theirs = f"kgan {options.precision}", ["torch script float32", "torch tuned float32"]
        if options.precision == "mixed_bfloat16":
            theirs.append("torch tuned bfloat16")
        workers = {ours: Worker(
            sys.executable, "-m", "benchmarks.speed_worker", "--networks", networks, threads,
            "--objective", options.objective, "--precision", options.precision, f"--width={options.width}",
        )}  # fmt: skip
        for name in theirs:
            _, style, precision = name.split()
            workers[name] = Worker(
                options.torch_python, "-m", "benchmarks.peers.torch_speed", "--networks", networks, threads,
                "--precision", precision, "--style", style,
            )  # fmt: skip
            print(
                f"{name} ({workers[name].facts['torch']}): outputs of its networks differ from ours by at most "
                f"{workers[name].facts['difference']:.1e}"
            )
        answers = {name: [] for name in workers}
        for worker in workers.values():
            worker.ask("run", WARM_UP)
        for index in range(options.rounds):
            for name, worker in workers.items():
                time.sleep(0.3)  # the other side's threads may spin for a moment after their turn
                answers[name].append(worker.ask("run", options.updates))
            print(f"round {index + 1}: " + ", ".join(f"{n} {a[-1]['seconds']:.2f} s" for n, a in answers.items()))
        data_seconds = workers[ours].ask("data", options.updates)["seconds"]
        for worker in workers.values():
            worker.close()

    images = options.updates * BATCH * CRITIC_STEPS[options.objective]
    print(f"\n{options.objective}, batch {BATCH}, {options.threads} threads, median of {options.rounds} rounds")
    rate = {name: images / statistics.median(turn["seconds"] for turn in turns) for name, turns in answers.items()}
    for name, turns in answers.items():
        first, last = turns[0]["losses"], turns[-1]["losses"]
        losses = ", ".join(f"{key.removesuffix('_loss')} {first[key]:.3f} -> {last[key]:.3f}" for key in first)
        print(f"  {name:22} {rate[name]:6.0f} images/s, losses of the first and last round: {losses}")
    ratios = {
        name: [t["seconds"] / o["seconds"] for t, o in zip(answers[name], answers[ours], strict=True)]
        for name in theirs
    }
    for name, values in ratios.items():
        print(f"  ours / {name}: {statistics.median(values):.2f} x (rounds {min(values):.2f} to {max(values):.2f})")
    data_share = data_seconds / statistics.median(t["seconds"] for t in answers[ours])
    others = max(turn["others"] for turns in answers.values() for turn in turns)
    print(f"  tf.data alone takes {1000 * data_seconds / options.updates:.2f} ms an update, {data_share:.1%} of it")
    warning = ": not idle, so measure again" if others > 0.05 else ""
    print(f"  other processes had up to {others:.0%} of the processors{warning}")
    return {
        "objective": options.objective, "precision": options.precision, "rounds": options.rounds,
        "updates": options.updates, "threads": options.threads, "width": options.width,
        "least": min(ratios[theirs[0]]), "most": max(ratios[theirs[0]]),
        "ratio": {name: round(statistics.median(values), 3) for name, values in ratios.items()},
        "images_per_second": {name: round(value) for name, value in rate.items()},
        "last_losses": {name: turns[-1]["losses"] for name, turns in answers.items()},
        "data_share": round(data_share, 4), "others": others,
    }  # fmt: skip


if __name__ == "__main__":
    main()
