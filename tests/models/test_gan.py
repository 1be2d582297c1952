"""What a GAN's discriminator is shown."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.errors import UsageError
from kgan.models.gan import GAN

SEED = tf.constant([3, 0], tf.int64)


def gan(shape=(8, 8, 1), **options) -> GAN:
    values = keras.layers.Dense(int(np.prod(shape)))
    generator = keras.Sequential([keras.Input((2,)), values, keras.layers.Reshape(shape)])
    discriminator = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(1)])
    return GAN(generator, discriminator, **options)


def seen_by_the_discriminator(model: GAN, training: bool) -> list[np.ndarray]:
    """The real and generated images, and those of the generator's turn, of one batch of each."""
    shown = []

    def judge(samples, training):
        shown.append(samples.numpy())
        return model.discriminator(samples)

    real, fake = (tf.random.stateless_uniform((4, *model.sample_shape), [1, k], -1, 1) for k in (0, 1))
    model.loss_of_judging(judge, real, fake, SEED, training)
    model.loss_of_generating(judge, fake, SEED, training)
    return [np.abs(one - other).max() for one, other in zip(shown, (real, fake, fake), strict=True)]


def test_jitter_moves_all_images_in_training_only():
    model = gan(jitter=0.1)
    assert min(seen_by_the_discriminator(model, training=True)) > 0.1
    assert max(seen_by_the_discriminator(model, training=False)) == 0
    assert max(seen_by_the_discriminator(gan(), training=True)) == 0
    assert GAN.from_config(model.get_config()).jitter == 0.1


def test_the_generator_learns_through_jitter():
    model = gan(jitter=0.1)
    with tf.GradientTape() as tape:
        latents = tf.ones((4, 2))
        tape.watch(latents)
        loss = model.loss_of_generating(model.discriminator, model.generator(latents), SEED, training=True)
    assert np.abs(tape.gradient(loss, latents)).min() > 0


@pytest.mark.parametrize(
    ("options", "words"), [({"jitter": -1}, "jitter is -1"), ({"shape": (2,), "jitter": 0.1}, "turns images")]
)
def test_what_cannot_be_jittered_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        gan(**options)
