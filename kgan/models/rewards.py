"""A reward that a discriminator gives: how much what an actor does looks like what was demonstrated."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from kgan import objectives, penalties
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.serving.export import Signature


@keras.saving.register_keras_serializable(package="kgan")
class RewardModel(AdversarialModel):
    """The discriminator of generative adversarial imitation learning, whose generator is an actor.

    Ho & Ermon 2016: D tells demonstrated from generated transitions, and the actor maximises the objective's reward of
    its own. Any objective and penalty of the image GANs will do: minimax is the paper's, least squares and Wasserstein
    with a gradient penalty are those of Mao 2017 and Gulrajani 2017.

    It learns from pairs, float32 [N, 2, D]: at [:, 0] demonstrated transitions, at [:, 1] the actor's. Called on
    transitions [N, D] it gives their rewards [N].

    Args:
        discriminator: standardised transitions [N, D] -> raw scores [N, 1].
        objective, penalty: by name or as the objects.
        mean, deviation: D numbers each, by which transitions are standardised; left out, they are taken as they are.
        kwargs: of `AdversarialModel`.
    """

    proposers: ClassVar[tuple[str, ...]] = ()
    reported: ClassVar[tuple[str, ...]] = ("discriminator_accuracy", "penalty")

    def __init__(
        self,
        discriminator: keras.Model,
        objective: str | objectives.Objective = "minimax",
        penalty: str | penalties.Penalty | None = None,
        *,
        mean: Sequence[float] | None = None,
        deviation: Sequence[float] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.discriminator = discriminator
        (size,) = discriminator.input_shape[1:]
        self.mean, self.deviation = tuple(mean or [0.0] * size), tuple(deviation or [1.0] * size)
        self.objective = objectives.get(objective)
        self.penalty = penalties.get(penalty)
        self.build()

    def call(self, transitions, training: bool = False) -> tf.Tensor:
        """Rewards [N], always in inference mode."""
        return self.objective.reward(self.scores(self.standardised(transitions), training=False))

    def scores(self, transitions: tf.Tensor, training: bool) -> tf.Tensor:
        """Standardised transitions [N, D] -> raw scores [N, 1]."""
        return self.critic(transitions, training=training)

    def critic(self, transitions: tf.Tensor, training: bool) -> tf.Tensor:
        """The part of the scores that the penalty keeps smooth: all of them."""
        return self.discriminator(transitions, training=training)

    def propose(self, batch, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """The actor's half of the pairs: it has acted already."""
        return batch[:, 1]

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The objective between demonstrated and generated transitions, plus the penalty; and how many it tells apart.

        Where scores have no zero that means "either", as a critic's have not, a transition counts as told apart when
        its score is on the right side of the middle between the two means.
        """
        sides = [self.standardised(transitions) for transitions in (batch[:, 0], proposal)]
        real, fake = (self.scores(side, training) for side in sides)
        loss, penalty = self.objective.discriminator_loss(real, fake), tf.constant(0.0)
        if self.penalty is not None:
            penalty = self.penalty(partial(self.critic, training=training), *sides, seed=draw(seed, 0))
        middle = (tf.reduce_mean(real) + tf.reduce_mean(fake)) / 2
        right = [tf.reduce_mean(tf.cast(side, tf.float32)) for side in (real > middle, fake <= middle)]
        return loss + penalty, {"discriminator_accuracy": sum(right) / 2, "penalty": penalty}

    def standardised(self, transitions: tf.Tensor) -> tf.Tensor:
        """Transitions [N, D] as the networks see them."""
        # Not a layer of the discriminator, so that a penalty means the same slope in every direction.
        return (transitions - tf.constant(self.mean)) / tf.constant(self.deviation)

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        parts = {name: described(getattr(self, name)) for name in ("discriminator", "objective", "penalty")}
        return {**super().get_config(), **parts, "mean": list(self.mean), "deviation": list(self.deviation)}

    def signatures(self) -> dict[str, Signature]:
        """`reward`: transitions float32 [N, D] -> rewards [N]."""
        (size,) = self.discriminator.input_shape[1:]
        inputs = {"transitions": tf.TensorSpec([None, size], tf.float32, name="transitions")}
        example = {"transitions": np.zeros([1, size], np.float32)}
        return {"reward": Signature(lambda transitions: {"rewards": self(transitions)}, inputs, example)}


@keras.saving.register_keras_serializable(package="kgan")
class ShapedRewardModel(RewardModel):
    """The discriminator of adversarial inverse reinforcement learning, in which a reward stands apart (Fu et al. 2018).

    D = exp f / (exp f + pi(a|s)), with f(s, a, s') = g(s, a) + gamma h(s') - h(s), plays minimax: its raw score is
    f - log pi(a|s), which is also what the actor earns, log D - log(1 - D). At the optimum f is the advantage, of which
    the shaping by h takes what depends on the dynamics; g is left as the reward. Over an episode the shaping adds up to
    gamma^T h(s_T) - h(s_0), so that it never changes which policy is best.

    Its rows [N, D + S + 2] are a transition, the state that it led to, and log pi(a|s) of the policy that acts, whoever
    chose the action. Called on them it gives what the actor earns [N].

    Args:
        discriminator: f, as `kgan.networks.shaped` builds it, of standardised transitions and what they led to.
        penalty: on the slope of f.
        mean, deviation: of a transition and of the state that it led to, D + S + 1 numbers each.
        kwargs: of `AdversarialModel`.
    """

    def __init__(self, discriminator: keras.Model, penalty: str | penalties.Penalty | None = None, **kwargs):
        super().__init__(discriminator, "minimax", penalty, **kwargs)

    def call(self, rows, training: bool = False) -> tf.Tensor:
        """What the actor earns [N], always in inference mode."""
        return self.scores(self.standardised(rows), training=False)[:, 0]

    def scores(self, rows: tf.Tensor, training: bool) -> tf.Tensor:
        """Standardised rows -> f - log pi, [N, 1]."""
        return self.critic(rows, training) - rows[:, -1:]

    def critic(self, rows: tf.Tensor, training: bool) -> tf.Tensor:
        """Standardised rows -> f, [N, 1]."""
        return self.discriminator(rows[:, :-1], training=training)

    def standardised(self, rows: tf.Tensor) -> tf.Tensor:
        """All but log pi, which stays as it is."""
        return tf.concat([super().standardised(rows[:, :-1]), rows[:, -1:]], axis=1)

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {name: value for name, value in super().get_config().items() if name != "objective"}

    def signatures(self) -> dict[str, Signature]:
        """`reward`: transitions float32 [N, D] -> g [N], the reward without its shaping."""
        gain = self.discriminator.get_layer("reward")
        (size,) = gain.input_shape[1:]
        mean, deviation = tf.constant(self.mean[:size]), tf.constant(self.deviation[:size])

        def reward(transitions):
            return {"rewards": gain((transitions - mean) / deviation, training=False)[:, 0]}

        inputs = {"transitions": tf.TensorSpec([None, size], tf.float32, name="transitions")}
        return {"reward": Signature(reward, inputs, {"transitions": np.zeros([1, size], np.float32)})}
