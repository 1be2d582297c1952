"""What 8,000 digits teach a VAE: the bound on the likelihood of 1,000 others, convolutional beside dense.

    python -m benchmarks.vae [--seeds 0 1 2]

The settings are the defaults of `python -m apps.autoencoding train` in bfloat16, measured in float32; the dense one
differs in the networks only, and is given as many updates. What is trained is kept in runs/vae, and not trained again.
"""

import dataclasses
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from apps.autoencoding import Autoencoding, Options
from benchmarks.results import Row, arguments, record
from kgan.errors import UsageError
from kgan.metrics.protocol import Figure
from kgan.serving import exported
from kgan.serving.export import export
from kgan.training import checkpoints, devices

BAR, SECONDS = -99.0, 600
NETWORKS = ("dcgan", "mlp")
FOLDER = Path("runs/vae")


@dataclass(frozen=True)
class Run:
    """What one training came to, and what it took."""

    figures: dict[str, Figure]
    wall_seconds: float
    cpu_seconds: float

    @property
    def bound(self) -> float:
        """The variational bound on held-out digits, nats."""
        return self.figures["test bound"].value


def train(options: Options, directory: Path) -> None:
    """Train as the app does, without its pictures and checkpoints, and export."""
    app = Autoencoding()
    data = app.data(options, "train")
    devices.set_up(options.devices, options.seed)
    wall, cpu = time.perf_counter(), time.process_time()
    model = app.build(options, data)
    model.compile(autoencoder_optimizer=model.optimizer_of("autoencoder"), steps_per_execution=min(50, options.updates))
    batches = data.batches(options.batch_size, steps=options.updates, seed=options.seed)
    model.fit(batches, verbose=0, shuffle=False)
    card = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    devices.set_up(dataclasses.replace(options.devices, precision="float32"), options.seed)
    served = app.build(options, data)
    trained = {name: variable.numpy() for name, variable in model.state(optimizers=False).items()}
    checkpoints.restore(served.state(optimizers=False), trained, directory)
    card |= {"app": app.name, "options": dataclasses.asdict(options), "updates": options.updates}
    export(served, directory, card=card)


def measured(options: Options, samples: int = 10_000) -> Run:
    """Train unless that was done before, and measure as the app's `evaluate` does."""
    app, directory = Autoencoding(), FOLDER / f"{options.network}-{options.seed}"
    try:
        exported.find(directory)
    except UsageError:
        train(options, directory)
    model = exported.load(directory)
    found = app.figures(model, options, app.data(options, "test"), samples, options.seed)
    return Run({figure.name: figure for figure in found}, model.card["wall_seconds"], model.card["cpu_seconds"])


def main() -> None:
    """Train both and write the rows."""
    given = arguments(__doc__, seeds=1)
    runs = {}
    for network in NETWORKS:
        for seed in given.seeds:
            of = devices.Devices(threads=given.threads, precision="mixed_bfloat16")
            run = runs[network, seed] = measured(Options(network=network, seed=seed, devices=of))
            print(f"{network} seed {seed}: wall {run.wall_seconds:.0f} s, processor {run.cpu_seconds:.0f} s")
            print(*run.figures.values(), sep="\n", flush=True)
    convolutional, dense = ([runs[network, seed] for seed in given.seeds] for network in NETWORKS)
    used, bound = Options(), convolutional[0].figures["test bound"]
    passed = record(
        "VAE",
        [
            _row(
                "convolutional: test bound, nats", convolutional, "test bound", f"above {BAR:g}, {SECONDS} s",
                all(run.bound > BAR and run.cpu_seconds < SECONDS for run in convolutional),
            ),
            _row(
                "dense: test bound, nats", dense, "test bound", "below the convolutional one's",
                all(one.bound > other.bound for one, other in zip(convolutional, dense, strict=True)),
            ),
            *(
                _row(f"convolutional: {name}", convolutional, name, "at least the test bound", True)
                for name in bound_names(convolutional[0])
            ),
        ],
        command="python -m benchmarks.vae",
        seeds=given.seeds,
        protocol=f"{bound.protocol}. 8,000 training digits; {used.latent_dim} latents, {used.updates:,} updates of "
        f"{used.batch_size}, AdamW with rate {used.learning_rate:g} falling along a cosine and weight decay "
        f"{used.weight_decay:g}, moving average {used.average_decay:g}, dropout {used.dropout:g}; training digits are "
        f"turned, stretched and shifted at random (jitter {used.jitter:g}, falling to 0). The defaults of "
        "apps.autoencoding; dense is --network mlp, as many updates. Trained in bfloat16 on one thread, measured in "
        "float32; to pass, training must stay within so much processor time.",
    )  # fmt: skip
    raise SystemExit(0 if passed else 1)


def bound_names(run: Run) -> list[str]:
    """The importance-weighted bounds among the figures."""
    return [name for name in run.figures if name.startswith("importance-weighted")]


def _row(setting: str, runs: list[Run], name: str, reference: str, passes: bool) -> Row:
    values = [run.figures[name].value for run in runs]
    each = f" ({', '.join(f'{value:.2f}' for value in values)})" if len(values) > 1 else ""
    error = max(run.figures[name].standard_error for run in runs)
    passes = passes and all(run.figures[name].value >= run.bound for run in runs)
    return Row(
        setting=setting,
        ours=f"{statistics.fmean(values):.2f}{each}, standard error over the digits {error:.2f}; processor "
        f"{max(run.cpu_seconds for run in runs):.0f} s at most, wall {max(run.wall_seconds for run in runs):.0f} s",
        reference=reference,
        passes=passes,
    )


if __name__ == "__main__":
    main()
