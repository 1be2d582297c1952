"""Short versions of E1, E2 and E3, with loose bounds: that each algorithm finds what is known to be there."""

import numpy as np
import pytest

from apps.toy_distributions import Options
from benchmarks import divergence, fgan, modes, results


@pytest.mark.parametrize(
    ("data", "theta", "jsd"), [("gaussians", 1.0, 0.1114), ("gaussians", 4.0, 0.6327), ("lines", 1.0, 0.6931)]
)
def test_minimax_discriminator_measures_the_jensen_shannon_divergence(data, theta, jsd):
    found = divergence.estimate("minimax", data, theta, seed=0, updates=300, count=20_000)
    assert found == pytest.approx(jsd, abs=0.02)


@pytest.mark.parametrize(("data", "theta"), [("gaussians", 4.0), ("lines", 2.0)])
def test_penalised_critic_measures_the_distance_of_the_two(data, theta):
    found = divergence.estimate("wasserstein", data, theta, seed=0, updates=500, count=20_000)
    assert found == pytest.approx(theta, rel=0.1)


@pytest.mark.parametrize("name", ["kl", "pearson"])
def test_f_gan_finds_the_best_gaussian(name):
    best, _ = fgan.REFERENCE[name]
    found = fgan.fit(name, seed=0, updates=600)
    assert found.divergence == pytest.approx(best.divergence, abs=0.05)
    assert found.mean == pytest.approx(best.mean, abs=0.25)
    assert found.deviation == pytest.approx(best.deviation, abs=0.25)


def test_references_of_f_gan_are_the_smallest_divergences():
    x = np.linspace(-15, 17, 8_001)

    def normal(mean, deviation):
        return np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))

    p = 0.33 * normal(-1, 0.255) + 0.67 * normal(2, 1.415)
    definitions = {
        "kl": lambda q: p * np.log(p / q),
        "reverse-kl": lambda q: q * np.log(q / p),
        "jensen-shannon": lambda q: p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q)),
        "jeffreys": lambda q: (p - q) * np.log(p / q),
        "pearson": lambda q: (p - q) ** 2 / q,
    }
    for name, (best, _) in fgan.REFERENCE.items():

        def value(mean, deviation, name=name):
            return np.trapezoid(definitions[name](normal(mean, deviation)), x)

        assert value(best.mean, best.deviation) == pytest.approx(best.divergence, abs=2e-4), name
        for step in (-0.02, 0.02):
            assert value(best.mean + step, best.deviation) > value(best.mean, best.deviation), name
            assert value(best.mean, best.deviation + step) > value(best.mean, best.deviation), name


def test_wgan_gp_finds_every_mode_of_the_ring():
    found = modes.train(Options(data="ring", seed=0, updates=1_500)).coverage
    assert found.covered == 8
    assert found.high_quality > 0.5


def test_an_experiment_replaces_its_own_rows_and_no_others(tmp_path):
    path = tmp_path / "RESULTS.md"

    def record(title, ours):
        row = results.Row(setting="s", ours=ours, reference="r", passes=ours != "bad")
        return results.record(title, [row], command="c", seeds=[0, 1], protocol="p", path=path)

    assert record("one", "first") and record("two", "second") and not record("three", "bad")
    assert record("two", "better")
    text = path.read_text("utf-8")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## one", "## two", "## three"]
    assert "first" in text and "better" in text and "second" not in text
    assert "| s | bad | r | **no** |" in text
