"""A second answer of a discriminator: what a sample was made from, or the features that it judges by."""

import keras

from kgan.networks import mlp

_SHARPNESS = 10.0  # of heads: near uniform answers, which small initial logits give, nothing says which way to go


@keras.saving.register_keras_serializable(package="kgan")
class BestOf(keras.layers.Layer):
    """The answer of the best of several heads, float32 [N, heads, K] -> [N, K].

    Whoever trains the heads says in `merits` [heads] how good each one is; the first is taken while all are alike.
    """

    def build(self, input_shape) -> None:
        """Make the merits, of as many heads as there are."""
        self.merits = self.add_weight(
            shape=(input_shape[1],), initializer="zeros", trainable=False, name="merits", dtype="float32",
            aggregation="mean",
        )  # fmt: skip

    def call(self, heads):
        """Take one."""
        return keras.ops.take(heads, keras.ops.argmax(self.merits), axis=1)


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
            samples -> numbers, or several outputs, such as of `with_candidates`.
        width: units of the hidden layer of the one that shares.
        normalisation: in that layer: batch, layer or none.
        seed: of the weights of the one that shares.

    Returns:
        samples -> scores as before, and float32 [N, numbers], or what else its own recogniser gives.
    """
    seen = discriminator.input
    if not isinstance(recogniser, keras.Model):
        seen = discriminator.layers[-1].input
        recogniser = mlp.mlp_discriminator(
            (seen.shape[-1],), widths=(width,), normalisation=normalisation, outputs=recogniser, seed=seed
        )
    read = recogniser(seen)
    read = read if isinstance(read, list | tuple) else [read]
    return keras.Model(discriminator.input, [discriminator.output, *read], name=discriminator.name)


def with_features(discriminator: keras.Model) -> keras.Model:
    """Let a discriminator give the features that it scores by, beside its score.

    Args:
        discriminator: samples -> scores, from any builder here.

    Returns:
        samples -> scores as before, and what enters its last layer, [N, F].
    """
    features = discriminator.layers[-1].input
    return keras.Model(discriminator.input, [discriminator.output, features], name=discriminator.name)


def with_candidates(recogniser: keras.Model, categories: int, candidates: int) -> keras.Model:
    """Let a recogniser have several heads for one categorical code, of which `BestOf` takes the best.

    Args:
        recogniser: samples -> numbers, the first `categories` times `candidates` of which are the heads' logits.
        categories: values of the code.
        candidates: how many heads.

    Returns:
        samples -> the best head's logits and the numbers that are left, and all heads' logits
        [N, candidates, categories].
    """
    exact = {"dtype": "float32"}  # whatever the precision of the rest, as other networks' outputs
    numbers = recogniser.output
    heads = keras.layers.Reshape((candidates, categories), **exact)(numbers[:, : candidates * categories])
    heads = keras.layers.Rescaling(_SHARPNESS, **exact)(heads)
    best = BestOf(name="best_of", **exact)(heads)
    posterior = keras.layers.Concatenate(**exact)([best, numbers[:, candidates * categories :]])
    return keras.Model(recogniser.input, [posterior, heads], name="recogniser")
