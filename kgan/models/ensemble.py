"""Several generators side by side, so that what one leaves out another may draw."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from kgan.datasets.images import to_uint8
from kgan.errors import UsageError
from kgan.models.gan import GAN, mean_score, samples_of
from kgan.serving.export import Signature


@keras.saving.register_keras_serializable(package="kgan")
class EnsembleGAN(GAN):
    """N generators, each with a discriminator of its own, or all before the same one.

    Independent members meet the same real batches with noise and initial weights of their own, and each is moved as it
    would be alone: the losses are the sums over the members, whose gradients do not mix. A discriminator that is shared
    minimises the mean of its losses against every member, which is the game against their mixture (Arora et al. 2017,
    with equal weights).

    Called on latents (float32 [N, latent_dim]) it gives every member's sample of each, [N, members, ...].

    Raises:
        UsageError: as `GAN` does, and when there is neither one discriminator nor one for each generator.
    """

    def __init__(self, generator: Sequence[keras.Model], discriminator: Sequence[keras.Model], *rules, **options):
        """Put the players together; everything else is as in `GAN`.

        Args:
            generator: each latents [N, latent_dim] -> samples [N, ...], all of the same shapes.
            discriminator: one to share, or one for each generator.
            rules, options: the objective, the penalty and all else that `GAN` takes.
        """
        if len(discriminator) not in (1, len(generator)):
            raise UsageError(
                f"{len(generator)} generators cannot meet {len(discriminator)} discriminators: give one to share, or "
                "one for each."
            )
        super().__init__(generator, discriminator, *rules, **options)

    def attach(self, generator, discriminator) -> None:
        """Hold the members' networks as generator_0, discriminator_0 and so on."""
        self.sizes = {"generator": len(generator), "discriminator": len(discriminator)}
        for player, networks in (("generator", generator), ("discriminator", discriminator)):
            for part, network in zip(self.parts(player), networks, strict=True):
                setattr(self, part, network)

    def parts(self, player: str) -> tuple[str, ...]:
        """The names of the members' networks."""
        return tuple(f"{player}_{member}" for member in range(self.sizes[player]))

    @property
    def generator(self) -> list[keras.Model]:
        """The generators."""
        return self.networks("generator")

    @property
    def discriminator(self) -> list[keras.Model]:
        """The discriminators: a single one, or one for each generator."""
        return self.networks("discriminator")

    @property
    def members(self) -> int:
        """How many generators there are."""
        return self.sizes["generator"]

    def call(self, latents, training: bool = False) -> tf.Tensor:
        """Every member's sample for these latents [N, members, ...], always in inference mode."""
        drawn = [self.inference(part)(latents, training=False) for part in self.parts("generator")]
        return tf.stack(drawn, axis=1)

    def drawn_by(self, members: tf.Tensor, latents: tf.Tensor) -> tf.Tensor:
        """For each latent the sample of one member, int32 [N] in [0, members): no member draws in vain."""
        mine = tf.dynamic_partition(tf.range(tf.shape(latents)[0]), members, self.members)
        drawn = [
            self.inference(part)(tf.gather(latents, indices), training=False)
            for part, indices in zip(self.parts("generator"), mine, strict=True)
        ]
        return tf.dynamic_stitch(mine, drawn)

    # The game.

    def propose(self, batch, seed: tf.Tensor, training: bool) -> list[tf.Tensor]:
        """As many samples of each member as there are real ones."""
        return [
            self.proposed_by(part, batch, _of_member(seed, member), training)
            for member, part in enumerate(self.parts("generator"))
        ]

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The sum of the members' losses, or for a shared discriminator the mean; of the rest the means."""
        judges, real = self._judges(), samples_of(batch)
        losses, reports = zip(
            *(
                self.loss_of_judging(judge, real, fake, _of_member(seed, member), training)
                for member, (judge, fake) in enumerate(zip(judges, proposal, strict=True))
            ),
            strict=True,
        )
        means = {name: tf.add_n([report[name] for report in reports]) / self.members for name in reports[0]}
        return tf.add_n(losses) * (self.sizes["discriminator"] / self.members), means

    def generator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """The sum of the members' losses."""
        losses = [
            self.loss_of_generating(judge, fake, _of_member(seed, member), training)
            for member, (judge, fake) in enumerate(zip(self._judges(), proposal, strict=True))
        ]
        return tf.add_n(losses), {}

    def _judges(self) -> list[keras.Model]:
        """Each member's discriminator."""
        return self.discriminator * (self.members // self.sizes["discriminator"])

    def scores(self, samples: tf.Tensor) -> tf.Tensor:
        """The mean of the discriminators' scores, float32 [N], in inference mode."""
        return tf.add_n([mean_score(judge, samples) for judge in self.discriminator]) / len(self.discriminator)

    # Serving.

    def signatures(self) -> dict[str, Signature]:
        """`generate` lets a member chosen uniformly draw each sample and says which; `decode` is told which.

        Members are int32 [N], counted round from 0: with 4 of them, 5 is the same as 1.
        """
        found = super().signatures()
        (kind,) = found["score"].inputs
        out = to_uint8 if self.makes_images else tf.identity

        def decode(latents, members):
            return {kind: out(self.drawn_by(members % self.members, latents))}

        def generate(seed, count):
            latents = tf.random.stateless_normal([count, self.latent_dim], tf.stack([seed, 0]))
            members = tf.random.stateless_uniform([count], tf.stack([seed, 1]), maxval=self.members, dtype=tf.int32)
            return {**decode(latents, members), "members": members}

        latents, example = found["decode"].inputs, found["decode"].example
        return {
            **found,
            "generate": found["generate"]._replace(function=generate),
            "decode": Signature(
                decode,
                {**latents, "members": tf.TensorSpec([None], tf.int32, name="members")},
                {**example, "members": np.zeros([1], np.int32)},
            ),
        }


def _of_member(seed: tf.Tensor, member: int) -> tf.Tensor:
    """A member's own random numbers; those of the first are the ones that a single GAN would have."""
    return seed + tf.constant([member << 48, 0], tf.int64)
