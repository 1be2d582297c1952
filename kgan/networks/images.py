"""Convolutional networks for images of any size from 8 to 256 pixels a side, rectangles too, with 1 to 4 channels.

Both pairs walk the same pyramid of sizes (``blocks.pyramid``): the discriminator halves each side of the image down to
a base of 4 to 7 pixels; the generator doubles that base, cutting the row or column that an odd size has too many.
Widths double with every halving, up to 8 times the first.
"""

from collections.abc import Iterator

import keras

from kgan.errors import UsageError
from kgan.networks import blocks, narrow

BOTTLENECK_DEPTH = 50


def dcgan_generator(
    shape: tuple[int, int, int],
    latent_dim: int = 100,
    *,
    width: int = 64,
    kernel: int = 4,
    normalisation: str = "batch",
    activation: str = "relu",
    output: str = "tanh",
    seed: int | None = None,
) -> keras.Model:
    """Build DCGAN's generator: a dense layer, then strided transposed convolutions (Radford et al. 2016).

    Args:
        shape: (height, width, channels), 8 to 256 pixels a side and 1 to 4 channels.
        latent_dim: length of the latent code, at least 1.
        width: channels of the features at half the image's size, doubled with every halving.
        kernel: side of the strided kernels; an even one leaves no checkerboard.
        normalisation: of every layer but the last: batch, layer or none.
        activation: of every layer but the last, a name in ``blocks.ACTIVATIONS``.
        output: of the last layer: tanh, or linear for a decoder whose outputs are logits or means. A decoder has a bias
            in its first layer too: without it, normalisation makes of the code 0 an image that is the same everywhere.
        seed: of the weights, N(0, 0.02) as in the paper; the same seed gives the same weights.

    Returns:
        float32 codes [N, latent_dim] -> float32 images [N, height, width, channels], with tanh in [-1, 1].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    shape = blocks.check_image(shape)
    blocks.check_options(normalisation, activation, latent_dim=latent_dim, width=width, kernel=kernel)
    seeds = blocks.seed_stream(seed)
    sizes, widths = blocks.pyramid(*shape[:2]), _widths(width)
    bias = normalisation == "none"

    codes = keras.Input((latent_dim,), dtype="float32")
    base = (*sizes[-1], widths[len(sizes) - 1])
    first = {"use_bias": bias or output != "tanh", "kernel_initializer": _small(seeds)}
    x = keras.layers.Dense(base[0] * base[1] * base[2], **first)(codes)
    x = keras.layers.Reshape(base)(x)
    for level in range(len(sizes) - 1, 0, -1):
        x = blocks.activate(blocks.normalise(x, normalisation), activation)
        stride, last = blocks.strides(sizes[level - 1], sizes[level]), level == 1
        convolution = narrow.Conv2DTranspose if last else keras.layers.Conv2DTranspose
        x = convolution(
            shape[2] if last else widths[level - 1],
            blocks.kernel_size(stride, kernel),
            stride,
            padding="same",
            use_bias=bias or last,
            kernel_initializer=_small(seeds),
        )(x)
        x = blocks.crop(x, sizes[level - 1])
    return keras.Model(codes, keras.layers.Activation(output, dtype=blocks.HEAD)(x), name="dcgan_generator")


def dcgan_discriminator(
    shape: tuple[int, int, int],
    *,
    outputs: int = 1,
    width: int = 64,
    kernel: int = 4,
    normalisation: str = "none",
    activation: str = "leaky_relu",
    dropout: float = 0.0,
    spectral: bool = False,
    seed: int | None = None,
) -> keras.Model:
    """Build DCGAN's discriminator: strided convolutions, then one dense score (Radford et al. 2016).

    Args:
        shape: (height, width, channels), 8 to 256 pixels a side and 1 to 4 channels.
        outputs: numbers given for each image: one score, or the code of an encoder.
        width: channels of the features at half the image's size, doubled with every halving.
        kernel: side of the strided kernels.
        normalisation: of every convolution but the first, as in the paper: batch, layer or none.
        activation: of every convolution, a name in ``blocks.ACTIVATIONS``.
        dropout: share of the features dropped after each activation in training, in [0, 1).
        spectral: whether every layer is spectrally normalised (Miyato et al. 2018).
        seed: of the weights, N(0, 0.02), and of the dropout.

    Returns:
        images [N, height, width, channels] -> raw float32 scores [N, outputs].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    shape = blocks.check_image(shape)
    blocks.check_options(normalisation, activation, dropout, width=width, kernel=kernel, outputs=outputs)
    seeds = blocks.seed_stream(seed)
    sizes, widths = blocks.pyramid(*shape[:2]), _widths(width)

    images = x = keras.Input(shape, dtype="float32")
    for level in range(1, len(sizes)):
        normalised = normalisation if level > 1 else "none"
        stride = blocks.strides(sizes[level - 1], sizes[level])
        kind = narrow.Conv2D if level == 1 else keras.layers.Conv2D
        convolution = kind(
            widths[level],
            blocks.kernel_size(stride, kernel),
            stride,
            padding="same",
            use_bias=normalised == "none",
            kernel_initializer=_small(seeds),
        )
        x = blocks.weigh(x, convolution, spectral, seeds)
        x = blocks.activate(blocks.normalise(x, normalised), activation)
        x = blocks.drop(x, dropout, seeds)
    head = keras.layers.Dense(outputs, kernel_initializer=_small(seeds), dtype=blocks.HEAD)
    scores = blocks.weigh(keras.layers.Flatten()(x), head, spectral, seeds)
    return keras.Model(images, scores, name="dcgan_discriminator")


def residual_generator(
    shape: tuple[int, int, int],
    latent_dim: int = 100,
    *,
    width: int = 32,
    depth: int = 14,
    normalisation: str = "batch",
    activation: str = "relu",
    output: str = "tanh",
    seed: int | None = None,
) -> keras.Model:
    """Build a deep residual generator with pre-activation blocks (He et al. 2016; Gulrajani et al. 2017).

    Args:
        shape: (height, width, channels), 8 to 256 pixels a side and 1 to 4 channels.
        latent_dim: length of the latent code, at least 1.
        width: channels of the features at the image's size, doubled from the second halving on.
        depth: weight layers from code to image, shortcuts not counted: the dense layer, those of the blocks (two 3 x 3
            convolutions each, or from 50 layers on the bottleneck of three), and the last convolution; so 101 is the
            lecture's 101 layers. Any number of at least 2 plus the halvings of the size.
        normalisation: in every block and before the last convolution: batch, layer or none.
        activation: likewise, a name in ``blocks.ACTIVATIONS``.
        output: of the last convolution, as in ``dcgan_generator``.
        seed: of the weights; the same seed gives the same weights.

    Returns:
        float32 codes [N, latent_dim] -> float32 images [N, height, width, channels], with tanh in [-1, 1].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    shape = blocks.check_image(shape)
    blocks.check_options(normalisation, activation, latent_dim=latent_dim, width=width)
    seeds = blocks.seed_stream(seed)
    sizes, widths = blocks.pyramid(*shape[:2]), _widths(width)
    stages = _stages(depth, shape, sizes)
    count = sum(len(stage) for stage in stages)

    codes = keras.Input((latent_dim,), dtype="float32")
    base = (*sizes[-1], widths[len(sizes) - 1])
    bias = normalisation == "none"
    first = {"use_bias": bias or output != "tanh", "kernel_initializer": _plain(seeds)}
    x = keras.layers.Dense(base[0] * base[1] * base[2], **first)(codes)
    x = keras.layers.Reshape(base)(x)
    for level in range(len(sizes) - 1, 0, -1):
        *same, up = stages[level - 1]
        options = {"normalisation": normalisation, "activation": activation, "count": count, "seeds": seeds}
        for kernels in same:
            x = _block(x, sizes[level], widths[level], kernels, **options)
        x = _block(x, sizes[level - 1], widths[level - 1], up, **options)
    x = blocks.activate(blocks.normalise(x, normalisation), activation)
    x = keras.layers.Conv2D(shape[2], 3, padding="same", kernel_initializer=_plain(seeds))(x)
    return keras.Model(codes, keras.layers.Activation(output, dtype=blocks.HEAD)(x), name="residual_generator")


def residual_discriminator(
    shape: tuple[int, int, int],
    *,
    width: int = 32,
    depth: int = 14,
    normalisation: str = "none",
    activation: str = "leaky_relu",
    dropout: float = 0.0,
    spectral: bool = False,
    outputs: int = 1,
    seed: int | None = None,
) -> keras.Model:
    """Build a deep residual discriminator with pre-activation blocks (He et al. 2016; Gulrajani et al. 2017).

    Args:
        shape: (height, width, channels), 8 to 256 pixels a side and 1 to 4 channels.
        width: channels of the features at the image's size, doubled from the second halving on.
        depth: weight layers from image to score, counted as in ``residual_generator``.
        normalisation: in every block and before the score: batch, layer or none.
        activation: likewise, a name in ``blocks.ACTIVATIONS``.
        dropout: share of the features dropped before the last convolution of each block in training, in [0, 1).
        spectral: whether every layer, those on the shortcuts too, is spectrally normalised (Miyato et al. 2018).
        outputs: 1 score, or as many numbers as an encoder has to give.
        seed: of the weights and the dropout.

    Returns:
        images [N, height, width, channels] -> raw float32 scores [N, outputs].

    Raises:
        UsageError: for a shape, size or name that cannot be built.
    """
    shape = blocks.check_image(shape)
    blocks.check_options(normalisation, activation, dropout, width=width, outputs=outputs)
    seeds = blocks.seed_stream(seed)
    sizes, widths = blocks.pyramid(*shape[:2]), _widths(width)
    stages = _stages(depth, shape, sizes)
    options = {"normalisation": normalisation, "activation": activation, "dropout": dropout, "spectral": spectral}
    options |= {"count": sum(len(stage) for stage in stages), "seeds": seeds}

    images = keras.Input(shape, dtype="float32")
    bias = normalisation == "none"
    first = keras.layers.Conv2D(widths[0], 3, padding="same", use_bias=bias, kernel_initializer=_plain(seeds))
    x = blocks.weigh(images, first, spectral, seeds)
    for level in range(1, len(sizes)):
        for kernels in stages[level - 1]:
            x = _block(x, sizes[level], widths[level], kernels, **options)
    x = blocks.activate(blocks.normalise(x, normalisation), activation)
    head = keras.layers.Dense(outputs, kernel_initializer=_plain(seeds), dtype=blocks.HEAD)
    scores = blocks.weigh(keras.layers.Flatten()(x), head, spectral, seeds)
    return keras.Model(images, scores, name="residual_discriminator")


def _block(
    x: keras.KerasTensor,
    size: tuple[int, int],
    width: int,
    kernels: tuple[int, ...],
    *,
    normalisation: str,
    activation: str,
    count: int,
    seeds: Iterator[int],
    dropout: float = 0.0,
    spectral: bool = False,
) -> keras.KerasTensor:
    """Add to x, brought to ``size`` and ``width``, normalise-activate-convolve with each of the ``kernels`` in turn.

    Where the size changes, the first kernel above 1 strides. The last layer starts at 1/sqrt(count) of its usual scale:
    without normalisation each of ``count`` blocks would otherwise double the variance.
    """
    before = tuple(x.shape[1:3])
    grows = size > before
    stride = blocks.strides(size, before) if grows else blocks.strides(before, size)
    resized = max(stride) > 1
    strided = next((i for i, kernel in enumerate(kernels) if kernel > 1), 0) if resized else -1

    shortcut = x
    if resized and not grows:
        shortcut = keras.layers.AveragePooling2D(stride, padding="same")(shortcut)
    if x.shape[-1] != width:
        project = keras.layers.Conv2D(width, 1, use_bias=False, kernel_initializer=_plain(seeds))
        shortcut = blocks.weigh(shortcut, project, spectral, seeds)
    if grows:
        shortcut = blocks.crop(keras.layers.UpSampling2D(stride)(shortcut), size)

    inner = max(1, width // 2) if 1 in kernels else width
    for i, kernel in enumerate(kernels):
        last = i == len(kernels) - 1
        x = blocks.activate(blocks.normalise(x, normalisation), activation)
        if last:
            x = blocks.drop(x, dropout, seeds)
        convolution = keras.layers.Conv2DTranspose if grows and i == strided else keras.layers.Conv2D
        layer = convolution(
            width if last else inner,
            blocks.kernel_size(stride, 4) if i == strided else kernel,
            stride if i == strided else 1,
            padding="same",
            use_bias=normalisation == "none",
            kernel_initializer=keras.initializers.VarianceScaling(2 / count if last else 2, seed=next(seeds)),
        )
        x = blocks.weigh(x, layer, spectral, seeds)
        x = blocks.crop(x, size) if i == strided and grows else x
    return keras.layers.Add()([shortcut, x])


def _stages(depth: int, shape: tuple[int, ...], sizes: list[tuple[int, int]]) -> list[list[tuple[int, ...]]]:
    """Share ``depth`` weight layers out: for each halving, image side first, the kernels of each of its blocks."""
    halvings = len(sizes) - 1
    blocks.check_options("none", "relu", depth=depth)
    if depth < halvings + 2:
        raise UsageError(
            f"depth {depth} is too shallow for a residual network on {shape[0]} x {shape[1]} images: "
            f"give at least {halvings + 2} layers."
        )
    bottleneck = depth >= BOTTLENECK_DEPTH
    blocks_in_all = max(halvings, (depth - 2) // (3 if bottleneck else 2))
    layers = _shares(depth - 2, blocks_in_all)
    kernels = iter([(1, *[3] * (n - 2), 1) if bottleneck else (3,) * n for n in layers])
    # The smaller sizes are the cheaper ones: they get the blocks left over.
    return [[next(kernels) for _ in range(share)] for share in reversed(_shares(blocks_in_all, halvings))]


def _shares(total: int, parts: int) -> list[int]:
    """Split ``total`` into ``parts`` as equal as can be, larger ones first."""
    quotient, rest = divmod(total, parts)
    return [quotient + (i < rest) for i in range(parts)]


def _widths(width: int) -> list[int]:
    """Give the channels at each level of the pyramid, the image's size first."""
    return [width] + [width * min(2**level, 8) for level in range(8)]


def _small(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02, seed=next(seeds))


def _plain(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.LecunNormal(seed=next(seeds))
