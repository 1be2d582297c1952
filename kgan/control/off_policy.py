"""Actors that learn from all they have lived through; and the first of them, Q-learning with a network (DQN)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

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
class OffPolicyOptions:
    """How an actor remembers and learns."""

    rollout: int = 32  # steps of each environment between two updates
    gradient_steps: int = 128  # of an update
    minibatch: int = 64
    capacity: int = 100_000
    first: int = 1_000  # steps before it begins to learn
    discount: float = 0.99
    steps_ahead: int = 1  # of the n-step targets
    prioritised: float = 0.0  # alpha of the priorities; 0 draws uniformly
    learning_rate: float = 1e-3
    decay: bool = False  # of the learning rate, linearly to zero over the run
    widths: Sequence[int] = (256, 256)
    activation: str = "relu"


class OffPolicyActor(Actor):
    """An update is a rollout, into the buffer, and gradient steps over what is drawn from there.

    All gradient steps of an update are one traced function of fixed shapes, so that priorities, which their errors
    move, are those from before the update while it lasts.

    A subclass defines `act`, `gradient_step`, `held` (what else an exact resume restores), and its networks.
    """

    def __init__(
        self,
        environments: Environments,
        options: OffPolicyOptions,
        updates: int = 1,
        normalise: bool = False,
        seed: int = 0,
        jit: bool = False,
    ):
        """Learn to act in these environments in so many updates."""
        super().__init__(environments, normalise, seed)
        self.options, self.length = options, max(1, updates)
        self.rollout = Rollout.of(environments, options.rollout)
        self.replay = Replay(options.capacity, options.prioritised)
        self.replay.allocate(transitions(self.rollout, self.rollout.rewards, 1, 1.0))
        self.descend = tf.function(self._descend, autograph=False, jit_compile=jit or None)

    def act(self, observations: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Actions to explore by, for observations [B, D] as the networks see them."""
        raise NotImplementedError

    def gradient_step(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Learn from transitions: what to report of it [R], and how wrong each prediction was [N]."""
        raise NotImplementedError

    def noise(self, shape: tuple[int, int], random: np.random.Generator) -> dict[str, np.ndarray]:
        """Random numbers that the gradient steps take, [K, N, ...], under names of their own."""
        return {}

    def held(self) -> dict[str, list[tf.Variable]]:
        """Variables beside the policy's: targets, optimisers."""
        raise NotImplementedError

    def adam(self, variables: list[tf.Variable]) -> tf_keras.optimizers.legacy.Adam:
        """Adam for these variables, built, since an unbuilt one would lose its state silently on restore."""
        rate = self.options.learning_rate
        if self.options.decay:
            rate = tf_keras.optimizers.schedules.PolynomialDecay(rate, self.length * self.options.gradient_steps, 0.0)
        mover = tf_keras.optimizers.legacy.Adam(rate)
        mover._create_all_weights(variables)
        return mover

    def further_state(self) -> dict[str, Held]:
        """What the subclass holds, and the buffer."""
        state = {
            f"{owner}/{index:03d}": Held.variable(f"{owner}/{index:03d}", variable)
            for owner, variables in self.held().items()
            for index, variable in enumerate(variables)
        }
        for name, array in {**self.replay.arrays, "priorities": self.replay.priorities}.items():
            state[f"replay/{name}"] = Held(name, lambda a=array: a, lambda new, a=array: np.copyto(a, new))
        state["replay/added"] = Held("added", lambda: np.array(self.replay.added), self._set_added)
        return state

    def _set_added(self, array: np.ndarray) -> None:
        self.replay.added = int(array)

    def learn(self, random: np.random.Generator) -> dict[str, float]:
        """One rollout, and gradient steps over what is remembered."""
        options, rollout = self.options, self.rollout
        self.begin()
        returns, _ = rollout.collect(self.environments, lambda seen: (self.act(self.seen(seen), random), 0.0))
        self.note(returns, rollout.rewards.size)
        rewards = self.scaled_rewards(rollout.rewards, rollout.ended, options.discount)
        self.replay.add(transitions(rollout, rewards, options.steps_ahead, options.discount))
        if self.normalise:
            self.moments.update(rollout.observations.reshape(-1, self.spaces.observation))
        if int(self.steps) < options.first:
            return {}
        shape = (options.gradient_steps, options.minibatch)
        places, weights = self.replay.draw(shape[0] * shape[1], random)
        drawn = {name: array[places] for name, array in self.replay.arrays.items()}
        drawn |= {name: self.seen(drawn[name]) for name in ("observations", "next_observations")}
        batches = {
            name: array.reshape(*shape, *array.shape[1:]) for name, array in (drawn | {"weights": weights}).items()
        }
        batches |= self.noise(shape, random)
        figures, errors = self.descend({name: tf.constant(array) for name, array in batches.items()})
        if options.prioritised:
            self.replay.surprise(places, errors.numpy().ravel())
        return dict(zip(self.reported, map(float, figures), strict=False))

    def begin(self) -> None:
        """Called before each update."""

    def _descend(self, batches: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """All gradient steps of an update: the means of what they report [R], and every error [K, N]."""
        steps = self.options.gradient_steps

        def body(step, sums, errors):
            figures, error = self.gradient_step({name: batch[step] for name, batch in batches.items()})
            return step + 1, sums + figures, errors.write(step, error)

        errors = tf.TensorArray(tf.float32, steps, element_shape=[self.options.minibatch])
        zeros = tf.zeros([self.figures])
        _, sums, errors = tf.while_loop(lambda step, *_: step < steps, body, (0, zeros, errors))
        return sums / steps, errors.stack()


@dataclass(frozen=True, kw_only=True)
class DQNOptions(OffPolicyOptions):
    """And how DQN explores."""

    double: bool = True  # the network chooses the action that its target values (van Hasselt 2016)
    exploration: float = 0.2  # share of the run in which random actions go from all to the last share of them
    last_exploration: float = 0.04
    persistence: int = 1  # most steps for which a random action is kept
    target_rate: float = 0.01  # of the way that the target goes to the network in each gradient step
    gradient_norm: float = 10.0


class DQNActor(OffPolicyActor):
    """Deep Q-learning (Mnih 2015) with double (van Hasselt 2016), n-step and prioritised (Schaul 2016) variants.

    The loss is that of tf-agents' `DqnAgent` or `DdqnAgent` (`_loss`), for transitions whose discount says what is
    left of the future: its own n-step sums run over the end of an episode that was only cut off.

    A random action may be kept for some steps (Dabney 2021, whose lengths are not uniform): where single ones cancel
    out, as in a car that has to swing, it gets further. None is kept beyond the rollout, so that nothing of it is left
    for a resume to restore.

    Raises:
        UsageError: for vector actions.
    """

    reported: ClassVar[tuple[str, ...]] = ("critic_loss", "exploration")
    figures: ClassVar[int] = 1

    def __init__(self, environments: Environments, options: DQNOptions, *arguments: Any, **further: Any):
        """The arguments are those of every `OffPolicyActor`."""
        super().__init__(environments, options, *arguments, **further)
        if self.spaces.choices is None:
            raise UsageError(
                f"dqn chooses one of n actions, but those of {environments.name!r} are vectors: take sac or ppo."
            )
        self.critic, self.target = (
            action_values(self.spaces, options.widths, options.activation, self.seed) for _ in range(2)
        )
        kind = dqn_agent.DdqnAgent if options.double else dqn_agent.DqnAgent
        self.agent = kind(
            ts.time_step_spec(tensor_spec.TensorSpec([self.spaces.observation], tf.float32)),
            tensor_spec.BoundedTensorSpec([], tf.int32, 0, self.spaces.actions - 1),
            q_network=self.critic,
            target_q_network=self.target,
            optimizer=None,
            td_errors_loss_fn=dqn_agent.common.element_wise_huber_loss,
            train_step_counter=tf.Variable(0, dtype=tf.int64),
        )
        copy(self.critic, self.target)
        self.mover = self.adam(self.critic.trainable_variables)

    def network_variables(self) -> dict[str, list[tf.Variable]]:
        """Those of the network; its target is no part of the policy."""
        return {"critic": self.critic.variables}

    def held(self) -> dict[str, list[tf.Variable]]:
        """The target and the optimiser."""
        return {"target": self.target.variables, "optimizer": self.mover.weights}

    def adopt_averages(self) -> None:
        """Let the target go on from a network that was loaded: it is no part of an export."""
        copy(self.critic, self.target)

    def exploration(self) -> float:
        """The share of random actions at present."""
        span = max(1e-9, self.options.exploration * self.length)
        left = 1.0 - int(self.updates.numpy()) / span
        return max(0.0, left) * (1.0 - self.options.last_exploration) + self.options.last_exploration

    def begin(self) -> None:
        """Read the network out for acting; no random action is under way."""
        self.array = ArrayNetwork(self.critic, self.options.activation)
        self.kept, self.chosen = np.zeros((2, self.environments.count), np.int64)

    def act(self, observations: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The best action, now and then a random one."""
        count, longest, share = len(observations), self.options.persistence, self.exploration()
        # How often one begins, for `share` of all steps to be random.
        begins = (self.kept == 0) & (random.random(count) < share / (share + (1.0 - share) * (1 + longest) / 2))
        self.chosen = np.where(begins, random.integers(0, self.spaces.actions, count), self.chosen)
        self.kept = np.where(begins, random.integers(1, longest + 1, count), self.kept)
        actions = np.where(self.kept > 0, self.chosen, self.array(observations).argmax(-1))
        self.kept = np.maximum(self.kept - 1, 0)
        return actions

    def learn(self, random: np.random.Generator) -> dict[str, float]:
        """An update, with the share of random actions in it."""
        return {"exploration": self.exploration(), **super().learn(random)}

    def gradient_step(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """The Huber loss of the temporal differences."""
        size = self.options.minibatch
        pair = tf.fill([size, 2], ts.StepType.MID)
        twice = {name: tf.stack([value, value], 1) for name, value in batch.items()}
        experience = trajectory.Trajectory(
            step_type=pair, next_step_type=pair, policy_info=(), action=twice["actions"], reward=twice["rewards"],
            discount=twice["discounts"], observation=tf.stack([batch["observations"], batch["next_observations"]], 1),
        )  # fmt: skip
        with tf.GradientTape() as tape:
            loss, parts = self.agent._loss(experience, weights=batch["weights"], training=True)
        variables = self.critic.trainable_variables
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), self.options.gradient_norm)
        self.mover.apply_gradients(zip(gradients, variables, strict=True))
        follow(self.target, self.critic, self.options.target_rate)
        return loss[None], tf.reshape(parts.td_error, [size])

    def signatures(self) -> dict:
        """`act` (the best action) and `value` (what each action is worth); observations are normalised inside."""

        def worth(observations):
            return self.in_reward_units(self.critic(self.seen_in_graph(observations))[0])

        def act(observations):
            return {"actions": self.spaces.in_graph(tf.argmax(worth(observations), -1))}

        def value(observations):
            each = worth(observations)
            return {"values": tf.reduce_max(each, -1), "action_values": each}

        return {"act": self.policy_signature(act), "value": self.policy_signature(value)}


def follow(target, source, rate: float) -> None:
    """Bring a network's weights nearer to those of another, by this share of the way."""
    for slow, quick in zip(target.variables, source.variables, strict=True):
        slow.assign_add(rate * (quick - slow))


def copy(source, target) -> None:
    """Give a network the weights of another."""
    for mine, theirs in zip(target.variables, source.variables, strict=True):
        mine.assign(theirs)
