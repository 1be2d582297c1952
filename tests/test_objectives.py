"""Every objective against equations written out again in float64 NumPy, and against divergences known exactly."""

import numpy as np
import pytest
import tensorflow as tf

from kgan import objectives
from kgan.errors import UsageError

REAL = np.array([1.5, -0.5, 0.25, 3.0])
FAKE = np.array([-2.0, 0.75, 0.0, -1.25])
DIVERGENCES = [name for name, kind in objectives.OBJECTIVES.items() if issubclass(kind, objectives.FDivergence)]

# Table 6 of the f-GAN paper, with T and f*(T) written from f and g alone.
LAMBERT = {-3.0: 2.9262710624435, 0.0: 1.0, 2.0: 0.2784645427610738}  # w of each t, where w + log w = 1 - t
ACTIVATIONS = {
    "kl": lambda v: v,
    "reverse-kl": lambda v: -np.exp(-v),
    "pearson": lambda v: v,
    "squared-hellinger": lambda v: 1 - np.exp(-v),
    "jensen-shannon": lambda v: np.log(2) - np.log(1 + np.exp(-v)),
    "jeffreys": lambda v: v,
    "total-variation": lambda v: np.tanh(v) / 2,
}
GENERATORS = {
    "kl": lambda u: u * np.log(u),
    "reverse-kl": lambda u: -np.log(u),
    "pearson": lambda u: (u - 1) ** 2,
    "squared-hellinger": lambda u: (np.sqrt(u) - 1) ** 2,
    "jensen-shannon": lambda u: u * np.log(u) - (u + 1) * np.log((u + 1) / 2),
    "jeffreys": lambda u: (u - 1) * np.log(u),
    "total-variation": lambda u: np.abs(u - 1) / 2,
}
# The score at which T = f'(u), where the bound is tight.
BEST_SCORES = {
    "kl": lambda u: 1 + np.log(u),
    "reverse-kl": np.log,
    "pearson": lambda u: 2 * (u - 1),
    "squared-hellinger": lambda u: np.log(u) / 2,
    "jensen-shannon": np.log,
    "jeffreys": lambda u: 1 + np.log(u) - 1 / u,
    "total-variation": lambda u: 30 * np.sign(u - 1),
}


def close(actual, expected, rel=1e-6, abs=1e-12, name=""):
    np.testing.assert_allclose(actual, expected, rtol=rel, atol=abs, err_msg=name)


def supremum(f, t):
    """sup_u (u t - f(u)) over a fine grid of density ratios, refined once."""
    u = np.exp(np.linspace(-14, 14, 200_001))
    best = np.argmax(u * t - f(u))
    u = np.linspace(u[max(best - 1, 0)], u[min(best + 1, len(u) - 1)], 10_001)
    return np.max(u * t - f(u))


def sigmoid(s):
    return 1 / (1 + np.exp(-s))


def games():
    """name -> (D's loss, what G earns per sample) in float64, from the papers' equations on probabilities."""
    log_d, log_not_d = (lambda s: np.log(sigmoid(s))), (lambda s: np.log(1 - sigmoid(s)))
    margin = np.array([0.5, 0.1, 2.0, 1.0])
    yield "minimax", -np.mean(log_d(REAL)) - np.mean(log_not_d(FAKE)), -log_not_d(FAKE)
    yield "non-saturating", -np.mean(log_d(REAL)) - np.mean(log_not_d(FAKE)), log_d(FAKE)
    yield "least-squares", (np.mean((REAL - 1) ** 2) + np.mean(FAKE**2)) / 2, -((FAKE - 1) ** 2) / 2
    yield "wasserstein", np.mean(FAKE) - np.mean(REAL), FAKE
    yield "hinge", np.mean(np.maximum(0, 1 - REAL)) + np.mean(np.maximum(0, 1 + FAKE)), FAKE
    hinge = np.maximum(0, margin + -REAL - -FAKE)
    yield "loss-sensitive", np.mean(-REAL) + 10 * np.mean(hinge), FAKE
    for name in DIVERGENCES:
        t = ACTIVATIONS[name]
        if name == "pearson":  # over the whole line, as in the paper
            dual = np.array([t(v) ** 2 / 4 + t(v) for v in FAKE])
        else:
            dual = np.array([supremum(GENERATORS[name], t(v)) for v in FAKE])
        yield name, np.mean(dual) - np.mean(t(REAL)), dual


@pytest.mark.parametrize("name, loss, payoff", games())
def test_equations(name, loss, payoff):
    objective = objectives.get(name)
    margins = np.array([0.5, 0.1, 2.0, 1.0])
    close(objective.discriminator_loss(REAL, FAKE, margins), loss, rel=1e-5, abs=1e-6)
    close(objective.generator_loss(FAKE), -np.mean(payoff), rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(objective.reward(FAKE), payoff, rtol=1e-5, atol=2e-6)


def test_hand_worked_numbers():
    """Figures short enough to check on paper: D's and G's loss at real scores (2, -1), fake scores (-1, 1)."""
    real, fake = [2.0, -1.0], [-1.0, 1.0]
    bce = (0.126928 + 1.313262) / 2 + (0.313262 + 1.313262) / 2
    for name, d_loss, g_loss in [
        ("minimax", bce, -(0.313262 + 1.313262) / 2),
        ("non-saturating", bce, (1.313262 + 0.313262) / 2),
        ("least-squares", (1 + 4) / 4 + (1 + 1) / 4, (4 + 0) / 4),
        ("wasserstein", 0 - 0.5, 0.0),
        ("hinge", (0 + 2) / 2 + (0 + 2) / 2, 0.0),
        ("kl", (0.135335 + 1) / 2 - 0.5, -(0.135335 + 1) / 2),
        ("pearson", (-0.75 + 1.25) / 2 - 0.5, -0.25),
    ]:
        objective = objectives.get(name)
        close(objective.discriminator_loss(real, fake), d_loss, abs=2e-6, name=name)
        close(objective.generator_loss(fake), g_loss, abs=2e-6, name=name)
    # LSGAN with the paper's labels of equation 9 of the 2017 version, a = -1, b = 1, c = 0.
    objective = objectives.get("least-squares", a=-1.0, b=1.0, c=0.0)
    close(objective.discriminator_loss(real, fake), (1 + 4) / 4 + (0 + 4) / 4)
    close(objective.generator_loss(fake), (1 + 1) / 4)


def test_smoothing_moves_only_the_real_target():
    p, q = sigmoid(REAL), sigmoid(FAKE)
    expected = -np.mean(0.9 * np.log(p) + 0.1 * np.log(1 - p)) - np.mean(np.log(1 - q))
    for name in ("minimax", "non-saturating"):
        smooth = objectives.get(name, smooth=0.1)
        close(smooth.discriminator_loss(REAL, FAKE), expected, rel=1e-5)
        assert smooth.generator_loss(FAKE) == objectives.get(name).generator_loss(FAKE)
    expected = (np.mean((REAL - 0.9) ** 2) + np.mean(FAKE**2)) / 2
    close(objectives.get("lsgan", smooth=0.1).discriminator_loss(REAL, FAKE), expected, rel=1e-5)
    with pytest.raises(UsageError, match="smooth is 1.5"):
        objectives.get("minimax", smooth=1.5)


def test_loss_sensitive_margins_and_patches():
    objective = objectives.get("loss-sensitive", scale=2.0, weight=3.0)
    real = np.zeros([2, 2, 2, 1], np.float32)
    fake = np.stack([np.full([2, 2, 1], 0.5), np.array([[1.0, -1.0], [0.0, 0.0]])[..., None]])
    margins = objective.margins(real, fake)
    np.testing.assert_allclose(margins, [1.0, 1.0])
    real_scores, fake_scores = np.array([[[1.0], [3.0]], [[0.0], [0.0]]]), np.array([[[0.0], [1.0]], [[0.5], [-1.0]]])
    # Means a sample: real 2, 0; fake 0.5, -0.25. Hinges: max(0, 1 + 0.5 - 2) = 0 and max(0, 1 - 0.25 - 0) = 0.75.
    close(objective.discriminator_loss(real_scores, fake_scores, margins), -1 + 3 * 0.375)
    with pytest.raises(UsageError, match="margins"):
        objective.discriminator_loss(real_scores, fake_scores)
    assert objectives.get("hinge").margins(real, fake) is None


def test_reward_is_one_number_a_sample():
    patches = np.array([[[[0.0], [2.0]]], [[[-1.0], [1.0]]], [[[5.0], [5.0]]]])  # [3, 1, 2, 1]
    np.testing.assert_allclose(objectives.get("wgan").reward(patches), [1.0, 0.0, 5.0])
    softplus = np.log1p(np.exp(patches)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(objectives.get("minimax").reward(patches), softplus, rtol=1e-6)
    assert objectives.get("gan").reward(tf.zeros([7])).shape == (7,)
    assert objectives.get("gan").reward(tf.zeros([7, 1], tf.float16)).dtype == tf.float32


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_reward_rises_where_the_generators_loss_falls(name):
    scores = tf.reshape(tf.linspace(-6.0, 6.0, 41), [-1, 1])
    objective = objectives.get(name)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = objective.generator_loss(scores)
    fall = -tape.gradient(loss, scores).numpy()[:-1, 0]
    rise = np.diff(objective.reward(scores).numpy())
    clear = np.abs(rise) > 1e-4
    turning = np.diff(np.sign(fall), append=np.sign(fall[-1])) != 0
    assert clear.any() and np.all(np.sign(rise[clear & ~turning]) == np.sign(fall[clear & ~turning]))
    if name not in ("least-squares", "pearson"):  # the two parabolas
        assert np.all(fall >= 0)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_conjugate_is_the_supremum(name):
    objective = objectives.get(name)
    for v in np.linspace(-1.9, 3.0, 15):  # Pearson's T stays above -2, where u >= 0 is no restriction
        t = objective.activation(tf.constant(v, tf.float64))
        close(t, ACTIVATIONS[name](v), rel=1e-12)
        expected = supremum(GENERATORS[name], float(t))
        close(objective.conjugate(t), expected, rel=1e-7, abs=1e-7)
        close(objective.fake_loss(tf.constant(v, tf.float64)), expected, rel=1e-7, abs=1e-7)
        u = np.exp(v)
        close(objective.f(tf.constant(u, tf.float64)), GENERATORS[name](u), rel=1e-12, abs=1e-12)


def test_jeffreys_conjugate_against_lambert_w():
    conjugate = objectives.get("jeffreys").conjugate
    for t, w in LAMBERT.items():
        close(w + np.log(w), 1 - t, abs=1e-9)
        close(conjugate(tf.constant(t, tf.float64)), w + 1 / w + t - 2, abs=1e-9)
    t = tf.constant([-1e4, -50.0, -1.0, 0.0, 1e-3, 0.5, 3.0, 15.0])
    with tf.GradientTape() as tape:
        tape.watch(t)
        value = conjugate(t)
    low, high = np.full(8, -1e5), np.full(8, 20.0)
    for _ in range(100):  # l + e^l = 1 - t by bisection in float64
        middle = (low + high) / 2
        below = middle + np.exp(middle) < 1 - t.numpy().astype(np.float64)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    log_w = low
    np.testing.assert_allclose(value, np.exp(-log_w) - 1 - log_w, rtol=3e-5, atol=3e-5)
    np.testing.assert_allclose(tape.gradient(value, t), np.exp(-log_w), rtol=2e-4)  # f*' is the density ratio 1/w


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_gradients_against_finite_differences(name):
    objective = objectives.get(name)
    margins, h = tf.constant([0.5, 0.1, 2.0, 1.0]), 1e-2
    real, fake = tf.constant(REAL, tf.float32), tf.constant(FAKE, tf.float32)
    losses = {
        "D of real": (lambda s: objective.discriminator_loss(s, fake, margins), real),
        "D of fake": (lambda s: objective.discriminator_loss(real, s, margins), fake),
        "G": (objective.generator_loss, fake),
    }
    for which, (loss, scores) in losses.items():
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = loss(scores)
        gradient = tape.gradient(value, scores).numpy()
        steps = np.eye(4, dtype=np.float32) * h
        numeric = [(loss(scores + step) - loss(scores - step)).numpy() / (2 * h) for step in steps]
        np.testing.assert_allclose(gradient, numeric, rtol=2e-3, atol=2e-4, err_msg=which)


@pytest.mark.parametrize(
    "name, options",
    [(name, {}) for name in objectives.OBJECTIVES]
    + [(name, {"trick": True}) for name in DIVERGENCES]
    + [(name, {"smooth": 0.1}) for name in ("minimax", "non-saturating", "least-squares")],
)
def test_finite_for_every_score(name, options):
    objective = objectives.get(name, **options)
    extremes = [1e4, -1e4, 0.0, 1.0, -1.0, 20.0, -20.0, 21.0, 90.0, -90.0]
    cases = [[value] * 4 for value in extremes] + [[1e4, -1e4, 0.0, 1.0], [-1e4, 90.0, -21.0, -1.0]]

    @tf.function
    def everything(real, fake):
        margins = tf.ones([4])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([real, fake])
            d_loss = objective.discriminator_loss(real, fake, margins)
            g_loss = objective.generator_loss(fake)
            reward = objective.reward(fake)
        gradients = [tape.gradient(d_loss, real), tape.gradient(d_loss, fake), tape.gradient(g_loss, fake)]
        return [d_loss, g_loss, reward, *gradients, tape.gradient(reward, fake)]

    for real in cases:
        for fake in cases:
            for value in everything(tf.constant(real)[:, None], tf.constant(fake)[:, None]):
                assert value is not None and np.all(np.isfinite(value)), (real, fake)


def expand(counts, scores):
    """A sample in which atom i stands counts[i] times, so that its mean is the expectation under a distribution."""
    return np.repeat(scores, counts)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_maximised_bound_is_the_divergence(name):
    p, q = np.array([1, 4, 3, 2]), np.array([3, 3, 2, 2])  # tenths
    objective = objectives.get(name)
    divergence = np.sum(q / 10 * GENERATORS[name](p / q))
    best = BEST_SCORES[name](p / q)
    close(objective.divergence_bound(expand(p, best), expand(q, best)), divergence, abs=1e-6)
    rng = np.random.default_rng(0)
    for scale in (0.01, 0.3, 3.0):
        other = best + scale * rng.normal(size=4)
        assert objective.divergence_bound(expand(p, other), expand(q, other)) <= divergence + 1e-6


def test_jensen_shannon_of_the_paper_is_twice_the_divergence():
    p, q = np.array([1, 4, 3, 2]), np.array([3, 3, 2, 2])
    m = (p + q) / 2
    jsd = (np.sum(p * np.log(p / m)) + np.sum(q * np.log(q / m))) / 20
    scores = np.log(p / q)
    bound = objectives.get("jensen-shannon").divergence_bound(expand(p, scores), expand(q, scores))
    close(bound, 2 * jsd, abs=1e-6)
    minimax = objectives.get("minimax").discriminator_loss(expand(p, scores), expand(q, scores))
    close((2 * np.log(2) - minimax) / 2, jsd, abs=1e-6)


@pytest.mark.parametrize("theta, jsd", [(1, 0.1114), (2, 0.3368), (4, 0.6327), (8, 0.6931)])
def test_minimax_loss_at_its_best_measures_the_divergence(theta, jsd):
    """N(0, 1) against N(theta, 1), whose log density ratio is theta^2/2 - theta x; the means are over quantiles."""
    x = tf.math.ndtri((np.arange(100_000) + 0.5) / 100_000).numpy()
    loss = objectives.get("gan").discriminator_loss(theta**2 / 2 - theta * x, theta**2 / 2 - theta * (x + theta))
    close((2 * np.log(2) - loss) / 2, jsd, abs=1e-4)


@pytest.mark.parametrize(
    "name, divergence, mean, deviation",
    [
        ("kl", 0.2831, 1.0100, 1.8308),
        ("reverse-kl", 0.2480, 1.5782, 1.6319),
        ("jensen-shannon", 0.1280, 1.3070, 1.7542),
        ("jeffreys", 0.5705, 1.3218, 1.7034),
        ("pearson", 0.6457, 0.5737, 1.9274),
    ],
)
def test_published_optima_of_the_f_gan_paper(name, divergence, mean, deviation):
    """Table 2 of the paper: a mixture of two Gaussians and the Gaussian nearest to it, with the divergence there."""
    x = np.linspace(-12, 16, 200_001)

    def normal(centre, width):
        return np.exp(-(((x - centre) / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))

    p, q = 0.33 * normal(-1, 0.255) + 0.67 * normal(2, 1.415), normal(mean, deviation)
    objective = objectives.get(name)
    u = tf.constant(np.maximum(p, 1e-300) / q)
    scores = tf.constant(BEST_SCORES[name](u.numpy()))
    direct = np.trapezoid(q * objective.f(u).numpy(), x)
    bound = np.trapezoid(-p * objective.real_loss(scores).numpy() - q * objective.fake_loss(scores).numpy(), x)
    close(direct, divergence, abs=2e-3)
    close(bound, direct, abs=1e-6)


def test_the_trick_changes_only_the_generator():
    for name in DIVERGENCES:
        plain, trick = objectives.get(name), objectives.get(name, trick=True)
        assert trick.discriminator_loss(REAL, FAKE) == plain.discriminator_loss(REAL, FAKE)
        close(trick.generator_loss(FAKE), -np.mean(ACTIVATIONS[name](FAKE)), rel=1e-6)


def test_names():
    assert set(objectives.ALIASES.values()) <= set(objectives.OBJECTIVES)
    assert isinstance(objectives.get("wgan"), objectives.Wasserstein)
    assert type(objectives.get("gan")) is objectives.NonSaturating
    hinge = objectives.Hinge()
    assert objectives.get(hinge) is hinge
    with pytest.raises(UsageError, match="did you mean 'hinge'"):
        objectives.get("hing")
    with pytest.raises(UsageError, match="'hinge' has no option 'smooth'"):
        objectives.get("hinge", smooth=0.1)
