"""Behaviour cloning: imitation as plain supervised learning of what was done at what was seen."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from kgan.models.adversarial import AdversarialModel, described
from kgan.serving.export import Signature


@keras.saving.register_keras_serializable(package="kgan")
class BehaviourCloner(AdversarialModel):
    """A policy that does what the demonstrations did (Pomerleau 1991): the likeliest action, or the mean of actions.

    It learns from float32 [N, d + 1]: the observation and then the number of the action, whose log-probability it
    raises; or, when actions are not `discrete`, from [N, d + k], the action itself, whose squared distance it lowers.
    What it cannot do is to learn what to do where the demonstrations never were, and there its own mistakes lead it:
    they grow with the square of the horizon (Ross & Bagnell 2010). Called on observations [N, d] it gives the
    logits or the actions.
    """

    judges: ClassVar[tuple[str, ...]] = ()
    proposers: ClassVar[tuple[str, ...]] = ("policy",)
    reported: ClassVar[tuple[str, ...]] = ("error",)

    def __init__(self, policy: keras.Model, discrete: bool = True, **kwargs):
        """Act by this network, observations [N, d] -> logits [N, actions] or actions [N, k]."""
        super().__init__(**kwargs)
        self.policy, self.discrete = policy, discrete
        self.build()

    def call(self, observations, training: bool = False) -> tf.Tensor:
        """Logits or actions, in inference mode."""
        return self.inference("policy")(observations, training=False)

    def propose(self, batch, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """What it would do at each observation."""
        network = self.policy if training else self.inference("policy")
        return network(batch[:, : self.policy.input_shape[-1]], training=training)

    def policy_loss(self, batch, proposal: tf.Tensor, seed: tf.Tensor, training: bool):
        """Cross-entropy (nats) and the share of other actions; or mean squared error, and its root."""
        done = batch[:, self.policy.input_shape[-1] :]
        if not self.discrete:
            loss = tf.reduce_mean(tf.reduce_sum((proposal - done) ** 2, axis=1))
            return loss, {"error": tf.sqrt(loss)}
        action = tf.cast(done[:, 0], tf.int64)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(action, proposal))
        other = tf.cast(tf.argmax(proposal, axis=1) != action, tf.float32)
        return loss, {"error": tf.reduce_mean(other)}

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {**super().get_config(), "policy": described(self.policy), "discrete": self.discrete}

    def signatures(self) -> dict[str, Signature]:
        """`act`: observations float32 [N, d] -> actions int64 [N] with their probabilities, or float32 [N, k]."""
        size = self.policy.input_shape[-1]

        def act(observations):
            outputs = self(observations)
            if not self.discrete:
                return {"actions": outputs}
            return {"actions": tf.argmax(outputs, axis=1), "probabilities": tf.nn.softmax(outputs)}

        spec = tf.TensorSpec([None, size], tf.float32, name="observations")
        return {"act": Signature(act, {"observations": spec}, {"observations": np.zeros([1, size], np.float32)})}
