"""Imitation: a policy learnt from demonstrations, by behaviour cloning, DAgger or a discriminator (GAIL)."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import gymnasium
import keras
import numpy as np
from matplotlib.figure import Figure as Canvas

from kgan import networks, pictures
from kgan.app import App, Caller, Live, TrainOptions, main, save_picture, stored_options
from kgan.control import demonstrations, imitation
from kgan.control.adversarial_imitation import AdversarialImitator, JudgeOptions, demonstrated
from kgan.control.environments import Environments
from kgan.control.experts import END_FAILS, EXPERTS, expert
from kgan.control.on_policy import OnPolicyOptions
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics.protocol import Figure
from kgan.models.cloning import BehaviourCloner
from kgan.networks.mlp import standardised
from kgan.serving import exported
from kgan.training import callbacks, devices, run

COPIES = 16
"""Of the environment in which gail plays."""
EPISODES = 50
"""Episodes that a policy is judged by, at most; Ho & Ermon's number."""


@dataclass(kw_only=True)
class Options(TrainOptions):
    """Train a policy to do as was demonstrated."""

    environment: str = "CartPole-v1"
    """A gymnasium environment whose observations are numbers, such as CartPole-v1, MountainCar-v0, Acrobot-v1."""
    data: str = "expert"
    """Whom to imitate: expert (a scripted one, of the three environments above), or a file of demonstrations that
    `record` has written, or a data set of Minari's (its directory)."""
    method: Literal["behaviour-cloning", "dagger", "gail"] = "behaviour-cloning"
    """behaviour-cloning learns from the demonstrations alone; dagger also asks the expert about where it goes; gail
    plays in the environment until a discriminator cannot tell it from the demonstrations."""
    episodes: int = 7
    """Episodes of the demonstrations to learn from; what else a file holds is held out."""
    every: int = 1
    """Learn from one step in so many only, from a first one at random; 10 is Ho & Ermon's for CartPole."""
    horizon: int = 200
    """Steps after which an episode is cut off, the same for good and bad players; 0 leaves the environment's own."""
    objective: str = "wasserstein"
    """Of gail: the game, any of image_generation's; minimax is Ho & Ermon's."""
    penalty: str = "gradient-penalty"
    """Of gail: what keeps the discriminator smooth; none for nothing."""
    discriminator_learning_rate: float = 3e-4
    """Of gail: how fast the discriminator learns, by Adam."""
    warm_start: int = 0
    """Of gail: updates of behaviour cloning before the game begins."""
    rounds: int = 8
    """Of dagger: times that it plays an episode and asks the expert about every step."""
    round_updates: int = 250
    """Of dagger: updates in each round, before it plays."""
    width: int = 64
    """Units of each of the two hidden layers."""
    learning_rate: float | None = None
    """Adam's, falling to zero over the run; left out, 0.003, and 0.001 for gail."""
    average_decay: float = 0.99
    """Decay of the policy's moving average, which is what acts; 0 for none."""
    updates: int | None = None
    """Updates of the policy, including those of the run that is resumed; left out, 1,000. Of gail each is a rollout of
    2,048 steps and what is learnt from it, and 300 are usual."""
    batch_size: int = 64
    """Steps of the demonstrations for each update, over all devices; of gail, in each step of the discriminator."""


@dataclass
class GameOptions:
    """Draw the game of a run of gail: the discriminator's accuracy and the actor's return, over the updates."""

    run: Path
    """A run directory, such as runs/imitation/2026-01-31_120000."""
    out: Path = Path("game.png")
    """Where the picture goes."""


@dataclass
class RecordOptions:
    """Record demonstrations: episodes of a scripted expert or of an exported policy, in a documented .npz."""

    out: Path
    """Where they go, such as cartpole.npz."""
    environment: str = "CartPole-v1"
    """A gymnasium environment."""
    model: Path | None = None
    """An exported policy, such as saved_models/my_imitation; left out, the scripted expert."""
    episodes: int = 10
    """How many."""
    horizon: int = 200
    """Steps after which an episode is cut off; 0 leaves the environment's own."""
    seed: int = 0
    """The same seed gives the same episodes."""


@dataclass
class DriftOptions:
    """Show what behaviour cloning cannot do: its mistakes grow faster than the horizon, and DAgger's do not."""

    environment: str = "CartPole-v1"
    """One that has a scripted expert: CartPole-v1, MountainCar-v0 or Acrobot-v1."""
    episodes: int = 1
    """Episodes of the expert to begin with."""
    every: int = 10
    """Learn from one step in so many only."""
    horizon: int = 500
    """The longest horizon."""
    repeats: int = 5
    """Trainings to average over, each from demonstrations of its own."""
    rounds: int = 8
    """Of dagger: times that it plays an episode and asks the expert."""
    updates: int = 1_000
    """Updates of each training, beside those of dagger's rounds."""
    seed: int = 0
    """Of the first one."""
    out: Path = Path("drift.png")
    """Where the picture goes."""


class Imitation(App):
    """Imitation: a policy learnt from demonstrations. `record` makes some; `drift` shows what cloning cannot do."""

    name = "imitation"
    Options = Options

    def complete(self, options: Options) -> Options:
        """What is usual for the method."""
        return completed(options)

    def data(self, options: Options, split: str) -> Data:
        """What was seen and done; of the expert, episodes that are played here, for dagger with its answers."""
        shown, seed = _shown(options, split)
        observations, actions = shown.pairs(options.every, seed)
        licence = f"as the author of {options.data} has it"
        if options.data == "expert":
            licence = "episodes played on this machine, free to use"
        if options.method == "dagger" and split == "train":
            observations, actions = imitation.dagger(
                options.environment, expert(options.environment), observations, actions, _learner(self, options),
                rounds=options.rounds, horizon=options.horizon, every=options.every, seed=options.seed,
            )  # fmt: skip
        return _packed(options, split, observations, actions, licence)

    def build(self, options: Options, data: Data) -> BehaviourCloner | AdversarialImitator:
        """Two hidden layers over observations of mean 0 and variance 1; of gail, an actor in its environments."""
        if options.method == "gail":
            return _gail(options)
        space = imitation.make(options.environment).action_space
        discrete = isinstance(space, gymnasium.spaces.Discrete)
        columns = 1 if discrete else space.shape[0]
        size = data.shape[0] - columns
        network = networks.get("mlp").discriminator(
            (size,), widths=(options.width,) * 2, activation="tanh", seed=options.seed,
            outputs=int(space.n) if discrete else columns,
        )  # fmt: skip
        network = standardised(network, data.examples[:, :size])
        model = BehaviourCloner(network, discrete, average_decay=options.average_decay, seed=options.seed)
        decay = keras.optimizers.schedules.CosineDecay(options.learning_rate, max(1, options.updates))
        model.compile(policy_optimizer=keras.optimizers.Adam(decay), jit_compile=options.devices.jit)
        return model

    def begin(self, model: BehaviourCloner | AdversarialImitator, options: Options) -> None:
        """Of gail: clone first, where that is asked for."""
        if options.method == "gail" and options.warm_start:
            model.clone(options.warm_start, options.batch_size)

    def picture(self, model: Caller, options: Options, count: int = 20, seed: int = 0) -> np.ndarray:
        """The returns of the policy's episodes, and where there is an expert, its mistakes along the way."""
        played = _played(model, options, count, seed)
        known = EXPERTS.get(options.environment)
        canvas = Canvas(figsize=(9 if known else 5, 3.5), dpi=100, layout="constrained")
        axes = canvas.subplots(1, 2 if known else 1, squeeze=False)[0]
        axes[0].plot(np.sort(played.returns), "o-", color="tab:orange")
        axes[0].set(title=f"{options.environment}, {options.method}", xlabel="episode, worst first", ylabel="return")
        if known:
            horizon = int(played.lengths.max())
            counted = imitation.mistakes(played, known, horizon, options.environment in END_FAILS)
            axes[1].plot(1 + np.arange(horizon), counted, color="tab:red")
            axes[1].set(title="otherwise than the expert", xlabel="steps", ylabel="mistakes so far")
        return pictures.from_figure(canvas)

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """The policy's return, and how often it does otherwise than demonstrated."""
        played = _played(model, options, count, seed)
        episodes = len(played.returns)
        how = f"{options.environment}, at most {int(played.lengths.max())} steps, {episodes} episodes; seed {seed}"
        spread = float(played.returns.std(ddof=1) / np.sqrt(episodes)) if episodes > 1 else None
        found = [Figure("return", float(played.returns.mean()), how, spread)]
        if np.issubdtype(played.actions.dtype, np.integer):
            size = played.observations.shape[1]
            wrong = _policy(model)(data.examples[:, :size]) != data.examples[:, size]
            found.append(Figure("share of other actions", float(wrong.mean()), f"{len(wrong):,} demonstrated steps"))
        if known := EXPERTS.get(options.environment):
            own = float((known(played.observations) != played.actions).mean())
            best = imitation.play(options.environment, known, episodes, options.horizon, seed)
            found += [
                Figure("share of other actions where it goes itself", own, how),
                Figure("return of the expert", float(best.returns.mean()), how),
            ]
        return found

    def verbs(self):
        """Beside the usual four: recording, the drift, and the game."""
        return {
            "game": (GameOptions, lambda options: game(self, options)),
            "record": (RecordOptions, record),
            "drift": (DriftOptions, lambda options: drift(self, options)),
        }


def record(options: RecordOptions) -> None:
    """Write demonstrations."""
    environment = imitation.make(options.environment, options.horizon)
    if options.model is None:
        policy = expert(options.environment)
    else:
        policy = _policy(exported.load(options.model))
    found = demonstrations.record(environment, _one(policy), options.episodes, options.seed)
    demonstrations.save(found, options.out)
    returns = found.returns
    print(
        f"wrote {options.out}: {len(returns)} episodes of {options.environment}, {int(found.lengths.sum()):,} steps, "
        f"return {returns.mean():.4g} ({returns.min():.4g} to {returns.max():.4g})\nnext:\n"
        f"  python -m apps.imitation train --environment {options.environment} --data {options.out}"
    )


def drift(app: Imitation, options: DriftOptions) -> None:
    """Train both ways, and draw the mistakes by the horizon."""
    if options.repeats < 1:
        raise UsageError(f"--repeats is {options.repeats}: give at least 1.")
    devices.set_up(devices.Devices(), options.seed)
    curves = drift_curves(app, options)
    canvas = Canvas(figsize=(6, 4), dpi=100, layout="constrained")
    axes = canvas.add_subplot()
    steps = 1 + np.arange(options.horizon)
    for (method, runs), colour in zip(curves.items(), ("tab:red", "tab:blue"), strict=True):
        axes.plot(steps, runs.T, color=colour, alpha=0.25, linewidth=1)
        axes.plot(steps, runs.mean(axis=0), color=colour, linewidth=2, label=method)
        quarter, whole = runs.mean(axis=0)[[options.horizon // 4 - 1, -1]]
        how = f"{options.environment}, mean of {options.repeats} trainings of {EPISODES} episodes; seed {options.seed}"
        print(Figure(f"mistakes in {options.horizon // 4} steps, {method}", float(quarter), how))
        print(Figure(f"mistakes in {options.horizon} steps, {method}", float(whole), how))
    axes.set(title=options.environment, xlabel="horizon", ylabel="mistakes until then")
    axes.legend()
    save_picture(pictures.from_figure(canvas), options.out)
    print(f"wrote {options.out}")


def drift_curves(app: Imitation, options: DriftOptions) -> dict[str, np.ndarray]:
    """The mistakes by the horizon, [repeats, horizon], of either method."""
    curves: dict[str, list[np.ndarray]] = {"behaviour-cloning": [], "dagger": []}
    known = expert(options.environment)
    for method, runs in curves.items():
        for seed in range(options.seed, options.seed + options.repeats):
            training = completed(
                Options(
                    environment=options.environment, method=method, episodes=options.episodes, every=options.every,
                    horizon=options.horizon, rounds=options.rounds, updates=options.updates, seed=seed,
                )
            )  # fmt: skip
            data = app.data(training, "train")
            model = app.build(training, data)
            _fit(model, data, training.updates, training)
            played = _played(Live(model), training, EPISODES, seed)
            runs.append(imitation.mistakes(played, known, options.horizon, options.environment in END_FAILS))
    return {method: np.stack(runs) for method, runs in curves.items()}


def game(app: Imitation, options: GameOptions) -> None:
    """Draw both players' figures of a run."""
    trained = stored_options(app, run.read_config(options.run), options.run)
    rows = callbacks.read_curves(options.run / "metrics.csv")
    if trained.method != "gail" or not rows:
        raise UsageError(f"{options.run} has no game to draw: give a run of --method gail that has been going a while.")
    columns = {name: [float(row[name]) for row in rows] for name in ("update", "return", "discriminator_accuracy")}
    canvas = Canvas(figsize=(6, 4), dpi=100, layout="constrained")
    axes = canvas.add_subplot()
    axes.plot(columns["update"], columns["return"], color="tab:orange")
    axes.set(title=f"{trained.environment}, gail with {trained.objective}", xlabel="update")
    axes.set_ylabel("return of the actor", color="tab:orange")
    beside = axes.twinx()
    beside.plot(columns["update"], columns["discriminator_accuracy"], color="tab:blue")
    beside.set_ylabel("accuracy of the discriminator", color="tab:blue")
    beside.set_ylim(0.45, 1.0)
    save_picture(pictures.from_figure(canvas), options.out)
    print(f"wrote {options.out}")


def completed(options: Options) -> Options:
    """The options with what was left out filled in, as is usual for the method.

    Raises:
        UsageError: for options out of range, or that do not go together.
    """
    of_gail = options.method == "gail"
    usual = {"updates": 300 if of_gail else 1_000, "learning_rate": 1e-3 if of_gail else 3e-3}
    options = dataclasses.replace(options, **{n: v for n, v in usual.items() if getattr(options, n) is None})
    _check(options)
    return options


def _shown(options: Options, split: str) -> tuple[demonstrations.Demonstrations, int]:
    """The demonstrations to learn from, or to judge by; and their seed."""
    environment = imitation.make(options.environment, options.horizon)
    seed = 2 * options.seed + (split == "test")
    if options.data == "expert":
        return demonstrations.record(environment, _one(expert(options.environment)), options.episodes, seed), seed
    shown = demonstrations.load(options.data, environment)
    held_out = split == "test" and len(shown.lengths) > options.episodes
    return shown.between(*((options.episodes, len(shown.lengths)) if held_out else (0, options.episodes))), seed


def _gail(options: Options) -> AdversarialImitator:
    """PPO in sixteen copies of the environment, on the reward of a discriminator."""
    environments = Environments(options.environment, COPIES, options.seed, limit=options.horizon or None)
    shown, seed = _shown(options, "train")
    rules = OnPolicyOptions(
        rollout=128, minibatch=256, epochs=5, entropy=0.01, learning_rate=options.learning_rate, decay=True,
        widths=(options.width,) * 2,
    )  # fmt: skip
    judge = JudgeOptions(
        objective=options.objective, penalty=options.penalty, widths=(options.width,) * 2,
        learning_rate=options.discriminator_learning_rate, batch_size=options.batch_size,
    )  # fmt: skip
    rows = demonstrated(shown, environments.spaces, environments.limit, options.every, seed)
    return AdversarialImitator(environments, rules, rows, judge, options.updates, True, options.seed)


def _learner(app: Imitation, options: Options):
    """What dagger learns by between its rounds: one policy that goes on, on all there is so far."""
    made: list[BehaviourCloner] = []

    def learn(observations: np.ndarray, actions: np.ndarray) -> imitation.BatchPolicy:
        data = _packed(options, "train", observations, actions, "")
        if not made:
            made.append(app.build(dataclasses.replace(options, updates=10**9), data))
        _fit(made[0], data, options.round_updates, options)
        return _policy(Live(made[0]))

    return learn


def _fit(model: BehaviourCloner, data: Data, updates: int, options: Options) -> None:
    batches = data.batches(options.batch_size, steps=updates, seed=options.seed)
    model.fit(batches, verbose=0, shuffle=False)


def _packed(options: Options, split: str, observations: np.ndarray, actions: np.ndarray, licence: str) -> Data:
    columns = [part.reshape(len(part), -1).astype(np.float32) for part in (observations, actions)]
    name = f"{options.environment} by {options.data}"
    return Data(name=name, split=split, examples=np.concatenate(columns, axis=1), licence=licence)


def _played(model: Caller, options: Options, count: int, seed: int) -> imitation.Played:
    episodes = min(count, EPISODES)
    return imitation.play(options.environment, _policy(model), episodes, options.horizon, 7 + seed)


def _policy(model: Caller) -> imitation.BatchPolicy:
    return lambda observations: model.call("act", observations=observations)["actions"]


def _one(policy: imitation.BatchPolicy) -> demonstrations.Policy:
    return lambda observation: policy(np.asarray(observation, np.float32)[None])[0]


def _check(options: Options) -> None:
    if options.method == "gail" and (options.devices.strategy != "one" or options.devices.precision != "float32"):
        raise UsageError("--method gail trains on one device in float32: leave out --strategy and --precision.")
    for name in ("episodes", "every", "round_updates"):
        if getattr(options, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give at least 1.")
    for name in ("rounds", "horizon", "warm_start"):
        if getattr(options, name) < 0:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give 0 or more.")
    for name in ("learning_rate", "discriminator_learning_rate"):
        if not 0 < getattr(options, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give more than 0, less than 1.")
    if options.method == "dagger" and options.data != "expert":
        raise UsageError(
            f"--method dagger asks the expert as it goes, which the file {options.data} cannot answer: "
            "leave --data out, or use behaviour-cloning."
        )


if __name__ == "__main__":
    main(Imitation())
