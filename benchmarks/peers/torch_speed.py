"""The PyTorch side of the paired measurement of speed: the same networks, trained in eager mode.

`benchmarks.speed` starts this with the directory that `benchmarks.speed_worker` wrote: the networks as a list of
Keras layers (networks.json) and their weights with some outputs (weights.npz). The networks are built from the list,
must give those outputs within 1e-4, in inference and in training mode, and then train on "run COUNT" lines. The game
is the one of kgan: judge first, the last fakes shared by both players, losses from raw scores. As in any good torch
code, no gradient is computed that is thrown away, and losses are read only at the end.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peers.torch_gan import DIGITS, batches, gradient_penalty
from benchmarks.peers.worker import Stopwatch, serve

TOLERANCE = 1e-4


def main() -> None:
    """Build the networks, prove that they are the same, then train on command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, required=True, help="directory with networks.json and weights.npz")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--style", choices=("script", "tuned"), default="script")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--digits", type=Path, default=DIGITS)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    spec = json.loads((options.networks / "networks.json").read_text())
    weights = dict(np.load(options.networks / "weights.npz"))
    difference = largest_difference(spec, weights)
    if difference > TOLERANCE:
        raise SystemExit(f"the two sides' networks differ by {difference:.2g} in their outputs: no fair comparison.")
    generator, discriminator = (network(name, spec, weights) for name in ("generator", "discriminator"))
    images = torch.from_numpy(np.load(options.digits)["x_train"])[:, None].float() / 127.5 - 1
    step = game(spec, generator, discriminator, batches(images, spec["batch_size"]), options)

    def run(count: int) -> dict:
        watch = Stopwatch()
        totals = sum(step() for _ in range(count)).tolist()
        seconds = watch.seconds()
        losses = {
            name: total / count for name, total in zip(("discriminator_loss", "generator_loss"), totals, strict=True)
        }
        return {"seconds": seconds, "others": watch.others(), "losses": losses}

    serve({"torch": torch.__version__, "difference": difference}, {"run": run})


def game(
    spec: dict, generator: nn.Module, discriminator: nn.Module, real_batches: Iterator[Tensor], options
) -> Callable[[], Tensor]:
    """One update of both players, as a function that returns their losses [2]: (discriminator, generator)."""
    adam = [torch.optim.Adam(n.parameters(), lr=spec["rate"], betas=spec["betas"]) for n in (generator, discriminator)]
    tuned = options.style == "tuned"
    generator_weights, discriminator_weights = (
        list(n.parameters()) if tuned else None for n in (generator, discriminator)
    )
    discriminator_loss, generator_loss = LOSSES[spec["objective"]]
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bfloat16")

    def judge(real: Tensor, fake: Tensor) -> Tensor:
        with autocast:
            loss = discriminator_loss(discriminator(real).float(), discriminator(fake).float())
            if spec["penalty_weight"]:
                loss = loss + spec["penalty_weight"] * gradient_penalty(discriminator, real, fake.detach())
        adam[1].zero_grad()  # also of what the generator's step left there
        loss.backward(inputs=discriminator_weights)
        adam[1].step()
        return loss.detach()

    def propose(count: int) -> Tensor:
        with autocast:
            return generator(torch.randn(count, spec["latent_dim"])).float()

    def step() -> Tensor:
        judged = torch.zeros(())
        for _ in range(spec["critic_steps"] - 1):
            real = next(real_batches)
            with torch.set_grad_enabled(not tuned):
                fake = propose(len(real))
            judged += judge(real, fake)
        real = next(real_batches)
        fake = propose(len(real))
        judged += judge(real, fake.detach())
        with autocast:
            loss = generator_loss(discriminator(fake).float())
        adam[0].zero_grad()
        loss.backward(inputs=generator_weights)
        adam[0].step()
        return torch.stack([judged / spec["critic_steps"], loss.detach()])

    return step


LOSSES = {
    "non-saturating": (lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean(), lambda f: F.softplus(-f).mean()),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
}


def largest_difference(spec: dict, weights: dict[str, np.ndarray]) -> float:
    """How far the outputs of torch networks with these weights are from those that Keras gave."""
    worst = 0.0
    for name in ("generator", "discriminator"):
        for training in (False, True):
            built = network(name, spec, weights).train(training)
            with torch.no_grad():
                output = built(_channels_first(weights[f"{name}/input"]))
            expected = _channels_first(weights[f"{name}/{'training' if training else 'inference'}"])
            worst = max(worst, (output - expected).abs().max().item())
    return worst


def _channels_first(array: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor.permute(0, 3, 1, 2).contiguous() if tensor.ndim == 4 else tensor


def network(name: str, spec: dict, weights: dict[str, np.ndarray]) -> nn.Sequential:
    """The torch twin, channels first, of the chain of Keras layers called ``name``."""
    modules: list[nn.Module] = []
    for index, layer in enumerate(spec[name]):
        values = {key: weights[f"{name}/{index}/{key}"] for key in layer["weights"]}
        if layer["type"] == "Reshape":
            order = _channels_first_order(layer["output"])
            for weight in modules[-1].parameters():  # rearrange the dense layer once instead of every batch
                _fill(weight, weight.detach().numpy()[order])
            height, width, channels = layer["output"]
            modules.append(nn.Unflatten(1, (channels, height, width)))
        elif layer["type"] == "Flatten":
            modules.append(nn.Flatten())
        elif layer["type"] == "Dense":
            kernel = values["kernel"]
            if index and spec[name][index - 1]["type"] == "Flatten":
                kernel = kernel[_channels_first_order(spec[name][index - 1]["input"])]
            modules.append(_filled(nn.Linear(*kernel.shape, bias="bias" in values), kernel.T, values))
        elif layer["type"] in ("Conv2D", "Conv2DTranspose"):
            modules.append(_convolution(layer, values))
        elif layer["type"] == "BatchNormalization":
            norm = nn.BatchNorm2d(len(values["gamma"]), eps=layer["epsilon"], momentum=1 - layer["momentum"])
            _fill(norm.running_mean, values["moving_mean"])
            _fill(norm.running_var, values["moving_variance"])
            modules.append(_filled(norm, values["gamma"], {"bias": values["beta"]}))
        else:
            modules.append(ACTIVATIONS[layer["type"]](layer))
    return nn.Sequential(*modules)


ACTIVATIONS = {
    "relu": lambda layer: nn.ReLU(inplace=True),
    "leaky_relu": lambda layer: nn.LeakyReLU(layer["slope"], inplace=True),
    "tanh": lambda layer: nn.Tanh(),
}


def _convolution(layer: dict, values: dict[str, np.ndarray]) -> nn.Module:
    """A strided convolution, or its transpose, with TensorFlow's "same" padding where that is even on both sides."""
    kernel, stride = values["kernel"], layer["strides"]
    transposed = layer["type"] == "Conv2DTranspose"
    small, large = (layer["input"], layer["output"]) if transposed else (layer["output"], layer["input"])
    surplus = [(small[i] - 1) * stride[i] + kernel.shape[i] - large[i] for i in (0, 1)]
    if any(pixels < 0 or pixels % 2 for pixels in surplus):
        raise SystemExit(f"{layer}: 'same' padding is uneven here, which torch cannot do at no extra cost.")
    channels_out, channels_in = kernel.shape[2:] if transposed else kernel.shape[:1:-1]
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    module = kind(
        channels_in, channels_out, kernel.shape[:2], stride, padding=[p // 2 for p in surplus], bias="bias" in values
    )
    return _filled(module, kernel.transpose(3, 2, 0, 1), values)


def _channels_first_order(shape: list[int]) -> np.ndarray:
    """Where each value of a flattened [C, H, W] stands in the flattened [H, W, C] of this shape."""
    return np.arange(np.prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()


def _filled(module: nn.Module, weight: np.ndarray, values: dict[str, np.ndarray]) -> nn.Module:
    _fill(module.weight, weight)
    if "bias" in values:
        _fill(module.bias, values["bias"])
    return module


def _fill(tensor: Tensor, array: np.ndarray) -> None:
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))


if __name__ == "__main__":
    main()
