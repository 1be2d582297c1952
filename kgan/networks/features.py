"""What a classifier looks at: features of images or points, by any of the networks that judge them elsewhere."""

import keras

from kgan import networks
from kgan.networks import blocks


def feature_extractor(
    shape: tuple[int, ...], features: int = 128, *, network: str = "dcgan", activation: str = "relu", **options
) -> keras.Model:
    """Build a network that gives `features` numbers for a sample, with an activation, so that any head fits on it.

    Args:
        shape: of one sample, as the network's discriminator takes it.
        features: how many, at least 1.
        network: a name in ``networks.NETWORKS``.
        activation: of every layer, the last too; a name in ``blocks.ACTIVATIONS``.
        options: further ones of that network's discriminator: width, normalisation, dropout, seed …

    Returns:
        samples [N, *shape] -> float32 features [N, features].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    body = networks.get(network).discriminator(shape, outputs=features, activation=activation, **options)
    return keras.Model(body.input, blocks.activate(body.output, activation), name="feature_extractor")
