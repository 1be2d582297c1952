"""Don't let the discriminator be too good: noise on what it sees, and now and then a wrong label.

Seeds are int32 ``[2]`` stateless seeds. (Smoothed labels are the ``smooth`` option of the objectives.)
"""

import tensorflow as tf

from kgan.errors import UsageError


def instance_noise(x, stddev, seed):
    """Return ``x`` with Gaussian noise of standard deviation ``stddev`` added, same shape and float type.

    Give real and generated samples the same ``stddev`` and different seeds: the noise makes the two distributions
    overlap, so that no discriminator can tell them apart with certainty.

    Sønderby et al. 2017, "Amortised MAP Inference for Image Super-resolution"; Arjovsky & Bottou 2017, "Towards
    Principled Methods for Training Generative Adversarial Networks".
    """
    x = tf.convert_to_tensor(x)
    noise = tf.cast(stddev, tf.float32) * tf.random.stateless_normal(tf.shape(x), seed)
    return x + tf.cast(noise, x.dtype)


def noise_stddev(step, start: float, decay_steps: int):
    """Return the float32 standard deviation at ``step`` (number or tensor): from ``start`` in a straight line to zero.

    Raises:
        UsageError: when ``start`` is negative or ``decay_steps`` is not positive.
    """
    if not (start >= 0.0 and decay_steps > 0):
        raise UsageError(
            f"instance noise starts at {start} and decays over {decay_steps} steps, but the start must be at least 0 "
            "and the steps at least 1: try 0.1 over half the updates."
        )
    return start * tf.maximum(0.0, 1.0 - tf.cast(step, tf.float32) / decay_steps)


def flip(real_scores, fake_scores, probability, seed):
    """Return both scores with pair i swapped with ``probability``, for the discriminator's loss only.

    Swapping the scores of a pair is telling the discriminator that the real one is generated and the other way round,
    and so is right for every objective. Both have shape ``[N, ...]``; the patches of a sample go together.

    Chintala et al. 2016, "How to Train a GAN? Tips and tricks to make GANs work".

    Raises:
        UsageError: when the two shapes differ, or ``probability`` is not in [0, 1].
    """
    real_scores, fake_scores = tf.convert_to_tensor(real_scores), tf.convert_to_tensor(fake_scores)
    if not real_scores.shape.is_compatible_with(fake_scores.shape):
        raise UsageError(
            f"real scores have shape {tuple(real_scores.shape)} and generated ones {tuple(fake_scores.shape)} but "
            "label flipping swaps pairs: give it as many of one as of the other."
        )
    if not 0.0 <= probability <= 1.0:
        raise UsageError(f"the probability of a flipped label is {probability} but must lie in [0, 1]: try 0.05.")
    batch = tf.shape(real_scores)[:1]
    shape = tf.concat([batch, tf.ones([real_scores.shape.rank - 1], tf.int32)], axis=0)
    swap = tf.random.stateless_uniform(shape, seed) < probability
    return tf.where(swap, fake_scores, real_scores), tf.where(swap, real_scores, fake_scores)


def jitter(images, amount, seed):
    """Turn, stretch and shift each image [N, H, W, C] at random: more data of the same kind, where there is little.

    Angle and shear are N(0, amount) in radians, the logarithms of the two scales N(0, amount), and the shift N(0,
    amount / 2) of the image's side, so that 0.1 is 6 degrees, a tenth and a twentieth. Beyond the edge the edge goes
    on. Bilinear; same shape and float type.
    """
    images = tf.convert_to_tensor(images)
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    drawn = amount * tf.random.stateless_normal([count, 6], seed)
    angle, shear, (scale_x, scale_y) = drawn[:, 0], drawn[:, 1], (tf.exp(drawn[:, 2]), tf.exp(drawn[:, 3]))
    rows = [
        (scale_x * tf.cos(angle), shear - scale_y * tf.sin(angle), (width - 1) / 2 + width * drawn[:, 4] / 2),
        (scale_x * tf.sin(angle), scale_y * tf.cos(angle), (height - 1) / 2 + height * drawn[:, 5] / 2),
    ]  # about the centre, which goes to the last of the three
    transform = [
        part
        for to_x, to_y, centre in rows
        for part in (to_x, to_y, centre - to_x * (width - 1) / 2 - to_y * (height - 1) / 2)
    ]
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images, transforms=tf.stack([*transform, *[tf.zeros([count])] * 2], axis=1),
        output_shape=[height, width], interpolation="BILINEAR", fill_mode="NEAREST", fill_value=0.0,
    )  # fmt: skip
    return tf.ensure_shape(moved, images.shape)


def restroke(images, amount, seed):
    """Draw the bright strokes of each image [N, H, W, C] in [-1, 1] thicker or thinner, and its edges harder or softer.

    The image, blurred over 3 x 3 pixels, is cut at a height drawn uniformly from 0.4 +- amount of its highest point:
    the lower, the thicker. Same shape and float type; every image's brightest point becomes 1, and an empty one stays
    as it is.
    """
    images = tf.convert_to_tensor(images)
    blurred = tf.nn.avg_pool2d((images + 1) / 2, 3, 1, "SAME")
    drawn = tf.cast(tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1, 2], seed), images.dtype)
    highest = tf.reduce_max(blurred, axis=[1, 2, 3], keepdims=True)
    is_drawn = highest > 1e-3
    highest = tf.where(is_drawn, highest, 1.0)
    height = highest * (0.4 + amount * (2 * drawn[..., 0] - 1))
    hardness = (6 + 10 * drawn[..., 1]) / highest
    ink = tf.sigmoid(hardness * (blurred - height)) - tf.sigmoid(-hardness * height)
    return tf.where(is_drawn, 2 * ink / tf.reduce_max(ink, axis=[1, 2, 3], keepdims=True) - 1, images)
