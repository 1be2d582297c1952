"""The bars of photo_editing and attribute_editing, on exported models.

    python -m benchmarks.editing --photo saved_models/faces_editor --attributes saved_models/faces_attributes

With --sweep it prints attribute edits at several strengths and numbers of steps, and writes nothing.
"""

import argparse
from pathlib import Path

from apps.attribute_editing import AttributeEditing
from apps.photo_editing import PhotoEditing
from benchmarks.results import Row, record
from kgan.app import Caller, open_model
from kgan.metrics import tags
from kgan.metrics.edits import attribute_figures, projection_figures, stroke_figures
from kgan.training import devices

SECONDS = 2.0
CONFIRMED, KEPT = 0.85, 0.80
JUDGED = ("hair_length=long", "glasses")
STROKES = 50


def main() -> None:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, default=Path("saved_models/faces_editor"), help="of photo_editing")
    parser.add_argument("--attributes", type=Path, default=Path("saved_models/faces_attributes"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of noise and strokes")
    parser.add_argument("--images", type=int, default=100, help="held-out ones")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--sweep", action="store_true", help="only look for the strength")
    given = parser.parse_args()
    devices.set_up(devices.Devices(threads=given.threads), given.seeds[0])
    if given.sweep:
        return sweep(given)
    rows = [*photo_rows(given), *attribute_rows(given)]
    command = f"python -m benchmarks.editing --photo {given.photo} --attributes {given.attributes}"
    passed = record(
        "Editing through a generator", rows, command=command, seeds=given.seeds,
        protocol=f"{given.images} held-out images of what each encoder was trained on. All settings are those of the "
        "exports' own cards (apps.photo_editing, apps.attribute_editing). Errors are mean squares of values in [0, 1]; "
        "descent and hybrid make the same number of steps. A stroke is a box of a quarter of the sides in the mean "
        f"colour of another image there, that differs by at least 0.15; {STROKES} of them a seed. Attributes are added "
        f"to every image that lacks them and read by the {tags.DESCRIPTION}, which knows nothing of the generator; the "
        "other tags are compared with what it reads off the reconstruction, which the edit began from. For the photo "
        "rows to pass, every seed must.",
    )  # fmt: skip
    raise SystemExit(0 if passed else 1)


def photo_rows(given) -> list[Row]:
    """Reconstruction by the three methods, strokes, and time."""
    app = PhotoEditing()
    model, trained = open_model(app, given.photo)
    images = app.data(trained, "test").examples[: given.images]
    projected, stroked = [], []
    for seed in given.seeds:
        for figures, found in (
            (projected, projection_figures(model, images, trained.steps, reference_name="", seed=seed)),
            (stroked, stroke_figures(
                model, images[:STROKES], trained.steps, trained.proximity, trained.realism, reference_name="", seed=seed
            )),
        ):  # fmt: skip
            figures.append({figure.name.split(", ")[-1]: figure for figure in found})
        print(*projected[-1].values(), *stroked[-1].values(), sep="\n", flush=True)

    def each(figures: list[dict], name: str, form: str) -> str:
        return ", ".join(f"{figure[name].value:{form}}" for figure in figures)

    methods = ("encoder", "descent", "hybrid")
    return [
        {
            "setting": f"reconstruction error, {trained.steps} steps",
            "ours": "; ".join(f"{method} {each(projected, method, '.4f')}" for method in methods),
            "reference": "the hybrid's is the lowest",
            "passes": all(min(f, key=lambda name: f[name].value) == "hybrid" for f in projected),
        },
        {
            "setting": f"colour error of strokes, proximity {trained.proximity:g}, realism {trained.realism:g}",
            "ours": f"{each(stroked, 'before', '.3f')} before, {each(stroked, 'after', '.3f')} after; distance "
            f"{each(stroked, 'distance |z - z0|', '.2f')} ({stroked[0]['distance |z - z0|'].remark})",
            "reference": "at least halved, at a bounded distance",
            "passes": all(f["after"].value <= f["before"].value / 2 for f in stroked),
        },
        {
            "setting": f"one edit, {trained.steps} steps to the code and {trained.steps} on",
            "ours": f"{each(stroked, 'seconds an edit', '.2f')} s",
            "reference": f"under {SECONDS:g} s on two cores",
            "passes": all(f["seconds an edit"].value < SECONDS for f in stroked),
        },
    ]


def attribute_rows(given) -> list[Row]:
    """What the classifier says of each attribute that is judged, and of all."""
    app = AttributeEditing()
    model, trained = open_model(app, given.attributes)
    found = attribute_values(app, model, trained, given.images, trained.tags, trained.strength, trained.steps)
    print(*(f"{name}: {value:.3f}" for name, value in found.items()), sep="\n", flush=True)
    rows: list[Row] = [
        {
            "setting": f"{name}, strength {trained.strength:g}, {trained.steps} steps",
            "ours": f"{found[f'{name}: edits confirmed']:.1%} confirmed, other tags kept "
            f"{found[f'{name}: other tags kept']:.1%}",
            "reference": f"{CONFIRMED:.0%} confirmed, {KEPT:.0%} kept",
            "passes": found[f"{name}: edits confirmed"] >= CONFIRMED and found[f"{name}: other tags kept"] >= KEPT,
        }
        for name in JUDGED
    ]
    ours = f"{found['edits confirmed']:.1%} confirmed, other tags kept {found['other tags kept']:.1%}"
    truth = f"tags of the reconstructions as in truth {found['tags of reconstructions as in truth']:.1%}"
    rows.append(
        {"setting": f"all {len(trained.tags)} attributes", "ours": f"{ours}; {truth}", "reference": "", "passes": True}
    )
    return rows


def attribute_values(app, model: Caller, trained, count: int, names, strength: float, steps: int) -> dict[str, float]:
    """The figures of these attributes, by name."""
    data = app.data(trained, "test")
    figures = attribute_figures(
        model, data.examples[:count], data.tags, names, tags.read_tags,
        strength=strength, steps=steps, reader=tags.DESCRIPTION, reference_name="held-out faces",
    )  # fmt: skip
    return {figure.name: figure.value for figure in figures}


def sweep(given) -> None:
    """Print confirmed and kept of the judged attributes over strengths and steps."""
    app = AttributeEditing()
    model, trained = open_model(app, given.attributes)
    for steps in (0, 20, 100):
        for strength in (0.75, 1.0, 1.5, 2.0, 3.0):
            found = attribute_values(app, model, trained, given.images, JUDGED, strength, steps)
            print(steps, strength, {name: round(value, 3) for name, value in found.items()}, flush=True)


if __name__ == "__main__":
    main()
