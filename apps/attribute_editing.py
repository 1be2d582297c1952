"""Photos edited by a word: more or less of an attribute of the data, such as glasses, through a trained generator."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tyro

from apps import photo_editing
from kgan import attributes, brush, pictures
from kgan.app import Caller, main, open_model, save_picture
from kgan.datasets.data import Data
from kgan.errors import UsageError, suggestion
from kgan.metrics import codes
from kgan.metrics.edits import attribute_figures
from kgan.metrics.protocol import Figure
from kgan.models.attribute_editor import AttributeEditor

SHOWN = 6  # attributes in a picture
MEASURED = 100  # held-out images for each attribute at most


@dataclass(kw_only=True)
class Options(photo_editing.Options):
    """Train the encoder of a trained generator; the export has a direction for each attribute of the data.

    The generator is tuned along, since a GAN's leaves out attributes, such as most kinds of glasses, which then cannot
    be added either; --no-tune keeps it as it is.
    """

    updates: int = 2_500
    """Updates of the encoder, including those of the run that is resumed."""
    width: int = 16
    """Channels at half the image's size, doubled at every halving; an mlp has 16 times as many units a layer."""
    tune: bool = True
    """Let the generator learn along with the encoder, to draw what it lacks of the data."""
    latent_weight: float = 0.05
    """Weight of finding the codes of generated images again, beside 1 for the pixels of real ones."""
    code_weight: float = 0.005
    """Weight of the mean square of the codes of real images."""
    code_noise: float = 0.4
    """Standard deviation of noise on those codes in training, so that neighbouring codes come to look alike."""
    steps: int = 0
    """Steps of descent after the encoder, in pictures and figures."""
    strength: float = 1.5
    """In pictures and figures: how far an attribute is added; 1 is from the mean without it to the mean with it."""
    tags: tyro.conf.Fixed[tuple[str, ...] | None] = None
    """The attributes of the data; filled in by training."""


@dataclass(kw_only=True)
class EditOptions:
    """Add an attribute to photos, or take it away, and draw the way there."""

    model: Path
    """An exported model, such as saved_models/faces_attributes."""
    image: tuple[Path, ...]
    """One photo or more; each is scaled and cropped to the model's size."""
    tag: str
    """The attribute, e.g. glasses, hair=red; an unknown one lists them all."""
    strength: float = 1.5
    """How far; 1 is from the mean without it to the mean with it, and a negative number takes it away."""
    decorrelate: bool = False
    """Leave out of the direction what goes together with other attributes of the data."""
    steps: int = 0
    """Steps of descent after the encoder, for codes that draw the photo better but may edit worse."""
    carry: bool = False
    """Carry the change back to the photos' own pixels, in their own size, instead of giving the generator's images."""
    out: Path = Path("edited")
    """The directory for the results, the picture of before and after, and the animation."""


@dataclass(kw_only=True)
class CorrelationsOptions:
    """Print which attributes go together in the data, and in the codes before and after decorrelating."""

    model: Path
    """An exported model, such as saved_models/faces_attributes."""
    data: str | None = None
    """Images with tags; left out, what the model was trained on."""
    rows: int = 20
    """Of the table."""


class AttributeEditing(photo_editing.PhotoEditing):
    """Photos edited by words: attributes added and taken away, through a trained generator."""

    name = "attribute_editing"
    Options = Options

    def complete(self, options: Options) -> Options:
        """Note what the generator is, and which attributes the data has."""
        options = super().complete(options)
        names = attributes.of_data(self.data(options, "train")).names
        if options.tags not in (None, names):
            raise UsageError(
                f"{options.data!r} has other tags than what the model was trained on ({', '.join(options.tags)}): "
                "begin a training of its own with --generator."
            )
        return dataclasses.replace(options, tags=names)

    def model(self, options: Options, *parts: keras.Model, **given) -> AttributeEditor:
        """The model of these networks, for these attributes."""
        return AttributeEditor(*parts, tags=options.tags, **given)

    def finish(self, model: AttributeEditor, options: Options) -> None:
        """Measure the directions on the training images."""
        data = self.data(options, "train")
        model.measure(data.examples, attributes.of_data(data))

    def picture(self, model: Caller, options: Options, count: int = 64, seed: int = 0) -> np.ndarray:
        """A row for each held-out image: itself, what the generator makes of it, and with one attribute more each."""
        images = self.held_out(model, options, max(1, count // (2 + SHOWN)), seed)
        starts = model.call("project", images=images, steps=options.steps, feature_weight=0)
        rows = [images, starts["images"]]
        chosen, vectors = self._directions(model, options)
        for vector in vectors:
            moved = starts["latents"] + options.strength * vector
            rows.append(model.call("decode", latents=moved)["images"])
        return pictures.grid(np.stack(rows, axis=1).reshape(-1, *images.shape[1:]), columns=2 + len(chosen))

    def _directions(self, model: Caller, options: Options) -> tuple[list[str], np.ndarray]:
        """Some attributes and their directions; during training, before they are measured, those of 500 images."""
        chosen = shown(options.tags)
        vectors = model.call("directions", tags=np.array(chosen, object))["plain"]
        if not vectors.any():
            data = self.data(options, "train")
            found = attributes.of_data(data)
            latents = model.call("encode", images=data.examples[:500])["latents"]
            present = found.present[:500, [found.names.index(name) for name in chosen]]
            vectors = np.nan_to_num(attributes.directions(latents, present))
        return chosen, vectors

    def figures(
        self, model: Caller, options: Options, data: Data, count: int, seed: int = 0, features: str | None = None
    ) -> list[Figure]:
        """Reconstruction; and of faces what a classifier reads off edited pictures, for each attribute."""
        images, of = data.examples[: min(count, MEASURED)], f"held-out {options.data}"
        again = model.call("project", images=images, steps=options.steps, feature_weight=0)["images"]
        how = f"encoder and {options.steps} steps; {len(images):,} {of}"
        sharp = codes.sharpness(again) / codes.sharpness(images)
        found = [
            Figure("reconstruction error", codes.reconstruction_error(images, again), f"mean square in [0, 1]; {how}"),
            Figure(
                "sharpness of reconstructions", sharp, f"variance of the Laplacian divided by that of the images; {how}"
            ),
        ]
        if data.name != "faces":
            return found
        from kgan.metrics.tags import DESCRIPTION, read_tags  # only faces have such a classifier

        return found + attribute_figures(
            model, images, data.tags, options.tags, read_tags,
            strength=options.strength, steps=options.steps, reader=DESCRIPTION, reference_name=of,
        )  # fmt: skip

    def verbs(self) -> dict[str, tuple[type, Callable[[Any], None]]]:
        """`edit` photos, and `correlations` of the attributes."""
        return {"edit": (EditOptions, self.edit), "correlations": (CorrelationsOptions, self.correlations)}

    def edit(self, options: EditOptions) -> None:
        """Write the edited photos, beside what they were, and the way there."""
        photo_editing.check_steps(options.steps)
        model, trained = open_model(self, options.model)
        if options.tag not in trained.tags:
            raise UsageError(f"unknown tag {options.tag!r}: {suggestion(options.tag, trained.tags)}.")
        shape = trained.source["card"]["data"]["shape"]
        photos = [brush.read_photo(path, shape[2]) for path in options.image]
        images = np.stack([brush.to_model(photo, shape) for photo in photos])
        count, kind = len(images), "decorrelated" if options.decorrelate else "plain"
        found = model.call(
            "edit_decorrelated" if options.decorrelate else "edit", images=images, steps=options.steps,
            tags=np.array([options.tag] * count, object), strengths=np.full([count], options.strength),
        )  # fmt: skip
        options.out.mkdir(parents=True, exist_ok=True)
        for index, path in enumerate(options.image):
            before, after = found["reconstructions"][index], found["images"][index]
            result = brush.carry(photos[index], before, after) if options.carry else after
            name = "result.png" if count == 1 else f"{index}_{path.stem}.png"
            save_picture(pictures.rgb(result[None])[0], options.out / name)
        rows = np.stack([images, *(found[key] for key in ("reconstructions", "images", "carried"))], axis=1)
        save_picture(pictures.grid(rows.reshape(-1, *shape), 4, least_side=192), options.out / "before_after.png")
        way = np.linspace(0, 1, photo_editing.FRAMES, dtype=np.float32)[None, :, None]
        trail = found["starts"][:, None] + way * (found["latents"] - found["starts"])[:, None]
        photo_editing.animate(model, trail, options.out / "steps.gif", images)
        written = "result.png" if count == 1 else f"{count} results"
        print(
            f"{options.tag} by {options.strength:g}, {kind}: wrote {written}, "
            f"before_after.png (photo, drawn by the generator, edited, carried back) and steps.gif to {options.out}"
        )

    def correlations(self, options: CorrelationsOptions) -> None:
        """Print the table."""
        model, trained = open_model(self, options.model)
        data = self.data(dataclasses.replace(trained, data=options.data or trained.data), "train")
        found = attributes.of_data(data)
        if found.names != trained.tags:
            raise UsageError(
                f"{data.name!r} has other tags than the model ({', '.join(trained.tags)}): leave --data out."
            )
        vectors = model.call("directions", tags=np.array(found.names, object))
        print(attributes.table(found, vectors["plain"], vectors["decorrelated"], options.rows))


def shown(tags: tuple[str, ...]) -> list[str]:
    """A few attributes, one of each tag before a second one."""
    kinds = [tag.partition("=")[0] for tag in tags]
    first = [tag for index, tag in enumerate(tags) if kinds.index(kinds[index]) == index]
    return (first + [tag for tag in tags if tag not in first])[:SHOWN]


if __name__ == "__main__":
    main(AttributeEditing())
