"""Convolutions between images and features: sums, gradients and second gradients are those of Keras's own layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.networks import narrow

CASES = [(8, 8, 1), (6, 10, 3), (12, 4, 4)]


def layers_of(kind, shape, random):
    """One of ours and Keras's own with the same weights, and inputs for both."""
    height, width, channels = shape
    options = {"padding": "same", "bias_initializer": "normal"}
    if kind == "convolution":
        pair = narrow.Conv2D(5, 4, 2, **options), keras.layers.Conv2D(5, 4, 2, **options)
        inputs = random.normal(size=(3, height, width, channels))
    else:
        pair = (
            narrow.Conv2DTranspose(channels, 4, 2, **options),
            keras.layers.Conv2DTranspose(channels, 4, 2, **options),
        )
        inputs = random.normal(size=(3, height // 2, width // 2, 5))
    inputs = tf.constant(inputs, tf.float32)
    for layer in pair:
        layer.build(inputs.shape)
    pair[1].set_weights(pair[0].get_weights())
    return *pair, inputs


def answers(layer, inputs):
    """Outputs, gradients, and the gradients of a penalty on the input's gradient, which is what WGAN-GP needs."""

    @tf.function
    def asked(inputs):
        values = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as outer:
            outer.watch([inputs, *values])
            with tf.GradientTape() as inner:
                inner.watch([inputs, *values])
                outputs = layer(inputs)
                total = tf.reduce_sum(tf.sin(outputs))
            first = inner.gradient(total, [inputs, *values])
            penalty = tf.reduce_sum(first[0] ** 2)
        return [outputs, *first, *outer.gradient(penalty, [inputs, values[0]])]

    return [answer.numpy() for answer in asked(inputs)]


@pytest.mark.parametrize("shape", CASES, ids=str)
@pytest.mark.parametrize("kind", ["convolution", "transposed"])
def test_outputs_and_gradients_are_those_of_keras(kind, shape):
    ours, theirs, inputs = layers_of(kind, shape, np.random.default_rng(0))
    for one, other in zip(answers(ours, inputs), answers(theirs, inputs), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 1, 8), (5, 2, 8), (4, 2, 7)])
def test_what_does_not_fit_is_left_to_keras(kernel, stride, side, monkeypatch):
    monkeypatch.setattr(narrow, "gather", None)
    monkeypatch.setattr(narrow, "spread", None)
    images = tf.ones((1, side, side, 1))
    assert narrow.Conv2D(2, kernel, stride, padding="same")(images).shape[1] == -(-side // stride)
    if side % 2 == 0:
        features = tf.ones((1, 4, 4, 2))
        assert narrow.Conv2DTranspose(1, kernel, stride, padding="same")(features).shape[1] == 4 * stride


def test_no_samples_make_no_images():
    layer = narrow.Conv2DTranspose(1, 4, 2, padding="same")
    assert layer(tf.zeros((0, 4, 4, 2))).shape == (0, 8, 8, 1)


def test_subpixels_are_used(monkeypatch):
    used = []
    monkeypatch.setattr(narrow, "spread", lambda *given: used.append(given) or tf.zeros((1, 8, 8, 1)))
    narrow.Conv2DTranspose(1, 4, 2, padding="same")(tf.ones((1, 4, 4, 2)))
    assert used
