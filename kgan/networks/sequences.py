"""Networks over sentences: residual 1-D convolutions that see them as images, recurrent ones that read and write."""

from collections.abc import Iterator

import keras

from kgan.errors import UsageError
from kgan.networks import blocks

KERNEL, RESIDUAL_SCALE = 5, 0.3  # the paper's


def sequence_generator(
    shape: tuple[int, int],
    latent_dim: int = 128,
    *,
    width: int = 128,
    depth: int = 5,
    normalisation: str = "none",
    activation: str = "relu",
    seed: int | None = None,
) -> keras.Model:
    """Build the generator of sentences of Gulrajani et al. 2017: a dense layer, residual blocks, a softmax a position.

    Args:
        shape: (length, symbols) of one sentence.
        latent_dim: length of the latent code, at least 1.
        width: channels of the blocks. The paper has 512 for fewer than 100 symbols; here ``width`` is below the number
            of symbols, so that the convolution of kernel 1 to the symbols is a factorised embedding.
        depth: residual blocks of two convolutions each.
        normalisation: before each activation, which the paper leaves out: batch, layer or none.
        activation: before each convolution, a name in ``blocks.ACTIVATIONS``.
        seed: of the weights; the same seed gives the same weights.

    Returns:
        float32 codes [N, latent_dim] -> float32 probabilities [N, length, symbols].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    length, symbols = _check(shape, normalisation, activation, latent_dim=latent_dim, width=width, depth=depth)
    seeds = blocks.seed_stream(seed)
    codes = keras.Input((latent_dim,), dtype="float32")
    x = keras.layers.Dense(length * width, kernel_initializer=_plain(seeds))(codes)
    x = keras.layers.Reshape((length, width))(x)
    for _ in range(depth):
        x = _block(x, width, normalisation, activation, False, seeds)
    logits = keras.layers.Dense(symbols, kernel_initializer=_plain(seeds))(x)
    return keras.Model(codes, keras.layers.Softmax(dtype=blocks.HEAD)(logits), name="sequence_generator")


def sequence_discriminator(
    shape: tuple[int, int],
    *,
    width: int = 128,
    depth: int = 5,
    normalisation: str = "none",
    activation: str = "relu",
    dropout: float = 0.0,
    spectral: bool = False,
    seed: int | None = None,
) -> keras.Model:
    """Build the critic of sentences of Gulrajani et al. 2017: the generator's blocks, then one dense score.

    Args:
        shape: (length, symbols) of one sentence.
        width: channels of the blocks; the first layer, of kernel 1, is an embedding of the symbols.
        depth: residual blocks of two convolutions each.
        normalisation: before each activation: batch, layer or none.
        activation: before each convolution, a name in ``blocks.ACTIVATIONS``.
        dropout: share of the features dropped after each block in training, in [0, 1).
        spectral: whether every layer is spectrally normalised (Miyato et al. 2018).
        seed: of the weights and the dropout.

    Returns:
        probabilities [N, length, symbols], one-hot where the sentence is real -> raw float32 scores [N, 1].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    shape = _check(shape, normalisation, activation, dropout, width=width, depth=depth)
    seeds = blocks.seed_stream(seed)
    sentences = keras.Input(shape, dtype="float32")
    x = blocks.weigh(sentences, keras.layers.Dense(width, kernel_initializer=_plain(seeds)), spectral, seeds)
    for _ in range(depth):
        x = blocks.drop(_block(x, width, normalisation, activation, spectral, seeds), dropout, seeds)
    head = keras.layers.Dense(1, kernel_initializer=_plain(seeds), dtype=blocks.HEAD)
    scores = blocks.weigh(keras.layers.Flatten()(x), head, spectral, seeds)
    return keras.Model(sentences, scores, name="sequence_discriminator")


def sequence_encoder(
    shape: tuple[int, int], latent_dim: int, *, width: int = 256, seed: int | None = None
) -> keras.Model:
    """Build the recurrent encoder of a sentence VAE: a GRU that reads both ways (Bowman et al. 2016 read one way).

    Args:
        shape: (length, symbols) of one sentence.
        latent_dim: length of the code, at least 1.
        width: units of the GRU each way, and of the embedding.
        seed: of the weights.

    Returns:
        int32 sentences [N, length] -> float32 [N, 2, latent_dim]: mean and log-variance of the code.

    Raises:
        UsageError: for a shape or size that cannot be built.
    """
    length, symbols = _check(shape, "none", "relu", latent_dim=latent_dim, width=width)
    seeds = blocks.seed_stream(seed)
    sentences = keras.Input((length,), dtype="int32")
    x = keras.layers.Embedding(symbols, width, embeddings_initializer=_small(seeds))(sentences)
    x = keras.layers.Bidirectional(_gru(width, seeds), backward_layer=_gru(width, seeds, go_backwards=True))(x)
    x = keras.layers.Dense(2 * latent_dim, kernel_initializer=_plain(seeds), dtype=blocks.HEAD)(x)
    return keras.Model(sentences, keras.layers.Reshape((2, latent_dim), dtype=blocks.HEAD)(x), name="sequence_encoder")


def sequence_decoder(
    shape: tuple[int, int], latent_dim: int, *, width: int = 256, seed: int | None = None
) -> keras.Model:
    """Build the recurrent decoder of a sentence VAE: a GRU that is shown the code at every step (Bowman et al. 2016).

    Its layers "embedding", "state", "cells" and "logits" are what `kgan.models.sentence_vae` writes with, symbol by
    symbol.

    Args:
        shape: (length, symbols) of one sentence.
        latent_dim: length of the code, at least 1.
        width: units of the GRU, and of the embedding.
        seed: of the weights.

    Returns:
        [float32 codes [N, latent_dim], int32 symbols [N, length] of which each comes before the one to be predicted]
        -> float32 logits [N, length, symbols].

    Raises:
        UsageError: for a shape or size that cannot be built.
    """
    length, symbols = _check(shape, "none", "relu", latent_dim=latent_dim, width=width)
    seeds = blocks.seed_stream(seed)
    codes = keras.Input((latent_dim,), dtype="float32")
    before = keras.Input((length,), dtype="int32")
    state = keras.layers.Dense(width, "tanh", kernel_initializer=_plain(seeds), name="state")(codes)
    x = keras.layers.Embedding(symbols, width, embeddings_initializer=_small(seeds), name="embedding")(before)
    x = keras.layers.Concatenate()([x, keras.layers.RepeatVector(length)(codes)])
    x = _gru(width, seeds, return_sequences=True, name="cells")(x, initial_state=state)
    logits = keras.layers.Dense(symbols, kernel_initializer=_plain(seeds), name="logits")(x)
    logits = keras.layers.Activation("linear", dtype=blocks.HEAD)(logits)
    return keras.Model([codes, before], logits, name="sequence_decoder")


def _gru(width: int, seeds: Iterator[int], **options) -> keras.layers.GRU:
    return keras.layers.GRU(
        width,
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
        recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
        **options,
    )


def _small(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.05, seed=next(seeds))


def _block(
    x: keras.KerasTensor, width: int, normalisation: str, activation: str, spectral: bool, seeds: Iterator[int]
) -> keras.KerasTensor:
    """Add to x what two rounds of normalise-activate-convolve make of it, at the paper's scale."""
    shortcut = x
    for _ in range(2):
        x = blocks.activate(blocks.normalise(x, normalisation), activation)
        convolution = keras.layers.Conv1D(width, KERNEL, padding="same", kernel_initializer=_he(seeds))
        x = blocks.weigh(x, convolution, spectral, seeds)
    return keras.layers.Add()([shortcut, keras.layers.Rescaling(RESIDUAL_SCALE)(x)])


def _check(shape, normalisation, activation, dropout=0.0, **counts) -> tuple[int, int]:
    if len(shape) != 2:
        raise UsageError(
            f"--network sequence is for sentences, of shape (length, symbols), not {tuple(shape)}: "
            "choose dcgan, residual or mlp."
        )
    blocks.check_options(normalisation, activation, dropout, length=shape[0], symbols=shape[1], **counts)
    return tuple(shape)


def _plain(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.LecunNormal(seed=next(seeds))


def _he(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.HeNormal(seed=next(seeds))
