"""Generators and discriminators that read captions: a text encoder of their own beside any network for images."""

import keras

from kgan.networks import blocks


def text_encoder(
    words: int, length: int, outputs: int, *, width: int = 64, spectral: bool = False, seed: int | None = None
) -> keras.Model:
    """Build an encoder of captions: embeddings, a convolution over three words, the maximum over all, a dense layer.

    So it knows of neighbouring words which comes first, and not where in the caption they stand (Kim 2014). Weights are
    drawn to give codes of unit variance, like the noise beside which a generator finds them. In float32 throughout,
    since it costs next to nothing.

    Args:
        words: how many ids there are.
        length: ids of a caption.
        outputs: length of the code.
        width: of the embeddings, and channels of the convolution.
        spectral: whether convolution and dense layer are spectrally normalised (Miyato et al. 2018).
        seed: of the weights.

    Returns:
        int32 ids [N, K, length] -> float32 codes [N, outputs], each the mean of K captions' codes.

    Raises:
        UsageError: for a size that cannot be built.
    """
    blocks.check_options("none", "relu", words=words, length=length, outputs=outputs, width=width)
    seeds = blocks.seed_stream(seed)

    def layer(channels: int, kernel: tuple[int, int]) -> keras.layers.Layer:
        plain = keras.initializers.LecunNormal(seed=next(seeds))
        return keras.layers.Conv2D(
            channels, kernel, padding="same", kernel_initializer=plain, dtype=blocks.HEAD
        )  # fmt: skip

    ids = keras.Input((None, length), dtype="int32")
    unit = keras.initializers.RandomNormal(0.0, 1.0, seed=next(seeds))
    x = keras.layers.Embedding(words, width, embeddings_initializer=unit, dtype=blocks.HEAD)(ids)
    x = blocks.weigh(x, layer(width, (1, 3)), spectral, seeds)
    x = keras.layers.LeakyReLU(negative_slope=0.2, dtype=blocks.HEAD)(x)
    x = keras.layers.MaxPooling2D((1, length), dtype=blocks.HEAD)(x)
    x = blocks.weigh(x, layer(outputs, (1, 1)), spectral, seeds)
    codes = keras.layers.GlobalAveragePooling2D(dtype=blocks.HEAD)(x)
    return keras.Model(ids, codes, name="text_encoder")


def captioned_generator(
    generator: keras.Model, words: int, length: int, *, code_dim: int, width: int = 64, seed: int | None = None
) -> keras.Model:
    """Let a generator read: its code is the latents and, as the last `code_dim` numbers, the captions' (Reed 2016).

    Args:
        generator: codes [N, latent_dim + code_dim] -> images.
        words, length, width, seed: of `text_encoder`.

    Returns:
        [float32 latents [N, latent_dim], int32 ids [N, K, length]] -> images.
    """
    encoder = text_encoder(words, length, code_dim, width=width, seed=seed)
    blocks.check_options("none", "relu", latent_dim=generator.input_shape[-1] - code_dim)
    latents = keras.Input((generator.input_shape[-1] - code_dim,), dtype="float32")
    ids = keras.Input((None, length), dtype="int32")
    codes = keras.layers.Concatenate(dtype=blocks.HEAD)([latents, encoder(ids)])
    return keras.Model([latents, ids], generator(codes), name="captioned_generator")


def captioned_discriminator(
    features: keras.Model,
    words: int,
    length: int,
    *,
    width: int = 64,
    spectral: bool = False,
    seed: int | None = None,
) -> keras.Model:
    """Let a discriminator read, by projection: score = w·f(x) + b + f(x)·e(t)/√F (Miyato & Koyama 2018).

    The log-ratio of two densities in which features of an image depend on a caption in a log-linear way has this form.
    What several words say adds up in e(t), so that a new combination of known words is judged by what is known of each;
    a dense layer over both, as in Reed 2016, need not learn to do that.

    Args:
        features: f, images -> float32 [N, F].
        words, length, width, spectral, seed: of `text_encoder`, which is e.

    Returns:
        [images, int32 ids [N, K, length]] -> raw float32 scores [N, 1].
    """
    seeds = blocks.seed_stream(seed)
    size = features.output_shape[-1]
    encoder = text_encoder(words, length, size, width=width, spectral=spectral, seed=next(seeds))
    images = keras.Input(features.input_shape[1:], dtype="float32")
    ids = keras.Input((None, length), dtype="int32")
    found = features(images)
    start = keras.initializers.RandomNormal(0.0, 0.02, seed=next(seeds))
    alone = keras.layers.Dense(1, kernel_initializer=start, dtype=blocks.HEAD)
    matches = keras.layers.Dot(axes=1, dtype=blocks.HEAD)([found, encoder(ids)])
    matches = keras.layers.Rescaling(size**-0.5, dtype=blocks.HEAD)(matches)
    scores = keras.layers.Add(dtype=blocks.HEAD)([blocks.weigh(found, alone, spectral, seeds), matches])
    return keras.Model([images, ids], scores, name="captioned_discriminator")
