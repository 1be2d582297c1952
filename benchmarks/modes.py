"""E3: how many modes of a mixture WGAN-GP finds, and how pure they are, beside VEEGAN's table (Srivastava 2017).

    python -m benchmarks.modes [--seeds 0 1 2 3 4]

The settings are the defaults of `python -m apps.toy_distributions train`.
"""

import statistics
import time
from dataclasses import dataclass

import tensorflow as tf

from apps.toy_distributions import Options, ToyDistributions
from benchmarks.results import Row, arguments, record
from kgan.datasets.toys import toy_modes
from kgan.metrics.modes import ModeCoverage, mode_coverage

SAMPLES = 2_500
SECONDS = 180
BAR = {"ring": 0.95, "grid": 0.85}
# Modes found and share of high quality, as VEEGAN's table 1 has them.
PEERS = {
    "ring": "GAN 1, 99.3 %; ALI 2.8, .13 %; unrolled 7.6, 35.6 %; VEEGAN 8, 52.9 %",
    "grid": "GAN 3.3, .5 %; ALI 15.8, 1.6 %; unrolled 23.6, 16 %; VEEGAN 24.6, 40 %",
}


@dataclass(frozen=True)
class Run:
    """What one training found, and what it took."""

    coverage: ModeCoverage
    wall_seconds: float
    cpu_seconds: float

    def passes(self, data: str) -> bool:
        """Every mode, pure enough, in time; what counts is the processor's time, which others' work does not change."""
        found = self.coverage
        return found.covered == found.modes and found.high_quality >= BAR[data] and self.cpu_seconds < SECONDS


def train(options: Options) -> Run:
    """Train as the app does, without its pictures and checkpoints, and look at fresh samples."""
    app = ToyDistributions()
    data = app.data(options, "train")
    wall, cpu = time.perf_counter(), time.process_time()
    model = app.build(options, data)
    players = {f"{player}_optimizer": model.optimizer_of(player) for player in model.players}
    model.compile(**players, steps_per_execution=min(50, options.updates))
    batch = options.batch_size * model.critic_steps
    model.fit(data.batches(batch, steps=options.updates, seed=options.seed), verbose=0, shuffle=False)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    generate = model.signatures()["generate"].function
    samples = generate(seed=tf.constant(options.seed, tf.int64), count=SAMPLES)["samples"].numpy()
    return Run(mode_coverage(samples, *toy_modes(options.data)), wall, cpu)


def main() -> None:
    """Train on each mixture and write the rows."""
    given = arguments(__doc__, seeds=5)
    rows = []
    for data in BAR:
        runs = []
        for seed in given.seeds:
            runs.append(train(Options(data=data, seed=seed)))
            print(f"{data} seed {seed}: {runs[-1]}", flush=True)
        rows.append(compare(data, runs))
        print(rows[-1], flush=True)
    used = Options().resolved()
    passed = record(
        "E3 mode coverage",
        rows,
        command="python -m benchmarks.modes",
        seeds=given.seeds,
        protocol=f"{used.objective}, gradient penalty of weight {used.penalty_weight:g}, {used.updates:,} updates with "
        f"{used.critic_steps} critic step(s), batch {used.batch_size}, both players {used.depth} layers of "
        f"{used.width}, Adam({used.beta_1:g}, {used.beta_2:g}) with rates {used.generator_learning_rate:g} and "
        f"{used.discriminator_learning_rate:g}, decay: {used.learning_rate_decay}; the defaults of "
        f"apps.toy_distributions. {SAMPLES:,} samples of the generator's moving average ({used.average_decay:g}); high "
        "quality is within 3σ of a mean, and a mode counts when it holds such a sample. To pass, every seed must find "
        f"every mode, reach the share and take under {SECONDS} s of processor time.",
    )
    raise SystemExit(0 if passed else 1)


def compare(data: str, runs: list[Run]) -> Row:
    """The row of one mixture: modes, quality and time of all seeds."""
    quality = [run.coverage.high_quality for run in runs]
    modes = sorted({run.coverage.covered for run in runs})
    return Row(
        setting=f"{data}: modes, high quality",
        ours=f"{' to '.join(map(str, modes))} modes of {runs[0].coverage.modes}, {statistics.fmean(quality):.1%} "
        f"({', '.join(f'{share:.1%}' for share in quality)}); processor "
        f"{max(run.cpu_seconds for run in runs):.0f} s at most, wall {max(run.wall_seconds for run in runs):.0f} s",
        reference=f"all modes, {BAR[data]:.0%}, {SECONDS} s (VEEGAN's table: {PEERS[data]})",
        passes=all(run.passes(data) for run in runs),
    )


if __name__ == "__main__":
    main()
