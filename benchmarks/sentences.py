"""Sentences as images: WGAN-GP beside the plain GAN on the same network, an untrained one, a VAE, and real poems.

    python -m benchmarks.sentences [--wgan-gp saved_models/poems] [--vae saved_models/MY_VAE]

Gulrajani et al. 2017, section 5.4. The WGAN-GP is the one that ships (its training: `saved_models/README.md`); the
plain one is trained here for as many updates of the generator.
"""

import argparse
import dataclasses
import time
from pathlib import Path

from apps.sentence_generation import Options, SentenceGeneration
from benchmarks.results import Row, record
from kgan.app import Caller, Live, open_model, save_picture, start_from, stored_options
from kgan.datasets import texts
from kgan.metrics import verse
from kgan.metrics.texts import NGramModel, ngram_distance
from kgan.serving import exported
from kgan.training import devices

SAMPLES, ORDERS = 10_000, (1, 2, 3)


@dataclasses.dataclass(frozen=True)
class Measured:
    """What is measured of one model: see the columns of the table."""

    shape: float
    distances: tuple[float, ...]
    perplexity: float
    rhyme: float
    tones: float

    def __str__(self) -> str:
        distances = " / ".join(f"{distance:.3f}" for distance in self.distances)
        return (
            f"right shape {self.shape:.2%}, distances {distances}, perplexity {self.perplexity:,.0f}, "
            f"rhyme {self.rhyme:.3f}, tones {self.tones:.3f}"
        )


def measure(sentences: list[str], reference: list[str], count: int) -> Measured:
    """Shape, rhyme and tones of all the sentences; distances and perplexity of the first `count`."""
    shaped = [poem for poem in sentences if verse.has_shape(poem, 7)]
    equal = sentences[:count]
    return Measured(
        shape=len(shaped) / len(sentences),
        distances=tuple(ngram_distance(equal, reference, order) for order in ORDERS),
        perplexity=NGramModel(reference).perplexity(equal),
        rhyme=verse.rhyme_share(shaped, 7),
        tones=verse.tone_share(shaped, 7),
    )


def train(app: SentenceGeneration, options: Options) -> Caller:
    """Train as the app does, without its pictures and checkpoints."""
    data = app.data(options, "train")
    model = app.build(options, data)
    batch = options.batch_size * model.critic_steps
    if options.updates:
        model.fit(data.batches(batch, steps=options.updates, seed=options.seed), verbose=0, shuffle=False)
    return Live(model)


def without_form(app: SentenceGeneration, path: Path) -> Caller:
    """An exported model that writes punctuation where it finds it likeliest, not where the form has it."""
    pretrained = exported.find(path)
    options = dataclasses.replace(stored_options(app, pretrained.card, path), form="")
    model = app.build(options, app.data(options, "train"))
    start_from(model, pretrained)
    return Live(model)


def main() -> None:
    """Measure each model and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wgan-gp", type=Path, default=Path("saved_models/poems"), help="an exported WGAN-GP")
    parser.add_argument("--vae", type=Path, help="an exported sentence VAE, for a row of its own")
    parser.add_argument("--picture", type=Path, help="where to write what the plain GAN writes")
    given = parser.parse_args()
    app = SentenceGeneration()
    card = exported.find(given.wgan_gp).card
    options, updates = stored_options(app, card, given.wgan_gp), card["updates"]
    devices.set_up(dataclasses.replace(options.devices, threads=1), options.seed)
    shipped, _ = open_model(app, given.wgan_gp)
    written = app.texts(shipped, options, SAMPLES)
    in_form = sum(verse.has_shape(poem, 7) for poem in written) / SAMPLES
    options = dataclasses.replace(options, form="")  # from here on punctuation is what the networks have learned of it
    plain = dataclasses.replace(options, objective="non-saturating", critic_steps=1)
    untrained = dataclasses.replace(options, updates=0)
    held_out = texts.sentences_of(app.data(options, "test"))
    half = len(held_out) // 2
    reference, control = held_out[:half], held_out[half : 2 * half]

    found = {}
    callers = {
        "untrained": lambda: train(app, untrained),
        f"non-saturating, {updates:,} updates": lambda: train(app, plain),
        f"wgan-gp, {updates:,} updates": lambda: without_form(app, given.wgan_gp),
    }
    if given.vae:
        vae = exported.find(given.vae).card["updates"]
        callers[f"vae, {vae:,} updates"] = lambda: without_form(app, given.vae)
    for name, caller in callers.items():
        began = time.process_time()
        model = caller()
        seconds = time.process_time() - began
        found[name] = measure(app.texts(model, options, SAMPLES), reference, half)
        print(f"{name}: {found[name]} ({seconds:.0f} s of processor here)", flush=True)
        if given.picture and name.startswith("non-saturating"):
            save_picture(app.picture(model, options, 16), given.picture)
    real = measure(control, reference, half)
    chance = measure(verse.shuffled(control, 7, 0), reference, half)
    rows = [compare(name, measured, real, list(found.values()), in_form) for name, measured in found.items()]
    rows.append(Row(setting="real poems, their characters at random", ours=str(chance), reference="", passes=True))
    passed = record(
        "Sentences as images",
        rows,
        command="python -m benchmarks.sentences",
        seeds=[options.seed],
        protocol=f"Quatrains of 7 characters a line, a vocabulary of {len(options.characters) + 2:,} symbols; the same "
        f"residual 1-D convolutions (width {options.width}, {options.depth} blocks), batch {options.batch_size}, for "
        f"all three GANs. {SAMPLES:,} samples, seed 0. Right shape: four lines of 7 characters, punctuated ，。，。. "
        f"Distances: Jensen-Shannon distances (0 to 1) of 1-, 2- and 3-grams of characters, of {half} samples to one "
        f"half of the held-out poems ({half}), beside those of the other half ({half}); perplexity of a character "
        "under a Witten-Bell trigram model of the first half. Rhyme: share of the well-shaped poems whose second and "
        "fourth lines rhyme; tones: share of their lines in which level and oblique tones alternate; both in modern "
        "Mandarin readings. Rare characters of real poems count as one mark, which models never write. "
        "Punctuation is where the networks put it; exported models write it in its place by construction. wgan-gp "
        "passes when every exported sample has the right shape and its distances of 1- and 2-grams are below those of "
        "the untrained and of the plain GAN; the others have nothing to pass.",
    )
    raise SystemExit(0 if passed else 1)


def compare(name: str, measured: Measured, real: Measured, others: list[Measured], in_form: float) -> Row:
    """One model's row beside real poems; `in_form` is the share of right shapes of the exported WGAN-GP."""
    passes, ours = True, str(measured)
    if name.startswith("wgan-gp"):
        untrained, plain = others[:2]
        below = [
            ours < min(a, b)
            for ours, a, b in zip(measured.distances[:2], untrained.distances, plain.distances, strict=False)
        ]
        passes = in_form == 1 and all(below)
        ours += f"; as exported, right shape {in_form:.2%}"
    return Row(setting=name, ours=ours, reference=f"held-out poems: {real}", passes=passes)


if __name__ == "__main__":
    main()
