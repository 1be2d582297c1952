"""A discriminator that generates alone: what it draws is what it scores highest, found by climbing its score."""

import dataclasses
from functools import partial
from typing import ClassVar

import keras
import tensorflow as tf

from kgan import objectives, penalties
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.models.gan import mean_score, samples_of, score_signature, served
from kgan.networks.blocks import has_batch_normalisation
from kgan.serving.export import Signature, generate_signature


@dataclasses.dataclass(frozen=True)
class Ascent:
    """x~ = arg max D(x), approached by noisy steps uphill (Langevin dynamics; Welling & Teh 2011).

    x <- x + h step_size g + h noise z, with z ~ N(0, I), g the gradient of the score, shortened to a norm of at most
    `clip`, and x kept within [-1, 1]. A start that is annealed begins with h = `heat`, which falls geometrically to 1;
    others have h = 1 throughout. Without noise it is gradient ascent; with it, points end up as though drawn from
    exp(2 step_size / noise^2 D(x)), where the gradient is not clipped.

    Raises:
        UsageError: for lengths that are not positive, or a negative noise.
    """

    steps: int = 40
    step_size: float = 0.01
    noise: float = 0.005
    heat: float = 10.0
    clip: float = 1.0

    def __post_init__(self):
        for name, least in {"steps": 1, "heat": 1.0, "noise": 0.0}.items():
            if not getattr(self, name) >= least:
                raise UsageError(f"{name} is {getattr(self, name)}, but an ascent needs at least {least:g}.")
        for name in ("step_size", "clip"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}, but it is a length: give more than 0.")

    def __call__(self, score, starts: tf.Tensor, annealed: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Where the climb ends.

        Args:
            score: samples [N, ...] -> raw scores [N, ...], each of its own sample.
            starts: float32 [N, ...] in [-1, 1].
            annealed: bool [N], which starts are.
            seed: int64 [2].
        """
        axes = list(range(1, starts.shape.rank))
        hot = tf.reshape(tf.cast(annealed, tf.float32), [-1, *[1] * len(axes)])

        def climb(k, x):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                total = tf.reduce_sum(score(x))
            uphill = tf.clip_by_norm(tape.gradient(total, x), self.clip, axes)
            left = 1 - tf.cast(k, tf.float32) / max(1, self.steps - 1)
            heat = tf.pow(self.heat, hot * left)
            kick = tf.random.stateless_normal(tf.shape(x), tf.random.fold_in(seed, k))
            x += heat * (self.step_size * uphill + self.noise * kick)
            return k + 1, tf.clip_by_value(x, -1.0, 1.0)

        start = (tf.constant(0), starts)
        return tf.while_loop(lambda k, x: k < self.steps, climb, start, maximum_iterations=self.steps)[1]


@keras.saving.register_keras_serializable(package="kgan")
class DiscriminatorAlone(AdversarialModel):
    """A discriminator that learns from data and from what it itself takes for data, again and again.

    The lecture's general algorithm: positives are data, negatives x~ = arg max D(x), and D is raised on the one and
    lowered on the other. Most negatives go on climbing from where an earlier update left them, in a replay buffer (Du
    & Mordatch 2019, "Implicit generation and modeling with energy-based models"; persistent contrastive divergence,
    Tieleman 2008); the rest, and all in `generate`, start from uniform noise and are annealed. With the Wasserstein
    objective, the default, -D is the energy of a Boltzmann distribution and its loss the contrastive divergence.

    It learns from float32 [N, ...] within [-reach, reach] (images: reach 1), and called on such samples gives their
    raw scores [N, 1]; labels beside them are ignored.

    Raises:
        UsageError: for options out of range, or a discriminator with batch normalisation, which has no score of a
            sample alone.
    """

    proposers: ClassVar[tuple[str, ...]] = ()
    reported: ClassVar[tuple[str, ...]] = ("penalty", "real_score", "fake_score")

    def __init__(
        self,
        discriminator: keras.Model,
        objective: str | objectives.Objective = "wasserstein",
        penalty: str | penalties.Penalty | None = None,
        ascent: Ascent | None = None,
        *,
        drawing: Ascent | None = None,
        score_decay: float = 0.1,
        restart: float = 0.05,
        buffer_size: int = 10_000,
        reach: float = 1.0,
        **kwargs,
    ):
        """Let this discriminator generate.

        Args:
            discriminator: samples [N, ...] -> raw scores [N, 1].
            objective: by which positives are told from negatives, by name or as an `Objective`.
            penalty: what keeps the score smooth, by name or as a penalty; None for nothing.
            ascent: how negatives are found; its lengths are in units of `reach`.
            drawing: how `generate` finds samples; left out, as `ascent` does.
            score_decay: weight of the mean squared score, which keeps the scores' common level from drifting.
            restart: share of the negatives that start afresh from noise, in [0, 1]; 1 uses no buffer.
            buffer_size: how many negatives are kept.
            reach: half the side of the box in which all samples lie.
            kwargs: `critic_steps`, `average_decay` (of the discriminator, used for generating), `seed`.
        """
        super().__init__(**kwargs)
        if has_batch_normalisation(discriminator):
            raise UsageError(
                "the discriminator has batch normalisation, which mixes up the samples that climb its score: build it "
                "with 'layer' normalisation or 'none'."
            )
        if not 0 <= restart <= 1:
            raise UsageError(f"restart is {restart}, but it is a share of the negatives: give 0 to 1, such as 0.05.")
        if buffer_size < 1 or not reach > 0:
            raise UsageError(f"buffer_size is {buffer_size} and reach {reach}, but both must be positive.")
        if not score_decay >= 0:
            raise UsageError(f"score_decay is {score_decay}, but it is a weight: give 0 or more, such as 0.1.")
        self.discriminator = discriminator
        self.objective = objectives.get(objective)
        self.penalty = penalties.get(penalty)
        self.ascent = ascent or Ascent()
        self.drawing = drawing or self.ascent
        self.score_decay = score_decay
        self.restart = restart
        self.buffer_size = buffer_size
        self.reach = reach
        # Only the first replica's climbs are kept: the others' negatives start from the same buffer at other places.
        self.buffer = self.add_weight(
            shape=(buffer_size, *discriminator.input_shape[1:]), dtype="float32", trainable=False, name="buffer",
            initializer=keras.initializers.RandomUniform(-1, 1, seed=self.seed), aggregation="only_first_replica",
        )  # fmt: skip
        self.build()

    def averaged_parts(self) -> list[str]:
        """Its one network, though that is a judge."""
        return ["discriminator"] if self.average_decay else []

    def state(self, optimizers: bool = True) -> dict[str, keras.Variable]:
        """As of every game, and the replay buffer, float32 [buffer_size, ...] in units of `reach`."""
        return {**super().state(optimizers), "buffer": self.buffer}

    def call(self, samples, training: bool = False) -> tf.Tensor:
        """Raw scores, in inference mode."""
        return self.inference("discriminator")(samples, training=False)

    # The game.

    def propose(self, batch, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """As many negatives as there are positives; in training the buffer keeps where they came to."""
        real = samples_of(batch)
        if real.shape[0] is not None and real.shape[0] > self.buffer_size:
            raise UsageError(
                f"a batch of {real.shape[0]} finds no room in a replay buffer of {self.buffer_size}: give a larger "
                "buffer_size."
            )
        count = tf.shape(real)[0]
        slots = tf.random.experimental.stateless_shuffle(tf.range(self.buffer_size), draw(seed, 0))[:count]
        restarts = tf.random.stateless_uniform([count], draw(seed, 1)) < self.restart
        kept = tf.gather(self.buffer.value, slots)
        starts = tf.where(_beside(restarts, kept), self._noise(count, draw(seed, 2)), kept)
        ends = self.ascent(self._scores(self.discriminator), starts, restarts, draw(seed, 3))
        if training:
            self.buffer.assign(tf.tensor_scatter_nd_update(self.buffer.value, slots[:, None], ends))
        return ends * self.reach

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The objective between positives and negatives, plus the penalty and the decay of the scores."""
        real, fake = samples_of(batch), proposal
        real_scores = self.discriminator(real, training=training)
        fake_scores = self.discriminator(fake, training=training)
        loss = self.objective.discriminator_loss(real_scores, fake_scores, self.objective.margins(real, fake))
        loss += self.score_decay * (tf.reduce_mean(real_scores**2) + tf.reduce_mean(fake_scores**2))
        penalty = tf.constant(0.0)
        if self.penalty is not None:
            penalty = self.penalty(self.discriminator, real, fake, seed=draw(seed, 4))
        reported = {"real_score": tf.reduce_mean(real_scores), "fake_score": tf.reduce_mean(fake_scores)}
        return loss + penalty, {"penalty": penalty, **reported}

    def generate(self, seed: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Samples [count, ...] that the discriminator alone draws, from noise."""
        seed = tf.stack([seed, tf.zeros_like(seed)])
        starts = self._noise(count, draw(seed, 0))
        scores = self._scores(self.inference("discriminator"))
        return self.reach * self.drawing(scores, starts, tf.fill([count], True), draw(seed, 1))

    def _noise(self, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([count, *self.buffer.shape[1:]], seed, -1.0, 1.0)

    def _scores(self, discriminator: keras.Model):
        return lambda x: discriminator(x * self.reach, training=False)

    # Saving and serving.

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {
            **super().get_config(),
            "discriminator": described(self.discriminator),
            "objective": described(self.objective),
            "penalty": described(self.penalty),
            "ascent": described(self.ascent),
            "drawing": described(self.drawing),
            "score_decay": self.score_decay,
            "restart": self.restart,
            "buffer_size": self.buffer_size,
            "reach": self.reach,
        }

    def signatures(self) -> dict[str, Signature]:
        """`generate` (seed, count -> samples), the climb from noise in the graph, and `score`; kinds as in `GAN`."""
        discriminator = self.inference("discriminator")
        shape = discriminator.input_shape[1:]
        kind, _, out, _ = served(shape)
        return {
            "generate": generate_signature(lambda seed, count: {kind: out(self.generate(seed, count))}),
            "score": score_signature(partial(mean_score, discriminator), shape),
        }


def _beside(flags: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
    """Flags [N] in the rank of the samples [N, ...]."""
    return tf.reshape(flags, [-1, *[1] * (samples.shape.rank - 1)])
