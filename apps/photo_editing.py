"""Photos edited by painting: back to the generator's code of a photo, and on to the nearest one that obeys a brush."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tyro
from PIL import Image

from apps import image_generation
from kgan import brush, datasets, networks, pictures
from kgan.app import App, Caller, TrainOptions, main, open_model, save_picture, stored_options
from kgan.datasets.data import Data
from kgan.errors import UsageError
from kgan.metrics.edits import colour_error, projection_figures, stroke_figures
from kgan.metrics.protocol import Figure
from kgan.models.energy_recipes import build_image_gan
from kgan.models.gan import GAN
from kgan.models.inverter import PARTS, Inverter
from kgan.serving import exported
from kgan.serving.weights import load_networks
from kgan.training.callbacks import write_gif

MEASURED = 100  # held-out images at most: each is searched for many steps
FRAMES = 40  # of an animation at most
ENCODER = ("network", "width", "depth", "normalisation", "average_decay")  # what its weights depend on


@dataclass(kw_only=True)
class Options(TrainOptions):
    """Train the encoder of a trained generator, which itself stays as it is."""

    generator: str = "saved_models/faces"
    """An exported GAN of image_generation, such as saved_models/digits; or an export of photo_editing, whose encoder is
    gone on with."""
    data: str | None = None
    """Images for the encoder to learn from: a name, or folder:PATH for your own; left out, the generator's own data."""
    updates: int = 5_000
    """Updates of the encoder, including those of the run that is resumed."""
    network: str = "dcgan"
    """Of the encoder: dcgan, residual or mlp."""
    width: int = 32
    """Channels at half the image's size, doubled at every halving; an mlp has 16 times as many units a layer."""
    depth: int | None = None
    """Layers of the residual network, or hidden layers of the mlp (2)."""
    normalisation: Literal["batch", "layer", "none"] = "layer"
    """Of the encoder; layer, since it sees generated and real images in turn."""
    latent_weight: float = 0.2
    """Weight of finding the codes of generated images again, beside 1 for the pixels of real ones."""
    feature_weight: float = 0.2
    """Weight of the discriminator's features of real images, beside their pixels."""
    tune: bool = False
    """Let the generator learn along with the encoder, to draw what it lacks of the data."""
    code_weight: float = 0.0
    """Weight of the mean square of the codes of real images."""
    code_noise: float = 0.0
    """Standard deviation of noise on those codes in training, so that neighbouring codes come to look alike."""
    learning_rate: float = 1e-3
    """Adam's, falling to zero along a cosine."""
    average_decay: float = 0.999
    """Decay of the encoder's moving average, which is what answers; 0 for none."""
    steps: int = 60
    """Steps of each search in pictures and figures."""
    proximity: float = 0.005
    """In pictures and figures: weight of the squared distance that an edit goes from the image's code."""
    realism: float = 0.02
    """In pictures and figures: weight of what the discriminator says of an edited image."""
    source: tyro.conf.Fixed[dict | None] = None
    """What the generator's export says of itself; filled in by training, so that the export is not needed again."""


@dataclass(kw_only=True)
class Searched:
    """Search for codes."""

    model: Path
    """An exported model, such as saved_models/my_photo_editing."""
    steps: int = 60
    """Steps of each search."""


@dataclass(kw_only=True)
class ProjectOptions(Searched):
    """Find the codes of photos, and draw how they are found."""

    image: tuple[Path, ...]
    """One photo or more; each is scaled and cropped to the model's size."""
    method: Literal["hybrid", "encoder", "descent"] = "hybrid"
    """encoder; gradient descent from noise; or descent from the encoder's code (hybrid)."""
    feature_weight: float = 0.0
    """Weight of the discriminator's features in the search, beside the pixels."""
    seed: int = 0
    """Of the noise."""
    out: Path = Path("projected")
    """The directory for the pictures, the animation and the codes."""


@dataclass(kw_only=True)
class EditOptions(Searched):
    """Change a photo as a brush says, and draw how it changes."""

    image: Path
    """The photo."""
    brush: Path | None = None
    """An image with alpha, of the photo's size: the strokes, sketch or pasted part that the result is to show."""
    colour: str | None = None
    """Instead of a brush: a colour for the --box, such as red or #3060ff."""
    box: tuple[int, int, int, int] | None = None
    """Left, top, right and bottom in pixels of the photo."""
    proximity: float = 0.005
    """Weight of the squared distance from the photo's code: more changes the photo less."""
    realism: float = 0.02
    """Weight of what the discriminator says of the result: more keeps it more like the data."""
    carry: bool = False
    """Carry the change back to the photo's own pixels, in its own size, instead of giving the generator's image."""
    out: Path = Path("edited")
    """The directory for the result, the picture of before and after, and the animation."""


class PhotoEditing(App):
    """Photos edited by painting on them, through a trained generator."""

    name = "photo_editing"
    Options = Options

    def complete(self, options: Options) -> Options:
        """Note what the generator is."""
        if options.source is None:
            card, path = exported.find(options.generator).card, options.generator
            if card.get("app") == PhotoEditing.name:
                known = stored_options(PhotoEditing(), card, path)
                kept = {name: getattr(known, name) for name in ENCODER}
                source = known.source | {"path": path, "encoder": {"tune": known.tune}}
                options = dataclasses.replace(options, source=source, data=options.data or known.data, **kept)
            else:
                source = {"path": path, "card": {key: card.get(key) for key in ("app", "options", "data")}}
                options = dataclasses.replace(options, source=source)
            _gan_options(options)
        elif options.source["path"] != options.generator:
            raise UsageError(
                f"--generator {options.generator} is not the one that the encoder has learnt "
                f"({options.source['path']}): leave it out, or train a new encoder."
            )
        return dataclasses.replace(options, data=options.data or options.source["card"]["options"]["data"])

    def data(self, options: Options, split: str) -> Data:
        """The images, at the generator's size."""
        shape = options.source["card"]["data"]["shape"]
        return datasets.load(options.data, split, size=shape[:2], channels=shape[2], strict=options.strict)

    def build(self, options: Options, data: Data | None) -> Inverter:
        """The encoder, beside a generator and a discriminator that have their weights from `begin` or a checkpoint."""
        _check(options)
        gan = _gan(options)
        size = {"width": options.width} | ({"depth": options.depth} if options.depth else {})
        if options.network == "mlp":
            size = {"widths": (16 * options.width,) * (options.depth or 2)}
        encoder = networks.get(options.network).discriminator(
            gan.sample_shape, outputs=gan.latent_dim, normalisation=options.normalisation, seed=options.seed, **size
        )
        model = self.model(
            options, gan.generator, gan.discriminator, encoder,
            latent_weight=options.latent_weight, feature_weight=options.feature_weight,
            code_weight=options.code_weight, noise=options.code_noise, tuned=options.tune,
            average_decay=options.average_decay, seed=options.seed,
        )  # fmt: skip
        rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, max(1, options.updates))
        model.compile(encoder_optimizer=keras.optimizers.Adam(rate), jit_compile=options.devices.jit)
        return model

    def model(self, options: Options, *parts: keras.Model, **given) -> Inverter:
        """The model of these networks."""
        return Inverter(*parts, **given)

    def begin(self, model: Inverter, options: Options) -> None:
        """Take over the exported weights: of a generator those of the moving average, which is what it draws with."""
        has_encoder = "encoder" in options.source
        trained = _inverter(options) if has_encoder else _gan(options)
        load_networks(trained, exported.find(options.generator).weights)
        for part in PARTS if has_encoder else PARTS[:2]:
            for network in (getattr(model, part), model.inference(part)):
                network.set_weights(trained.inference(part).get_weights())

    def picture(self, model: Caller, options: Options, count: int = 64, seed: int = 0) -> np.ndarray:
        """Threes: a held-out image, what the encoder makes of it, and what descent from there does."""
        images = self.held_out(model, options, max(1, count // 4), seed)
        found = model.call("project", images=images, steps=options.steps, feature_weight=0)["images"]
        encoded = model.call("reconstruct", images=images)["images"]
        return pictures.grid(_rows(images, encoded, found), 3 * max(1, round(len(images) ** 0.5 / 2)))

    def held_out(self, model: Caller, options: Options, count: int, seed: int) -> np.ndarray:
        """Some held-out images; generated ones where the data is not here."""
        try:
            examples = self.data(options, "test").examples
        except UsageError:
            return model.call("generate", seed=seed, count=count)["images"]
        return examples[np.random.default_rng(seed).choice(len(examples), min(count, len(examples)), replace=False)]

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """Reconstruction by each of the three methods, and what strokes come to; of 100 images at most."""
        images, of = data.examples[: min(count, MEASURED)], f"held-out {options.data}"
        return [
            *projection_figures(model, images, options.steps, reference_name=of, seed=seed),
            *stroke_figures(
                model, images, options.steps, options.proximity, options.realism, reference_name=of, seed=seed
            ),
        ]

    def verbs(self) -> dict[str, tuple[type, Callable[[Any], None]]]:
        """`project` photos to codes, and `edit` a photo."""
        return {"project": (ProjectOptions, self.project), "edit": (EditOptions, self.edit)}

    def project(self, options: ProjectOptions) -> None:
        """Write what is found of the photos, step by step."""
        check_steps(options.steps)
        model, trained = open_model(self, options.model)
        shape = trained.source["card"]["data"]["shape"]
        photos = [brush.read_photo(path, shape[2]) for path in options.image]
        images = np.stack([brush.to_model(photo, shape) for photo in photos])
        searched = {"images": images, "feature_weight": options.feature_weight}
        if options.method == "descent":
            size = model.call("encode", images=images[:1])["latents"].shape[1]
            starts = np.random.default_rng(options.seed).normal(size=(len(images), size)).astype(np.float32)
            found = model.call("descend", starts=starts, steps=options.steps, **searched)
        else:
            found = model.call("project", steps=options.steps if options.method == "hybrid" else 0, **searched)
        options.out.mkdir(parents=True, exist_ok=True)
        save_picture(pictures.grid(_rows(images, found["images"]), 2, least_side=192), options.out / "projected.png")
        animate(model, found["trail"], options.out / "steps.gif", images)
        np.save(options.out / "latents.npy", found["latents"])
        errors = ((found["images"].astype(float) - images) ** 2).mean(axis=(1, 2, 3)) / 255**2
        for path, error in zip(options.image, errors, strict=True):
            print(f"{path}: mean squared error {error:.5f} of a value in [0, 1]")
        print(f"wrote projected.png, steps.gif and latents.npy to {options.out}")

    def edit(self, options: EditOptions) -> None:
        """Write the edited photo, beside what it was, and on its way."""
        check_steps(options.steps)
        for name in ("proximity", "realism"):
            if not getattr(options, name) >= 0:
                raise UsageError(f"--{name} is {getattr(options, name)}: give 0 or more.")
        if (options.brush is None) == (options.colour is None) or (options.colour is None) != (options.box is None):
            raise UsageError(
                "say what to paint: either --brush brush.png, or --colour red together with --box 10 10 30 30."
            )
        model, trained = open_model(self, options.model)
        shape = trained.source["card"]["data"]["shape"]
        photo = brush.read_photo(options.image, shape[2])
        image = brush.to_model(photo, shape)
        painted = (
            brush.read_brush(options.brush, photo.shape, shape)
            if options.brush
            else brush.fill_box(options.colour, options.box, photo.shape, shape)
        )
        found = model.call(
            "edit", images=image[None], constraints=painted[None], steps=options.steps,
            proximity=options.proximity, realism=options.realism,
        )  # fmt: skip
        before, after = found["reconstructions"][0], found["images"][0]
        result = brush.carry(photo, before, after) if options.carry else after
        options.out.mkdir(parents=True, exist_ok=True)
        save_picture(pictures.rgb(result[None])[0], options.out / "result.png")
        steps = [pictures.rgb(image[None]), brush.overlay(image[None], painted[None])]
        steps += [pictures.rgb(found[key]) for key in ("reconstructions", "images", "carried")]
        save_picture(pictures.grid(np.concatenate(steps), 5, least_side=192), options.out / "before_after.png")
        animate(model, found["trail"], options.out / "steps.gif", image[None])
        errors = colour_error(np.stack([before, after]), np.stack([painted, painted]))
        distance = np.linalg.norm(found["latents"] - found["starts"])
        print(
            f"colour error {errors[0]:.3f} before, {errors[1]:.3f} after; |z - z0| {distance:.2f}\n"
            f"wrote result.png, before_after.png (photo, painted, drawn by the generator, edited, carried back) and "
            f"steps.gif to {options.out}"
        )


def animate(model: Caller, trail: np.ndarray, path: Path, images: np.ndarray) -> None:
    """Write a search, codes [N, steps + 1, D], as an animation: each image beside what is found of it so far."""
    chosen = np.unique(np.linspace(0, trail.shape[1] - 1, FRAMES).round().astype(int))
    shape = images.shape[1:]
    drawn = model.call("decode", latents=trail[:, chosen].reshape(-1, trail.shape[-1]))["images"]
    drawn = drawn.reshape(len(images), len(chosen), *shape)
    frames = [pictures.grid(_rows(images, drawn[:, index]), 2, least_side=192) for index in range(len(chosen))]
    write_gif([Image.fromarray(frame) for frame in frames], path, milliseconds=80)


def _rows(*images: np.ndarray) -> np.ndarray:
    """Image after image: what belongs together side by side."""
    return np.stack(images, axis=1).reshape(-1, *images[0].shape[1:])


def _gan_options(options: Options) -> image_generation.Options:
    """The options of the generator's GAN."""
    source, where = options.source, options.source["path"]
    found = stored_options(image_generation.ImageGeneration(), source["card"], where)
    if found.model != "gan" or found.ensemble > 1:
        what = f"an ensemble of {found.ensemble}" if found.ensemble > 1 else f"of --model {found.model}"
        raise UsageError(
            f"{where} is {what}: an encoder learns of a single generator whose discriminator gives scores."
        )
    return found


def _gan(options: Options) -> GAN:
    """The generator's GAN, with fresh weights."""
    given, data = _gan_options(options), options.source["card"]["data"]
    return build_image_gan(given, tuple(data["shape"]), given.updates, options.seed)


def _inverter(options: Options) -> Inverter:
    """The model of photo_editing whose encoder is gone on with, with fresh weights."""
    return PhotoEditing().build(dataclasses.replace(options, **options.source["encoder"]), None)


def _check(options: Options) -> None:
    for name in ("width", "depth"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise UsageError(f"--{name} is {getattr(options, name)}: give at least 1.")
    if options.depth and options.network == "dcgan":
        raise UsageError(f"--depth {options.depth} is for --network residual or mlp, not dcgan.")
    if not 0 < options.learning_rate < 1:
        raise UsageError(f"--learning-rate is {options.learning_rate}: give one between 0 and 1.")
    check_steps(options.steps)


def check_steps(steps: int) -> None:
    """A number of steps that cannot be is a UsageError."""
    if steps < 0:
        raise UsageError(f"--steps is {steps}: give 0 or more.")


if __name__ == "__main__":
    main(PhotoEditing())
