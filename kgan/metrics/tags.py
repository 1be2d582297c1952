"""A small classifier of drawn faces: it reads off a picture what the face shows, and ships with kgan.

It has nothing to do with any generator, so that a picture that was asked for in words, or edited, can be held to them.
`python -m benchmarks.face_classifier` trains it and writes its weights. Every copy of kgan has the same.
"""

from functools import cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kgan.datasets.faces import EYES, HAIR, HAIR_STYLES, MOUTHS, SKIN
from kgan.errors import UsageError

SIDE = 64
WEIGHTS = Path(__file__).parent / "files" / "face_classifier.weights.h5"
BATCH_SIZE = 100
DESCRIPTION = "classifier of faces, 64 × 64"

TAGS: dict[str, tuple] = {
    "hair": tuple(HAIR),
    "eyes": tuple(EYES),
    "skin": tuple(SKIN),
    "hair_length": tuple(HAIR_STYLES),
    "glasses": (False, True),
    "mouth": tuple(MOUTHS),
}
"""What is read, and the values that each can have, in the order of the logits; as in the tags of `faces`."""


def face_classifier() -> keras.Model:
    """Build the classifier, with fresh weights.

    Four convolutions that halve the image and one dense layer, all with batch normalisation; a layer of logits for each
    tag.

    Returns:
        a model of float32 images [N, 64, 64, 3] in [0, 255] that gives the logits [N, values] by the name of the tag.
    """
    images = keras.Input((SIDE, SIDE, 3))
    hidden = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    for width, kernel in ((24, 4), (48, 3), (64, 3), (64, 3)):
        convolution = keras.layers.Conv2D(width, kernel, 2, padding="same", use_bias=False)
        hidden = _activated(convolution(hidden))
    hidden = keras.layers.Dense(96, use_bias=False)(keras.layers.Flatten()(hidden))
    hidden = keras.layers.Dropout(0.2)(_activated(hidden))
    logits = {tag: keras.layers.Dense(len(values), dtype="float32", name=tag)(hidden) for tag, values in TAGS.items()}
    return keras.Model(images, logits, name="face_classifier")


def _activated(features: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(features))


def load_face_classifier() -> keras.Model:
    """Build the classifier with the weights that ship; shapes as in face_classifier."""
    model = face_classifier()
    model.load_weights(WEIGHTS)
    return model


def read_tags(images: np.ndarray) -> dict[str, np.ndarray]:
    """Read the tags of faces.

    Args:
        images: uint8 [N, H, W, 3] of faces in the manner of the data set `faces`; those that are not 64 x 64 are
            resized (bilinear, antialiased).

    Returns:
        for each tag of TAGS its values [N]: strings, of glasses bool.

    Raises:
        UsageError: for anything but such images.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8 or not len(images) or images.shape[-1] != 3:
        raise UsageError(
            f"images of shape {images.shape} and type {images.dtype} were given to the classifier of faces, but uint8 "
            "[N, height, width, 3] with N >= 1 was expected: convert them."
        )
    run, found = _runner(), {tag: [] for tag in TAGS}
    for first in range(0, len(images), BATCH_SIZE):
        batch = tf.image.resize(images[first : first + BATCH_SIZE], (SIDE, SIDE), antialias=True)
        for tag, classes in run(batch).items():
            found[tag].append(classes.numpy())
    return {tag: np.array(values)[np.concatenate(found[tag])] for tag, values in TAGS.items()}


@cache
def _runner():
    model = load_face_classifier()

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32)])
    def run(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {tag: tf.argmax(logits, axis=-1) for tag, logits in model(images, training=False).items()}

    return run
