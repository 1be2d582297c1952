"""A critic with a network: the value of an observation, from returns or from its own later opinion."""

from typing import ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf

from kgan.datasets.transitions import Transitions, unpack
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described
from kgan.serving.export import Signature

Target = Literal["monte-carlo", "td"]


@keras.saving.register_keras_serializable(package="kgan")
class ValueEstimator(AdversarialModel):
    """V(s), the discounted return to come, of the policy whose steps it is trained on.

    Minimises the mean of (V(s) - target)^2. With "monte-carlo" the target is the return that followed; with "td" it is
    r + discount V(s'), through which no gradient flows (semi-gradient TD(0), Sutton & Barto 2018, chapter 9.3) and
    whose V is the moving average where one is kept (a target network, as in Mnih et al. 2015). With a trace it is the
    lambda-return instead (chapter 12.1), as far as the steps that it is shown in one piece go (12.3).

    It learns from packed transitions, float32 [N, 2 d + 3], or pieces of L successive ones, [N, L, 2 d + 3], which may
    hold parts of several episodes; called on observations [N, d] it gives values [N, 1].

    Raises:
        UsageError: for another target, or a trace that is none.
    """

    judges: ClassVar[tuple[str, ...]] = ()
    proposers: ClassVar[tuple[str, ...]] = ("value",)
    reported: ClassVar[tuple[str, ...]] = ("mean_value", "return_error")

    def __init__(self, value: keras.Model, target: Target = "td", trace: float = 0.0, **kwargs):
        """Estimate with this network, observations [N, d] -> [N, 1].

        Args:
            value: the network.
            target: what a value is drawn towards.
            trace: lambda of "td", in [0, 1].
            **kwargs: those of `AdversarialModel`.
        """
        super().__init__(**kwargs)
        if target not in ("monte-carlo", "td"):
            raise UsageError(f"unknown target {target!r}: choose monte-carlo or td.")
        if not 0 <= trace <= 1:
            raise UsageError(f"the trace is {trace}: give a number from 0, TD(0), to 1.")
        self.value, self.target, self.trace = value, target, trace
        self.build()

    def call(self, observations, training: bool = False) -> tf.Tensor:
        """Values [N, 1], in inference mode."""
        return self.inference("value")(observations, training=False)

    def propose(self, batch, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """The values [N] or [N, L] of the observations."""
        return _values(self.value if training else self.inference("value"), unpack(batch).observations, training)

    def value_loss(self, batch, proposal: tf.Tensor, seed: tf.Tensor, training: bool):
        """The squared error against the target; reports the mean value, and the error against the returns too."""
        steps = unpack(batch)
        target = steps.returns
        if self.target == "td":
            following = tf.stop_gradient(_values(self.inference("value"), steps.next_observations, training=False))
            target = steps.rewards + steps.discounts * following
            if len(target.shape) == 2:
                target = lambda_returns(steps, following, self.trace)
        error = tf.reduce_mean((proposal - steps.returns) ** 2)
        return tf.reduce_mean((proposal - target) ** 2), {
            "mean_value": tf.reduce_mean(proposal),
            "return_error": tf.sqrt(error),
        }

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {**super().get_config(), "value": described(self.value), "target": self.target, "trace": self.trace}

    def signatures(self) -> dict[str, Signature]:
        """`value`: observations float32 [N, d] -> values float32 [N]."""
        size = self.value.input_shape[-1]

        def value(observations):
            return {"values": self(observations)[:, 0]}

        spec = tf.TensorSpec([None, size], tf.float32, name="observations")
        return {"value": Signature(value, {"observations": spec}, {"observations": np.zeros([1, size], np.float32)})}


def lambda_returns(steps: Transitions, following: tf.Tensor, trace: float) -> tf.Tensor:
    """The lambda-returns [N, L] of pieces of L successive steps (Sutton & Barto 2018, equation 12.18).

    Where the piece ends, or a step does not lead to where the next one begins, the value of where it led stands for
    all that followed.

    Args:
        steps: [N, L, ...].
        following: [N, L], the values of where each step led.
        trace: lambda, in [0, 1].
    """
    goes_on = tf.reduce_all(steps.next_observations[:, :-1] == steps.observations[:, 1:], -1)
    returns = [steps.rewards[:, -1] + steps.discounts[:, -1] * following[:, -1]]
    for t in reversed(range(following.shape[1] - 1)):
        later = tf.where(goes_on[:, t], (1 - trace) * following[:, t] + trace * returns[-1], following[:, t])
        returns.append(steps.rewards[:, t] + steps.discounts[:, t] * later)
    return tf.stack(returns[::-1], 1)


def _values(network: keras.Model, observations: tf.Tensor, training: bool) -> tf.Tensor:
    """Values [...] of observations [..., d]."""
    flat = network(tf.reshape(observations, [-1, observations.shape[-1]]), training=training)
    return tf.reshape(flat, tf.shape(observations)[:-1])
