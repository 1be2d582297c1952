"""Auto-encoders: what judges by how well it can draw a sample again."""

import keras

from kgan.networks import images


def dcgan_autoencoder(
    shape: tuple[int, int, int],
    code_dim: int = 64,
    *,
    width: int = 64,
    kernel: int = 4,
    normalisation: str = "none",
    activation: str | None = None,
    dropout: float = 0.0,
    spectral: bool = False,
    seed: int = 0,
) -> keras.Model:
    """Build an auto-encoder of DCGAN's two halves: its discriminator gives the code, its generator draws it again.

    It is the discriminator of EBGAN (Zhao et al. 2017) and BEGAN (Berthelot et al. 2017).

    Args:
        shape: (height, width, channels), 8 to 256 pixels a side and 1 to 4 channels.
        code_dim: length of the code, at least 1.
        width, kernel: as in ``dcgan_discriminator``, of both halves.
        normalisation: of both halves: batch, layer or none.
        activation: of both halves, a name in ``blocks.ACTIVATIONS``; None for leaky_relu and relu.
        dropout, spectral: of the first half.
        seed: of the weights; the same seed gives the same weights.

    Returns:
        images [N, height, width, channels] in [-1, 1] -> float32 reconstructions of the same shape and range, and
        their codes, float32 [N, code_dim].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    common = {"width": width, "kernel": kernel, "normalisation": normalisation}
    common |= {"activation": activation} if activation else {}
    encoder = images.dcgan_discriminator(
        shape, outputs=code_dim, dropout=dropout, spectral=spectral, seed=seed, **common
    )
    decoder = images.dcgan_generator(shape, code_dim, seed=seed + 1, **common)
    codes = encoder.output
    return keras.Model(encoder.input, [decoder(codes), codes], name="dcgan_autoencoder")
