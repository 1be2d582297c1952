"""The options of the energy-based games beside those of a GAN, what is usual for each, and the model they describe."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from kgan.errors import UsageError, lookup
from kgan.models.energy import BEGAN, EBGAN
from kgan.models.gan import LatentGame
from kgan.models.recipes import PLAIN, GANOptions, build_gan, build_generator, optimizers
from kgan.networks.autoencoders import dcgan_autoencoder

ENERGY_RECIPES: dict[str, dict[str, Any]] = {
    "ebgan": PLAIN | {
        "objective": "ebgan", "code_dim": 64, "margin": 0.1, "pull_away_weight": 0.1,
        "generator_learning_rate": 1e-3, "discriminator_learning_rate": 5e-4,
    },
    "began": PLAIN | {
        # k follows fifty times as fast as in the paper, whose runs are a hundred times as long.
        "objective": "began", "code_dim": 64, "gamma": 0.7, "k_rate": 0.05, "activation": "elu",
        "generator_learning_rate": 1e-3, "discriminator_learning_rate": 1e-3,
    },
}  # fmt: skip
"""What each energy-based game gets where nothing else is said."""

GAMES = {"ebgan": (EBGAN, ("margin", "pull_away_weight")), "began": (BEGAN, ("gamma", "k_rate"))}
"""The model of each game, and the options that are its own."""

OF_SCORES = (
    "objective", "penalty", "penalty_weight", "network", "weight_clip", "instance_noise", "label_smooth", "label_flip",
    "jitter", "ensemble", "ensemble_sharing",
)  # fmt: skip
"""Options of a GAN that mean nothing to a discriminator that reconstructs instead of scoring."""


@dataclass
class ImageGANOptions(GANOptions):
    """What is trained on images: a GAN, or an energy-based game, whose discriminator is an auto-encoder."""

    model: Literal["gan", "ebgan", "began"] = "gan"
    """gan: the discriminator scores, by --objective; ebgan (Zhao 2017), began (Berthelot 2017): it is an auto-encoder,
    whose reconstructions the pictures show beside the samples."""
    code_dim: int | None = None
    """ebgan, began: length of the auto-encoder's code."""
    margin: float | None = None
    """ebgan: the mean squared error up to which generated samples are pushed."""
    pull_away_weight: float | None = None
    """ebgan: weight of the term that keeps the codes of generated samples apart; 0 for none."""
    gamma: float | None = None
    """began: the ratio of generated to real reconstruction error to hold; lower for sharper, less varied samples."""
    k_rate: float | None = None
    """began: how fast k, the weight of generated samples for the discriminator, follows the balance."""

    def recipe(self) -> dict[str, Any]:
        """What stands in for the options that are left out."""
        return ENERGY_RECIPES[self.model] if self.model in ENERGY_RECIPES else super().recipe()

    def resolved(self) -> "ImageGANOptions":
        """As for every GAN; an option that does not fit the model is refused.

        Raises:
            UsageError: likewise, and for such an option.
        """
        lookup("model", self.model, {"gan": None, **GAMES})
        own = {option for name, (_, options) in GAMES.items() if name != self.model for option in options}
        unfit = own | ({"code_dim"} if self.model == "gan" else set(OF_SCORES))
        recipe = self.recipe()
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in unfit and value not in (field.default, recipe.get(field.name)):
                given = f"--{field.name.replace('_', '-')} {value}"
                raise UsageError(f"{given} does not fit --model {self.model}: leave one of them out.")
        if self.code_dim is not None and self.code_dim < 1:
            raise UsageError(f"--code-dim is {self.code_dim}: give at least 1.")
        return super().resolved()


def build_image_gan(
    options: ImageGANOptions, shape: tuple[int, int, int], updates: int, seed: int, jit: bool = False
) -> LatentGame:
    """The compiled model that these options describe; the arguments are those of `build_gan`."""
    full = options.resolved()
    if full.model == "gan":
        return build_gan(options, shape, updates, seed, jit)
    discriminator = dcgan_autoencoder(
        shape, full.code_dim, width=full.width, normalisation=full.discriminator_normalisation,
        activation=full.activation, dropout=full.dropout, spectral=full.spectral, seed=seed + 1,
    )  # fmt: skip
    kind, own = GAMES[full.model]
    model = kind(
        build_generator(full, shape, seed),
        discriminator,
        **{name: getattr(full, name) for name in own},
        critic_steps=full.critic_steps,
        average_decay=full.average_decay,
        seed=seed,
    )
    model.compile(**optimizers(full, updates), jit_compile=jit)
    return model
