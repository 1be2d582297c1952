"""What a discriminator generates alone: modes and purity on the ring, and how its digits are recognised.

    python -m benchmarks.discriminator_alone [--seeds 0 1 2]

The settings are the defaults of `python -m apps.discriminator_generation train`, for digits with `--data digits`;
digits are trained with the first of the seeds only.
"""

import statistics
import time
from pathlib import Path

import numpy as np

from apps.discriminator_generation import DiscriminatorGeneration, Options
from benchmarks.results import Row, arguments, record
from kgan.app import Live, save_picture
from kgan.datasets.toys import toy_modes
from kgan.metrics.distances import frechet_distance
from kgan.metrics.features import feature_network
from kgan.metrics.modes import mode_coverage

PICTURE = Path(__file__).with_name("pictures") / "discriminator_alone.png"
POINTS, IMAGES = 2_500, 1_000
HIGH_QUALITY, CONFIDENCE = 0.8, 0.6
FAR_BELOW = 5  # of a distance: confidence alone would let noise pass


def train(options: Options) -> tuple[Live, float]:
    """Train as the app does, without its pictures and checkpoints; the model, and the processor's seconds."""
    app = DiscriminatorGeneration()
    data = app.data(options, "train")
    began = time.process_time()
    model = app.build(options, data)
    model.compile(
        discriminator_optimizer=model.optimizer_of("discriminator"), steps_per_execution=min(50, options.updates)
    )
    model.fit(data.batches(options.batch_size, steps=options.updates, seed=options.seed), verbose=0, shuffle=False)
    return Live(model), time.process_time() - began


def ring(seeds: list[int]) -> Row:
    """Modes found and share of high quality, for each seed."""
    found, spread, seconds = [], [], []
    for seed in seeds:
        model, took = train(Options(seed=seed))
        samples = model.call("generate", seed=seed, count=POINTS)["samples"]
        found.append(mode_coverage(samples, *toy_modes("ring")))
        spread.append(spread_in_modes(samples))
        seconds.append(took)
        print(f"ring seed {seed}: {found[-1]}, {took:.0f} s", flush=True)
    quality = [coverage.high_quality for coverage in found]
    return Row(
        setting="ring: modes, high quality",
        ours=f"{', '.join(str(coverage.covered) for coverage in found)} modes of 8, {statistics.fmean(quality):.1%} "
        f"({', '.join(f'{share:.1%}' for share in quality)}); spread within the modes "
        f"{statistics.fmean(spread):.2f}σ; processor {max(seconds):.0f} s at most",
        reference=f"all 8 modes and {HIGH_QUALITY:.0%}, every seed",
        passes=all(c.covered == 8 and c.high_quality >= HIGH_QUALITY for c in found),
    )


def spread_in_modes(samples: np.ndarray) -> float:
    """The standard deviation of the high-quality samples around their modes, in sigmas; of the data's own .97."""
    centres, sigma = toy_modes("ring")
    distances = np.linalg.norm(samples[:, None] - centres, axis=-1).min(axis=1)
    return float(np.sqrt((distances[distances <= 3 * sigma] ** 2).mean() / 2) / sigma)


def digits(seed: int) -> Row:
    """How sure the digit classifier is of what is drawn, beside noise and held-out digits."""
    app, options = DiscriminatorGeneration(), Options(data="digits", seed=seed)
    model, took = train(options)
    save_picture(app.picture(model, options), PICTURE)
    parts = [model.call("generate", seed=seed + k, count=100)["images"] for k in range(IMAGES // 100)]
    images, real = np.concatenate(parts), app.data(options, "test").examples
    noise = np.random.default_rng(0).integers(0, 256, images.shape).astype(np.uint8)
    network = feature_network("digits")
    sure = {name: network.predict(x).max(axis=1).mean() for name, x in (("", images), ("real", real), ("noise", noise))}
    distance, chance = (frechet_distance(network(real), network(x)) for x in (images, noise))
    classes = np.bincount(network.predict(images).argmax(axis=1), minlength=10)
    return Row(
        setting="digits: mean confidence of the classifier",
        ours=f"{sure['']:.1%}; classes 0 to 9: {', '.join(map(str, classes))} of {IMAGES:,}; Fréchet "
        f"distance {distance:.1f}; processor {took:.0f} s",
        reference=f"{CONFIDENCE:.0%} (held-out digits {sure['real']:.1%}); all ten classes, and a Fréchet distance far "
        f"below that of uniform noise ({chance:.1f}), of which the classifier is {sure['noise']:.1%} sure",
        passes=bool(sure[""] >= CONFIDENCE and classes.all() and distance < chance / FAR_BELOW),
    )


def main() -> None:
    """Train on both and write the rows."""
    given = arguments(__doc__, seeds=3)
    rows = [ring(given.seeds), digits(given.seeds[0])]
    settings = []
    for data in ("ring", "digits"):
        used = Options(data=data).resolved()
        settings.append(
            f"{data}: {used.network} of width {used.width}, {used.activation}, {used.updates:,} updates of "
            f"{used.batch_size} samples, {used.steps} steps uphill of at most {used.step_size:g} with noise "
            f"{used.noise:g}, buffer of {used.buffer_size:,}, Adam with rate {used.learning_rate:g} along a cosine, "
            f"samples after {used.draw_steps} annealed steps from noise"
        )
    passed = record(
        "A discriminator that generates alone",
        rows,
        command="python -m benchmarks.discriminator_alone",
        seeds=given.seeds,
        protocol=f"The defaults of apps.discriminator_generation; {'; '.join(settings)}. {POINTS:,} points, of high "
        f"quality within 3σ of a mode; {IMAGES:,} digits, seed {given.seeds[0]} only, by the largest probability that "
        "the digit classifier gives.",
    )
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
