"""A person's own images: every kind of file, good and bad."""

import numpy as np
import pytest
from PIL import Image

from kgan.datasets import load
from kgan.errors import UsageError


def read(folder, **options):
    return load(f"folder:{folder}", "all", **options)


def only(folder, **options) -> np.ndarray:
    """The one image in the folder."""
    examples = read(folder, **options).examples
    assert len(examples) == 1
    return examples[0]


@pytest.fixture
def ramp() -> np.ndarray:
    """uint8 [8, 8], every value different."""
    return (np.arange(64, dtype=np.uint8) * 4).reshape(8, 8)


def save(folder, names, size=8):
    for k, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size, size), (k % 256, 0, 0)).save(path)


def test_8_bit_colour_and_grey(tmp_path, ramp):
    colour = np.stack([ramp, 255 - ramp, ramp // 2], -1)
    Image.fromarray(colour).save(tmp_path / "a.png")
    np.testing.assert_array_equal(only(tmp_path, size=8), colour)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    np.testing.assert_array_equal(only(tmp_path, size=8, channels=1)[..., 0], ramp)
    np.testing.assert_array_equal(only(tmp_path, size=8), np.stack([ramp] * 3, -1))


@pytest.mark.parametrize("extension", ["png", "tif", "pgm"])
def test_16_bit_grey(tmp_path, ramp, extension):
    Image.fromarray(ramp.astype(np.uint16) * 257 + 100).save(tmp_path / f"a.{extension}")
    np.testing.assert_array_equal(only(tmp_path, size=8, channels=1)[..., 0], ramp)


def test_16_bit_colour_png(tmp_path, ramp):
    """Pillow cannot write one, so the file is made by hand."""
    import struct
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    colour = np.stack([ramp, 255 - ramp, ramp // 2], -1)
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).astype(">u2").tobytes() for row in colour)
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(png)
    np.testing.assert_array_equal(only(tmp_path, size=8), colour)


@pytest.mark.parametrize("scale", [1 / 255, 1])
def test_float_tiff(tmp_path, ramp, scale):
    Image.fromarray((ramp * scale).astype(np.float32)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(only(tmp_path, size=8, channels=1)[..., 0], ramp)


def test_palette_and_one_bit(tmp_path):
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 0, 200, 100, 50])
    picture.save(tmp_path / "a.gif")
    np.testing.assert_array_equal(only(tmp_path, size=8), np.full((8, 8, 3), (200, 100, 50)))
    (tmp_path / "a.gif").unlink()
    picture.save(tmp_path / "b.png", transparency=1)
    np.testing.assert_array_equal(only(tmp_path, size=8), 255)
    (tmp_path / "b.png").unlink()
    half = np.zeros((8, 8), bool)
    half[:, 4:] = True
    Image.fromarray(half).save(tmp_path / "c.png")
    np.testing.assert_array_equal(only(tmp_path, size=8, channels=1)[..., 0], half * 255)


def test_transparency_shows_white_or_is_kept(tmp_path):
    Image.new("RGBA", (8, 8), (100, 0, 50, 51)).save(tmp_path / "a.png")  # a fifth opaque
    np.testing.assert_allclose(only(tmp_path, size=8)[0, 0], (224, 204, 214), atol=1)
    np.testing.assert_allclose(only(tmp_path, size=8, channels=4)[0, 0], (100, 0, 50, 51), atol=2)
    Image.new("LA", (8, 8), (100, 0)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(only(tmp_path, size=8, channels=1), 255)


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)  # magenta and yellow: red
    np.testing.assert_allclose(only(tmp_path, size=8)[4, 4], (255, 0, 0), atol=8)


def test_exif_orientation_is_honoured(tmp_path):
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:8] = 255  # white above, black below
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    Image.fromarray(np.rot90(upright).copy()).save(tmp_path / "a.jpg", exif=exif, quality=95)
    seen = only(tmp_path, size=16)
    assert seen[:6].min() > 240
    assert seen[10:].max() < 15


def test_rectangles_are_cropped_and_large_jpegs_read_small(tmp_path):
    wide = np.zeros((1000, 3000, 3), np.uint8)
    wide[:, 1000:2000] = (0, 200, 0)
    Image.fromarray(wide).save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(only(tmp_path, size=50)[2:-2, 2:-2], np.full((46, 46, 3), (0, 200, 0)), atol=4)
    assert only(tmp_path, size=(20, 60)).shape == (20, 60, 3)
    assert read(tmp_path).shape == (64, 64, 3)


@pytest.fixture
def damaged(tmp_path):
    """Three good images; a truncated JPEG, a text named .jpg, an empty file; and what is not meant as an image."""
    save(tmp_path, ["good1.png", "good2.bmp", "deep/er/good3.JPG"])
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:2000])
    (tmp_path / "text.jpg").write_text("I am not a picture.")
    (tmp_path / "empty.png").touch()
    (tmp_path / "notes.txt").write_text("no image, and not named like one")
    (tmp_path / ".hidden.png").write_text("nor this")
    return tmp_path


def test_damaged_files_are_named_and_skipped(damaged, capsys):
    assert len(read(damaged).examples) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    for name in ("cut.jpg", "text.jpg", "empty.png"):
        assert sum(f"skipped {damaged / name}: " in line for line in lines) == 1


def test_strict_refuses_damaged_files(damaged):
    with pytest.raises(UsageError, match=r"(cut.jpg|text.jpg|empty.png) cannot be read as an image"):
        read(damaged, strict=True)
    for name in ("cut.jpg", "text.jpg", "empty.png"):
        (damaged / name).unlink()
    assert len(read(damaged, strict=True).examples) == 3


def test_many_damaged_files_are_counted(tmp_path, capsys):
    save(tmp_path, ["good.png"])
    for k in range(12):
        (tmp_path / f"bad{k}.png").touch()
    assert len(read(tmp_path).examples) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert "skipped 12 files in all" in lines[-1]


def test_nothing_usable_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="missing' does not exist"):
        read(tmp_path / "missing")
    with pytest.raises(UsageError, match="no images in .* looked in it and its sub-folders for .*found 0 other files"):
        read(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match="found 1 other files"):
        read(tmp_path)
    with pytest.raises(UsageError, match="is a file, not a folder"):
        read(tmp_path / "notes.txt")
    (tmp_path / "bad.png").touch()
    with pytest.raises(UsageError, match="none of the 1 image files .* can be read"):
        read(tmp_path)


def test_sub_folders_are_classes_only_when_every_image_is_in_one(tmp_path):
    save(tmp_path, ["b/1.png", "a/2.png", "a/x/3.png"])
    data = read(tmp_path)
    assert data.label_names == ["a", "b"]
    number = {0: 1, 1: 0, 2: 0}  # the red value says which file it is
    assert [number[image[0, 0, 0]] for image in data.examples] == data.labels.tolist()
    save(tmp_path, ["outside.png"])
    assert read(tmp_path).labels is None
    (tmp_path / "outside.png").unlink()
    (tmp_path / "b/1.png").unlink()
    assert read(tmp_path).labels is None  # a single class tells nothing


def test_splits_are_disjoint_complete_and_stay(tmp_path):
    def parts():
        return [
            {tuple(image[0, 0]) for image in load(f"folder:{tmp_path}", split, size=2).examples}
            for split in ("train", "test", "all")
        ]

    save(tmp_path, [f"{k}.png" for k in range(100)], size=2)
    train, test, everything = parts()
    assert train | test == everything
    assert not train & test
    assert 3 <= len(test) <= 20
    for k in range(100, 150):
        Image.new("RGB", (2, 2), (0, k, 0)).save(tmp_path / f"more{k}.png")
    more_train, more_test, _ = parts()
    assert train < more_train
    assert test <= more_test


def test_split_without_a_file_says_so(tmp_path):
    save(tmp_path, ["one.png"])
    sizes = []
    for split in ("train", "test"):
        try:
            sizes.append(len(load(f"folder:{tmp_path}", split).examples))
        except UsageError as error:
            assert f"in the {split} split" in str(error) and "'all'" in str(error)
    assert sizes == [1]


def test_count(tmp_path):
    save(tmp_path, [f"{k}.png" for k in range(9)])
    np.testing.assert_array_equal(read(tmp_path, count=4).examples, read(tmp_path).examples[:4])
    with pytest.raises(UsageError, match="10 images asked for but .* has 9"):
        read(tmp_path, count=10)
    (tmp_path / "bad.png").touch()
    assert len(read(tmp_path, count=9).examples) == 9
    with pytest.raises(UsageError, match="10 images asked for but only 9 .* can be read"):
        read(tmp_path, count=10)


def test_a_link_that_leads_back_does_no_harm(tmp_path):
    save(tmp_path, ["a/1.png", "b/2.png"])
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    assert len(read(tmp_path).examples) == 2


def test_too_large_for_the_memory(tmp_path, monkeypatch):
    save(tmp_path, ["a.png", "b.png"])
    monkeypatch.setattr("kgan.datasets.images.machine_memory", lambda: 20_000)
    with pytest.raises(UsageError, match="lower the size or the count"):
        read(tmp_path)
    assert len(read(tmp_path, size=32).examples) == 2
