"""Trainings that are kept, so that an experiment that is run again, or goes on, does only what is missing."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kgan.app import App, TrainOptions
from kgan.errors import UsageError
from kgan.serving import exported
from kgan.serving.export import export
from kgan.training import devices


def measured(options: TrainOptions, path: Path, measure: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `measure` gives, from the file `path` (.npz) if it is there already and of the same options."""
    asked = json.dumps(dataclasses.asdict(options), default=str, sort_keys=True)
    if path.exists():
        with np.load(path, allow_pickle=False) as archive:
            found = dict(archive)
        if str(found.pop("options")) == asked:
            return found
    found = measure()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    with open(beside, "wb") as file:
        np.savez(file, options=asked, **found)
    beside.replace(path)
    return found


def trained(app: App, options: TrainOptions, directory: Path) -> exported.Exported:
    """What the app trains with these options, from `directory` if it is there already.

    It is trained as the app does, without its pictures and checkpoints; its card says in how many `cpu_seconds` and
    `wall_seconds`.
    """
    try:
        return exported.load(directory)
    except UsageError:
        pass
    data = app.data(options, "train")
    devices.set_up(options.devices, options.seed)
    wall, cpu = time.perf_counter(), time.process_time()
    model = app.build(options, data)
    players = {f"{player}_optimizer": model.optimizer_of(player) for player in model.players}
    model.compile(**players, steps_per_execution=min(50, options.updates))
    batches = data.batches(options.batch_size * model.critic_steps, steps=options.updates, seed=options.seed)
    model.fit(batches, verbose=0, shuffle=False)
    card = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    card |= {"app": app.name, "options": dataclasses.asdict(options), "updates": options.updates}
    export(model, directory, card=card)
    return exported.load(directory)
