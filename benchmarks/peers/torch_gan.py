"""The DCGAN, LSGAN and WGAN-GP of PyTorch-GAN, trained on our digits for a given wall time.

    python -m benchmarks.peers.torch_gan --model dcgan --seconds 120 --seed 0 --out samples.npy

Needs torch and numpy only (an environment of its own). Written anew from the defaults of
github.com/eriklindernoren/PyTorch-GAN at commit 36d3c77 (January 2021), implementations/{dcgan,lsgan,wgan_gp}:

- all: batch 64, latent 100 from N(0, 1), Adam 2e-4 with betas (.5, .999), pixels in [-1, 1]. Every
  normalisation but one is given 0.8 as its second argument, which in torch is epsilon, not momentum.
- dcgan, lsgan: 32 x 32 (the digits are resized, bilinear); the generator's step comes first and the discriminator's
  uses the same fakes; halved discriminator loss; convolutions start at N(0, .02), 2-D batch norm scales at
  N(1, .02). lsgan differs in mean squared error on raw scores instead of cross-entropy on a sigmoid, and has
  no normalisation after the generator's dense layer.
- wgan_gp: 28 x 28, dense layers only; penalty weight 10; a generator step after every fifth critic step, counted
  from the first of each epoch, with the latents of that critic step.

Their samples are drawn while the generator is in training mode, so with the statistics of the batch of 64: so are
these. Samples of 32 x 32 are resized to 28 (bilinear, antialiased), which blurs them a little: --reference writes
held-out digits that went the same way, so that one can tell what that costs.

What we do not follow only makes the peer faster and leaves every gradient as it is: the digits lie in memory instead
of behind a DataLoader, losses are not printed at every step, and no gradient is computed that is thrown away
afterwards (theirs also flow into the player who is not moving).
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peers.worker import Stopwatch

DIGITS = Path(__file__).parents[2] / "kgan" / "datasets" / "files" / "digits.npz"
LATENT = 100
BATCH = 64
CRITIC_STEPS = 5
PENALTY_WEIGHT = 10.0

Step = Callable[[Tensor], dict[str, Tensor]]


def main() -> None:
    """Train one model for the time asked, write its samples, print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("dcgan", "lsgan", "wgan_gp"), required=True)
    parser.add_argument("--seconds", type=float, required=True, help="wall time of training, set-up not counted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="samples, uint8 [N, 28, 28, 1] .npy")
    parser.add_argument("--samples", type=int, default=10000)
    parser.add_argument(
        "--sampling",
        choices=("train", "eval"),
        default="train",
        help="mode of the generator's normalisation when samples are drawn; train is what the peer's scripts do",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        help="also write the held-out digits here after the same resizing as "
        "the samples, to tell what the resizing alone costs",
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--digits", type=Path, default=DIGITS)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    with np.load(options.digits) as digits:
        images, held_out = (torch.from_numpy(digits[name])[:, None].float() for name in ("x_train", "x_test"))
    if options.model == "wgan_gp":
        generator, critic = dense_generator(), dense_critic()
        step = wgan_gp_step(generator, critic)
    else:
        images, held_out = resized(images, 32).round(), resized(held_out, 32).round()
        generator, discriminator = convolutional_pair(options.model)
        loss = F.binary_cross_entropy if options.model == "dcgan" else F.mse_loss
        step = alternating_step(generator, discriminator, loss)
    report = train(step, images / 127.5 - 1, options.seconds)
    np.save(options.out, as_uint8(sample(generator, options.samples, options.sampling)))
    if options.reference:
        np.save(options.reference, as_uint8(held_out))
    print(json.dumps({"model": options.model, "seed": options.seed, "threads": options.threads, **report}))


def train(step: Step, images: Tensor, seconds: float) -> dict[str, float]:
    """Call ``step`` on shuffled batches until ``seconds`` have passed; what was done, and the last losses."""
    updates = seen = generator_updates = 0
    losses: dict[str, Tensor] = {}
    watch = Stopwatch()
    for real in batches(images, BATCH):
        new = step(real)
        losses |= new
        updates, seen = updates + 1, seen + len(real)
        generator_updates += "generator_loss" in new
        if watch.seconds() >= seconds:
            break
    wall, others = watch.seconds(), watch.others()
    last = {name: round(value.item(), 4) for name, value in losses.items()}
    return {
        "discriminator_updates": updates,
        "generator_updates": generator_updates,
        "images_seen": seen,
        "wall_seconds": round(wall, 2),
        "others": others,
        **last,
    }


def batches(images: Tensor, size: int) -> Iterator[Tensor]:
    """Endless batches [size, C, H, W]: a new permutation of ``images`` every epoch, held in memory."""
    while True:
        for rows in torch.randperm(len(images)).split(size):
            yield images[rows]


def sample(generator: nn.Module, count: int, mode: str) -> Tensor:
    """``count`` images [N, 1, H, W] with pixels of 0 to 255, drawn in batches of 64."""
    generator.train(mode == "train")
    with torch.no_grad():
        drawn = [generator(torch.randn(BATCH, LATENT)) for _ in range(-(-count // BATCH))]
    return (torch.cat(drawn)[:count] + 1) * 127.5


def as_uint8(pixels: Tensor) -> np.ndarray:
    """Images [N, 1, H, W] of 0 to 255 as uint8 [N, 28, 28, 1]."""
    return resized(pixels, 28).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def resized(images: Tensor, size: int) -> Tensor:
    """Images [N, C, H, W] at ``size`` x ``size``, bilinear with antialiasing."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)


def alternating_step(generator: nn.Module, discriminator: nn.Module, loss: Callable[[Tensor, Tensor], Tensor]) -> Step:
    """A step of dcgan and lsgan: the generator moves, then the discriminator, on the same fakes."""
    generator_optimizer, discriminator_optimizer = adam(generator), adam(discriminator)
    generator_weights, discriminator_weights = list(generator.parameters()), list(discriminator.parameters())

    def step(real: Tensor) -> dict[str, Tensor]:
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        fake = generator(torch.randn(len(real), LATENT))
        generator_loss = loss(discriminator(fake), ones)
        generator_optimizer.zero_grad()
        generator_loss.backward(inputs=generator_weights)
        generator_optimizer.step()

        discriminator_loss = (loss(discriminator(real), ones) + loss(discriminator(fake.detach()), zeros)) / 2
        discriminator_optimizer.zero_grad()
        discriminator_loss.backward(inputs=discriminator_weights)
        discriminator_optimizer.step()
        return {"discriminator_loss": discriminator_loss.detach(), "generator_loss": generator_loss.detach()}

    return step


def wgan_gp_step(generator: nn.Module, critic: nn.Module) -> Step:
    """A step of wgan_gp: the critic moves, and once in five steps the generator, on the same latents."""
    generator_optimizer, critic_optimizer = adam(generator), adam(critic)
    generator_weights, critic_weights = list(generator.parameters()), list(critic.parameters())
    count = 0

    def step(real: Tensor) -> dict[str, Tensor]:
        nonlocal count
        latent = torch.randn(len(real), LATENT)
        with torch.no_grad():
            fake = generator(latent)
        critic_loss = critic(fake).mean() - critic(real).mean() + PENALTY_WEIGHT * gradient_penalty(critic, real, fake)
        critic_optimizer.zero_grad()
        critic_loss.backward(inputs=critic_weights)
        critic_optimizer.step()
        losses = {"discriminator_loss": critic_loss.detach()}
        if count % CRITIC_STEPS == 0:  # an epoch has 125 batches, so the count need not start again with each
            generator_loss = -critic(generator(latent)).mean()
            generator_optimizer.zero_grad()
            generator_loss.backward(inputs=generator_weights)
            generator_optimizer.step()
            losses["generator_loss"] = generator_loss.detach()
        count += 1
        return losses

    return step


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Mean over the batch of (norm of the critic's gradient between real and fake - 1) squared; Gulrajani 2017."""
    weight = torch.rand(len(real), 1, 1, 1)
    between = (weight * real + (1 - weight) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()


def adam(network: nn.Module) -> torch.optim.Adam:
    """The peer's optimiser, the same for every network."""
    return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))


def convolutional_pair(model: str) -> tuple[nn.Sequential, nn.Sequential]:
    """Generator of latents [N, 100] to images [N, 1, 32, 32], and discriminator of those to [N, 1], dcgan's or lsgan's.

    The discriminator's output is a probability for dcgan and a raw score for lsgan.
    """
    generator = nn.Sequential(
        nn.Linear(LATENT, 128 * 8 * 8), nn.Unflatten(1, (128, 8, 8)),
        *([nn.BatchNorm2d(128)] if model == "dcgan" else []), nn.Upsample(scale_factor=2),
        nn.Conv2d(128, 128, 3, padding=1), nn.BatchNorm2d(128, eps=0.8), nn.LeakyReLU(0.2, inplace=True),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(128, 64, 3, padding=1), nn.BatchNorm2d(64, eps=0.8), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(64, 1, 3, padding=1), nn.Tanh(),
    )  # fmt: skip
    layers: list[nn.Module] = []
    for channels, filters in ((1, 16), (16, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(channels, filters, 3, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Dropout2d(0.25)] + ([nn.BatchNorm2d(filters, eps=0.8)] if channels > 1 else [])
    layers += [nn.Flatten(), nn.Linear(128 * 2 * 2, 1)] + ([nn.Sigmoid()] if model == "dcgan" else [])
    return generator.apply(initialise), nn.Sequential(*layers).apply(initialise)


def dense_generator() -> nn.Sequential:
    """Latents [N, 100] to images [N, 1, 28, 28] by dense layers."""
    layers: list[nn.Module] = [nn.Linear(LATENT, 128), nn.LeakyReLU(0.2, inplace=True)]
    for inputs in (128, 256, 512):
        layers += [nn.Linear(inputs, 2 * inputs), nn.BatchNorm1d(2 * inputs, eps=0.8), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Linear(1024, 28 * 28), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))


def dense_critic() -> nn.Sequential:
    """Images [N, 1, 28, 28] to raw scores [N, 1] by dense layers."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(28 * 28, 512), nn.LeakyReLU(0.2, inplace=True),
        nn.Linear(512, 256), nn.LeakyReLU(0.2, inplace=True), nn.Linear(256, 1),
    )  # fmt: skip


def initialise(module: nn.Module) -> None:
    """The peer's start of convolutions and 2-D batch norms; its dense layers keep torch's own."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


if __name__ == "__main__":
    main()
