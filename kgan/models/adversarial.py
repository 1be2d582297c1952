"""The game, written once: one side proposes, the other judges.

Every adversarial model of kgan is a subclass of `AdversarialModel` that says who plays and what each
player's loss is. The gradient tape, the optimisers, the metrics, the moving average of the networks and
the random numbers are here and nowhere else.
"""

import dataclasses
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import keras
import tensorflow as tf

from kgan.errors import UsageError
from kgan.optimizers import Adam

DRAWS_PER_STEP = 16  # how many independent random draws one critic step may make from its seed


class AdversarialModel(keras.Model):
    """A game between judges, who move first, and proposers, who answer them.

    One update (Goodfellow 2014, algorithm 1) is `critic_steps` moves of the judges, each on a fresh slice
    of the batch, and then one move of the proposers. The last proposal is shared: the judges learn from it
    (gradients stopped) and the proposers then learn from the judges' new opinion of the same proposal,
    which saves a forward pass and is what DCGAN's own code does; each player's gradient is exactly that of
    its own loss.

    A game may have no judges, when the data alone say how good a proposal is, or no proposers.

    A subclass sets `judges` and `proposers` (the players' names), owns a network under each of these names
    (or overrides `networks`), and defines

    - `propose(batch, seed, training)`: what the proposers offer for this batch, any nest of tensors;
    - `<player>_loss(batch, proposal, seed, training)` for each player: a scalar, and a dict of further
      scalars to report, whose names are listed in `reported`.

    Random numbers are stateless: `seed` is an int64 [2] tensor that is a pure function of the model's seed,
    the update, the critic step and the replica, so that a resumed run draws what the uninterrupted one
    would have drawn. `draw(seed, k)` derives independent seeds from it.
    """

    judges: ClassVar[tuple[str, ...]] = ("discriminator",)
    proposers: ClassVar[tuple[str, ...]] = ("generator",)
    reported: ClassVar[tuple[str, ...]] = ()

    def __init__(self, critic_steps: int = 1, average_decay: float = 0.0, seed: int = 0, **kwargs):
        """Begin a game; the subclass attaches its networks and then calls `build()`.

        Args:
            critic_steps: moves of the judges for each move of the proposers, at least 1.
            average_decay: decay of the moving average kept of each proposing network, in [0, 1); 0 keeps none.
            seed: where all of the model's random numbers come from.
        """
        super().__init__(**kwargs)
        if critic_steps < 1:
            raise UsageError(f"critic_steps is {critic_steps}, but the judges need at least 1 step an update.")
        if critic_steps > 1 and not self.judges:
            raise UsageError(f"critic_steps is {critic_steps}, but this game has no judges: leave it at 1.")
        if not 0 <= average_decay < 1:
            raise UsageError(
                f"average_decay is {average_decay}, but a decay is at least 0 and below 1 (0.999 is usual)."
            )
        self.critic_steps = critic_steps
        self.average_decay = average_decay
        self.seed = seed
        self.updates = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="updates",
            aggregation="only_first_replica",
        )  # fmt: skip
        names = [f"{player}_loss" for player in self.players] + list(self.reported)
        self.meters = {name: Meter(name=name) for name in names}

    # What a subclass says of its game.

    @property
    def players(self) -> tuple[str, ...]:
        """The players' names, in the order in which they move."""
        return self.judges + self.proposers

    def parts(self, player: str) -> tuple[str, ...]:
        """The attributes under which this player's networks are found; one of the player's own name by default."""
        return (player,)

    def networks(self, player: str) -> list[keras.Model]:
        """The networks whose weights this player moves."""
        return [getattr(self, part) for part in self.parts(player)]

    def propose(self, batch, seed: tf.Tensor, training: bool) -> Any:
        """What the proposers offer for this batch."""
        raise NotImplementedError(f"{type(self).__name__} must define propose().")

    # Setting up.

    def build(self, input_shape=None) -> None:
        """Set up the moving averages, once the subclass has attached its networks."""
        if self.average_decay:
            for part in self.averaged_parts():
                network = getattr(self, part)
                average = keras.models.clone_model(network)
                average.set_weights(network.get_weights())
                average.trainable = False
                setattr(self, f"average_{part}", average)
        self.built = True

    def averaged_parts(self) -> list[str]:
        """The attributes of the networks of which a moving average is kept, under average_<part>."""
        return [part for player in self.proposers for part in self.parts(player)] if self.average_decay else []

    def inference(self, part: str) -> keras.Model:
        """The network to use outside training: the moving average of this part where one is kept."""
        return getattr(self, f"average_{part}", getattr(self, part))

    def adopt_averages(self) -> None:
        """Let the networks go on from their moving averages."""
        for part in self.averaged_parts():
            getattr(self, part).set_weights(self.inference(part).get_weights())

    def compile(
        self, *, jit_compile: bool = False, steps_per_execution: int = 1, run_eagerly: bool = False, **optimizers
    ):
        """Give each player its optimiser, as `<player>_optimizer=...`; the default is Adam(2e-4, 0.5, 0.999).

        XLA is off unless asked for: on a CPU it is slower here and takes longer to compile.

        Raises:
            UsageError: for an optimiser of a player that is not in this game.
        """
        strangers = set(optimizers) - {f"{player}_optimizer" for player in self.players}
        if strangers:
            raise UsageError(
                f"{sorted(strangers)[0]!r} is no optimiser of this game: "
                f"give {', '.join(f'{player}_optimizer' for player in self.players)}."
            )
        for player in self.players:
            optimizer = optimizers.get(f"{player}_optimizer") or Adam(2e-4, beta_1=0.5)
            if self._uses_float16(player) and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            # An unbuilt optimiser would lose its state silently on restore.
            optimizer.build(self.variables_of(player))
            setattr(self, f"{player}_optimizer", optimizer)
        super().compile(
            optimizer=self.optimizer_of(self.players[-1]),  # the one that learning-rate callbacks act on
            auto_scale_loss=False,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
        )

    def get_compile_config(self) -> dict:
        """How `keras.Model.save` remembers the optimisers."""
        return {
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
            **{f"{p}_optimizer": keras.saving.serialize_keras_object(self.optimizer_of(p)) for p in self.players},
        }

    def compile_from_config(self, config: dict) -> None:
        """How `keras.models.load_model` brings the optimisers back."""
        self.compile(**{key: keras.saving.deserialize_keras_object(value) for key, value in config.items()})

    def _uses_float16(self, player: str) -> bool:
        return any(
            layer.compute_dtype == "float16" for network in self.networks(player) for layer in network._flatten_layers()
        )

    def get_config(self) -> dict:
        """The options of the game; a subclass adds its own, its networks and the like as `described`."""
        return {
            "name": self.name,
            "critic_steps": self.critic_steps,
            "average_decay": self.average_decay,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict) -> "AdversarialModel":
        """Build the game that `get_config` described, with fresh weights."""
        return cls(**{name: rebuilt(value) for name, value in config.items()})

    def optimizer_of(self, player: str) -> keras.optimizers.Optimizer:
        """The optimiser that moves this player."""
        return getattr(self, f"{player}_optimizer")

    def variables_of(self, player: str) -> list[keras.Variable]:
        """The trainable variables that this player moves."""
        return [variable for network in self.networks(player) for variable in network.trainable_variables]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """One mean for each player's loss and each further scalar it reports."""
        return list(self.meters.values())

    def state(self, optimizers: bool = True) -> dict[str, keras.Variable]:
        """Every variable that an exact resume must restore, by a name that says whose it is.

        Networks (with the state of their dropout), moving averages, optimisers (unless left out, as for a model that
        will only be used), update counter and metrics. They are numbered, since Keras's own names depend on what else
        the process has built before.
        """
        owners = {player: [v for n in self.networks(player) for v in n.variables] for player in self.players}
        for part in self.averaged_parts():
            owners[f"average_{part}"] = self.inference(part).variables
        for player in self.players if optimizers and self.compiled else ():
            owners[f"{player}_optimizer"] = self.optimizer_of(player).variables
        for name, meter in self.meters.items():
            owners[f"metric_{name}"] = meter.variables
        return {"updates": self.updates} | {
            f"{owner}/{index:03d}": variable
            for owner, variables in owners.items()
            for index, variable in enumerate(variables)
        }

    # Playing.

    def train_step(self, data) -> dict[str, tf.Tensor]:
        """One update, and the running means of what it reports."""
        return self._record(self.play(data))

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """Every player's loss on held-out data, in inference mode, without a move."""
        return self._record(self.judge_held_out(data))

    def play(self, data) -> dict[str, tf.Tensor]:
        """One update: the judges' moves, each on fresh data, and then the proposers'. Returns what to report."""
        report = Report()
        # Traced once however many critic steps there are; replicas cannot meet inside a function of its own.
        alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
        critic_step = self._traced_critic_step if alone else self._critic_step
        *earlier, last = self._slices(data)
        for index, batch in enumerate(earlier):
            report.add(critic_step(batch, self._seed(index)))

        seed = self._seed(self.critic_steps - 1)
        with self._tape(self.proposers) as tape:
            proposal = self.propose(last, seed, training=True)
            self._judge(last, tf.nest.map_structure(tf.stop_gradient, proposal), seed, report)
            losses = {player: self._loss(player, last, proposal, seed, report) for player in self.proposers}
        for player, loss in losses.items():
            self._move(player, tape, loss)

        self._move_averages()
        self.updates.assign_add(1)
        return report.means()

    def judge_held_out(self, data) -> dict[str, tf.Tensor]:
        """The players' losses for a batch of held-out data."""
        report = Report()
        batches_seen = next(iter(self.meters.values())).count
        position = tf.cast(batches_seen, tf.int64) * DRAWS_PER_STEP
        seed = tf.stack([tf.constant(-1 - self.seed, tf.int64), position])
        proposal = self.propose(data, seed, training=False)
        for player in self.players:
            loss, further = getattr(self, f"{player}_loss")(data, proposal, seed, training=False)
            report.add({f"{player}_loss": loss, **further})
        return report.means()

    def _critic_step(self, batch, seed) -> dict[str, tf.Tensor]:
        report = Report()
        self._judge(batch, self.propose(batch, seed, training=True), seed, report)
        return report.means()

    # Not inlined, so that TensorFlow optimises one step's graph however many there are.
    _traced_critic_step = tf.function(_critic_step, autograph=False, experimental_attributes={"_noinline": True})

    def _judge(self, batch, proposal, seed, report) -> None:
        with self._tape(self.judges) as tape:
            losses = {player: self._loss(player, batch, proposal, seed, report) for player in self.judges}
        for player, loss in losses.items():
            self._move(player, tape, loss)

    @contextmanager
    def _tape(self, players: tuple[str, ...]) -> Iterator[tf.GradientTape]:
        """A tape that watches these players' variables and nothing else."""
        with tf.GradientTape(persistent=len(players) > 1, watch_accessed_variables=False) as tape:
            for player in players:
                tape.watch([variable.value for variable in self.variables_of(player)])
            yield tape

    def _loss(self, player: str, batch, proposal, seed, report) -> tf.Tensor:
        """This player's loss, reported, and then scaled as its optimiser and the replicas need it."""
        loss, further = getattr(self, f"{player}_loss")(batch, proposal, seed, training=True)
        report.add({f"{player}_loss": loss, **further})
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return self.optimizer_of(player).scale_loss(loss / replicas if replicas > 1 else loss)

    def _move(self, player: str, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        variables = self.variables_of(player)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self.optimizer_of(player).apply_gradients(zip(gradients, variables, strict=True))

    def _record(self, report: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in report.items():
            self.meters[name].update_state(value)
        return self.get_metrics_result()

    # Keras 3.15 cannot run a custom step on several workers: it touches per-replica values while it builds,
    # and stacks the workers' logs instead of averaging them. These two overrides are all that it takes.

    def _maybe_symbolic_build(self, **kwargs) -> None:
        """Nothing: everything is built by the time `compile` returns."""

    def make_train_function(self, force: bool = False):
        """The compiled update; over several replicas, what they report is averaged."""
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return super().make_train_function(force)
        if self.train_function is None or force:

            @tf.function
            def update(iterator):
                report = strategy.run(self.play, args=(next(iterator),))
                return self._record({k: strategy.reduce("MEAN", v, axis=None) for k, v in report.items()})

            self.train_function = update
        return self.train_function

    def _move_averages(self) -> None:
        if not self.average_decay:
            return
        # Early on the average forgets faster, so that the first pictures do not show the initial weights.
        updates = tf.cast(self.updates.value, tf.float32)
        decay = tf.minimum(self.average_decay, (1.0 + updates) / (10.0 + updates))
        for part in self.averaged_parts():
            pairs = zip(self.inference(part).variables, getattr(self, part).variables, strict=True)
            pairs = [(average.value, source.value) for average, source in pairs if average.dtype == "float32"]
            _subtract([average for average, _ in pairs], [(a - s) * (1.0 - decay) for a, s in pairs])

    def _slices(self, data) -> list:
        """Split a batch into `critic_steps` equal slices; what does not divide is left out."""
        tensors = tf.nest.flatten(data)
        size = tensors[0].shape[0]
        if size is not None and size < self.critic_steps:
            raise UsageError(
                f"a batch of {size} cannot be split over {self.critic_steps} critic steps: "
                f"give batches of a multiple of {self.critic_steps}."
            )
        if self.critic_steps == 1:
            return [data]
        each = (tf.shape(tensors[0])[0] if size is None else size) // self.critic_steps
        return [
            tf.nest.map_structure(lambda x, i=i: x[i * each : (i + 1) * each], data) for i in range(self.critic_steps)
        ]

    def _seed(self, critic_step: int) -> tf.Tensor:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        stream = tf.cast(replica, tf.int64) * 2**32 + self.seed
        position = (self.updates.value * self.critic_steps + critic_step) * DRAWS_PER_STEP
        return tf.stack([stream, position])


class Meter(keras.metrics.Mean):
    """A running mean that every replica holds a copy of, so that one worker can look at it without the others."""

    def add_variable(self, shape, initializer, dtype=None, aggregation="mean", name=None) -> keras.Variable:
        """A variable that is the same everywhere; Keras's own is in parts that only all workers together can add up."""
        return keras.Variable(initializer, shape, dtype, trainable=False, aggregation="mean", name=name)


class Report:
    """What the players report within one update: scalars by name, averaged over the critic steps."""

    def __init__(self):
        self.values: dict[str, list[tf.Tensor]] = {}

    def add(self, values: dict[str, tf.Tensor]) -> None:
        """Note one more value under each name."""
        for name, value in values.items():
            self.values.setdefault(name, []).append(tf.cast(value, tf.float32))

    def means(self) -> dict[str, tf.Tensor]:
        """The mean of each name's values."""
        return {name: tf.add_n(values) / len(values) for name, values in self.values.items()}


def _subtract(variables: list[tf.Variable], amounts: list[tf.Tensor]) -> None:
    """Subtract from variables in a way that is right in a single process and in each replica of a strategy."""

    def update(strategy, variables, amounts):
        for variable, amount in zip(variables, amounts, strict=True):
            strategy.extended.update(variable, lambda v, a: v.assign_sub(a), args=(amount,), group=False)

    if tf.distribute.has_strategy():
        tf.distribute.get_replica_context().merge_call(update, args=(variables, amounts))
    else:
        for variable, amount in zip(variables, amounts, strict=True):
            variable.assign_sub(amount)


def described(part) -> Any:
    """A network, a list of them, or a dataclass of kgan (an objective, a penalty …), as a saved model can hold it."""
    if dataclasses.is_dataclass(part):
        kind = type(part)
        return {"dataclass": kind.__name__, "module": kind.__module__, "options": dataclasses.asdict(part)}
    return keras.saving.serialize_keras_object(part)


def rebuilt(description) -> Any:
    """What `described` described; a plain value is itself.

    Raises:
        UsageError: for a dataclass that is not of kgan.
    """
    if isinstance(description, dict) and "dataclass" in description:
        module = description["module"]
        if module.split(".")[0] != "kgan":  # a file from somebody else must not name what is to be run
            raise UsageError(f"the saved model asks for {module}.{description['dataclass']}, which is not of kgan.")
        return getattr(importlib.import_module(module), description["dataclass"])(**description["options"])
    return keras.saving.deserialize_keras_object(description)


def draw(seed: tf.Tensor, k: int) -> tf.Tensor:
    """The k-th independent seed (int64 [2]) derived from a step's seed, 0 <= k < DRAWS_PER_STEP."""
    if not 0 <= k < DRAWS_PER_STEP:
        raise ValueError(f"draw {k} is out of range: a step has {DRAWS_PER_STEP} independent draws.")
    return seed + tf.constant([0, k], tf.int64)
