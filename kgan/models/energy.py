"""Energy-based games: the discriminator is an auto-encoder, and what it cannot draw again has a high energy."""

from collections.abc import Callable
from typing import ClassVar

import keras
import tensorflow as tf

from kgan.datasets.images import from_uint8, to_uint8
from kgan.errors import UsageError
from kgan.models.gan import LatentGame, samples_of
from kgan.serving.export import Signature


class EnergyGame(LatentGame):
    """A generator against an auto-encoder; a subclass says what the two minimise.

    The discriminator gives for samples [N, ...] their reconstructions [N, ...] and codes [N, D]. The energy of a
    sample is its reconstruction error, the mean of `error(reconstruction - sample)` over its values: a mean, so that a
    margin means the same for images of any size.

    Raises:
        UsageError: for a discriminator that is no auto-encoder.
    """

    error: ClassVar[Callable[[tf.Tensor], tf.Tensor]]

    def __init__(self, generator: keras.Model, discriminator: keras.Model, **kwargs):
        """Put a generator and an auto-encoder together; `kwargs` are those of `AdversarialModel`."""
        super().__init__(generator, discriminator, **kwargs)
        shapes = discriminator.output_shape
        if not isinstance(shapes, list | tuple) or len(shapes) != 2 or shapes[0] != discriminator.input_shape:
            raise UsageError(
                f"the discriminator gives {shapes}, but it must be an auto-encoder, which gives reconstructions and "
                "codes: build it with kgan.networks.autoencoders.dcgan_autoencoder."
            )

    def energy(self, samples: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """The energies of samples, float32 [N], and their codes, float32 [N, D]."""
        reconstructions, codes = self.discriminator(samples, training=training)
        errors = self.error(tf.cast(reconstructions, tf.float32) - samples)
        return tf.reduce_mean(errors, axis=range(1, len(samples.shape))), tf.cast(codes, tf.float32)

    def scores(self, samples: tf.Tensor) -> tf.Tensor:
        """Minus the energy, in inference mode: like all scores, higher for what looks real."""
        return -self.energy(samples)[0]

    def signatures(self) -> dict[str, Signature]:
        """As of every game with noise, and `reconstruct`: samples as the discriminator draws them again."""
        found = super().signatures()
        (kind,) = found["score"].inputs
        out, into = (to_uint8, from_uint8) if self.makes_images else (tf.identity, tf.identity)

        def reconstruct(**samples):
            return {kind: out(self.discriminator(into(samples[kind]), training=False)[0])}

        return {**found, "reconstruct": found["score"]._replace(function=reconstruct)}


@keras.saving.register_keras_serializable(package="kgan")
class EBGAN(EnergyGame):
    """Energy-based GAN with pull-away term (Zhao, Mathieu & LeCun 2017).

    D minimises E[D(x)] + E[max(0, m - D(G(z)))], the margin m taken for each sample; G minimises
    E[D(G(z))] + w f(G(z)), where f is the `pull_away` of the codes of the generated batch. D(.) is the mean squared
    error of the reconstruction.
    """

    error: ClassVar = staticmethod(tf.square)
    reported: ClassVar[tuple[str, ...]] = ("real_energy", "fake_energy", "pull_away")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        margin: float = 0.2,
        pull_away_weight: float = 0.1,
        **kwargs,
    ):
        """Play with this margin.

        Args:
            generator: latents [N, latent_dim] -> samples [N, ...].
            discriminator: samples [N, ...] -> reconstructions [N, ...] and codes [N, D].
            margin: the energy up to which D pushes each generated sample, above 0.
            pull_away_weight: of the pull-away term, at least 0; the paper's is 0.1.
            kwargs: `critic_steps`, `average_decay`, `seed` of `AdversarialModel`.
        """
        super().__init__(generator, discriminator, **kwargs)
        if not margin > 0 or not pull_away_weight >= 0:
            raise UsageError(
                f"the margin is {margin} and the weight of the pull-away term {pull_away_weight}: "
                "give a margin above 0, such as 0.2, and a weight of at least 0."
            )
        self.margin = margin
        self.pull_away_weight = pull_away_weight
        self.build()

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """Low energy for real samples, at least the margin for each generated one."""
        real, _ = self.energy(samples_of(batch), training)
        fake, _ = self.energy(proposal, training)
        loss = tf.reduce_mean(real) + tf.reduce_mean(tf.nn.relu(self.margin - fake))
        return loss, {"real_energy": tf.reduce_mean(real), "fake_energy": tf.reduce_mean(fake)}

    def generator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """Low energy for generated samples, whose codes are to point in different directions."""
        energy, codes = self.energy(proposal, training)
        apart = pull_away(codes)
        return tf.reduce_mean(energy) + self.pull_away_weight * apart, {"pull_away": apart}

    def get_config(self) -> dict:
        """Everything `from_config` needs to build this game again."""
        return {**super().get_config(), "margin": self.margin, "pull_away_weight": self.pull_away_weight}


@keras.saving.register_keras_serializable(package="kgan")
class BEGAN(EnergyGame):
    """Boundary equilibrium GAN (Berthelot, Schumm & Metz 2017).

    D minimises L(x) - k L(G(z)), G minimises L(G(z)), where L is the mean absolute error of the reconstruction. After
    each update k moves by `k_rate` times the balance, gamma L(x) - L(G(z)), within [0, 1], so that L(G(z)) / L(x)
    stays at gamma. Both are those of the discriminator before it moves, as in the paper's simultaneous update. The
    convergence measure L(x) + |balance| falls as samples get better.
    """

    error: ClassVar = staticmethod(tf.abs)
    reported: ClassVar[tuple[str, ...]] = ("real_energy", "fake_energy", "k", "balance", "convergence")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        gamma: float = 0.5,
        k_rate: float = 0.001,
        **kwargs,
    ):
        """Keep this balance.

        Args:
            generator: latents [N, latent_dim] -> samples [N, ...].
            discriminator: samples [N, ...] -> reconstructions [N, ...] and codes [N, D].
            gamma: the ratio E[L(G(z))] / E[L(x)] to hold, in (0, 1]: lower for sharper, less varied samples.
            k_rate: the paper's lambda_k, above 0.
            kwargs: `critic_steps`, `average_decay`, `seed` of `AdversarialModel`.
        """
        super().__init__(generator, discriminator, **kwargs)
        if not 0 < gamma <= 1 or not k_rate > 0:
            raise UsageError(
                f"gamma is {gamma} and the rate of k {k_rate}: give a gamma above 0 and up to 1, such as 0.5, "
                "and a rate above 0, such as 0.001."
            )
        self.gamma = gamma
        self.k_rate = k_rate
        self.k = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="k", dtype="float32", aggregation="only_first_replica"
        )
        self.build()

    def state(self, optimizers: bool = True) -> dict[str, keras.Variable]:
        """As of every game, and k."""
        return {**super().state(optimizers), "k": self.k}

    def play(self, data) -> dict[str, tf.Tensor]:
        """One update, and then k's."""
        report = super().play(data)
        balance = tf.distribute.get_replica_context().all_reduce("MEAN", report["balance"])
        self.k.assign(tf.clip_by_value(self.k.value + self.k_rate * balance, 0.0, 1.0))
        return report

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """Low energy for real samples and, as far as k has it, high energy for generated ones."""
        real, fake = (tf.reduce_mean(self.energy(x, training)[0]) for x in (samples_of(batch), proposal))
        balance = self.gamma * real - fake
        k = tf.identity(self.k.value)
        return real - k * fake, {
            "real_energy": real, "fake_energy": fake, "k": k, "balance": balance, "convergence": real + tf.abs(balance)
        }  # fmt: skip

    def generator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """Low energy for generated samples."""
        return tf.reduce_mean(self.energy(proposal, training)[0]), {}

    def get_config(self) -> dict:
        """Everything `from_config` needs to build this game again."""
        return {**super().get_config(), "gamma": self.gamma, "k_rate": self.k_rate}


def pull_away(codes: tf.Tensor) -> tf.Tensor:
    """The mean squared cosine between two different codes of [N, D] (Zhao et al. 2017), in [0, 1]; 0 for N = 1."""
    directions = tf.math.l2_normalize(codes, axis=1)
    squares = tf.square(tf.matmul(directions, directions, transpose_b=True))
    others = tf.reduce_sum(tf.linalg.set_diag(squares, tf.zeros_like(squares[0])))
    count = tf.cast(tf.shape(codes)[0], codes.dtype)
    return tf.math.divide_no_nan(others, count * (count - 1))
