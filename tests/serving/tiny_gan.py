"""A GAN of a few hundred weights whose training and inference differ in every layer that can differ."""

import keras
import numpy as np
import tensorflow as tf

from kgan.serving.export import Signature

LATENT = 8
SHAPE = (4, 6, 3)


class TinyGAN(keras.Model):
    """Two optimisers and a metric, as a trained GAN has; ``training`` is what its signatures pass to the networks."""

    def __init__(self, width=16, training=False, seed=0):
        super().__init__()
        keras.utils.set_random_seed(seed)
        self.training = training
        self.generator, self.average = generator(width), generator(width)
        self.discriminator = keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.Conv2D(4, 3),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.5),
                keras.layers.Flatten(),
                keras.layers.Dense(1),
            ]
        )
        self.optimisers = {"generator": keras.optimizers.Adam(), "discriminator": keras.optimizers.Adam()}
        self.optimisers["generator"].build(self.generator.trainable_variables)
        self.optimisers["discriminator"].build(self.discriminator.trainable_variables)
        self.discriminator_loss = keras.metrics.Mean()
        self.built = True
        noise = np.random.default_rng(seed)  # moves the averages of the batch normalisation away from 0 and 1
        for _ in range(3):
            self.average(noise.normal(1, 2, (32, LATENT)), training=True)
            self.discriminator(noise.normal(1, 2, (32, *SHAPE)), training=True)

    def generate(self, seed, count):
        return self.decode(tf.random.stateless_normal([count, LATENT], tf.stack([seed, 0])))

    def decode(self, latents):
        return {"images": tf.cast(tf.round((self.average(latents, training=self.training) + 1) * 127.5), tf.uint8)}

    def score(self, images):
        scaled = tf.cast(images, tf.float32) / 127.5 - 1
        return {"scores": self.discriminator(scaled, training=self.training)[:, 0]}

    def signatures(self):
        return {
            "generate": Signature(
                self.generate,
                {"seed": tf.TensorSpec([], tf.int64), "count": tf.TensorSpec([], tf.int32)},
                {"seed": 0, "count": 2},
            ),
            "decode": Signature(
                self.decode,
                {"latents": tf.TensorSpec([None, LATENT], tf.float32)},
                {"latents": np.zeros((1, LATENT), np.float32)},
            ),
            "score": Signature(
                self.score,
                {"images": tf.TensorSpec([None, *SHAPE], tf.uint8)},
                {"images": np.zeros((1, *SHAPE), np.uint8)},
            ),
        }


def generator(width):
    return keras.Sequential(
        [
            keras.Input((LATENT,)),
            keras.layers.Dense(width),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2 * 3 * 4),
            keras.layers.Reshape((2, 3, 4)),
            keras.layers.Conv2DTranspose(SHAPE[-1], 3, strides=2, padding="same", activation="tanh"),
        ]
    )
