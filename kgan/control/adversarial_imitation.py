"""Generative adversarial imitation: an actor whose reward comes from a discriminator that knows demonstrations."""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from kgan import networks
from kgan.control.actors import Held
from kgan.control.demonstrations import Demonstrations
from kgan.control.environments import Environments, Spaces
from kgan.control.on_policy import OnPolicyActor, OnPolicyOptions
from kgan.control.rollouts import Rollout
from kgan.errors import UsageError
from kgan.models.rewards import RewardModel


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """The discriminator of what the actor does, and how it learns."""

    objective: str = "minimax"
    penalty: str | None = None
    widths: tuple[int, ...] = (64, 64)
    learning_rate: float = 3e-4
    steps: int = 8  # gradient steps in an update of the actor
    batch_size: int = 128
    fixed_horizon: bool = True


def transitions(spaces: Spaces, observations: np.ndarray, actions: np.ndarray, over: int = 0) -> np.ndarray:
    """What the discriminator looks at: float32 [N + over, D].

    An observation with its action beside it (choices one-hot), and a last number that is 1 for the time when the
    episode is over already, of which there are so many steps at the end, and 0 before.
    """
    if spaces.choices is not None:
        actions = np.eye(spaces.actions)[actions]
    rows = np.concatenate([observations, np.clip(actions, -1, 1), np.zeros((len(observations), 1))], axis=1)
    return np.concatenate([rows, np.repeat(nothing(spaces), over, axis=0)]).astype(np.float32)


def nothing(spaces: Spaces) -> np.ndarray:
    """The transition of an episode that is over, [1, D]."""
    return np.eye(1, spaces.observation + spaces.actions + 1, spaces.observation + spaces.actions, np.float32)


def demonstrated(
    demonstrations: Demonstrations, spaces: Spaces, horizon: int | None, every: int = 1, seed: int = 0
) -> np.ndarray:
    """The demonstrations as the discriminator sees them, [M, D].

    Args:
        demonstrations: episodes of the actor's environment.
        spaces: of that environment.
        horizon: steps that every episode is taken to last, the time after its end included; None: no such time.
        every, seed: keep only one step in so many, as of `Demonstrations.pairs`.

    Raises:
        UsageError: when they are not of these spaces.
    """
    observations, actions = demonstrations.pairs(every, seed)
    observations = observations.reshape(len(observations), -1)
    if observations.shape[1] != spaces.observation:
        raise UsageError(
            f"the demonstrations are of {demonstrations.environment}, with {observations.shape[1]} numbers an "
            f"observation, but the actor's environment has {spaces.observation}: record them in the same one."
        )
    over = 0
    if horizon is not None:
        ends = np.cumsum(demonstrations.lengths) - 1
        over = round(np.maximum(0, horizon - demonstrations.lengths[demonstrations.terminated[ends]]).sum() / every)
    return transitions(spaces, observations, spaces.from_environment(actions), over)


class AdversarialImitator(OnPolicyActor):
    """GAIL (Ho & Ermon 2016): PPO on the reward of a discriminator, which learns from every rollout.

    The environment's own rewards are never learnt from; `return` reports them all the same, to show the game.

    Episodes of different lengths betray what the reward does not say: rewards that are never negative, as minimax's,
    pay for staying alive, and rewards that are never positive for making an end, whatever was demonstrated (Kostrikov
    2019). So every episode has the same horizon: after its end comes a time in which nothing happens, which the
    discriminator sees and rewards like any step. Nobody has to act in it, and its worth, a sum, is given with the last
    step. An actor that is to hurry then hurries because the demonstrated time after the end is as long.

    Args:
        environments, options, updates, normalise, seed, jit: as of `OnPolicyActor`.
        shown: float32 [M, D], what `demonstrated` gives.
        judge: options of the discriminator.
    """

    reported: ClassVar[tuple[str, ...]] = (
        *OnPolicyActor.reported, "discriminator_loss", "discriminator_accuracy", "penalty", "reward",
    )  # fmt: skip

    def __init__(
        self,
        environments: Environments,
        options: OnPolicyOptions,
        shown: np.ndarray,
        judge: JudgeOptions = JudgeOptions(),  # noqa: B008  (frozen)
        updates: int = 1,
        normalise: bool = False,
        seed: int = 0,
        jit: bool = False,
    ):
        super().__init__(environments, options, updates, normalise, seed, jit)
        self.shown, self.judging = shown, judge
        size = shown.shape[1]
        network = networks.get("mlp").discriminator((size,), widths=judge.widths, activation="tanh", seed=seed + 2)
        mean, deviation = _moments(shown, self.spaces.observation)
        self.judge = RewardModel(
            network, judge.objective, judge.penalty, mean=mean.tolist(), deviation=deviation.tolist(), seed=seed
        )
        self.judge.compile(discriminator_optimizer=keras.optimizers.Adam(judge.learning_rate, beta_1=0.5))
        self._learn_to_judge = tf.function(self._judge_steps, autograph=False)
        self._reward = tf.function(self.judge.call, autograph=False, reduce_retracing=True)

    def clone(self, updates: int, batch_size: int) -> None:
        """Begin with what behaviour cloning makes of the demonstrations: raise the log-probability of their actions."""
        size = self.spaces.observation
        seen = self.shown[self.shown[:, -1] == 0]
        observations, actions = seen[:, :size], seen[:, size:-1]
        actions = actions.argmax(axis=1).astype(np.int32) if self.spaces.choices is not None else actions
        if self.normalise:
            self.moments.update(observations)
        mover = tf_keras.optimizers.legacy.Adam(self.options.learning_rate)
        variables = self.policy.trainable_variables

        @tf.function(autograph=False)
        def step(observations, actions):
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(self.policy(observations)[0].log_prob(actions))
            mover.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        random = np.random.default_rng(self.seed)
        for _ in range(updates):
            chosen = random.integers(len(seen), size=batch_size)
            step(tf.constant(self.seen(observations[chosen])), tf.constant(actions[chosen]))

    def network_variables(self) -> dict[str, list]:
        """Those of the policy, of the critic and of the discriminator."""
        return {**super().network_variables(), "discriminator": self.judge.discriminator.variables}

    def further_state(self) -> dict[str, Held]:
        """The optimisers, and how many steps the discriminator has made."""
        own = {name: value for name, value in self.judge.state().items() if not name.startswith("discriminator/")}
        return {**super().further_state(), **{f"judge/{name}": Held.variable(name, v) for name, v in own.items()}}

    def rewards_of(self, rollout: Rollout, random: np.random.Generator) -> tuple[np.ndarray, dict[str, float]]:
        """Teach the discriminator this rollout, and let it reward every step; [T, B]."""
        judge, horizon = self.judging, self.environments.limit
        left = np.where(rollout.terminated, horizon - rollout.lengths, 0) * judge.fixed_horizon
        own = transitions(
            self.spaces,
            rollout.observations.reshape(-1, self.spaces.observation),
            rollout.actions.reshape(-1, *rollout.actions.shape[2:]),
        )
        drawn = (judge.steps, judge.batch_size)
        at = random.integers(len(own) + left.sum(), size=drawn)
        pool = np.concatenate([own, nothing(self.spaces)])
        shown = self.shown[random.integers(len(self.shown), size=drawn)]
        figures = self._learn_to_judge(tf.constant(np.stack([shown, pool[np.minimum(at, len(own))]], axis=2)))

        each = self._reward(tf.constant(pool)).numpy()
        rewards, discount = each[:-1].reshape(left.shape), self.options.discount
        # discount + discount^2 + ... , so many terms as steps are left
        worth = left if discount == 1 else discount * (1 - discount**left) / (1 - discount)
        report = {name: float(figures[name]) for name in ("discriminator_loss", "discriminator_accuracy", "penalty")}
        return (rewards + each[-1] * worth).astype(np.float32), {**report, "reward": float(rewards.mean())}

    def _judge_steps(self, pairs: tf.Tensor) -> dict[str, tf.Tensor]:
        """One gradient step for each of the batches [steps, N, 2, D]; the means of what they report."""
        reports = [self.judge.play(batch) for batch in tf.unstack(pairs)]
        return {name: tf.add_n([report[name] for report in reports]) / len(reports) for name in reports[0]}

    def signatures(self) -> dict:
        """As of any actor; and `reward`: transitions as `transitions` gives them, [N, D] -> rewards [N]."""
        return {**super().signatures(), **self.judge.signatures()}


def _moments(shown: np.ndarray, observation: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the demonstrated observations; 0 and 1 for all that is not a number of an observation."""
    mean, deviation = np.zeros(shown.shape[1]), np.ones(shown.shape[1])
    seen = shown[shown[:, -1] == 0, :observation].astype(np.float64)
    mean[:observation] = seen.mean(axis=0)
    deviation[:observation] = np.where(seen.std(axis=0) > 0, seen.std(axis=0), 1.0)
    return mean, deviation
