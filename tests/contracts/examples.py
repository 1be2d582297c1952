"""A tiny instance of every model: what the tests beside it need to put a new model through the contract.

To add one, write a function of the model's options that returns a fresh `Example`, the same one at every call,
and enter it in EXAMPLES.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kgan.likelihoods import Gaussian
from kgan.models.adversarial import AdversarialModel
from kgan.models.attribute_editor import AttributeEditor
from kgan.models.autoencoder import VAE, Autoencoder
from kgan.models.bigan import BiGAN
from kgan.models.cloning import BehaviourCloner
from kgan.models.discriminator_alone import Ascent, DiscriminatorAlone
from kgan.models.divergence import DivergenceEstimator
from kgan.models.domain_adversarial import DomainAdversarial, GradientReversal
from kgan.models.energy import BEGAN, EBGAN
from kgan.models.ensemble import EnsembleGAN
from kgan.models.gan import GAN
from kgan.models.infogan import Codes, InfoGAN
from kgan.models.invariant_infogan import InvariantInfoGAN
from kgan.models.inverter import Inverter
from kgan.models.rewards import RewardModel, ShapedRewardModel
from kgan.models.sentence_vae import SentenceVAE
from kgan.models.sentences import SentenceGAN
from kgan.models.text_to_image import TextToImageGAN
from kgan.models.vaegan import VAEGAN
from kgan.models.value import ValueEstimator
from kgan.networks import blocks, captions, images, mlp, sequences
from kgan.networks.features import feature_extractor
from kgan.networks.joint import joint_discriminator
from kgan.networks.recognition import with_candidates, with_features, with_recogniser
from kgan.networks.shaped import shaped

BATCH = 8  # samples of one critic step


class Example(NamedTuple):
    """A built model, not compiled; batch number k of n samples, a pure function of both; n inputs of `call`.

    A batch is an array or a nest of arrays, as the model takes it.
    """

    model: AdversarialModel
    batch: Callable[[int, int], Any]
    inputs: Callable[[int], Any]

    def batches(self, first: int, steps: int) -> tf.data.Dataset:
        """Batches number `first` to `first + steps - 1`, as `Data.batches` would give them."""
        size = BATCH * self.model.critic_steps
        batches = [self.batch(k, size) for k in range(first, first + steps)]
        return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(lambda *each: np.stack(each), *batches))


def gan(**options) -> Example:
    """Images, with everything that has state: batch normalisation, dropout, spectral normalisation, a penalty."""
    shape, latent_dim = (8, 8, 1), 4
    generator = images.dcgan_generator(shape, latent_dim, width=4, seed=1)
    discriminator = mlp.mlp_discriminator(shape, widths=(8,), dropout=0.2, spectral=True, seed=2)
    model = GAN(generator, discriminator, "non-saturating", "gradient-penalty", instance_noise=0.1, **options)
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, latent_dim))


def infogan(**options) -> Example:
    """Images from noise, two categorical codes and a continuous one, with a recogniser that shares the features."""
    shape, latent_dim, codes = (8, 8, 1), 9, Codes((3, 2), 1)
    generator = images.dcgan_generator(shape, latent_dim, width=4, seed=1)
    discriminator = mlp.mlp_discriminator(shape, widths=(8,), dropout=0.2, spectral=True, seed=2)
    discriminator = with_recogniser(discriminator, codes.parameters, width=6, seed=3)
    model = InfoGAN(generator, discriminator, penalty="r1", codes=codes, jitter=0.1, instance_noise=0.1, **options)
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, latent_dim))


def invariant_infogan(**options) -> Example:
    """Images from noise, a categorical code and a continuous one, with a recogniser of its own that has three heads."""
    shape, latent_dim, codes = (8, 8, 1), 6, Codes((3,), 1)
    generator = images.dcgan_generator(shape, latent_dim, width=4, seed=1)
    recogniser = images.dcgan_discriminator(shape, width=4, outputs=codes.parameters + 2 * 3, seed=3)
    judge = with_recogniser(
        images.dcgan_discriminator(shape, width=4, dropout=0.2, seed=2), with_candidates(recogniser, 3, 3)
    )
    model = InvariantInfoGAN(generator, judge, codes=codes, jitter=0.1, warm_up=2, **options)
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, latent_dim))


def ensemble(sharing: bool = False, **options) -> Example:
    """Images by two generators, with what has state and what draws random numbers."""
    shape, latent_dim = (8, 8, 1), 4
    generators = [mlp.mlp_generator(shape, latent_dim, widths=(8,), seed=member) for member in range(2)]
    discriminators = [
        mlp.mlp_discriminator(shape, widths=(8,), dropout=0.2, seed=2 + member) for member in range(1 if sharing else 2)
    ]
    model = EnsembleGAN(generators, discriminators, "non-saturating", "r1", instance_noise=0.1, **options)
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, latent_dim))


def energy_game(kind: type[AdversarialModel], **options) -> Example:
    """Images, judged by an auto-encoder with batch normalisation and dropout."""
    shape, latent_dim = (8, 8, 1), 4
    generator = mlp.mlp_generator(shape, latent_dim, widths=(8,), seed=1)
    real = keras.Input(shape)
    features = keras.layers.Dropout(0.2, seed=2)(blocks.BatchNormalization()(keras.layers.Flatten()(real)))
    codes = keras.layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(3))(features)
    discriminator = keras.Model(real, [mlp.mlp_generator(shape, 3, widths=(8,), seed=4)(codes), codes])
    return Example(
        kind(generator, discriminator, **options),
        lambda k, n: _uniform(k, n, *shape),
        lambda n: _uniform(-1, n, latent_dim),
    )


def divergence_estimator(**options) -> Example:
    """Pairs of points."""
    discriminator = mlp.mlp_discriminator((2,), widths=(8,), dropout=0.2, seed=2)
    model = DivergenceEstimator(discriminator, "minimax", "r1", **options)
    return Example(model, lambda k, n: _uniform(k, n, 2, 2), lambda n: _uniform(-1, n, 2))


def reward_model(**options) -> Example:
    """Pairs of transitions, standardised before they are judged."""
    discriminator = mlp.mlp_discriminator((3,), widths=(8,), dropout=0.2, seed=2)
    model = RewardModel(
        discriminator, "least-squares", "gradient-penalty", mean=[0.1, 0.0, 0.2], deviation=[1.0, 2.0, 0.5], **options
    )
    return Example(model, lambda k, n: _uniform(k, n, 2, 3), lambda n: _uniform(-1, n, 3))


def shaped_reward_model(**options) -> Example:
    """Pairs of rows: a transition of two numbers, an action and a mark; where it led; and a log-probability."""
    pair = (mlp.mlp_discriminator((size,), widths=(8,), dropout=0.2, seed=size) for size in (4, 3))
    model = ShapedRewardModel(
        shaped(*pair, actions=1, discount=0.9), "zero-centred", mean=[0.1] * 7, deviation=[2.0] * 7, **options
    )
    return Example(model, lambda k, n: _uniform(k, n, 2, 8), lambda n: _uniform(-1, n, 8))


def domain_adversarial(kind: type[DomainAdversarial], **options) -> Example:
    """Images of three classes and images of none, with batch normalisation, dropout, a penalty and a schedule."""
    shape = (8, 8, 1)
    extractor = feature_extractor(shape, 6, width=4, normalisation="batch", activation="elu", seed=1)
    predictor, discriminator = (
        mlp.mlp_discriminator((6,), widths=(5,), dropout=0.2, outputs=n, seed=2 + n) for n in (3, 1)
    )
    model = kind(
        extractor, predictor, discriminator, "non-saturating", "gradient-penalty",
        entropy=0.1, schedule_updates=4, **options,
    )  # fmt: skip

    def batch(k: int, n: int):
        labels = np.random.default_rng(k + 1).integers(0, 3, n)
        return (_uniform(k, n, *shape), labels), _uniform(1_000 + k, n, *shape)

    return Example(model, batch, lambda n: _uniform(-1, n, *shape))


def autoencoder(kind: type[Autoencoder] = Autoencoder, **options) -> Example:
    """Images: a convolutional encoder with normalisation and dropout, a dense decoder with the Gaussian's scale."""
    shape, latent_dim = (8, 8, 1), 3
    encoder = images.dcgan_discriminator(
        shape, width=4, normalisation="batch", dropout=0.2, outputs=kind.outputs_per_latent * latent_dim, seed=1
    )
    decoder = mlp.mlp_generator(shape, latent_dim, widths=(8,), activation="leaky_relu", output="linear", seed=2)
    model = kind(encoder, Gaussian().decoder(decoder), "gaussian", jitter=0.1, **options)
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, *shape))


def bigan(**options) -> Example:
    """Images, a stochastic encoder, and everything that has state."""
    shape, latent_dim = (8, 8, 1), 3
    generator = images.dcgan_generator(shape, latent_dim, width=4, seed=1)
    encoder = mlp.mlp_discriminator(shape, widths=(8,), outputs=2 * latent_dim, normalisation="batch", seed=2)
    features = mlp.mlp_discriminator(shape, widths=(8,), outputs=6, spectral=True, seed=3)
    discriminator = joint_discriminator(features, latent_dim, units=6, dropout=0.2, seed=4)
    model = BiGAN(generator, encoder, discriminator, jitter=0.1, views=True, **options)
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, *shape))


def vaegan(**options) -> Example:
    """Images, and everything that has state."""
    shape, latent_dim = (8, 8, 1), 3
    decoder = images.dcgan_generator(shape, latent_dim, width=4, seed=1)
    encoder = mlp.mlp_discriminator(shape, widths=(8,), outputs=2 * latent_dim, normalisation="batch", seed=2)
    discriminator = with_features(mlp.mlp_discriminator(shape, widths=(8,), dropout=0.2, spectral=True, seed=3))
    model = VAEGAN(encoder, decoder, discriminator, gamma=0.5, **options)
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, *shape))


def sentence_gan(**options) -> Example:
    """Sentences of five characters; not by Wasserstein, which leaves a critic's last bias as it is."""
    shape, latent_dim = (5, 10), 4
    generator = sequences.sequence_generator(shape, latent_dim, width=6, depth=1, seed=1)
    discriminator = sequences.sequence_discriminator(shape, width=6, depth=1, dropout=0.2, seed=2)
    model = SentenceGAN(generator, discriminator, "least-squares", "gradient-penalty", characters="abcdefg,", **options)
    return Example(model, _ids, lambda n: _uniform(-1, n, latent_dim))


def sentence_vae(**options) -> Example:
    """The same sentences."""
    size = {"latent_dim": 3, "width": 6}
    encoder, decoder = (
        build((5, 10), **size, seed=1) for build in (sequences.sequence_encoder, sequences.sequence_decoder)
    )
    model = SentenceVAE(encoder, decoder, characters="abcdefg,", annealing_updates=2, **options)
    return Example(model, _ids, lambda n: _ids(-1, n))


def _ids(k: int, n: int) -> np.ndarray:
    return np.random.default_rng(k + 1).integers(0, 10, (n, 5)).astype(np.int32)


def text_to_image(**options) -> Example:
    """Images with captions of five words, and everything that has state."""
    shape, latent_dim, sizes = (8, 8, 1), 4, {"words": 10, "length": 5, "width": 6}
    generator = images.dcgan_generator(shape, latent_dim + 3, width=4, seed=1)
    features = mlp.mlp_discriminator(shape, widths=(8,), dropout=0.2, spectral=True, outputs=6, seed=2)
    model = TextToImageGAN(
        captions.captioned_generator(generator, **sizes, code_dim=3, seed=3),
        captions.captioned_discriminator(features, **sizes, seed=4),
        "non-saturating", "gradient-penalty", words="abcdefgh", interpolation=0.5, instance_noise=0.1, **options,
    )  # fmt: skip
    return Example(
        model,
        lambda k, n: (_uniform(k, n, *shape), _ids(k, n)),
        lambda n: [_uniform(-1, n, latent_dim), _ids(-1, n)],
    )


def discriminator_alone(**options) -> Example:
    """Images, a buffer that two critic steps almost fill, and every kind of start."""
    shape = (8, 8, 1)
    discriminator = mlp.mlp_discriminator(shape, widths=(8,), seed=2)
    ascent = Ascent(steps=3, step_size=0.1, noise=0.05)
    model = DiscriminatorAlone(
        discriminator, penalty="r1", ascent=ascent, drawing=Ascent(steps=4), restart=0.3, buffer_size=20, **options
    )
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, *shape))


def inverter(kind: type[Inverter] = Inverter, normalisation: str = "batch", **options) -> Example:
    """Images of a convolutional generator, judged by a dense discriminator that stays, whatever state it has."""
    shape, latent_dim = (8, 8, 1), 4
    generator = images.dcgan_generator(shape, latent_dim, width=4, normalisation=normalisation, seed=1)
    discriminator = mlp.mlp_discriminator(shape, widths=(8,), dropout=0.2, spectral=True, seed=2)
    encoder = images.dcgan_discriminator(shape, width=4, normalisation="batch", dropout=0.2, outputs=latent_dim, seed=3)
    model = kind(generator, discriminator, encoder, **options)
    return Example(model, lambda k, n: _uniform(k, n, *shape), lambda n: _uniform(-1, n, *shape))


def value_estimator(**options) -> Example:
    """Packed transitions of three numbers each, in a random order: any numbers are as good."""
    network = mlp.mlp_discriminator((3,), widths=(8,), dropout=0.2, seed=2)
    return Example(ValueEstimator(network, **options), lambda k, n: _uniform(k, n, 9), lambda n: _uniform(-1, n, 3))


def behaviour_cloner(**options) -> Example:
    """Observations of three numbers, each with one of two actions."""
    policy = mlp.mlp_discriminator((3,), widths=(8,), dropout=0.2, outputs=2, seed=2)

    def batch(k: int, n: int) -> np.ndarray:
        steps = _uniform(k, n, 4)
        return np.concatenate([steps[:, :3], steps[:, 3:] > 0], axis=1).astype(np.float32)

    return Example(BehaviourCloner(policy, **options), batch, lambda n: _uniform(-1, n, 3))


def _uniform(k: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(k + 1).uniform(-1, 1, shape).astype(np.float32)


EXAMPLES: dict[type[keras.Model], Callable[..., Example]] = {
    GAN: gan,
    Autoencoder: autoencoder,
    VAE: partial(autoencoder, VAE),
    BiGAN: bigan,
    VAEGAN: vaegan,
    InfoGAN: infogan,
    InvariantInfoGAN: invariant_infogan,
    EnsembleGAN: ensemble,
    EBGAN: partial(energy_game, EBGAN, margin=0.9),
    BEGAN: partial(energy_game, BEGAN, k_rate=0.1),
    DivergenceEstimator: divergence_estimator,
    RewardModel: reward_model,
    ShapedRewardModel: shaped_reward_model,
    DomainAdversarial: partial(domain_adversarial, DomainAdversarial),
    GradientReversal: partial(domain_adversarial, GradientReversal),
    SentenceGAN: sentence_gan,
    SentenceVAE: sentence_vae,
    DiscriminatorAlone: discriminator_alone,
    TextToImageGAN: text_to_image,
    Inverter: inverter,
    ValueEstimator: value_estimator,
    BehaviourCloner: behaviour_cloner,
    AttributeEditor: partial(  # a tuned generator's batch statistics stay as they are
        inverter, AttributeEditor, "layer", tags=("glasses", "hair=red"), tuned=True, noise=0.3, code_weight=0.1
    ),
}
