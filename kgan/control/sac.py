"""Soft actor-critic: learns vector actions from all it has lived through, and is paid for staying undecided."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kgan.control.environments import Environments
from kgan.control.networks import LOG_2PI, ArrayNetwork, squashed_policy, value_network
from kgan.control.off_policy import OffPolicyActor, OffPolicyOptions, copy, follow
from kgan.errors import UsageError

LOG_2 = float(np.log(2))
LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION = -10.0, 2.0


@dataclass(frozen=True, kw_only=True)
class SACOptions(OffPolicyOptions):
    """And how its targets follow."""

    first: int = 128
    minibatch: int = 256
    target_rate: float = 0.005  # of the way that the targets go to the critics in each gradient step


class SACActor(OffPolicyActor):
    """Soft actor-critic (Haarnoja 2018) with two critics and a temperature that finds itself.

    The critics learn r + gamma (min Q'(s', a') - alpha log pi(a'|s')), the actor to raise min Q(s, a) - alpha log
    pi(a|s), and alpha rises while the entropy is below minus the number of the actions' dimensions. The losses are
    written here and not taken from tf-agents' `SacAgent`, whose actions inside the losses come from TensorFlow's global
    random numbers: a resumed run could not draw them again. Here the noise is drawn with the batch.

    Raises:
        UsageError: for actions that are choices.
    """

    reported: ClassVar[tuple[str, ...]] = ("critic_loss", "actor_loss", "temperature", "entropy")
    figures: ClassVar[int] = 4

    def __init__(self, environments: Environments, options: SACOptions, *arguments: Any, **further: Any):
        """The arguments are those of every `OffPolicyActor`."""
        super().__init__(environments, options, *arguments, **further)
        if self.spaces.choices is not None:
            raise UsageError(
                f"sac gives vectors, but the actions of {environments.name!r} are choices: take dqn or ppo."
            )
        sizes = options.widths, options.activation
        self.policy = squashed_policy(self.spaces, *sizes, self.seed)
        self.policy.create_variables(tf.TensorSpec([self.spaces.observation], tf.float32))
        self.critics, self.targets = (
            [value_network(*sizes, self.seed + 1 + twin) for twin in range(2)] for _ in range(2)
        )
        both = tf.TensorSpec([self.spaces.observation + self.spaces.actions], tf.float32)
        for critic, target in zip(self.critics, self.targets, strict=True):
            critic.create_variables(both)
            target.create_variables(both)
            copy(critic, target)
        self.log_temperature = tf.Variable(0.0)
        self.critic_variables = [v for critic in self.critics for v in critic.trainable_variables]
        self.policy_mover = self.adam(self.policy.trainable_variables)
        self.critic_mover = self.adam(self.critic_variables)
        self.temperature_mover = self.adam([self.log_temperature])

    def network_variables(self) -> dict[str, list[tf.Variable]]:
        """Those of the policy and of both critics."""
        return {"policy": self.policy.variables, "critics": [v for critic in self.critics for v in critic.variables]}

    def held(self) -> dict[str, list[tf.Variable]]:
        """Targets, temperature and optimisers."""
        movers = {"policy": self.policy_mover, "critic": self.critic_mover, "temperature": self.temperature_mover}
        return {
            "targets": [v for target in self.targets for v in target.variables],
            "temperature": [self.log_temperature],
            **{f"{name}_optimizer": mover.weights for name, mover in movers.items()},
        }

    def adopt_averages(self) -> None:
        """Let the targets go on from critics that were loaded: they are no part of an export."""
        for critic, target in zip(self.critics, self.targets, strict=True):
            copy(critic, target)

    def begin(self) -> None:
        """Read the policy out for acting."""
        self.array = ArrayNetwork(self.policy, self.options.activation)

    def act(self, observations: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Vectors drawn from the policy; until it learns, drawn uniformly."""
        shape = (len(observations), self.spaces.actions)
        if int(self.steps) < self.options.first:
            return random.uniform(-1, 1, shape).astype(np.float32)
        means, log_deviations = np.split(self.array(observations), 2, axis=-1)
        deviations = np.exp(np.clip(log_deviations, LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION))
        return np.tanh(means + deviations * random.standard_normal(shape, np.float32))

    def noise(self, shape: tuple[int, int], random: np.random.Generator) -> dict[str, np.ndarray]:
        """For the actions that the critics and then the actor ask about."""
        size = (*shape, self.spaces.actions)
        return {name: random.standard_normal(size, np.float32) for name in ("next_noise", "noise")}

    def drawn(self, observations: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Actions [N, A] in (-1, 1) from standard normal noise, and their log-probabilities [N]."""
        means, log_deviations = tf.split(self.policy(observations)[0], 2, axis=-1)
        log_deviations = tf.clip_by_value(log_deviations, LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION)
        raw = means + tf.exp(log_deviations) * noise
        density = -0.5 * (noise**2 + LOG_2PI) - log_deviations
        # log (1 - tanh(x)^2), in the form that stays finite
        squeezed = 2.0 * (LOG_2 - raw - tf.nn.softplus(-2.0 * raw))
        return tf.tanh(raw), tf.reduce_sum(density - squeezed, -1)

    def gradient_step(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """One step of the critics, the actor and the temperature; the targets follow."""
        temperature = tf.exp(self.log_temperature)
        actions, log_probabilities = self.drawn(batch["next_observations"], batch["next_noise"])
        future = _least(self.targets, batch["next_observations"], actions) - temperature * log_probabilities
        target = batch["rewards"] + batch["discounts"] * future
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.critic_variables)
            both = tf.concat([batch["observations"], batch["actions"]], -1)
            errors = [target - critic(both)[0] for critic in self.critics]
            critic_loss = tf.add_n([tf.reduce_mean(batch["weights"] * error**2) for error in errors]) / 2
        _move(self.critic_mover, tape, critic_loss, self.critic_variables)

        variables = self.policy.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            actions, log_probabilities = self.drawn(batch["observations"], batch["noise"])
            worth = _least(self.critics, batch["observations"], actions)
            actor_loss = tf.reduce_mean(temperature * log_probabilities - worth)
        _move(self.policy_mover, tape, actor_loss, variables)

        entropy = -tf.reduce_mean(log_probabilities)
        with tf.GradientTape() as tape:
            temperature_loss = self.log_temperature * tf.stop_gradient(entropy + self.spaces.actions)
        _move(self.temperature_mover, tape, temperature_loss, [self.log_temperature])
        for target_network, critic in zip(self.targets, self.critics, strict=True):
            follow(target_network, critic, self.options.target_rate)
        return tf.stack([critic_loss, actor_loss, temperature, entropy]), errors[0]

    def signatures(self) -> dict:
        """`act` (the middle of the policy), `sample` (with a seed) and `value`, the critics' word for `act`."""

        def middle(observations):
            return tf.tanh(tf.split(self.policy(observations)[0], 2, axis=-1)[0])

        def act(observations):
            return {"actions": self.spaces.in_graph(middle(self.seen_in_graph(observations)))}

        def sample(observations, seed):
            shape = [tf.shape(observations)[0], self.spaces.actions]
            noise = tf.random.stateless_normal(shape, tf.stack([seed, 0]))
            return {"actions": self.spaces.in_graph(self.drawn(self.seen_in_graph(observations), noise)[0])}

        def value(observations):
            seen = self.seen_in_graph(observations)
            return {"values": self.in_reward_units(_least(self.critics, seen, middle(seen)))}

        return {
            "act": self.policy_signature(act),
            "sample": self.policy_signature(sample, seeded=True),
            "value": self.policy_signature(value),
        }


def _least(critics: list, observations: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
    both = tf.concat([observations, actions], -1)
    return tf.minimum(critics[0](both)[0], critics[1](both)[0])


def _move(mover, tape: tf.GradientTape, loss: tf.Tensor, variables: list[tf.Variable]) -> None:
    mover.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
