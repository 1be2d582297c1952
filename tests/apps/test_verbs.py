"""What every app of apps/ promises: each verb helps, works on a tiny training, and follows the one before."""

import dataclasses
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from small import APPS, SMALL, app_of, run, train, write_pictures

from kgan import app as verbs
from kgan.serving import exported


def test_every_app_has_a_small_training():
    assert len(APPS) >= 3
    assert not set(APPS) - set(SMALL), "add it to tests/apps/small.py"


@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("verb", ["", "train", "sample", "evaluate", "export"])
def test_help_says_what_every_option_is(name, verb, capsys):
    with pytest.raises(SystemExit) as end:
        verbs.main(app_of(name), [*filter(None, [verb]), "--help"])
    assert end.value.code == 0
    printed, said = capsys.readouterr()
    assert not said
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", printed).split())
    if not verb:
        assert all(word in text for word in ("train", "sample", "evaluate", "export"))
        return
    kinds = {"sample": verbs.SampleOptions, "evaluate": verbs.EvaluateOptions, "export": verbs.ExportOptions}
    wanted = flags(kinds.get(verb, app_of(name).Options))
    text = re.sub(
        r"(--[a-z0-9-]+ [A-Z]+), --[a-z0-9-]+ [A-Z]+", r"\1", text.partition("show this help")[2]
    )  # two names
    helped = dict(re.findall(r"(--[a-z0-9-]+) (.*?)(?= --[a-z0-9-]+ |$)", text))
    for flag in wanted:
        said_of_it = re.sub(r"\((default|required).*", "", helped.get(flag, ""))
        words = [word for word in said_of_it.split() if re.fullmatch(r"[a-zé'’-]{3,}[.,:;]?", word)]
        assert len(words) >= 2, f"--help says nothing of {flag}: {said_of_it!r}"


def flags(kind) -> set[str]:
    found = set()
    for field in dataclasses.fields(kind):
        if field.name == "devices":
            found |= flags(verbs.Devices)
        else:
            refused = "no-" * (field.default is True)  # what is on by default can only be left out
            found.add("--" + refused + field.name.strip("_").replace("_", "-"))
    return found


class Made(NamedTuple):
    """An app's small training and its export."""

    name: str
    folder: Path
    run: Path
    export: Path


@pytest.fixture(scope="module", params=APPS)
def made(request, tmp_path_factory):
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    write_pictures(folder / "pictures")
    directory = train(name, folder)
    run(name, "export", "--run", directory, "--to", folder / "models" / "small", "--count", "8")
    return Made(name, folder, directory, folder / "models" / "small")


def answers(model) -> dict[str, np.ndarray]:
    """What each signature says to inputs drawn once and for all."""
    found = {}
    for name in model.signatures:
        random, request = np.random.default_rng(1), {}
        for key, spec in model.card["signatures"][name]["inputs"].items():
            shape = [5 if size is None else size for size in spec["shape"]]
            whole = spec["dtype"].startswith(("int", "uint"))
            request[key] = random.integers(1, 9, shape) if whole else random.normal(size=shape).astype(np.float32)
            if spec["dtype"] == "string":
                request[key] = ["".join(random.choice(list("abc "), 5)) for _ in range(shape[0])]
        found |= {f"{name}.{key}": value for key, value in model.call(name, **request).items()}
    return found


def newest(directory: Path) -> dict[str, np.ndarray]:
    with np.load(max((directory / "checkpoints").glob("*.npz"))) as archive:
        return dict(archive)


def test_a_training_leaves_a_complete_run(made):
    assert {path.name for path in made.run.iterdir()} >= {
        "config.json", "checkpoints", "samples", "progress.gif", "metrics.csv", "tensorboard",
    }  # fmt: skip
    rows = (made.run / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["update", "1", "2", "3"]
    assert [path.name for path in (made.run / "samples").iterdir()] == ["000003.png"]


def test_the_export_is_described(made):
    model = exported.load(made.export)
    assert model.card["app"] == made.name and model.card["updates"] == 3
    assert model.card["figures"] and model.card["data"]["licence"]
    numbers = [value for value in answers(model).values() if value.dtype != object]
    assert all(np.isfinite(value).all() for value in numbers)


def test_sample_draws_a_picture_that_its_seed_decides(made, capsys):
    pictures = []
    for seed in (1, 1, 2):
        out = made.folder / f"sample_{len(pictures)}.png"
        run(made.name, "sample", "--model", made.export, "--count", "4", "--seed", seed, "--out", out)
        assert str(out) in capsys.readouterr().out
        pictures.append(np.asarray(Image.open(out)))
    assert pictures[0].ndim == 3 and pictures[0].std() > 0
    assert np.array_equal(pictures[0], pictures[1])
    if "generate" in exported.load(made.export).signatures:
        assert not np.array_equal(pictures[0], pictures[2])


def test_evaluate_prints_figures_with_their_protocol(made, capsys):
    run(made.name, "evaluate", "--model", made.export, "--count", "8")
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) >= 2 and all(re.search(r"\d", line) for line in lines)


def test_fine_tuning_at_zero_updates_is_the_exported_model(made, capsys):
    begun = sorted((made.folder / "runs" / made.name).iterdir())
    run(made.name, "train", "--from", made.export, "--updates", "0", "--runs", made.folder / "runs")
    (directory,) = set((made.folder / "runs" / made.name).iterdir()) - set(begun)
    run(made.name, "export", "--run", directory, "--to", made.folder / "models" / "again", "--count", "0")
    first, again = answers(exported.load(made.export)), answers(exported.load(made.folder / "models" / "again"))
    assert first.keys() == again.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], again[key], err_msg=key)


def test_fine_tuning_trains_on(made, capsys):
    begun = sorted((made.folder / "runs" / made.name).iterdir())
    run(made.name, "train", "--from", made.export, "--updates", "2", "--runs", made.folder / "runs")
    (directory,) = set((made.folder / "runs" / made.name).iterdir()) - set(begun)
    with np.load(directory / "checkpoints" / "00000000.npz") as archive:
        before = dict(archive)
    after = newest(directory)
    weights = [name for name in before if "/" in name and "optimizer/" not in name and before[name].ndim > 1]
    assert after["updates"] == 2 and any(not np.array_equal(before[name], after[name]) for name in weights)


def test_a_resumed_run_goes_on_to_where_an_uninterrupted_one_ends(made, capsys):
    run(made.name, "train", "--resume", made.run)  # nothing left to do, nothing changes
    at_three = newest(made.run)
    assert at_three["updates"] == 3
    run(made.name, "train", "--resume", made.run, "--updates", "5")
    assert newest(made.run)["updates"] == 5
    if made.name == "image_generation":  # of others a schedule over the run is another one when the run is longer
        one, other = newest(made.run), newest(train(made.name, made.folder, "--updates", "5"))
        assert not [name for name in one if not np.array_equal(one[name], other[name])]
