"""What a trained discriminator measures: the judge alone, between two distributions that do not move."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from kgan import objectives, penalties
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.serving.export import Signature


@keras.saving.register_keras_serializable(package="kgan")
class DivergenceEstimator(AdversarialModel):
    """A discriminator trained to its best between P and Q, whose objective then is a divergence of the two.

    Minimax measures the Jensen–Shannon divergence (Goodfellow 2014, theorem 1), an f-divergence's objective that
    divergence (Nowozin 2016), Wasserstein with a Lipschitz critic the earth mover's distance (Arjovsky 2017).
    It learns from pairs: float32 [N, 2, D], where [:, 0] is drawn from P and [:, 1] from Q. Called on samples
    [N, D] it gives the raw scores [N, 1].

    Raises:
        UsageError: for an objective that measures no divergence.
    """

    proposers: ClassVar[tuple[str, ...]] = ()
    reported: ClassVar[tuple[str, ...]] = ("divergence", "penalty")

    def __init__(
        self,
        discriminator: keras.Model,
        objective: str | objectives.Objective = "minimax",
        penalty: str | penalties.Penalty | None = None,
        **kwargs,
    ):
        """Judge with this discriminator; `penalty` keeps it smooth, which Wasserstein needs."""
        super().__init__(**kwargs)
        self.discriminator = discriminator
        self.objective = objectives.get(objective)
        self.penalty = penalties.get(penalty)
        if not hasattr(self.objective, "divergence_bound"):
            raise UsageError(
                f"the objective {objective!r} measures no divergence: choose minimax, wasserstein or an f-divergence."
            )
        self.build()

    def call(self, samples, training: bool = False) -> tf.Tensor:
        """Raw scores, in inference mode."""
        return self.discriminator(samples, training=False)

    def propose(self, batch, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """Q's half of the pairs: nobody generates here."""
        return batch[:, 1]

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The objective between P's and Q's samples, plus the penalty."""
        real, fake = batch[:, 0], proposal
        real_scores = self.discriminator(real, training=training)
        fake_scores = self.discriminator(fake, training=training)
        loss = self.objective.discriminator_loss(real_scores, fake_scores)
        penalty = tf.constant(0.0)
        if self.penalty is not None:
            penalty = self.penalty(self.discriminator, real, fake, seed=draw(seed, 0))
        bound = self.objective.divergence_bound(real_scores, fake_scores)
        return loss + penalty, {"divergence": bound, "penalty": penalty}

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {
            **super().get_config(),
            "discriminator": described(self.discriminator),
            "objective": described(self.objective),
            "penalty": described(self.penalty),
        }

    def signatures(self) -> dict[str, Signature]:
        """`estimate` (the divergence between two sets of samples) and `score`."""
        dimensions = self.discriminator.input_shape[-1]

        def estimate(p, q):
            bound = self.objective.divergence_bound(
                self.discriminator(p, training=False), self.discriminator(q, training=False)
            )
            return {"divergence": bound[None]}

        def score(samples):
            return {"scores": self.discriminator(samples, training=False)[:, 0]}

        def specs(*names):
            return {name: tf.TensorSpec([None, dimensions], tf.float32, name=name) for name in names}

        zeros = np.zeros([1, dimensions], np.float32)
        return {
            "estimate": Signature(estimate, specs("p", "q"), {"p": zeros, "q": zeros}),
            "score": Signature(score, specs("samples"), {"samples": zeros}),
        }


def exact_divergence(objective: objectives.Objective, data: str, theta: float) -> float:
    """What the objective's `divergence_bound` would be under the best discriminator there is.

    Args:
        objective: minimax, wasserstein or an f-divergence.
        data: "gaussians", N(0, 1) against N(theta, 1), by quadrature; or "lines", whose supports do not meet.
        theta: the distance between the two.

    Returns:
        nats, or for Wasserstein a distance; infinite for what is not bounded on disjoint supports.
    """
    if isinstance(objective, objectives.Wasserstein):
        return abs(theta)
    if data == "lines" and theta:
        if isinstance(objective, objectives.Minimax):
            return float(np.log(2))
        bounded = {
            objectives.JensenShannon: 2 * np.log(2),
            objectives.SquaredHellinger: 2.0,
            objectives.TotalVariation: 1.0,
        }
        return float(bounded.get(type(objective), np.inf))
    x = np.linspace(min(0, theta) - 12, max(0, theta) + 12, 200_001)
    log_ratio = theta**2 / 2 - theta * x  # log p/q
    q = np.exp(-((x - theta) ** 2) / 2) / np.sqrt(2 * np.pi)
    if isinstance(objective, objectives.Minimax):
        p = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        middle = np.log1p(np.exp(-np.abs(log_ratio)))
        log_p_share = np.minimum(log_ratio, 0) - middle  # log p/(p + q)
        log_q_share = np.minimum(-log_ratio, 0) - middle
        return float(np.trapezoid(p * log_p_share + q * log_q_share, x) / 2 + np.log(2))
    values = q * objective.f(tf.constant(np.exp(np.clip(log_ratio, -700, 700)), tf.float64)).numpy()
    return float(np.trapezoid(values, x))
