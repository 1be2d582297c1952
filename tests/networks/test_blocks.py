"""The parts of the networks against figures worked out by hand, and what they refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan import networks
from kgan.errors import UsageError
from kgan.networks import blocks

FOR_IMAGES = [name for name in networks.NETWORKS if name != "sequence"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((28, 28), [(28, 28), (14, 14), (7, 7)]),
        ((45, 101), [(45, 101), (23, 51), (12, 26), (6, 13), (6, 7)]),
        ((8, 33), [(8, 33), (4, 17), (4, 9), (4, 5)]),
        ((8, 14), [(8, 14), (4, 7), (2, 4)]),
        ((15, 15), [(15, 15), (8, 8), (4, 4)]),
        ((256, 256), [(256, 256), (128, 128), (64, 64), (32, 32), (16, 16), (8, 8), (4, 4)]),
    ],
)
def test_pyramid(size, expected):
    assert blocks.pyramid(*size) == expected


def test_activations():
    x = np.array([-2.0, -0.5, 0.0, 1.5], "float32")
    e = np.exp(x)
    expected = {
        "relu": [0, 0, 0, 1.5],
        "leaky_relu": [-0.4, -0.1, 0, 1.5],
        "elu": [-0.8646647, -0.3934693, 0, 1.5],
        "selu": [-1.5201664, -0.6917582, 0, 1.5760515],
        "gelu": [-0.0455003, -0.1542688, 0, 1.3997892],
        "sigmoid": 1 / (1 + 1 / e),
        "softplus": np.log1p(e),
        "swish": x / (1 + 1 / e),
        "tanh": (e**2 - 1) / (e**2 + 1),
    }
    assert set(expected) == set(blocks.ACTIVATIONS)
    for name, values in expected.items():
        np.testing.assert_allclose(blocks.ACTIVATIONS[name]()(x), values, atol=2e-6, err_msg=name)


def test_batch_normalisation_by_hand():
    layer = blocks.BatchNormalization(momentum=0.9, epsilon=1e-5)
    outputs = layer(np.array([[1.0], [2], [3], [4]], "float32"), training=True)  # mean 2.5, variance 1.25
    np.testing.assert_allclose(outputs[:, 0], np.array([-1.5, -0.5, 0.5, 1.5]) / np.sqrt(1.25001), rtol=1e-6)
    assert layer.moving_mean.numpy() == pytest.approx([0.25])
    assert layer.moving_variance.numpy() == pytest.approx([0.9 + 0.125])
    np.testing.assert_allclose(layer(np.array([[0.25]], "float32")), [[0]], atol=1e-7)


@pytest.mark.parametrize("shape", [(6, 5, 3, 4), (8, 4)])
def test_batch_normalisation_is_keras_own(shape):
    generator = np.random.default_rng(0)
    x = tf.constant(generator.normal(2, 3, shape), "float32")
    gamma, beta = generator.normal(size=(2, 4))
    results = []
    for layer_class in blocks.BatchNormalization, keras.layers.BatchNormalization:
        layer = layer_class(momentum=0.8)
        layer.build(shape)
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)
        weights = [x, layer.gamma.value, layer.beta.value]
        with tf.GradientTape() as outer:  # the second derivative too: a penalty needs it
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                outputs = layer(x, training=True)
                total = tf.reduce_sum(tf.sin(outputs))
            slope = inner.gradient(total, x)
            squared = tf.reduce_sum(slope**2)
        seconds = outer.gradient(squared, weights, unconnected_gradients="zero")
        results.append([outputs, slope, *seconds, layer.moving_mean, layer.moving_variance, layer(x)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)


def test_batch_normalisation_in_half_precision_and_frozen():
    layer = blocks.BatchNormalization(dtype="mixed_bfloat16")
    x = np.random.default_rng(0).normal(5, 2, (64, 3, 3, 2)).astype("float32")
    outputs = layer(x, training=True)
    assert outputs.dtype == "bfloat16" and layer.moving_mean.dtype == "float32"
    assert np.std(np.float32(outputs)) == pytest.approx(1, abs=0.02)
    layer.trainable = False
    before = layer.moving_mean.numpy()
    layer(x, training=True)
    np.testing.assert_array_equal(layer.moving_mean, before)


def judge(normalisation):
    """A small network with weights of its own, the same in every call."""
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(1))(inputs)
    x = normalisation(x)
    return keras.Model(inputs, keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(2))(x))


@pytest.mark.parametrize(
    "normalisation", [blocks.BatchNormalization, keras.layers.BatchNormalization, lambda: lambda x: x]
)
def test_several_batches_at_once_are_as_one_by_one(normalisation):
    generator = np.random.default_rng(0)
    batches = [tf.constant(generator.normal(mean, 1, (n, 6, 6, 2)), "float32") for n, mean in ((5, 0), (3, 2), (1, 0))]
    results = []
    for run in blocks.for_each, lambda model, batches, training: [model(b, training=training) for b in batches]:
        model = judge(normalisation())
        with tf.GradientTape() as tape:
            outputs = tf.function(run)(model, batches, True)
            loss = tf.add_n([k * tf.reduce_sum(tf.sin(part)) for k, part in enumerate(outputs, 1)])
        gradients = tape.gradient(loss, model.trainable_variables)
        held_out = model(batches[0], training=False)  # by the moving averages
        results.append([*outputs, *gradients, *model.weights, held_out, *run(model, batches, False)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_several_batches_are_one_pass_but_for_batch_normalisation():
    for normalisation, expected in (lambda x: x, [5]), (blocks.BatchNormalization(), [2, 3]):
        model, passes = judge(normalisation), []
        model.layers[1].call = lambda x, call=model.layers[1].call, passes=passes: passes.append(x.shape[0]) or call(x)
        blocks.for_each(model, [tf.zeros((2, 6, 6, 2)), tf.zeros((3, 6, 6, 2))], training=True)
        assert passes == expected


@pytest.mark.parametrize("normalisation", [blocks.BatchNormalization, lambda: lambda x: x])
@pytest.mark.parametrize("count", [6, 5, 1])
def test_two_halves_are_as_one_pass(normalisation, count):
    samples = tf.constant(np.random.default_rng(0).normal(1, 2, (count, 6, 6, 2)), "float32")
    results = []
    for run in blocks.in_halves, lambda model, samples, training: model(samples, training=training):
        model = judge(normalisation())
        with tf.GradientTape() as tape:
            tape.watch(samples)
            outputs = tf.function(run)(model, samples, True)
            loss = tf.reduce_sum(tf.sin(outputs))
        gradients = tape.gradient(loss, [samples, *model.trainable_variables])
        results.append([outputs, *gradients, *model.weights, run(model, samples, False)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def passes_of(model, samples):
    """How many samples the second layer of a model saw at each call."""
    passes, layer = [], model.layers[1]
    layer.call = lambda x, call=layer.call: passes.append(x.shape[0]) or call(x)
    blocks.in_halves(model, samples, training=True)
    return passes


def test_only_a_chain_without_memory_is_halved(monkeypatch):
    samples, threads = tf.zeros((6, 6, 6, 2)), "get_inter_op_parallelism_threads"
    monkeypatch.setattr(tf.config.threading, threads, lambda: 2)
    assert passes_of(judge(lambda x: x), samples) == [3, 3]
    assert passes_of(judge(keras.layers.Dropout(0.5)), samples) == [6]  # its draws are counted
    assert passes_of(judge(lambda x: keras.layers.Add()([x, x])), samples) == [6]
    spectral = keras.layers.SpectralNormalization(keras.layers.Conv2D(4, 1))  # turns its vector at each call
    assert passes_of(judge(spectral), samples) == [6]
    assert passes_of(judge(lambda x: x), samples[:1]) == [1]
    chain = judge(lambda x: x)
    assert passes_of(keras.Model(chain.input, [chain.layers[1].output, chain.output]), samples) == [6]
    monkeypatch.setattr(tf.config.threading, threads, lambda: 1)
    assert passes_of(judge(lambda x: x), samples) == [6]


def test_layer_normalisation_is_over_all_axes_of_each_sample():
    x = np.random.default_rng(0).normal(3, 2, (4, 5, 6, 7)).astype("float32")
    inputs = keras.Input(x.shape[1:])
    outputs = blocks.normalise(inputs, "layer")
    model = keras.Model(inputs, outputs)
    gamma, beta = np.arange(1, 8.0), np.arange(7.0)
    model.layers[-1].set_weights([gamma, beta])
    mean, variance = x.mean((1, 2, 3), keepdims=True), x.var((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(model(x), (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, rtol=1e-4, atol=1e-5)


def test_batch_normalisation_is_found_however_deep():
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    inside = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    wrapped = keras.Sequential([keras.Input((2, 4)), keras.layers.TimeDistributed(inside)])
    outer = keras.Sequential([keras.Input((2, 4)), wrapped, keras.layers.LayerNormalization()])

    class Custom(keras.Model):
        def __init__(self, part):
            super().__init__()
            self.part = part

    assert not blocks.has_batch_normalisation(plain) and not blocks.has_batch_normalisation(Custom(plain))
    assert all(map(blocks.has_batch_normalisation, (inside, wrapped, outer, Custom(outer), inside.layers[-1])))


def sentence(build):
    with pytest.raises(UsageError) as refused:
        build()
    text = str(refused.value)
    assert text.endswith(".") and "\n" not in text and text.count(". ") == 0
    return text


@pytest.mark.parametrize("name", FOR_IMAGES)
@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((7, 28, 1), "(8, 28, 1)"),
        ((28, 300, 3), "(28, 256, 3)"),
        ((28, 28, 5), "(28, 28, 4)"),
        ((28, 28, 0), "(28, 28, 1)"),
        ((-28, 28, 1), "(8, 28, 1)"),
        ((28, 28), "(28, 28, 1)"),
        ((28.5, 28, 1), "(28, 28, 1)"),
        ((None, None, 3), "(28, 28, 1)"),
    ],
    ids=str,
)
def test_shapes_that_cannot_be_built(name, shape, fits):
    for build in networks.get(name):
        text = sentence(lambda build=build: build(shape))
        assert str(shape) in text and f"for instance {fits}" in text


@pytest.mark.parametrize("name", FOR_IMAGES)
def test_options_that_cannot_be_built(name):
    generator, discriminator = networks.get(name)
    for options, named in [
        ({"normalisation": "bach"}, "'batch'"),
        ({"activation": "leaky_rule"}, "'leaky_relu'"),
        ({"widths": (8, 0)} if name == "mlp" else {"width": 0}, "0"),
    ]:
        for build in generator, discriminator:
            assert named in sentence(lambda build=build, options=options: build((28, 28, 1), **options))
    for latent_dim in (0, -3, 2.5):
        assert f"latent_dim {latent_dim}" in sentence(lambda n=latent_dim: generator((28, 28, 1), n))
    for dropout in (1.0, -0.1):
        assert f"dropout {dropout}" in sentence(lambda d=dropout: discriminator((28, 28, 1), dropout=d))


def test_other_refusals():
    assert "'dcgan'" in sentence(lambda: networks.get("dcgam"))
    assert "(0,)" in sentence(lambda: networks.get("mlp").generator((0,)))
    for build in networks.get("residual"):
        assert "at least 4 layers" in sentence(lambda build=build: build((28, 28, 1), depth=3))
        assert "at least 8 layers" in sentence(lambda build=build: build((20, 256, 1), depth=7))
        assert "depth 0" in sentence(lambda build=build: build((28, 28, 1), depth=0))
