"""The book's experiments, made small: what each reports and draws."""

import pytest

from kgan.control import book, cliff


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


def test_the_cliff_is_walked_as_it_is_learnt():
    ways = {name: cliff.path(tables[-1]) for name, tables in cliff.learning(snapshots=(0, 100)).items()}
    assert ways["Q-learning"].tolist() == [[3, 0], *[[2, column] for column in range(12)], [3, 11]]  # along the edge
    assert ways["SARSA"][:, 0].min() == 0 and ways["SARSA"][-1].tolist() == [3, 11]  # away from it
    frames = cliff.animation(snapshots=(0,))  # up, to the border
    assert len(frames) == 3 + 5 and len({frame.shape for frame in frames}) == 1
    assert (frames[0] == frames[2]).all() and not (frames[3] == frames[4]).all()
