"""Likelihoods against NumPy in float64 and against tensorflow-probability."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from kgan import likelihoods
from kgan.errors import UsageError

RANDOM = np.random.default_rng(0)
BINARY = RANDOM.choice([-1.0, 1.0], (4, 3, 2, 1)).astype(np.float32)
GREY = RANDOM.uniform(-1, 1, (4, 3, 2, 2)).astype(np.float32)


def test_bernoulli_log_probability():
    logits = RANDOM.normal(size=BINARY.shape).astype(np.float32) * 3
    found = likelihoods.Bernoulli().log_prob(tf.constant(BINARY), tf.constant(logits)).numpy()
    share = 1 / (1 + np.exp(-logits.astype(np.float64)))
    by_hand = np.where(BINARY > 0, np.log(share), np.log1p(-share)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)
    of_peer = tfp.distributions.Independent(tfp.distributions.Bernoulli(logits=logits), 3).log_prob(BINARY > 0)
    np.testing.assert_allclose(found, of_peer, rtol=1e-5)
    np.testing.assert_allclose(likelihoods.Bernoulli().mean(tf.constant(logits)), 2 * share - 1, atol=1e-6)


def test_grey_images_are_the_mean_over_their_binarisations():
    """Two pixels, so four binarisations, added up by hand."""
    images, logits = np.array([0.2, -0.6]), np.array([1.5, -0.3])
    grey, share, expected = (images + 1) / 2, 1 / (1 + np.exp(-logits)), 0.0
    for one in (0, 1):
        for other in (0, 1):
            bits = np.array([one, other])
            weight = np.prod(np.where(bits, grey, 1 - grey))
            expected += weight * np.log(np.where(bits, share, 1 - share)).sum()
    shape = [1, 1, 2, 1]
    found = likelihoods.Bernoulli().log_prob(
        tf.constant(images.reshape(shape), tf.float32), tf.constant(logits.reshape(shape), tf.float32)
    )
    assert float(found[0]) == pytest.approx(expected, rel=1e-5)


def test_binarisation_is_afresh_and_as_often_white_as_grey():
    images = tf.fill([20_000, 1, 1, 1], -0.4)  # grey level 0.3
    one, other = (likelihoods.Bernoulli().observe(images, tf.constant([0, k], tf.int64)).numpy() for k in (1, 2))
    assert set(np.unique(one)) == {-1.0, 1.0}
    assert (one > 0).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 20_000))
    assert (one != other).mean() == pytest.approx(0.42, abs=0.02)  # independent: 2 x 0.3 x 0.7
    extremes = tf.constant([[-1.0], [1.0]])[:, :, None, None]
    np.testing.assert_array_equal(likelihoods.Bernoulli().observe(extremes, tf.constant([0, 1], tf.int64)), extremes)
    assert likelihoods.Gaussian().observe(images, tf.constant([0, 1], tf.int64)) is images


def test_gaussian_log_density():
    mean, log_scale = RANDOM.normal(size=(2, *GREY.shape)).astype(np.float32)
    parameters = tf.concat([mean, log_scale], axis=-1)
    found = likelihoods.Gaussian().log_prob(tf.constant(GREY), parameters).numpy()
    z = (GREY.astype(np.float64) - mean) / np.exp(log_scale.astype(np.float64))
    by_hand = (-(z**2) / 2 - log_scale - np.log(np.sqrt(2 * np.pi))).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)
    of_peer = tfp.distributions.Independent(tfp.distributions.Normal(mean, np.exp(log_scale)), 3).log_prob(GREY)
    np.testing.assert_allclose(found, of_peer, rtol=1e-5)
    np.testing.assert_array_equal(likelihoods.Gaussian().mean(parameters), mean)


def test_the_shared_scale_is_learned_and_stays_above_half_a_grey_level():
    codes = keras.Input((2,))
    means = keras.layers.Reshape((1, 2, 1))(keras.layers.Dense(2)(codes))
    decoder = likelihoods.Gaussian().decoder(keras.Model(codes, means))
    out = decoder(np.ones((3, 2), np.float32)).numpy()
    assert out.shape == (3, 1, 2, 2) and np.ptp(out[..., 1]) == 0
    (scale,) = (variable for variable in decoder.trainable_variables if variable.path.endswith("log_scale"))
    for value, least, most in ((-50.0, 1 / 255, 1.001 / 255), (0.0, 1.0, 1.01), (2.0, np.exp(2), 1.01 * np.exp(2))):
        scale.assign(value)
        assert least * 0.9999 <= np.exp(decoder(np.ones((1, 2), np.float32)).numpy()[0, 0, 0, 1]) <= most
    same = keras.models.clone_model(decoder)
    assert same.count_params() == decoder.count_params() == 2 * 2 + 2 + 1


def test_an_unknown_likelihood_is_one_sentence():
    assert likelihoods.get("gaussian") == likelihoods.Gaussian()
    with pytest.raises(UsageError, match="unknown likelihood 'bernouli': did you mean 'bernoulli'"):
        likelihoods.get("bernouli")
