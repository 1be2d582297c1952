"""The book's experiments, made small: what each reports and draws."""

import pytest

from kgan.control import book


@pytest.mark.parametrize(
    ("name", "runs", "figures"), [("walk", 20, 7), ("episodes", 1, 4), ("corridor", 2, 3), ("cliff", 2, 6)]
)
def test_an_experiment_reports_and_draws(name, runs, figures, monkeypatch):
    monkeypatch.setattr(book, "CORRIDOR_EPISODES", 30)
    monkeypatch.setattr(book, "CLIFF_EPISODES", 110)
    ticks = []
    found = book.EXPERIMENTS[name](runs=runs, tick=lambda: ticks.append(1))
    assert len(found.figures) == figures and ticks
    assert found.picture.ndim == 3 and found.picture.std() > 10
    if name == "walk":
        by_name = {figure.name: figure.value for figure in found.figures}
        assert 0.02 < by_name["error of TD(0), step size 0.05"] < 0.06
        assert 0.07 < by_name["error of Monte-Carlo, step size 0.01"] < 0.13
    if name == "episodes":
        assert [round(figure.value, 12) for figure in found.figures] == [0, 0.75, 0.75, 0.75]


def test_smoothing_by_hand():
    assert book.smoothed([1.0, 2.0, 6.0], 2).tolist() == [1.5, 4.0]
