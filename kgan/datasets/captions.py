"""Images with captions: free text as rows of whole numbers, and pictures of your own with what is said of them."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from kgan.datasets import folder
from kgan.datasets.data import Data
from kgan.datasets.images import from_uint8
from kgan.datasets.texts import PAD, UNKNOWN
from kgan.errors import UsageError

BETWEEN_WORDS = r"[^\p{L}\p{M}\p{N}']+"  # a mark belongs to its letter
COLOURS = (
    "orange", "white", "aqua", "gray", "green", "red", "purple", "pink", "blue", "black", "brown", "blonde", "yellow",
)  # fmt: skip
TAG_FILES = ("tags.csv", "tags_clean.csv")
SOURCES = {
    "tags:PATH": "your own images 0.jpg, 1.jpg ..., captioned by the colours of hair and eyes in a tags.csv",
    "captions:PATH": "your own images, each with its captions, one a line, in a .txt of the same name",
}


class WordVocabulary:
    """The words that a model knows, and the way from captions to numbers, as a TensorFlow graph without tables.

    A caption is put in lower case and split on whatever is no letter, digit or apostrophe. Id 0 is what follows a
    caption's end, id 1 any unknown word, and id k + 2 the word number k.
    """

    def __init__(self, words: Sequence[str]):
        """Know these words, most frequent first.

        Raises:
            UsageError: when there is none, one twice, or one that captions are never split into.
        """
        self.words = list(words)
        read = words_of(self.words).to_list()
        strange = [word for word, parts in zip(self.words, read, strict=True) if parts != [word.encode()]]
        if not self.words or strange or len(set(self.words)) < len(self.words):
            raise UsageError(
                f"the vocabulary {' '.join(strange or self.words)[:40]!r} must be of at least one word, none twice, "
                "each of small letters and digits alone."
            )
        places = _place(tf.constant(self.words)).numpy()
        self._order = np.argsort(places).astype(np.int32)
        self._places = places[self._order]
        self._spelled = np.array(self.words, object)[self._order]

    def __len__(self) -> int:
        return len(self.words) + 2

    def encode(self, captions: tf.Tensor, length: int) -> tf.Tensor:
        """UTF-8 strings [N] -> int32 [N, length]: cut off or padded; an empty caption is padding alone."""
        found = words_of(captions).to_tensor("", shape=[None, length])
        near = tf.minimum(tf.searchsorted(self._places, tf.reshape(_place(found), [-1])), len(self.words) - 1)
        near = tf.reshape(near, tf.shape(found))
        ids = tf.where(tf.gather(self._spelled, near) == found, tf.gather(self._order, near) + 2, UNKNOWN)
        return tf.ensure_shape(tf.where(found == "", PAD, ids), [None, length])

    def known(self, caption: str) -> tuple[list[str], list[str]]:
        """The words of a caption that are known, and those that are not."""
        words = [word.decode() for word in words_of([caption])[0].numpy()]
        return [word for word in words if word in self.words], [word for word in words if word not in self.words]


def words_of(captions) -> tf.RaggedTensor:
    """UTF-8 strings [N] -> their words in lower case, [N, (words)]."""
    lower = tf.strings.lower(tf.convert_to_tensor(captions, tf.string), encoding="utf-8")
    return tf.strings.split(tf.strings.regex_replace(lower, BETWEEN_WORDS, " "))


def _place(words: tf.Tensor) -> tf.Tensor:
    """A number by which a word is looked for among the known ones, int64; not a table, which an export had to carry."""
    return tf.strings.to_hash_bucket_fast(words, np.iinfo(np.int64).max)


def frequent_words(captions: Iterable[str], count: int) -> list[str]:
    """The `count` most frequent words, those as frequent in the order of Unicode."""
    ranked = Counter(words_of(list(captions)).flat_values.numpy().tolist()).items()
    return [word.decode() for word, _ in sorted(ranked, key=lambda item: (-item[1], item[0]))[:count]]


def longest(captions: Iterable[str]) -> int:
    """How many words the longest caption has, at least 1; a caption ends with its line."""
    lines = [line for text in captions for line in text.split("\n")]
    return max(1, *words_of(lines).row_lengths().numpy().tolist())


@dataclass(frozen=True, eq=False)
class Captioned:
    """Images served with captions, as `Data` serves images.

    Attributes:
        pictures: the images; what each shows, one caption a line.
        vocabulary: what the captions are read by.
        length: words of a caption; longer ones are cut off.

    Raises:
        UsageError: for images without captions, or captions without a known word.
    """

    pictures: Data
    vocabulary: WordVocabulary
    length: int

    def __post_init__(self):
        if self.pictures.captions is None:
            raise UsageError(
                f"{self.pictures.name!r} has no captions: give 'faces', tags:PATH or captions:PATH, whose images have."
            )
        if not (self.ids > UNKNOWN).any():
            raise UsageError(
                f"no caption of {self.pictures.name!r}, such as {self.captions[0]!r}, has one of the known words "
                f"{', '.join(self.vocabulary.words[:20])}: caption it with those, or train a new model."
            )

    name = property(lambda self: self.pictures.name, doc="What was asked for.")
    split = property(lambda self: self.pictures.split, doc="The split.")
    examples = property(lambda self: self.pictures.examples, doc="The images, uint8 [N, H, W, C].")
    shape = property(lambda self: self.pictures.shape, doc="(H, W, C).")
    licence = property(lambda self: self.pictures.licence, doc="Under which terms, and whose work it is.")

    @cached_property
    def captions(self) -> list[str]:
        """All captions, [M]."""
        return [line for text in self.pictures.captions for line in text.split("\n")]

    @cached_property
    def image_of(self) -> np.ndarray:
        """Of which image each caption is, int64 [M]."""
        return np.repeat(np.arange(len(self.examples)), [1 + text.count("\n") for text in self.pictures.captions])

    @cached_property
    def ids(self) -> np.ndarray:
        """The captions' words, int32 [M, length]."""
        return self.vocabulary.encode(tf.constant(self.captions), self.length).numpy()

    def batches(self, batch_size: int, **which) -> tf.data.Dataset:
        """Batches (images float32 [N, H, W, C] in [-1, 1], ids int32 [N, length]), each a pure function of its number.

        An epoch meets every caption once; `which` is `first`, `steps`, `seed` and `shard` of `Data.batches`.
        """
        chosen = replace(self.pictures, examples=np.arange(len(self.captions))).batches(batch_size, **which)
        with tf.device("CPU:0"):
            images, image_of, ids = map(tf.constant, (self.examples, self.image_of, self.ids))

        def gather(caption: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return from_uint8(tf.gather(images, tf.gather(image_of, caption))), tf.gather(ids, caption)

        return chosen.map(gather).prefetch(4)


def without_pairs(data: Data, count: int) -> Data:
    """Leave out the images of some combinations of hair and eye colour, so that a model can be asked for them as new.

    Every hair colour goes without `count` eye colours, but is seen with all others; images whose tags do not give one
    colour of each stay.
    """
    pairs = held_out_pairs(data, count)
    kept = [index for index, tags in enumerate(data.tags or []) if (tags.get("hair"), tags.get("eyes")) not in pairs]
    if not pairs or len(kept) == len(data.tags):
        return data
    if not kept:
        raise UsageError(f"all of {data.name!r} would be left out: hold out fewer than {count} eye colours.")
    columns = {name: [getattr(data, name)[index] for index in kept] for name in ("tags", "captions")}
    labels = None if data.labels is None else data.labels[kept]
    return replace(data, examples=data.examples[kept], labels=labels, **columns)


def held_out_pairs(data: Data, count: int) -> list[tuple[str, str]]:
    """The combinations (hair, eyes) that `without_pairs` leaves out: of the colours in alphabetical order, a diagonal.

    Raises:
        UsageError: when no eye colour would be left.
    """
    known = [tags for tags in data.tags or [] if "hair" in tags and "eyes" in tags]
    hairs, eyes = (sorted({tags[part] for tags in known}) for part in ("hair", "eyes"))
    if count < 0 or (known and count >= len(eyes)):
        raise UsageError(
            f"{count} eye colours cannot be held out for each hair colour, of {len(eyes)}: give 0 to {len(eyes) - 1}."
        )
    return [(h, e) for i, h in enumerate(hairs) for j, e in enumerate(eyes) if (i + j) % len(eyes) < count]


# Your own pictures.


def is_captioned(name: str) -> bool:
    """Whether `load` here is the one that knows this name."""
    return name.startswith(("tags:", "captions:")) and not name.endswith(":")


def load(
    name: str, split: str, size: tuple[int, int] | None, channels: int | None, count: int | None, strict: bool
) -> Data:
    """Return your own images with their captions; sizes, splits and files that cannot be read are as in `folder.load`.

    - tags:PATH: images 0.jpg, 1.jpg ... and a tags.csv with lines `img_id,tag:#posts<TAB>tag:#posts...`. The caption is
      what the tags say of the colours of hair and eyes ("blue hair red eyes"), and the tags are {"hair": "blue",
      "eyes": "red"} where they say one colour. Images of which they say none are left out.
    - captions:PATH: images, and beside each a text file of the same name (3.jpg, 3.txt) with a caption a line.

    Args:
        strict: refuse a line or a text that is not as it should be, instead of naming and skipping it.

    Raises:
        UsageError: when nothing is usable, and as `folder.load` does.
    """
    kind, path = name.split(":", 1)
    root = folder.root_of(path)
    read = _tagged if kind == "tags" else _beside
    files = folder.find(root)
    captions = read(root, files, _Complaints(strict))
    if files and not captions:
        wanted = "an image 0.jpg and a line 0,blue hair:10" if kind == "tags" else "an image 0.jpg and a text 0.txt"
        raise UsageError(f"no captioned image in {path!r}: give at least {wanted}.")
    data = folder.load(path, split, size, channels, count, strict, captions)
    return replace(data, name=name, tags=[_colours(caption) for caption in data.captions])


class _Complaints:
    """Names what is broken, up to a number, or refuses the first."""

    def __init__(self, strict: bool):
        self.strict, self.count = strict, 0

    def __call__(self, what: str, reason: str) -> None:
        if self.strict:
            raise UsageError(f"{what} {reason}: mend or remove it, or go without --strict.")
        self.count += 1
        if self.count <= folder.NAMED:
            print(f"skipped {what}: it {reason}", file=sys.stderr)

    def total(self, of: int, things: str) -> None:
        if self.count > folder.NAMED:
            print(f"skipped {self.count} {things} in all, of {of}.", file=sys.stderr)


def _tagged(root: Path, files: list[str], skip: _Complaints) -> dict[str, str]:
    """The caption of each image of a tags.csv, by its path within the folder."""
    source = next((root / name for name in TAG_FILES if (root / name).is_file()), None)
    if source is None:
        raise UsageError(f"there is no tags.csv in {str(root)!r}: give lines such as 0,blue hair:20<TAB>red eyes:7.")
    images = {Path(file).stem: file for file in sorted(files, reverse=True)}
    captions, colourless, lines = {}, 0, source.read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            image, tags = _parse(line)
            if image not in images:
                raise ValueError(f"is of image {image}, which is not there")
            if images[image] in captions:
                raise ValueError(f"is the second of image {image}")
        except ValueError as error:
            skip(f"line {number} of {source}", str(error))
            continue
        said = [f"{colour} {part}" for part in ("hair", "eyes") for colour in COLOURS if f"{colour} {part}" in tags]
        colourless += not said
        if said:
            captions[images[image]] = " ".join(said)
    skip.total(len(lines), "lines")
    if colourless:
        print(f"left out {colourless} images without a colour of hair or eyes, of {len(lines)}.", file=sys.stderr)
    return captions


def _parse(line: bytes) -> tuple[str, set[str]]:
    """The image and the tags of a line of a tags.csv; ValueError with what is wrong of it."""
    try:
        image, comma, rest = line.decode("utf-8").partition(",")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    image = image.strip().removeprefix("\ufeff")
    if not comma or not image.isdecimal():
        raise ValueError("does not begin with the number of an image and a comma")
    tags = set()
    for part in rest.strip().strip('"').split("\t"):
        tag, colon, posts = part.strip().rpartition(":")
        if part.strip() and not (colon and tag and posts.isdecimal()):
            raise ValueError(f"has {part.strip()!r} where tag:#posts should be")
        tags.add(tag.lower())
    return str(int(image)), tags


def _beside(root: Path, files: list[str], skip: _Complaints) -> dict[str, str]:
    """The captions of each image, one a line, out of the text file of the same name."""
    captions = {}
    for file in sorted(files):
        text = (root / file).with_suffix(".txt")
        try:
            lines = [line.strip() for line in text.read_text("utf-8-sig").splitlines()]
        except FileNotFoundError:
            skip(f"{root / file}", f"has no {text.name} beside it")
            continue
        except UnicodeDecodeError:
            skip(f"{text}", "is not UTF-8")
            continue
        if not any(lines):
            skip(f"{text}", "is empty")
            continue
        captions[file] = "\n".join(line for line in lines if line)
    skip.total(len(files), "images")
    return captions


def _colours(caption: str) -> dict[str, str]:
    """The tags hair and eyes of a caption that names one colour of each kind."""
    pairs = list(zip(caption.split()[::2], caption.split()[1::2], strict=False))
    found = {part: [colour for colour, of in pairs if of == part and colour in COLOURS] for part in ("hair", "eyes")}
    return {part: colours[0] for part, colours in found.items() if len(colours) == 1}
