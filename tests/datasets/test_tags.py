"""Tags of one's own images."""

import pytest
from PIL import Image

from kgan.datasets import load, tags
from kgan.errors import UsageError

NAMES = ["anna.jpg", "sub/ben.png", "nobody.png"]


def test_words_values_and_images_without_a_line(tmp_path):
    (tmp_path / "tags.txt").write_text("# mine\nanna.jpg: glasses, hair=red\n\nsub/ben.png: long hair\n", "utf-8-sig")
    assert tags.read(tmp_path, NAMES, strict=True) == [{"glasses": True, "hair": "red"}, {"long hair": True}, {}]
    assert tags.read(tmp_path / "nowhere", NAMES, strict=True) is None


def test_broken_lines_are_named_and_skipped_or_refused(tmp_path, capsys):
    (tmp_path / "tags.txt").write_text("anna.jpg: glasses\n" + "sub/ben.png glasses\nnobody.png: hair=\n" * 4)
    assert tags.read(tmp_path, NAMES, strict=False) == [{"glasses": True}, {}, {}]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 6 and "line 2 of" in said[0] and said[-1].startswith("skipped 8 lines")
    with pytest.raises(UsageError, match=r"^line 2 of .* is 'sub/ben.png glasses', not like 'anna"):
        tags.read(tmp_path, NAMES, strict=True)
    (tmp_path / "tags.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        tags.read(tmp_path, NAMES, strict=False)


def test_a_folder_has_the_tags_of_the_images_that_are_read(tmp_path):
    for name in ("a", "b", "c"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_text("damaged")
    (tmp_path / "tags.txt").write_text("a.png: one\nb.png: two\nc.png: three\n")
    found = load(f"folder:{tmp_path}", "all", size=8)
    assert sorted(next(iter(tag)) for tag in found.tags) == ["one", "three"] and len(found.examples) == 2
