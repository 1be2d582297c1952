"""REINFORCE, A2C and PPO: one actor that learns from its own last rollout, with three sets of options."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf
import tf_keras
from tf_agents.agents.ppo import ppo_clip_agent
from tf_agents.networks.network import Network
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from kgan.control.actors import Actor, Held
from kgan.control.environments import Environments
from kgan.control.networks import ArrayNetwork, ArrayPolicy, policy_network, value_network
from kgan.control.rollouts import Credit, Rollout, advantages, credits
from kgan.errors import UsageError, lookup


@dataclass(frozen=True, kw_only=True)
class OnPolicyOptions:
    """What makes it PPO (the defaults), A2C or REINFORCE."""

    rollout: int = 128  # steps of each environment between two updates
    whole_episodes: bool = False  # every rollout begins new episodes, which end in it if it is long enough
    credit: Credit = "advantage"  # what an action is held to be worth; all but advantages do without a critic
    discount: float = 0.99
    trace: float = 0.95  # lambda of the advantages
    epochs: int = 10
    minibatch: int = 256
    clip: float = 0.2  # of the probability ratio; 0 is the plain policy gradient
    normalise_advantages: bool = True
    entropy: float = 0.0
    entropy_decay: bool = False  # of that weight, linearly to zero over the run
    critic_weight: float = 0.5
    gradient_norm: float = 0.5
    optimizer: str = "adam"
    learning_rate: float = 3e-4
    decay: bool = False  # of the learning rate, linearly to zero over the run
    widths: Sequence[int] = (64, 64)
    activation: str = "tanh"
    log_deviation: float = 0.0  # of vector actions at first


OPTIMIZERS = {
    # The fused kernels; Keras's newer ones are made of many small operations.
    "adam": lambda rate: tf_keras.optimizers.legacy.Adam(rate, epsilon=1e-5),
    "rmsprop": lambda rate: tf_keras.optimizers.legacy.RMSprop(rate, rho=0.99, epsilon=1e-5),
}


class OnPolicyActor(Actor):
    """Proximal policy optimisation (Schulman 2017), of which the others are special cases.

    With one epoch over the whole rollout and no clipping the probability ratio is 1 where its gradient is taken, and
    the loss has the gradient of log pi(a|s) A: that is A2C (Mnih 2016; Huang 2022, "A2C is a special case of PPO"),
    and REINFORCE (Williams 1992) once A comes from the rewards of whole episodes.

    The losses are those of tf-agents' `PPOClipAgent` (`get_loss`). What is done here instead of in its `train`: acting
    in NumPy; advantages, because tf-agents takes an episode that was cut off for one that is over; epochs and
    minibatches in one traced function of fixed shapes; and the choice not to normalise advantages.

    Raises:
        UsageError: for options that do not fit together.
    """

    reported: ClassVar[tuple[str, ...]] = ("actor_loss", "critic_loss", "clip_fraction", "entropy")

    def __init__(
        self,
        environments: Environments,
        options: OnPolicyOptions,
        updates: int = 1,
        normalise: bool = False,
        seed: int = 0,
        jit: bool = False,
    ):
        """Learn to act in these environments; `updates` is the length of the run that a decay goes over."""
        super().__init__(environments, normalise, seed)
        self.options = options
        samples = options.rollout * environments.count
        self.minibatch = min(options.minibatch, samples)
        if samples % self.minibatch:
            raise UsageError(
                f"a rollout of {options.rollout} steps of {environments.count} environments is not a multiple of the "
                f"minibatch of {self.minibatch}: give --batch-size {_near_divisor(samples, self.minibatch)}."
            )
        self.gradient_steps = options.epochs * (samples // self.minibatch)
        self.run_length = max(1, updates) * self.gradient_steps
        self.rollout = Rollout.of(environments, options.rollout)
        spaces, features = self.spaces, self.build_networks(options, seed)
        rate = options.learning_rate
        if options.decay:
            rate = tf_keras.optimizers.schedules.PolynomialDecay(rate, self.run_length, 0.0)
        self.mover = lookup("optimizer", options.optimizer, OPTIMIZERS)(rate)
        choices = spaces.choices is not None
        action = tensor_spec.BoundedTensorSpec([] if choices else [spaces.actions], tf.int32, 0, spaces.actions - 1)
        if not choices:
            action = tensor_spec.BoundedTensorSpec([spaces.actions], tf.float32, -1.0, 1.0)
        self.agent = ppo_clip_agent.PPOClipAgent(
            ts.time_step_spec(tensor_spec.TensorSpec([features], tf.float32)),
            action,
            optimizer=self.mover,
            actor_net=self.policy,
            value_net=self.critic,
            importance_ratio_clipping=options.clip,
            entropy_regularization=options.entropy,
            value_pred_loss_coef=options.critic_weight,
            normalize_rewards=False,
            normalize_observations=False,
            compute_value_and_advantage_in_train=False,
            aggregate_losses_across_replicas=False,
            train_step_counter=tf.Variable(0, dtype=tf.int64),
        )
        self.moved = [variable for network in self.networks().values() for variable in network.trainable_variables]
        self.mover._create_all_weights(self.moved)  # an unbuilt one would lose its state silently on restore
        # Whatever the rollout, it is traced once: all shapes are fixed.
        self.descend = tf.function(self._descend, autograph=False, jit_compile=jit or None)

    # What other kinds of policies do otherwise.

    def build_networks(self, options: OnPolicyOptions, seed: int) -> int:
        """Make `policy` and `critic`; gives the length of the vectors that they take."""
        self.policy = policy_network(self.spaces, options.widths, options.activation, seed, options.log_deviation)
        self.critic = value_network(options.widths, options.activation, seed + 1)
        return self.spaces.observation

    def networks(self) -> dict[str, Network]:
        """All that learns from the rollout."""
        return {"policy": self.policy, "critic": self.critic}

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """What `policy` and `critic` take, [N, D], of what is seen."""
        return observations

    def collect(self, random: np.random.Generator) -> np.ndarray:
        """Fill the rollout; gives the returns of the episodes that ended."""
        policy, seen = ArrayPolicy(self.policy, self.spaces, self.options.activation), self.sight()
        returns, _ = self.rollout.collect(
            self.environments, lambda observations: policy.sample(seen(observations), random)
        )
        return returns

    def values(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The critic's values of the rollout's observations as seen, and of where its steps led; [T, B] each."""
        critic, rollout = ArrayNetwork(self.critic, self.options.activation), self.rollout
        return _values(critic, observations, self.seen(rollout.final), rollout.ended)

    def clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """The gradients, none too long."""
        # Each network's by itself: the critic's grow with the returns, and would leave nothing of the policy's.
        split, longest = len(self.policy.trainable_variables), self.options.gradient_norm
        for_policy, _ = tf.clip_by_global_norm(gradients[:split], longest)
        for_critic, _ = tf.clip_by_global_norm(gradients[split:], longest)
        return [*for_policy, *for_critic]

    # What all do.

    def network_variables(self) -> dict[str, list[tf.Variable]]:
        """Those of each."""
        return {name: network.variables for name, network in self.networks().items()}

    def further_state(self) -> dict[str, Held]:
        """The optimiser."""
        return {f"optimizer/{i:03d}": Held.variable(f"optimizer/{i}", v) for i, v in enumerate(self.mover.weights)}

    def learn(self, random: np.random.Generator) -> dict[str, float]:
        """One rollout and its gradient steps."""
        options, rollout = self.options, self.rollout
        if options.whole_episodes:
            self.environments.begin(self.environments.episodes + 1)
        self.note(self.collect(random), rollout.rewards.size)

        observations = self.seen(rollout.observations)
        rewards, further = self.rewards_of(rollout, random)
        worth, targets, weights = self._judge(rollout, observations, rewards)
        if self.normalise:
            self.moments.update(rollout.observations.reshape(-1, self.spaces.observation))
        samples = rollout.rewards.size
        order = np.stack([random.permutation(samples) for _ in range(options.epochs)])
        figures = self.descend(
            *(
                tf.constant(array.reshape(samples, *array.shape[2:]))
                for array in (observations, rollout.actions, rollout.log_probabilities, worth, targets, weights)
            ),
            tf.constant(order.reshape(self.gradient_steps, self.minibatch), tf.int32),
        ).numpy()
        # What the drawn actions were improbable by, on average, is what entropy is.
        entropy = -float(rollout.log_probabilities.mean())
        return dict(zip(OnPolicyActor.reported, [*map(float, figures), entropy], strict=True)) | further

    def rewards_of(self, rollout: Rollout, random: np.random.Generator) -> tuple[np.ndarray, dict[str, float]]:
        """The rewards [T, B] to learn from, and what else to report: here those of the environment."""
        return rollout.rewards, {}

    def _judge(
        self, rollout: Rollout, observations: np.ndarray, rewards: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What each action is held to be worth, what the critic should say, and the weight of each step; [T, B]."""
        options = self.options
        rewards = self.scaled_rewards(rewards, rollout.ended, options.discount)
        if options.credit != "advantage":
            worth, weights = credits(options.credit, rewards, rollout.ended, options.discount)
            return worth, np.zeros_like(worth), weights / max(float(weights.mean()), 1e-8)
        values, next_values = self.values(observations)
        worth, targets = advantages(
            rewards, values, next_values, rollout.terminated, rollout.truncated, options.discount, options.trace
        )
        return worth, targets, np.ones_like(worth)

    def _descend(self, observations, actions, log_probabilities, worth, targets, weights, order) -> tf.Tensor:
        """All gradient steps of an update; the means of the losses and the clipped share, [3]."""

        def body(step, sums):
            chosen = order[step]
            figures = self._gradient_step(
                *(tf.gather(x, chosen) for x in (observations, actions, log_probabilities, worth, targets, weights))
            )
            return step + 1, sums + figures

        zeros = tf.zeros([3])
        _, sums = tf.while_loop(lambda step, _: step < self.gradient_steps, body, (0, zeros))
        return sums / self.gradient_steps

    def _gradient_step(self, observations, actions, log_probabilities, worth, targets, weights) -> tf.Tensor:
        options, size = self.options, self.minibatch
        if options.normalise_advantages:
            mean, variance = tf.nn.moments(worth, 0)
            worth = (worth - mean) / (tf.sqrt(variance) + 1e-8)
        with tf.GradientTape() as tape:
            seen = self.features(observations)
            steps = ts.TimeStep(tf.fill([size], ts.StepType.MID), tf.zeros([size]), tf.ones([size]), seen)
            loss, parts = self.agent.get_loss(
                steps, actions, log_probabilities, targets, worth, None, weights,
                self.agent.train_step_counter, debug_summaries=False, training=True,
            )  # fmt: skip
            if options.credit != "advantage":
                loss -= parts.value_estimation_loss  # nobody asks the critic
            if options.entropy_decay:
                gone = tf.minimum(tf.cast(self.mover.iterations, tf.float32) / self.run_length, 1.0)
                loss -= gone * parts.entropy_regularization_loss
        gradients = tape.gradient(loss, self.moved, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        self.mover.apply_gradients(zip(self.clipped(gradients), self.moved, strict=True))
        return tf.stack([parts.policy_gradient_loss, parts.value_estimation_loss, parts.clip_fraction])

    def signatures(self) -> dict:
        """`act` (the likeliest action), `sample` (with a seed) and `value`; observations are normalised inside."""

        def act(observations):
            distribution, _ = self.policy(self.features(self.seen_in_graph(observations)))
            return {"actions": self.spaces.in_graph(distribution.mode())}

        def sample(observations, seed):
            distribution, _ = self.policy(self.features(self.seen_in_graph(observations)))
            return {"actions": self.spaces.in_graph(distribution.sample(seed=tf.bitcast(seed, tf.int32)))}

        def value(observations):
            return {"values": self.in_reward_units(self.critic(self.features(self.seen_in_graph(observations)))[0])}

        answers = {"act": self.policy_signature(act), "sample": self.policy_signature(sample, seeded=True)}
        return answers | ({"value": self.policy_signature(value)} if self.options.credit == "advantage" else {})


def _values(critic, observations: np.ndarray, final: np.ndarray, ended: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The critic's values of the observations [T, B, D] and of where the steps led; each asked for once."""
    steps, count = ended.shape
    values = critic(observations.reshape(steps * count, -1))[:, 0].reshape(steps, count)
    next_values = np.concatenate([values[1:], critic(final[-1])[None, :, 0]])
    if ended.any():  # where another episode begins, the next entry is not where the step led
        next_values[ended] = critic(final[ended])[:, 0]
    return values, next_values


def _near_divisor(samples: int, wanted: int) -> int:
    return max(size for size in range(1, wanted + 1) if samples % size == 0)
