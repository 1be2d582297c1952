"""What an ensemble covers that its best member does not, where a single GAN collapses: the grid of 25 modes.

    python -m benchmarks.ensemble [--seeds 0 1 2]

The settings are the defaults of `python -m apps.toy_distributions train`, but for the objective and the penalty.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from apps.toy_distributions import Options, ToyDistributions
from benchmarks.results import Row, arguments, record
from kgan.app import Live
from kgan.datasets.toys import toy_modes
from kgan.metrics.modes import ModeCoverage, mode_coverage
from kgan.modes import draw_member

MEMBERS = 5
SAMPLES = 2_500
COLLAPSING = {"objective": "non-saturating", "penalty": "none", "updates": 1_500}
PICTURES = Path(__file__).with_name("pictures")


@dataclass(frozen=True)
class Run:
    """What one ensemble covers, and each of its members alone."""

    together: ModeCoverage
    members: list[ModeCoverage]

    @property
    def best(self) -> int:
        """Modes of the member that covers most."""
        return max(member.covered for member in self.members)


def train(options: Options) -> Run:
    """Train as the app does, without its pictures and checkpoints, and look at fresh samples."""
    app = ToyDistributions()
    data = app.data(options, "train")
    model = app.build(options, data)
    players = {f"{player}_optimizer": model.optimizer_of(player) for player in model.players}
    model.compile(**players, steps_per_execution=50)
    model.fit(data.batches(options.batch_size, steps=options.updates, seed=options.seed), verbose=0, shuffle=False)
    live, modes = Live(model), toy_modes(options.data)
    if options.seed == 0:
        PICTURES.mkdir(exist_ok=True)
        Image.fromarray(app.picture(live, options, SAMPLES)).save(
            PICTURES / f"ensemble_sharing_{options.ensemble_sharing}.png"
        )
    return Run(
        mode_coverage(live.call("generate", seed=options.seed, count=SAMPLES)["samples"], *modes),
        [
            mode_coverage(draw_member(live, member, options.latent_dim, SAMPLES, options.seed), *modes)
            for member in range(options.ensemble)
        ],
    )


def main() -> None:
    """Train ensembles of both kinds and write the rows."""
    given = arguments(__doc__, seeds=3)
    rows = []
    for sharing in ("none", "discriminator"):
        runs = []
        for seed in given.seeds:
            options = Options(data="grid", seed=seed, ensemble=MEMBERS, ensemble_sharing=sharing, **COLLAPSING)
            runs.append(train(options))
            members = [member.covered for member in runs[-1].members]
            print(f"sharing {sharing}, seed {seed}: {runs[-1].together}, members {members}", flush=True)
        rows.append(compare(sharing, runs))
    used = Options(**COLLAPSING).resolved()
    passed = record(
        "Ensembles and missing modes",
        rows,
        command="python -m benchmarks.ensemble",
        seeds=given.seeds,
        protocol=f"The grid of 25 modes by {MEMBERS} generators: {used.objective} without a penalty, {used.updates:,} "
        f"updates, everything else as apps.toy_distributions has it. {SAMPLES:,} samples of the ensemble, drawn from "
        f"all members alike, and {SAMPLES:,} of each member; a mode counts when it holds a sample within 3σ. To pass, "
        "in every seed the ensemble must cover strictly more modes than its best member. The objective and the number "
        "of updates were chosen on seed 100.",
    )
    raise SystemExit(0 if passed else 1)


def compare(sharing: str, runs: list[Run]) -> Row:
    """The row of one kind of ensemble: its modes beside its members', seed by seed."""
    each = "; ".join(", ".join(str(member.covered) for member in run.members) for run in runs)
    quality = np.mean([run.together.high_quality for run in runs])
    return Row(
        setting={"none": "independent members", "discriminator": "members before one discriminator"}[sharing],
        ours=f"{', '.join(str(run.together.covered) for run in runs)} modes of 25 (high quality {quality:.0%})",
        reference=f"the best member: {', '.join(str(run.best) for run in runs)} (members: {each})",
        passes=all(run.together.covered > run.best for run in runs),
    )


if __name__ == "__main__":
    main()
