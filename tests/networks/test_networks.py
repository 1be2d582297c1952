"""Every pair of networks: shapes, ranges, gradients, options, seeds, precision, saving."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan import networks
from kgan.errors import UsageError
from kgan.networks import blocks, images

SMALL = {"dcgan": {"width": 4}, "residual": {"width": 4, "depth": 8}, "mlp": {"widths": (16, 12)}}
SHAPES = [(28, 28, 1), (8, 8, 2), (45, 101, 3), (37, 53, 4), (9, 14, 1), (8, 70, 3), (64, 48, 1), (256, 131, 3)]
EVERY = pytest.mark.parametrize("name", list(SMALL))


def pair(name, shape=(28, 28, 1), *, generator=None, discriminator=None, seed=0, **both):
    builders, options = networks.get(name), SMALL[name] | both
    return (
        builders.generator(shape, 5, seed=seed, **options | (generator or {})),
        builders.discriminator(shape, seed=seed, **options | (discriminator or {})),
    )


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def layers(model):
    """All layers, those inside spectral normalisation included."""
    return [getattr(layer, "layer", layer) for layer in model.layers]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@EVERY
def test_images_and_scores_of_any_size(name, shape):
    generator, discriminator = pair(name, shape)
    drawn = generator(noise(3, 5), training=True)
    scores = discriminator(drawn)
    assert generator.input_shape == (None, 5) and generator.output_shape == (None, *shape)
    assert drawn.shape == (3, *shape) and drawn.dtype == "float32"
    assert scores.shape == (3, 1) and scores.dtype == "float32"
    assert np.isfinite(drawn).all() and np.abs(drawn).max() <= 1
    assert np.isfinite(scores).all() and np.ptp(scores) > 0
    assert all(np.isfinite(w).all() for w in generator.get_weights() + discriminator.get_weights())


@pytest.mark.parametrize("dims", [1, 2])
def test_points_are_linear_and_unbounded(dims):
    generator, discriminator = pair("mlp", (dims,))
    points = generator(noise(64, 5) * 100)
    assert points.shape == (64, dims) and np.abs(points).max() > 10
    assert discriminator(points).shape == (64, 1)
    # Without hidden layers it is one matrix.
    generator = networks.get("mlp").generator((dims,), 5, widths=(), seed=1)
    np.testing.assert_allclose(generator(noise(4, 5) * 2), 2 * generator(noise(4, 5)), rtol=1e-5)


@EVERY
def test_tanh_ends_every_image_generator(name):
    generator, _ = pair(name)
    head = [w for w in generator.trainable_variables if w.path.endswith("kernel")][-1]
    head.assign(head * 1e8)
    drawn = np.abs(generator(noise(4, 5)))
    assert drawn.max() == 1 and np.mean(drawn == 1) > 0.8


@pytest.mark.parametrize("normalisation", list(blocks.NORMALISATIONS))
@EVERY
def test_gradient_reaches_every_weight(name, normalisation):
    # An odd depth gives one residual block of three layers.
    deep = {"depth": 9} if name == "residual" else {}
    for model in pair(name, (13, 21, 2), normalisation=normalisation, **deep):
        inputs = noise(6, *model.input_shape[1:])
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = tf.reduce_sum(outputs * noise(*outputs.shape, seed=1))
        gradients = tape.gradient(loss, [w.value for w in model.trainable_variables])
        # A bias before batch normalisation has a gradient of rounding error only, hence the scale.
        scale = max(np.abs(g).max() for g in gradients)
        for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
            assert np.isfinite(gradient).all() and np.abs(gradient).max() > 1e-5 * scale, weight.path


# Normalised layers (generator, discriminator) on 28 x 28: DCGAN has two halvings and leaves the first convolution of
# the discriminator alone; depth 8 has six layers in blocks and one normalisation before the head.
NORMALISED = {"dcgan": (2, 1), "residual": (7, 7), "mlp": (2, 2)}


@EVERY
def test_normalisation_option(name):
    kinds = {"batch": keras.layers.BatchNormalization, "layer": keras.layers.GroupNormalization}
    for kind in blocks.NORMALISATIONS:
        for model, expected in zip(pair(name, normalisation=kind), NORMALISED[name], strict=True):
            for other, layer_class in kinds.items():
                count = sum(isinstance(layer, layer_class) for layer in layers(model))
                assert count == (expected if other == kind else 0), (model.name, kind, other)
            assert blocks.has_batch_normalisation(model) == (kind == "batch")


@pytest.mark.parametrize("activation", ["tanh", "elu", "leaky_relu"])
@EVERY
def test_activation_option(name, activation):
    for model, expected in zip(
        pair(name, activation=activation), ((2, 2), (7, 7), (2, 2))[list(SMALL).index(name)], strict=True
    ):
        found = [
            layer
            for layer in layers(model)
            if isinstance(layer, keras.layers.Activation | keras.layers.ReLU | keras.layers.LeakyReLU)
            and layer.output is not model.output
        ]
        assert len(found) == expected
        x = np.linspace(-2, 2, 9, dtype="float32")
        for layer in found:
            np.testing.assert_allclose(layer(x), blocks.ACTIVATIONS[activation]()(x))


@EVERY
def test_dropout_and_spectral_options(name):
    _, plain = pair(name)
    _, model = pair(name, discriminator={"dropout": 0.5, "spectral": True})
    weighted = [layer for layer in layers(plain) if hasattr(layer, "kernel")]
    wrapped = [layer for layer in model.layers if isinstance(layer, keras.layers.SpectralNormalization)]
    assert len(wrapped) == len(weighted) > 2
    assert any(isinstance(layer, keras.layers.Dropout) and layer.rate == 0.5 for layer in model.layers)
    x = noise(4, 28, 28, 1)
    assert not np.array_equal(model(x, training=True), model(x, training=True))
    for _ in range(15):
        model(x[:1], training=True)
    for layer in wrapped:
        kernel = layer.kernel.numpy().reshape(-1, layer.kernel.shape[-1])
        assert np.linalg.norm(kernel, 2) == pytest.approx(1, abs=0.1)


@EVERY
def test_same_seed_same_weights(name):
    options = {"discriminator": {"dropout": 0.3, "spectral": True}}
    built = pair(name, **options), pair(name, **options), pair(name, seed=1, **options)
    for one, same, other in zip(*built, strict=True):
        x = noise(4, *one.input_shape[1:])
        np.testing.assert_array_equal(one(x, training=True), same(x, training=True))
        for a, b, c in zip(one.weights, same.weights, other.weights, strict=True):
            np.testing.assert_array_equal(a, b)
            if a.path.endswith("kernel"):
                assert not np.array_equal(a, c)
        # Every layer has a seed of its own: no kernel begins as another one does.
        firsts = [w.numpy().ravel()[0] / w.numpy().std() for w in one.weights if w.path.endswith("kernel")]
        assert len(set(np.round(firsts, 5))) == len(firsts)


def test_without_a_seed_keras_own_decides():
    drawn = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(seed)
        drawn.append(pair("dcgan", seed=None)[0](np.ones((1, 5))).numpy())
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[1], drawn[2])


@pytest.mark.parametrize("kind", list(blocks.NORMALISATIONS))
@EVERY
def test_only_batch_normalisation_looks_at_the_rest_of_the_batch(name, kind):
    _, model = pair(name, normalisation=kind)
    here, there = noise(4, 28, 28, 1), 3 * noise(4, 28, 28, 1, seed=1) + 1
    there[0] = here[0]
    first, second = model(here, training=True)[0, 0], model(there, training=True)[0, 0]
    alike = np.isclose(first, second, rtol=1e-4, atol=1e-7)
    assert alike == (kind != "batch"), (first, second)


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@EVERY
def test_mixed_precision_keeps_heads_and_weights_in_float32(name, bfloat16):
    generator, discriminator = pair(name, discriminator={"spectral": True})
    drawn = generator(noise(4, 5), training=True)
    scores = discriminator(drawn, training=True)
    for model, outputs in (generator, drawn), (discriminator, scores):
        assert outputs.dtype == "float32" and model.output.dtype == "float32"
        assert not np.array_equal(outputs, tf.cast(tf.cast(outputs, "bfloat16"), "float32"))
        assert {w.dtype for w in model.weights} <= {"float32", "uint32", "int64"}
        weighted = [layer for layer in layers(model) if hasattr(layer, "kernel")]
        convolves = model is generator and name != "mlp"  # then only the activation is in float32
        assert weighted[-1].compute_dtype == ("bfloat16" if convolves else "float32")
        assert all(layer.compute_dtype == "bfloat16" for layer in weighted[:-1])
        # Dividing by the spectral norm must not round the weights either.
        for layer in weighted:
            assert not np.array_equal(layer.kernel, tf.cast(tf.cast(layer.kernel, "bfloat16"), "float32"))


@EVERY
def test_saved_file_gives_the_same_model(name, tmp_path):
    options = {"generator": {"normalisation": "batch"}, "discriminator": {"normalisation": "layer", "spectral": True}}
    for model in pair(name, **options):
        x = noise(4, *model.input_shape[1:])
        model(x, training=True)  # moves the averages and the singular vectors
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(model(x), again(x))
        np.testing.assert_array_equal(model(x, training=True), again(x, training=True))
        assert blocks.has_batch_normalisation(again) == blocks.has_batch_normalisation(model)


def weight_layers(model):
    """Most layers with a kernel on any one path from the input to the output."""

    @functools.cache
    def longest(operation):
        before = [t._keras_history.operation for node in operation._inbound_nodes for t in node.input_tensors]
        own = hasattr(getattr(operation, "layer", operation), "kernel")
        return own + max((longest(b) for b in before), default=0)

    return longest(model.output._keras_history.operation)


@pytest.mark.parametrize("depth", [4, 5, 9, 49, 50])
def test_residual_depth_counts_weight_layers(depth):
    generator = images.residual_generator((28, 28, 1), 5, width=2, depth=depth)
    discriminator = images.residual_discriminator((28, 28, 1), width=2, depth=depth, spectral=depth < 10)
    assert weight_layers(generator) == weight_layers(discriminator) == depth
    bottleneck = any(getattr(layer, "kernel_size", 0) == (1, 1) and layer.use_bias for layer in layers(discriminator))
    assert bottleneck == (depth >= 50)


def test_the_lectures_101_layers_take_a_step():
    options = {"width": 4, "depth": 101, "seed": 0}  # batch normalisation in the generator, none in the discriminator
    generator = images.residual_generator((28, 28, 1), 8, **options)
    discriminator = images.residual_discriminator((28, 28, 1), **options)
    assert weight_layers(generator) == weight_layers(discriminator) == 101
    codes, real = noise(8, 8), np.tanh(noise(8, 28, 28, 1))

    def play():
        drawn = generator(codes, training=True)
        scores = discriminator(tf.concat([drawn, real], 0), training=True)
        return drawn, scores, tf.reduce_mean(tf.nn.softplus(scores[:8]) + tf.nn.softplus(-scores[8:]))

    with tf.GradientTape() as tape:
        drawn, scores, loss = play()
    gradients = tape.gradient(loss, generator.trainable_variables + discriminator.trainable_variables)
    # 33 blocks that each doubled the variance would be at 1e5, and the images at -1 and 1.
    assert 0.05 < np.std(drawn) < 0.9 and 0.01 < np.std(scores) < 10
    assert np.isfinite(loss)
    for gradient in gradients:
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    sizes = [np.abs(g).max() for g in gradients if len(g.shape) == 4]
    assert max(sizes) / min(sizes) < 1e4  # neither vanishes nor explodes on the way
    optimiser = keras.optimizers.SGD(1e-3)
    optimiser.apply(gradients[-len(discriminator.trainable_variables) :], discriminator.trainable_variables)
    assert play()[2] < loss


@EVERY
def test_encoders_and_decoders_are_the_same_networks_with_other_ends(name):
    decoder, encoder = pair(name, generator={"output": "linear"}, discriminator={"outputs": 6})
    generator, _ = pair(name)
    codes = 3 * noise(4, 5)
    np.testing.assert_allclose(np.tanh(decoder(codes)), generator(codes), atol=1e-5)
    assert encoder(decoder(codes)).shape == (4, 6)
    if name != "mlp":  # the code 0 too can become any image
        assert decoder.count_params() > generator.count_params()
    with pytest.raises(UsageError, match="outputs 0"):
        pair(name, discriminator={"outputs": 0})
