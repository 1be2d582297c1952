"""PPO and A2C for what is looked at: one convolutional network that an actor and its critic share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tf_agents.networks.network import Network

from kgan.control.networks import ArrayNetwork, ArrayPolicy, picture_features, policy_network, value_network
from kgan.control.on_policy import OnPolicyActor, OnPolicyOptions
from kgan.control.rollouts import Rollout


@dataclass(frozen=True, kw_only=True)
class PixelOptions(OnPolicyOptions):
    """As of the other actors; the last of `widths` is that of the features."""

    filters: Sequence[int] = (16, 32, 32)
    widths: Sequence[int] = (256,)
    clip_rewards: bool = True  # to [-1, 1] for learning: games count in tens and in thousands


class PixelActor(OnPolicyActor):
    """An on-policy actor whose policy and critic are each one layer on the features of the same pictures (Mnih 2016).

    Acting asks TensorFlow once a step, for the features of what all copies of the environment show; from there it is
    the NumPy of the other actors. The values that come with it are kept. Observations stay bytes up to the network.
    """

    options: PixelOptions

    def build_networks(self, options: PixelOptions, seed: int) -> int:
        """Make `eye`, `policy` and `critic`; gives the number of features."""
        width, picture = options.widths[-1], self.spaces.picture
        self.eye = picture_features(picture, options.filters, width, seed)
        self.policy = policy_network(self.spaces, (), options.activation, seed + 1, options.log_deviation)
        self.critic = value_network((), options.activation, seed + 2)
        self.eye.create_variables(tf.TensorSpec(picture, tf.float32))
        self._look = tf.function(
            self.features, autograph=False, input_signature=[tf.TensorSpec([None, *picture], tf.uint8)]
        )
        self._kept = np.zeros((options.rollout + 1, self.environments.count), np.float32)
        return width

    def networks(self) -> dict[str, Network]:
        """All that learns from the rollout."""
        return {"eye": self.eye, **super().networks()}

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """What the network makes of pictures, [N, features]."""
        return self.eye(tf.cast(observations, tf.float32))[0]

    def collect(self, random: np.random.Generator) -> np.ndarray:
        """Fill the rollout; gives the scores of the games that ended."""
        activation, values = self.options.activation, iter(self._kept)
        policy, critic = ArrayPolicy(self.policy, self.spaces, activation), ArrayNetwork(self.critic, activation)

        def act(observations):
            features = self._look(tf.constant(observations)).numpy()
            next(values)[:] = critic(features)[:, 0]
            return policy.sample(features, random)

        returns, _ = self.rollout.collect(self.environments, act)
        return returns

    def values(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The critic's values of the rollout's observations, and of where its steps led; [T, B] each."""
        rollout, critic = self.rollout, ArrayNetwork(self.critic, self.options.activation)
        self._kept[-1] = critic(self._look(tf.constant(rollout.final[-1])).numpy())[:, 0]
        values, next_values = self._kept[:-1], self._kept[1:].copy()
        cut = rollout.truncated
        if cut.any():  # after a termination there is nothing to ask for
            next_values[cut] = critic(self._look(tf.constant(rollout.final[cut])).numpy())[:, 0]
        return values, next_values

    def rewards_of(self, rollout: Rollout, random: np.random.Generator) -> tuple[np.ndarray, dict[str, float]]:
        """The rewards [T, B] to learn from."""
        return np.clip(rollout.rewards, -1, 1) if self.options.clip_rewards else rollout.rewards, {}

    def clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """The gradients, together not too long: policy and critic share most of what they are of."""
        return tf.clip_by_global_norm(gradients, self.options.gradient_norm)[0]
