"""Codes that mean something: a part of what the generator starts from can be read off its samples again."""

import dataclasses
import math
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from kgan import objectives, penalties
from kgan.errors import UsageError
from kgan.models.adversarial import described, draw
from kgan.models.gan import GAN, mean_score, samples_of, served
from kgan.serving.export import Signature, generate_signature

LEAST_DEVIATION = 0.05  # of a continuous code's posterior: without it a code that is known exactly is infinite nats


@dataclasses.dataclass(frozen=True)
class Codes:
    """What is to mean something: categorical codes, uniform and one-hot, and continuous ones, uniform in [-1, 1].

    One draw of all of them is float32 [N, size]: the categorical ones side by side, then the continuous ones. A
    posterior Q(c|x) is float32 [N, parameters]: logits of every category, means of the continuous codes, and what their
    standard deviations are made of; it says that the codes are independent, and the continuous ones Gaussian.

    Args:
        categorical: how many values each categorical code has, at least 2.
        continuous: how many continuous codes there are.

    Raises:
        UsageError: for fewer values, or no code at all.
    """

    categorical: tuple[int, ...] = (10,)
    continuous: int = 2

    def __post_init__(self):
        object.__setattr__(self, "categorical", tuple(self.categorical))  # a saved one comes back as a list
        if any(values < 2 for values in self.categorical) or self.continuous < 0 or not len(self):
            raise UsageError(
                f"categorical codes of {self.categorical} values and {self.continuous} continuous codes cannot be "
                "drawn: give at least 2 values each, and at least one code."
            )

    def __len__(self) -> int:
        """How many codes there are."""
        return len(self.categorical) + self.continuous

    @property
    def size(self) -> int:
        """How many numbers all codes together are."""
        return sum(self.categorical) + self.continuous

    @property
    def parameters(self) -> int:
        """How many numbers a posterior is."""
        return self.size + self.continuous

    @property
    def names(self) -> tuple[str, ...]:
        """What the codes are called, in order."""
        kinds = {"categorical": len(self.categorical), "continuous": self.continuous}
        return tuple(f"{kind} code {index + 1}" for kind, count in kinds.items() for index in range(count))

    @property
    def entropies(self) -> tuple[float, ...]:
        """H(c) of each code in nats; a continuous one's is of its density, 1/2."""
        return (*map(math.log, self.categorical), *[math.log(2)] * self.continuous)

    def sample(self, count: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """So many draws, float32 [count, size]."""
        shares = tf.random.stateless_uniform([count, len(self)], seed)
        each = [
            tf.one_hot(tf.cast(shares[:, index] * values, tf.int32), values)
            for index, values in enumerate(self.categorical)
        ]
        return tf.concat([*each, 2 * shares[:, len(self.categorical) :] - 1], axis=1)

    def expected(self, posterior: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The posterior's mean, [N, size]: probabilities and means; and standard deviations [N, continuous]."""
        *logits, means, log_deviations = self._split(posterior)
        return tf.concat([*map(tf.nn.softmax, logits), means], axis=1), tf.exp(log_deviations)

    def information(self, codes: tf.Tensor, posterior: tf.Tensor) -> tf.Tensor:
        """log Q(c|x) + H(c) of each code in nats, [N, len(self)]; its mean is at most the mutual information."""
        *logits, means, log_deviations = self._split(posterior)
        *hot, values = tf.split(codes, [*self.categorical, self.continuous], axis=1)
        each = [
            tf.reduce_sum(code * tf.nn.log_softmax(of_code), axis=1, keepdims=True)
            for code, of_code in zip(hot, logits, strict=True)
        ]
        errors = (values - means) * tf.exp(-log_deviations)
        return (
            tf.concat([*each, -(errors**2) / 2 - log_deviations - math.log(2 * math.pi) / 2], axis=1) + self.entropies
        )

    def _split(self, posterior: tf.Tensor) -> list[tf.Tensor]:
        """Logits of each categorical code, means, and logarithms of standard deviations."""
        *rest, raw = tf.split(posterior, [*self.categorical, self.continuous, self.continuous], axis=1)
        least = math.log(LEAST_DEVIATION)
        return [*rest, least + tf.nn.softplus(raw - least)]


@keras.saving.register_keras_serializable(package="kgan")
class InfoGAN(GAN):
    """A GAN whose generator starts from noise and codes c, which a recogniser Q can read off the samples again.

    Chen et al. 2016: min over G, Q and max over D of V(D, G) - w L_I(G, Q), where L_I = E[log Q(c|x)] + H(c) with
    x = G(z, c) is a lower bound on the mutual information of codes and samples. Q is the discriminator's second output
    and moves with it: D and Q minimise D's loss - L_I, so that features which both share learn from both, and G then
    minimises its loss - w L_I. With w = 0 the generator is that of a plain GAN, and Q measures what its codes happen to
    say; a Q with a network of its own leaves D alone, too.

    Called on latents and codes side by side (float32 [N, latent_dim], the codes last) it gives samples. It reports the
    parts of L_I for the two kinds of codes, in nats.

    Raises:
        UsageError: when the players do not fit each other or the codes.
    """

    reported: ClassVar[tuple[str, ...]] = (*GAN.reported, "categorical_information", "continuous_information")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        objective: str | objectives.Objective = "non-saturating",
        penalty: str | penalties.Penalty | None = None,
        *,
        codes: Codes = Codes(),  # noqa: B008  (frozen)
        information_weight: float = 1.0,
        continuous_weight: float = 0.1,
        **kwargs,
    ):
        """Put the players together.

        Args:
            generator: latents and codes [N, latent_dim] -> samples [N, ...].
            discriminator: samples [N, ...] -> raw scores and a posterior [N, codes.parameters]; see
                `kgan.networks.recognition.with_recogniser`.
            objective, penalty: as of `GAN`; they concern the scores alone.
            codes: which there are.
            information_weight: w, at least 0.
            continuous_weight: of continuous codes within L_I as it is minimised, at least 0; what is reported is in
                nats all the same.
            kwargs: as of `GAN`. Under its `jitter`, which is not of the paper, what is said by a small move is lost,
                and a category that is to be known for certain had better be a shape.
        """
        weights = {"information_weight": information_weight, "continuous_weight": continuous_weight}
        for name, value in weights.items():
            if not value >= 0:
                raise UsageError(f"{name} is {value}: give 0 or more.")
        shapes = discriminator.output_shape
        if not isinstance(shapes, list) or len(shapes) < 2 or shapes[1] != (None, codes.parameters):
            raise UsageError(
                f"the discriminator gives {shapes}, but it must give scores and (None, {codes.parameters}): build it "
                "with kgan.networks.recognition.with_recogniser."
            )
        if generator.input_shape[-1] < codes.size:
            raise UsageError(
                f"the generator starts from {generator.input_shape[-1]} numbers but the codes are {codes.size}: "
                "build it for as many, and the noise."
            )
        super().__init__(generator, discriminator, objective, penalty, **kwargs)
        self.codes = codes
        self.information_weight = information_weight
        self.continuous_weight = continuous_weight

    # The game.

    def start(self, count: tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """So many draws of noise and codes, from two seeds."""
        noise = tf.random.stateless_normal([count, self.latent_dim - self.codes.size], first)
        return noise, self.codes.sample(count, second)

    def propose(self, batch, seed: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """As many generated samples as there are real ones, and the codes they were made from."""
        noise, codes = self.start(tf.shape(samples_of(batch))[0], draw(seed, 0), draw(seed, 6))
        network = self.generator if training else self.inference("generator")
        return network(tf.concat([noise, codes], axis=1), training=training), codes

    def discriminator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """D's loss as in `GAN`, less the bound, which Q and what it shares with D are to raise."""
        (samples, codes), judge = proposal, _Scorer(self.discriminator)
        loss, report = self.loss_of_judging(judge, samples_of(batch), samples, seed, training)
        _, posterior, *_ = judge.posteriors  # of real samples, of generated ones, and of those that a penalty is of
        nats = tf.reduce_mean(self.codes.information(codes, posterior), axis=0)
        split = len(self.codes.categorical)
        kinds = {
            "categorical_information": tf.reduce_sum(nats[:split]),
            "continuous_information": tf.reduce_sum(nats[split:]),
        }
        return loss - tf.reduce_sum(self.bound_weights("discriminator") * nats), {**report, **kinds}

    def generator_loss(self, batch, proposal, seed: tf.Tensor, training: bool):
        """G's loss as in `GAN`, less the weighted bound."""
        (samples, codes), judge = proposal, _Scorer(self.discriminator)
        loss = self.loss_of_generating(judge, samples, seed, training)
        nats = tf.reduce_mean(self.codes.information(codes, judge.posteriors[0]), axis=0)
        return loss - self.information_weight * tf.reduce_sum(self.bound_weights("generator") * nats), {}

    def bound_weights(self, player: str) -> list:
        """How much each code's part of L_I counts for a player."""
        return [1.0] * len(self.codes.categorical) + [self.continuous_weight] * self.codes.continuous

    def scores(self, samples: tf.Tensor) -> tf.Tensor:
        """One score for each sample, float32 [N], in inference mode: higher for what looks real."""
        return mean_score(_Scorer(self.discriminator), samples)

    # Saving and serving.

    def get_config(self) -> dict:
        """Everything `from_config` needs to build this game again."""
        return {
            **super().get_config(),
            "codes": described(self.codes),
            "information_weight": self.information_weight,
            "continuous_weight": self.continuous_weight,
        }

    def signatures(self) -> dict[str, Signature]:
        """As of `GAN`, but with codes beside what is drawn, and what Q reads off samples.

        `generate` (seed, count -> images and the codes they were made from), `decode` (latents [N, latent_dim -
        codes.size] and codes [N, codes.size] -> images), `encode` (images -> codes, the mean of Q: probabilities of
        categories and means of continuous codes; with these also their deviations), `information` (images and the codes
        they were made from -> nats [N, codes], log Q(c|x) + H(c)) and `score`.
        """
        kind, samples, out, into = served(self.sample_shape)
        score = super().signatures()["score"]

        def decode(latents, codes):
            return {kind: out(self.call(tf.concat([latents, codes], axis=1)))}

        def generate(seed, count):
            latents, codes = self.start(count, tf.stack([seed, 0]), tf.stack([seed, 1]))
            return {**decode(latents, codes), "codes": codes}

        def posterior(given):
            return self.discriminator(into(given[kind]), training=False)[1]

        def encode(**given):
            codes, deviations = self.codes.expected(posterior(given))
            return {"codes": codes} | ({"deviations": deviations} if self.codes.continuous else {})

        def information(codes, **given):
            return {"nats": self.codes.information(codes, posterior(given))}

        def numbers(**sizes):
            specs = {name: tf.TensorSpec([None, size], tf.float32, name=name) for name, size in sizes.items()}
            return specs, {name: np.zeros([1, size], np.float32) for name, size in sizes.items()}

        codes, zeros = numbers(codes=self.codes.size)
        return {
            "generate": generate_signature(generate),
            "decode": Signature(decode, *numbers(latents=self.latent_dim - self.codes.size, codes=self.codes.size)),
            "encode": score._replace(function=encode),
            "information": Signature(information, {kind: samples, **codes}, {**score.example, **zeros}),
            "score": score,
        }


class _Scorer:
    """A discriminator of two outputs that answers with its scores, and keeps the posteriors of all it was asked of."""

    def __init__(self, discriminator: keras.Model):
        self.discriminator = discriminator
        self.posteriors: list[tf.Tensor] = []

    def __call__(self, samples: tf.Tensor, training: bool) -> tf.Tensor:
        scores, posterior, *_ = self.discriminator(samples, training=training)
        self.posteriors.append(posterior)
        return scores
