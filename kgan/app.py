"""How every app works, written once: train, sample, evaluate and export from the command line.

An app says what its data, model, picture and figures are (`App`); `main` gives it the verbs, the run directory,
exact resume, fine-tuning and errors in one sentence. Whatever looks at a model does so through its exported
signatures, so that pictures and figures of a run are made by the very functions that will be served.
"""

import dataclasses
import functools
import math
import operator
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol

import keras
import numpy as np
import tensorflow as tf
import tyro
from PIL import Image

from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics.protocol import Figure
from kgan.models.adversarial import AdversarialModel
from kgan.serving import client, exported
from kgan.serving.export import export as write_export
from kgan.serving.weights import load_networks
from kgan.training import callbacks, checkpoints, devices, run
from kgan.training.devices import Devices


@dataclass(kw_only=True)
class TrainOptions:
    """Train a model, go on with a run, or fine-tune an export."""

    data: str = "digits"
    """Data set: a name, or folder:PATH for your own."""
    updates: int = 5_000
    """Updates of the generator, including those of the run that is resumed."""
    batch_size: int = 64
    """Real samples for each update of each player, over all devices."""
    seed: int = 0
    """Initial weights, order of the data and all noise follow from it."""
    checkpoint_every: int = 500
    """Updates between two checkpoints."""
    log_every: int = 50
    """Updates between two rows of metrics.csv."""
    strict: bool = False
    """Refuse data with damaged files instead of leaving those out."""
    devices: Annotated[Devices, tyro.conf.arg(name="")] = field(default_factory=Devices)
    runs: Path = Path("runs")
    """Where the directory of the run is made."""
    resume: Path | None = None
    """Go on exactly with this run; only --updates may be given beside it."""
    from_: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Fine-tune this exported model; what is not given is as it was trained."""


NOT_KEPT = {"runs", "resume", "from_"}
"""Options that say where to work, not what to train."""


@dataclass
class SampleOptions:
    """Draw a picture of what an exported model makes."""

    model: Path
    """An exported model, such as saved_models/digits."""
    count: int = 64
    """How many samples."""
    seed: int = 0
    """The same seed gives the same samples."""
    out: Path = Path("grid.png")
    """Where the picture goes; of sentences also .txt, for the text alone."""
    server: str | None = None
    """Ask this server for the model of that name, such as http://localhost:8501 or grpc://localhost:8500."""


@dataclass
class EvaluateOptions:
    """Measure an exported model against held-out data."""

    model: Path
    """An exported model, such as saved_models/digits."""
    data: str | None = None
    """Data set to compare with; its held-out part is used. Left out: the one it was trained on."""
    count: int = 10_000
    """How many samples to draw."""
    seed: int = 0
    """Of the samples."""
    features: str | None = None
    """Feature network of the distances: digits, efficientnet-lite0 or inception; left out, what fits the images."""


@dataclass
class ExportOptions:
    """Write the newest checkpoint of a run as a model that serves and fine-tunes."""

    run: Path
    """A run directory, such as runs/image_generation/2026-01-31_120000."""
    to: Path
    """The model's directory; a new version is added to those in it."""
    count: int = 10_000
    """Samples for the figures that go into kgan.json; 0 leaves the figures out."""


class Caller(Protocol):
    """Anything that answers a model's signatures: a live model, an export, a server."""

    def call(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """The outputs of signature `name`, as arrays."""


class Live:
    """A model in this process, called through the signatures that it would be exported with."""

    def __init__(self, model: AdversarialModel):
        self._functions = {
            name: (tf.function(signature.function), signature.inputs) for name, signature in model.signatures().items()
        }

    def call(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """The outputs of signature `name`, as arrays."""
        function, specs = self._functions[name]
        outputs = function(**{key: tf.constant(inputs[key], spec.dtype) for key, spec in specs.items()})
        return {key: value.numpy() for key, value in outputs.items()}


class App:
    """What one app is about. A subclass sets the attributes and fills in the methods.

    Its docstring's first line is what the list of apps and `--help` say of it.
    """

    name: str
    Options: type[TrainOptions] = TrainOptions

    def data(self, options: TrainOptions, split: str) -> Data:
        """The data to train on ("train") or to judge by ("test")."""
        raise NotImplementedError

    def complete(self, options: TrainOptions) -> TrainOptions:
        """The options of a training, with what follows from files that need not be there later filled in."""
        return options

    def build(self, options: TrainOptions, data: Data) -> AdversarialModel:
        """The model, compiled."""
        raise NotImplementedError

    def begin(self, model: AdversarialModel, options: TrainOptions) -> None:
        """Give a new model the weights of other models that its training starts from; unless it has its own already."""

    def finish(self, model: AdversarialModel, options: TrainOptions) -> None:
        """Work out what a trained model is exported with beside its weights."""

    def picture(self, model: Caller, options: TrainOptions, count: int = 64, seed: int = 0) -> np.ndarray:
        """What a person wants to see of the model: uint8 [H, W, 3]."""
        raise NotImplementedError

    def texts(self, model: Caller, options: TrainOptions, count: int = 64, seed: int = 0) -> list[str]:
        """Samples for a person to read, one a line; of what is only to be looked at, none."""
        return []

    def figures(
        self, model: Caller, options: TrainOptions, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """What can be measured of the model against held-out data, each with its protocol."""
        raise NotImplementedError

    def health(self, model: AdversarialModel, options: TrainOptions, data: Data) -> dict[str, Any]:
        """Further arguments of the `Health` callback: what to warn of."""
        return {}

    def verbs(self) -> dict[str, tuple[type, Callable[[Any], None]]]:
        """Verbs of its own beside the usual four: the dataclass of each one's options, and what is done with them."""
        return {}


# The verbs.


def train(app: App, options: TrainOptions, arguments: Sequence[str]) -> None:
    """Train, resume or fine-tune; leaves a run directory."""
    if options.resume and options.from_:
        raise UsageError("give either --resume, to go on with a run, or --from, to begin one from an export, not both.")
    directory, first, arrays, pretrained = None, 0, None, None
    if options.resume:
        directory = Path(options.resume)
        stored = stored_options(app, run.read_config(directory), directory)
        options = _resumed(_parse_again(app, stored, arguments), stored)
        first, arrays, damaged = checkpoints.latest(directory / "checkpoints")
        for sentence in damaged:
            print(f"warning: {sentence}", file=sys.stderr)
    elif options.from_:
        pretrained = exported.find(options.from_)
        options = _parse_again(app, stored_options(app, pretrained.card, options.from_), arguments)
    options = app.complete(options)
    _check(options)
    if first > options.updates:
        raise UsageError(
            f"--updates is {options.updates} but the run is at {first} already: give more, or leave --updates out."
        )

    strategy = devices.set_up(options.devices, options.seed)
    if strategy and options.batch_size % strategy.num_replicas_in_sync:
        raise UsageError(
            f"--batch-size {options.batch_size} cannot be shared equally by {strategy.num_replicas_in_sync} devices: "
            "give a multiple."
        )
    chief = devices.is_chief(strategy)
    data = app.data(options, "train")
    with strategy.scope() if strategy else nullcontext():
        model = app.build(options, data)
        if pretrained:
            start_from(model, pretrained)
        elif not options.resume:
            app.begin(model, options)
    if directory is None and chief:
        directory = run.create(options.runs, app.name)
    with run.lock(directory) if chief else nullcontext():
        if chief:
            if not options.resume:  # a run is one from which one can go on, from its very beginning
                checkpoints.save(model.state(), directory / "checkpoints", 0)
            run.write_config(directory, {"app": app.name, "options": _kept(options), "from": _text(options.from_)})
        _fit(app, options, model, data, strategy, directory, first, arrays)


def _fit(app, options, model, data, strategy, directory, first, arrays) -> None:
    chief = devices.is_chief(strategy)
    stop = callbacks.OrderlyStop()
    saver = callbacks.Checkpoints(directory or options.runs, first, options.checkpoint_every, arrays, write=chief)
    beside: list[keras.callbacks.Callback] = [
        callbacks.Health(first, options.log_every, **app.health(model, options, data))
    ]
    if chief:
        live = Live(model)
        beside += [
            callbacks.Progress(first, options.updates, options.log_every),
            callbacks.Curves(directory, first, options.log_every),
            callbacks.Pictures(directory, first, options.updates, lambda: app.picture(live, options)),
        ]
        print(f"{app.name}: {options.updates - first:,} updates on {options.data}, in {directory}", flush=True)
    # The checkpoint comes after the row of the curves, which begins new means, and so belongs to what it saves.
    steps, called = options.updates - first, [*beside, saver, stop]
    if isinstance(model, AdversarialModel) and strategy is None:
        due = math.gcd(first, options.updates, options.log_every, options.checkpoint_every, callbacks.EARLY_PICTURES[0])
        model.steps_per_execution = max(k for k in range(1, options.devices.updates_per_call + 1) if due % k == 0)
    try:
        # Keras is told the number of steps, since over several devices it would find the end by an update without data.
        model.fit(
            _batches(options, model, data, strategy, first),
            epochs=min(1, steps), steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=called,
        )  # fmt: skip
    except BaseException:
        for callback in called:  # Keras does not; the bar would run into the message, and signals stay taken
            callback.on_train_end()
        raise

    if reason := getattr(model, "unhealthy", None):
        raise UsageError(f"{reason} The run is {directory}.")
    if not chief:
        return
    this = f"python -m apps.{app.name}"
    if stop.signal is not None and saver.update < options.updates:
        print(f"\nstopped and saved at update {saver.update:,}. To go on:\n  {this} train --resume {directory}")
        sys.exit(128 + stop.signal)
    pictures = sorted((directory / "samples").glob("*.png"))
    shown = f"  pictures     {pictures[-1]}, {directory / 'progress.gif'}\n" if pictures else ""
    print(
        f"\ndone: {saver.update:,} updates\n{shown}  curves       {directory / 'metrics.csv'} "
        f"(or: tensorboard --logdir {directory})\nnext:\n"
        f"  {this} export --run {directory} --to saved_models/my_{app.name}\n"
        f"  {this} train --resume {directory} --updates {2 * options.updates}"
    )


def _batches(options, model, data, strategy, first):
    size, steps = options.batch_size * model.critic_steps, options.updates - first
    if strategy is None:
        return data.batches(size, first=first, steps=steps, seed=options.seed)
    replicas = strategy.num_replicas_in_sync

    def of_this_worker(context):
        shard = (context.input_pipeline_id, context.num_input_pipelines)
        slices = data.batches(size, first=first, steps=steps, seed=options.seed, shard=shard)
        return slices.rebatch(size // replicas, drop_remainder=True)

    return strategy.distribute_datasets_from_function(of_this_worker)


def start_from(model: AdversarialModel, pretrained: exported.Export) -> None:
    """Give a new model an export's weights, so that before its first update it is exactly the exported model."""
    load_networks(model, pretrained.weights)
    model.updates.assign(0)


def sample(app: App, options: SampleOptions) -> None:
    """Draw samples of an exported model."""
    if options.count < 1:
        raise UsageError(f"--count is {options.count}: give at least 1.")
    model, trained = open_model(app, options.model, options.server)
    texts = app.texts(model, trained, options.count, options.seed)
    if texts and options.out.suffix == ".txt":
        save_texts(texts, options.out)
    else:
        save_picture(app.picture(model, trained, options.count, options.seed), options.out)
    for text in texts:
        print(text)
    print(f"wrote {options.out}: {options.count} samples of {options.model}, seed {options.seed}")


def evaluate(app: App, options: EvaluateOptions) -> None:
    """Print an exported model's figures."""
    if options.count < 2:
        raise UsageError(f"--count is {options.count}: give at least 2 samples to measure.")
    model, trained = open_model(app, options.model)
    if options.data:
        trained = dataclasses.replace(trained, data=options.data)
    data = app.data(trained, "test")
    for figure in app.figures(model, trained, data, options.count, options.seed, options.features):
        print(figure)


def export(app: App, options: ExportOptions) -> None:
    """Write a run's newest checkpoint as an exported model."""
    if options.count != 0 and options.count < 2:
        raise UsageError(f"--count is {options.count}: give at least 2 samples to measure, or 0 to measure nothing.")
    trained = stored_options(app, run.read_config(options.run), options.run)
    update, arrays, damaged = checkpoints.latest(options.run / "checkpoints")
    for sentence in damaged:
        print(f"warning: {sentence}", file=sys.stderr)
    # Whatever it was trained in and on, it is served by one device in float32, which every machine has.
    devices.set_up(dataclasses.replace(trained.devices, strategy="one", precision="float32", jit=False), trained.seed)
    data = app.data(trained, "test")
    model = app.build(trained, data)
    networks = model.state(optimizers=False)
    checkpoints.restore(networks, {name: arrays[name] for name in arrays.keys() & networks.keys()}, options.run)
    app.finish(model, trained)
    figures = app.figures(Live(model), trained, data, options.count) if options.count else []
    card = {
        "app": app.name,
        "options": _kept(trained),
        "updates": update,
        "data": {"name": data.name, "shape": list(data.shape), "licence": data.licence},
        "figures": [dataclasses.asdict(figure) for figure in figures],
    }
    version = write_export(model, options.to, card=card)
    for figure in figures:
        print(figure)
    this = f"python -m apps.{app.name}"
    print(
        f"exported update {update:,} to {version}\nnext:\n  {this} sample --model {options.to}\n"
        f"  {this} train --from {options.to} --updates 1000"
    )


# The command line.


def main(app: App, arguments: Sequence[str] | None = None) -> None:
    """Run an app's command line; a user's mistake is one sentence and exit status 2."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    verbs = {
        "train": (app.Options, lambda options: train(app, options, arguments[1:])),
        "sample": (SampleOptions, lambda options: sample(app, options)),
        "evaluate": (EvaluateOptions, lambda options: evaluate(app, options)),
        "export": (ExportOptions, lambda options: export(app, options)),
        **app.verbs(),
    }
    kinds = [Annotated[kind, tyro.conf.subcommand(verb, prefix_name=False)] for verb, (kind, _) in verbs.items()]
    try:
        options = tyro.cli(
            functools.reduce(operator.or_, kinds),
            args=arguments,
            prog=f"python -m apps.{app.name}",
            description=app.__doc__,
            config=_STYLE,
        )
        action = next(act for kind, act in verbs.values() if isinstance(options, kind))
        action(options)
    except UsageError as error:
        sys.exit(_say(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.errno is None:
            raise
        sys.exit(_say(f"{error.filename or 'writing'}: {error.strerror}; make room or permission, and try again."))


_STYLE = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)


def _say(error: object) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2


def _parse_again(app: App, stored: TrainOptions, arguments: Sequence[str]) -> TrainOptions:
    """The options on the command line, with the stored ones instead of the defaults."""
    return tyro.cli(app.Options, args=list(arguments), default=stored, config=_STYLE)


def stored_options(app: App, config: dict, source: Path) -> TrainOptions:
    """The options that a run or an export was trained with.

    Raises:
        UsageError: when it belongs to another app or another version of this one.
    """
    if config.get("app") != app.name:
        raise UsageError(
            f"{source} is of the app {config.get('app')!r}, not {app.name}: use python -m apps.{config.get('app')}."
        )
    try:
        # JSON gives a tuple back as a list.
        kept = {name: tuple(v) if isinstance(v, list) else v for name, v in config["options"].items()}
        kept["devices"] = devices.Devices(**kept["devices"])
        return app.Options(**kept)
    except (TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"the options in {source} are not those of this version of kgan ({error}).") from None


def _resumed(options: TrainOptions, stored: TrainOptions) -> TrainOptions:
    """The options to resume with: as stored, but for the number of updates and the threads."""
    free = NOT_KEPT | {"updates", "devices"}
    for one in dataclasses.fields(stored):
        if one.name not in free and getattr(options, one.name) != getattr(stored, one.name):
            raise UsageError(
                f"--{one.name.replace('_', '-')} cannot change in the middle of a run (it is "
                f"{getattr(stored, one.name)!r}): leave it out, or begin a run of its own with --from an export."
            )
    return options


def _kept(options: TrainOptions) -> dict:
    return {name: value for name, value in dataclasses.asdict(options).items() if name not in NOT_KEPT}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _check(options: TrainOptions) -> None:
    for name, least in {"updates": 0, "batch_size": 1, "seed": 0, "checkpoint_every": 1, "log_every": 1}.items():
        if getattr(options, name) < least:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give at least {least}.")


def open_model(
    app: App, path: Path, server: str | None = None
) -> tuple[exported.Exported | client.Client, TrainOptions]:
    """An exported model of this app, here or on a server, and the options that it was trained with."""
    if server is None:
        model = exported.load(path)
        return model, stored_options(app, model.card, path)
    name = f"{path.parent.name}/{path.name}" if path.name.isdecimal() else path.name
    model = client.Client(f"{server.rstrip('/')}/{name}")
    # TF Serving answers for a model but does not say how it was made: then the files here do.
    return model, stored_options(app, model.card() or exported.find(path).card, path)


def save_picture(picture: np.ndarray, path: Path) -> None:
    """Write a picture, uint8 [H, W, 3]; UsageError where that is not possible."""
    try:
        Image.fromarray(picture).save(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write the picture {path} ({error}): give a writable file such as grid.png.") from None


def save_animation(frames: Sequence[np.ndarray], path: Path, seconds: float) -> None:
    """Write pictures of one size, uint8 [H, W, 3], as a GIF, so long each; UsageError where that is not possible."""
    if path.suffix != ".gif":
        raise UsageError(f"cannot write {path}: an animation is a GIF, so give a name such as play.gif.")
    try:
        callbacks.write_gif([Image.fromarray(frame) for frame in frames], path, max(20, round(1000 * seconds)))
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror}): give a writable file.") from None


def save_texts(texts: Sequence[str], path: Path) -> None:
    """Write texts, one a line, in UTF-8; UsageError where that is not possible."""
    try:
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the text {path} ({error}): give a writable file such as samples.txt.") from None
