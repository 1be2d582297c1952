"""Domain adaptation: features that tell the classes apart, and from which no judge can tell the domain."""

import math
from typing import ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kgan import objectives, penalties
from kgan.datasets.images import from_uint8
from kgan.errors import UsageError
from kgan.models.adversarial import AdversarialModel, described, draw
from kgan.serving.export import Signature

OBJECTIVES = (objectives.Minimax, objectives.Wasserstein, objectives.Hinge)
"""Games that are the same when the two domains change places and the score its sign."""


class Features(NamedTuple):
    """What is proposed for a batch: the features of both domains' examples."""

    source: tf.Tensor
    target: tf.Tensor


@keras.saving.register_keras_serializable(package="kgan")
class DomainAdversarial(AdversarialModel):
    """A classifier for a target domain without labels, learnt by alternating players.

    The judge (the domain classifier) looks at features and tells source from target, with steps of its own. The
    classifier (feature extractor and label predictor) then minimises

        cross-entropy of the source's labels + strength * what the objective asks of features that are to confuse
        + entropy * how uncertain the answers about the target are.

    Under `minimax` features maximise the judge's own loss (Ganin & Lempitsky 2015); under `non-saturating` they
    minimise its loss with the domains swapped (as Tzeng et al. 2017 do); under `wasserstein` with a penalty they
    minimise the domains' distance (Shen et al. 2018).

    It learns from batches ((x, y), t) of `datasets.domains.Domains`: source examples float32 [N, *shape] (images in
    [-1, 1]), their labels int64 [N], target examples. Called on examples of either domain it gives the classes'
    probabilities [N, K].

    Raises:
        UsageError: when the networks do not fit each other, for an objective that treats the two domains unlike, or
            for an option out of range.
    """

    judges: ClassVar[tuple[str, ...]] = ("discriminator",)
    proposers: ClassVar[tuple[str, ...]] = ("classifier",)
    reported: ClassVar[tuple[str, ...]] = (
        "label_loss", "accuracy", "domain_accuracy", "entropy", "penalty", "strength",
    )  # fmt: skip

    def __init__(
        self,
        feature_extractor: keras.Model,
        label_predictor: keras.Model,
        discriminator: keras.Model,
        objective: str | objectives.Objective = "minimax",
        penalty: str | penalties.Penalty | None = None,
        *,
        strength: float = 1.0,
        entropy: float = 0.0,
        gamma: float = 10.0,
        schedule_updates: int = 0,
        **kwargs,
    ):
        """Put the three together.

        Args:
            feature_extractor: examples [N, *shape] -> features [N, F].
            label_predictor: features -> logits [N, K].
            discriminator: the domain classifier: features -> raw scores [N, 1], high for the source.
            objective: minimax, non-saturating, wasserstein or hinge.
            penalty: what keeps the discriminator smooth.
            strength: the papers' lambda, at least 0; with 0 the features learn from the source alone, and the
                discriminator only watches.
            entropy: weight of the wish for certain answers about the target, in nats, at least 0: it keeps the border
                between the classes out of the target's crowds (Grandvalet & Bengio 2005; Shu et al. 2018).
            gamma: how soon the strength is reached, above 0.
            schedule_updates: strength and entropy's weight rise from 0 over so many updates; 0 keeps them constant.
            kwargs: `critic_steps`, `average_decay`, `seed` of `AdversarialModel`.
        """
        super().__init__(**kwargs)
        self.feature_extractor, self.label_predictor = feature_extractor, label_predictor
        self.discriminator = discriminator
        self.objective, self.penalty = objectives.get(objective), penalties.get(penalty)
        self.strength, self.entropy = strength, entropy
        self.gamma, self.schedule_updates = gamma, schedule_updates
        if not isinstance(self.objective, OBJECTIVES):
            raise UsageError(
                f"the objective {objective!r} treats the two domains unlike: choose minimax, non-saturating, "
                "wasserstein or hinge."
            )
        for name, weight in (("strength", strength), ("entropy", entropy)):
            if not 0 <= weight < math.inf:
                raise UsageError(f"{name} {weight} cannot be: give a weight of 0 or more.")
        if not (gamma > 0 and schedule_updates >= 0):
            raise UsageError(
                f"gamma {gamma} and schedule_updates {schedule_updates} cannot be: give a gamma above 0 and 0 updates "
                "or more."
            )
        given = feature_extractor.output_shape[1:]
        for name, network in (("label predictor", label_predictor), ("discriminator", discriminator)):
            if network.input_shape[1:] != given:
                raise UsageError(
                    f"the {name} takes features {network.input_shape[1:]} but the extractor gives {given}: "
                    "build both for the same."
                )
        self.build()

    def parts(self, player: str) -> tuple[str, ...]:
        """The classifier is two networks, which move together."""
        return ("feature_extractor", "label_predictor") if player == "classifier" else (player,)

    def call(self, examples, training: bool = False) -> tf.Tensor:
        """The classes' probabilities, always in inference mode."""
        features = self.inference("feature_extractor")(examples, training=False)
        return tf.nn.softmax(self.inference("label_predictor")(features, training=False))

    # The game.

    def risen(self) -> tf.Tensor:
        """How much of the weights holds at this update: 2 / (1 + exp(-gamma p)) - 1, p the share of the schedule."""
        if not self.schedule_updates:
            return tf.constant(1.0)
        gone = tf.minimum(tf.cast(self.updates.value, tf.float32) / self.schedule_updates, 1.0)
        return 2.0 / (1.0 + tf.exp(-self.gamma * gone)) - 1.0

    def propose(self, batch, seed: tf.Tensor, training: bool) -> Features:
        """Features of both domains, each normalised by statistics of its own where a batch's are used."""
        (source, _), target = batch
        network = self._network("feature_extractor", training)
        # With no wish to adapt, the target leaves no trace, not in the moving statistics either.
        adapts = self.strength > 0 or self.entropy > 0
        of_source = network(source, training=training)
        return Features(of_source, network(target, training=training and adapts))

    def discriminator_loss(self, batch, proposal: Features, seed: tf.Tensor, training: bool):
        """How badly the domains are told apart; with the penalty."""
        discriminator = self._network("discriminator", training)
        source, target = (discriminator(features, training=training) for features in proposal)
        loss, penalty = self.objective.discriminator_loss(source, target), tf.constant(0.0)
        if self.penalty is not None:
            penalty = self.penalty(discriminator, *proposal, seed=draw(seed, 0))
        right = (tf.reduce_mean(tf.cast(source > 0, tf.float32)) + tf.reduce_mean(tf.cast(target <= 0, tf.float32))) / 2
        return loss + penalty, {"domain_accuracy": right, "penalty": penalty}

    def classifier_loss(self, batch, proposal: Features, seed: tf.Tensor, training: bool):
        """How badly the source's labels are predicted, and how well the domains can be told apart."""
        (_, labels), _ = batch
        labels = tf.cast(labels, tf.int64)
        predictor = self._network("label_predictor", training)
        logits = tf.cast(predictor(proposal.source, training=training), tf.float32)
        label_loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        discriminator = self._network("discriminator", training)
        source, target = (discriminator(features, training=training) for features in proposal)
        # Either domain's features are to pass for the other's; with the score's sign turned the source is the fake.
        confusion = self.objective.generator_loss(target) + self.objective.generator_loss(-source)
        uncertainty = tf.constant(0.0)
        if self.entropy:
            of_target = tf.cast(predictor(proposal.target, training=training), tf.float32)
            uncertainty = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(of_target), of_target))
        right = tf.cast(tf.argmax(logits, axis=1) == labels, tf.float32)
        report = {"label_loss": label_loss, "accuracy": tf.reduce_mean(right), "entropy": uncertainty}
        risen = self.risen()
        adaptation = self.strength * confusion + self.entropy * uncertainty
        return label_loss + risen * adaptation, {**report, "strength": risen * self.strength}

    def _network(self, part: str, training: bool) -> keras.Model:
        return getattr(self, part) if training else self.inference(part)

    # Saving and serving.

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        networks = ("feature_extractor", "label_predictor", "discriminator")
        return {
            **super().get_config(),
            **{name: described(getattr(self, name)) for name in (*networks, "objective", "penalty")},
            "strength": self.strength,
            "entropy": self.entropy,
            "gamma": self.gamma,
            "schedule_updates": self.schedule_updates,
        }

    def signatures(self) -> dict[str, Signature]:
        """`classify` (probabilities and labels), `features`, and `score` (the domain's raw score, high for the source).

        All take images uint8 [N, H, W, C], or points float32 [N, D].
        """
        shape = self.feature_extractor.input_shape[1:]
        name, dtype = ("images", tf.uint8) if len(shape) == 3 else ("points", tf.float32)

        def extract(examples):
            examples = from_uint8(examples) if dtype == tf.uint8 else examples
            return self.inference("feature_extractor")(examples, training=False)

        def classify(**given):
            logits = self.inference("label_predictor")(extract(given[name]), training=False)
            return {"probabilities": tf.nn.softmax(logits), "labels": tf.argmax(logits, axis=1)}

        def features(**given):
            return {"features": extract(given[name])}

        def score(**given):
            return {"scores": self.inference("discriminator")(extract(given[name]), training=False)[:, 0]}

        inputs = {name: tf.TensorSpec([None, *shape], dtype, name=name)}
        example = {name: np.zeros([1, *shape], dtype.as_numpy_dtype)}
        return {f.__name__: Signature(f, inputs, example) for f in (classify, features, score)}


@keras.saving.register_keras_serializable(package="kgan")
class GradientReversal(DomainAdversarial):
    """Domain-adversarial training as it was first done: one simultaneous update of all three networks.

    Ganin & Lempitsky 2015, "Unsupervised domain adaptation by backpropagation"; Ganin et al. 2016, JMLR. The papers'
    layer that reverses the gradient between features and domain classifier is a way to let two players move at once
    in one backward pass: the domain classifier down the gradient of its loss, the features up. Here they are two
    players, so each descends its own loss with its own optimiser, and under `minimax` the features' gradient is
    d label loss - strength * d domain loss. The JMLR paper's algorithm 1 moves the domain classifier `strength` times
    as fast: give it such a learning rate.
    """

    judges: ClassVar[tuple[str, ...]] = ()
    proposers: ClassVar[tuple[str, ...]] = ("discriminator", "classifier")
