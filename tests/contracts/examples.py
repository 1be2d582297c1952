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
from kgan.models.gan import GAN
from kgan.models.sentence_vae import SentenceVAE
from kgan.models.sentences import SentenceGAN
from kgan.networks import images, mlp, sequences

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


def sentence_gan(**options) -> Example:
    """Sentences of five characters; not by Wasserstein, which leaves a critic's last bias as it is."""
    shape, latent_dim = (5, 10), 4
    generator = sequences.sequence_generator(shape, latent_dim, width=6, depth=1, seed=1)
    discriminator = sequences.sequence_discriminator(shape, width=6, depth=1, dropout=0.2, seed=2)
    model = SentenceGAN(generator, discriminator, "least-squares", "gradient-penalty", characters="abcdefg,", **options)
    return Example(model, _ids, lambda n: _uniform(-1, n, latent_dim))


def sentence_vae(**options) -> Example:
    """The same sentences."""
    size = {"latent_dim": 3, "width": 6}
    encoder, decoder = (
        build((5, 10), **size, seed=1) for build in (sequences.sequence_encoder, sequences.sequence_decoder)
    )
    model = SentenceVAE(encoder, decoder, characters="abcdefg,", annealing_updates=2, **options)
    return Example(model, _ids, lambda n: _ids(-1, n))


def _ids(k: int, n: int) -> np.ndarray:
    return np.random.default_rng(k + 1).integers(0, 10, (n, 5)).astype(np.int32)


def _uniform(k: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(k + 1).uniform(-1, 1, shape).astype(np.float32)


EXAMPLES: dict[type[keras.Model], Callable[..., Example]] = {
    GAN: gan,
    DivergenceEstimator: divergence_estimator,
    SentenceGAN: sentence_gan,
    SentenceVAE: sentence_vae,
}
