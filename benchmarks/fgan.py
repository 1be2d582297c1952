"""E2: f-GAN fits a Gaussian to a mixture, beside the best fit there is and the paper's own (Nowozin 2016).

    python -m benchmarks.fgan [--seeds 0 1 2 3 4]

The generator is x = mu + sigma z, so each divergence has one best (mu, sigma), known to four digits, and a smallest
value F. What is reported is the generator's moving average, and F with the trained discriminator by quadrature: no
sampling is left in either.
"""

import statistics
from dataclasses import astuple, dataclass

import keras
import numpy as np
import tensorflow as tf

from benchmarks.results import Row, arguments, record
from kgan.datasets.data import Data
from kgan.models.gan import GAN

UPDATES = 20_000
BATCH = 1_024
# The generator's gradient is faint, and noisy because of the narrow peak, where p/q is 4: at a rate of 1e-3 it does not
# arrive, and only an average over thousands of updates is as exact as the bar asks.
RATES = {"generator": 1e-2, "discriminator": 1e-2}
AVERAGE_DECAY = 0.9998


@dataclass(frozen=True)
class Fit:
    """A value of the objective and the Gaussian that has it."""

    divergence: float
    mean: float
    deviation: float

    def errors(self, other: "Fit") -> tuple[float, float, float]:
        """How far each of the three numbers is from the other's."""
        return (
            abs(self.divergence - other.divergence), abs(self.mean - other.mean), abs(self.deviation - other.deviation)
        )  # fmt: skip


# The best fit and the paper's own; its Jensen-Shannon is twice the usual, as our objective is.
REFERENCE = {
    "kl": (Fit(0.2831, 1.0100, 1.8308), Fit(0.2801, 1.0335, 1.8236)),
    "reverse-kl": (Fit(0.2480, 1.5782, 1.6319), Fit(0.2415, 1.5624, 1.6403)),
    "jensen-shannon": (Fit(0.1280, 1.3070, 1.7542), Fit(0.1226, 1.2854, 1.7659)),
    "jeffreys": (Fit(0.5705, 1.3218, 1.7034), Fit(0.5151, 1.2295, 1.8087)),
    "pearson": (Fit(0.6457, 0.5737, 1.9274), Fit(0.6379, 0.6157, 1.9031)),
}


def main() -> None:
    """Fit the mixture by each divergence and write the rows."""
    given = arguments(__doc__, seeds=5)
    rows = []
    for divergence in REFERENCE:
        found = []
        for seed in given.seeds:
            found.append(fit(divergence, seed))
            print(f"{divergence} seed {seed}: {text(found[-1])}", flush=True)
        rows.append(compare(divergence, found))
        print(rows[-1], flush=True)
    passed = record(
        "E2 f-GAN",
        rows,
        command="python -m benchmarks.fgan",
        seeds=given.seeds,
        protocol="Target .33 N(−1, .255²) + .67 N(2, 1.415²), generator x = μ + σz from (0, 1), T a 64-64 tanh MLP "
        f"(the first biases spread over ±5), the saddle objective (no trick), batch {BATCH:,}, {UPDATES:,} updates, "
        f"Adam with rates {RATES['generator']} and {RATES['discriminator']} falling along a cosine. F, μ, σ of the "
        f"generator's moving average ({AVERAGE_DECAY}); F is E_P[T] − E_Q[f*(T)] with the trained T by quadrature. "
        "Errors are against the best fit there is; to pass, none on any seed may exceed that of the paper's own fit.",
    )
    raise SystemExit(0 if passed else 1)


def compare(divergence: str, found: list[Fit]) -> Row:
    """The row of one divergence: every seed's errors beside the paper's."""
    best, paper = REFERENCE[divergence]
    allowed = paper.errors(best)
    errors = [fitted.errors(best) for fitted in found]
    mean = Fit(*(statistics.fmean(values) for values in zip(*map(astuple, found), strict=True)))
    worst = ", ".join(f"{max(values):.4f}" for values in zip(*errors, strict=True))
    each = "; ".join(text(fitted) for fitted in found)
    return Row(
        setting=f"{divergence}: F, μ, σ",
        ours=f"mean {text(mean)}; largest errors {worst} (each seed: {each})",
        reference=f"best {text(best)}; paper {text(paper)}, its errors {', '.join(f'{one:.4f}' for one in allowed)}",
        passes=all(ours <= theirs for one in errors for ours, theirs in zip(one, allowed, strict=True)),
    )


def text(fitted: Fit) -> str:
    """F, mu and sigma in one line."""
    return " ".join(f"{number:.4f}" for number in astuple(fitted))


def target(number: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Sample .33 N(-1, .255^2) + .67 N(2, 1.415^2): (points [number, 1], component [number])."""
    a, b = tf.unstack(tf.random.split(seed, 2))
    wide = tf.random.stateless_uniform([number, 1], a) < 0.67
    points = tf.random.stateless_normal([number, 1], b) * tf.where(wide, 1.415, 0.255) + tf.where(wide, 2.0, -1.0)
    return points, tf.cast(wide[:, 0], tf.int64)


def fit(divergence: str, seed: int, updates: int = UPDATES) -> Fit:
    """Train the game and read off F, mu and sigma."""
    codes = keras.Input((1,))
    generator = keras.Model(codes, keras.layers.Dense(1, kernel_initializer="ones")(codes))  # kernel sigma, bias mu
    model = GAN(generator, judge(seed), divergence, average_decay=AVERAGE_DECAY, seed=seed)
    schedule = keras.optimizers.schedules.CosineDecay
    model.compile(
        generator_optimizer=keras.optimizers.Adam(schedule(RATES["generator"], updates), beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(schedule(RATES["discriminator"], updates)),
        steps_per_execution=min(50, updates),
    )
    data = Data("mixture", "train", np.zeros([1, 1], np.float32), sampler=target)
    model.fit(data.batches(BATCH, steps=updates, seed=seed), verbose=0, shuffle=False)
    kernel, bias = (weights.item() for weights in model.inference("generator").get_weights())
    return Fit(value(model, bias, abs(kernel)), bias, abs(kernel))


def judge(seed: int) -> keras.Model:
    """T: a 64-64 tanh network whose first units bend all over the line.

    With biases of zero all would bend at 0; T then stays flat beyond x = 5 however long it trains, and sigma .015 off.
    """
    normal, even = keras.initializers.GlorotNormal, keras.initializers.RandomUniform
    points = keras.Input((1,))
    x = keras.layers.Dense(
        64,
        activation="tanh",
        kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=seed),
        bias_initializer=even(-5.0, 5.0, seed=seed + 1),
    )(points)
    x = keras.layers.Dense(64, activation="tanh", kernel_initializer=normal(seed + 2))(x)
    return keras.Model(points, keras.layers.Dense(1, kernel_initializer=normal(seed + 3))(x))


def value(model: GAN, mean: float, deviation: float) -> float:
    """E_P[T] - E_Q[f*(T)] with Q = N(mean, deviation^2), by the trapezoidal rule on [-15, 17] in steps of .001."""
    x = np.linspace(-15, 17, 32_001)
    scores = tf.cast(model.discriminator(x[:, None].astype(np.float32)), tf.float32)[:, 0]
    real, fake = model.objective.real_loss(scores).numpy(), model.objective.fake_loss(scores).numpy()
    p = 0.33 * _normal(x, -1, 0.255) + 0.67 * _normal(x, 2, 1.415)
    return float(-np.trapezoid(p * real + _normal(x, mean, deviation) * fake, x))


def _normal(x: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    return np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))


if __name__ == "__main__":
    main()
