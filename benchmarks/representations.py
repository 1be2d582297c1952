"""E12: what codes from a game know of digits, beside pixels; and how sharp VAE-GAN's reconstructions are, beside VAE's.

    python -m benchmarks.representations [--seeds 0]

The settings are the defaults of `python -m apps.representation_learning train`, and of `python -m apps.autoencoding
train` for the VAE, with codes of the same size. What is trained is kept in runs/representations, and not trained again.
"""

from pathlib import Path

from apps import autoencoding, representation_learning
from benchmarks.kept import trained
from benchmarks.results import Row, arguments, record
from kgan.metrics import codes
from kgan.training import devices

FOLDER = Path("runs/representations")
UPDATES = representation_learning.Options.updates
APPS = {
    "bigan": (representation_learning.RepresentationLearning, representation_learning.Options),
    "vaegan": (representation_learning.RepresentationLearning, representation_learning.Options),
    "vae": (autoencoding.Autoencoding, autoencoding.Options),
}


def measured(name: str, seed: int, threads: int) -> dict[str, float]:
    """Figures of one model, trained unless that was done before."""
    kind, options_of = APPS[name]
    app = kind()
    size = representation_learning.Options.latent_dim
    options = options_of(
        model=name, latent_dim=size, updates=UPDATES, seed=seed, devices=devices.Devices(threads=threads)
    )
    model = trained(app, options, FOLDER / f"{name}-{seed}")
    training, held_out = app.data(options, "train"), app.data(options, "test")
    again = model.call("reconstruct", images=held_out.examples)["images"]
    found = {figure.name: figure.value for figure in representation_learning.class_figures(model, training, held_out)}
    return found | {
        "sharpness": codes.sharpness(again) / codes.sharpness(held_out.examples),
        "reconstruction error": codes.reconstruction_error(held_out.examples, again),
        "seconds": model.card["cpu_seconds"],
    }


def main() -> None:
    """Train, measure and write the rows."""
    given = arguments(__doc__, seeds=1)
    runs = {name: [measured(name, seed, given.threads) for seed in given.seeds] for name in APPS}
    vae = runs["vae"]
    rows = []
    for name, found in runs.items():
        for way in ("nearest neighbour", "linear probe"):
            codes_, pixels = ([run[f"{way} on {space}"] for run in found] for space in ("codes", "pixels"))
            judged = name == "bigan" and way == "nearest neighbour"
            rows.append(
                Row(
                    setting=f"{name}: {way} on codes, accuracy",
                    ours=_each(codes_, ".1%"),
                    reference=f"{'above ' if judged else ''}{pixels[0]:.1%} on pixels",
                    passes=not judged or min(codes_) > pixels[0],
                )  # fmt: skip
            )
    for name in ("vaegan", "bigan", "vae"):
        found = [run["sharpness"] for run in runs[name]]
        sharper = all(one > other["sharpness"] for one, other in zip(found, vae, strict=True))
        rows.append(
            Row(
                setting=f"{name}: reconstructions' sharpness over the images' own",
                ours=f"{_each(found, '.3f')}; mean squared error "
                f"{_each([run['reconstruction error'] for run in runs[name]], '.4f')}; processor "
                f"{max(run['seconds'] for run in runs[name]):.0f} s at most",
                reference="sharper than the VAE's" if name == "vaegan" else "none",
                passes=name != "vaegan" or sharper,
            )  # fmt: skip
        )
    used = representation_learning.Options()
    passed = record(
        "E12 codes from a game",
        rows,
        command="python -m benchmarks.representations",
        seeds=given.seeds,
        protocol=f"8,000 training digits, 1,000 held out; {used.latent_dim} latents and {used.updates:,} updates of "
        f"{used.batch_size} for each; BiGAN and VAE-GAN: the defaults of apps.representation_learning, VAE: those of "
        "apps.autoencoding. Nearest neighbour by Euclidean distance, linear probe: logistic regression on standardised "
        "values, both on the codes of the 8,000 and asked of the 1,000. Sharpness: variance of the Laplacian. "
        "Bidirectional features must beat pixels, and VAE-GAN must be sharper than the VAE, on every seed.",
    )
    raise SystemExit(0 if passed else 1)


def _each(values: list[float], form: str) -> str:
    return ", ".join(format(value, form) for value in values)


if __name__ == "__main__":
    main()
