"""What the two players minimise: one small class a game, pure functions of raw scores.

The discriminator gives a raw score, never a probability; a high score says "real" in every game. Most games are
three functions of a single score ``s``, and a new one is a class that says only these:

    real_loss(s)   what the discriminator pays for a real sample,
    fake_loss(s)   what it pays for a generated one,
    payoff(s)      what the generator earns for a sample: its loss is minus the mean, its reward is this per sample.

Scores have any shape whose first axis is the batch (``[N, 1]``, or ``[N, h, w, 1]`` from a critic of patches) and any
float type; everything is computed in float32, and stays finite in value and gradient for scores of ±1e4.
"""

import dataclasses
import math

import tensorflow as tf

from kgan.errors import UsageError, lookup

# e^x runs straight on from here: beyond any density ratio a network can know of, well inside float32.
_LARGEST_EXPONENT = 20.0


@dataclasses.dataclass(frozen=True)
class Objective:
    """A game between a discriminator and a generator; its fields are its options."""

    def real_loss(self, scores):
        """What the discriminator pays for real samples, score by score (float32)."""
        raise NotImplementedError

    def fake_loss(self, scores):
        """What the discriminator pays for generated samples, score by score (float32)."""
        raise NotImplementedError

    def payoff(self, scores):
        """What the generator earns for generated samples, score by score (float32)."""
        raise NotImplementedError

    def discriminator_loss(self, real_scores, fake_scores, margins=None):
        """The scalar the discriminator minimises.

        Args:
            real_scores: raw scores of real samples, batch first.
            fake_scores: raw scores of generated samples, batch first.
            margins: what ``margins`` returned for the same samples; only the loss-sensitive game reads it.
        """
        real_scores, fake_scores = _float32(real_scores), _float32(fake_scores)
        return tf.reduce_mean(self.real_loss(real_scores)) + tf.reduce_mean(self.fake_loss(fake_scores))

    def generator_loss(self, fake_scores, real_scores=None):
        """The scalar the generator minimises: ``-E[payoff]``.

        Args:
            fake_scores: raw scores of generated samples, batch first.
            real_scores: raw scores of real samples, for games whose generator answers to them too; none here does.
        """
        return -tf.reduce_mean(self.payoff(_float32(fake_scores)))

    def reward(self, fake_scores):
        """``[N]``: the payoff of each sample (its mean over patches), for generators without a gradient to follow.

        A policy or a sampled sentence that maximises it plays the same game as one that descends ``generator_loss``.
        Mind its sign where episodes end early: a reward that is never negative pays for surviving, one that is never
        positive for giving up.
        """
        return _per_sample(self.payoff(_float32(fake_scores)))

    def margins(self, real, fake):
        """``[N]``: how far apart the scores of each real and generated pair should be, or None where no game asks."""
        return None


@dataclasses.dataclass(frozen=True)
class Minimax(Objective):
    """The game as first written: D maximises E[log D(x)] + E[log(1 - D(G(z)))], D = sigmoid(s), and G minimises it.

    Reward: -log(1 - D) = softplus(s), never negative. ``smooth`` takes the target of real samples down from 1 to
    1 - smooth, for real samples only.

    Goodfellow et al. 2014, "Generative Adversarial Nets"; as a reward: Ho & Ermon 2016, "Generative Adversarial
    Imitation Learning"; one-sided smoothing: Salimans et al. 2016, "Improved Techniques for Training GANs".
    """

    smooth: float = 0.0

    def __post_init__(self):
        _check_smooth(self.smooth)

    def real_loss(self, scores):
        return tf.nn.softplus(-scores) + self.smooth * scores

    def fake_loss(self, scores):
        return tf.nn.softplus(scores)

    def payoff(self, scores):
        return tf.nn.softplus(scores)

    def divergence_bound(self, real_scores, fake_scores):
        """The Jensen-Shannon divergence, log 2 - loss/2, that the best D would find (theorem 1); never above it."""
        return math.log(2.0) - 0.5 * Minimax().discriminator_loss(real_scores, fake_scores)


@dataclasses.dataclass(frozen=True)
class NonSaturating(Minimax):
    """The game people play: D as in minimax, G maximises E[log D(G(z))], whose gradient lasts while G is losing.

    Reward: log D = -softplus(-s), never positive.

    Goodfellow et al. 2014, "Generative Adversarial Nets", section 3.
    """

    def payoff(self, scores):
        return -tf.nn.softplus(-scores)


@dataclasses.dataclass(frozen=True)
class LeastSquares(Objective):
    """D minimises E[(D(x) - b)^2]/2 + E[(D(G(z)) - a)^2]/2, and G minimises E[(D(G(z)) - c)^2]/2.

    ``a`` labels generated samples, ``b`` real ones, ``c`` is what G wants D to say; b - c = 1 with b - a = 2 makes the
    game Pearson's chi-squared. ``smooth`` moves b that share of the way to a (1 - smooth for the labels 0 and 1).
    Reward: -(s - c)^2/2, never positive, and falling again beyond c.

    Mao et al. 2017, "Least Squares Generative Adversarial Networks".
    """

    a: float = 0.0
    b: float = 1.0
    c: float = 1.0
    smooth: float = 0.0

    def __post_init__(self):
        _check_smooth(self.smooth)

    def real_loss(self, scores):
        return 0.5 * tf.square(scores - (self.b + self.smooth * (self.a - self.b)))

    def fake_loss(self, scores):
        return 0.5 * tf.square(scores - self.a)

    def payoff(self, scores):
        return -0.5 * tf.square(scores - self.c)


@dataclasses.dataclass(frozen=True)
class Wasserstein(Objective):
    """The critic maximises E[D(x)] - E[D(G(z))] over 1-Lipschitz D, and G minimises it. Reward: s.

    At its best the critic's loss is minus the earth mover's distance. The Lipschitz bound is the affair of
    ``kgan.penalties`` or of spectral normalisation.

    Arjovsky et al. 2017, "Wasserstein GAN".
    """

    def real_loss(self, scores):
        return -scores

    def fake_loss(self, scores):
        return scores

    def payoff(self, scores):
        return scores

    def divergence_bound(self, real_scores, fake_scores):
        """E[D(x)] - E[D(G(z))]: the earth mover's distance under the best 1-Lipschitz D; never above it for such D."""
        return -self.discriminator_loss(real_scores, fake_scores)


@dataclasses.dataclass(frozen=True)
class Hinge(Objective):
    """D minimises E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))], and G minimises -E[D(G(z))]. Reward: s.

    Lim & Ye 2017, "Geometric GAN"; Miyato et al. 2018, "Spectral Normalization for GANs".
    """

    def real_loss(self, scores):
        return tf.nn.relu(1.0 - scores)

    def fake_loss(self, scores):
        return tf.nn.relu(1.0 + scores)

    def payoff(self, scores):
        return scores


@dataclasses.dataclass(frozen=True)
class LossSensitive(Objective):
    """With L = -s: D minimises E[L(x)] + weight E[max(0, margin + L(x) - L(G(z)))], and G minimises E[L(G(z))].

    A generated sample should lose by a margin that is its distance from the real sample it is paired with, so that the
    good ones are left in peace: margin = ``scale`` times the mean of |x - G(z)|. Reward: s. A larger ``weight`` holds G
    closer to the data (the author's own code drops the first term, an infinite weight). That first term pays for
    raising all scores together, so the scores drift upwards; G never sees it.

    Qi 2017, "Loss-Sensitive Generative Adversarial Networks on Lipschitz Densities". Raises UsageError when
    ``discriminator_loss`` is not given the margins.
    """

    weight: float = 10.0
    scale: float = 1.0

    def margins(self, real, fake):
        return self.scale * _per_sample(tf.abs(_float32(real) - _float32(fake)))

    def discriminator_loss(self, real_scores, fake_scores, margins=None):
        if margins is None:
            raise UsageError(
                "the loss-sensitive discriminator_loss got margins=None but needs one a pair: pass margins(real, fake)."
            )
        real_scores, fake_scores = _per_sample(_float32(real_scores)), _per_sample(_float32(fake_scores))
        violation = tf.nn.relu(_float32(margins) + fake_scores - real_scores)
        return self.weight * tf.reduce_mean(violation) - tf.reduce_mean(real_scores)

    def payoff(self, scores):
        return scores


@dataclasses.dataclass(frozen=True)
class FDivergence(Objective):
    """D maximises E[T(x)] - E[f*(T(G(z)))], T = g(s), a lower bound of the divergence E_Q[f(p/q)]; G minimises it.

    A subclass says f, its conjugate f*(t) = sup_u (u t - f(u)), and the output activation g that maps any score into
    the domain of f*. ``trick`` lets G maximise E[T(G(z))] instead of E[f*(T(G(z)))], which saturates less (section 3.2
    of the paper). Reward: f*(T), or T with the trick. Where an exponential runs on as its tangent, the game is that of
    f with the density ratio p/q held within about e^±20.

    Nowozin et al. 2016, "f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization".
    """

    trick: bool = False

    def f(self, u):
        """The convex f of a density ratio ``u`` >= 0, with f(1) = 0; keeps the float type of ``u``."""
        raise NotImplementedError

    def activation(self, scores):
        """T = g(scores), inside the domain of the conjugate, and increasing in the score."""
        raise NotImplementedError

    def conjugate(self, t):
        """f*(t) for t in its domain; keeps the float type of ``t``."""
        raise NotImplementedError

    def divergence_bound(self, real_scores, fake_scores):
        """E[T(real)] - E[f*(T(fake))]: never above the divergence, but for sampling error, and equal at the best T."""
        return -self.discriminator_loss(real_scores, fake_scores)

    def real_loss(self, scores):
        return -self.activation(scores)

    def fake_loss(self, scores):
        """f*(g(scores)); overridden where the composition is simpler, and safer, than its parts."""
        return self.conjugate(self.activation(scores))

    def payoff(self, scores):
        return self.activation(scores) if self.trick else self.fake_loss(scores)


@dataclasses.dataclass(frozen=True)
class KL(FDivergence):
    """KL(P || Q): f(u) = u log u, g(v) = v, f*(t) = e^(t - 1). Nowozin et al. 2016."""

    def f(self, u):
        return tf.math.xlogy(u, u)

    def activation(self, scores):
        return scores

    def conjugate(self, t):
        return _exp(t - 1.0)


@dataclasses.dataclass(frozen=True)
class ReverseKL(FDivergence):
    """KL(Q || P): f(u) = -log u, g(v) = -e^(-v), f*(t) = -1 - log(-t) for t < 0. Nowozin et al. 2016."""

    def f(self, u):
        return -tf.math.log(u)

    def activation(self, scores):
        return -_exp(-scores)

    def conjugate(self, t):
        return -1.0 - tf.math.log(-t)

    def fake_loss(self, scores):
        return scores - 1.0


@dataclasses.dataclass(frozen=True)
class Pearson(FDivergence):
    """Pearson's chi-squared, E_Q[(p/q - 1)^2]: f(u) = (u - 1)^2, g(v) = v, f*(t) = t^2/4 + t.

    As in the paper, f* is that of f on the whole line; over u >= 0 alone it would be flat below t = -2, where no
    gradient would bring the critic back.

    Nowozin et al. 2016.
    """

    def f(self, u):
        return tf.square(u - 1.0)

    def activation(self, scores):
        return scores

    def conjugate(self, t):
        return 0.25 * tf.square(t) + t


@dataclasses.dataclass(frozen=True)
class SquaredHellinger(FDivergence):
    """E_Q[(sqrt(p/q) - 1)^2]: f(u) = (sqrt(u) - 1)^2, g(v) = 1 - e^(-v), f*(t) = t/(1 - t) for t < 1.

    Nowozin et al. 2016.
    """

    def f(self, u):
        return tf.square(tf.sqrt(u) - 1.0)

    def activation(self, scores):
        return 1.0 - _exp(-scores)

    def conjugate(self, t):
        return t / (1.0 - t)

    def fake_loss(self, scores):
        return _exp(scores) - 1.0


@dataclasses.dataclass(frozen=True)
class JensenShannon(FDivergence):
    """The paper's "Jensen-Shannon", which is twice the Jensen-Shannon divergence: at most 2 log 2.

    f(u) = u log u - (u + 1) log((u + 1)/2), g(v) = log 2 - log(1 + e^(-v)), f*(t) = -log(2 - e^t) for t < log 2.

    Nowozin et al. 2016.
    """

    def f(self, u):
        return tf.math.xlogy(u, u) - (u + 1.0) * tf.math.log(0.5 * (u + 1.0))

    def activation(self, scores):
        return math.log(2.0) - tf.nn.softplus(-scores)

    def conjugate(self, t):
        return -tf.math.log(2.0 - tf.exp(t))

    def fake_loss(self, scores):
        return tf.nn.softplus(scores) - math.log(2.0)


@dataclasses.dataclass(frozen=True)
class Jeffreys(FDivergence):
    """KL(P || Q) + KL(Q || P): f(u) = (u - 1) log u, g(v) = v, f*(t) = w + 1/w + t - 2 where w + log w = 1 - t.

    That w is Lambert's W of e^(1 - t). It is found by Newton's method on l = log w from the right of the root, which
    descends to it from every t; f* is then e^(-l) - 1 - l, with no difference of large numbers in it.

    Nowozin et al. 2016.
    """

    def f(self, u):
        return (u - 1.0) * tf.math.log(u)

    def activation(self, scores):
        return scores

    def conjugate(self, t):
        y = 1.0 - t
        log_w = tf.minimum(y, 0.0) + tf.math.log(tf.maximum(y, 1.0))
        for _ in range(6):
            w = tf.exp(log_w)
            log_w -= (log_w + w - y) / (1.0 + w)
        return _exp(-log_w) - 1.0 - log_w


@dataclasses.dataclass(frozen=True)
class TotalVariation(FDivergence):
    """E_Q|p/q - 1|/2: f(u) = |u - 1|/2, g(v) = tanh(v)/2, f*(t) = t for |t| <= 1/2.

    The best T is a step, ±1/2, and a score beyond about 9 has no gradient left in float32: start it gently.

    Nowozin et al. 2016.
    """

    def f(self, u):
        return 0.5 * tf.abs(u - 1.0)

    def activation(self, scores):
        return 0.5 * tf.tanh(scores)

    def conjugate(self, t):
        return t


OBJECTIVES: dict[str, type[Objective]] = {
    "minimax": Minimax,
    "non-saturating": NonSaturating,
    "least-squares": LeastSquares,
    "wasserstein": Wasserstein,
    "hinge": Hinge,
    "loss-sensitive": LossSensitive,
    "kl": KL,
    "reverse-kl": ReverseKL,
    "pearson": Pearson,
    "squared-hellinger": SquaredHellinger,
    "jensen-shannon": JensenShannon,
    "jeffreys": Jeffreys,
    "total-variation": TotalVariation,
}

ALIASES = {
    "gan": "non-saturating",
    "lsgan": "least-squares",
    "wgan": "wasserstein",
    "js": "jensen-shannon",
    "chi2": "pearson",
}


def get(name: str | Objective, **options) -> Objective:
    """Return the objective called ``name`` with its fields set by ``options``; an Objective is returned as it is.

    Raises:
        UsageError: when there is no such objective, or it has no such option, or the option's value cannot be.
    """
    if isinstance(name, Objective):
        return name
    kind = lookup("objective", ALIASES.get(name, name), OBJECTIVES)
    known = [field.name for field in dataclasses.fields(kind)]
    for option in options:
        if option not in known:
            raise UsageError(
                f"objective {name!r} has no option {option!r}: it takes {', '.join(known) or 'none'}, so leave it out."
            )
    return kind(**options)


def _float32(scores):
    return tf.cast(scores, tf.float32)


def _per_sample(values):
    """The mean over every axis but the batch: ``[N, ...]`` -> ``[N]``."""
    return tf.reduce_mean(values, axis=list(range(1, values.shape.rank)))


def _exp(x):
    """e^x, continued by its tangent beyond x = 20."""
    capped = tf.minimum(x, _LARGEST_EXPONENT)
    return tf.exp(capped) * (1.0 + x - capped)


def _check_smooth(smooth: float) -> None:
    if not 0.0 <= smooth < 1.0:
        raise UsageError(f"smooth is {smooth} but must lie in [0, 1): try 0.1, or 0 for hard labels.")
