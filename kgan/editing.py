"""Back to the latent code of an image, and from there to the nearest image that does as a person's brush says.

Lecture: editing with generative models, after Zhu et al. 2016, "Generative visual manipulation on the natural image
manifold". Everything here is batched, takes the networks as functions of tensors, and belongs in one compiled function:
a whole search is one `tf.while_loop`. Images are float32 [N, H, W, C] in [-1, 1], codes float32 [N, D].
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from kgan.datasets.images import from_uint8

BETA_1, BETA_2, EPSILON = 0.9, 0.99, 1e-8  # Adam's; the second moment forgets sooner than usual: searches are short
GREY = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow has it


class Search(NamedTuple):
    """Where a search came to: the best codes [N, D] met, their losses [N], and the codes after every step.

    `trail` is [N, steps + 1, D], beginning with the start.
    """

    latents: tf.Tensor
    losses: tf.Tensor
    trail: tf.Tensor


def descend(loss: Callable[[tf.Tensor], tf.Tensor], starts: tf.Tensor, steps: tf.Tensor, rate: float = 0.1) -> Search:
    """Go down a loss from each start by Adam (Kingma & Ba 2015), whose rate falls to zero along a cosine.

    Args:
        loss: codes [N, D] -> losses [N], each of its own code alone.
        starts: where to begin, [N, D].
        steps: how many, an int32 scalar; 0 stays at the start.
        rate: the longest step in each coordinate, about.

    Returns:
        the best codes met, so that no loss is above that of its start.
    """
    steps = tf.maximum(tf.convert_to_tensor(steps, tf.int32), 0)

    def judged(latents):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(latents)
            losses = loss(latents)
        return losses, tape.gradient(losses, latents)

    def better(latents, losses, best, least):
        return tf.where((losses < least)[:, None], latents, best), tf.minimum(losses, least)

    def step(index, latents, first, second, best, least, trail):
        losses, gradient = judged(latents)
        best, least = better(latents, losses, best, least)
        done = tf.cast(index, tf.float32)
        first = BETA_1 * first + (1 - BETA_1) * gradient
        second = BETA_2 * second + (1 - BETA_2) * gradient**2
        mean, square = first / (1 - BETA_1 ** (done + 1)), second / (1 - BETA_2 ** (done + 1))
        pace = rate * (1 + tf.cos(math.pi * done / tf.cast(steps, tf.float32))) / 2
        latents -= pace * mean / (tf.sqrt(square) + EPSILON)
        return index + 1, latents, first, second, best, least, trail.write(index + 1, latents)

    trail = tf.TensorArray(tf.float32, steps + 1, element_shape=starts.shape, clear_after_read=False)
    nothing, worst = tf.zeros_like(starts), tf.fill(tf.shape(starts)[:1], math.inf)
    _, latents, _, _, best, least, trail = tf.while_loop(
        lambda index, *_: index < steps,
        step,
        (tf.constant(0), starts, nothing, nothing, starts, worst, trail.write(0, starts)),
    )
    best, least = better(latents, loss(latents), best, least)
    return Search(best, least, tf.transpose(trail.stack(), [1, 0, 2]))


def pixel_error(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The mean squared difference of each pair of images, [N]."""
    return tf.reduce_mean((images - others) ** 2, axis=[1, 2, 3])


def feature_error(features: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The squared difference of each pair of features [N, F], as a share of the square of the second: [N]."""
    square = tf.reduce_mean(others**2, axis=1)
    return tf.reduce_mean((features - others) ** 2, axis=1) / (square + EPSILON)


def wanted(constraints: tf.Tensor, channels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """What a person has painted, uint8 RGBA [N, H, W, 4], as colours [N, H, W, C] and where they are asked for.

    Grey images (1 channel) get the brightness of the colours, transparent ones (4) are to be opaque there.

    Returns:
        colours in [-1, 1], and the alpha in [0, 1], [N, H, W, 1].
    """
    colours, where = from_uint8(constraints[..., :3]), tf.cast(constraints[..., 3:], tf.float32) / 255
    if channels == 1:
        colours = tf.reduce_sum(colours * tf.constant(GREY), axis=-1, keepdims=True)
    if channels == 4:
        colours = tf.concat([colours, tf.ones_like(where)], axis=-1)
    return colours, where


def constraint_error(images: tf.Tensor, colours: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """U: the mean squared difference to the colours where they are asked for, [N]; 0 where nothing is."""
    weight = tf.reduce_sum(where, axis=[1, 2, 3]) * images.shape[-1]
    return tf.math.divide_no_nan(tf.reduce_sum(where * (images - colours) ** 2, axis=[1, 2, 3]), weight)


def edit_loss(
    generator: Callable[[tf.Tensor], tf.Tensor],
    scores: Callable[[tf.Tensor], tf.Tensor],
    constraint: Callable[[tf.Tensor], tf.Tensor],
    starts: tf.Tensor,
    proximity: tf.Tensor,
    realism: tf.Tensor,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """U(G(z)) + proximity |z - z0|^2 - realism log sigmoid(D(G(z))), a function of codes z [N, D] -> [N].

    Since the first and the last term are never negative and the search ends no higher than it starts, the edit stays
    within proximity |z - z0|^2 <= U(G(z0)) - realism log sigmoid(D(G(z0))).

    Args:
        generator: codes -> images.
        scores: images -> raw scores [N]; taken for logits, so that "more real" cannot outweigh everything else.
        constraint: images -> U [N].
        starts: z0.
        proximity, realism: weights, scalars of at least 0.
    """

    def loss(latents):
        images = generator(latents)
        near = tf.reduce_sum((latents - starts) ** 2, axis=1)
        return constraint(images) + proximity * near + realism * tf.math.softplus(-scores(images))

    return loss


def carry_back(originals: tf.Tensor, before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    """Make of originals what made `after` of `before`: original + G(z*) - G(z0), clipped to [-1, 1].

    What the generator cannot draw of the originals so stays as it is.
    """
    return tf.clip_by_value(originals + after - before, -1.0, 1.0)
