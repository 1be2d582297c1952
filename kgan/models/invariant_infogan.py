"""InfoGAN whose category is what real images keep when they are moved and drawn anew: it finds kinds of things."""

from typing import ClassVar

import keras
import tensorflow as tf

from kgan import regularisation
from kgan.errors import UsageError
from kgan.models.adversarial import draw
from kgan.models.gan import samples_of
from kgan.models.infogan import InfoGAN

BALANCE = 2.0  # of the marginals' entropies against the joint one: above 1 no category stays empty
MERIT_DECAY = 0.98


def shared_information(first: tf.Tensor, second: tf.Tensor, balance: float = 1.0) -> tf.Tensor:
    """How much two readings of the same things tell of each other, in nats.

    Ji et al. 2019, "Invariant Information Clustering": I = sum P(i, j) log (P(i, j) / P(i)^balance P(j)^balance), where
    P is the mean over things of the two readings' product, made symmetric; with balance 1 their mutual information.

    Args:
        first, second: probabilities, [N, heads, K], of the same N things.
        balance: weight of the two marginal entropies.

    Returns:
        float32 [heads].
    """
    joint = tf.einsum("nhi,nhj->hij", first, second) / tf.cast(tf.shape(first)[0], tf.float32)
    joint = tf.maximum((joint + tf.transpose(joint, [0, 2, 1])) / 2, 1e-8)
    of_each = tf.math.log(tf.reduce_sum(joint, axis=2))
    marginals = of_each[:, :, None] + of_each[:, None, :]
    return tf.reduce_sum(joint * (tf.math.log(joint) - balance * marginals), axis=[1, 2])


@keras.saving.register_keras_serializable(package="kgan")
class InvariantInfoGAN(InfoGAN):
    """An InfoGAN of one categorical code, which its recogniser learns to read off real images.

    In the paper Q learns from generated samples alone, and any split of them that G can draw and Q can tell apart is as
    good as any other: with few images it is as often one of slant or weight as one of what they show. Here Q's category
    must agree on two views of a real image, moved (`jitter`) and drawn anew (`restroke`), and all values must be used:
    invariant information clustering (Ji et al. 2019). Elastic-InfoGAN (Ojha et al. 2020) ties Q to real images, too, by
    a contrastive loss. As in Ji et al. several heads look for categories, since each may end in a poor division; the
    one that keeps most information in the first `warm_up` updates is the code. From then on G maximises the bound on
    I(c; x) that this Q gives. The categorical part of the bound does not move Q; its continuous part does as in the
    paper. Labels are never used.

    It reports `view_information` besides, the mutual information of the best head's readings of two views, in nats.
    """

    reported: ClassVar[tuple[str, ...]] = (*InfoGAN.reported, "view_information")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *rules,
        invariance: float = 1.0,
        strokes: float = 0.25,
        warm_up: int = 800,
        **kwargs,
    ):
        """Put the players together.

        Args:
            generator: as of `InfoGAN`.
            discriminator: as of `InfoGAN`, with a recogniser of its own that has candidates (`with_candidates`).
            rules: objective and penalty, as of `InfoGAN`.
            invariance: weight of the information that two views share in Q's loss, above 0.
            strokes: how much the thickness of strokes differs between views, at least 0 and below 0.4, as of
                `kgan.regularisation.restroke`; with 0 they are left alone.
            warm_up: updates until the best head is taken and the code binds G, at least 0.
            kwargs: as of `InfoGAN`; without `jitter` or `strokes` both views would be the same.

        Raises:
            UsageError: for a value out of range, several categorical codes, or a recogniser without candidates.
        """
        super().__init__(generator, discriminator, *rules, **kwargs)
        if not invariance > 0:
            raise UsageError(f"invariance is {invariance}: give more than 0, such as 1, or use InfoGAN.")
        if not 0 <= strokes < 0.4:
            raise UsageError(f"strokes is {strokes}: give at least 0 and below 0.4, such as 0.25.")
        if not warm_up >= 0:
            raise UsageError(f"warm_up is {warm_up}: give 0 updates or more.")
        if not self.jitter and not strokes:
            raise UsageError("jitter and strokes are both 0, so there are no two views of an image: give jitter 0.1.")
        if len(self.codes.categorical) != 1:
            raise UsageError(
                f"there are {len(self.codes.categorical)} categorical codes, but what stays the same in all views is "
                "one: give one, or use InfoGAN."
            )
        names = [layer.name for layer in self.discriminator.layers]
        if "recogniser" not in names or len(self.discriminator.output_shape) != 3:
            raise UsageError(
                "the discriminator has no recogniser of its own with candidates: build it with "
                "kgan.networks.recognition.with_candidates and with_recogniser."
            )
        self.invariance, self.strokes, self.warm_up = invariance, strokes, warm_up

    @property
    def recogniser(self) -> keras.Model:
        """Q: samples -> the posterior, and all candidates' logits."""
        return self.discriminator.get_layer("recogniser")

    # The game.

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """D's loss as in `InfoGAN`, less the information that two views of real images share."""
        loss, report = super().discriminator_loss(batch, proposal, seed, training)
        _, heads = self.recogniser(self.views(samples_of(batch), seed), training=training)
        first, second = tf.split(tf.nn.softmax(tf.cast(heads, tf.float32)), 2)
        gains, merits = shared_information(first, second, BALANCE), self.recogniser.get_layer("best_of").merits
        if training:
            moved = MERIT_DECAY * merits.value + (1 - MERIT_DECAY) * tf.stop_gradient(gains)
            merits.assign(tf.where(self._has_begun(), merits.value, moved))
        information = shared_information(first, second)[tf.argmax(merits.value)]
        return loss - self.invariance * tf.reduce_mean(gains), {**report, "view_information": information}

    def views(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Two views of every image, [2 N, H, W, C]."""
        images = tf.concat([images, images], axis=0)
        if self.jitter:
            images = regularisation.jitter(images, self.jitter, draw(seed, 7))
        return regularisation.restroke(images, self.strokes, draw(seed, 8)) if self.strokes else images

    def bound_weights(self, player: str) -> list:
        """Of the category none for Q, which reads it off real images, and for G as soon as there is one."""
        _, *continuous = super().bound_weights(player)
        return [tf.cast(self._has_begun(), tf.float32) if player == "generator" else 0.0, *continuous]

    def _has_begun(self) -> tf.Tensor:
        return self.updates.value >= self.warm_up

    # Saving.

    def get_config(self) -> dict:
        """Everything `from_config` needs to build this game again."""
        return {
            **super().get_config(), "invariance": self.invariance, "strokes": self.strokes, "warm_up": self.warm_up,
        }  # fmt: skip
