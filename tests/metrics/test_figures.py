import json
from pathlib import Path

import numpy as np
import pytest

import kgan
from kgan.metrics.features import feature_network
from kgan.metrics.protocol import Figure, image_figures, protocol, report


def test_a_figure_prints_with_its_protocol():
    how = protocol("digit classifier, 64 activations", 1000, 2500, "held-out digits", seed=0, extra="k 3")
    assert how == "digit classifier, 64 activations; k 3; 1,000 samples against 2,500 held-out digits; seed 0"
    assert str(Figure("precision", 0.98766, how)) == f"precision 0.9877 ({how})"
    assert str(Figure("KL", 0.5, "p", 0.123, "all 10")) == "KL 0.5 ± 0.12 (p): all 10"


@pytest.fixture(scope="module")
def digits():
    with np.load(Path(kgan.__file__).parent / "datasets" / "files" / "digits.npz") as digits:
        return {name: digits[name][..., None] if name[0] == "x" else digits[name] for name in digits.files}


@pytest.fixture(scope="module")
def network():
    return feature_network("digits")


def figures_of(fake, digits, network):
    figures = image_figures(
        fake,
        digits["x_test"][:400],
        network,
        reference_name="held-out digits",
        seed=5,
        real_labels=digits["y_test"][:400],
        training=digits["x_train"][:2000],
    )
    for line in report(figures).splitlines():
        assert "400 samples against 400 held-out digits" in line and "seed 5" in line
    json.dumps([figure.as_dict() for figure in figures], allow_nan=False)
    return {figure.name: figure for figure in figures}


def test_figures_tell_real_digits_from_collapsed_and_remembered_ones(digits, network):
    real = figures_of(digits["x_test"][400:800], digits, network)
    no_three = digits["x_train"][2000:][np.isin(digits["y_train"][2000:], [3, 8], invert=True)][:400]
    collapsed = figures_of(no_three, digits, network)
    remembered = figures_of(digits["x_train"][:400], digits, network)

    assert collapsed["Fréchet distance"].value > 2 * real["Fréchet distance"].value
    assert abs(real["Fréchet distance, infinite samples"].value) < real["Fréchet distance"].value
    kernel = collapsed["kernel distance"]
    assert kernel.value > 3 * kernel.standard_error
    assert abs(real["kernel distance"].value) < 4 * real["kernel distance"].standard_error
    assert real["precision"].value > 0.8 and real["recall"].value > 0.8
    assert collapsed["class KL(model || data)"].value > 0.15 > 0.05 > real["class KL(model || data)"].value
    assert real["class KL(model || data)"].remark == "all 10 classes"
    nearness = "distance to the nearest training image, samples / real"
    assert real[nearness].value == pytest.approx(1, abs=0.1)
    assert remembered[nearness].value == 0
