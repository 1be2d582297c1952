"""Sentences as rows of whole numbers: the quatrains that ship, English chat, and the lines of your own file."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import util
from pathlib import Path

import numpy as np
import tensorflow as tf

from kgan.datasets.data import Data
from kgan.errors import UsageError, lookup

PAD, UNKNOWN = 0, 1  # the ids of what follows a sentence's end, and of a character that is not in the vocabulary
MARK = "□"  # what an unknown character is shown as
NAMED = 5  # unfit lines are named one by one up to here, then only counted
LONGEST = 64  # characters of a sentence, where nothing else is said

TEXTS = {
    "quatrains": "9,590 Tang quatrains of four 7-character lines, which ship with kgan",
    "quatrains-5": "3,503 of four 5-character lines",
    "chitchat": "English sentences of 10 to 40 characters out of chats (PyPI chitchat-dataset)",
    "lines:PATH": "your own UTF-8 text file, one sentence a line",
}
LICENCES = {
    "quatrains": "the poems: public domain; their collection: MIT, npm chinese-poetry 2.0.1",
    "chitchat": "MIT: chitchat-dataset 0.9.0, BYU Perception, Control and Cognition Lab",
    "lines": "your own text: its licence is yours to know",
}


class Vocabulary:
    """The characters that a model knows, and the way from strings to numbers and back, as TensorFlow graphs.

    Id 0 is what follows a sentence's end, id 1 any other character, and id k + 2 the character number k.
    """

    def __init__(self, characters: str):
        """Know these characters, most frequent first.

        Raises:
            UsageError: when there is none, or one twice.
        """
        if not characters or len(set(characters)) < len(characters):
            raise UsageError(f"the vocabulary {characters[:20]!r} must be of at least one character, none twice.")
        self.characters = characters
        self.symbols = ["", MARK, *characters]
        codes = np.array([ord(character) for character in characters], np.int32)
        self._order = np.argsort(codes).astype(np.int32)
        self._sorted = codes[self._order]

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, sentences: tf.Tensor, length: int) -> tf.Tensor:
        """UTF-8 strings [N] -> int32 [N, length]: cut off or padded."""
        codes = tf.strings.unicode_decode(sentences, "UTF-8").to_tensor(0, shape=[None, length])
        place = tf.minimum(tf.searchsorted(self._sorted, tf.reshape(codes, [-1])), len(self._sorted) - 1)
        place = tf.reshape(place, tf.shape(codes))
        known = tf.gather(self._sorted, place) == codes
        ids = tf.where(known, tf.gather(self._order, place) + 2, UNKNOWN)
        return tf.ensure_shape(tf.where(codes == 0, PAD, ids), [None, length])

    def decode(self, ids: tf.Tensor) -> tf.Tensor:
        """Whole numbers [N, length] -> UTF-8 strings [N], each up to its first id 0."""
        inside = tf.math.cumprod(tf.cast(ids != PAD, tf.int32), axis=1) == 1
        return tf.strings.reduce_join(tf.where(inside, tf.gather(self.symbols, ids), ""), axis=1)

    def writable(self, length: int, form: str = "") -> np.ndarray:
        """Which symbols may be written where, bool [length, symbols]: all but the unknown mark.

        Args:
            length: of a sentence.
            form: what `common_form` gives: at its places only its characters, which are then written nowhere else,
                and no sentence ends early. "" for none.

        Raises:
            UsageError: when the form is of another length, or has a character that the vocabulary lacks.
        """
        may = np.ones([length, len(self)], bool)
        may[:, UNKNOWN] = False
        fixed = {place: self.characters.find(mark) + 2 for place, mark in enumerate(form) if mark != MARK}
        if form and (len(form) != length or min(fixed.values(), default=2) < 2):
            raise UsageError(
                f"the form {form!r} must be of {length} characters of the vocabulary, or {MARK} where free."
            )
        may[:, [PAD, *fixed.values()] if form else []] = False
        for place, symbol in fixed.items():
            may[place] = np.arange(len(self)) == symbol
        return may


def is_text(name: str) -> bool:
    """Whether `load` here is the one that knows this name."""
    return name in TEXTS or (name.startswith("lines:") and name != "lines:")


def load(
    name: str,
    split: str = "train",
    *,
    length: int | None = None,
    symbols: int = 2_000,
    characters: str | None = None,
    count: int | None = None,
    strict: bool = False,
) -> Data:
    """Load distinct sentences by name; every tenth of them is held out.

    Args:
        name: quatrains, quatrains-5, chitchat or lines:PATH.
        split: "train" or "test".
        length: of the rows; longer sentences are left out. When left out, that of the longest sentence, at most 64.
        symbols: the size of the vocabulary at most, with its two marks: the training sentences' most frequent
            characters. Rarer ones are unknown (id 1).
        characters: the vocabulary itself, of a model that is there already.
        count: how many of them; all when left out.
        strict: refuse a file with a line that is empty, too long or no UTF-8, instead of naming and skipping it.

    Returns:
        Data whose examples are int32 [N, length], as `Vocabulary` numbers them, and whose `characters` are the
        vocabulary.

    Raises:
        UsageError: when there is no such set, nothing fits, or (strict) something does not.
    """
    if not is_text(name):
        raise UsageError(f"{name!r} is not made of sentences: choose one of {', '.join(TEXTS)}.")
    lookup("split", split, dict.fromkeys(["train", "test"]))
    if length is not None and length < 2:
        raise UsageError(f"length {length} is no sentence: give at least 2 characters.")
    if symbols < 4:
        raise UsageError(f"a vocabulary of {symbols} symbols is too small: give at least 4.")
    if name.startswith("lines:"):
        sentences = _lines(name.removeprefix("lines:"), length or LONGEST, strict)
    else:
        sentences = _chat(length or 40) if name == "chitchat" else _quatrains(28 if name == "quatrains" else 20)
        sentences = [sentence for sentence in sentences if len(sentence) <= (length or LONGEST)]
    sentences = list(dict.fromkeys(sentences))
    if len(sentences) < 10:
        raise UsageError(f"{name!r} has {len(sentences)} sentences that fit: at least 10 are needed, one to hold out.")
    training = [sentence for index, sentence in enumerate(sentences) if index % 10 != 9]
    chosen = training if split == "train" else sentences[9::10]
    if count is not None and count > len(chosen):
        raise UsageError(f"{count} sentences asked for but {name!r} has {len(chosen)} ({split}): lower the count.")
    vocabulary = Vocabulary(characters or most_frequent(training, symbols - 2))
    longest = max(map(len, sentences))
    return Data(
        name=name,
        split=split,
        examples=vocabulary.encode(tf.constant(chosen[:count]), length or longest).numpy(),
        licence=LICENCES[name.split(":")[0].split("-")[0]],
        characters=vocabulary.characters,
    )


def sentences_of(data: Data) -> list[str]:
    """The sentences of a data set; characters that its vocabulary lacks are shown as □."""
    return [text.decode() for text in Vocabulary(data.characters).decode(tf.constant(data.examples)).numpy()]


def common_form(data: Data) -> str:
    """The punctuation that all sentences share, as a string with □ in the free places; "" when there is none.

    A character is part of it where every sentence has it, if it is found nowhere else; and sentences of unequal length
    have no form. That of the quatrains is □□□□□□□，□□□□□□□。□□□□□□□，□□□□□□□。
    """
    first = data.examples[0]
    shared = (data.examples == first).all(axis=0) & (first > UNKNOWN)
    shared &= ~np.isin(first, data.examples[:, ~shared])
    if not shared.any() or (data.examples == PAD).any():
        return ""
    symbols = Vocabulary(data.characters).symbols
    return "".join(symbols[symbol] if fixed else MARK for symbol, fixed in zip(first, shared, strict=True))


def most_frequent(sentences: Iterable[str], count: int) -> str:
    """The `count` most frequent characters, those as frequent in the order of Unicode."""
    ranked = sorted(Counter("".join(sentences)).items(), key=lambda item: (-item[1], item[0]))
    return "".join(character for character, _ in ranked[:count])


def _quatrains(characters: int) -> list[str]:
    """The poems of so many characters, besides their four marks of punctuation."""
    text = (Path(__file__).parent / "files" / "quatrains.txt").read_text("utf-8")
    return [line for line in text.splitlines() if len(line) == characters + 4]


def _chat(longest: int) -> list[str]:
    """Single utterances in plain letters, of at least 10 characters and three words."""
    found = util.find_spec("chitchat_dataset")  # reading the file alone; the package keeps it whole in memory
    if found is None:
        raise UsageError("'chitchat' needs the package chitchat-dataset: run pip install chitchat-dataset==0.9.0.")
    chats = json.loads(Path(found.origin).with_name("dataset.json").read_text("utf-8"))
    said = (part["text"] for chat in chats.values() for message in chat["messages"] for part in message)
    said = (" ".join(text.split()) for text in said)
    return [text for text in said if 10 <= len(text) <= longest and text.count(" ") >= 2 and text.isascii()]


def _lines(path: str, longest: int, strict: bool) -> list[str]:
    """The lines of a file that are sentences; the others are named and counted on the terminal, or refused."""
    file = Path(path).expanduser()
    if not file.is_file():
        what = "is a folder, not a file" if file.exists() else "does not exist"
        raise UsageError(
            f"text file {path!r} {what}: give a UTF-8 file with one sentence a line, as in lines:mine.txt."
        )
    kept, unfit = [], 0
    for number, sentence, reason in _read(file.read_bytes(), longest):
        if not reason:
            kept.append(sentence)
            continue
        if strict:
            raise UsageError(f"line {number} of {path} {reason}: mend or remove it, or go without --strict.")
        unfit += 1
        if unfit <= NAMED:
            print(f"skipped line {number} of {path}: it {reason}", file=sys.stderr)
    if unfit > NAMED:
        print(f"skipped {unfit} lines in all of {path}, of {unfit + len(kept)}.", file=sys.stderr)
    return kept


def _read(content: bytes, longest: int) -> Iterator[tuple[int, str, str]]:
    """Each line's number and text, and what is wrong with it."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines, 1):
        try:
            sentence = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            yield number, "", "is not UTF-8"
            continue
        long = f"has {len(sentence)} characters, more than {longest}" if len(sentence) > longest else ""
        yield number, sentence, long if sentence else "is empty"
