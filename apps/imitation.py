"""Imitation: a policy learnt from demonstrations, by behaviour cloning, DAgger or a discriminator (GAIL, AIRL)."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Canvas

from kgan import pictures
from kgan.app import App, Caller, Live, TrainOptions, main, open_model, save_animation, save_picture, stored_options
from kgan.control import demonstrations, imitation, imitators, keyboard
from kgan.control.adversarial_imitation import AdversarialImitator
from kgan.control.experts import END_FAILS, EXPERTS, expert
from kgan.control.imitators import ADVERSARIAL, ImitationOptions
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics.protocol import Figure
from kgan.models.cloning import BehaviourCloner
from kgan.serving import exported
from kgan.training import callbacks, devices, run

EPISODES = 50
"""Episodes that a policy is judged by, at most; Ho & Ermon's number."""


@dataclass(kw_only=True)
class Options(ImitationOptions, TrainOptions):
    """Train a policy to do as was demonstrated."""

    updates: int | None = None
    """Updates of the policy, including those of the run that is resumed; left out, 1,000. Of gail and airl each is a
    rollout of 2,048 steps and what is learnt from it, and 300 are usual."""
    batch_size: int = 64
    """Steps of the demonstrations for each update, over all devices; of gail and airl, in each of the discriminator."""


@dataclass
class GameOptions:
    """Draw the game of a run of gail or airl: the discriminator's accuracy and the actor's return, over the updates."""

    run: Path
    """A run directory, such as runs/imitation/2026-01-31_120000."""
    out: Path = Path("game.png")
    """Where the picture goes."""


@dataclass
class RecordOptions:
    """Record demonstrations: a scripted expert's, an exported policy's or your own, in a documented .npz."""

    out: Path
    """Where they go, such as cartpole.npz."""
    environment: str = "CartPole-v1"
    """A gymnasium environment."""
    model: Path | None = None
    """An exported policy, such as saved_models/my_imitation; left out, the scripted expert."""
    keyboard: bool = False
    """Play yourself, in a window: arrows or whatever its title says act, each episode begins with the first key, and
    Escape ends the recording."""
    rate: float | None = None
    """Of --keyboard: steps a second; left out, the environment's own. CartPole is easier at 10."""
    episodes: int = 10
    """How many."""
    horizon: int = 200
    """Steps after which an episode is cut off; 0 leaves the environment's own."""
    seed: int = 0
    """The same seed gives the same episodes."""


@dataclass
class PlayOptions:
    """Watch exported policies play the same episode side by side, beside the expert where there is one: a GIF."""

    models: tuple[Path, ...]
    """Exported policies of one environment, such as saved_models/cloned saved_models/gail."""
    horizon: int = 200
    """Steps after which the episode is cut off; 0 leaves the environment's own."""
    seed: int = 0
    """Of the episode."""
    out: Path = Path("play.gif")
    """Where the animation goes."""


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
        return imitators.completed(options)

    def data(self, options: Options, split: str) -> Data:
        """What was seen and done; of the expert, episodes that are played here, for dagger with its answers."""
        return imitators.to_clone(options, split, partial(learnt, options=options))

    def build(self, options: Options, data: Data) -> BehaviourCloner | AdversarialImitator:
        """A network that clones; of gail and airl, an actor in its environments."""
        return imitators.adversary(options) if options.method in ADVERSARIAL else imitators.cloner(options, data)

    def begin(self, model: BehaviourCloner | AdversarialImitator, options: Options) -> None:
        """Of gail and airl: clone first, where that is asked for."""
        if options.method in ADVERSARIAL and options.warm_start:
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
        """Beside the usual four: recording, watching, the game, and the drift."""
        return {
            "record": (RecordOptions, record),
            "play": (PlayOptions, lambda options: play(self, options)),
            "game": (GameOptions, lambda options: game(self, options)),
            "drift": (DriftOptions, lambda options: drift(self, options)),
        }


def record(options: RecordOptions) -> None:
    """Write demonstrations."""
    if options.keyboard and options.model:
        raise UsageError("--keyboard and --model were both given: one of them can play.")
    if options.keyboard:
        environment = keyboard.Keyboard(imitation.drawn(options.environment, options.horizon), options.rate)
        policy = environment.act
    else:
        environment = imitation.make(options.environment, options.horizon)
        policy = imitation.one(_policy(exported.load(options.model)) if options.model else expert(options.environment))
    found = demonstrations.record(environment, policy, options.episodes, options.seed)
    demonstrations.save(found, options.out)
    returns = found.returns
    print(
        f"wrote {options.out}: {len(returns)} episodes of {options.environment}, {int(found.lengths.sum()):,} steps, "
        f"return {returns.mean():.4g} ({returns.min():.4g} to {returns.max():.4g})\nnext:\n"
        f"  python -m apps.imitation train --environment {options.environment} --data {options.out}"
    )


def play(app: Imitation, options: PlayOptions) -> None:
    """Draw the players side by side."""
    opened = [open_model(app, path) for path in options.models]
    name = opened[0][1].environment
    if strangers := [path for path, (_, of) in zip(options.models, opened, strict=True) if of.environment != name]:
        raise UsageError(f"{strangers[0]} does not play {name} as {options.models[0]} does: give policies of one game.")
    known = {"expert": EXPERTS[name]} if name in EXPERTS else {}
    players = known | {f"{i}: {of.method}": _policy(model) for i, (model, of) in enumerate(opened, 1)}
    frames, seconds = imitation.watch(name, players, options.horizon, options.seed)
    save_animation(frames, options.out, seconds)
    print(f"wrote {options.out}: one episode of {name} by {', '.join(players)}; seed {options.seed}")


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
            training = imitators.completed(
                Options(
                    environment=options.environment, method=method, episodes=options.episodes, every=options.every,
                    horizon=options.horizon, rounds=options.rounds, updates=options.updates, seed=seed,
                )
            )  # fmt: skip
            data = app.data(training, "train")
            model = app.build(training, data)
            policy = learnt(model, data, training.updates, training)
            played = imitation.play(options.environment, policy, EPISODES, options.horizon, 7 + seed)
            runs.append(imitation.mistakes(played, known, options.horizon, options.environment in END_FAILS))
    return {method: np.stack(runs) for method, runs in curves.items()}


def game(app: Imitation, options: GameOptions) -> None:
    """Draw both players' figures of a run."""
    trained = stored_options(app, run.read_config(options.run), options.run)
    rows = callbacks.read_curves(options.run / "metrics.csv")
    if trained.method not in ADVERSARIAL or not rows:
        raise UsageError(f"{options.run} has no game to draw: give a run of --method gail that has been going a while.")
    columns = {name: [float(row[name]) for row in rows] for name in ("update", "return", "discriminator_accuracy")}
    canvas = Canvas(figsize=(6, 4), dpi=100, layout="constrained")
    axes = canvas.add_subplot()
    axes.plot(columns["update"], columns["return"], color="tab:orange")
    axes.set(title=f"{trained.environment}, {trained.method} with {trained.objective}", xlabel="update")
    axes.set_ylabel("return of the actor", color="tab:orange")
    beside = axes.twinx()
    beside.plot(columns["update"], columns["discriminator_accuracy"], color="tab:blue")
    beside.set_ylabel("accuracy of the discriminator", color="tab:blue")
    beside.set_ylim(0.45, 1.0)
    save_picture(pictures.from_figure(canvas), options.out)
    print(f"wrote {options.out}")


def learnt(model: BehaviourCloner, data: Data, updates: int, options: Options) -> imitation.BatchPolicy:
    """Train a policy on, so many updates; gives what it does."""
    model.fit(data.batches(options.batch_size, steps=updates, seed=options.seed), verbose=0, shuffle=False)
    return _policy(Live(model))


def _played(model: Caller, options: Options, count: int, seed: int) -> imitation.Played:
    episodes = min(count, EPISODES)
    return imitation.play(options.environment, _policy(model), episodes, options.horizon, 7 + seed)


def _policy(model: Caller) -> imitation.BatchPolicy:
    return lambda observations: model.call("act", observations=observations)["actions"]


if __name__ == "__main__":
    main(Imitation())
