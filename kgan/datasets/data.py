"""What a loaded data set is, and how it is served in batches that a resumed run meets again exactly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kgan.datasets.images import from_uint8
from kgan.errors import UsageError

ENDLESS = np.iinfo(np.int64).max

# (number, seed as int64 [2]) -> points [number, 2] float32, component of each [number] int64
Sampler = Callable[[int, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


@dataclass(frozen=True, eq=False)
class Data:
    """Examples held in memory, with what is known about them.

    Attributes:
        name: what `kgan.datasets.load` was asked for.
        split: "train", "test" or "all".
        examples: images uint8 [N, H, W, C], points float32 [N, 2], or sentences int32 [N, length].
        labels: int64 [N], indices into label_names; None where there are no classes.
        label_names: the name of each class.
        tags: for each example what it shows, e.g. {"hair": "red", "glasses": True}; None where nobody said.
        captions: for each example a sentence, e.g. "red hair blue eyes"; None likewise.
        licence: under which terms, and whose work it is.
        characters: of sentences: the vocabulary, which `kgan.datasets.texts.Vocabulary` reads them by.
        sampler: draws points afresh for every batch; only sets that are exact distributions have one.
    """

    name: str
    split: str
    examples: np.ndarray
    labels: np.ndarray | None = None
    label_names: list[str] | None = None
    tags: list[dict] | None = None
    captions: list[str] | None = None
    licence: str = ""
    characters: str | None = None
    sampler: Sampler | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (height, width, channels), (2,) for points, (length,) for sentences."""
        return self.examples.shape[1:]

    def batches(
        self,
        batch_size: int,
        *,
        first: int = 0,
        steps: int | None = None,
        seed: int = 0,
        shard: tuple[int, int] = (0, 1),
        labels: bool = False,
    ) -> tf.data.Dataset:
        """Return batches number `first`, `first` + 1, ..., each a pure function of `seed` and its number.

        So a run that stopped after batch k goes on with ``first=k + 1`` as though it had never stopped. Every epoch is
        a new permutation that visits each example once; batches run over the ends of epochs, and nothing is dropped.
        A set with a sampler has no epochs: every batch is drawn afresh.

        Args:
            batch_size: examples in a global batch.
            first: the number of the first batch.
            steps: how many batches; None for no end.
            seed: of the order, or of the drawing.
            shard: (index, number): yield only the index-th of `number` equal slices of every global batch, for the
                workers of a distributed run; put side by side the slices are the global batch.
            labels: yield (x, y) pairs, y int64 [batch].

        Returns:
            A dataset of float32 [batch_size / number, *shape]: images in [-1, 1], points as they are;
            sentences are int32.

        Raises:
            UsageError: for sizes that cannot be, or for labels that the set does not have.
        """
        index, number = shard
        if batch_size < 1:
            raise UsageError(f"batch size {batch_size} must be a whole number of at least 1.")
        if first < 0 or (steps is not None and steps < 0):
            raise UsageError(f"first batch {first} and number of batches {steps} must not be negative.")
        if not 0 <= index < number:
            raise UsageError(f"shard {index} of {number} does not exist: count from 0.")
        if batch_size % number:
            raise UsageError(f"batch size {batch_size} cannot be shared equally by {number} workers: take a multiple.")
        if labels and self.labels is None:
            raise UsageError(f"data set {self.name!r} has no labels: choose one that has, or train without.")

        part = slice(index * (batch_size // number), (index + 1) * (batch_size // number))
        serve = self._drawn if self.sampler else self._gathered
        dataset = serve(batch_size, part, first, steps, seed, labels)
        known = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY if steps is None else steps)
        dataset = dataset.apply(known).prefetch(4)
        options = tf.data.Options()
        options.autotune.enabled = False  # it can stall the end of a fit for seconds, and there is nothing to tune
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return dataset.with_options(options)

    def _gathered(
        self, batch_size: int, part: slice, first: int, steps: int | None, seed: int, labels: bool
    ) -> tf.data.Dataset:
        with tf.device("CPU:0"):  # a whole data set does not belong in a GPU's memory
            examples = tf.constant(self.examples)
            classes = tf.constant(self.labels) if labels else None

        def gather(chosen: tf.Tensor):
            chosen = tf.ensure_shape(chosen, [batch_size])[part]
            x = tf.gather(examples, chosen)
            x = from_uint8(x) if x.dtype == tf.uint8 else x
            return (x, tf.gather(classes, chosen)) if labels else x

        indices = shuffled(len(examples), seed, first * batch_size).rebatch(batch_size, drop_remainder=True)
        return indices.take(-1 if steps is None else steps).map(gather)

    def _drawn(
        self, batch_size: int, part: slice, first: int, steps: int | None, seed: int, labels: bool
    ) -> tf.data.Dataset:
        stream = tf.constant(stream_seed(seed, self.split), tf.int64)

        def draw(step: tf.Tensor):
            x, y = self.sampler(batch_size, tf.stack([stream, step]))
            return (x[part], y[part]) if labels else x[part]

        return tf.data.Dataset.range(first, ENDLESS if steps is None else first + steps).map(draw)


def shuffled(count: int, seed: int, position: int = 0) -> tf.data.Dataset:
    """Return the numbers 0 to count - 1 in a new order every epoch, without end, from any position of the sequence.

    Yields one int64 tensor an epoch, a permutation of which nothing depends on the others; of the first, what lies
    before `position` is left out.
    """
    begun, offset = divmod(position, count)

    def permutation(epoch: tf.Tensor) -> tf.Tensor:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), tf.stack([tf.constant(seed, tf.int64), epoch])
        )
        return order[tf.where(epoch == begun, offset, 0) :]

    return tf.data.Dataset.range(begun, ENDLESS).map(permutation)


def stream_seed(seed: int, split: str) -> int:
    """Keep the random numbers of the splits apart: one seed for `seed` and each split."""
    return 2 * seed + (split == "test")
