"""The verb `modes`: classes and modes that were left out on purpose are named, with the figures that follow."""

import math
from pathlib import Path

import numpy as np
import pytest

from apps import image_generation, toy_distributions
from kgan import datasets, modes
from kgan.datasets.toys import toy_modes
from kgan.metrics.features import feature_network


class Pretended:
    """Answers `generate` with given samples, and `decode` with those of each member."""

    def __init__(self, kind: str, samples: np.ndarray, members: list[np.ndarray] | None = None):
        self.kind, self.samples, self.members, self.at = kind, samples, members, 0

    def call(self, name, **inputs):
        if name == "decode":
            return {self.kind: self.members[inputs["members"][0]][: len(inputs["latents"])]}
        self.at += inputs["count"]
        return {self.kind: self.samples[self.at - inputs["count"] : self.at]}


def said(app, options, model, monkeypatch, capsys, out: Path, **asked) -> dict[str, str]:
    """What `modes` prints of this model: the line of each figure, by its name."""
    monkeypatch.setattr(modes, "open_model", lambda app, path: (model, options))
    _, verb = app.verbs()["modes"]
    verb(modes.ModesOptions(model=Path("nowhere"), out=out, **asked))
    assert out.exists()
    lines = capsys.readouterr().out.splitlines()
    return {line.split(" (")[0].rsplit(" ", 1)[0]: line for line in lines}


def value(line: str) -> float:
    return float(line.split(" (")[0].rsplit(" ", 1)[1])


def test_missing_digits_are_named(monkeypatch, capsys, tmp_path):
    train = datasets.load("digits", "train")
    only = train.examples[np.isin(train.labels, [0, 1, 2, 4])][:400]
    app, options = image_generation.ImageGeneration(), image_generation.Options()
    monkeypatch.setattr(image_generation, "feature_network", feature_network)
    found = said(app, options, Pretended("images", only), monkeypatch, capsys, tmp_path / "a.png", count=400)
    assert value(found["modes"]) == 4 and found["modes"].endswith("missing 3, 5, 6, 7, 8, 9")
    assert 1.3 < value(found["entropy of the modes"]) < math.log(5)  # log 4 is 1.386; a few are mistaken
    assert 0.7 < value(found["KL(model || data) over the modes"]) < 1.1  # log(10/4) = .92 for equal shares
    assert value(found["distance to the nearest training example, samples / held-out"]) == 0  # they are copies
    assert value(found["recall"]) < 0.9


def test_missing_modes_of_a_ring_are_named(monkeypatch, capsys, tmp_path):
    centres, _ = toy_modes("ring")
    six = np.repeat(np.delete(centres, [0, 2], axis=0), 10, axis=0).astype(np.float32)
    stray = np.full((20, 2), 3.0, np.float32)  # of no mode
    app, options = toy_distributions.ToyDistributions(), toy_distributions.Options()
    model = Pretended("samples", np.concatenate([six, stray]))
    found = said(app, options, model, monkeypatch, capsys, tmp_path / "a.png", count=80)
    assert value(found["modes"]) == 6 and found["modes"].endswith("missing (1, 0), (0, 1)")
    assert value(found["samples in a mode"]) == 0.75
    assert value(found["entropy of the modes"]) == pytest.approx(math.log(6), abs=1e-3)
    assert value(found["KL(model || data) over the modes"]) == pytest.approx(math.log(8 / 6), abs=0.02)


def test_an_ensemble_is_shown_beside_its_best_member(monkeypatch, capsys, tmp_path):
    centres = toy_modes("ring")[0].astype(np.float32)
    members = [np.repeat(centres[:3], 20, axis=0), np.repeat(centres[2:7], 20, axis=0)]
    app, options = toy_distributions.ToyDistributions(), toy_distributions.Options(ensemble=2)
    model = Pretended("samples", np.concatenate(members), [centres[:3], centres[2:7]])
    found = said(app, options, model, monkeypatch, capsys, tmp_path / "a.png", count=160)
    assert value(found["modes"]) == 7 and found["modes"].endswith("missing (0.707, -0.707)")
    best = found["modes of the best member"]
    assert value(best) == 5 and "member 1; all of them: 3, 5" in best
    assert best.endswith("the ensemble adds (1, 0), (0.707, 0.707)")


def test_a_few_mistakes_do_not_cover_a_class():
    seen = modes.Modes(("a", "b", "c"), "looks", np.asarray, np.asarray)
    # Of 1,000 samples 200 are expected in b and in c: 20 are enough, 19 are not.
    missing = seen.missing(np.array([961, 19, 20]), np.array([60, 20, 20]))
    assert missing.tolist() == [False, True, False] and seen.named(missing) == "b"
    exact = modes.of_mixture(np.zeros((2, 2)), 1.0)
    assert exact.missing(np.array([999, 1]), np.array([5, 5])).tolist() == [False, False]


def labelled(labels: list[int] | None) -> datasets.Data:
    levels = np.array([0, 10, 100, 110, 200, 210], np.uint8)
    images = np.ones((6, 8, 8, 1), np.uint8) * levels[:, None, None, None]
    names = None if labels is None else ["dark", "grey", "light"]
    return datasets.Data("levels", "train", images, None if labels is None else np.array(labels), names)


@pytest.fixture
def activations():
    def network(images):
        return images.mean(axis=(1, 2, 3))[:, None]

    network.labels, network.description = (), "brightness"
    return network


def test_labels_a_network_does_not_know_are_those_of_the_nearest_training_image(activations):
    found = modes.of_images(labelled([0, 0, 1, 1, 2, 2]), activations)
    images = np.ones((3, 8, 8, 1), np.uint8) * np.array([3, 190, 255], np.uint8)[:, None, None, None]
    assert found.names == ("dark", "grey", "light")
    assert found.sort(images).tolist() == [0, 2, 2]
    assert found.counts(images).tolist() == [1, 0, 2]


def test_without_labels_the_modes_are_clusters_of_the_data(activations):
    found = modes.of_images(labelled(None), activations)
    assert found.names[0] == "cluster 0" and len(found.names) == 6
    assert sorted(found.sort(labelled(None).examples).tolist()) == list(range(6))


def test_too_few_samples_are_one_sentence(capsys):
    from kgan.app import main

    with pytest.raises(SystemExit) as end:
        main(toy_distributions.ToyDistributions(), ["modes", "--model", "nowhere", "--count", "2"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: --count is 2: give at least 8 samples to measure.\n"
