"""What happens beside the updates: progress, curves, pictures, checkpoints, health, and an orderly stop.

All are ordinary Keras callbacks. They count updates, not epochs: `first` is the update from which the run
goes on (0 for a new one), and batch number k of this `fit` completes update first + k + 1. Where several updates
are done in one call (steps_per_execution) they are told of the last.
"""

import csv
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from kgan.training import checkpoints

EARLY_PICTURES = (100, 500, 1_000)


class Counting(keras.callbacks.Callback):
    """A callback that is told after which update it is called."""

    def __init__(self, first: int):
        super().__init__()
        self.first = first

    def on_train_batch_end(self, batch, logs=None):
        """Keras's hook; counts and passes on."""
        self.after_update(self.first + batch + 1, logs)

    def after_update(self, update: int, logs: dict) -> None:
        """Called after each update with its number, counted from 1."""


class Curves(Counting):
    """Every `every` updates: a row in metrics.csv, scalars for TensorBoard, and fresh means.

    The columns are `update`, the model's metrics, and `seconds` of training since the process began. Rows
    beyond the update from which a run goes on are dropped, so that the file reads as if nothing had happened.
    """

    def __init__(self, directory: Path, first: int, every: int):
        super().__init__(first)
        self.path = Path(directory) / "metrics.csv"
        self.file = self.summary = None
        self.events = Path(directory) / "tensorboard"
        self.every = every

    def on_train_begin(self, logs=None):
        """Open the file, without the rows that will be written again."""
        rows = read_curves(self.path)
        names = ["update", *self.model.meters, "seconds"]
        kept = [row for row in rows if int(row["update"]) <= self.first]
        beside = self.path.with_name(f".{self.path.name}.partial")
        with open(beside, "w", newline="", encoding="utf8") as file:
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)
        beside.replace(self.path)
        self.file = open(self.path, "a", newline="", buffering=1, encoding="utf8")
        self.writer = csv.DictWriter(self.file, names)
        self.summary = tf.summary.create_file_writer(str(self.events))
        self.began = time.perf_counter()

    def after_update(self, update, logs):
        """Write a row when it is time."""
        if update % self.every:
            return
        row = {name: float(value) for name, value in logs.items()}
        self.writer.writerow({"update": update, **row, "seconds": round(time.perf_counter() - self.began, 1)})
        with self.summary.as_default(step=update):
            for name, value in row.items():
                tf.summary.scalar(name, value)
        self.model.reset_metrics()

    def on_train_end(self, logs=None):
        """Close the files."""
        for opened in filter(None, (self.file, self.summary)):
            opened.close()


def read_curves(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics.csv; a last line cut off in the middle is left out."""
    if not Path(path).exists():
        return []
    with open(path, newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if row["update"].isdigit() and None not in row.values()]


class Progress(Counting):
    """A progress bar in updates, with the losses and an actor's return."""

    def __init__(self, first: int, updates: int, every: int):
        super().__init__(first)
        self.updates, self.every = updates, every
        self.bar: tqdm | None = None

    def on_train_begin(self, logs=None):
        """Show the bar; where nobody watches, a line every ten seconds."""
        interval = 0.2 if sys.stderr.isatty() else 10
        self.bar = tqdm(total=self.updates, initial=self.first, unit="update", mininterval=interval, desc="training")

    def after_update(self, update, logs):
        """Move on by one."""
        self.bar.update(update - self.bar.n)
        if update % self.every == 0:
            shown = {name: value for name, value in logs.items() if "_loss" in name or name == "return"}
            figures = {name.removesuffix("_loss"): f"{float(value):.3g}" for name, value in shown.items()}
            self.bar.set_postfix(figures, refresh=False)

    def on_train_end(self, logs=None):
        """Leave the bar as it stands."""
        if self.bar is not None:
            self.bar.close()


class Pictures(Counting):
    """At 100, 500, 1,000, 2,000 … updates: what `draw()` shows, as samples/000100.png …, and progress.gif.

    From 1,000 on there is a picture each 1,000 updates, from 20,000 on each 5,000, and one of the last update.
    `draw` returns uint8 [H, W, 3].
    """

    def __init__(self, directory: Path, first: int, updates: int, draw: Callable[[], np.ndarray]):
        super().__init__(first)
        self.directory = Path(directory)
        self.updates = updates
        self.draw = draw

    def after_update(self, update, logs):
        """Draw when it is time."""
        regular = update % (1_000 if update <= 20_000 else 5_000) == 0
        if update in EARLY_PICTURES or regular or update == self.updates:
            self.write(update)

    def write(self, update: int) -> None:
        """Draw now, and let the animation end with it."""
        folder = self.directory / "samples"
        folder.mkdir(exist_ok=True)
        path = folder / f"{update:06d}.png"
        Image.fromarray(self.draw()).save(beside := path.with_suffix(".partial"), format="png")
        beside.replace(path)
        write_gif([Image.open(picture) for picture in sorted(folder.glob("*.png"))], self.directory / "progress.gif")


def write_gif(pictures: Sequence[Image.Image], path: Path, milliseconds: int = 400) -> None:
    """An animation of pictures of equal size, each shown so long, the last one longest."""
    frames = [picture.convert("P", palette=Image.Palette.ADAPTIVE) for picture in pictures]
    durations = [milliseconds] * (len(frames) - 1) + [2_000]
    beside = path.with_suffix(".partial")
    frames[0].save(beside, format="gif", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    beside.replace(path)


class Checkpoints(Counting):
    """A checkpoint every `every` updates and at the end; and, to begin with, the one to go on from.

    `arrays` is what `checkpoints.latest` read. It is put back after Keras has reset the metrics, since they
    belong to what is restored. With `write=False` (every worker but the first) it only restores.
    """

    def __init__(self, directory: Path, first: int, every: int, arrays: dict | None = None, write: bool = True):
        super().__init__(first)
        self.directory = Path(directory) / "checkpoints"
        self.every, self.arrays, self.writes = every, arrays, write
        self.update = self.saved = first

    def on_epoch_begin(self, epoch, logs=None):
        """Restore, once."""
        if self.arrays is not None:
            checkpoints.restore(self.model.state(), self.arrays, self.directory)
            self.arrays = None

    def after_update(self, update, logs):
        """Save when it is time."""
        self.update = update
        if update % self.every == 0:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        """Save where training ends, unless its health has stopped it."""
        if self.update > self.saved and not getattr(self.model, "unhealthy", None):
            self.save()

    def save(self) -> None:
        """Save now."""
        if self.writes:
            checkpoints.save(self.model.state(), self.directory, self.update)
        self.saved = self.update


class Health(Counting):
    """Stops at the first loss or weight that is not a number, and warns of a game that has come to a standstill.

    The reason for a stop is left in `model.unhealthy`. Warnings go to `self.warnings` and to the terminal,
    each once: when the discriminator's loss stays below `saturated_loss` (it no longer errs, so the generator
    learns nothing), and when samples differ from one another less than `least_diversity` times as much as data
    does (`diversity()` gives that ratio).
    """

    def __init__(
        self,
        first: int,
        every: int,
        saturated_loss: float | None = None,
        diversity: Callable[[], float] | None = None,
        least_diversity: float = 0.3,
    ):
        super().__init__(first)
        self.every = every
        self.saturated_loss = saturated_loss
        self.diversity, self.least_diversity = diversity, least_diversity
        self.saturated_rows = 0
        self.warnings: dict[str, str] = {}

    def after_update(self, update, logs):
        """Look at losses and weights when a row is due, and at the samples ten rows apart."""
        if update % self.every:
            return
        # In the order of the moves, so that of several broken losses the first is named; Keras gives the alphabet's.
        losses = {name: float(logs[name]) for name in [*self.model.meters, *logs] if name in logs}
        reason = not_finite(losses, self.model)
        if reason:
            self.model.unhealthy = (
                f"stopped at update {update}: {reason}. The last checkpoint is from before that; try a lower "
                "learning rate, a penalty such as gradient-penalty, or --precision float32."
            )
            self.model.stop_training = True
            return
        judge = losses.get("discriminator_loss", np.inf)
        saturated = self.saturated_loss is not None and judge < self.saturated_loss
        self.saturated_rows = self.saturated_rows + 1 if saturated else 0
        if self.saturated_rows == 5:
            self.warn(
                "saturation",
                f"the discriminator's loss has stayed below {self.saturated_loss:g} up to update {update}: it is too "
                "good for the generator to learn from; try --objective wgan-gp, --instance-noise 0.1 or a smaller "
                "--discriminator-learning-rate.",
            )
        if self.diversity is not None and update % (10 * self.every) == 0 and update >= 500:
            ratio = self.diversity()
            if ratio < self.least_diversity:
                self.warn(
                    "collapse",
                    f"at update {update} samples differ from one another only {ratio:.0%} as much as data does: the "
                    "generator is collapsing; try --objective wgan-gp, another --seed or a smaller learning rate.",
                )

    def warn(self, about: str, sentence: str) -> None:
        """Say this, once in a run."""
        if about not in self.warnings:
            self.warnings[about] = sentence
            tqdm.write(f"warning: {sentence}", file=sys.stderr)


def not_finite(losses: dict[str, float], model: keras.Model) -> str | None:
    """Name the first loss or weight that is NaN or infinite, None when all is well."""
    for name in sorted(losses, key=lambda name: "_loss" not in name):  # a loss tells more than what follows from it
        value = losses[name]
        if not np.isfinite(value):
            return f"{name} is {value}"
    for variable in model.weights:
        if not bool(tf.reduce_all(tf.math.is_finite(tf.cast(variable.value, tf.float32)))):
            return f"the weight {variable.path} is no longer finite"
    return None


def diversity(samples: np.ndarray) -> float:
    """The mean distance between two different samples of [N, ...], N >= 2: what collapses with the modes."""
    flat = np.asarray(samples, np.float64).reshape(len(samples), -1)
    squares = (flat**2).sum(1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * flat @ flat.T, 0))
    return float(distances.sum() / (len(flat) * (len(flat) - 1)))


class OrderlyStop(Counting):
    """Ctrl-C and SIGTERM finish the update and stop; a second one stops at once. `signal` is what came."""

    def __init__(self):
        super().__init__(0)
        self.signal: int | None = None
        self.before = {}

    def on_train_begin(self, logs=None):
        """Take over the signals."""
        self.before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

    def _note(self, number, frame):
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        tqdm.write("stopping after the next update, and saving; once more stops at once", file=sys.stderr)

    def after_update(self, update, logs):
        """Stop if asked to."""
        if self.signal is not None:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        """Give the signals back."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
