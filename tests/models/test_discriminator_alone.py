"""A discriminator that generates alone: its climb against NumPy, its buffer, and that it learns where the data is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan import datasets
from kgan.datasets.toys import toy_modes
from kgan.errors import UsageError
from kgan.metrics.modes import mode_coverage
from kgan.models.discriminator_alone import Ascent, DiscriminatorAlone
from kgan.networks import mlp

SEED = tf.constant([3, 4], tf.int64)


def hill(x):
    """D(x) = -|x - (0.2, -0.4)|^2 / 2 times 3, whose gradient is 3 ((0.2, -0.4) - x)."""
    return -1.5 * tf.reduce_sum((x - [0.2, -0.4]) ** 2, axis=1, keepdims=True)


def kicks(steps, shape):
    return [tf.random.stateless_normal(shape, tf.random.fold_in(SEED, k)).numpy().astype(float) for k in range(steps)]


def test_each_step_is_that_of_langevin_dynamics():
    steps, step_size, noise, heat, clip = 5, 0.05, 0.02, 8.0, 1.2
    starts = np.array([[0.9, -0.9], [0.0, 0.1], [-0.97, 0.99]])
    annealed = np.array([True, False, True])
    x = starts.copy()
    for k, kick in enumerate(kicks(steps, x.shape)):
        gradient = 3 * ([0.2, -0.4] - x)
        norm = np.linalg.norm(gradient, axis=1, keepdims=True)
        gradient = np.where(norm > clip, gradient * clip / norm, gradient)
        h = np.where(annealed, heat ** (1 - k / (steps - 1)), 1.0)[:, None]
        x = np.clip(x + h * (step_size * gradient + noise * kick), -1, 1)
    ascent = Ascent(steps, step_size, noise, heat, clip)
    found = tf.function(ascent)(hill, tf.constant(starts, tf.float32), tf.constant(annealed), SEED)
    np.testing.assert_allclose(found, x, atol=2e-6)


def test_gradient_ascent_raises_the_score_of_every_sample_at_every_step():
    discriminator = mlp.mlp_discriminator((2,), widths=(16,), activation="tanh", seed=0)
    starts = tf.random.stateless_uniform([50, 2], SEED, -0.9, 0.9)
    cold = tf.fill([50], False)
    scores = [
        discriminator(Ascent(steps, 0.01, 0.0)(discriminator, starts, cold, SEED)).numpy()[:, 0] for steps in (1, 2, 8)
    ]
    assert (scores[0] > discriminator(starts).numpy()[:, 0]).all()
    assert (scores[1] > scores[0]).all() and (scores[2] > scores[1]).all()


def test_langevin_dynamics_ends_in_its_boltzmann_distribution():
    """exp(2 step_size / noise^2 D) of the hill is a Gaussian of variance noise^2 / (2 step_size 3), to first order."""
    step_size, noise = 0.01, 0.03
    starts = tf.zeros([4_000, 2])
    found = Ascent(200, step_size, noise, clip=100.0)(hill, starts, tf.fill([4_000], False), SEED).numpy()
    variance = noise**2 / (1 - (1 - 3 * step_size) ** 2)  # of the discrete steps, exactly
    np.testing.assert_allclose(found.mean(axis=0), [0.2, -0.4], atol=5 * np.sqrt(variance / 4_000) + 1e-3)
    np.testing.assert_allclose(found.var(axis=0), variance, rtol=0.1)
    assert variance == pytest.approx(noise**2 / (6 * step_size), rel=0.02)


def alone(**options) -> DiscriminatorAlone:
    discriminator = mlp.mlp_discriminator((2,), widths=(64, 64), seed=options.get("seed", 0))
    return DiscriminatorAlone(discriminator, **{"buffer_size": 64, **options})


def test_negatives_go_on_from_the_buffer_and_are_kept_there_in_training_only():
    model = alone(restart=0.0, ascent=Ascent(steps=2, noise=0.0))
    before, batch = np.array(model.buffer), tf.zeros([16, 2])
    model.propose(batch, SEED, training=False)
    np.testing.assert_array_equal(model.buffer, before)

    proposal = model.propose(batch, SEED, training=True).numpy()
    moved = np.flatnonzero((np.array(model.buffer) != before).any(axis=1))
    assert len(moved) == 16
    after = np.array(model.buffer)[moved]
    np.testing.assert_array_equal(np.sort(after, axis=0), np.sort(proposal, axis=0))
    assert np.abs(after - before[moved]).max() <= 2 * 0.01 + 1e-6  # two steps of at most 0.01


def test_a_share_of_the_negatives_starts_from_noise():
    model = alone(buffer_size=4_000, restart=0.25, reach=2.0, ascent=Ascent(steps=1, step_size=1e-9, noise=0.0))
    model.buffer.assign(np.full([4_000, 2], 0.5))
    proposal = model.propose(tf.zeros([2_000, 2]), SEED, training=True).numpy()
    fresh = proposal[np.abs(proposal - 1.0).max(axis=1) > 1e-6]  # the buffer's 0.5 is 1.0 where the reach is 2
    assert 0.2 < len(fresh) / 2_000 < 0.3
    assert np.abs(fresh).max() <= 2 and np.abs(fresh).max() > 1.8
    assert np.abs(np.array(model.buffer)).max() <= 1


def test_the_loss_is_the_contrastive_divergence_and_the_decay():
    model = alone(score_decay=0.5)
    real, fake = tf.constant([[0.1, 0.2], [0.3, -0.1]]), tf.constant([[0.5, 0.5], [-0.9, 0.0]])
    positive, negative = (model.discriminator(x).numpy().astype(float) for x in (real, fake))
    loss, reported = model.discriminator_loss(real, fake, SEED, training=True)
    expected = negative.mean() - positive.mean() + 0.5 * ((positive**2).mean() + (negative**2).mean())
    assert float(loss) == pytest.approx(expected, abs=1e-6)
    assert float(reported["real_score"]) == pytest.approx(positive.mean(), abs=1e-6)


def test_the_discriminator_alone_finds_the_modes_of_the_ring():
    data = datasets.load("ring")
    climb = Ascent(steps=20, step_size=0.02, noise=0.005)
    model = alone(
        buffer_size=1_000, ascent=climb, drawing=Ascent(100, 0.01, 0.005), reach=1.3, average_decay=0.9, seed=1
    )

    def coverage():
        samples = model.generate(tf.constant(0, tf.int64), tf.constant(500)).numpy()
        return mode_coverage(samples, toy_modes("ring")[0], 0.05)  # within 0.15 of a centre; by chance 8 %

    assert coverage().high_quality < 0.3
    model.compile(discriminator_optimizer=keras.optimizers.Adam(2e-3, beta_1=0.0), steps_per_execution=50)
    model.fit(data.batches(128, steps=300), verbose=0)
    found = coverage()
    assert found.covered == 8 and found.high_quality > 0.7


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"restart": 1.5}, "restart is 1.5"),
        ({"buffer_size": 0}, "buffer_size is 0"),
        ({"reach": 0.0}, "reach 0.0"),
        ({"score_decay": -1.0}, "score_decay is -1.0"),
    ],
)
def test_options_out_of_range_are_one_sentence(options, said):
    with pytest.raises(UsageError, match=f"{said}[^\n]*\\.$"):
        alone(**options)


def test_an_ascent_that_cannot_be():
    for options in ({"steps": 0}, {"step_size": 0.0}, {"noise": -0.1}, {"heat": 0.5}, {"clip": 0.0}):
        (name,) = options
        with pytest.raises(UsageError, match=f"^{name} is "):
            Ascent(**options)


def test_a_batch_larger_than_the_buffer_and_a_discriminator_that_mixes_samples():
    with pytest.raises(UsageError, match="a batch of 65 finds no room in a replay buffer of 64"):
        alone().propose(tf.zeros([65, 2]), SEED, training=True)
    mixing = mlp.mlp_discriminator((2,), widths=(8,), normalisation="batch")
    with pytest.raises(UsageError, match="batch normalisation"):
        DiscriminatorAlone(mixing)
