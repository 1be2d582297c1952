"""Adam by one kernel moves what Keras's Adam moves, and as far."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.optimizers import Adam

OPTIONS = {
    "plain": {},
    "of a game": {"beta_1": 0.0, "beta_2": 0.9},
    "clipped": {"clipnorm": 0.5, "epsilon": 1e-3},
    "decayed": {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 5), "weight_decay": 0.1},
    "averaged": {"use_ema": True, "ema_momentum": 0.5},
    "amsgrad": {"amsgrad": True},
}


def moved(adam, options, gradients):
    """Two variables, and the state of their optimiser, after these gradients of both."""
    variables = [keras.Variable(np.full(shape, 0.5, "float32")) for shape in ((3, 2), ())]
    optimizer = adam(**{"learning_rate": 0.05} | options)
    optimizer.build(variables)

    @tf.function
    def move(first, second):
        optimizer.apply_gradients(zip((first, second), variables, strict=True))

    for first, second in gradients:
        move(first, second)
    return [variable.numpy() for variable in (*variables, *optimizer.variables)]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_it_is_keras_own(options):
    random = np.random.default_rng(0)
    gradients = [(tf.constant(random.normal(size=(3, 2)), "float32"), tf.constant(2.0 * k - 3)) for k in range(5)]
    ours, theirs = (moved(adam, options, gradients) for adam in (Adam, keras.optimizers.Adam))
    assert abs(ours[0] - 0.5).max() > 0.05
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_first_step_is_the_rate_whatever_the_gradient():
    # m / (1 - beta_1) = g and v / (1 - beta_2) = g^2 at first, so that the step is the rate times the gradient's sign.
    matrix, number, *_ = moved(Adam, {}, [(tf.fill((3, 2), 7.0), tf.constant(-0.5))])
    np.testing.assert_allclose(matrix, 0.45, rtol=1e-5)
    np.testing.assert_allclose(number, 0.55, rtol=1e-4)


def test_rows_alone_can_be_moved():
    table = keras.Variable(np.ones((4, 2), "float32"))
    optimizer = Adam(0.1)
    optimizer.build([table])
    rows = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([2]), tf.constant([4, 2]))
    optimizer.apply_gradients([(rows, table)])
    np.testing.assert_allclose(table.numpy(), [[1, 1], [1, 1], [0.9, 0.9], [1, 1]], rtol=1e-5)


def test_it_is_saved_as_itself():
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(Adam(0.01, beta_1=0.5)))
    assert type(again) is Adam and (again.beta_1, float(again.learning_rate)) == (0.5, np.float32(0.01))
