"""What a classifier looks at: features of images or points, by any of the networks that judge them elsewhere."""

import keras

from kgan import networks
from kgan.networks import blocks


def feature_extractor(
    shape: tuple[int, ...],
    features: int = 128,
    *,
    network: str = "dcgan",
    normalisation: str = "none",
    activation: str = "relu",
    **options,
) -> keras.Model:
    """Build a network that gives `features` numbers for a sample, with an activation, so that any head fits on it.

    Args:
        shape: of one sample, as the network's discriminator takes it.
        features: how many, at least 1.
        network: a name in ``networks.NETWORKS``.
        normalisation: before each activation, the last too, which keeps features within bounds: batch, layer or none.
        activation: of every layer, the last too; a name in ``blocks.ACTIVATIONS``.
        options: further ones of that network's discriminator: width, dropout, seed …

    Returns:
        samples [N, *shape] -> float32 features [N, features].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    alike = {"normalisation": normalisation, "activation": activation}
    body = networks.get(network).discriminator(shape, outputs=features, **alike, **options)
    given = blocks.activate(blocks.normalise(body.output, normalisation), activation)
    return keras.Model(body.input, given, name="feature_extractor")
