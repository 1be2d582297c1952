"""BiGAN and VAE-GAN: each player's gradient is that of its own terms, worked out again; and that codes are learnt."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from kgan import regularisation
from kgan.errors import UsageError
from kgan.models.adversarial import draw
from kgan.models.bigan import BiGAN
from kgan.models.vaegan import VAEGAN
from kgan.networks import mlp
from kgan.networks.joint import joint_discriminator
from kgan.networks.recognition import with_features

SHAPE, LATENTS = (8, 8, 1), 3
SEED = tf.constant([5, 32], tf.int64)
IMAGES = tf.constant(np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)), tf.float32)


def generator(shape=SHAPE):
    return mlp.mlp_generator(shape, LATENTS, widths=(16,), activation="tanh", seed=1)


def encoder(outputs):
    return mlp.mlp_discriminator(SHAPE, widths=(16,), outputs=outputs, activation="tanh", seed=2)


def bigan(outputs=LATENTS, latents=LATENTS, **options) -> BiGAN:
    features = mlp.mlp_discriminator(SHAPE, widths=(16,), outputs=8, seed=3)
    return BiGAN(generator(), encoder(outputs), joint_discriminator(features, latents, units=8, seed=4), **options)


def vaegan(outputs=2 * LATENTS, **options) -> VAEGAN:
    discriminator = with_features(mlp.mlp_discriminator(SHAPE, widths=(16,), activation="tanh", seed=3))
    return VAEGAN(encoder(outputs), generator(), discriminator, **options)


def gradients(variables, loss):
    values = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        value = loss()
    return tape.gradient(value, values)


def sigmoid(scores):
    """In float64, in which the logarithm of what is nearly 1 is exact enough."""
    return tf.sigmoid(tf.cast(scores, tf.float64))


def assert_descends(model, player, terms):
    """The gradient of the player's loss is that of the terms, and is not nothing."""

    def own():
        return getattr(model, f"{player}_loss")(IMAGES, model.propose(IMAGES, SEED, training=True), SEED, training=True)

    variables = model.variables_of(player)
    found, expected = gradients(variables, lambda: own()[0]), gradients(variables, terms)
    for variable, one, other in zip(variables, found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-6, err_msg=variable.path)
        assert np.abs(one).max() > 1e-7, variable.path


@pytest.mark.parametrize("outputs", [LATENTS, 2 * LATENTS])
def test_both_players_of_bigan_descend_the_papers_terms(outputs):
    model = bigan(outputs)
    assert model.is_stochastic == (outputs > LATENTS)
    z = tf.random.stateless_normal([6, LATENTS], draw(SEED, 0))
    noise = tf.random.stateless_normal([6, LATENTS], draw(SEED, 2))

    def probabilities():
        given = model.encoder(IMAGES)
        code = given if outputs == LATENTS else given[:, :3] + tf.exp(given[:, 3:] / 2) * noise
        return sigmoid(model.discriminator([IMAGES, code])), sigmoid(model.discriminator([model.generator(z), z]))

    def value(data, sampled):
        return tf.reduce_mean(tf.math.log(data)) + tf.reduce_mean(tf.math.log(1 - sampled))

    def swapped(data, sampled):
        return tf.reduce_mean(tf.math.log(1 - data)) + tf.reduce_mean(tf.math.log(sampled))

    assert_descends(model, "discriminator", lambda: -value(*probabilities()))
    assert_descends(model, "generator", lambda: -swapped(*probabilities()))


@pytest.mark.parametrize("outputs", [LATENTS, 2 * LATENTS])
def test_the_cycle_adds_the_squared_error_of_reconstructions_for_generator_and_encoder(outputs):
    model, without = bigan(outputs, cycle=7.0), bigan(outputs)
    proposal = model.propose(IMAGES, SEED, training=True)
    again = model.generator(proposal.encoded).numpy()
    error = (((again - IMAGES.numpy()) / 2) ** 2).mean()
    (loss, report), (plain, _) = (one.generator_loss(IMAGES, proposal, SEED, training=True) for one in (model, without))
    np.testing.assert_allclose([loss - plain, report["reconstruction_error"]], [7 * error, error], rtol=1e-4)
    judged, also = (one.discriminator_loss(IMAGES, proposal, SEED, training=True)[0] for one in (model, without))
    assert judged == also

    def terms():
        made = model.propose(IMAGES, SEED, training=True)
        gap = tf.reduce_mean((model.generator(made.encoded) - IMAGES) ** 2) / 4
        return without.generator_loss(IMAGES, made, SEED, training=True)[0] + 7 * gap

    assert_descends(model, "generator", terms)


@pytest.mark.parametrize("outputs", [LATENTS, 2 * LATENTS])
def test_views_move_what_is_encoded_what_is_judged_and_samples_each_in_its_own_way(outputs):
    model = bigan(outputs, jitter=0.1, views=True, cycle=7.0)
    z = tf.random.stateless_normal([6, LATENTS], draw(SEED, 0))

    def moved(images, k):
        return regularisation.jitter(images, 0.1, draw(SEED, k))

    def played():
        given = model.encoder(moved(IMAGES, 3))
        noise = tf.random.stateless_normal([6, LATENTS], draw(SEED, 2))
        code = given if outputs == LATENTS else given[:, :3] + tf.exp(given[:, 3:] / 2) * noise
        scores = model.discriminator([moved(IMAGES, 1), code]), model.discriminator([moved(model.generator(z), 4), z])
        return *map(sigmoid, scores), tf.cast(model.generator(code), tf.float64)

    def of_discriminator():
        data, sampled, _ = played()
        return -tf.reduce_mean(tf.math.log(data) + tf.math.log(1 - sampled))

    def of_generator():
        data, sampled, again = played()
        game = -tf.reduce_mean(tf.math.log(1 - data) + tf.math.log(sampled))
        return game + 7 * tf.reduce_mean((again - tf.cast(IMAGES, tf.float64)) ** 2) / 4  # not of the moved image

    assert_descends(model, "discriminator", of_discriminator)
    assert_descends(model, "generator", of_generator)
    quiet = model.propose(IMAGES, SEED, training=False)
    np.testing.assert_array_equal(quiet.images, IMAGES)
    np.testing.assert_allclose(quiet.samples, model.generator(z), rtol=1e-6)


@pytest.mark.parametrize("objective", ["non-saturating", "minimax"])
def test_each_player_of_vaegan_descends_its_own_terms(objective):
    gamma = 0.3
    model = vaegan(objective=objective, gamma=gamma)
    noise = tf.random.stateless_normal([6, LATENTS], draw(SEED, 0))
    prior = tf.random.stateless_normal([6, LATENTS], draw(SEED, 1))

    def parts():
        given = model.encoder(IMAGES)
        mean, deviation = given[:, :3], tf.exp(given[:, 3:] / 2)
        again, drawn = model.decoder(mean + deviation * noise), model.decoder(prior)
        normal = tfp.distributions.Normal
        divergence = tfp.distributions.kl_divergence(normal(mean, deviation), normal(0.0, 1.0))
        (real, wanted), (fake, found), (sampled, _) = (model.discriminator(x) for x in (IMAGES, again, drawn))
        likelihood = tf.reduce_sum(normal(found, 1.0).log_prob(wanted), axis=1)  # the constant has no gradient
        return {
            "prior": tf.cast(tf.reduce_mean(tf.reduce_sum(divergence, axis=1)), tf.float64),
            "likeness": -tf.cast(tf.reduce_mean(likelihood), tf.float64),
            **{name: sigmoid(score) for name, score in {"real": real, "again": fake, "drawn": sampled}.items()},
        }

    def log(values):
        return tf.reduce_mean(tf.math.log(values))

    def of_discriminator(p):
        return -log(p["real"]) - (log(1 - p["again"]) + log(1 - p["drawn"])) / 2

    def of_decoder(p):
        saturating = log(1 - p["again"]) + log(1 - p["drawn"])
        game = saturating if objective == "minimax" else -log(p["again"]) - log(p["drawn"])
        return gamma * p["likeness"] + game / 2

    assert_descends(model, "encoder", lambda: (lambda p: p["prior"] + p["likeness"])(parts()))
    assert_descends(model, "decoder", lambda: of_decoder(parts()))
    assert_descends(model, "discriminator", lambda: of_discriminator(parts()))


def test_vaegan_features_are_those_that_the_score_is_made_of():
    model = vaegan()
    scores, features = model.discriminator(IMAGES)
    kernel, bias = model.discriminator.layers[-1].get_weights()
    assert features.shape == (6, 16)
    np.testing.assert_allclose(features.numpy() @ kernel + bias, scores, rtol=1e-5, atol=1e-6)


def blobs(count: int, kinds: int) -> np.ndarray:
    """Batches of noisy images [count, 32, 8, 8, 1] of one bright 3 x 3 blob on black, in one of so many corners."""
    random = np.random.default_rng(0)
    each = np.full((4, *SHAPE), -0.9, np.float32)
    for kind, (row, column) in enumerate([(1, 1), (5, 5), (1, 5), (5, 1)]):
        each[kind, row : row + 3, column : column + 3] = 0.9
    blobs = each[random.integers(0, kinds, (count, 32))]
    return np.clip(blobs + random.normal(scale=0.2, size=blobs.shape), -1, 1).astype(np.float32)


@pytest.mark.parametrize(
    ("make", "kinds", "rate"),
    [(lambda: bigan(average_decay=0.98), 2, 1e-3), (lambda: vaegan(gamma=1.0, beta=0.1), 4, 2e-3)],
    ids=["bigan", "vaegan"],
)
def test_codes_are_learnt(make, kinds, rate):
    """A few kinds of images: each is reconstructed as its own kind, which of untrained networks it is not."""
    model, images = make(), blobs(800, kinds)
    rates = {f"{player}_optimizer": keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99) for player in model.players}
    model.compile(**rates, steps_per_execution=100)
    each = np.unique(np.sign(images[:4]).reshape(-1, *SHAPE), axis=0)

    def errors():
        return ((model(each).numpy()[:, None] - each) ** 2).mean(axis=(2, 3, 4))

    before = errors()
    model.fit(tf.data.Dataset.from_tensor_slices(images), verbose=0)
    after = errors()
    assert len(each) == kinds and (after.argmin(axis=1) == np.arange(kinds)).all()
    assert np.diag(after).mean() < 0.5 * np.diag(before).mean()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: bigan(outputs=4), "the encoder \\(4,\\)"),
        (lambda: bigan(latents=5), "build all for the same"),
        (lambda: bigan(jitter=-1.0), "jitter is -1.0"),
        (lambda: bigan(views=True), "jitter, which is 0"),
        (lambda: bigan(cycle=float("nan")), "cycle is nan"),
        (lambda: vaegan(gamma=-1.0), "gamma is -1.0"),
        (lambda: vaegan(beta=float("nan")), "beta is nan"),
        (lambda: vaegan(outputs=LATENTS), "two outputs a latent"),
        (lambda: VAEGAN(encoder(6), generator(), mlp.mlp_discriminator(SHAPE)), "must give its features"),
        (lambda: VAEGAN(encoder(6), generator((8, 9, 1)), mlp.mlp_discriminator(SHAPE)), "the decoder makes"),
        (lambda: joint_discriminator(encoder(6), 0), "latent_dim 0"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(make, said):
    with pytest.raises(UsageError, match=said) as error:
        make()
    assert "\n" not in str(error.value)
