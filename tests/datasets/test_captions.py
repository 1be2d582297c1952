"""Captions: how words are numbered, how they are served with their images, and files that are not as they should be."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kgan import datasets
from kgan.datasets.captions import (
    Captioned,
    WordVocabulary,
    frequent_words,
    held_out_pairs,
    longest,
    without_pairs,
)
from kgan.datasets.data import Data
from kgan.datasets.images import from_uint8
from kgan.errors import UsageError

WORDS = ["hair", "eyes", "red", "blue"]


def test_words_are_numbered():
    captions = {
        "red hair blue eyes": [4, 2, 5, 3],
        " Red HAIR,blue-eyes!": [4, 2, 5, 3],
        "red_hair": [4, 2, 0, 0],
        "reddish hair": [1, 2, 0, 0],
        "red's hair's": [1, 1, 0, 0],
        "": [0, 0, 0, 0],
        "?! …": [0, 0, 0, 0],
        "蓝色 hair": [1, 2, 0, 0],
        "red hair and blue eyes": [4, 2, 1, 5],
    }
    vocabulary = WordVocabulary(WORDS)
    found = tf.function(lambda texts: vocabulary.encode(texts, 4))(tf.constant(list(captions)))
    assert found.dtype == tf.int32 and found.numpy().tolist() == list(captions.values())


def test_words_of_any_script():
    vocabulary = WordVocabulary(["éclair", "प्यार", "蓝色", "don't", "7"])
    captions = ["ÉCLAIR, don't", "प्यार 7", "蓝色。7", "ecl蓝色"]
    assert vocabulary.encode(tf.constant(captions), 2).numpy().tolist() == [[2, 5], [3, 6], [4, 6], [1, 0]]
    assert vocabulary.known("Éclair of 蓝色!") == (["éclair", "蓝色"], ["of"])
    assert vocabulary.encode(tf.constant([b"7 \xff\xfe 7"]), 3).shape == (1, 3)  # whatever it is, it is no error


def test_every_word_of_a_large_vocabulary_finds_itself():
    words = [f"word{k}" for k in range(3000)]
    ids = WordVocabulary(words).encode(tf.constant(words + [f"wort{k}" for k in range(3000)]), 1).numpy()[:, 0]
    assert ids.tolist() == [k + 2 for k in range(3000)] + [1] * 3000


@pytest.mark.parametrize("words", [[], ["red", "red"], ["red hair"], ["red", ""], ["Red!"]])
def test_a_vocabulary_of_no_use(words):
    with pytest.raises(UsageError, match="must be of at least one word, none twice"):
        WordVocabulary(words)


def test_the_most_frequent_words():
    captions = ["Red hair", "red eyes", "blue hair", "hair"]
    assert frequent_words(captions, 3) == ["hair", "red", "blue"] and longest(captions) == 2
    assert longest([""]) == 1 and longest(["a red hair\nhair", "blue hair"]) == 3


def few(captions: list[str]) -> Captioned:
    images = np.arange(len(captions), dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    return Captioned(Data("few", "train", images, captions=captions), WordVocabulary(WORDS), 2)


def served(data: Captioned, *arguments, **options) -> list[tuple[int, tuple[int, ...]]]:
    """Which image goes with which ids, batch after batch."""
    found = []
    for images, ids in data.batches(*arguments, **options):
        assert images.dtype == tf.float32 and ids.dtype == tf.int32
        numbers = np.rint((images.numpy()[:, 0, 0, 0] + 1) * 127.5).astype(int)
        found += list(zip(numbers.tolist(), map(tuple, ids.numpy().tolist()), strict=True))
    return found


def test_an_epoch_meets_every_caption_with_its_image():
    data = few(["red hair", "blue hair\nblue eyes", "eyes"])
    assert data.shape == (8, 8, 1) and data.captions == ["red hair", "blue hair", "blue eyes", "eyes"]
    pairs = [(0, (4, 2)), (1, (5, 2)), (1, (5, 3)), (2, (3, 0))]
    for epoch in range(3):
        assert sorted(served(data, 2, first=2 * epoch, steps=2, seed=1)) == pairs


def test_batches_are_pure_functions_of_seed_and_number():
    data = few([f"{a} {b}" for a in WORDS for b in WORDS])
    whole = served(data, 6, steps=9, seed=5)
    assert served(data, 6, first=4, steps=5, seed=5) == whole[24:]
    assert served(data, 6, steps=9, seed=6) != whole
    halves = [served(data, 6, steps=2, seed=5, shard=(k, 2)) for k in range(2)]
    assert halves[0][:3] + halves[1][:3] + halves[0][3:] + halves[1][3:] == whole[:12]


def test_images_are_as_data_serves_them():
    data = few(["red", "blue"])
    images, _ = next(iter(data.batches(2)))
    np.testing.assert_array_equal(np.sort(images.numpy(), axis=0), from_uint8(data.examples))


def test_captions_that_say_nothing_are_refused():
    with pytest.raises(UsageError, match="no caption of 'few', such as 'green', has one of the known words hair, eyes"):
        few(["green", ""])
    with pytest.raises(UsageError, match="'digits' has no captions"):
        Captioned(Data("digits", "train", np.zeros((1, 8, 8, 1), np.uint8)), WordVocabulary(WORDS), 2)


def coloured(hairs: int, eyes: int) -> Data:
    tags = [{"hair": f"h{i:02d}", "eyes": f"e{j}", "skin": "light"} for i in range(hairs) for j in range(eyes)] * 2
    captions = [f"{tag['hair']} hair {tag['eyes']} eyes" for tag in tags]
    images = np.arange(len(tags), dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    return Data("coloured", "train", images, tags=tags, captions=captions)


def test_combinations_are_held_out_evenly():
    data = coloured(12, 8)
    new = held_out_pairs(data, 1)
    assert len(new) == 12 == len({hair for hair, _ in new}) and len({eyes for _, eyes in new}) == 8
    assert ("h00", "e0") in new and ("h01", "e7") in new and ("h11", "e5") in new  # by hand: (i + j) divisible by 8
    kept = without_pairs(data, 1)
    assert len(kept.examples) == 2 * (96 - 12) == len(kept.captions)
    seen = {(tag["hair"], tag["eyes"]) for tag in kept.tags}
    assert not seen & set(new) and len(seen) == 84
    for image, caption, tag in zip(kept.examples, kept.captions, kept.tags, strict=True):
        assert data.captions[image[0, 0, 0]] == caption and data.tags[image[0, 0, 0]] == tag
    assert without_pairs(data, 0) is data and len(held_out_pairs(data, 3)) == 36


def test_what_has_no_colours_is_left_as_it_is():
    data = few(["red hair"]).pictures
    assert without_pairs(data, 1) is data and held_out_pairs(data, 1) == []


@pytest.mark.parametrize("count", [-1, 8])
def test_some_eye_colour_must_be_left(count):
    with pytest.raises(UsageError, match=f"{count} eye colours cannot be held out"):
        held_out_pairs(coloured(2, 8), count)


LINES = [
    "0,touhou:17705\tblue hair:9\tred eyes:5\tlong hair:88\t",
    '1,"Blonde Hair:9\tribbon:5"',
    "2,ribbon:5\tre:zero:7",
    "",
    "three,blue hair:1",
    "4,blue hair",
    "5",
    "6,blue hair:many",
    "0,green hair:1",
    "77,green hair:1",
    "7,green eyes:1\tblue eyes:2\tpink hair:3",
    "8,blue hair:1\tbroken \ufffd",
]


@pytest.fixture
def folder(tmp_path):
    """Images 0 to 8 and a tags.csv of which some lines are broken."""
    for index in range(9):
        Image.fromarray(np.full((96, 96, 3), 20 * index, np.uint8)).save(tmp_path / f"{index}.png")
    (tmp_path / "tags.csv").write_text("\n".join(LINES), "utf-8")
    return tmp_path


def test_tags_become_captions(folder, capsys):
    data = datasets.load(f"tags:{folder}", "all", size=16)
    by_image = {int(image[0, 0, 0]): said for image, *said in zip(data.examples, data.captions, data.tags, strict=True)}
    assert by_image == {
        0: ["blue hair red eyes", {"hair": "blue", "eyes": "red"}],
        20: ["blonde hair", {"hair": "blonde"}],
        140: ["pink hair green eyes blue eyes", {"hair": "pink"}],
    }
    assert data.shape == (16, 16, 3) and data.name == f"tags:{folder}"
    said = capsys.readouterr().err.splitlines()
    assert f"skipped line 4 of {folder / 'tags.csv'}: it does not begin with the number of an image and a comma" in said
    assert sum("skipped line" in line for line in said) == 5  # named up to here, then counted
    assert "skipped 8 lines in all, of 12." in said
    assert "left out 1 images without a colour of hair or eyes, of 12." in said


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x,blue hair:1", "does not begin with the number of an image"),
        ("1,blue hair", "has 'blue hair' where tag:#posts should be"),
        ("12,blue hair:1", "is of image 12, which is not there"),
        ("0,blue hair:1\n0,blue hair:1", "is the second of image 0"),
    ],
)
def test_strictly_a_broken_line_is_refused(folder, line, reason):
    (folder / "tags.csv").write_text(line)
    with pytest.raises(UsageError, match=rf"^line \d of .*tags.csv {reason}[^\n]*\.$"):
        datasets.load(f"tags:{folder}", "all", strict=True)


def test_lines_that_are_no_text(folder, capsys):
    (folder / "tags.csv").write_bytes(b"\xef\xbb\xbf0,blue hair:1\r\n1,\xff\xfe:1\r\n")
    assert datasets.load(f"tags:{folder}", "all").captions == ["blue hair"]
    assert "is not UTF-8" in capsys.readouterr().err


def test_tags_of_no_use(folder):
    (folder / "tags.csv").write_text("0,ribbon:1\n")
    with pytest.raises(UsageError, match=r"^no captioned image in .*: give at least an image 0.jpg and a line 0,blue"):
        datasets.load(f"tags:{folder}", "all")
    (folder / "tags.csv").unlink()
    with pytest.raises(UsageError, match=r"^there is no tags.csv in "):
        datasets.load(f"tags:{folder}", "all")
    with pytest.raises(UsageError, match=r"^folder .* does not exist"):
        datasets.load(f"tags:{folder}/nowhere", "all")


def test_texts_beside_images(folder, capsys):
    (folder / "tags.csv").unlink()
    (folder / "0.txt").write_text("A red house\n\n a house \n", "utf-8")
    (folder / "1.txt").write_text("   \n")
    (folder / "2.txt").write_bytes(b"\xff\xfe")
    data = datasets.load(f"captions:{folder}", "all", size=8)
    assert data.captions == ["A red house\na house"] and data.examples[0, 0, 0, 0] == 0
    said = capsys.readouterr().err
    assert "1.txt: it is empty" in said and "2.txt: it is not UTF-8" in said and "has no 3.txt beside it" in said
    assert "skipped 8 images in all, of 9." in said
    with pytest.raises(UsageError, match=r"mend or remove it"):
        datasets.load(f"captions:{folder}", "all", strict=True)
    (folder / "0.txt").unlink()
    with pytest.raises(UsageError, match=r"^no captioned image in .*: give at least an image 0.jpg and a text 0.txt"):
        datasets.load(f"captions:{folder}", "all")
