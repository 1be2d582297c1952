"""A critic with a network: the value of an observation, from returns or from its own later opinion."""

from typing import ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf

from kgan.datasets.transitions import unpack
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described
from kgan.serving.export import Signature

Target = Literal["monte-carlo", "td"]


@keras.saving.register_keras_serializable(package="kgan")
class ValueEstimator(AdversarialModel):
    """V(s), the discounted return to come, of the policy whose steps it is trained on.

    Minimises the mean of (V(s) - target)^2. With "monte-carlo" the target is the return that followed; with "td" it is
    r + discount V(s'), through which no gradient flows (semi-gradient TD(0), Sutton & Barto 2018, chapter 9.3) and
    whose V is the moving average where one is kept (a target network, as in Mnih et al. 2015). It learns from packed
    transitions, float32 [N, 2 d + 3]; called on observations [N, d] it gives values [N, 1].

    Raises:
        UsageError: for another target.
    """

    judges: ClassVar[tuple[str, ...]] = ()
    proposers: ClassVar[tuple[str, ...]] = ("value",)
    reported: ClassVar[tuple[str, ...]] = ("mean_value", "return_error")

    def __init__(self, value: keras.Model, target: Target = "td", **kwargs):
        """Estimate with this network, observations [N, d] -> [N, 1]; kwargs are those of `AdversarialModel`."""
        super().__init__(**kwargs)
        if target not in ("monte-carlo", "td"):
            raise UsageError(f"unknown target {target!r}: choose monte-carlo or td.")
        self.value, self.target = value, target
        self.build()

    def call(self, observations, training: bool = False) -> tf.Tensor:
        """Values [N, 1], in inference mode."""
        return self.inference("value")(observations, training=False)

    def propose(self, batch, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """The values [N] of the observations."""
        network = self.value if training else self.inference("value")
        return network(unpack(batch).observations, training=training)[:, 0]

    def value_loss(self, batch, proposal: tf.Tensor, seed: tf.Tensor, training: bool):
        """The squared error against the target; reports the mean value, and the error against the returns too."""
        steps = unpack(batch)
        target = steps.returns
        if self.target == "td":
            target = steps.rewards + steps.discounts * tf.stop_gradient(self(steps.next_observations)[:, 0])
        error = tf.reduce_mean((proposal - steps.returns) ** 2)
        return tf.reduce_mean((proposal - target) ** 2), {
            "mean_value": tf.reduce_mean(proposal),
            "return_error": tf.sqrt(error),
        }

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {**super().get_config(), "value": described(self.value), "target": self.target}

    def signatures(self) -> dict[str, Signature]:
        """`value`: observations float32 [N, d] -> values float32 [N]."""
        size = self.value.input_shape[-1]

        def value(observations):
            return {"values": self(observations)[:, 0]}

        spec = tf.TensorSpec([None, size], tf.float32, name="observations")
        return {"value": Signature(value, {"observations": spec}, {"observations": np.zeros([1, size], np.float32)})}
