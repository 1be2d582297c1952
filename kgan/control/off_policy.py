"""Q-learning with a network (DQN): an actor that learns from all it has lived through."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf
import tf_keras
from tf_agents.agents.dqn import dqn_agent
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from kgan.control.actors import Actor, Held
from kgan.control.environments import Environments
from kgan.control.networks import ArrayNetwork, action_values
from kgan.control.replay import Replay, transitions
from kgan.control.rollouts import Rollout
from kgan.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class DQNOptions:
    """How it explores, remembers and learns."""

    rollout: int = 32  # steps of each environment between two updates
    gradient_steps: int = 128  # of an update
    minibatch: int = 64
    capacity: int = 100_000
    first: int = 1_000  # steps before it begins to learn
    discount: float = 0.99
    steps_ahead: int = 1  # of the n-step targets
    double: bool = True  # the network chooses the action that its target values (van Hasselt 2016)
    prioritised: float = 0.0  # alpha of the priorities; 0 draws uniformly
    exploration: float = 0.2  # share of the run in which random actions go from all to the last share of them
    last_exploration: float = 0.04
    target_every: int = 1  # updates between two copies of the network into its target
    gradient_norm: float = 10.0
    learning_rate: float = 2.3e-3
    decay: bool = False
    widths: Sequence[int] = (256, 256)
    activation: str = "relu"


class DQNActor(Actor):
    """Deep Q-learning (Mnih 2015) with double (van Hasselt 2016), n-step and prioritised (Schaul 2016) variants.

    The loss is that of tf-agents' `DqnAgent` or `DdqnAgent` (`_loss`), for transitions whose discount says what is
    left of the future: its own n-step sums run over the end of an episode that was only cut off. What is done here
    besides: acting in NumPy, the buffer, and all gradient steps of an update in one traced function. Priorities are
    those from before the update, while it lasts.

    Raises:
        UsageError: for vector actions.
    """

    reported: ClassVar[tuple[str, ...]] = ("critic_loss", "exploration")

    def __init__(
        self,
        environments: Environments,
        options: DQNOptions,
        updates: int = 1,
        normalise: bool = False,
        seed: int = 0,
        jit: bool = False,
    ):
        """Learn to act in these environments in so many updates."""
        super().__init__(environments, normalise, seed)
        if self.spaces.choices is None:
            raise UsageError(f"DQN chooses one of n actions, but those of {environments.name!r} are vectors: take ppo.")
        self.options, self.length = options, max(1, updates)
        self.rollout = Rollout.of(environments, options.rollout)
        self.critic, self.target = (
            action_values(self.spaces, options.widths, options.activation, seed) for _ in range(2)
        )
        rate = options.learning_rate
        if options.decay:
            rate = tf_keras.optimizers.schedules.PolynomialDecay(rate, self.length * options.gradient_steps, 0.0)
        self.mover = tf_keras.optimizers.legacy.Adam(rate)
        kind = dqn_agent.DdqnAgent if options.double else dqn_agent.DqnAgent
        self.agent = kind(
            ts.time_step_spec(tensor_spec.TensorSpec([self.spaces.observation], tf.float32)),
            tensor_spec.BoundedTensorSpec([], tf.int32, 0, self.spaces.actions - 1),
            q_network=self.critic,
            target_q_network=self.target,
            optimizer=self.mover,
            td_errors_loss_fn=dqn_agent.common.element_wise_huber_loss,
            train_step_counter=tf.Variable(0, dtype=tf.int64),
        )
        self._copy()
        self.mover._create_all_weights(self.critic.trainable_variables)
        self.replay = Replay(options.capacity, options.prioritised)
        self.replay.allocate(transitions(self.rollout, self.rollout.rewards, 1, 1.0))
        self.descend = tf.function(self._descend, autograph=False, jit_compile=jit or None)

    def network_variables(self) -> dict[str, list[tf.Variable]]:
        """Those of the network; its target is no part of the policy."""
        return {"critic": self.critic.variables}

    def further_state(self) -> dict[str, Held]:
        """The target, the optimiser and the buffer."""
        held = {f"target/{i:03d}": Held.variable(f"target/{i}", v) for i, v in enumerate(self.target.variables)}
        held |= {f"optimizer/{i:03d}": Held.variable(f"optimizer/{i}", v) for i, v in enumerate(self.mover.weights)}
        arrays = {**self.replay.arrays, "priorities": self.replay.priorities}
        for name, array in arrays.items():
            held[f"replay/{name}"] = Held(name, lambda a=array: a, lambda new, a=array: np.copyto(a, new))
        held["replay/added"] = Held("added", lambda: np.array(self.replay.added), self._set_added)
        return held

    def _set_added(self, array: np.ndarray) -> None:
        self.replay.added = int(array)

    def exploration(self) -> float:
        """The share of random actions at present."""
        done = int(self.updates.numpy()) / self.length / self.options.exploration
        return max(self.options.last_exploration, 1.0 - done * (1.0 - self.options.last_exploration))

    def learn(self, random: np.random.Generator) -> dict[str, float]:
        """One rollout, and gradient steps over what is remembered."""
        options, rollout, share = self.options, self.rollout, self.exploration()
        network, count = ArrayNetwork(self.critic, options.activation), self.environments.count

        def act(observations: np.ndarray) -> tuple[np.ndarray, float]:
            best = network(self._seen(observations)).argmax(-1)
            return np.where(random.random(count) < share, random.integers(0, self.spaces.actions, count), best), 0.0

        returns, _ = rollout.collect(self.environments, act)
        self.note(returns, rollout.rewards.size)
        rewards = self.scaled_rewards(rollout.rewards, rollout.ended, options.discount)
        self.replay.add(transitions(rollout, rewards, options.steps_ahead, options.discount))
        if self.normalise:
            self.moments.update(rollout.observations.reshape(-1, self.spaces.observation))
        if int(self.steps) < options.first:
            return {"critic_loss": 0.0, "exploration": share}
        if int(self.updates.numpy()) % options.target_every == 0:
            self._copy()
        shape = (options.gradient_steps, options.minibatch)
        places, weights = self.replay.draw(shape[0] * shape[1], random)
        drawn = {name: array[places] for name, array in self.replay.arrays.items()}
        for name in ("observations", "next_observations"):
            drawn[name] = self._seen(drawn[name])
        loss, errors = self.descend(
            *(tf.constant(array.reshape(*shape, *array.shape[1:])) for array in (*drawn.values(), weights))
        )
        if options.prioritised:
            self.replay.surprise(places, errors.numpy().ravel())
        return {"critic_loss": float(loss), "exploration": share}

    def _seen(self, observations: np.ndarray) -> np.ndarray:
        return self.moments.normalise(observations) if self.normalise else observations

    def _copy(self) -> None:
        for target, source in zip(self.target.variables, self.critic.variables, strict=True):
            target.assign(source)

    def _descend(self, observations, actions, rewards, discounts, next_observations, weights):
        """All gradient steps of an update: the mean loss, and the error of every prediction [K, N]."""
        steps = self.options.gradient_steps

        def body(step, total, errors):
            loss, error = self._gradient_step(
                *(x[step] for x in (observations, actions, rewards, discounts, next_observations, weights))
            )
            return step + 1, total + loss, errors.write(step, error)

        errors = tf.TensorArray(tf.float32, steps, element_shape=[self.options.minibatch])
        _, total, errors = tf.while_loop(lambda step, *_: step < steps, body, (0, 0.0, errors))
        return total / steps, errors.stack()

    def _gradient_step(self, observations, actions, rewards, discounts, next_observations, weights):
        size = self.options.minibatch
        pair = tf.fill([size, 2], ts.StepType.MID)
        experience = trajectory.Trajectory(
            step_type=pair, observation=tf.stack([observations, next_observations], 1),
            action=tf.stack([actions, actions], 1), policy_info=(), next_step_type=pair,
            reward=tf.stack([rewards, rewards], 1), discount=tf.stack([discounts, discounts], 1),
        )  # fmt: skip
        with tf.GradientTape() as tape:
            loss, parts = self.agent._loss(experience, weights=weights, training=True)
        variables = self.critic.trainable_variables
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), self.options.gradient_norm)
        self.mover.apply_gradients(zip(gradients, variables, strict=True))
        return loss, tf.reshape(parts.td_error, [size])

    def signatures(self) -> dict:
        """`act` (the best action) and `value` (what each action is worth); observations are normalised inside."""

        def worth(observations):
            return self.critic(self.moments.in_graph(observations) if self.normalise else observations)[0]

        def act(observations):
            return {"actions": self.spaces.in_graph(tf.argmax(worth(observations), -1))}

        def value(observations):
            return {"values": tf.reduce_max(worth(observations), -1), "action_values": worth(observations)}

        return {"act": self.policy_signature(act), "value": self.policy_signature(value)}
