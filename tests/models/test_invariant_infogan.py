"""What two views share by hand and by scikit-learn, which head becomes the code and when, and that shapes are found."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import mutual_info_score

from kgan.errors import UsageError
from kgan.metrics.codes import matched_classes
from kgan.models.infogan import Codes
from kgan.models.invariant_infogan import BALANCE, MERIT_DECAY, InvariantInfoGAN, shared_information
from kgan.networks import images, mlp
from kgan.networks.recognition import with_candidates, with_recogniser

SEED = tf.constant([5, 32], tf.int64)
SHAPE, CODES = (8, 8, 1), Codes((3,), 1)


def test_information_of_certain_readings_is_that_of_counts():
    first = np.random.default_rng(0).integers(3, size=400)
    second = np.where(np.random.default_rng(1).uniform(size=400) < 0.7, first, (first + 1) % 3)
    both = np.concatenate([first, second]), np.concatenate([second, first])  # which makes their joint symmetric
    hot = [np.eye(3, dtype=np.float32)[values][:, None] for values in (first, second)]
    np.testing.assert_allclose(shared_information(*hot)[0], mutual_info_score(*both), rtol=1e-4)
    np.testing.assert_allclose(shared_information(hot[0], hot[0])[0], mutual_info_score(first, first), rtol=1e-4)


def test_information_of_doubtful_readings_of_two_heads():
    first, second = np.random.default_rng(2).dirichlet(np.ones(4), size=(2, 30, 2)).astype(np.float32)
    expected = []
    for head in range(2):
        joint = np.mean([np.outer(a, b) for a, b in zip(first[:, head], second[:, head], strict=True)], axis=0)
        joint = (joint + joint.T) / 2
        entropy = -(joint.sum(axis=1) * np.log(joint.sum(axis=1))).sum()
        expected.append((joint * np.log(joint)).sum() + 2 * 1.5 * entropy)
    np.testing.assert_allclose(shared_information(first, second, balance=1.5), expected, rtol=1e-4)


def small(candidates=2, **options) -> InvariantInfoGAN:
    generator = mlp.mlp_generator(SHAPE, 4 + CODES.size, widths=(8,), seed=1)
    outputs = CODES.parameters + 3 * (candidates - 1)
    recogniser = mlp.mlp_discriminator(SHAPE, widths=(8,), outputs=outputs, seed=3)
    judge = with_recogniser(
        mlp.mlp_discriminator(SHAPE, widths=(8,), seed=2), with_candidates(recogniser, 3, candidates)
    )
    return InvariantInfoGAN(generator, judge, codes=CODES, **({"jitter": 0.1} | options))


def batch(count=6) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, *SHAPE)).astype(np.float32)


def test_the_head_of_the_greatest_merit_is_the_code():
    model = small()
    merits = model.recogniser.get_layer("best_of").merits
    for best in (0, 1):
        merits.assign(np.eye(2)[best])
        _, posterior, heads = model.discriminator(batch())
        np.testing.assert_array_equal(posterior[:, :3], heads[:, best])
    assert np.abs(heads[:, 0] - heads[:, 1]).max() > 1e-3


def test_merits_follow_what_views_share_until_the_code_binds():
    model, real = small(warm_up=1), batch()
    merits = model.recogniser.get_layer("best_of").merits
    proposal = model.propose(real, SEED, training=True)
    views = model.views(real, SEED)
    assert views.shape == (12, *SHAPE) and np.abs(views[:6] - views[6:]).max() > 0.1
    first, second = tf.split(tf.nn.softmax(model.recogniser(views)[1]), 2)
    model.discriminator_loss(real, proposal, SEED, training=False)
    np.testing.assert_array_equal(merits, [0, 0])
    model.discriminator_loss(real, proposal, SEED, training=True)
    expected = (1 - MERIT_DECAY) * shared_information(first, second, BALANCE)
    np.testing.assert_allclose(merits, expected, rtol=1e-4)
    model.updates.assign(1)
    model.discriminator_loss(real, proposal, SEED, training=True)
    np.testing.assert_allclose(merits, expected, rtol=1e-4)


def test_categories_come_from_real_images_and_bind_the_generator_after_the_warm_up():
    model, real = small(warm_up=3, information_weight=2.0, continuous_weight=0.0, jitter=0.0), batch()
    samples, codes = proposal = model.propose(real, SEED, training=True)
    others = tf.concat([tf.roll(codes[:, :3], 1, axis=1), codes[:, 3:]], axis=1)
    losses = {}
    for updates in (0, 3):
        model.updates.assign(updates)
        for name, drawn in {"right": codes, "wrong": others}.items():
            losses[updates, name] = (
                model.discriminator_loss(real, (samples, drawn), SEED, training=True)[0],
                model.generator_loss(real, (samples, drawn), SEED, training=True)[0],
            )
    for updates in (0, 3):
        np.testing.assert_array_equal(losses[updates, "right"][0], losses[updates, "wrong"][0])
    np.testing.assert_array_equal(losses[0, "right"][1], losses[0, "wrong"][1])
    report = model.discriminator_loss(real, proposal, SEED, training=True)[1]
    gap = losses[0, "right"][1] - losses[3, "right"][1]
    np.testing.assert_allclose(gap, 2.0 * report["categorical_information"], rtol=1e-4)
    assert abs(losses[3, "right"][1] - losses[3, "wrong"][1]) > 1e-3


def shapes(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bars that lie, bars that stand and squares, where they happen to be; and which is which."""
    pictures, kinds = np.full((count, 16, 16, 1), -1.0, np.float32), random.integers(3, size=count)
    for picture, kind, (y, x) in zip(pictures, kinds, random.integers(4, 7, (count, 2)), strict=True):
        height, width = ((2, 7), (7, 2), (4, 4))[kind]
        picture[y : y + height, x : x + width] = 1
    return pictures, kinds


def test_a_code_finds_shapes_whatever_their_place():
    """After a short training: how often Q tells which shape it is, and G draws the one that its code says."""
    random, codes = np.random.default_rng(0), Codes((3,), 0)
    recogniser = images.dcgan_discriminator((16, 16, 1), width=8, outputs=3 * 4, normalisation="batch", seed=3)
    judge = with_recogniser(mlp.mlp_discriminator((16, 16, 1), widths=(64,), seed=2), with_candidates(recogniser, 3, 4))
    model = InvariantInfoGAN(
        mlp.mlp_generator((16, 16, 1), 4 + codes.size, widths=(64,), seed=1), judge,
        codes=codes, jitter=0.15, warm_up=150, average_decay=0.9,
    )  # fmt: skip
    rates = {f"{player}_optimizer": keras.optimizers.Adam(2e-3, beta_1=0.5) for player in model.players}
    model.compile(**rates, steps_per_execution=50)
    model.fit(tf.data.Dataset.from_tensor_slices(shapes(350 * 64, random)[0]).batch(64), verbose=0)
    held_out, kinds = shapes(300, random)
    read = model.discriminator(held_out, training=False)[1].numpy().argmax(axis=1)
    match, error = matched_classes(read, kinds, (3, 3))
    assert error < 0.1
    drawn = model.signatures()["generate"].function(seed=tf.constant(3, tf.int64), count=200)
    bright = drawn["images"].numpy()[..., 0] > 127
    tall, wide = bright.any(axis=2).sum(axis=1), bright.any(axis=1).sum(axis=1)
    seen = np.where(abs(tall - wide) < 3, 2, (tall > wide).astype(int))
    assert (match[drawn["codes"].numpy().argmax(axis=1)] == seen).mean() > 0.8


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: small(invariance=0.0), "invariance is 0.0"),
        (lambda: small(strokes=0.4), "strokes is 0.4"),
        (lambda: small(warm_up=-1), "warm_up is -1"),
        (lambda: small(jitter=0.0, strokes=0.0), "no two views"),
        (
            lambda: InvariantInfoGAN(
                mlp.mlp_generator(SHAPE, 9),
                with_recogniser(mlp.mlp_discriminator(SHAPE), CODES.parameters), codes=CODES, jitter=0.1,
            ),
            "no recogniser of its own",
        ),
        (
            lambda: InvariantInfoGAN(
                mlp.mlp_generator(SHAPE, 9),
                with_recogniser(mlp.mlp_discriminator(SHAPE), 4), codes=Codes((2, 2), 0), jitter=0.1,
            ),
            "there are 2 categorical codes",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_one_sentence(make, said):
    with pytest.raises(UsageError, match=said) as error:
        make()
    assert "\n" not in str(error.value)
