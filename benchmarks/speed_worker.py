"""Our side of the paired measurement of speed (`benchmarks.speed`): kgan's own training step on kgan's own data.

Writes its networks to a directory, for the other side to build the same, and then answers "run COUNT" with the
seconds and mean losses of that many updates, and "data COUNT" with the seconds that tf.data alone takes for them.
"""

import argparse
import json
from pathlib import Path

import keras
import numpy as np

from benchmarks.peers.worker import Stopwatch, serve
from kgan.datasets import load
from kgan.models.gan import GAN
from kgan.networks.images import dcgan_discriminator, dcgan_generator
from kgan.optimizers import Adam
from kgan.penalties import GradientPenalty
from kgan.training.devices import Devices, set_up

BATCH = 64
PER_CALL = 10  # updates: the default of the apps
GAMES = {
    "dcgan": {
        "objective": "non-saturating", "penalty_weight": 0.0, "critic_steps": 1,
        "rate": 2e-4, "betas": (0.5, 0.999), "normalisation": "batch",
    },
    "wgan-gp": {
        "objective": "wasserstein", "penalty_weight": 10.0, "critic_steps": 5,
        "rate": 1e-4, "betas": (0.0, 0.9), "normalisation": "none",
    },
}  # fmt: skip


def main() -> None:
    """Build the game, write its networks, then train on command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objective", choices=tuple(GAMES), default="dcgan")
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--networks", type=Path, required=True, help="directory to write networks.json, weights.npz to")
    options = parser.parse_args()

    set_up(Devices(precision=options.precision, threads=options.threads), seed=0)
    game, data = GAMES[options.objective], load("digits")
    model = build(game, data.shape, options.width)
    model.make_train_function()
    batches = iter(data.batches(BATCH * game["critic_steps"]))

    def run(count: int) -> dict:
        model.reset_metrics()
        watch = Stopwatch()
        for _ in range(count // PER_CALL):
            logs = model.train_function(batches)
        losses = {name: float(logs[name]) for name in ("discriminator_loss", "generator_loss")}
        return {"seconds": watch.seconds(), "others": watch.others(), "losses": losses}

    def draw(count: int) -> dict:
        fresh = iter(data.batches(BATCH * game["critic_steps"], seed=1))
        next(fresh)
        watch = Stopwatch()
        for _ in range(count):
            next(fresh)
        return {"seconds": watch.seconds(), "others": watch.others()}

    keras.config.set_dtype_policy("float32")  # what is compared is the networks, not the arithmetic
    twin = build(game, data.shape, options.width)
    for player in twin.players:
        getattr(twin, player).set_weights(getattr(model, player).get_weights())
    export(twin, game, options.networks)
    serve({"keras": keras.__version__}, {"run": run, "data": draw})


def build(game: dict, shape: tuple[int, int, int], width: int) -> GAN:
    """The game to time: plain DCGAN networks, with no extras that the other side has not (moving average, noise)."""
    model = GAN(
        dcgan_generator(shape, latent_dim=100, width=width),
        dcgan_discriminator(shape, width=width, normalisation=game["normalisation"]),
        objective=game["objective"],
        penalty=GradientPenalty(weight=game["penalty_weight"]) if game["penalty_weight"] else None,
        critic_steps=game["critic_steps"],
    )
    beta_1, beta_2 = game["betas"]
    adam = {
        f"{player}_optimizer": Adam(game["rate"], beta_1=beta_1, beta_2=beta_2)
        for player in ("generator", "discriminator")
    }
    model.compile(**adam, steps_per_execution=PER_CALL)
    return model


def export(model: GAN, game: dict, directory: Path) -> None:
    """Write both networks as layers, weights, and outputs for a random input in inference and in training mode."""
    random = np.random.default_rng(0)
    spec = {**game, "batch_size": BATCH, "latent_dim": model.latent_dim}
    arrays = {}
    for name in ("generator", "discriminator"):
        network = getattr(model, name)
        layers = [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]
        spec[name] = [_described(layer) for layer in layers]
        for index, layer in enumerate(layers):
            arrays |= {f"{name}/{index}/{v.name}": v.numpy() for v in layer.variables}
        inputs = random.uniform(-1, 1, (BATCH, *network.input_shape[1:])).astype(np.float32)
        arrays[f"{name}/input"] = inputs
        arrays[f"{name}/inference"] = network(inputs, training=False).numpy()
        arrays[f"{name}/training"] = network(inputs, training=True).numpy()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "networks.json").write_text(json.dumps(spec, indent=1))
    np.savez(directory / "weights.npz", **arrays)


def _described(layer: keras.layers.Layer) -> dict:
    """What another framework needs to know of a layer; whatever is not known here is refused."""
    described = {
        "type": type(layer).__name__,
        "input": list(layer.input.shape[1:]),
        "output": list(layer.output.shape[1:]),
        "weights": [variable.name for variable in layer.variables],
    }
    match layer:
        case keras.layers.Conv2D() | keras.layers.Conv2DTranspose():
            if layer.padding != "same" or layer.activation is not keras.activations.linear:
                raise ValueError(f"{layer.name}: only 'same' padding and separate activations are known here.")
            described["strides"] = list(layer.strides)
        case keras.layers.BatchNormalization():
            described |= {"epsilon": layer.epsilon, "momentum": layer.momentum}
        case keras.layers.ReLU():
            described["type"] = "relu"
        case keras.layers.LeakyReLU():
            described |= {"type": "leaky_relu", "slope": float(layer.negative_slope)}
        case keras.layers.Activation():
            described["type"] = layer.activation.__name__
        case keras.layers.Dense() | keras.layers.Reshape() | keras.layers.Flatten():
            pass
        case _:
            raise ValueError(f"{layer.name} is a {described['type']}, which the torch side has no twin for.")
    return described


if __name__ == "__main__":
    main()
