"""Text to image: the losses worked out by hand, what the networks make of words, and that captions are obeyed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.datasets.captions import Captioned, WordVocabulary
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.models.adversarial import draw
from kgan.models.text_to_image import TextToImageGAN
from kgan.networks.captions import captioned_discriminator, captioned_generator, text_encoder
from kgan.networks.mlp import mlp_discriminator, mlp_generator

SHAPE, LATENT, SIZES = (8, 8, 1), 3, {"words": 6, "length": 4, "width": 5}
WORDS = ["hair", "eyes", "red", "blue"]
IDS = np.array([[4, 2, 5, 3], [4, 2, 5, 3], [5, 2, 4, 3], [4, 2, 0, 0]], np.int32)
SEED = tf.constant([3, 16], tf.int64)


def game(*rules, **options) -> TextToImageGAN:
    return TextToImageGAN(
        captioned_generator(mlp_generator(SHAPE, LATENT + 4, widths=(16,), seed=1), **SIZES, code_dim=4, seed=2),
        captioned_discriminator(mlp_discriminator(SHAPE, widths=(16,), outputs=6, seed=3), **SIZES, seed=4),
        *rules, words=WORDS, **options,
    )  # fmt: skip


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, *SHAPE)).astype(np.float32)


def softplus(x):
    return np.logaddexp(0, x.astype(np.float64))


def scores(model, pictures, ids):
    return model.discriminator([tf.convert_to_tensor(pictures), tf.convert_to_tensor(ids)], training=False).numpy()[
        :, 0
    ]


# The networks.


def test_the_encoder_is_embedding_convolution_maximum_and_dense_layer():
    encoder = text_encoder(6, 4, 3, width=5, seed=1)
    table, kernel, bias, dense, offset = (np.float64(weights) for weights in encoder.get_weights())
    expected = []
    for caption in IDS:
        words = np.pad(table[caption], [(1, 1), (0, 0)])
        seen = np.stack([np.einsum("kc,kcd->d", words[place : place + 3], kernel[0]) for place in range(4)]) + bias
        expected.append(np.where(seen > 0, seen, 0.2 * seen).max(axis=0) @ dense[0, 0] + offset)
    np.testing.assert_allclose(encoder(IDS[:, None]), expected, rtol=1e-5, atol=1e-5)


def test_the_order_of_words_is_seen_but_not_their_place():
    encoder = text_encoder(6, 9, 16, seed=1)
    rows = [[0, 0, 4, 2, 5, 3, 0, 0, 0], [0, 0, 5, 2, 4, 3, 0, 0, 0], [0, 0, 0, 4, 2, 5, 3, 0, 0]]
    codes = encoder(np.array(rows, np.int32)[:, None]).numpy()
    assert np.abs(codes[0] - codes[1]).max() > 0.1  # red hair blue eyes, blue hair red eyes
    np.testing.assert_allclose(codes[0], codes[2], atol=1e-5)  # the same, a word further on


def test_several_captions_have_the_mean_of_their_codes():
    encoder = text_encoder(6, 4, 3, width=5, seed=1)
    one, other, both = (encoder(ids) for ids in (IDS[:1, None], IDS[2:3, None], IDS[None, [0, 2]]))
    np.testing.assert_allclose(both, (one + other) / 2, rtol=1e-5, atol=1e-6)


def test_codes_begin_with_about_unit_variance():
    ids = np.random.default_rng(0).integers(0, 22, (500, 1, 4))
    assert 0.5 < np.std(text_encoder(22, 4, 64, seed=1)(ids)) < 2


def test_the_score_is_by_projection():
    features = mlp_discriminator(SHAPE, widths=(16,), outputs=6, seed=3)
    network = captioned_discriminator(features, **SIZES, seed=4)
    codes, found = network.get_layer("text_encoder")(IDS[:, None]).numpy(), features(images(4)).numpy()
    (alone,) = (layer for layer in network.layers if isinstance(layer, keras.layers.Dense))
    kernel, bias = alone.get_weights()
    expected = found @ kernel[:, 0] + bias + (found * codes).sum(axis=1) / np.sqrt(6)
    np.testing.assert_allclose(network([images(4), IDS[:, None]])[:, 0], expected, atol=1e-5)


def test_the_same_seed_gives_the_same_networks():
    one, other = game(), game()
    for a, b in zip(one.state().values(), other.state().values(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.latent_dim == LATENT and one.sample_shape == SHAPE


# The game.


@pytest.mark.parametrize("matching", [0.0, 0.5, 0.25])
def test_the_discriminators_loss_by_hand(matching):
    """Reed 2016: log s_r + (log(1 - s_w) + log(1 - s_f)) / 2; the second caption's wrong one happens to be right."""
    model, real, fake = game("minimax", matching=matching), images(4), images(4, 1)
    loss, reported = model.discriminator_loss(
        (tf.constant(real), tf.constant(IDS)), tf.constant(fake), SEED, training=False
    )
    right, false = scores(model, real, IDS[:, None]), scores(model, fake, IDS[:, None])
    wrong = scores(model, real, IDS[[3, 0, 1, 2], None])[[0, 2, 3]]
    expected = softplus(-right).mean() + (1 - matching) * softplus(false).mean() + matching * softplus(wrong).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert float(reported["mismatch_loss"]) == pytest.approx(softplus(wrong).mean() if matching else 0, rel=1e-5)


def test_a_batch_of_one_caption_has_no_wrong_ones():
    model, real, ids = game(matching=0.5), images(4), IDS[[0, 0, 0, 0]]
    with tf.GradientTape() as tape:
        loss, reported = model.discriminator_loss(
            (tf.constant(real), tf.constant(ids)), tf.constant(images(4, 1)), SEED, training=True
        )
    gradients = tape.gradient(loss, [v.value for v in model.discriminator.trainable_variables])
    assert float(reported["mismatch_loss"]) == 0
    assert all(np.isfinite(tf.convert_to_tensor(gradient)).all() for gradient in gradients)


def test_the_generators_loss_by_hand():
    """GAN-INT: the objective for captions, and with its weight for the codes halfway between neighbours."""
    model, fake = game("non-saturating", interpolation=2.0), images(4, 1)
    loss, _ = model.generator_loss((tf.constant(images(4)), tf.constant(IDS)), tf.constant(fake), SEED, training=True)
    both = np.stack([IDS, IDS[[3, 0, 1, 2]]], axis=1)
    latents = tf.random.stateless_normal([4, LATENT], draw(SEED, 6))
    between = model.generator([latents, tf.constant(both)], training=True)
    expected = softplus(-scores(model, fake, IDS[:, None])).mean() + 2 * softplus(-scores(model, between, both)).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_each_caption_is_drawn_from_its_own_words():
    model = game()
    drawn = model.propose((tf.constant(images(4)), tf.constant(IDS)), SEED, training=True).numpy()
    latents = tf.random.stateless_normal([4, LATENT], draw(SEED, 0))
    np.testing.assert_allclose(drawn, model.generator([latents, tf.constant(IDS[:, None])], training=True), atol=1e-6)
    assert (
        np.abs(model([latents, tf.constant(IDS)]).numpy() - model([latents, tf.constant(IDS[::-1])]).numpy()).max()
        > 1e-3
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"matching": 1.0}, "matching is 1.0"),
        ({"matching": -0.1}, "matching is -0.1"),
        ({"interpolation": -1.0}, "interpolation is -1.0"),
        ({"objective": "loss-sensitive"}, "has no loss for wrong captions"),
    ],
)
def test_what_cannot_be_played(options, said):
    with pytest.raises(UsageError, match=said):
        game(**options)


def test_strings_go_in_and_images_come_out():
    signatures = game().signatures()
    asked = tf.constant(["red hair", "RED hair!", "", "κόκκινα μαλλιά", "blue hair"])
    latents = tf.zeros([5, LATENT])
    drawn = signatures["decode"].function(latents=latents, captions=asked)["images"].numpy().astype(int)
    assert drawn.shape == (5, *SHAPE)
    assert np.abs(drawn[0] - drawn[1]).max() <= 1
    assert np.abs(drawn[0] - drawn[4]).max() > 1 and np.abs(drawn[2] - drawn[3]).max() > 1
    found = signatures["generate"].function(captions=asked, seed=tf.constant(1, tf.int64))["images"].numpy()
    again = signatures["generate"].function(captions=asked[:2], seed=tf.constant(1, tf.int64))["images"].numpy()
    assert np.abs(found[:2].astype(int) - again).max() <= 1


# Learning.


def toy(count: int = 400) -> Captioned:
    """Pictures whose upper and lower half are dark or bright, each as its caption says."""
    random = np.random.default_rng(0)
    halves = random.integers(0, 2, (count, 2))
    pictures = random.integers(0, 60, (count, 8, 8, 1)) + 190 * np.repeat(halves, 4, axis=1)[..., None, None]
    names = np.array(["dark", "bright"])
    captions = [f"{names[top]} above {names[bottom]} below" for top, bottom in halves]
    data = Data("halves", "train", pictures.astype(np.uint8), captions=captions)
    return Captioned(data, WordVocabulary(["dark", "bright", "above", "below"]), 4)


def obeyed(model: TextToImageGAN) -> float:
    """The share of halves that are as the caption says; chance is a half."""
    asked = [(top, bottom) for top in ("dark", "bright") for bottom in ("dark", "bright")] * 10
    texts = tf.constant([f"{top} above {bottom} below" for top, bottom in asked])
    found = model.signatures()["generate"].function(captions=texts, seed=tf.constant(0, tf.int64))["images"].numpy()
    halves = found.reshape(40, 2, 4, 8).mean(axis=(2, 3)) > 127
    return float(np.mean(halves == (np.array(asked) == "bright")))


def test_captions_are_obeyed():
    data = toy()
    generator, features = (
        mlp_generator(SHAPE, 12, widths=(64,), seed=1),
        mlp_discriminator(SHAPE, widths=(64,), outputs=16, seed=2),
    )
    sizes = {"words": 6, "length": 4, "width": 16}
    model = TextToImageGAN(
        captioned_generator(generator, **sizes, code_dim=8, seed=3),
        captioned_discriminator(features, **sizes, seed=4),
        words=data.vocabulary.words,
    )
    model.compile(
        **{f"{player}_optimizer": keras.optimizers.Adam(2e-3, beta_1=0.5) for player in model.players},
        steps_per_execution=50,
    )
    before = obeyed(model)
    model.fit(data.batches(32, steps=300), verbose=0, shuffle=False)
    assert before < 0.8 and obeyed(model) > 0.9
