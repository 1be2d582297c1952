"""The networks over sentences: the residual ones against NumPy, the recurrent ones by what they look at."""

import numpy as np
import pytest

from kgan.errors import UsageError
from kgan.networks import blocks, sequences

LENGTH, SYMBOLS = 6, 9


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def convolve(x, kernel, bias):
    """One sentence, float64 [length, width]: kernel 5, the ends padded by zeros."""
    padded = np.pad(x, ((2, 2), (0, 0)))
    return np.stack([np.einsum("kc,kcd->d", padded[t : t + 5], kernel) for t in range(len(x))]) + bias


def residual(x, kernel_1, bias_1, kernel_2, bias_2):
    """Gulrajani's block: x + 0.3 conv(relu(conv(relu(x))))."""
    return x + 0.3 * convolve(np.maximum(convolve(np.maximum(x, 0), kernel_1, bias_1), 0), kernel_2, bias_2)


def weights_of(model):
    random = np.random.default_rng(1)
    model.set_weights([random.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return [w.astype(np.float64) for w in model.get_weights()]


def test_the_generator_is_the_papers():
    model = sequences.sequence_generator((LENGTH, SYMBOLS), 3, width=4, depth=2)
    dense, bias, *middle, last, last_bias = weights_of(model)
    codes = noise(2, 3)
    for code, ours in zip(codes, model(codes).numpy(), strict=True):
        x = (code @ dense + bias).reshape(LENGTH, 4)
        x = residual(residual(x, *middle[:4]), *middle[4:])
        logits = x @ last + last_bias
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        np.testing.assert_allclose(ours, shares, rtol=1e-4, atol=1e-6)


def test_the_critic_is_the_papers():
    model = sequences.sequence_discriminator((LENGTH, SYMBOLS), width=4, depth=1)
    first, bias, *middle, head, head_bias = weights_of(model)
    sentences = np.eye(SYMBOLS, dtype=np.float32)[[[0, 1, 2, 3, 4, 5], [8, 8, 1, 0, 0, 0]]]
    expected = [residual(s @ first + bias, *middle).reshape(-1) @ head + head_bias for s in sentences]
    np.testing.assert_allclose(model(sentences), expected, rtol=1e-4)


def test_options_and_seeds():
    pair = [sequences.sequence_generator((LENGTH, SYMBOLS), 3, width=4, depth=1, seed=s) for s in (1, 1, 2)]
    first, same, other = (model(noise(2, 3)).numpy() for model in pair)
    assert np.array_equal(first, same) and not np.array_equal(first, other)
    for options in ({"normalisation": "batch"}, {"normalisation": "layer", "spectral": True}, {"dropout": 0.5}):
        model = sequences.sequence_discriminator((LENGTH, SYMBOLS), width=4, depth=1, **options)
        assert model(noise(2, LENGTH, SYMBOLS)).shape == (2, 1)
        assert blocks.has_batch_normalisation(model) == (options.get("normalisation") == "batch")


def test_the_decoder_sees_the_code_and_what_came_before_but_nothing_after():
    model = sequences.sequence_decoder((LENGTH, SYMBOLS), 3, width=8, seed=0)
    codes, before = noise(1, 3), np.array([[0, 1, 2, 3, 4, 5]])
    logits = model([codes, before]).numpy()
    assert logits.shape == (1, LENGTH, SYMBOLS) and logits.dtype == np.float32
    changed = model([codes, np.array([[0, 1, 2, 8, 4, 5]])]).numpy()
    assert np.array_equal(changed[:, :3], logits[:, :3])
    assert (np.abs(changed - logits).max(axis=2)[0, 3:] > 1e-6).all()
    assert (np.abs(model([codes + 1, before]).numpy() - logits).max(axis=2) > 1e-6).all()


def test_the_encoder_reads_the_whole_sentence():
    model = sequences.sequence_encoder((LENGTH, SYMBOLS), 3, width=8, seed=0)
    sentence = np.array([[1, 2, 3, 4, 5, 6]])
    read = model(sentence).numpy()
    assert read.shape == (1, 2, 3)
    for position in range(LENGTH):
        other = sentence.copy()
        other[0, position] = 8
        assert np.abs(model(other).numpy() - read).max() > 1e-5


@pytest.mark.parametrize("build", [sequences.sequence_generator, sequences.sequence_encoder])
@pytest.mark.parametrize(
    "shape, options, said",
    [
        ((28, 28, 1), {}, r"is for sentences, of shape \(length, symbols\)"),
        ((6, 0), {}, "symbols 0 cannot be built"),
        ((6, 9), {"width": 0}, "width 0 cannot be built"),
    ],
)
def test_what_cannot_be_built(build, shape, options, said):
    with pytest.raises(UsageError, match=said):
        build(shape, 3, **options)
