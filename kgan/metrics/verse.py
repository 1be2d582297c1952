"""Figures of Chinese quatrains: shape, rhyme and tones.

Rhyme and tones are those of modern Mandarin, by pypinyin, of any of a character's readings. Tang poets had other ones:
rhymes have since parted and met, and the entering tone is gone. So real poems do not reach 1, and only the
comparison with them says something.
"""

import functools
from collections.abc import Iterable, Sequence

import numpy as np
from pypinyin import Style, pinyin
from pypinyin.contrib.tone_convert import to_finals, to_initials

from kgan.datasets.texts import MARK
from kgan.metrics.protocol import Figure

MARKS = "，。，。"
# The fourteen rhymes of 中華新韻 (2005), by pypinyin's finals; zhi and its like, the fourteenth, are told by "zhi".
RHYMES = {
    final: number
    for number, finals in enumerate((
        "a ia ua", "o e uo", "ie ve", "ai uai", "ei uei", "ao iao", "ou iou", "an ian uan van", "en in uen vn",
        "ang iang uang", "eng ing ueng ong iong", "i er v", "zhi", "u",
    ))
    for final in finals.split()
}  # fmt: skip


def has_shape(poem: str, line: int) -> bool:
    """Whether a poem is four lines of `line` characters, each followed by its mark, and no mark elsewhere.

    A rare character of a real poem that a vocabulary shows as □ is a character.
    """
    lines = [poem[i : i + line] for i in range(0, len(poem), line + 1)]
    return (
        len(poem) == 4 * (line + 1)
        and poem[line :: line + 1] == MARKS
        and all(character.isalpha() or character == MARK for text in lines for character in text)
    )


def line_length(sentences: Sequence[str]) -> int:
    """The characters of a line when nearly all (95 %) of these sentences are quatrains of such lines, else 0."""
    line = len(sentences[0]) // 4 - 1 if sentences else 0
    fit = sum(has_shape(sentence, line) for sentence in sentences) if line > 1 else 0
    return line if fit > 0.95 * len(sentences) else 0


def rhymes(poem: str, line: int) -> bool | None:
    """Whether the second line and the fourth end in one rhyme; None when a reading is not known.

    Args:
        poem: of the right shape.
        line: characters of a line.
    """
    second, fourth = poem[2 * line], poem[4 * line + 2]
    one, other = ({rhyme for rhyme, _ in readings(character)} for character in (second, fourth))
    return bool(one & other) if one and other else None


def alternates(poem: str, line: int) -> list[bool]:
    """For each line whether its tones alternate: level, oblique and level, or the reverse, at each even place.

    A tone is level (the first and second) or oblique (the third and fourth). Regulated verse asks for it at the second,
    the fourth and, of seven, the sixth character. Lines with a character whose reading is not known are left out.
    """
    found = []
    for start in range(0, 4 * (line + 1), line + 1):
        tones = [{level for _, level in readings(poem[start + place])} for place in range(1, line, 2)]
        if all(tones):
            found.append(any(all((i % 2 == first) in t for i, t in enumerate(tones)) for first in (0, 1)))
    return found


@functools.cache
def readings(character: str) -> frozenset[tuple[int, bool]]:
    """A character's rhymes, numbered, each with whether its tone is level; none when no reading is known."""
    found = set()
    for syllable in next(iter(pinyin(character, style=Style.TONE3, heteronym=True, errors="ignore")), []):
        final, tone = to_finals(syllable, strict=True, v_to_u=False), syllable[-1]
        if final == "i" and to_initials(syllable, strict=True) in ("zh", "ch", "sh", "r", "z", "c", "s"):
            final = "zhi"
        if final in RHYMES and tone in "1234":
            found.add((RHYMES[final], tone in "12"))
    return frozenset(found)


def rhyme_share(poems: Iterable[str], line: int) -> float:
    """The share of poems, of those whose readings are known, that rhyme; 0 when there is none."""
    found = [rhyme for rhyme in (rhymes(poem, line) for poem in poems) if rhyme is not None]
    return sum(found) / max(1, len(found))


def tone_share(poems: Iterable[str], line: int) -> float:
    """The share of lines, of those whose readings are known, in which tones alternate; 0 when there is none."""
    found = [alternate for poem in poems for alternate in alternates(poem, line)]
    return sum(found) / max(1, len(found))


def shuffled(poems: Sequence[str], line: int, seed: int) -> list[str]:
    """Poems of the same shape whose characters are dealt out at random: what chance alone gives."""
    characters = [character for poem in poems for character in poem if character not in MARKS]
    dealt = np.random.default_rng(seed).permutation(characters).reshape(-1, 4, line)
    return ["".join("".join(text) + mark for text, mark in zip(poem, MARKS, strict=True)) for poem in dealt]


def verse_figures(
    samples: Sequence[str], real: Sequence[str], line: int, *, reference_name: str, seed: int
) -> list[Figure]:
    """Shares of right shapes, of rhymes and of lines whose tones alternate, beside those of real poems.

    Rhymes and tones are measured of the samples of the right shape; the remark says what the real poems have, and what
    chance alone gives, when their characters are dealt out at random.
    """
    shaped = [poem for poem in samples if has_shape(poem, line)]
    real = [poem for poem in real if has_shape(poem, line)]
    chance = shuffled(real, line, seed)
    how = f"modern readings; {len(shaped):,} samples of the right shape, seed {seed}"
    return [
        Figure(
            "right shape", len(shaped) / len(samples),
            f"share of {len(samples):,} samples that are four lines of {line} characters, punctuated {MARKS}; "
            f"seed {seed}",
        ),
        Figure(
            "rhyme", rhyme_share(shaped, line), f"share of poems whose second and fourth lines rhyme; {how}",
            remark=f"{reference_name}: {rhyme_share(real, line):.3f}, their characters at random: "
            f"{rhyme_share(chance, line):.3f}",
        ),
        Figure(
            "alternating tones", tone_share(shaped, line),
            f"share of lines, level and oblique at the even places; {how}",
            remark=f"{reference_name}: {tone_share(real, line):.3f}, their characters at random: "
            f"{tone_share(chance, line):.3f}",
        ),
    ]  # fmt: skip
