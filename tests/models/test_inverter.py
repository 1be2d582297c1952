"""An encoder's loss by hand, and that it learns, searches and edits what a generator can draw."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan import editing
from kgan.attributes import Attributes
from kgan.errors import UsageError
from kgan.metrics import edits
from kgan.models.adversarial import draw
from kgan.models.attribute_editor import AttributeEditor
from kgan.models.inverter import PARTS, Inverter
from kgan.networks import mlp

SHAPE, LATENTS = (8, 8, 3), 3
SEED = tf.constant([5, 32], tf.int64)
WEIGHTS = {"latent_weight": 0.3, "feature_weight": 0.7}


def networks(encoder_widths=(32,)):
    """A generator whose images differ, a discriminator with features, and an encoder."""
    generator = mlp.mlp_generator(SHAPE, LATENTS, widths=(16,), activation="tanh", seed=1)
    for kernel in generator.trainable_variables:
        if len(kernel.shape) == 2:
            kernel.assign(np.random.default_rng(kernel.shape[0]).normal(size=kernel.shape) / kernel.shape[0] ** 0.5)
    discriminator = mlp.mlp_discriminator(SHAPE, widths=(6,), seed=2)
    return generator, discriminator, mlp.mlp_discriminator(SHAPE, widths=encoder_widths, outputs=LATENTS, seed=3)


def images(model, count, seed):
    latents = np.random.default_rng(seed).normal(size=(count, LATENTS)).astype(np.float32)
    return model.generator(latents).numpy()


class Signatures:
    """A model, asked as an export is."""

    def __init__(self, model):
        self.found = {
            name: (tf.function(signature.function), signature.inputs) for name, signature in model.signatures().items()
        }

    def call(self, name, **inputs):
        function, specs = self.found[name]
        answer = function(**{key: tf.constant(inputs[key], spec.dtype) for key, spec in specs.items()})
        return {key: value.numpy() for key, value in answer.items()}


@pytest.fixture(scope="module")
def learnt():
    """An encoder after 300 updates on images of the generator's own kind, and some held-out ones."""
    model = Inverter(*networks(), seed=5)
    fixed = [np.array(v) for part in (model.generator, model.discriminator) for v in part.variables]
    model.compile(encoder_optimizer=keras.optimizers.Adam(5e-3), steps_per_execution=50)
    batches = np.stack([images(model, 32, seed) for seed in range(300)])
    model.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0)
    for before, after in zip(fixed, [*model.generator.variables, *model.discriminator.variables], strict=True):
        np.testing.assert_array_equal(before, after)
    held_out = np.clip(np.rint((images(model, 12, 1_000) + 1) * 127.5), 0, 255).astype(np.uint8)
    return model, Signatures(model), held_out


def test_the_loss_by_hand():
    model = Inverter(*networks(), **WEIGHTS)
    real = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype(np.float32)
    proposal = model.propose(real, SEED, training=True)
    loss, report = model.encoder_loss(real, proposal, SEED, training=True)
    latents = tf.random.stateless_normal([6, LATENTS], draw(SEED, 0)).numpy()
    recovered = model.encoder(model.generator(latents)).numpy()
    again = model.generator(model.encoder(real)).numpy()
    kernel, bias = (variable.numpy().astype(float) for variable in model.discriminator.trainable_variables[:2])
    hidden = [x.reshape(6, -1).astype(float) @ kernel + bias for x in (again, real)]
    ours, theirs = (np.where(x > 0, x, 0.2 * x) for x in hidden)
    latent, pixel = ((recovered - latents) ** 2).mean(), ((again - real) ** 2).mean()
    feature = np.mean(((ours - theirs) ** 2).mean(1) / (theirs**2).mean(1))
    np.testing.assert_allclose([report[f"{name}_error"] for name in ("latent", "pixel", "feature")],
                               [latent, pixel, feature], rtol=1e-4)  # fmt: skip
    np.testing.assert_allclose(loss, 0.3 * latent + pixel + 0.7 * feature, rtol=1e-4)


def test_a_tuned_generator_is_given_noisy_codes_and_moves_along():
    model = Inverter(*networks(), **WEIGHTS, code_weight=0.5, noise=0.4, tuned=True, average_decay=0.5)
    real = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype(np.float32)
    proposal = model.propose(real, SEED, training=True)
    loss, report = model.encoder_loss(real, proposal, SEED, training=True)
    codes = model.encoder(real).numpy()
    noisy = codes + 0.4 * tf.random.stateless_normal([6, LATENTS], draw(SEED, 1)).numpy()
    np.testing.assert_allclose(report["pixel_error"], ((model.generator(noisy).numpy() - real) ** 2).mean(), rtol=1e-4)
    weighed = 0.3 * report["latent_error"] + report["pixel_error"] + 0.7 * report["feature_error"]
    np.testing.assert_allclose(loss, weighed + 0.5 * (codes**2).mean(), rtol=1e-4)

    before = {part: [np.array(v) for v in getattr(model, part).trainable_variables] for part in PARTS}
    held_out = model.judge_held_out(real)["pixel_error"]
    model.compile(encoder_optimizer=keras.optimizers.Adam(1e-2), steps_per_execution=50)
    model.fit(tf.data.Dataset.from_tensors(real).repeat(200), verbose=0)
    moved = {
        part: all(
            np.abs(v - old).max() > 0 for v, old in zip(getattr(model, part).trainable_variables, olds, strict=True)
        )
        for part, olds in before.items()
    }
    assert moved == {"generator": True, "encoder": True, "discriminator": False}
    assert model.judge_held_out(real)["pixel_error"] < held_out / 2  # without noise
    latents = np.zeros([1, LATENTS], np.float32)
    np.testing.assert_array_equal(model.decode(latents), model.average_generator(latents))


def test_the_encoder_learns_and_the_hybrid_is_better_than_either_alone(learnt):
    _, signatures, held_out = learnt
    mean_image = np.broadcast_to(np.rint(held_out.mean(axis=0)).astype(np.uint8), held_out.shape)
    chance = edits.reconstruction_error(held_out, mean_image)
    found = edits.projection_figures(signatures, held_out, 10, reference_name="images")
    errors = {figure.name.split()[-1]: figure.value for figure in found}
    assert errors["encoder"] < chance / 4
    assert errors["hybrid"] < errors["encoder"] / 2 and errors["hybrid"] < errors["descent"] / 2


def test_an_edit_obeys_the_stroke_and_stays_near(learnt):
    model, signatures, held_out = learnt
    constraints = edits.strokes(held_out, seed=1)
    given = {"images": held_out, "constraints": constraints, "steps": 40}
    found = signatures.call("edit", **given, proximity=0.01, realism=0.0)
    before = edits.colour_error(found["reconstructions"], constraints)
    after = edits.colour_error(found["images"], constraints)
    assert after.mean() < 0.7 * before.mean()
    distance = ((found["latents"] - found["starts"]) ** 2).sum(axis=1)
    asked = editing.wanted(tf.constant(constraints), 3)
    errors = editing.constraint_error(model.decode(found["starts"]), *asked).numpy()
    assert np.all(distance > 0) and np.all(0.01 * distance <= errors)
    nearer = signatures.call("edit", **given, proximity=1.0, realism=0.0)
    assert ((nearer["latents"] - nearer["starts"]) ** 2).sum(axis=1).mean() < distance.mean() / 2
    realistic = signatures.call("edit", **given, proximity=0.01, realism=10.0)
    scores = [signatures.call("score", images=one["images"])["scores"].mean() for one in (found, realistic)]
    assert scores[1] > scores[0]

    start, end = (found[key].astype(int) for key in ("reconstructions", "images"))
    expected = np.clip(held_out.astype(int) + end - start, 0, 255)
    assert np.abs(found["carried"] - expected).max() <= 2  # each of the two was rounded
    assert found["trail"].shape == (12, 41, LATENTS)
    np.testing.assert_array_equal(found["trail"][:, 0], found["starts"])
    nothing = signatures.call("edit", **given | {"constraints": 0 * constraints}, proximity=0.01, realism=0.0)
    np.testing.assert_array_equal(nothing["images"], nothing["reconstructions"])


def test_no_steps_are_the_encoder_alone_and_descent_starts_where_it_is_told(learnt):
    _, signatures, held_out = learnt
    found = signatures.call("project", images=held_out, steps=0, feature_weight=0)
    np.testing.assert_array_equal(found["images"], signatures.call("reconstruct", images=held_out)["images"])
    starts = np.random.default_rng(0).normal(size=(12, LATENTS))
    found = signatures.call("descend", images=held_out, starts=starts, steps=3, feature_weight=1)
    np.testing.assert_allclose(found["trail"][:, 0], starts, rtol=1e-6)
    plain = signatures.call("descend", images=held_out, starts=starts, steps=3, feature_weight=0)
    assert not np.allclose(found["latents"], plain["latents"])


def test_attributes_are_measured_and_added():
    model = AttributeEditor(*networks(), tags=("bright", "red"))
    held_out = np.random.default_rng(0).integers(0, 256, (7, *SHAPE), np.uint8)
    present = np.array([[1, 0, 0, 1, 1, 0, 0], [1, 1, 0, 0, 1, 0, 0]], bool).T
    model.measure(held_out, Attributes(("bright", "red"), present, ("bright", "red")), batch_size=3)
    signatures = Signatures(model)
    codes = signatures.call("encode", images=held_out)["latents"].astype(float)
    expected = codes[[0, 3, 4]].mean(axis=0) - codes[[1, 2, 5, 6]].mean(axis=0)
    tags = np.array(["bright", "red", "unknown"], object)
    found = signatures.call("directions", tags=tags)
    np.testing.assert_allclose(found["plain"][0], expected, rtol=1e-4, atol=1e-6)
    assert not found["plain"][2].any() and not np.allclose(found["decorrelated"][:2], found["plain"][:2])

    strengths = np.array([2, -1, 5])
    for name, kind in (("edit", "plain"), ("edit_decorrelated", "decorrelated")):
        edited = signatures.call(name, images=held_out[:3], tags=tags, strengths=strengths, steps=0)
        np.testing.assert_allclose(edited["starts"], codes[:3], rtol=1e-4, atol=1e-6)
        moved = codes[:3] + strengths[:, None] * found[kind]
        np.testing.assert_allclose(edited["latents"], moved, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(edited["images"][2], edited["reconstructions"][2])
    with pytest.raises(UsageError, match="the images have the attributes red, but the model bright, red"):
        model.measure(held_out, Attributes(("red",), present[:, 1:], ("red",)))


def test_what_does_not_fit():
    generator, discriminator, encoder = networks()
    with pytest.raises(UsageError, match=r"the encoder's outputs are of shape \(4,\) but the generator's need \(3,\)"):
        Inverter(generator, discriminator, mlp.mlp_discriminator(SHAPE, widths=(4,), outputs=4))
    with pytest.raises(UsageError, match="the discriminator's inputs"):
        Inverter(generator, mlp.mlp_discriminator((8, 8, 1), widths=(4,)), encoder)
    with pytest.raises(UsageError, match="feature_weight is -1: give 0 or more"):
        Inverter(generator, discriminator, encoder, feature_weight=-1)
    for tags in ((), ("a", "a")):
        with pytest.raises(UsageError, match="give at least one, each once"):
            AttributeEditor(generator, discriminator, encoder, tags=tags)
