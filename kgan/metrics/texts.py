"""Figures of sentences: how far from real ones, how varied, how likely, and for verse its shape, rhyme and tones."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from sacrebleu.metrics import BLEU

from kgan.errors import UsageError
from kgan.metrics import verse
from kgan.metrics.protocol import Figure

ORDERS = range(1, 7)
BLEU_SENTENCES = 100  # each is compared with every other


def ngrams(sentences: Iterable[str], order: int) -> Counter:
    """Count the runs of `order` characters."""
    return Counter(s[i : i + order] for s in sentences for i in range(len(s) - order + 1))


def ngram_distance(first: Sequence[str], second: Sequence[str], order: int) -> float:
    """The Jensen-Shannon distance of two sets of sentences: 0 for the same n-grams as often, 1 for none in common.

    It is the square root of the divergence in bits (Endres & Schindelin 2003); the divergence is what Gulrajani 2017
    draws. Both sets should be as large as each other and as those one compares with: few n-grams are few in common.

    Raises:
        UsageError: when a set has no run of so many characters.
    """
    one, two = ngrams(first, order), ngrams(second, order)
    if not one or not two:
        raise UsageError(f"no sentence has {order} characters: give longer ones, or a smaller order.")
    counts = np.array([(one[key], two[key]) for key in one.keys() | two.keys()], np.float64)
    p, q = (counts / counts.sum(0)).T
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.where(p > 0, p * np.log2(p / middle), 0) + np.where(q > 0, q * np.log2(q / middle), 0)
    return float(np.sqrt(np.clip(bits.sum() / 2, 0, 1)))


class NGramModel:
    """A language model of characters: interpolated n-grams with Witten-Bell smoothing.

    P(c | h) = (N(h c) + T(h) P(c | h')) / (N(h) + T(h)), where N counts, T(h) is how many different characters follow
    h, and h' is h without its first character; below the unigrams all characters ever asked about are alike. Witten &
    Bell 1991, "The zero-frequency problem". Sentences begin and end with a mark that is predicted as well.
    """

    EDGE = "\0"

    def __init__(self, sentences: Iterable[str], order: int = 3, characters: int = 10_000):
        """Count these sentences; `characters` is how many there might be at all."""
        self.order, self.characters = order, characters
        self.following: dict[str, Counter] = defaultdict(Counter)
        for sentence in sentences:
            for history, character in self._steps(sentence):
                for start in range(len(history) + 1):
                    self.following[history[start:]][character] += 1
        self.totals = {history: counts.total() for history, counts in self.following.items()}

    def probability(self, character: str, history: str) -> float:
        """Of this character after these."""
        shorter = self.probability(character, history[1:]) if history else 1 / self.characters
        if history not in self.totals:
            return shorter
        counts = self.following[history]
        return (counts[character] + len(counts) * shorter) / (self.totals[history] + len(counts))

    def perplexity(self, sentences: Iterable[str]) -> float:
        """exp of the mean negative log-probability of a character, ends included."""
        logs = [math.log(self.probability(c, h)) for sentence in sentences for h, c in self._steps(sentence)]
        return math.exp(-sum(logs) / len(logs))

    def _steps(self, sentence: str) -> list[tuple[str, str]]:
        text = self.EDGE * (self.order - 1) + sentence + self.EDGE
        return [(text[i - self.order + 1 : i], text[i]) for i in range(self.order - 1, len(text))]


def self_bleu(sentences: Sequence[str]) -> float:
    """How alike sentences are, 0 to 100: the mean BLEU-4 of characters of each against all the others.

    Zhu et al. 2018, "Texygen"; computed by sacrebleu, with its exponential smoothing.
    """
    spaced = [" ".join(sentence.replace(" ", "_")) for sentence in sentences]
    bleu = BLEU(tokenize="none", effective_order=True)
    scores = [bleu.sentence_score(s, spaced[:i] + spaced[i + 1 :]).score for i, s in enumerate(spaced)]
    return float(np.mean(scores))


def words(sentence: str) -> list[str]:
    """The words of a sentence in Latin letters, in lower case."""
    return re.findall(r"[a-z]+(?:'[a-z]+)?", sentence.lower())


def real_words(sentences: Iterable[str], known: Iterable[str]) -> float:
    """The share of the sentences' words that occur in the `known` sentences; 0 when there is no word."""
    vocabulary = {word for sentence in known for word in words(sentence)}
    found = [word in vocabulary for sentence in sentences for word in words(sentence)]
    return sum(found) / max(1, len(found))


def sentence_figures(
    samples: Sequence[str], held_out: Sequence[str], training: Sequence[str], *, reference_name: str, seed: int
) -> list[Figure]:
    """Measure everything that is known about generated sentences, beside the same of held-out ones.

    The held-out sentences are split into two halves: distances and perplexity are to the first, of at most as many
    samples as the second has, and the remark says what those of as many of the second's are.

    Args:
        samples: the generated ones.
        held_out, training: real ones, that the generator never saw and that it learned from.
        reference_name: what the real ones are, e.g. "held-out quatrains".
        seed: that the samples were generated with.
    """
    half = len(held_out) // 2
    reference, control = held_out[:half], held_out[half : 2 * half]
    equal = samples[: len(control)]
    control = control[: len(equal)]
    against = f"{len(equal):,} samples against {len(reference):,} {reference_name}; seed {seed}"
    other = f"as many other {reference_name}"
    figures = [
        Figure(
            f"{order}-gram distance", ngram_distance(equal, reference, order),
            f"Jensen-Shannon distance of characters, 0 to 1; {against}",
            remark=f"{other}: {ngram_distance(control, reference, order):.3f}",
        )
        for order in ORDERS
        if max(map(len, equal), default=0) >= order
    ]  # fmt: skip
    model = NGramModel(reference)
    few = equal[:BLEU_SENTENCES]
    figures += [
        Figure(
            "perplexity", model.perplexity(equal),
            f"of a character, under a Witten-Bell trigram model of the {len(reference):,} {reference_name}; "
            f"{len(equal):,} samples, seed {seed}",
            remark=f"{other}: {model.perplexity(control):.4g}",
        ),
        Figure(
            "self-BLEU", self_bleu(few),
            f"of characters, 0 to 100; {len(few)} samples, each against the others; seed {seed}",
            remark=f"{reference_name}: {self_bleu(control[: len(few)]):.4g}",
        ),
        Figure(
            "copies", len(set(training) & set(samples)) / len(samples),
            f"share of {len(samples):,} samples that are a training sentence; seed {seed}",
        ),
        Figure("different", len(set(samples)) / len(samples), f"share of {len(samples):,} samples; seed {seed}"),
    ]  # fmt: skip
    if line := verse.line_length(training):
        figures += verse.verse_figures(samples, held_out, line, reference_name=reference_name, seed=seed)
    if any(words(sentence) for sentence in held_out):
        figures.append(
            Figure(
                "real words", real_words(samples, training),
                f"share of the words of {len(samples):,} samples that occur in the training sentences; seed {seed}",
                remark=f"{reference_name}: {real_words(held_out, training):.3f}",
            )
        )  # fmt: skip
    return figures
