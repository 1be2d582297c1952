"""Functions that build the players: each returns a functional keras.Model."""

from collections.abc import Callable
from typing import NamedTuple

import keras

from kgan.errors import lookup
from kgan.networks import images, mlp, sequences


class Pair(NamedTuple):
    """Two builders that fit together: both take a sample's shape first, then the options of their own."""

    generator: Callable[..., keras.Model]
    discriminator: Callable[..., keras.Model]


NETWORKS = {
    "dcgan": Pair(images.dcgan_generator, images.dcgan_discriminator),
    "residual": Pair(images.residual_generator, images.residual_discriminator),
    "mlp": Pair(mlp.mlp_generator, mlp.mlp_discriminator),
    "sequence": Pair(sequences.sequence_generator, sequences.sequence_discriminator),
}


def get(name: str) -> Pair:
    """Return the generator's and the discriminator's builder of the pair ``name``: dcgan, residual, mlp or sequence.

    Raises:
        UsageError: for an unknown name, with the near ones.
    """
    return lookup("network", name, NETWORKS)
