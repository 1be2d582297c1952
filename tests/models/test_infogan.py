"""InfoGAN's bound by hand and in NumPy, whose gradient goes where, and that codes come to mean something."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.stats import norm

from kgan import regularisation
from kgan.errors import UsageError
from kgan.models.adversarial import draw
from kgan.models.infogan import LEAST_DEVIATION, Codes, InfoGAN
from kgan.networks import mlp
from kgan.networks.recognition import with_recogniser

SEED = tf.constant([5, 32], tf.int64)
CODES = Codes((3, 2), 2)


def test_codes_are_drawn_from_their_prior():
    drawn = CODES.sample(6_000, SEED).numpy()
    assert drawn.shape == (6_000, CODES.size) and CODES.size == 7 and CODES.parameters == 9 and len(CODES) == 4
    three, two, continuous = drawn[:, :3], drawn[:, 3:5], drawn[:, 5:]
    for hot, values in ((three, 3), (two, 2)):
        assert set(hot.ravel()) == {0, 1} and (hot.sum(axis=1) == 1).all()
        np.testing.assert_allclose(hot.mean(axis=0), 1 / values, atol=0.03)
    assert np.abs(continuous).max() <= 1
    np.testing.assert_allclose(continuous.std(axis=0), 1 / np.sqrt(3), atol=0.02)
    assert np.abs(np.corrcoef(drawn[:, [0, 3, 5, 6]].T) - np.eye(4)).max() < 0.06


def test_information_by_hand():
    codes = np.array([[0, 1, 0, 1, 0, 0.5, -1]], np.float32)
    posterior = np.log([[1, 2, 1, 3, 1, 1, 1, 1, 1]]).astype(np.float32)  # logits; means 0, deviations about 1
    deviation = LEAST_DEVIATION + 1  # exp(log least + log(1 + exp(0 - log least)))
    expected = [
        np.log(2 / 4) + np.log(3), np.log(3 / 4) + np.log(2),
        norm.logpdf(0.5, 0, deviation) + np.log(2), norm.logpdf(-1, 0, deviation) + np.log(2),
    ]  # fmt: skip
    np.testing.assert_allclose(CODES.information(codes, posterior)[0], expected, rtol=1e-5)
    mean, deviations = CODES.expected(posterior)
    np.testing.assert_allclose(mean, [[1 / 4, 1 / 2, 1 / 4, 3 / 4, 1 / 4, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(deviations, [[deviation] * 2], rtol=1e-6)


def test_information_is_the_entropy_of_what_is_known_and_nothing_of_what_is_guessed_by_the_prior():
    codes = CODES.sample(500, SEED).numpy()
    certain = np.concatenate([100 * codes[:, :5], codes[:, 5:], np.full((500, 2), -100)], axis=1).astype(np.float32)
    sharpest = -np.log(LEAST_DEVIATION * np.sqrt(2 * np.pi)) + np.log(2)
    np.testing.assert_allclose(
        CODES.information(codes, certain), [[np.log(3), np.log(2), sharpest, sharpest]] * 500, rtol=1e-5
    )
    guessed = np.zeros((500, CODES.parameters), np.float32)
    found = CODES.information(codes, guessed).numpy()
    np.testing.assert_allclose(found[:, :2], 0, atol=1e-6)
    assert (found[:, 2:].mean(axis=0) < 0).all()  # a Gaussian is not the uniform prior: the bound is below 0


def small(shared=True, **options) -> InfoGAN:
    generator = mlp.mlp_generator((2,), 4 + CODES.size, widths=(8,), seed=1)
    discriminator = mlp.mlp_discriminator((2,), widths=(16,), seed=2)
    recogniser = CODES.parameters
    if not shared:
        recogniser = mlp.mlp_discriminator((2,), widths=(16,), outputs=CODES.parameters, seed=3)
    return InfoGAN(generator, with_recogniser(discriminator, recogniser, seed=3), codes=CODES, **options)


def gradients(variables, loss):
    values = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        value = loss()
    return tape.gradient(value, values, unconnected_gradients="zero")


def same(one, other, rtol=1e-4):
    for first, second in zip(one, other, strict=True):
        np.testing.assert_allclose(first, second, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_each_players_gradient_is_that_of_its_terms(shared):
    model = small(shared, information_weight=0.7, continuous_weight=0.3)
    real = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)

    def parts():
        """Worked out again from the networks: the two games' losses without the bound, and the weighted bound."""
        samples, codes = model.propose(real, SEED, training=True)
        fake_scores, posterior = model.discriminator(samples)
        real_scores, _ = model.discriminator(real)
        logits = tf.split(posterior[:, :5], [3, 2], axis=1)
        hot = tf.split(codes[:, :5], [3, 2], axis=1)
        bound = sum(
            np.log(values) - tf.reduce_mean(keras.losses.categorical_crossentropy(code, each, from_logits=True))
            for values, code, each in zip((3, 2), hot, logits, strict=True)
        )
        of_value = tfp.distributions.Normal(posterior[:, 5:7], LEAST_DEVIATION + tf.exp(posterior[:, 7:]))
        bound += 0.3 * tf.reduce_sum(tf.reduce_mean(of_value.log_prob(codes[:, 5:]) - np.log(1 / 2), axis=0))
        judging = tf.reduce_mean(tf.nn.softplus(-real_scores)) + tf.reduce_mean(tf.nn.softplus(fake_scores))
        return judging, tf.reduce_mean(tf.nn.softplus(-fake_scores)), bound

    proposal = model.propose(real, SEED, training=True)
    of_d, of_g = model.variables_of("discriminator"), model.variables_of("generator")
    d_loss = gradients(of_d, lambda: model.discriminator_loss(real, proposal, SEED, training=True)[0])
    g_loss = gradients(
        of_g, lambda: model.generator_loss(real, model.propose(real, SEED, training=True), SEED, training=True)[0]
    )
    same(d_loss, gradients(of_d, lambda: parts()[0] - parts()[2]))
    same(g_loss, gradients(of_g, lambda: parts()[1] - 0.7 * parts()[2]))
    from_bound = gradients(of_g, lambda: parts()[2])
    assert all(np.abs(gradient).max() > 1e-6 for gradient in from_bound)  # it is not detached from the generator


def test_all_images_are_moved_before_they_are_judged_and_recognised():
    shape, codes = (8, 8, 1), Codes((3,), 1)
    generator = mlp.mlp_generator(shape, 4, widths=(8,), seed=1)
    judge = with_recogniser(mlp.mlp_discriminator(shape, widths=(8,), seed=2), codes.parameters, seed=3)
    model = InfoGAN(generator, judge, codes=codes, jitter=0.3, information_weight=0.5, continuous_weight=0.2)
    real = np.random.default_rng(0).uniform(-1, 1, (6, *shape)).astype(np.float32)
    proposal = samples, drawn = model.propose(real, SEED, training=True)

    def moved(images, k):
        found = regularisation.jitter(images, 0.3, draw(SEED, k))
        assert np.abs(found - images).max() > 0.01
        return judge(found)

    def bound(posterior):
        return tf.tensordot(tf.reduce_mean(codes.information(drawn, posterior), axis=0), [1.0, 0.2], 1)

    (true, _), (fake, posterior) = moved(real, 9), moved(samples, 10)
    judging = tf.reduce_mean(tf.nn.softplus(-true)) + tf.reduce_mean(tf.nn.softplus(fake))
    found, _ = model.discriminator_loss(real, proposal, SEED, training=True)
    np.testing.assert_allclose(found, judging - bound(posterior), rtol=1e-5)
    fake, posterior = moved(samples, 13)
    found, _ = model.generator_loss(real, proposal, SEED, training=True)
    np.testing.assert_allclose(found, tf.reduce_mean(tf.nn.softplus(-fake)) - 0.5 * bound(posterior), rtol=1e-5)


def test_a_recogniser_of_its_own_leaves_the_discriminator_alone():
    real = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    for shared in (True, False):
        model = small(shared, information_weight=0.0)
        proposal = model.propose(real, SEED, training=True)
        layers = model.discriminator.layers
        trunk = layers[1].trainable_variables
        assert trunk[0].shape == (2, 16)
        scores = lambda model=model, proposal=proposal: (  # noqa: E731
            tf.reduce_mean(tf.nn.softplus(-model.discriminator(real)[0]))
            + tf.reduce_mean(tf.nn.softplus(model.discriminator(proposal[0])[0]))
        )
        found = gradients(trunk, lambda m=model, p=proposal: m.discriminator_loss(real, p, SEED, training=True)[0])
        gap = max(np.abs(a - b).max() for a, b in zip(found, gradients(trunk, scores), strict=True))
        assert (gap > 1e-3) == shared


def two_clusters(information: float) -> tuple[float, float]:
    """After a short training on two clusters far apart: how often a code's value is a cluster, and what it tells."""
    codes = Codes((2,), 0)
    model = InfoGAN(
        mlp.mlp_generator((2,), 4 + codes.size, widths=(32, 32), seed=1),
        with_recogniser(mlp.mlp_discriminator((2,), widths=(32, 32), seed=2), codes.parameters, width=32, seed=3),
        codes=codes, information_weight=information,
    )  # fmt: skip
    rates = {f"{player}_optimizer": keras.optimizers.Adam(2e-3, beta_1=0.5) for player in model.players}
    model.compile(**rates, steps_per_execution=100)
    random = np.random.default_rng(0)
    points = random.normal(scale=0.1, size=(400, 64, 2)) + random.choice([-1, 1], (400, 64, 1))
    model.fit(tf.data.Dataset.from_tensor_slices(points.astype(np.float32)), verbose=0)
    drawn = model.signatures()["generate"].function(seed=tf.constant(3, tf.int64), count=500)
    side = drawn["samples"].numpy().mean(axis=1) > 0
    agrees = (side == drawn["codes"][:, 0].numpy().astype(bool)).mean()
    nats = model.signatures()["information"].function(**drawn)["nats"].numpy().mean()
    return max(agrees, 1 - agrees), nats


def test_a_code_finds_two_clusters_and_without_its_weight_does_not():
    agrees, nats = two_clusters(1.0)
    assert agrees > 0.95 and nats > 0.9 * np.log(2)
    agrees, nats = two_clusters(0.0)
    assert agrees < 0.9 and nats < 0.8 * np.log(2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Codes((1,), 0), r"categorical codes of \(1,\) values"),
        (lambda: Codes((), 0), "at least one code"),
        (lambda: Codes((2,), -1), "-1 continuous codes"),
        (lambda: small(information_weight=-1.0), "information_weight is -1.0"),
        (lambda: small(continuous_weight=float("nan")), "continuous_weight is nan"),
        (lambda: small(jitter=-0.1), "jitter is -0.1"),
        (lambda: small(jitter=0.1), "jitter 0.1 turns images"),
        (lambda: InfoGAN(mlp.mlp_generator((2,), 9), mlp.mlp_discriminator((2,))), "must give scores and"),
        (
            lambda: InfoGAN(
                mlp.mlp_generator((2,), 9), with_recogniser(mlp.mlp_discriminator((2,)), Codes().parameters)
            ),
            "starts from 9 numbers but the codes are 12",
        ),
    ],
)
def test_what_cannot_be_played_is_one_sentence(make, said):
    with pytest.raises(UsageError, match=said) as error:
        make()
    assert "\n" not in str(error.value)
