"""A tiny instance of every model: what `test_models.py` needs to put a new model through the contract.

To add one, write a function of the model's options that returns a fresh `Example`, the same one at every call,
and enter it in EXAMPLES.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kgan.models.adversarial import AdversarialModel
from kgan.models.divergence import DivergenceEstimator
from kgan.models.energy_based import Ascent, DiscriminatorAlone
from kgan.models.gan import GAN
from kgan.networks import images, mlp

BATCH = 8  # samples of one critic step


class Example(NamedTuple):
    """A built model, not compiled; batch number k of n samples, a pure function of both; n inputs of `call`."""

    model: AdversarialModel
    batch: Callable[[int, int], np.ndarray]
    inputs: Callable[[int], np.ndarray]

    def batches(self, first: int, steps: int) -> tf.data.Dataset:
        """Batches number `first` to `first + steps - 1`, as `Data.batches` would give them."""
        size = BATCH * self.model.critic_steps
        return tf.data.Dataset.from_tensor_slices(np.stack([self.batch(k, size) for k in range(first, first + steps)]))


def gan(**options) -> Example:
    """Images, with everything that has state: batch normalisation, dropout, spectral normalisation, a penalty."""
    shape, latent_dim = (8, 8, 1), 4
    generator = images.dcgan_generator(shape, latent_dim, width=4, seed=1)
    discriminator = mlp.mlp_discriminator(shape, widths=(8,), dropout=0.2, spectral=True, seed=2)
    model = GAN(generator, discriminator, "non-saturating", "gradient-penalty", instance_noise=0.1, **options)
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, latent_dim))


def divergence_estimator(**options) -> Example:
    """Pairs of points."""
    discriminator = mlp.mlp_discriminator((2,), widths=(8,), dropout=0.2, seed=2)
    model = DivergenceEstimator(discriminator, "minimax", "r1", **options)
    return Example(model, lambda k, n: _uniform(k, n, 2, 2), lambda n: _uniform(-1, n, 2))


def discriminator_alone(**options) -> Example:
    """Images, a buffer that two critic steps almost fill, and every kind of start."""
    shape = (8, 8, 1)
    discriminator = mlp.mlp_discriminator(shape, widths=(8,), seed=2)
    ascent = Ascent(steps=3, step_size=0.1, noise=0.05)
    model = DiscriminatorAlone(
        discriminator, penalty="r1", ascent=ascent, drawing=Ascent(steps=4), restart=0.3, buffer_size=20, **options
    )
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, *shape))


def _uniform(k: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(k + 1).uniform(-1, 1, shape).astype(np.float32)


EXAMPLES: dict[type[keras.Model], Callable[..., Example]] = {
    GAN: gan,
    DivergenceEstimator: divergence_estimator,
    DiscriminatorAlone: discriminator_alone,
}
