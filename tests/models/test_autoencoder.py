"""The bound of a VAE by hand, against tensorflow-probability and where it is known exactly; and that it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from apps.autoencoding import Options, build
from kgan import datasets
from kgan.errors import UsageError
from kgan.metrics.codes import likelihood_bound
from kgan.models.adversarial import draw
from kgan.models.autoencoder import VAE, Autoencoder, gaussian_rates
from kgan.networks import mlp

SHAPE, LATENTS = (8, 8, 1), 3
SEED = tf.constant([5, 32], tf.int64)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype(np.float32)
tfd = tfp.distributions


def normal(mean, deviation):
    """In float64, which tensorflow-probability does not take over from NumPy."""
    return tfd.MultivariateNormalDiag(tf.constant(mean, tf.float64), tf.constant(deviation, tf.float64))


def bernoulli(logits):
    """Of images, in float64."""
    return tfd.Independent(tfd.Bernoulli(logits=tf.constant(logits, tf.float64), dtype=tf.float64), 3)


def small(kind=VAE, **options) -> Autoencoder:
    """A dense one with weights that are not near zero, and a Bernoulli decoder."""
    encoder = mlp.mlp_discriminator(SHAPE, widths=(16,), outputs=kind.outputs_per_latent * LATENTS, seed=1)
    decoder = mlp.mlp_generator(SHAPE, LATENTS, widths=(16,), output="linear", seed=2)
    return kind(encoder, decoder, "bernoulli", seed=5, **options)


def drawn(model: VAE, images, seed):
    """What the bound is made of, in float64: bits, q's mean and variance, noise, logits of z."""
    bits = model.observe(images, draw(seed, 1)).numpy() > 0
    encoded = model.encoder(np.where(bits, 1, -1).astype(np.float32)).numpy().astype(np.float64)
    mean, variance = encoded[:, :LATENTS], np.exp(encoded[:, LATENTS:])
    noise = tf.random.stateless_normal([len(images), LATENTS], draw(seed, 2)).numpy()
    z = mean + np.sqrt(variance) * noise
    return bits, mean, variance, z, model.decoder(z.astype(np.float32)).numpy().astype(np.float64)


def test_the_bound_by_hand_and_by_tensorflow_probability():
    model = small()
    proposal = model.propose(IMAGES, SEED, training=True)
    loss, report = model.autoencoder_loss(IMAGES, proposal, SEED, training=True)
    bits, mean, variance, z, logits = drawn(model, IMAGES, SEED)
    share = 1 / (1 + np.exp(-logits))
    distortion = -np.where(bits, np.log(share), np.log(1 - share)).sum(axis=(1, 2, 3)).mean()
    rate = ((mean**2 + variance - 1 - np.log(variance)) / 2).sum(axis=1).mean()
    np.testing.assert_allclose(report["distortion"], distortion, rtol=1e-5)
    np.testing.assert_allclose(report["rate"], rate, rtol=1e-5)
    np.testing.assert_allclose(report["bound"], -distortion - rate, rtol=1e-5)
    np.testing.assert_allclose(loss, distortion + rate, rtol=1e-5)

    q, prior = normal(mean, np.sqrt(variance)), normal(np.zeros(LATENTS), np.ones(LATENTS))
    of_peer = tf.reduce_mean(bernoulli(logits).log_prob(bits.astype(float)) - tfd.kl_divergence(q, prior))
    np.testing.assert_allclose(report["bound"], of_peer, rtol=1e-5)


def test_log_weights_by_tensorflow_probability():
    model, draws = small(), 4
    images = model.observe(IMAGES, SEED)
    found = model.log_weights(images, tf.constant(draws), SEED).numpy()
    encoded = np.repeat(model.encoder(images).numpy().astype(np.float64), draws, axis=0)
    mean, deviation = encoded[:, :LATENTS], np.exp(encoded[:, LATENTS:] / 2)
    z = mean + deviation * tf.random.stateless_normal(mean.shape, SEED).numpy()
    logits = model.decoder(z.astype(np.float32)).numpy().astype(np.float64)
    bits = np.repeat(images.numpy() > 0, draws, axis=0).astype(np.float64)
    joint = bernoulli(logits).log_prob(bits) + normal(np.zeros(LATENTS), np.ones(LATENTS)).log_prob(z)
    expected = joint - normal(mean, deviation).log_prob(z)
    np.testing.assert_allclose(found, tf.reshape(expected, [-1, draws]), rtol=1e-5)


def test_importance_weighting_only_tightens_the_bound():
    model = small()
    images = model.observe(np.repeat(IMAGES[:2], 50, axis=0), SEED)
    weights = model.log_weights(images, tf.constant(60), SEED).numpy()
    found = [likelihood_bound(weights, k)[0] for k in (1, 2, 6, 60)]
    assert found == sorted(found) and found[-1] > found[0] + 0.1


def test_with_one_draw_the_importance_weighted_bound_is_the_bound():
    """The mean of the weights, beside the distortion of other draws and the divergence in closed form."""
    model, draws = small(), 6_000
    images = model.observe(IMAGES, SEED)
    weights = model.log_weights(images, tf.constant(draws), SEED).numpy()
    encoded = model.encoder(images)
    z = model.sampled(tf.repeat(encoded, draws, axis=0), draw(SEED, 3))
    seen = model.likelihood.log_prob(tf.repeat(images, draws, axis=0), model.decoder(z)).numpy()
    bound = seen.mean() - float(tf.reduce_mean(tf.reduce_sum(gaussian_rates(encoded), axis=1)))
    error = np.hypot(weights.std(axis=1).max(), seen.std()) / np.sqrt(seen.size)
    assert error < 0.2 and likelihood_bound(weights)[0] == pytest.approx(bound, abs=4 * error)


def linear_gaussian(scale: float):
    """x = W z + m + scale noise, W with orthogonal columns, so that the exact posterior has independent codes."""
    random = np.random.default_rng(3)
    w = np.linalg.qr(random.normal(size=(6, 2)))[0] * [2.0, 0.5]
    m = random.normal(size=6)
    variance = 1 / (1 + (w**2).sum(axis=0) / scale**2)
    images, codes = keras.Input((2, 3, 1)), keras.Input((2,))
    to_codes, to_means = keras.layers.Dense(4), keras.layers.Dense(6)
    encoder = keras.Model(images, to_codes(keras.layers.Flatten()(images)))
    parameters = keras.layers.Reshape((2, 3, 1))(to_means(codes))
    fixed = keras.layers.Lambda(lambda x: tf.concat([x, tf.zeros_like(x) + np.log(scale)], axis=-1))
    decoder = keras.Model(codes, fixed(parameters))
    posterior = (w / scale**2) * variance
    to_means.set_weights([w.T, m])
    to_codes.set_weights(
        [np.concatenate([posterior, np.zeros((6, 2))], axis=1), np.concatenate([-m @ posterior, np.log(variance)])]
    )
    exact = tfd.MultivariateNormalFullCovariance(tf.constant(m), tf.constant(w @ w.T + scale**2 * np.eye(6)))
    return VAE(encoder, decoder, "gaussian"), exact, w


def test_the_linear_gaussian_model_is_known_exactly():
    """With the exact posterior for q every weight is p(x) itself; with another q the bound is lower by KL(q || it)."""
    model, exact, w = linear_gaussian(0.7)
    x = exact.sample(5, seed=4)
    images = tf.cast(tf.reshape(x, [5, 2, 3, 1]), tf.float32)
    weights = model.log_weights(images, tf.constant(20), SEED).numpy()
    log_p = exact.log_prob(x).numpy()
    np.testing.assert_allclose(weights, np.repeat(log_p[:, None], 20, axis=1), rtol=1e-4, atol=1e-4)

    kernel, bias = model.encoder.layers[-1].get_weights()
    model.encoder.layers[-1].set_weights([kernel, bias + [0.3, 0, 0, 0]])  # q's first mean is 0.3 off
    gap = 0.3**2 / 2 * (1 + (w**2).sum(axis=0)[0] / 0.7**2)
    weights = model.log_weights(images, tf.constant(20_000), SEED).numpy()
    assert likelihood_bound(weights)[0] == pytest.approx(log_p.mean() - gap, abs=0.02)
    assert likelihood_bound(weights, 20_000)[0] == pytest.approx(log_p.mean(), abs=0.02)


def test_beta_and_free_bits():
    rates = gaussian_rates(small().propose(IMAGES, SEED, training=True).encoded).numpy().mean(axis=0)
    free = float(np.sort(rates)[:2].mean())  # between the smallest and the next
    for options, expected in (
        ({"beta": 4.0}, 4 * rates.sum()),
        ({"free_bits": free}, np.maximum(rates, free).sum()),
        ({"beta": 0.5, "free_bits": free}, 0.5 * np.maximum(rates, free).sum()),
    ):
        model = small(**options)
        proposal = model.propose(IMAGES, SEED, training=True)
        loss, report = model.autoencoder_loss(IMAGES, proposal, SEED, training=True)
        np.testing.assert_allclose(loss - report["distortion"], expected, rtol=1e-4)
        np.testing.assert_allclose(report["bound"], -report["distortion"] - rates.sum(), rtol=1e-5)


def test_free_bits_cost_nothing_and_pull_nowhere():
    model = small(free_bits=1e6)
    with tf.GradientTape() as tape:
        proposal = model.propose(IMAGES, SEED, training=True)
        loss, report = model.autoencoder_loss(IMAGES, proposal, SEED, training=True)
        price = loss - report["distortion"]
    gradients = tape.gradient(price, [v.value for v in model.encoder.trainable_variables], unconnected_gradients="zero")
    assert not any(np.any(gradient) for gradient in gradients)


def test_an_autoencoder_by_hand():
    model = small(Autoencoder, beta=0.3)
    loss, report = model.autoencoder_loss(IMAGES, model.propose(IMAGES, SEED, training=True), SEED, training=True)
    codes = model.encoder(IMAGES).numpy().astype(np.float64)
    share = 1 / (1 + np.exp(-model.decoder(codes.astype(np.float32)).numpy().astype(np.float64)))
    white = (IMAGES + 1) / 2
    distortion = -(white * np.log(share) + (1 - white) * np.log(1 - share)).sum(axis=(1, 2, 3)).mean()
    penalty = (codes**2).sum(axis=1).mean() / 2
    np.testing.assert_allclose(report["distortion"], distortion, rtol=1e-5)
    np.testing.assert_allclose(report["code_penalty"], penalty, rtol=1e-5)
    np.testing.assert_allclose(loss, distortion + 0.3 * penalty, rtol=1e-5)
    np.testing.assert_allclose(model(IMAGES), 2 * share - 1, atol=1e-5)


def test_jitter_ends_with_the_images_as_they_are():
    model = small(Autoencoder, jitter=0.2, jitter_updates=10)
    moved = {}
    for update in (0, 5, 10, 20):
        model.updates.assign(update)
        seen = model.propose(IMAGES, SEED, training=True).images
        moved[update] = float(np.abs(seen - IMAGES).mean())
    assert moved[0] > moved[5] > 0.01 and max(moved[10], moved[20]) < 1e-6
    model.updates.assign(0)
    np.testing.assert_array_equal(model.propose(IMAGES, SEED, training=False).images, IMAGES)


def test_a_vae_learns_what_pixels_have_to_do_with_each_other():
    """Better than the best model of independent pixels, held-out digits under which have about -206 nats."""
    train, test = (datasets.load("digits", split).examples for split in ("train", "test"))
    model = build(
        Options(network="mlp", width=8, normalisation="none", updates=150, learning_rate=3e-3, latent_dim=10),
        train.shape[1:],
    )
    data = datasets.load("digits", "train").batches(64, steps=150)
    model.fit(data, verbose=0)
    share = np.clip(train.mean(axis=0, dtype=np.float64) / 255, 1e-3, 1 - 1e-3)
    grey = test / 255
    independent = (grey * np.log(share) + (1 - grey) * np.log(1 - share)).sum(axis=(1, 2, 3)).mean()
    answer = model.signatures()["log_weights"].function(
        images=test[:200], draws=tf.constant(4), seed=tf.constant(0, tf.int64)
    )
    bound, error = likelihood_bound(answer["log_weights"].numpy())
    assert independent == pytest.approx(-206, abs=3)
    assert bound > independent + 15 and error < 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beta": -1.0}, "beta is -1.0: give 0 or more"),
        ({"jitter": -0.1}, "jitter is -0.1: give 0 or more"),
        ({"free_bits": -1.0}, "free_bits is -1.0: give 0 or more nats"),
        ({"average_decay": 1.0}, "average_decay is 1.0"),
    ],
)
def test_options_out_of_range(options, said):
    with pytest.raises(UsageError, match=said):
        small(**options)


def test_networks_that_do_not_fit():
    model = small()
    with pytest.raises(UsageError, match=r"the encoder's outputs are of shape \(6,\) but must be \(3,\)"):
        Autoencoder(model.encoder, model.decoder)
    with pytest.raises(UsageError, match=r"the decoder's outputs .* but must be \(8, 8, 2\)"):
        VAE(model.encoder, model.decoder, "gaussian")
