"""The options of a GAN as a person gives them, the well-known recipes, and the model that they describe."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras

from kgan import networks, objectives, penalties
from kgan.errors import UsageError, suggestion
from kgan.models.ensemble import EnsembleGAN
from kgan.models.gan import GAN
from kgan.optimizers import Adam

PLAIN = {
    "penalty": "none", "critic_steps": 1, "optimizer": "adam", "generator_learning_rate": 2e-4,
    "discriminator_learning_rate": 2e-4, "beta_1": 0.5, "beta_2": 0.999, "weight_clip": 0.0,
    "normalisation": "batch", "discriminator_normalisation": "batch", "spectral": False,
}  # fmt: skip
"""What a plain objective gets where nothing else is said: DCGAN's settings (Radford 2016)."""

CRITIC = {"objective": "wasserstein", "critic_steps": 5}

RECIPES: dict[str, dict[str, Any]] = {
    "dcgan": PLAIN | {"objective": "non-saturating"},
    "lsgan": PLAIN | {"objective": "least-squares"},
    "wgan": PLAIN | CRITIC | {
        "weight_clip": 0.01, "optimizer": "rmsprop",
        "generator_learning_rate": 5e-5, "discriminator_learning_rate": 5e-5,
    },
    "wgan-gp": PLAIN | CRITIC | {
        # Five times the paper's rate, which with the moving average is as steady and far ahead after some minutes.
        "penalty": "gradient-penalty", "generator_learning_rate": 5e-4, "discriminator_learning_rate": 5e-4,
        "beta_1": 0.5, "beta_2": 0.9,
    },
    "dragan": PLAIN | {"objective": "non-saturating", "penalty": "dragan"},
    "r1gan": PLAIN | {
        "objective": "non-saturating", "penalty": "r1", "penalty_weight": 1.0, "beta_1": 0.0, "beta_2": 0.99,
        # Five times DCGAN's rate, as for WGAN-GP: the penalty holds the game together.
        "generator_learning_rate": 1e-3, "discriminator_learning_rate": 1e-3,
    },
    "sngan": PLAIN | {
        "objective": "hinge", "spectral": True, "discriminator_normalisation": "none", "beta_1": 0.0, "beta_2": 0.9,
    },
}  # fmt: skip
"""Objective, penalty, optimiser and normalisation as the papers combine them, by the name of the whole."""


@dataclass
class GANOptions:
    """What is trained. Whatever is left out is as the objective's recipe has it."""

    objective: str = "dcgan"
    """A recipe (dcgan, lsgan, wgan, wgan-gp, dragan, r1gan, sngan) or any objective: minimax, non-saturating,
    least-squares, wasserstein, hinge, loss-sensitive, kl, reverse-kl, pearson, squared-hellinger, jensen-shannon,
    jeffreys, total-variation."""
    penalty: str | None = None
    """gradient-penalty, one-sided-gradient-penalty, r1, r2, dragan, zero-centred, or none."""
    penalty_weight: float | None = None
    """Its weight; left out, the paper's."""
    critic_steps: int | None = None
    """Updates of the discriminator, each on fresh data, for one of the generator."""
    network: str = "dcgan"
    """dcgan, residual or mlp."""
    generator_network: str | None = None
    """Another one for the generator, such as the lecture's mlp against a dcgan discriminator."""
    latent_dim: int = 100
    """Size of the noise that the generator starts from."""
    width: int = 32
    """Channels at half the image's size, doubled at every halving; units of each layer of an mlp."""
    depth: int | None = None
    """Layers of the residual network (say 14, or the lecture's 101), or hidden layers of the mlp."""
    normalisation: Literal["batch", "layer", "none"] | None = None
    """Of the generator."""
    discriminator_normalisation: Literal["batch", "layer", "none"] | None = None
    """Of the discriminator; no batch normalisation together with a penalty."""
    activation: str | None = None
    """Of both players, e.g. relu, leaky_relu, tanh; left out, each network's own."""
    spectral: bool | None = None
    """Spectral normalisation of the discriminator (Miyato 2018)."""
    dropout: float = 0.0
    """Share of the discriminator's units that are dropped."""
    weight_clip: float | None = None
    """Keep each weight of the discriminator within plus or minus this."""
    instance_noise: float = 0.0
    """Standard deviation of noise on all that the discriminator sees, falling to zero in the first half."""
    label_smooth: float = 0.0
    """One-sided label smoothing: real samples count as 1 minus this."""
    label_flip: float = 0.0
    """Share of samples whose real and generated labels are swapped for the discriminator."""
    jitter: float = 0.0
    """How far all images are turned, stretched and shifted at random before the discriminator sees them (0.05 is 3
    degrees and a twentieth): where data are few it would otherwise learn them by heart (Zhao 2020)."""
    average_decay: float = 0.999
    """Decay of the generator's moving average, which is what samples come from; 0 for none."""
    optimizer: Literal["adam", "rmsprop", "sgd"] | None = None
    """Of both players."""
    generator_learning_rate: float | None = None
    """The two time-scales of Heusel 2017 are this and the next."""
    discriminator_learning_rate: float | None = None
    """Of the discriminator or critic."""
    learning_rate_decay: Literal["none", "linear", "cosine"] = "none"
    """Let both learning rates fall to zero over the run."""
    beta_1: float | None = None
    """Adam's decay of the first moment."""
    beta_2: float | None = None
    """Adam's decay of the second moment; RMSprop's rho is its own 0.9."""
    ensemble: int = 1
    """Train so many generators side by side; the export draws from all of them alike."""
    ensemble_sharing: Literal["none", "discriminator"] = "none"
    """Of an ensemble: each generator has a discriminator of its own (none), or all meet a single one."""

    def recipe(self) -> dict[str, Any]:
        """What stands in for the options that are left out."""
        if self.objective in RECIPES:
            return RECIPES[self.objective]
        if self.objective in objectives.OBJECTIVES:
            return PLAIN | {"objective": self.objective}
        known = [*RECIPES, *objectives.OBJECTIVES]
        raise UsageError(f"unknown objective {self.objective!r}: {suggestion(self.objective, known)}.")

    def resolved(self) -> "GANOptions":
        """These options with every gap filled from the recipe.

        Raises:
            UsageError: for an unknown objective, a value out of range, or Wasserstein without a constraint.
        """
        recipe = self.recipe()
        gaps = {name: value for name, value in recipe.items() if getattr(self, name) is None}
        full = replace(self, **gaps)
        if self.discriminator_normalisation is None and full.penalty != "none":
            full = replace(full, discriminator_normalisation="none")  # a penalty is per sample, a batch's mean is not
        for name in ("critic_steps", "latent_dim", "width", "depth", "ensemble"):
            if getattr(full, name) is not None and getattr(full, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(full, name)}: give at least 1.")
        for name in ("generator_learning_rate", "discriminator_learning_rate"):
            if not 0 < getattr(full, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(full, name)}: give one between 0 and 1.")
        for name in ("label_smooth", "label_flip", "dropout", "average_decay", "beta_1", "beta_2"):
            if not 0 <= getattr(full, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(full, name)}: give at least 0 and below 1.")
        for name in ("weight_clip", "instance_noise", "jitter"):
            if getattr(full, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(full, name)}: give 0 or more.")
        if full.ensemble == 1 and full.ensemble_sharing != "none":
            raise UsageError(f"--ensemble-sharing {full.ensemble_sharing} is for several generators: add --ensemble 4.")
        plain_wasserstein = recipe["objective"] == "wasserstein" and full.penalty == "none"
        if plain_wasserstein and not full.weight_clip and not full.spectral:
            raise UsageError(
                "the Wasserstein objective without a constraint has no minimum: add --penalty gradient-penalty, "
                "--weight-clip 0.01 or --spectral."
            )
        return full


def build_gan(
    options: GANOptions,
    shape: tuple[int, ...],
    updates: int,
    seed: int,
    jit: bool = False,
    kind: Callable[..., GAN] = GAN,
    outputs: int = 1,
) -> GAN:
    """The compiled model that these options describe, for samples of this shape.

    Args:
        options: as given; gaps are filled here.
        shape: (H, W, C) of images in [-1, 1], (D,) of points, or (length, symbols) of sentences.
        updates: how long the run is to be, for what changes over it (learning rates, instance noise).
        seed: of initial weights and all noise.
        jit: compile the update with XLA.
        kind: the class of the model, with what it needs beside a GAN's own arguments.
        outputs: numbers that the discriminator's network gives, where `kind` makes a score of several.
    """
    full = options.resolved()
    generators = [build_generator(full, shape, seed + 2 * member) for member in range(full.ensemble)]
    discriminators = [
        networks.get(full.network).discriminator(
            shape, normalisation=full.discriminator_normalisation, spectral=full.spectral, dropout=full.dropout,
            seed=seed + 1 + 2 * member, **_size(full, full.network), **_activation(full),
            **({"outputs": outputs} if outputs != 1 else {}),
        )
        for member in range(1 if full.ensemble_sharing == "discriminator" else full.ensemble)
    ]  # fmt: skip
    players = (generators[0], discriminators[0])
    if full.ensemble > 1:
        if kind is not GAN:
            raise UsageError(f"--ensemble {full.ensemble} is for plain GANs of images and points: leave it out.")
        kind, players = EnsembleGAN, (generators, discriminators)
    objective = RECIPES.get(options.objective, {}).get("objective", options.objective)
    model = kind(
        *players,
        objectives.get(objective, **({"smooth": full.label_smooth} if full.label_smooth else {})),
        penalties.get(full.penalty, full.penalty_weight),
        weight_clip=full.weight_clip,
        instance_noise=full.instance_noise,
        instance_noise_updates=max(1, updates // 2),
        label_flip=full.label_flip,
        jitter=full.jitter,
        critic_steps=full.critic_steps,
        average_decay=full.average_decay,
        seed=seed,
    )
    model.compile(**optimizers(full, updates), jit_compile=jit)
    return model


def build_generator(full: GANOptions, shape: tuple[int, ...], seed: int) -> keras.Model:
    """The generator that resolved options describe."""
    network = full.generator_network or full.network
    return networks.get(network).generator(
        shape, full.latent_dim, normalisation=full.normalisation, seed=seed, **_size(full, network), **_activation(full)
    )


def _activation(options: GANOptions) -> dict:
    return {"activation": options.activation} if options.activation else {}


def _size(options: GANOptions, network: str) -> dict:
    """Width and depth in the terms of this network."""
    if network == "mlp":
        # Beside convolutions the width counts channels; eight times as many units is about as large.
        width = options.width if options.network == "mlp" else 8 * options.width
        return {"widths": (width,) * (options.depth or 3)}
    if options.depth and network not in ("residual", "sequence"):
        raise UsageError(f"--depth {options.depth} is for --network residual, sequence or mlp, not {network}.")
    return {"width": options.width} | ({"depth": options.depth} if options.depth else {})


def optimizers(options: GANOptions, updates: int) -> dict[str, keras.optimizers.Optimizer]:
    """The two players' optimisers, for `GAN.compile`."""
    full = options.resolved()
    updates = max(1, updates)  # a schedule over nothing is no schedule
    rates = {"generator": full.generator_learning_rate, "discriminator": full.discriminator_learning_rate}
    steps = {"generator": updates, "discriminator": updates * full.critic_steps}
    return {
        f"{player}_optimizer": _optimizer(full, _schedule(full.learning_rate_decay, rates[player], steps[player]))
        for player in rates
    }


def _optimizer(options: GANOptions, rate) -> keras.optimizers.Optimizer:
    if options.optimizer == "adam":
        return Adam(rate, beta_1=options.beta_1, beta_2=options.beta_2)
    return {"rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}[options.optimizer](rate)


def _schedule(decay: str, rate: float, steps: int):
    if decay == "linear":
        return keras.optimizers.schedules.PolynomialDecay(rate, steps, end_learning_rate=0.0)
    if decay == "cosine":
        return keras.optimizers.schedules.CosineDecay(rate, steps)
    return rate
