"""Shape, rhyme and tones of poems that everybody knows."""

import pytest

from kgan.datasets.texts import load, sentences_of
from kgan.metrics import verse

WHITE_EMPEROR = "朝辭白帝彩雲間，千里江陵一日還。兩岸猿聲啼不住，輕舟已過萬重山。"  # Li Bai, regulated
NIGHT = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"  # Li Bai, rhymes in -ang
UNRHYMED = "朝辭白帝彩雲間，千里江陵一日還。兩岸猿聲啼不住，輕舟已過萬重水。"


def test_shape():
    assert verse.has_shape(WHITE_EMPEROR, 7) and verse.has_shape(NIGHT, 5)
    assert not verse.has_shape(WHITE_EMPEROR, 5) and not verse.has_shape(NIGHT[:-1], 5)
    wrong = [NIGHT.replace("，", "。", 1), NIGHT.replace("月", "，", 1), NIGHT.replace("月", " ", 1), NIGHT + "。", ""]
    assert verse.has_shape(NIGHT.replace("月", "□"), 5)
    assert not any(verse.has_shape(poem, 5) for poem in wrong)
    assert verse.line_length([NIGHT] * 99 + [WHITE_EMPEROR]) == 5
    assert verse.line_length(["a line of English"] * 3) == verse.line_length([]) == 0


def test_readings():
    number = verse.RHYMES
    assert verse.readings("霜") == {(number["uang"], True)}
    assert verse.readings("水") == {(number["uei"], False)}
    assert verse.readings("還") == {(number["ai"], True), (number["uan"], True)}
    assert verse.readings("時") == {(number["zhi"], True)} and number["zhi"] != number["i"]
    assert verse.readings("魚") == {(number["v"], True)} and number["v"] == number["i"]
    assert verse.readings("月") >= {(number["ve"], False)} and number["ve"] == number["ie"]
    assert not verse.readings("，") and not verse.readings("□") and not verse.readings("a")
    assert len(set(number.values())) == 14


def test_rhyme():
    assert verse.rhymes(NIGHT, 5) and verse.rhymes(WHITE_EMPEROR, 7)
    assert verse.rhymes(UNRHYMED, 7) is False
    assert verse.rhymes(NIGHT[:10] + "a" + NIGHT[11:], 5) is None
    assert verse.rhyme_share([NIGHT], 5) == 1 and verse.rhyme_share([WHITE_EMPEROR, UNRHYMED], 7) == 0.5
    assert verse.rhyme_share([], 7) == 0


def test_tones():
    # 辭帝雲, 里陵日, 岸聲不, 舟過重: level and oblique by turns in every line, in modern readings as in Li Bai's.
    assert verse.alternates(WHITE_EMPEROR, 7) == [True, True, True, True]
    # 天 and 山 are level, 水 and 酒 oblique, in their only readings.
    assert verse.alternates("天山天水天，天水天酒天。天酒天山天，天山天山天。", 5) == [True, False, True, False]
    assert verse.alternates("天山天水天山天，天山天水天酒天。天水天山天酒天，天山天山天酒天。", 7) == [
        True,
        False,
        True,
        False,
    ]
    assert verse.tone_share([WHITE_EMPEROR, "天山天山天酒天，天山天山天酒天。" * 2], 7) == 0.5
    assert verse.alternates("a" * 32, 7) == []


@pytest.fixture(scope="module")
def figures():
    held_out = sentences_of(load("quatrains", "test"))
    shuffled = verse.shuffled(held_out, 7, 1)
    samples = shuffled[:300] + ["。" * 32] * 100
    return {f.name: f for f in verse.verse_figures(samples, held_out, 7, reference_name="held-out", seed=0)}


def test_real_poems_rhyme_and_chance_does_not(figures):
    assert figures["right shape"].value == 0.75
    assert figures["rhyme"].value < 0.25 and figures["alternating tones"].value < 0.65
    for name, least in ("rhyme", 0.8), ("alternating tones", 0.8):
        real, chance = (float(part.split()[-1]) for part in figures[name].remark.split(","))
        assert real > least > figures[name].value and abs(chance - figures[name].value) < 0.1
