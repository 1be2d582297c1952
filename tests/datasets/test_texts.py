"""Sentences: what is held out, how they are numbered, and files that are not as they should be."""

import re

import numpy as np
import pytest
import tensorflow as tf

from kgan import datasets
from kgan.datasets.texts import Vocabulary, common_form, load, most_frequent, sentences_of
from kgan.errors import UsageError


def test_quatrains():
    train, test = load("quatrains"), load("quatrains", "test")
    assert train.examples.shape == (8631, 32) and test.examples.shape == (959, 32)
    assert train.examples.dtype == np.int32 and train.shape == (32,)
    assert len(train.characters) == 1998 and test.characters == train.characters
    assert set(train.characters[:2]) == set("，。") and "MIT" in train.licence
    assert not set(sentences_of(train)) & {poem for poem in sentences_of(test) if "□" not in poem}
    for poem in sentences_of(test):
        assert re.fullmatch("(.{7}，.{7}。){2}", poem)
    assert 0.02 < (train.examples == 1).mean() < 0.05  # the rare characters
    assert datasets.load("quatrains", count=3).examples.tolist() == train.examples[:3].tolist()


def test_quatrains_of_five():
    data = load("quatrains-5", "test", symbols=100)
    assert data.examples.shape == (350, 24) and len(data.characters) == 98
    assert data.examples.max() == 99


def test_chats():
    data = load("chitchat", length=20, count=500)
    assert data.examples.shape == (500, 20) and data.characters.isascii()
    assert all(10 <= len(sentence) <= 20 and sentence.count(" ") >= 2 for sentence in sentences_of(data))


def test_the_tenth_is_held_out_and_the_vocabulary_is_of_the_others(tmp_path):
    sentences = [f"line {chr(97 + k)}" for k in range(20)] + ["line a"]  # the last one is there already
    path = tmp_path / "mine.txt"
    path.write_text("\n".join(sentences))
    train, test = load(f"lines:{path}"), load(f"lines:{path}", "test")
    assert sentences_of(train) == [s for i, s in enumerate(sentences[:20]) if i not in (9, 19)]
    assert sentences_of(test) == ["line □", "line □"]
    assert train.characters[:6] == "eiln a" or set(train.characters[:5]) == set(" eiln")
    again = load(f"lines:{path}", "test", characters="jabt", length=8)
    assert again.examples.tolist() == [[1, 1, 1, 1, 1, 2, 0, 0], [1, 1, 1, 1, 1, 5, 0, 0]]


def test_the_most_frequent_characters():
    assert most_frequent(["aab", "bbc"], 2) == "ba"
    assert most_frequent(["ba", "c"], 3) == "abc"


def test_a_vocabulary_there_and_back():
    vocabulary = Vocabulary("平a人")
    assert len(vocabulary) == 5
    ids = vocabulary.encode(tf.constant(["人a", "平平平平平", "x人", ""]), 4)
    assert ids.numpy().tolist() == [[4, 3, 0, 0], [2, 2, 2, 2], [1, 4, 0, 0], [0, 0, 0, 0]]
    read = [text.decode() for text in vocabulary.decode(ids).numpy()]
    assert read == ["人a", "平平平平", "□人", ""]
    assert vocabulary.decode(tf.constant([[2, 0, 3]])).numpy()[0].decode() == "平"  # nothing after the end


def test_the_form_that_sentences_share(tmp_path):
    assert common_form(load("quatrains")) == ("□" * 7 + "，" + "□" * 7 + "。") * 2
    assert common_form(load("chitchat", length=20, count=50)) == ""
    path = tmp_path / "mine.txt"
    path.write_text("".join(f"T{letter}-T.\n" for letter in "abcdefghijk"))  # T is found in free places when one is
    assert common_form(load(f"lines:{path}")) == "T□-T."
    path.write_text("".join(f"T{letter}-{letter}.\n" for letter in "Tabcdefghijk"))
    assert common_form(load(f"lines:{path}")) == "□□-□."
    path.write_text("".join(f"{letter}-{letter}.\n" for letter in "abcdefghijk") + "a-bc.\n")
    assert common_form(load(f"lines:{path}")) == ""


def test_what_may_be_written_where():
    vocabulary = Vocabulary("ab,")
    assert vocabulary.writable(2).tolist() == [[True, False, True, True, True]] * 2
    letters, comma = [False, False, True, True, False], [False, False, False, False, True]
    assert vocabulary.writable(3, "□,□").tolist() == [letters, comma, letters]
    for form in ("□,", "□.□"):
        with pytest.raises(UsageError, match=f"^the form '{form}' must be of 3 characters of the vocabulary"):
            vocabulary.writable(3, form)


LINES = b"\xef\xbb\xbfgood one\r\n\n\xff\xfe\nfar too long a line\n" + b"".join(b"good %d\n" % k for k in range(20))


def test_unfit_lines_are_named_and_left_out_or_refused(tmp_path, capsys):
    path = tmp_path / "mine.txt"
    path.write_bytes(LINES)
    data = load(f"lines:{path}", length=10)
    assert sentences_of(data)[0] == "good one" and len(data.examples) == 19
    said = capsys.readouterr().err.splitlines()
    assert [re.sub(r" of \S+mine.txt: it", "", line) for line in said] == [
        "skipped line 2 is empty", "skipped line 3 is not UTF-8", "skipped line 4 has 19 characters, more than 10",
    ]  # fmt: skip
    with pytest.raises(UsageError, match=r"^line 2 of \S+ is empty: mend or remove it, or go without --strict\.$"):
        load(f"lines:{path}", length=10, strict=True)
    path.write_bytes(b"\n" * 8 + LINES)
    load(f"lines:{path}", length=10)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 6 and said[-1] == f"skipped 11 lines in all of {path}, of 32."


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("lines:/nowhere.txt", {}, "does not exist: give a UTF-8 file"),
        ("lines:/tmp", {}, "is a folder, not a file"),
        ("lines:{few}", {}, "has 2 sentences that fit: at least 10"),
        ("digits", {}, "is not made of sentences: choose one of quatrains"),
        ("quatrains", {"split": "all"}, "unknown split 'all'"),
        ("quatrains", {"length": 20}, "has 0 sentences that fit"),
        ("quatrains", {"length": 1}, "length 1 is no sentence"),
        ("quatrains", {"symbols": 3}, "a vocabulary of 3 symbols is too small"),
        ("quatrains", {"characters": "aa"}, "none twice"),
        ("quatrains", {"count": 8632}, "has 8631"),
    ],
)
def test_what_cannot_be_loaded(name, options, said, tmp_path):
    (tmp_path / "few.txt").write_text("one\ntwo\n")
    with pytest.raises(UsageError, match=said):
        load(name.format(few=tmp_path / "few.txt"), **options)


def test_sentences_have_no_size():
    with pytest.raises(UsageError, match="'quatrains' is not made of images"):
        datasets.load("quatrains", size=32)
