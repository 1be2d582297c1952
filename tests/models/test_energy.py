"""EBGAN and BEGAN against their papers' equations, worked by hand and in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.errors import UsageError
from kgan.models.energy import BEGAN, EBGAN, pull_away
from kgan.models.energy_recipes import ImageGANOptions, build_image_gan

SEED = tf.constant([0, 0], tf.int64)


def autoencoder(scale: float = 0.0) -> keras.Model:
    """Points [N, 2] -> `scale` times the point, and the point itself for a code."""
    points = keras.Input((2,))
    drawn = keras.layers.Dense(2, use_bias=False, kernel_initializer=keras.initializers.Identity(scale))(points)
    return keras.Model(points, [drawn, keras.layers.Identity()(points)])


def constant_generator(value: float) -> keras.Model:
    latents = keras.Input((3,))
    points = keras.layers.Dense(2, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(value))(
        latents
    )
    return keras.Model(latents, points)


def still(model):
    """The model with optimisers that move nothing, so that each update can be worked out by hand."""
    model.compile(**{f"{player}_optimizer": keras.optimizers.SGD(0.0) for player in model.players})
    return model


def one_after_another(points) -> tf.data.Dataset:
    """Batches of two points each, all of whose coordinates are the given values."""
    return tf.data.Dataset.from_tensor_slices(
        np.array(points, np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    )


def test_pull_away_is_the_mean_squared_cosine_of_distinct_pairs():
    # Angles of 90, 45 and 45 degrees: squared cosines 0, 1/2 and 1/2, each counted twice of the six ordered pairs.
    codes = tf.constant([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
    assert float(pull_away(codes)) == pytest.approx(1 / 3)
    assert float(pull_away(tf.constant([[1.0, 2.0], [-2.0, -4.0]]))) == pytest.approx(1)  # squared: opposite is alike
    assert float(pull_away(tf.constant([[1.0, 2.0]]))) == 0


def test_pull_away_agrees_with_numpy():
    codes = np.random.default_rng(0).normal(size=(7, 5))
    cosines = [
        codes[i] @ codes[j] / np.linalg.norm(codes[i]) / np.linalg.norm(codes[j])
        for i in range(7)
        for j in range(7)
        if i != j
    ]
    assert float(pull_away(tf.constant(codes))) == pytest.approx(np.mean(np.square(cosines)), rel=1e-12)


def test_ebgan_takes_the_margin_of_each_sample():
    """Energies .09 and .81 of generated samples against a margin of .5: (.41 + 0) / 2; their mean would give .05."""
    model = EBGAN(constant_generator(0.0), autoencoder(), margin=0.5)
    real, fake = tf.constant([[0.2, 0.2], [0.4, 0.4]]), tf.constant([[0.3, 0.3], [0.9, 0.9]])
    loss, report = model.discriminator_loss(real, fake, SEED, training=True)
    assert float(report["real_energy"]) == pytest.approx((0.04 + 0.16) / 2)
    assert float(report["fake_energy"]) == pytest.approx(0.45)
    assert float(loss) == pytest.approx(0.10 + 0.205)


def test_ebgan_generator_minimises_energy_and_pull_away():
    model = EBGAN(constant_generator(0.0), autoencoder(), margin=0.5, pull_away_weight=0.1)
    fake = tf.constant([[0.6, 0.0], [0.0, 0.6], [0.6, 0.6]])
    loss, report = model.generator_loss(None, fake, SEED, training=True)
    assert float(report["pull_away"]) == pytest.approx(1 / 3)
    assert float(loss) == pytest.approx((0.18 + 0.18 + 0.36) / 3 + 0.1 / 3)


def test_began_moves_k_as_by_hand():
    """D draws nothing again, so L(v) = |v|; L(x) is .8, .8, .1, .8 and L(G(z)) .2; gamma .5, lambda 2."""
    model = still(BEGAN(constant_generator(0.2), autoencoder(), gamma=0.5, k_rate=2.0))
    seen = []
    for x in (0.8, 0.8, 0.1, 0.8, 0.8, 0.8):
        report = model.play(next(iter(one_after_another([x]))))
        seen.append([float(report[name]) for name in ("k", "balance", "convergence", "discriminator_loss")])
    # k + 2 (.5 L(x) - .2), within [0, 1]; M = L(x) + |.5 L(x) - .2|; D's loss is L(x) - .2 k with the k before.
    expected = [
        [0.0, 0.2, 1.0, 0.8],
        [0.4, 0.2, 1.0, 0.72],
        [0.8, -0.15, 0.25, -0.06],
        [0.5, 0.2, 1.0, 0.7],
        [0.9, 0.2, 1.0, 0.62],
        [1.0, 0.2, 1.0, 0.6],
    ]
    np.testing.assert_allclose(seen, expected, atol=1e-6)
    model.play(next(iter(one_after_another([0.0]))))
    assert float(model.k.value) == pytest.approx(0.6)


def test_k_does_not_fall_below_zero_and_is_part_of_the_state():
    model = still(BEGAN(constant_generator(0.9), autoencoder(), k_rate=1.0))
    model.fit(one_after_another([0.1, 0.1]), verbose=0)
    assert float(model.k.value) == 0
    assert model.state()["k"] is model.k and model.state(optimizers=False)["k"] is model.k


def test_evaluate_leaves_k_alone():
    model = still(BEGAN(constant_generator(0.2), autoencoder(), k_rate=1.0))
    found = model.evaluate(one_after_another([0.8, 0.8]), verbose=0, return_dict=True)
    assert float(model.k.value) == 0 and found["convergence"] == pytest.approx(1.0)


def test_scores_are_minus_the_energy_and_reconstruct_is_the_auto_encoder():
    model = EBGAN(constant_generator(0.0), autoencoder(0.5))
    points = tf.constant([[0.4, 0.0], [1.0, 1.0]])
    signatures = model.signatures()
    np.testing.assert_allclose(signatures["score"].function(samples=points)["scores"], [-0.02, -0.25], rtol=1e-6)
    np.testing.assert_allclose(signatures["reconstruct"].function(samples=points)["samples"], points / 2, rtol=1e-6)
    assert next(iter(signatures)) == "generate"


@pytest.mark.parametrize("name", ["ebgan", "began"])
def test_learning_separates_digits_from_noise(name):
    """After 60 updates real digits have less than half the energy of noise, whose energy they had before."""
    from kgan import datasets

    options = ImageGANOptions(
        model=name, width=4, latent_dim=8, code_dim=16, average_decay=0.0,
        generator_learning_rate=1e-3, discriminator_learning_rate=5e-3,
    )  # fmt: skip
    digits = datasets.load("digits", "train", size=8)
    model = build_image_gan(options, digits.shape, 60, seed=0)
    real = tf.constant(datasets.load("digits", "test", size=8).batches(64, steps=1).get_single_element())
    noise = tf.random.stateless_uniform(real.shape, [1, 1], -1.0, 1.0)

    def ratio() -> float:
        return float(tf.reduce_mean(model.energy(real)[0]) / tf.reduce_mean(model.energy(noise)[0]))

    before = ratio()
    model.fit(digits.batches(32, steps=60), verbose=0)
    assert before > 0.7 > 0.5 > ratio()


def test_what_is_no_auto_encoder_is_refused():
    points = keras.Input((2,))
    scores = keras.Model(points, keras.layers.Dense(1)(points))
    with pytest.raises(UsageError, match=r"^the discriminator gives .* but it must be an auto-encoder[^\n]*\.$"):
        EBGAN(constant_generator(0.0), scores)


@pytest.mark.parametrize("value", [{"margin": 0.0}, {"margin": -1.0}, {"pull_away_weight": -0.1}])
def test_ebgan_refuses(value):
    with pytest.raises(UsageError, match=r"^the margin is [^\n]*\.$"):
        EBGAN(constant_generator(0.0), autoencoder(), **value)


@pytest.mark.parametrize("value", [{"gamma": 0.0}, {"gamma": 1.5}, {"k_rate": 0.0}])
def test_began_refuses(value):
    with pytest.raises(UsageError, match=r"^gamma is [^\n]*\.$"):
        BEGAN(constant_generator(0.0), autoencoder(), **value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "ebgan", "objective": "wgan-gp"}, "--objective wgan-gp does not fit --model ebgan"),
        ({"model": "began", "penalty": "r1"}, "--penalty r1 does not fit --model began"),
        ({"model": "began", "margin": 0.2}, "--margin 0.2 does not fit --model began"),
        ({"model": "ebgan", "gamma": 0.7}, "--gamma 0.7 does not fit --model ebgan"),
        ({"model": "ebgan", "ensemble": 2}, "--ensemble 2 does not fit --model ebgan"),
        ({"gamma": 0.7}, "--gamma 0.7 does not fit --model gan"),
        ({"code_dim": 8}, "--code-dim 8 does not fit --model gan"),
        ({"model": "ebgan", "code_dim": 0}, "--code-dim is 0: give at least 1"),
        ({"model": "began", "network": "residual"}, "--network residual does not fit --model began"),
        ({"model": "bigan"}, "unknown model 'bigan'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(UsageError) as error:
        ImageGANOptions(**options).resolved()
    assert message in str(error.value) and "\n" not in str(error.value)


def test_resolved_options_resolve_to_themselves():
    for name in ("gan", "ebgan", "began"):
        full = ImageGANOptions(model=name).resolved()
        assert full.resolved() == full
