"""Edits that obey a word: a generator's encoder together with a direction for each attribute of the data."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from kgan import attributes
from kgan.datasets.images import from_uint8
from kgan.errors import UsageError
from kgan.models.inverter import Inverter, scalar
from kgan.serving.export import Signature

KINDS = ("plain", "decorrelated")


@keras.saving.register_keras_serializable(package="kgan")
class AttributeEditor(Inverter):
    """An `Inverter` whose codes can be moved along attributes: x -> G(En(x) + s z), z = En(x with) - En(x without).

    The directions, [2, T, latent_dim] (differences of means, and decorrelated ones), are not learnt with the encoder
    but measured with it by `measure`; until then they are zero.

    Raises:
        UsageError: likewise, and for no attribute or one that is there twice.
    """

    def __init__(self, generator, discriminator, encoder, *, tags: Sequence[str], **kwargs):
        """As an `Inverter`, with the names of the attributes."""
        if not tags or len(set(tags)) < len(tags):
            raise UsageError(f"the tags are {', '.join(tags) or 'none'}: give at least one, each once.")
        self.tags = tuple(tags)
        super().__init__(generator, discriminator, encoder, **kwargs)

    def build(self, input_shape=None) -> None:
        """Make room for the directions."""
        self.directions = self.add_weight(
            shape=(len(KINDS), len(self.tags), self.latent_dim), initializer="zeros", trainable=False,
            name="directions", aggregation="only_first_replica",
        )  # fmt: skip
        super().build(input_shape)

    def measure(self, images: np.ndarray, found: attributes.Attributes, batch_size: int = 250) -> None:
        """Take the directions from images uint8 [N, H, W, C] and the attributes that they have.

        Raises:
            UsageError: when those are not this model's.
        """
        if found.names != self.tags:
            raise UsageError(
                f"the images have the attributes {', '.join(found.names)}, but the model {', '.join(self.tags)}: give "
                "the data that it was trained on."
            )
        encode = tf.function(lambda part: self.encode(from_uint8(part)), reduce_retracing=True)
        parts = [encode(images[first : first + batch_size]) for first in range(0, len(images), batch_size)]
        codes = np.concatenate([part.numpy() for part in parts])
        plain = attributes.directions(codes, found.present)
        self.directions.assign(np.stack([plain, attributes.decorrelated(codes, found.present, found.groups)]))

    def direction(self, tags: tf.Tensor, kind: str = "plain") -> tf.Tensor:
        """The direction of each named attribute, [N, latent_dim]; zero for a name that the model does not know."""
        chosen = tf.cast(tags[:, None] == tf.constant(self.tags)[None], tf.float32)
        return chosen @ self.directions.value[KINDS.index(kind)]

    def state(self, optimizers: bool = True) -> dict[str, keras.Variable]:
        """As of an `Inverter`, and the directions."""
        return {**super().state(optimizers), "directions": self.directions}

    def get_config(self) -> dict:
        """Everything `from_config` needs."""
        return {**super().get_config(), "tags": list(self.tags)}

    def signatures(self) -> dict[str, Signature]:
        """What an export answers: `project`, `reconstruct`, `encode`, `decode`, `generate`, `score` as an
        `Inverter`, and

        - `edit` (images, tags string [N], strengths float32 [N], steps): the images with so much more of an attribute;
          1 is the step from the mean without it to the mean with it, a negative number takes it away, and an unknown
          attribute changes nothing. The codes come from the encoder and, if `steps` is above 0, from descent. Gives
          `images`, `carried`, `reconstructions`, `starts` and `latents`, as an `Inverter`'s edit does.
        - `edit_decorrelated`: the same along the decorrelated directions.
        - `directions` (tags): float32 [N, latent_dim], `plain` and `decorrelated`.
        """
        common = super().signatures()
        images = {"images": common["encode"].inputs["images"]}
        names = {"tags": tf.TensorSpec([None], tf.string, name="tags")}
        strengths = {"strengths": tf.TensorSpec([None], tf.float32, name="strengths")}
        first = {"tags": np.array([self.tags[0]], object)}
        example = common["encode"].example | first | {"strengths": np.ones([1], np.float32), "steps": np.int32(0)}

        def editing_along(kind: str) -> Signature:
            def edit(images, tags, strengths, steps):
                images = from_uint8(images)
                starts = self.project(images, self.encode(images), steps).latents
                return self.changed(images, starts, starts + strengths[:, None] * self.direction(tags, kind))

            return Signature(edit, images | names | strengths | scalar("steps", tf.int32), example)

        def directions(tags):
            return {kind: self.direction(tags, kind) for kind in KINDS}

        own = {"edit": editing_along("plain"), "edit_decorrelated": editing_along("decorrelated")}
        rest = {name: common[name] for name in ("project", "reconstruct", "encode", "decode", "generate", "score")}
        return own | {"directions": Signature(directions, names, first)} | rest
