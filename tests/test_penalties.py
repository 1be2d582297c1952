"""Penalties of critics whose gradients are known by hand."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan import penalties
from kgan.errors import UsageError

SEED = tf.constant([3, 7])
NAMES = list(penalties.PENALTIES)
RNG = np.random.default_rng(0)
REAL = RNG.normal(size=[6, 4, 5, 2]).astype(np.float32)
FAKE = RNG.normal(size=[6, 4, 5, 2]).astype(np.float32)


def close(actual, expected, rel=1e-6, abs=1e-12, name=""):
    np.testing.assert_allclose(actual, expected, rtol=rel, atol=abs, err_msg=name)


def linear(w, x):
    return tf.reduce_sum(w * x, axis=list(range(1, x.shape.rank)))


def half_square(x):
    """Its gradient at x is x."""
    return 0.5 * tf.reduce_sum(tf.square(x), axis=list(range(1, x.shape.rank)))


@pytest.mark.parametrize("length", [0.25, 1.0, 3.0])
def test_linear_critic(length):
    w = np.ones([4, 5, 2], np.float32) * length / np.sqrt(40)
    expected = {
        "gradient-penalty": 10 * (length - 1) ** 2,
        "one-sided-gradient-penalty": 10 * max(0.0, length - 1) ** 2,
        "dragan": 10 * (length - 1) ** 2,
        "r1": 5 * length**2,
        "r2": 5 * length**2,
        "zero-centred": 10 * length**2,
    }
    assert set(expected) == set(NAMES)
    for name, value in expected.items():
        penalty = penalties.get(name)(functools.partial(linear, w), REAL, FAKE, SEED)
        assert penalty.dtype == tf.float32 and penalty.shape == ()
        close(penalty, value, rel=1e-5, abs=1e-9, name=name)


def test_quadratic_critic_by_hand():
    """The gradient at x is x: real norms 5 and 1, generated norms 2 and 0."""
    real, fake = np.array([[3.0, 4.0], [0.0, 1.0]], np.float32), np.array([[0.0, 2.0], [0.0, 0.0]], np.float32)
    close(penalties.R1(weight=10.0)(half_square, real, fake), 5 * (25 + 1) / 2)
    close(penalties.R2(weight=4.0)(half_square, real, fake), 2 * (4 + 0) / 2)
    # With real and generated samples the same, the point between them is known whatever the weight drawn.
    between = {"two": penalties.GradientPenalty(), "target": penalties.GradientPenalty(weight=1.0, target=2.0)}
    close(between["two"](half_square, real, real), 10 * (16 + 0) / 2, rel=1e-5)
    close(between["target"](half_square, real, real), (9 + 1) / 2, rel=1e-5)
    close(penalties.ZeroCentred()(half_square, real, real), 10 * (25 + 1) / 2)


def test_norm_is_per_sample_not_of_the_batch():
    """Norms 2 and 0.5: per sample (1 + .25)/2; of the batch together (sqrt(4.25) - 1)^2; one-sided 1/2."""
    points = np.array([[2.0, 0.0, 0.0], [0.0, 0.5, 0.0]], np.float32)
    two_sided, one_sided = penalties.GradientPenalty(weight=1.0), penalties.GradientPenalty(weight=1.0, one_sided=True)
    close(two_sided(half_square, points, points), 0.625, rel=1e-5)
    close(one_sided(half_square, points, points), 0.5, rel=1e-5)


@pytest.mark.parametrize("seed", [SEED, None], ids=["stateless", "global"])
def test_interpolation_weights_are_uniform_and_one_a_sample(seed):
    tf.random.set_seed(5)
    n = 4000
    real, fake = np.zeros([n, 3], np.float32), np.ones([n, 3], np.float32)
    seen = []
    penalties.get("gradient-penalty")(lambda x: seen.append(x.numpy()) or half_square(x), real, fake, seed)
    weights = np.sort(seen[0][:, 0])
    np.testing.assert_array_equal(seen[0], seen[0][:, :1] * np.ones([1, 3]))
    assert weights[0] >= 0 and weights[-1] <= 1
    ranks = np.arange(1, n + 1) / n
    distance = max(np.max(ranks - weights), np.max(weights - ranks + 1 / n))  # Kolmogorov-Smirnov
    assert distance < 1.63 / np.sqrt(n)  # the 1 % level


def test_dragan_perturbs_the_real_samples_by_half_their_deviation():
    real = np.concatenate([np.full([2000, 2], 1.0), np.full([2000, 2], 5.0)]).astype(np.float32)  # deviation 2
    seen = []
    penalties.get("dragan")(lambda x: seen.append(x.numpy()) or half_square(x), real, real[:1], SEED)
    noise = seen[0] - real
    assert np.abs(noise).max() <= 1.0 + 1e-5
    assert np.abs(noise.mean()) < 0.03 and noise.std() == pytest.approx(1 / np.sqrt(3), rel=0.03)
    assert np.abs(np.corrcoef(noise.T)[0, 1]) < 0.06  # every element has its own


@pytest.mark.parametrize("name", NAMES)
def test_gradient_with_respect_to_the_critics_weights(name):
    """A nested tape, in a tf.function, against finite differences; one critic gives one score, the other patches."""
    real, fake = REAL[:, 0, :, 0], FAKE[:, 0, :, 0]
    penalty = penalties.get(name)
    for outputs in (1, 3):
        start = np.random.default_rng(1).normal(size=[5, outputs]).astype(np.float32)
        w = tf.Variable(start)

        def value(w=w):
            return penalty(lambda x: tf.tanh(tf.matmul(x, w)), real, fake, SEED)

        @tf.function
        def gradient(w=w, value=value):
            with tf.GradientTape() as tape:
                loss = value()
            return loss, tape.gradient(loss, w)

        loss, analytic = gradient()
        close(loss, value().numpy(), rel=1e-5)
        numeric, h = np.zeros_like(start), 1e-2
        for index in np.ndindex(start.shape):
            step = np.zeros_like(start)
            step[index] = h
            above = value(tf.constant(start + step))
            numeric[index] = (above - value(tf.constant(start - step))) / (2 * h)
        np.testing.assert_allclose(analytic, numeric, rtol=2e-2, atol=2e-2 * np.abs(numeric).max())


def test_patch_scores_are_summed():
    w = np.array([[3.0, 0.0], [0.0, 4.0]], np.float32)  # patches of gradient (3, 0) and (0, 4): together 5
    x = np.zeros([2, 2], np.float32)
    close(penalties.GradientPenalty(weight=1.0)(lambda x: tf.matmul(x, w), x, x), 16.0)


@pytest.mark.parametrize("name", NAMES)
def test_zero_gradient_has_a_finite_derivative(name):
    w = tf.Variable(tf.zeros([4, 5, 2]))
    with tf.GradientTape() as tape:
        loss = penalties.get(name)(functools.partial(linear, w), REAL, FAKE, SEED)
    assert np.isfinite(loss) and np.all(np.isfinite(tape.gradient(loss, w)))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    """A low-precision critic of low-precision samples: the penalty is float32 and near the float32 one."""
    layers = [
        keras.layers.Dense(8, activation="tanh", dtype=policy),
        keras.layers.Dense(1, dtype=policy),
    ]
    critic = keras.Sequential([keras.Input([5], dtype="float32"), *layers])
    full = lambda x: tf.matmul(  # noqa: E731
        tf.tanh(tf.matmul(x, layers[0].kernel.value)), layers[1].kernel.value
    )
    real, fake = REAL[:, 0, :, 0], FAKE[:, 0, :, 0]
    for name in NAMES:
        penalty = penalties.get(name)
        low = penalty(critic, tf.cast(real, layers[0].compute_dtype), tf.cast(fake, layers[0].compute_dtype), SEED)
        assert low.dtype == tf.float32
        # Near only where the noise agrees: it is drawn in float32 for both.
        close(low, penalty(full, real, fake, SEED).numpy(), rel=0.05, abs=0.02, name=name)


@pytest.mark.parametrize("name", NAMES)
def test_seed(name):
    penalty = penalties.get(name)
    first = penalty(half_square, REAL, FAKE, SEED)
    assert penalty(half_square, REAL, FAKE, SEED) == first
    if name not in ("r1", "r2"):
        assert penalty(half_square, REAL, FAKE, tf.constant([3, 8])) != first
        assert penalty(half_square, REAL, FAKE) != penalty(half_square, REAL, FAKE)


def test_critic_is_called_in_the_type_of_the_real_samples():
    w = tf.constant([[3.0], [4.0]], tf.float16)
    x = tf.zeros([2, 2], tf.float16)
    penalty = penalties.get("r1", weight=1.0)(lambda x: tf.matmul(x, w), x, x)
    assert penalty.dtype == tf.float32 and penalty.numpy() == 12.5


def test_conditional_critic_and_unknown_batch_size():
    condition = tf.constant(REAL[:, 0, 0, :])

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 5, 2])] * 2)
    def value(real, fake):
        critic = functools.partial(lambda x, c: tf.reduce_sum(x, [1, 2]) * c, c=condition)
        return penalties.get("gradient-penalty")(critic, real, fake, SEED)

    # Each of the 20 pixels of channel k has gradient c_k.
    norms = np.sqrt(20 * np.sum(condition.numpy() ** 2, axis=1))
    close(value(REAL, FAKE), 10 * np.mean((norms - 1) ** 2), rel=1e-5)


def test_mistakes():
    with pytest.raises(UsageError, match="same shape"):
        penalties.get("gradient-penalty")(half_square, REAL, FAKE[:3])
    with pytest.raises(UsageError, match="same shape"):
        penalties.get("zero-centred")(half_square, REAL, FAKE[:, :3])
    with pytest.raises(UsageError, match="does not depend"):
        penalties.get("r1")(lambda x: tf.zeros([6, 1]), REAL, FAKE)
    with pytest.raises(UsageError, match="did you mean 'dragan'"):
        penalties.get("dragn")
    with pytest.raises(UsageError, match="weight is -1"):
        penalties.get("r1", weight=-1.0)


def test_names():
    assert penalties.get("none") is None and penalties.get(None) is None
    assert all(penalty.per_sample for penalty in penalties.PENALTIES.values())
    assert penalties.get("r1", weight=2.0) == penalties.R1(weight=2.0)
    assert penalties.get("one-sided-gradient-penalty", weight=5.0).one_sided


def test_weight_clip():
    clip = penalties.WeightClip(0.5)
    np.testing.assert_allclose(clip(tf.constant([-2.0, -0.5, 0.1, 0.7])), [-0.5, -0.5, 0.1, 0.5])
    layer = keras.layers.Dense(3, kernel_constraint=clip)
    copy = keras.layers.Dense.from_config(layer.get_config())
    assert isinstance(copy.kernel_constraint, penalties.WeightClip) and copy.kernel_constraint.limit == 0.5
    model = keras.Sequential([keras.Input([2]), layer])
    optimizer = keras.optimizers.SGD(10.0)
    optimizer.build(model.trainable_variables)
    optimizer.apply_gradients([(tf.ones_like(v.value), v) for v in model.trainable_variables])
    np.testing.assert_allclose(layer.kernel.numpy(), -0.5)  # one long step, then clipped
    with pytest.raises(UsageError, match="limit is 0"):
        penalties.WeightClip(0)
