"""A small classifier of handwritten digits: the judge that ships with kgan.

`python -m benchmarks.digit_classifier` trains it and writes its weights. Figures measured through it are comparable
with each other, as every copy of kgan has the same weights, and with nothing else.
"""

from pathlib import Path

import keras

SHAPE = (28, 28, 1)
LABELS = tuple("0123456789")
WEIGHTS = Path(__file__).parent / "files" / "digit_classifier.weights.h5"


def digit_classifier() -> keras.Model:
    """Build the classifier, with fresh weights.

    Two stages of three convolutions, the third of which halves the image, and one dense layer, all with batch
    normalisation. There are few enough activations for their covariance to be known from 1,000 images.

    Returns:
        a model of float32 images [N, 28, 28, 1] in [0, 255] that gives the activations [N, 64] before the last layer,
        and the logits [N, 10] of the digits 0 to 9.
    """
    images = keras.Input(SHAPE)
    hidden = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    for width in (32, 64):
        for kernel, stride in ((3, 1), (3, 1), (5, 2)):
            convolution = keras.layers.Conv2D(width, kernel, stride, padding="same", use_bias=False)
            hidden = _activated(convolution(hidden))
        hidden = keras.layers.Dropout(0.4)(hidden)
    hidden = keras.layers.Dense(64, use_bias=False)(keras.layers.Flatten()(hidden))
    activations = keras.layers.Activation("linear", dtype="float32")(_activated(hidden))
    logits = keras.layers.Dense(len(LABELS), dtype="float32")(keras.layers.Dropout(0.4)(activations))
    return keras.Model(images, [activations, logits], name="digit_classifier")


def _activated(features: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(features))


def load_digit_classifier() -> keras.Model:
    """Build the classifier with the weights that ship; shapes as in digit_classifier."""
    model = digit_classifier()
    model.load_weights(WEIGHTS)
    return model
