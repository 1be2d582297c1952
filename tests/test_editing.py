"""Searches among codes against NumPy in float64, on a linear generator; constraints and carrying back by hand."""

import numpy as np
import tensorflow as tf

from kgan import editing

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.normal(size=(3, 12)) / 2  # codes of 3 -> images of 2 x 2 x 3
CODES, TARGETS = RANDOM.normal(size=(2, 3)), RANDOM.normal(size=(2, 12))
STARTS = tf.constant(CODES, tf.float32)


def generator(latents):
    return tf.reshape(latents @ tf.constant(WEIGHTS, tf.float32), [-1, 2, 2, 3])


def pixels(latents):
    return editing.pixel_error(generator(latents), tf.constant(TARGETS.reshape(-1, 2, 2, 3), tf.float32))


def by_hand(codes, steps, rate):
    """Adam on the mean square of codes @ WEIGHTS - TARGETS, with a cosine: the codes after every step."""
    first, second, trail = np.zeros_like(codes), np.zeros_like(codes), [codes]
    for step in range(steps):
        gradient = 2 / 12 * (codes @ WEIGHTS - TARGETS) @ WEIGHTS.T
        first, second = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
        mean, square = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.99 ** (step + 1))
        codes = codes - rate * (1 + np.cos(np.pi * step / steps)) / 2 * mean / (np.sqrt(square) + 1e-8)
        trail.append(codes)
    return np.stack(trail, axis=1)


def test_one_step_and_several_by_hand():
    for steps in (1, 4):
        found = editing.descend(pixels, STARTS, steps, rate=0.2)
        np.testing.assert_allclose(found.trail, by_hand(CODES, steps, 0.2), rtol=1e-4, atol=1e-5)
    # The first step is the rate against the sign of each coordinate's gradient.
    gradient = (CODES @ WEIGHTS - TARGETS) @ WEIGHTS.T
    np.testing.assert_allclose(found.trail[:, 1], CODES - 0.2 * np.sign(gradient), rtol=1e-4)


def test_a_search_ends_at_the_best_codes_that_it_met_and_finds_the_least_squares():
    search = tf.function(lambda steps, rate: editing.descend(pixels, STARTS, steps, rate))
    wild = search(tf.constant(5), tf.constant(50.0))  # every step leads away
    np.testing.assert_array_equal(wild.latents, STARTS)
    np.testing.assert_allclose(wild.losses, pixels(STARTS), rtol=1e-6)
    still = search(tf.constant(0), tf.constant(0.1))
    assert still.trail.shape == (2, 1, 3)
    np.testing.assert_array_equal(still.latents, STARTS)
    best = np.linalg.lstsq(WEIGHTS.T, TARGETS.T, rcond=None)[0].T
    found = search(tf.constant(300), tf.constant(0.1))
    assert search.experimental_get_tracing_count() == 1
    np.testing.assert_allclose(found.latents, best, atol=0.01)


def test_each_sample_is_searched_alone():
    both = editing.descend(pixels, STARTS, 3)

    def second(latents):
        return editing.pixel_error(generator(latents), tf.constant(TARGETS[1:].reshape(-1, 2, 2, 3), tf.float32))

    np.testing.assert_allclose(editing.descend(second, STARTS[1:], 3).trail, both.trail[1:], rtol=1e-5)


def test_a_constraint_by_hand():
    constraints = np.zeros([1, 2, 2, 4], np.uint8)
    constraints[0, 0, 0], constraints[0, 0, 1] = (255, 0, 0, 255), (0, 255, 0, 51)  # wholly red, a fifth green
    colours, where = editing.wanted(tf.constant(constraints), 3)
    np.testing.assert_allclose(colours[0, 0], [[1, -1, -1], [-1, 1, -1]])
    images = tf.zeros([1, 2, 2, 3]) + 0.5
    red, green = 0.5**2 + 2 * 1.5**2, 0.5**2 + 2 * 1.5**2
    expected = (red + 0.2 * green) / (3 * 1.2)
    np.testing.assert_allclose(editing.constraint_error(images, colours, where), [expected], rtol=1e-6)
    assert editing.constraint_error(images, colours, tf.zeros_like(where)) == 0

    with tf.GradientTape() as tape:
        tape.watch(images)
        error = editing.constraint_error(images, colours, where)
    expected = np.zeros([1, 2, 2, 3])
    expected[0, 0, 0], expected[0, 0, 1] = [-1, 3, 3], [0.6, -0.2, 0.6]
    np.testing.assert_allclose(tape.gradient(error, images), expected / 3.6, rtol=1e-5, atol=1e-7)

    grey, _ = editing.wanted(tf.constant(constraints), 1)
    np.testing.assert_allclose(grey[0, 0, :, 0], [2 * 0.299 - 1, 2 * 0.587 - 1], rtol=1e-6)
    opaque, _ = editing.wanted(tf.constant(constraints), 4)
    np.testing.assert_allclose(opaque[0, 0, 0], [1, -1, -1, 1])


def test_the_loss_of_an_edit_and_its_gradient_by_hand():
    slope = RANDOM.normal(size=12)

    def scores(images):
        return tf.reshape(images, [-1, 12]) @ tf.constant(slope[:, None], tf.float32)

    colours = tf.constant(TARGETS.reshape(-1, 2, 2, 3), tf.float32)
    where = tf.reshape(tf.constant([1.0, 0, 0, 0.5] * 2), [2, 2, 2, 1])
    loss = editing.edit_loss(
        generator, lambda images: scores(images)[:, 0],
        lambda images: editing.constraint_error(images, colours, where), STARTS, 0.3, 0.7,
    )  # fmt: skip
    codes = CODES + RANDOM.normal(size=CODES.shape)
    latents = tf.constant(codes, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(latents)
        losses = loss(latents)

    images, weight = codes @ WEIGHTS, np.repeat([1, 0, 0, 0.5], 3) / 4.5
    score = images @ slope
    expected = (weight * (images - TARGETS) ** 2).sum(1) + 0.3 * ((codes - CODES) ** 2).sum(1)
    np.testing.assert_allclose(losses, expected - 0.7 * np.log(1 / (1 + np.exp(-score))), rtol=1e-5)
    pull = 2 * weight * (images - TARGETS) - 0.7 * (1 / (1 + np.exp(score)))[:, None] * slope
    expected = pull @ WEIGHTS.T + 0.6 * (codes - CODES)
    np.testing.assert_allclose(tape.gradient(losses, latents), expected, rtol=1e-4, atol=1e-5)

    found = editing.descend(loss, STARTS, 100)
    assert np.all(found.losses < loss(STARTS))
    distance = np.sum((found.latents.numpy() - CODES) ** 2, axis=1)
    assert np.all(0 < distance) and np.all(0.3 * distance <= loss(STARTS).numpy())


def test_features_are_compared_by_their_share():
    found = editing.feature_error(tf.constant([[1.0, 2.0]]), tf.constant([[3.0, 4.0]]))
    np.testing.assert_allclose(found, [8 / 25], rtol=1e-6)


def test_a_change_is_carried_back_to_the_pixels_and_clipped():
    found = editing.carry_back(tf.constant([0.5, -0.9, 0.2]), tf.constant([0.1, 0.3, 0.0]), tf.constant([0.4, 0, 1]))
    np.testing.assert_allclose(found, [0.8, -1, 1], rtol=1e-6)
