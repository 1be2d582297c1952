"""An actor in its environments: what every one of them shares, whatever it learns by.

To `kgan.app` an actor is a model like the others: `fit` plays it against its environment instead of against data, so
that run directories, callbacks, resume, export and fine-tuning are the same. It is no `AdversarialModel`, since its
networks are tf-agents' and so of the other Keras, and since an update begins with acting, which happens in NumPy and
not in one compiled step. What the two have in common is what `kgan.app` asks of a model: `fit`, `meters`, `state`,
`weights`, `signatures`.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from kgan.control.environments import Environments, Spaces
from kgan.control.normalisation import Moments
from kgan.serving.export import Signature

RECENT = 100  # episodes whose mean return is reported while training


class Held:
    """Something to keep in checkpoints and exports, under the attributes that a Keras variable has."""

    def __init__(self, path: str, read: Callable[[], np.ndarray], assign: Callable[[np.ndarray], Any]):
        self.path, self.read, self.assign = path, read, assign

    @classmethod
    def variable(cls, path: str, variable: tf.Variable) -> "Held":
        """A TensorFlow variable."""
        return cls(path, variable.numpy, variable.assign)

    @property
    def value(self) -> np.ndarray:
        """Its present value."""
        return np.asarray(self.read())

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return self.value.shape

    def numpy(self) -> np.ndarray:
        """Its present value."""
        return self.value


class Actor(keras.Model):
    """A policy that learns by acting.

    One update is a rollout and the gradient steps that follow from it (`learn`, which a subclass defines, with
    `network_variables`, `optimizer_variables` and `signatures`). All that is random in it is a pure function of the
    seed and the number of the update, and of each episode's own seed, so that a resumed run goes on bit for bit.

    `fit` takes batches only for their number: what it learns from it does itself.
    """

    critic_steps: ClassVar[int] = 1
    reported: ClassVar[tuple[str, ...]] = ()

    def __init__(self, environments: Environments, normalise: bool, seed: int):
        """Act in these; `normalise` brings observations to mean 0 and deviation 1, and rewards to one scale."""
        super().__init__()
        self.environments, self.normalise, self.seed = environments, normalise, seed
        # Pictures are scaled in the network.
        self.moments = Moments(1 if environments.spaces.picture else environments.spaces.observation)
        self.return_moments = Moments(1)
        self.running = np.zeros(environments.count)  # discounted returns, by which rewards are scaled
        self.recent = np.full(RECENT, np.nan)
        self.updates = keras.Variable(0, dtype="int64", trainable=False, name="updates")
        self.steps = np.zeros((), np.int64)
        self.meters = {name: 0.0 for name in ("return", "steps", *self.reported)}  # sums; Keras's cost ms an update
        self.metered = 0
        self._moved: dict[str, np.ndarray] = {}
        self.built = True
        self.compile(optimizer=None, run_eagerly=True)

    # What a subclass says.

    @property
    def spaces(self) -> Spaces:
        """Of its environments."""
        return self.environments.spaces

    def learn(self, random: np.random.Generator) -> dict[str, float]:
        """Act, and learn from it; gives what to report."""
        raise NotImplementedError

    def network_variables(self) -> dict[str, list[tf.Variable]]:
        """Each network's variables, under its name."""
        raise NotImplementedError

    def further_state(self) -> dict[str, Held]:
        """Of an exact resume: optimisers, buffers."""
        return {}

    # What kgan.app and its callbacks ask of a model.

    def train_step(self, data) -> dict[str, float]:
        """One update."""
        self._go_on()
        number = int(self.updates.numpy())
        report = self.learn(np.random.default_rng([self.seed, number]))
        self.updates.assign(number + 1)
        report = {**dict.fromkeys(self.reported, 0.0), **report}  # before there is enough to learn from
        for name, value in report.items():
            self.meters[name] += value
        self.metered += 1
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, float]:
        """The means since the last reset; the return, a mean already, and the steps are those of now."""
        means = {name: total / max(1, self.metered) for name, total in self.meters.items()}
        return means | {"return": self.recent_return(), "steps": float(self.steps)}

    def reset_metrics(self) -> None:
        """Begin new means."""
        self.meters, self.metered = dict.fromkeys(self.meters, 0.0), 0

    def _maybe_symbolic_build(self, **kwargs) -> None:
        """Nothing: everything is built, and Keras cannot trace what acts."""

    def make_train_function(self, force: bool = False):
        """Acting is Python; what follows from it is compiled where it is defined."""
        self.train_function = lambda iterator: self.train_step(next(iterator))
        return self.train_function

    @property
    def weights(self) -> list[Held]:
        """All that the policy is: its networks, and the moments that it normalises by."""
        return list(self._policy_state().values())

    def save_own_variables(self, store) -> None:
        """How `kgan.serving.weights` keeps an actor."""
        for index, held in enumerate(self.weights):
            store[str(index)] = held.value

    def load_own_variables(self, store) -> None:
        """How `kgan.serving.weights` brings it back."""
        for index, held in enumerate(self.weights):
            if store[str(index)].shape != held.shape:
                raise ValueError(f"{held.path} is {held.shape}, not {store[str(index)].shape}")
            held.assign(np.asarray(store[str(index)]))

    def adopt_averages(self) -> None:
        """Nothing: an actor keeps none."""

    def state(self, optimizers: bool = True) -> dict[str, Any]:
        """All that an exact resume restores, the environments included; without optimisers, what the policy is."""
        state = {"updates": self.updates, **self._policy_state()}
        if optimizers:
            state |= self.further_state()
            state |= {f"environment/{name}": self._environment_part(name) for name in self.environments.state()}
            for name in ("running", "recent", "steps"):
                state[name] = Held(
                    name, lambda name=name: getattr(self, name), lambda a, name=name: setattr(self, name, a)
                )
            state["metrics"] = Held(
                "metrics", lambda: np.array([self.metered, *self.meters.values()]), self._set_metrics
            )
        return state

    def _set_metrics(self, array: np.ndarray) -> None:
        self.metered, sums = int(array[0]), map(float, array[1:])
        self.meters = dict(zip(self.meters, sums, strict=True))

    def _policy_state(self) -> dict[str, Held]:
        owners = {
            **self.network_variables(),
            "observations": self.moments.variables,
            "returns": self.return_moments.variables,
        }
        return {
            f"{owner}/{index:03d}": Held.variable(f"{owner}/{index:03d}", variable)
            for owner, variables in owners.items()
            for index, variable in enumerate(variables)
        }

    def _environment_part(self, name: str) -> Held:
        return Held(
            f"environment/{name}",
            lambda: self._moved.get(name, self.environments.state()[name]),
            lambda array: self._moved.__setitem__(name, np.array(array)),
        )

    def _go_on(self) -> None:
        """Bring the environments to where a restored checkpoint has them."""
        if self._moved:
            self.environments.restore(self._moved)
            self._moved = {}

    # For subclasses.

    def sight(self) -> Callable[[np.ndarray], np.ndarray]:
        """Observations [..., D] -> what the networks are given, by the moments as they are now."""
        return self.moments.as_of_now() if self.normalise else lambda observations: observations

    def seen(self, observations: np.ndarray) -> np.ndarray:
        """What the networks are given, [..., D]: by the moments from before the update, while it lasts."""
        return self.sight()(observations)

    def seen_in_graph(self, observations: tf.Tensor) -> tf.Tensor:
        """The same for tensors, inside an exported policy."""
        return self.moments.in_graph(observations) if self.normalise else observations

    def in_reward_units(self, values: tf.Tensor) -> tf.Tensor:
        """A critic's values as sums of the environment's own rewards, inside an exported policy."""
        return values * self.return_moments.scale_in_graph()[0] if self.normalise else values

    def note(self, returns: np.ndarray, steps: int) -> None:
        """Remember how the episodes went that have just ended, and count the steps."""
        self.recent = np.concatenate([self.recent, returns])[-RECENT:]
        self.steps = self.steps + steps

    def recent_return(self) -> float:
        """The mean return of the last 100 episodes; before the first has ended, of those that are under way."""
        known = self.recent[~np.isnan(self.recent)]
        return float(known.mean() if len(known) else self.environments.returns.mean())

    def scaled_rewards(self, rewards: np.ndarray, ended: np.ndarray, discount: float) -> np.ndarray:
        """Rewards [T, B] over the deviation of discounted returns, as far as these are known; clipped at 10."""
        if not self.normalise:
            return rewards
        returns = np.zeros_like(rewards, np.float64)
        for t in range(len(rewards)):
            returns[t] = self.running = self.running * discount + rewards[t]
            self.running = self.running * ~ended[t]
        self.return_moments.update(returns.reshape(-1, 1))
        return np.clip(rewards / self.return_moments.scale(), -10, 10).astype(np.float32)

    def policy_signature(self, function: Callable[..., dict[str, tf.Tensor]], seeded: bool = False) -> Signature:
        """A signature that takes observations [N, *shape], and a seed where it draws."""
        seen = self.spaces.seen
        inputs = {"observations": tf.TensorSpec([None, *seen.shape], seen.dtype, name="observations")}
        example: dict[str, Any] = {"observations": np.zeros([1, *seen.shape], seen.dtype.as_numpy_dtype)}
        if seeded:
            inputs["seed"], example["seed"] = tf.TensorSpec([], tf.int64, name="seed"), np.int64(0)
        return Signature(function, inputs, example)
