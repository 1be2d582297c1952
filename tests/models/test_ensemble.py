"""An ensemble against GANs trained alone, and its draws against its members'."""

import numpy as np
import pytest
import tensorflow as tf

from kgan.errors import UsageError
from kgan.models.ensemble import EnsembleGAN
from kgan.models.gan import GAN
from kgan.models.recipes import GANOptions, build_gan
from kgan.networks import mlp

OPTIONS = {"network": "mlp", "width": 4, "depth": 1, "latent_dim": 2, "objective": "lsgan", "instance_noise": 0.1}


def build(members: int, sharing: str = "none", seed: int = 3) -> GAN:
    return build_gan(GANOptions(**OPTIONS, ensemble=members, ensemble_sharing=sharing), (2,), 10, seed)


def batches(count: int = 4) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(np.random.default_rng(0).normal(size=(count, 8, 2)).astype(np.float32))


def weights(model, part: str) -> list[np.ndarray]:
    return getattr(model, part).get_weights()


def test_each_independent_member_is_moved_as_it_would_be_alone():
    together, alone = build(3), build(1)
    for batch in batches():
        together.play(batch)
        alone.play(batch)
    for part in ("generator", "discriminator", "average_generator"):
        for ours, single in zip(weights(together, f"{part}_0"), weights(alone, part), strict=True):
            np.testing.assert_allclose(ours, single, rtol=1e-5, atol=1e-7)
    assert not np.allclose(weights(together, "generator_0")[0], weights(together, "generator_1")[0])


def test_the_losses_are_the_sum_of_the_members_own():
    model = build(2)
    batch, seed = next(iter(batches())), tf.constant([3, 0], tf.int64)
    fakes = model.propose(batch, seed, training=False)
    assert not np.allclose(fakes[0], fakes[1])
    single = GAN(model.generator[1], model.discriminator[1], model.objective, instance_noise=0.1, average_decay=0.5)
    later = seed + tf.constant([1 << 48, 0], tf.int64)
    first = GAN(model.generator[0], model.discriminator[0], model.objective, instance_noise=0.1, average_decay=0.5)
    for player in ("discriminator", "generator"):
        own = [
            float(getattr(gan, f"{player}_loss")(batch, fake, its_seed, training=False)[0])
            for gan, fake, its_seed in ((first, fakes[0], seed), (single, fakes[1], later))
        ]
        assert float(getattr(model, f"{player}_loss")(batch, fakes, seed, training=False)[0]) == pytest.approx(sum(own))


def test_a_shared_discriminator_is_one_network_with_the_mean_of_its_losses():
    model = build(3, "discriminator")
    assert len(model.discriminator) == 1 and len(model.generator) == 3
    batch, seed = next(iter(batches())), tf.constant([3, 0], tf.int64)
    fakes = model.propose(batch, seed, training=False)
    loss, _ = model.discriminator_loss(batch, [fakes[0]] * 3, seed, training=False)
    spread = [
        float(model.loss_of_judging(model.discriminator[0], batch, fakes[0], seed + of_member, False)[0])
        for of_member in tf.constant([[member << 48, 0] for member in range(3)], tf.int64)
    ]
    assert float(loss) == pytest.approx(np.mean(spread))
    assert len(model.variables_of("discriminator")) == len(model.discriminator[0].trainable_variables)


def test_generate_draws_from_every_member_alike_and_says_which():
    model = build(3)
    signatures = model.signatures()
    drawn = signatures["generate"].function(seed=tf.constant(5, tf.int64), count=tf.constant(3_000))
    members, samples = drawn["members"].numpy(), drawn["samples"].numpy()
    counts = np.bincount(members)
    assert len(counts) == 3 and counts.sum() == 3_000
    assert np.abs(counts - 1_000).max() < 5 * np.sqrt(3_000 * 2 / 9)
    latents = tf.random.stateless_normal([3_000, 2], [5, 0])
    everything = model(latents).numpy()
    assert everything.shape == (3_000, 3, 2)
    np.testing.assert_allclose(samples, everything[np.arange(3_000), members], rtol=1e-5, atol=1e-6)
    chosen = signatures["decode"].function(latents=latents[:4], members=tf.constant([2, 0, 5, 2]))["samples"]
    np.testing.assert_allclose(chosen, everything[np.arange(4), [2, 0, 2, 2]], rtol=1e-5, atol=1e-6)


def test_a_member_that_draws_nothing_does_no_harm_with_convolutions():
    model = build_gan(GANOptions(width=2, latent_dim=2, ensemble=2), (8, 8, 1), 1, 0)
    chosen = model.signatures()["decode"].function(latents=tf.zeros([3, 2]), members=tf.ones([3], tf.int32))["images"]
    assert chosen.shape == (3, 8, 8, 1)


def test_one_discriminator_or_one_for_each():
    generators = [mlp.mlp_generator((2,), 2, widths=(4,), seed=k) for k in range(3)]
    discriminators = [mlp.mlp_discriminator((2,), widths=(4,), seed=k) for k in range(2)]
    with pytest.raises(UsageError, match=r"^3 generators cannot meet 2 discriminators: [^\n]*\.$"):
        EnsembleGAN(generators, discriminators)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ensemble": 0}, "--ensemble is 0: give at least 1"),
        ({"ensemble_sharing": "discriminator"}, "--ensemble-sharing discriminator is for several generators"),
    ],
)
def test_options_that_make_no_ensemble_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        GANOptions(**options).resolved()
