"""Domain-adversarial training against the papers' equations, and that it carries labels to where there are none."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.domain_adaptation import Options, build
from kgan.datasets import domains
from kgan.errors import UsageError
from kgan.models.domain_adversarial import DomainAdversarial, GradientReversal
from kgan.networks.features import feature_extractor
from kgan.networks.mlp import mlp_discriminator

RATE, STRENGTH = 0.1, 0.7


def reversal(kind=GradientReversal, **options) -> GradientReversal:
    extractor = feature_extractor((2,), 5, network="mlp", widths=(), activation="tanh", seed=1)
    predictor, discriminator = (mlp_discriminator((5,), widths=(4,), outputs=n, seed=2 + n) for n in (3, 1))
    return kind(extractor, predictor, discriminator, **options)


def batch(count: int = 7):
    random = np.random.default_rng(3)
    source, target = random.normal(size=(2, count, 2)).astype(np.float32)
    return (tf.constant(source), tf.constant(random.integers(0, 3, count))), tf.constant(target)


def losses(model, layer=lambda features: features):
    """The label loss and the domain loss, written out; `layer` stands between features and domain classifier."""
    (source, labels), target = batch()
    of_source, of_target = model.feature_extractor(source), model.feature_extractor(target)
    probabilities = tf.nn.softmax(model.label_predictor(of_source))
    label_loss = -tf.reduce_mean(tf.math.log(tf.gather(probabilities, labels, batch_dims=1)))
    is_source, is_target = (tf.sigmoid(model.discriminator(layer(x))) for x in (of_source, of_target))
    return label_loss, -tf.reduce_mean(tf.math.log(is_source)) - tf.reduce_mean(tf.math.log(1 - is_target))


def after_an_update(**options) -> GradientReversal:
    model = reversal(**{"strength": STRENGTH, **options})
    descent = {f"{player}_optimizer": keras.optimizers.SGD(RATE) for player in model.players}
    model.compile(**descent, run_eagerly=True)
    model.play(batch())
    return model


def assert_descended(moved, still, gradients):
    """Each network of `moved` is that of `still` less RATE times its gradients."""
    for name, of_network in gradients.items():
        variables = getattr(moved, name).trainable_variables, getattr(still, name).trainable_variables
        for after, before, gradient in zip(*variables, of_network, strict=True):
            assert np.abs(gradient).max() > 1e-4
            np.testing.assert_allclose(after, before - RATE * gradient, rtol=1e-5, atol=1e-6, err_msg=name)


def gradients(model, loss_of) -> dict[str, list[np.ndarray]]:
    parts = ("feature_extractor", "label_predictor", "discriminator")
    with tf.GradientTape() as tape:
        loss = loss_of(model)
    values = {part: [v.value for v in getattr(model, part).trainable_variables] for part in parts}
    found = tape.gradient(loss, values, unconnected_gradients="zero")
    return {part: [gradient.numpy() for gradient in of_part] for part, of_part in found.items()}


def test_features_go_down_the_label_loss_and_up_the_domain_loss():
    still = reversal()
    label, domain = (gradients(still, lambda model, k=k: losses(model)[k]) for k in range(2))
    features = [a - STRENGTH * b for a, b in zip(label["feature_extractor"], domain["feature_extractor"], strict=True)]
    expected = {"feature_extractor": features} | {
        "label_predictor": label["label_predictor"], "discriminator": domain["discriminator"],
    }  # fmt: skip
    assert_descended(after_an_update(), still, expected)


def test_two_players_at_once_are_the_layer_that_reverses_gradients():
    @tf.custom_gradient
    def reverse(features):
        return features, lambda upstream: -STRENGTH * upstream

    still = reversal()
    assert_descended(after_an_update(), still, gradients(still, lambda model: sum(losses(model, reverse))))


def test_answers_about_the_target_become_certain():
    weight, still, data = 0.4, reversal(), batch()

    def uncertainty(model):
        probabilities = tf.nn.softmax(model.label_predictor(model.feature_extractor(data[1])))
        return -tf.reduce_mean(tf.reduce_sum(probabilities * tf.math.log(probabilities), axis=1))

    without, entropy = gradients(still, lambda model: losses(model)[0]), gradients(still, uncertainty)
    descended = [a + weight * b for a, b in zip(without["label_predictor"], entropy["label_predictor"], strict=True)]
    model = after_an_update(strength=0.0, entropy=weight)
    assert_descended(model, still, {"label_predictor": descended})
    of_features = zip(without["feature_extractor"], entropy["feature_extractor"], strict=True)
    assert_descended(model, still, {"feature_extractor": [a + weight * b for a, b in of_features]})
    _, report = still.classifier_loss(data, still.propose(data, None, True), None, training=True)
    assert float(report["entropy"]) == 0.0  # not asked for
    model = reversal(entropy=weight)
    _, report = model.classifier_loss(data, model.propose(data, None, True), None, training=True)
    assert float(report["entropy"]) == pytest.approx(float(uncertainty(model)), abs=1e-6)


def test_alternating_features_answer_the_domain_classifier_that_has_moved():
    moved, at_once = (after_an_update(kind=kind) for kind in (DomainAdversarial, GradientReversal))
    for one, other in zip(moved.discriminator.weights, at_once.discriminator.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    still = reversal()
    still.discriminator.set_weights(moved.discriminator.get_weights())
    found = gradients(still, lambda model: losses(model)[0] - STRENGTH * losses(model)[1])
    assert_descended(moved, still, {name: found[name] for name in ("feature_extractor", "label_predictor")})
    first = [np.asarray(model.feature_extractor.weights[0]) for model in (moved, at_once)]
    assert np.abs(first[0] - first[1]).max() > 1e-5


def test_batches_of_each_domain_are_normalised_by_their_own_statistics():
    (source, labels), target = batch()
    data = (source, labels), 5 * target + 3
    for strength, sees_the_target in ((1.0, True), (0.0, False)):
        extractor = feature_extractor(
            (2,), 5, network="mlp", widths=(), activation="tanh", normalisation="batch", seed=1
        )
        model = DomainAdversarial(extractor, *(mlp_discriminator((5,), outputs=n) for n in (3, 1)), strength=strength)
        dense, normalisation = (
            next(layer for layer in extractor.layers if hasattr(layer, name)) for name in ("kernel", "gamma")
        )
        proposal = model.propose(data, tf.constant([0, 0], tf.int64), training=True)
        means, moving = [], np.zeros(5)
        for examples, features in zip((data[0][0], data[1]), proposal, strict=True):
            linear = dense(examples).numpy().astype(np.float64)
            if features is proposal.source or sees_the_target:
                expected = np.tanh((linear - linear.mean(0)) / np.sqrt(linear.var(0) + normalisation.epsilon))
                moving = 0.9 * moving + 0.1 * linear.mean(0)
                np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
            means.append(linear.mean(0))
        assert np.abs(means[0] - means[1]).min() > 0.1
        np.testing.assert_allclose(normalisation.moving_mean, moving, rtol=1e-4)


@pytest.mark.parametrize(
    ("updates", "expected"),
    [(0, 0.0), (5, 0.4898373), (10, 0.92423431), (50, 1.97322860), (100, 1.99981841), (900, 1.99981841)],
)
def test_the_strength_rises_as_in_the_paper(updates, expected):
    model = reversal(strength=2.0, gamma=10.0, schedule_updates=100)
    model.updates.assign(updates)
    assert 2 * float(model.risen()) == pytest.approx(expected, abs=1e-6)
    constant = reversal(strength=2.0)
    constant.updates.assign(updates)
    assert float(constant.risen()) == 1.0


def constant_scores(objective) -> DomainAdversarial:
    """One feature, which is the score and both logits: source examples are 2, target examples -1."""
    networks = [
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(n, kernel_initializer="ones", use_bias=False)])
        for n in (1, 2, 1)
    ]
    return DomainAdversarial(*networks, objective)


@pytest.mark.parametrize(
    ("objective", "judge", "features"),
    [
        ("minimax", 2 * 0.126928 + 2 * 0.313262, -0.440190),  # log(1 + e^-2) + log(1 + e^-1), and minus that
        ("non-saturating", 0.440190 * 2, 2.126928 + 1.313262),  # log(1 + e^2) + log(1 + e^1)
        ("wasserstein", -6.0, 3.0),
        ("hinge", 0.0, 3.0),
    ],
)
def test_objectives_by_hand(objective, judge, features):
    model = constant_scores(objective)
    data = (tf.constant([[2.0], [2.0]]), tf.constant([0, 1])), tf.constant([[-1.0], [-1.0]])
    seed = tf.constant([0, 0], tf.int64)
    proposal = model.propose(data, seed, training=True)
    loss, report = model.discriminator_loss(data, proposal, seed, training=True)
    assert 2 * float(loss) == pytest.approx(judge, abs=1e-5)
    assert float(report["domain_accuracy"]) == 1.0
    loss, report = model.classifier_loss(data, proposal, seed, training=True)
    assert float(report["label_loss"]) == pytest.approx(np.log(2), abs=1e-6)
    assert float(report["accuracy"]) == 0.5
    assert float(loss) == pytest.approx(np.log(2) + features, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objective": "least-squares"}, "treats the two domains unlike"),
        ({"strength": -1.0}, "strength -1.0"),
        ({"strength": float("nan")}, "strength nan"),
        ({"entropy": -0.1}, "entropy -0.1"),
        ({"gamma": 0.0}, "gamma 0.0"),
        ({"schedule_updates": -1}, "schedule_updates -1"),
    ],
)
def test_what_cannot_be_is_one_sentence(options, said):
    with pytest.raises(UsageError, match=rf"^[^\n]*{said}[^\n]*\.$"):
        reversal(**options)


def test_networks_that_do_not_fit_are_one_sentence():
    extractor = feature_extractor((2,), 5, network="mlp", widths=(), seed=1)
    with pytest.raises(UsageError, match=r"^the label predictor takes features \(4,\) but the extractor gives \(5,\)"):
        GradientReversal(extractor, mlp_discriminator((4,), outputs=2), mlp_discriminator((5,)))


def accuracies(method: str, updates: int = 3_000) -> list[float]:
    """The shares of held-out source and target points that are read right."""
    train, test = domains.moons("train"), domains.moons("test")
    options = Options(data="moons", method=method, updates=updates)
    model = build(options, train.shape, 2)
    batches = train.batches(options.batch_size, steps=updates, seed=options.seed)
    model.fit(batches, steps_per_epoch=updates, verbose=0, shuffle=False)
    found = [model.predict_on_batch(one.examples).argmax(1) == one.labels for one in (test.source, test.target)]
    return [float(right.mean()) for right in found]


def test_labels_are_carried_to_the_turned_moons():
    source, plain = accuracies("none")
    assert source > 0.98 and plain < 0.88
    source, adapted = accuracies("reversal")
    assert source > 0.98 and adapted > 0.92
