"""Judges of a sample and its code together."""

import keras

from kgan.networks import blocks


def joint_discriminator(
    features: keras.Model,
    latent_dim: int,
    *,
    units: int = 256,
    activation: str = "leaky_relu",
    dropout: float = 0.0,
    seed: int | None = None,
) -> keras.Model:
    """Build a discriminator of pairs (x, z), as BiGAN's and ALI's (Donahue et al. 2017; Dumoulin et al. 2017).

    Two hidden layers look at the features of the sample and at the code side by side.

    Args:
        features: samples -> features [N, F]: a discriminator of any builder here with so many outputs.
        latent_dim: length of the code, at least 1.
        units: of each hidden layer.
        activation: of the hidden layers and of the features, a name in ``blocks.ACTIVATIONS``.
        dropout: share of the units dropped after each hidden layer in training, in [0, 1).
        seed: of the weights and the dropout.

    Returns:
        [samples, codes float32 [N, latent_dim]] -> raw float32 scores [N, 1].

    Raises:
        UsageError: for a size or name that cannot be built.
    """
    blocks.check_options("none", activation, dropout, latent_dim=latent_dim, units=units)
    seeds = blocks.seed_stream(seed)
    codes = keras.Input((latent_dim,), dtype="float32")

    def dense(count: int, **options) -> keras.layers.Dense:
        return keras.layers.Dense(count, kernel_initializer=keras.initializers.HeNormal(next(seeds)), **options)

    seen = [blocks.activate(features.output, activation), blocks.activate(dense(units)(codes), activation)]
    x = keras.layers.Concatenate()(seen)
    for _ in range(2):
        x = blocks.drop(blocks.activate(dense(units)(x), activation), dropout, seeds)
    return keras.Model([features.input, codes], dense(1, dtype=blocks.HEAD)(x), name="joint_discriminator")
