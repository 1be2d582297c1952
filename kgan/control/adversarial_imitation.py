"""Generative adversarial imitation: an actor whose reward comes from a discriminator that knows demonstrations."""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from kgan import networks
from kgan.control.actors import Held
from kgan.control.environments import Environments
from kgan.control.on_policy import OnPolicyActor, OnPolicyOptions
from kgan.control.rollouts import Rollout
from kgan.control.steps import Steps, joined, nothing, steps
from kgan.models.rewards import RewardModel, ShapedRewardModel
from kgan.networks.shaped import shaped


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
    idle_distance: float = 5.0  # of the time after the end from all else, in deviations of an observation
    state_only: bool = False  # of AIRL's reward


class AdversarialImitator(OnPolicyActor):
    """GAIL (Ho & Ermon 2016): PPO on the reward of a discriminator, which learns from every rollout.

    The environment's own rewards are never learnt from; `return` reports them all the same, to show the game.

    Episodes of different lengths betray what the reward does not say: rewards that are never negative, as minimax's,
    pay for staying alive, and rewards that are never positive for making an end, whatever was demonstrated (Kostrikov
    2019). So every episode has the same horizon: after its end comes a time in which nothing happens, which the
    discriminator sees and rewards like any step. Nobody has to act in it: a step earns how much more than nothing it
    is rewarded, which changes the sum over a fixed horizon by a constant and makes that time worth 0. An actor that is
    to hurry then hurries because the demonstrated time after the end is as long; how much that counts beside how it
    looks on the way is `judge.idle_distance`, since a smooth judge can tell apart only what is far apart.

    Args:
        environments, options, updates, normalise, seed, jit: as of `OnPolicyActor`.
        shown: what `demonstrated` gives.
        judge: options of the discriminator.
    """

    reported: ClassVar[tuple[str, ...]] = (
        *OnPolicyActor.reported, "discriminator_loss", "discriminator_accuracy", "penalty", "reward",
    )  # fmt: skip

    def __init__(
        self,
        environments: Environments,
        options: OnPolicyOptions,
        shown: Steps,
        judge: JudgeOptions = JudgeOptions(),  # noqa: B008  (frozen)
        updates: int = 1,
        normalise: bool = False,
        seed: int = 0,
        jit: bool = False,
    ):
        super().__init__(environments, options, updates, normalise, seed, jit)
        self.shown, self.judging = shown, judge
        self.judge = self.make_judge()
        self.judge.compile(discriminator_optimizer=keras.optimizers.Adam(judge.learning_rate, beta_1=0.5))
        # Not inlined, so that TensorFlow traces and optimises one step however many there are.
        once = {"autograph": False, "experimental_attributes": {"_noinline": True}}
        self._judge_step = tf.function(self.judge.play, **once)
        self._learn_to_judge = tf.function(self._judge_steps, autograph=False)
        self._reward = tf.function(self.judge.call, autograph=False, reduce_retracing=True)

    # What the discriminator is, and what it sees.

    def make_judge(self) -> RewardModel:
        """A network over transitions."""
        network, judge = self.judging_network(self.shown.transitions.shape[1]), self.judging
        return RewardModel(network, judge.objective, judge.penalty, **_listed(*self.judged_moments()), seed=self.seed)

    def shown_rows(self) -> np.ndarray:
        """The demonstrations as the judge is given them."""
        return self.shown.transitions

    def own_rows(self, rollout: Rollout) -> np.ndarray:
        """All steps of a rollout as the judge is given them; and a last one that stands for the time after ends."""
        return self.own_steps(rollout).transitions

    def own_steps(self, rollout: Rollout) -> Steps:
        """All steps of a rollout, and a last one that stands for the time after ends."""
        arrays = rollout.observations, rollout.actions, rollout.final, rollout.terminated
        return joined(steps(self.spaces, *(a.reshape(-1, *a.shape[2:]) for a in arrays)), nothing(self.spaces))

    def judging_network(self, size: int, offset: int = 2) -> keras.Model:
        """Inputs [N, size] -> [N, 1]."""
        build = networks.get("mlp").discriminator
        return build((size,), widths=self.judging.widths, activation="tanh", seed=self.seed + offset)

    def judged_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of demonstrated transitions [D]; those of actions are 0 and 1."""
        seen, size = self.spaces.observation, self.shown.transitions.shape[1]
        inside = self.shown.transitions[self.shown.transitions[:, -1] == 0, :seen].astype(np.float64)
        mean, deviation = np.zeros(size), np.ones(size)
        deviation[-1] = 1 / self.judging.idle_distance
        mean[:seen] = inside.mean(axis=0)
        deviation[:seen] = np.where(inside.std(axis=0) > 0, inside.std(axis=0), 1.0)
        return mean, deviation

    # How it learns.

    def clone(self, updates: int, batch_size: int) -> None:
        """Begin with what behaviour cloning makes of the demonstrations: raise the log-probability of their actions."""
        size = self.spaces.observation
        seen = self.shown.transitions[self.shown.transitions[:, -1] == 0]
        observations, actions = seen[:, :size], self._actions(seen)
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
        own, shown = self.own_rows(rollout), self.shown_rows()
        left = np.where(rollout.terminated, horizon - rollout.lengths, 0).sum() * judge.fixed_horizon
        drawn = (judge.steps, judge.batch_size)
        at = np.minimum(random.integers(len(own) - 1 + left, size=drawn), len(own) - 1)
        pairs = np.stack([shown[random.integers(len(shown), size=drawn)], own[at]], axis=2)
        figures = self._learn_to_judge(tf.constant(pairs))

        *rewards, idle = self._reward(tf.constant(own)).numpy()
        rewards = np.reshape(rewards, rollout.rewards.shape)
        report = {name: float(figures[name]) for name in ("discriminator_loss", "discriminator_accuracy", "penalty")}
        earned = rewards - idle if judge.fixed_horizon else rewards
        return earned.astype(np.float32), {**report, "reward": float(rewards.mean())}

    def _judge_steps(self, pairs: tf.Tensor) -> dict[str, tf.Tensor]:
        """One gradient step for each of the batches [steps, N, 2, D]; the means of what they report."""
        reports = [self._judge_step(batch) for batch in tf.unstack(pairs)]
        return {name: tf.add_n([report[name] for report in reports]) / len(reports) for name in reports[0]}

    def _actions(self, transitions: np.ndarray) -> np.ndarray:
        """The actions in them, as the policy has them."""
        actions = transitions[:, self.spaces.observation : -1]
        return actions.argmax(axis=1).astype(np.int32) if self.spaces.choices is not None else actions

    def signatures(self) -> dict:
        """As of any actor; and `reward`: transitions as `transitions` gives them, [N, D] -> rewards [N]."""
        return {**super().signatures(), **self.judge.signatures()}


class ShapedImitator(AdversarialImitator):
    """AIRL (Fu et al. 2018): as GAIL, but the discriminator is made of a reward, its shaping and the actor itself.

    What is exported as `reward` is the reward alone, from which another actor may learn, in other dynamics too where
    `judge.state_only`. The game is minimax's, whatever `judge.objective`.
    """

    def make_judge(self) -> ShapedRewardModel:
        """Two networks: one over transitions or states, one over states."""
        size, state = self.shown.transitions.shape[1], self.shown.following.shape[1]
        gain = self.judging_network(state if self.judging.state_only else size)
        shaping = self.judging_network(state, offset=3)
        network = shaped(gain, shaping, self.spaces.actions, self.options.discount)
        moments = (np.append(m, np.append(m[: state - 1], m[-1])) for m in self.judged_moments())
        return ShapedRewardModel(network, self.judging.penalty, **_listed(*moments), seed=self.seed)

    def shown_rows(self) -> np.ndarray:
        """With what they led to, and how probable the actor now finds their actions."""
        seen = self.shown.transitions
        distribution, _ = self.policy(tf.constant(self.seen(seen[:, : self.spaces.observation])))
        log_probabilities = distribution.log_prob(self._actions(seen)).numpy()
        return self._rows(self.shown, np.where(seen[:, -1] == 1, 0.0, log_probabilities))

    def own_rows(self, rollout: Rollout) -> np.ndarray:
        """With what they led to, and how probable they were."""
        return self._rows(self.own_steps(rollout), np.append(rollout.log_probabilities, 0.0))

    def _rows(self, of: Steps, log_probabilities: np.ndarray) -> np.ndarray:
        return np.concatenate([of.transitions, of.following, log_probabilities[:, None]], axis=1).astype(np.float32)


def _listed(mean: np.ndarray, deviation: np.ndarray) -> dict[str, list[float]]:
    return {"mean": mean.tolist(), "deviation": deviation.tolist()}
