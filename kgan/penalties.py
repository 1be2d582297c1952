"""What keeps the judge smooth: penalties on the critic's gradient, and weight clipping as a Keras constraint.

A penalty is called as ``penalty(critic, real, fake, seed=None)`` and returns a float32 scalar, weight included, to be
added to the critic's loss. ``critic`` is any callable of one batch tensor, so a conditional critic is a ``partial``.
Every penalty here is about the gradient of each sample's own score, so batch normalisation, which ties the samples of
a batch together, must not stand in the critic: that is what ``per_sample`` tells a model.

Spectral normalisation needs nothing here: wrap the critic's layers in ``keras.layers.SpectralNormalization``.
"""

import dataclasses
from typing import ClassVar

import keras
import tensorflow as tf

from kgan.errors import UsageError, lookup

# Inside the root, so that a gradient of exactly zero has a finite derivative; 1 + 1e-12 is 1 in float32.
_EPSILON = 1e-12


@dataclasses.dataclass(frozen=True)
class Penalty:
    """Where the gradient is looked at (``points``) and what its squared norm costs (``cost``), times ``weight``."""

    weight: float = 10.0
    per_sample: ClassVar[bool] = True

    def __post_init__(self):
        if not self.weight >= 0.0:
            raise UsageError(f"the penalty's weight is {self.weight} but must be at least 0: the papers use 10.")

    def points(self, real, fake, seed):
        """The samples at which the critic's gradient is taken, float32 ``[N, ...]``."""
        raise NotImplementedError

    def cost(self, squared_norms):
        """``[N]`` squared norms of the gradients -> ``[N]`` costs."""
        raise NotImplementedError

    def __call__(self, critic, real, fake, seed=None):
        """Return ``weight`` times the mean cost, a float32 scalar.

        Args:
            critic: a callable from a batch of samples to raw scores ``[N, ...]``; the scores of patches are summed.
            real: real samples ``[N, ...]``, any rank and float type; the critic is called with the same type.
            fake: generated samples, of the same shape as ``real`` where the penalty looks between the two.
            seed: int32 ``[2]`` for what is random; None draws from TensorFlow's global generator.

        Raises:
            UsageError: when shapes differ that must agree, or the critic's score does not depend on its input.
        """
        real = tf.convert_to_tensor(real)
        points = self.points(tf.cast(real, tf.float32), tf.cast(fake, tf.float32), seed)
        squared_norms = _squared_gradient_norms(critic, tf.stop_gradient(points), real.dtype)
        return self.weight * tf.reduce_mean(self.cost(squared_norms))


@dataclasses.dataclass(frozen=True)
class GradientPenalty(Penalty):
    """weight E[(|grad D(x)| - target)^2] at x drawn evenly from the line between each real and generated pair.

    ``one_sided`` leaves gradients shorter than ``target`` alone.

    Gulrajani et al. 2017, "Improved Training of Wasserstein GANs"; one-sided: Petzka et al. 2018, "On the
    Regularization of Wasserstein GANs".
    """

    target: float = 1.0
    one_sided: bool = False

    def points(self, real, fake, seed):
        return _between(real, fake, seed)

    def cost(self, squared_norms):
        excess = tf.sqrt(squared_norms + _EPSILON) - self.target
        return tf.square(tf.nn.relu(excess) if self.one_sided else excess)


@dataclasses.dataclass(frozen=True)
class Dragan(GradientPenalty):
    """The gradient penalty around the data alone: weight E[(|grad D(x + d)| - target)^2], x real.

    d is uniform noise within plus or minus half the standard deviation of the batch. (It is centred, as the noise of
    the paper's equation is; the authors' script draws it from the positive half only.)

    Kodali et al. 2017, "On Convergence and Stability of GANs".
    """

    def points(self, real, fake, seed):
        return real + 0.5 * tf.math.reduce_std(real) * (2.0 * _uniform(tf.shape(real), seed) - 1.0)


@dataclasses.dataclass(frozen=True)
class R1(Penalty):
    """weight/2 E[|grad D(x)|^2] at real x: the weight is the paper's gamma.

    Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?".
    """

    def points(self, real, fake, seed):
        return real

    def cost(self, squared_norms):
        return 0.5 * squared_norms


@dataclasses.dataclass(frozen=True)
class R2(R1):
    """weight/2 E[|grad D(G(z))|^2] at generated samples: R1's twin. Mescheder et al. 2018."""

    def points(self, real, fake, seed):
        return fake


@dataclasses.dataclass(frozen=True)
class ZeroCentred(Penalty):
    """weight E[|grad D(x)|^2] at x drawn evenly from the line between each real and generated pair.

    Thanh-Tung et al. 2019, "Improving Generalization and Stability of Generative Adversarial Networks".
    """

    def points(self, real, fake, seed):
        return _between(real, fake, seed)

    def cost(self, squared_norms):
        return squared_norms


PENALTIES: dict[str, Penalty] = {
    "gradient-penalty": GradientPenalty(),
    "one-sided-gradient-penalty": GradientPenalty(one_sided=True),
    "r1": R1(),
    "r2": R2(),
    "dragan": Dragan(),
    "zero-centred": ZeroCentred(),
}


def get(name: str | Penalty | None, weight: float | None = None) -> Penalty | None:
    """Return the penalty called ``name``, or None for ``"none"``; what is not a name is returned as it is.

    Args:
        name: a key of ``PENALTIES``, or ``"none"``.
        weight: takes the place of the penalty's own.

    Raises:
        UsageError: when there is no such penalty, or the weight is negative.
    """
    if not isinstance(name, str):
        return name
    penalty = lookup("penalty", name, {"none": None, **PENALTIES})
    return penalty if penalty is None or weight is None else dataclasses.replace(penalty, weight=weight)


@keras.saving.register_keras_serializable(package="kgan")
class WeightClip(keras.constraints.Constraint):
    """Keep every weight within ``[-limit, limit]``: the first Wasserstein GAN's way to a Lipschitz critic.

    Arjovsky et al. 2017, "Wasserstein GAN". Give it to a layer as ``kernel_constraint`` and ``bias_constraint``.
    Raises UsageError when ``limit`` is not positive.
    """

    def __init__(self, limit: float = 0.01):
        if not limit > 0.0:
            raise UsageError(f"the weight clip's limit is {limit} but must be above 0: the paper's is 0.01.")
        self.limit = limit

    def __call__(self, w):
        return keras.ops.clip(w, -self.limit, self.limit)

    def get_config(self):
        return {"limit": self.limit}


def _squared_gradient_norms(critic, points, dtype):
    """``[N]``: the squared norm, over all axes but the batch, of the gradient of each sample's score at ``points``.

    The critic is called in ``dtype``; the gradient and its norm are float32.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(points)
        # A sample's score is a function of that sample alone, so the gradient of the sum is each sample's own.
        total = tf.reduce_sum(tf.cast(critic(tf.cast(points, dtype)), tf.float32))
    gradients = tape.gradient(total, points)
    if gradients is None:
        raise UsageError("the critic's score does not depend on its input: a gradient penalty needs one that does.")
    return tf.reduce_sum(tf.square(gradients), axis=list(range(1, gradients.shape.rank)))


def _between(real, fake, seed):
    """A point of each segment from ``real[i]`` to ``fake[i]``, one uniform weight a sample."""
    if not real.shape.is_compatible_with(fake.shape):
        raise UsageError(
            f"real samples have shape {tuple(real.shape)} and generated ones {tuple(fake.shape)} but this penalty "
            "pairs them one to one: give it batches of the same shape."
        )
    batch = tf.shape(real)[:1]
    weights = _uniform(tf.concat([batch, tf.ones([real.shape.rank - 1], tf.int32)], axis=0), seed)
    return real + weights * (fake - real)


def _uniform(shape, seed):
    """float32 uniform in [0, 1), from an int32 ``[2]`` stateless seed or, when it is None, the global generator."""
    return tf.random.uniform(shape) if seed is None else tf.random.stateless_uniform(shape, seed)
