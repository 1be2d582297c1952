"""The app on images: its pictures, its figures, your own folders, and what cannot work."""

import re

import numpy as np
import pytest
from PIL import Image
from small import run

from apps.domain_adaptation import DomainAdaptation
from kgan.app import main
from kgan.serving import exported

TINY = ["--width", "2", "--features", "6", "--hidden", "0", "--updates", "2", "--batch-size", "8"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two classes of pictures, dark and bright, in grey and in colour, and colour that nobody has sorted."""
    folder, random = tmp_path_factory.mktemp("domains"), np.random.default_rng(0)
    for domain, channels in (("grey", 1), ("colour", 3), ("unsorted", 3)):
        for index in range(80):
            pixels = random.integers(0, 100, (8, 8, channels)) + 120 * (index % 2)
            into = folder / domain / ("" if domain == "unsorted" else ["dark", "bright"][index % 2])
            into.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8).repeat(3 // channels, -1)).save(into / f"{index}.png")
    return folder


def trained(folder, name, *options):
    run("domain_adaptation", "train", *TINY, *options, "--runs", folder / name)
    (directory,) = (folder / name / "domain_adaptation").iterdir()
    run("domain_adaptation", "export", "--run", directory, "--to", folder / "models" / name, "--count", "64")
    return folder / "models" / name


def test_digits_before_and_after(tmp_path, capsys):
    before, after = (trained(tmp_path, method, "--method", method) for method in ("none", "alternating"))
    model = exported.load(after)
    assert list(model.signatures) == ["classify", "features", "score"]
    names = [figure["name"] for figure in model.card["figures"]]
    assert names == ["source accuracy", "target accuracy", "domain classifier's accuracy"]
    assert model.card["data"]["name"] == "digits to coloured-digits" and "photographs" in model.card["data"]["licence"]
    answer = model.call("classify", images=np.zeros([3, 28, 28, 3], np.uint8))
    assert answer["probabilities"].shape == (3, 10) and answer["labels"].dtype == np.int64
    np.testing.assert_allclose(answer["probabilities"].sum(1), 1, rtol=1e-5)
    assert model.call("features", images=np.zeros([3, 28, 28, 3], np.uint8))["features"].shape == (3, 6)
    out = tmp_path / "compared.png"
    run("domain_adaptation", "compare", "--before", before, "--after", after, "--count", "40", "--out", out)
    assert np.asarray(Image.open(out)).std() > 0 and Image.open(out).size[0] >= 1_000


def test_your_own_folders(folders, capsys):
    source = ["--data", f"folder:{folders}/grey", "--size", "8"]
    trained(folders, "sorted", *source, "--target", f"folder:{folders}/colour", "--method", "target")
    capsys.readouterr()
    model = trained(folders, "open", *source, "--target", f"folder:{folders}/unsorted")
    said = capsys.readouterr().out
    assert "source accuracy" in said and "domain classifier" in said and "target accuracy" not in said
    run("domain_adaptation", "sample", "--model", model, "--count", "4", "--out", folders / "map.png")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data", "ring"], "--data ring has no usual target"),
        (["--data", "digits", "--target", "ring"], "ring"),
        (["--data", "folder:{folders}/unsorted", "--target", "folder:{folders}/grey"], "has no labels"),
        (["--data", "folder:{folders}/grey", "--target", "folder:{folders}/unsorted", "--method", "target"], "labels"),
        (["--data", "digits", "--target", "folder:{folders}/grey", "--size", "8"], "has the classes"),
        (["--data", "digits", "--target", "folder:{folders}/unsorted"], "is of shape"),
        (["--data", "moons", "--network", "dcgan"], "--network dcgan is not for points"),
        (["--data", "moons", "--target", "digits"], "for images, not for moons"),
        (["--critic-steps", "2"], "--critic-steps 2 is for --method alternating"),
        (["--objective", "wasserstein"], "without a constraint has no minimum"),
        (["--objective", "least-squares"], "treats the two domains unlike"),
        (["--strength", "-1"], "strength -1"),
        (["--features", "0"], "--features is 0"),
        (["--hidden", "-1"], "--hidden is -1"),
        (["--learning-rate", "0"], "--learning-rate is 0"),
        (["--size", "8", "8", "3"], "size"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(options, said, folders, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        options = [option.format(folders=folders) for option in options]
        main(DomainAdaptation(), ["train", *options, "--updates", "1", "--runs", str(tmp_path)])
    lines = [line for line in capsys.readouterr().err.splitlines() if "reading images" not in line and line]
    assert end.value.code == 2 and len(lines) == 1 and re.search(said, lines[0]), lines
    assert not list(tmp_path.iterdir())
