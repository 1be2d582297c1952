"""stable-baselines3's side of `benchmarks.control_speed`, as it ships; needs stable-baselines3 and nothing of kgan."""

import sys

import gymnasium
import numpy as np
import stable_baselines3
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

from benchmarks.peers.worker import Stopwatch, serve

LONGEST = 100_000


class Until475(BaseCallback):
    """Stops when the mean return of the last 100 training episodes is 475."""

    def _on_step(self) -> bool:
        recent = self.model.ep_info_buffer
        return len(recent) < 100 or np.mean([episode["r"] for episode in recent]) < 475


def main() -> None:
    """Answer."""
    if int(sys.argv[1]):
        torch.set_num_threads(int(sys.argv[1]))
    model = PPO("MlpPolicy", make_vec_env("CartPole-v1", 8), n_steps=128, batch_size=256, n_epochs=10, device="cpu")

    def run(count: int) -> dict:
        watch = Stopwatch()
        model.learn(count, reset_num_timesteps=False)
        return {"seconds": watch.seconds(), "others": watch.others(), "steps": count}

    def reach(seed: int) -> dict:
        watch = Stopwatch()
        learner = PPO(
            "MlpPolicy", make_vec_env("CartPole-v1", 8, seed=seed), n_steps=32, batch_size=256, n_epochs=20, gamma=0.98,
            gae_lambda=0.8, ent_coef=0.0, learning_rate=lambda left: 1e-3 * left, clip_range=0.2,
            device="cpu", seed=seed,
        )  # fmt: skip
        learner.learn(LONGEST, callback=Until475())
        return {"seconds": watch.seconds(), "others": watch.others(), "steps": learner.num_timesteps}

    versions = {module.__name__: module.__version__ for module in (stable_baselines3, torch, gymnasium)}
    serve(versions, {"run": run, "reach": reach})


if __name__ == "__main__":
    main()
