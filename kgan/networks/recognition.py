"""A second answer of a discriminator: what a sample was made from, or the features that it judges by."""

import keras

from kgan.networks import mlp


def with_recogniser(
    discriminator: keras.Model,
    recogniser: int | keras.Model,
    *,
    width: int = 128,
    normalisation: str = "none",
    seed: int | None = None,
) -> keras.Model:
    """Give a discriminator a recogniser beside its score, on the features that it scores by or of its own.

    InfoGAN's Q (Chen et al. 2016) shares all of the discriminator but its last layer.

    Args:
        discriminator: samples -> scores, from any builder here: what enters its last layer is shared.
        recogniser: how many numbers a recogniser that shares the features is to give, or one of its own,
            samples -> numbers.
        width: units of the hidden layer of the one that shares.
        normalisation: in that layer: batch, layer or none.
        seed: of the weights of the one that shares.

    Returns:
        samples -> scores as before, and float32 [N, numbers].
    """
    seen = discriminator.input
    if not isinstance(recogniser, keras.Model):
        seen = discriminator.layers[-1].input
        recogniser = mlp.mlp_discriminator(
            (seen.shape[-1],), widths=(width,), normalisation=normalisation, outputs=recogniser, seed=seed
        )
    return keras.Model(discriminator.input, [discriminator.output, recogniser(seen)], name=discriminator.name)


def with_features(discriminator: keras.Model) -> keras.Model:
    """Let a discriminator give the features that it scores by, beside its score.

    Args:
        discriminator: samples -> scores, from any builder here.

    Returns:
        samples -> scores as before, and what enters its last layer, [N, F].
    """
    features = discriminator.layers[-1].input
    return keras.Model(discriminator.input, [discriminator.output, features], name=discriminator.name)
