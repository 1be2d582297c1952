"""The auto-encoder of DCGAN's halves."""

import numpy as np
import pytest

from kgan.errors import UsageError
from kgan.networks.autoencoders import dcgan_autoencoder


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 14, 3)])
def test_it_gives_reconstructions_and_codes(shape):
    network = dcgan_autoencoder(shape, 5, width=2, seed=1)
    images = np.random.default_rng(0).uniform(-1, 1, (3, *shape)).astype(np.float32)
    drawn, codes = network(images)
    assert drawn.shape == (3, *shape) and codes.shape == (3, 5)
    assert np.abs(drawn).max() <= 1 and np.ptp(codes, axis=0).min() > 0
    again = dcgan_autoencoder(shape, 5, width=2, seed=1)
    np.testing.assert_array_equal(again(images)[0], drawn)


def test_what_is_drawn_depends_on_the_code_alone():
    network = dcgan_autoencoder((8, 8, 1), 5, width=2, seed=1)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 1)).astype(np.float32)
    drawn, codes = network(image)
    decoder = next(layer for layer in network.layers if layer.name.startswith("dcgan_generator"))
    np.testing.assert_allclose(decoder(codes), drawn, atol=1e-6)


def test_no_code_is_refused():
    with pytest.raises(UsageError, match="outputs 0"):
        dcgan_autoencoder((8, 8, 1), 0)
