import itertools

import numpy as np
import pytest
import scipy.linalg

from kgan.errors import UsageError
from kgan.metrics import pairs
from kgan.metrics.distances import frechet_distance, frechet_distance_infinity, kernel_distance


def samples_with(mean, covariance, count=50, seed=0):
    """Samples whose own mean and covariance (divisor N - 1) are exactly those given."""
    noise = np.random.default_rng(seed).normal(size=(count, len(mean)))
    noise -= noise.mean(axis=0)
    white = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise.T).reshape(len(mean), -1))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_in_one_dimension():
    real, fake = samples_with([1.0], [[4.0]]), samples_with([4.0], [[0.25]], count=70, seed=1)
    assert frechet_distance(real, fake) == pytest.approx(3**2 + (2 - 0.5) ** 2, abs=1e-9)


def test_frechet_distance_of_two_gaussians():
    real_cov, fake_cov = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    real, fake = samples_with([0.0, 1.0], real_cov), samples_with([2.0, 0.0], fake_cov, seed=1)
    expected = 2**2 + 1 + np.trace(real_cov + fake_cov - 2 * scipy.linalg.sqrtm(real_cov @ fake_cov).real)
    assert frechet_distance(real, fake) == pytest.approx(expected, abs=1e-9)
    assert frechet_distance(fake, real) == pytest.approx(expected, abs=1e-9)


def test_frechet_distance_of_equal_sets_is_zero():
    samples = np.random.default_rng(0).normal(size=(200, 30)).astype(np.float32) * 100
    assert frechet_distance(samples, samples[::-1]) == pytest.approx(0, abs=1e-8)


def test_frechet_distance_of_singular_covariances():
    # 6 samples in 40 dimensions. Twice as far from the mean: trace(S + 4S - 2 * 2S) = trace(S).
    real = np.random.default_rng(0).normal(size=(6, 40))
    about_mean = real - real.mean(axis=0)
    trace = np.square(about_mean).sum() / 5
    assert frechet_distance(real, real.mean(axis=0) + 2 * about_mean) == pytest.approx(trace, rel=1e-10)
    # In orthogonal subspaces the cross term is 0.
    left, right = np.pad(about_mean, [(0, 0), (0, 40)]), np.pad(about_mean, [(0, 0), (40, 0)])
    assert frechet_distance(left, right) == pytest.approx(2 * trace, rel=1e-10)


def test_frechet_distance_bias_and_its_removal():
    # For two samples of N(0, I): E = D (1/N + 1/M) from the means and, to second order, (D^2 + D) / 4 (1/(N-1) +
    # 1/(M-1)) from the covariances.
    width, count = 16, 800
    random = np.random.default_rng(0)
    pairs = [random.normal(size=(2, count, width)) for _ in range(8)]
    bias = width * 2 / count + (width**2 + width) / 4 * 2 / (count - 1)
    assert np.mean([frechet_distance(*pair) for pair in pairs]) == pytest.approx(bias, rel=0.1)
    corrected = [frechet_distance_infinity(*pair) for pair in pairs]
    assert abs(np.mean(corrected)) < 0.1 * bias
    # A true distance of 1 is left standing.
    moved = [frechet_distance_infinity(real, fake + 0.25) for real, fake in pairs]
    assert np.mean(moved) == pytest.approx(16 * 0.25**2, abs=0.04)
    assert frechet_distance_infinity(*pairs[0], seed=3) == frechet_distance_infinity(*pairs[0], seed=3)


def naive_kernel_distance(real, fake):
    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    def within(samples):
        pairs = [(i, j) for i in range(len(samples)) for j in range(len(samples)) if i != j]
        return sum(kernel(samples[i], samples[j]) for i, j in pairs) / len(pairs)

    across = sum(kernel(x, y) for x in real for y in fake) / (len(real) * len(fake))
    return within(real) + within(fake) - 2 * across


@pytest.mark.parametrize("block_bytes", [pairs.BLOCK_BYTES, 400])  # all at once, or a row at a time
def test_kernel_distance_is_the_double_sum(monkeypatch, block_bytes):
    monkeypatch.setattr(pairs, "BLOCK_BYTES", block_bytes)
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(45, 5)), random.normal(size=(52, 5)) + 0.5
    assert kernel_distance(real, fake).value == pytest.approx(naive_kernel_distance(real, fake), rel=1e-10)
    assert kernel_distance(real, fake, seed=7).value == pytest.approx(kernel_distance(real, fake).value, rel=1e-10)
    assert kernel_distance(real, fake, seed=7) == kernel_distance(real, fake, seed=7)


def test_kernel_distance_is_unbiased():
    # Every possible draw of 4 samples from P = {-1, 2} and from Q = {0, 1}, each value with chance a half.
    p, q = np.array([[-1.0], [2.0]]), np.array([[0.0], [1.0]])
    draws = list(itertools.product([0, 1], repeat=4))
    mean = np.mean([kernel_distance(p[list(a)], q[list(b)]).value for a in draws for b in draws])
    moments = [np.mean((x @ y.T + 1) ** 3) for x, y in ((p, p), (q, q), (p, q))]
    assert mean == pytest.approx(moments[0] + moments[1] - 2 * moments[2], rel=1e-10)


def test_kernel_distance_states_its_standard_error():
    random = np.random.default_rng(0)
    estimates = [kernel_distance(random.normal(size=(100, 3)), random.normal(size=(100, 3)) + 0.7) for _ in range(150)]
    scatter = np.std([estimate.value for estimate in estimates])
    assert np.mean([estimate.standard_error for estimate in estimates]) == pytest.approx(scatter, rel=0.2)


@pytest.mark.parametrize("function", [frechet_distance, frechet_distance_infinity, kernel_distance])
@pytest.mark.parametrize(
    "real, fake, says",
    [
        (np.zeros((20, 3)), np.zeros((20, 4)), "3 activations and the generated one 4"),
        (np.zeros((20, 3)), np.zeros((1, 3)), "generated set has 1 samples"),
        (np.zeros((20, 2, 2, 3)), np.zeros((20, 3)), r"real set has the shape \(20, 2, 2, 3\)"),
        (np.zeros((20, 3)), np.full((20, 3), np.nan), "generated set holds NaN"),
    ],
)
def test_sets_that_cannot_be_compared(function, real, fake, says):
    with pytest.raises(UsageError, match=says):
        function(real, fake)
