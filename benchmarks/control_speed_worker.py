"""Our side of `benchmarks.control_speed`: "run STEPS" trains so many environment steps, "reach SEED" trains to 475."""

import sys
import time
from collections.abc import Callable

import tensorflow as tf

from benchmarks.peers.worker import Stopwatch, serve
from kgan.control.environments import Environments
from kgan.control.on_policy import OnPolicyActor, OnPolicyOptions
from kgan.training.devices import Devices, set_up

SPEED = OnPolicyOptions(rollout=128, minibatch=256, epochs=10)
ZOO = OnPolicyOptions(
    rollout=32, minibatch=256, epochs=20, discount=0.98, trace=0.8, learning_rate=1e-3, decay=True
)  # fmt: skip
LONGEST = 100_000


def main() -> None:
    """Answer."""
    set_up(Devices(threads=int(sys.argv[1])), seed=0)
    model = OnPolicyActor(Environments("CartPole-v1", 8), SPEED)

    spent = {}
    model.environments.advance = timed("environments", model.environments.advance, spent)
    model.descend = timed("gradient steps", model.descend, spent)

    def run(count: int) -> dict:
        spent.clear()
        watch = Stopwatch()
        for number in range(count // (8 * SPEED.rollout)):
            model.train_step(number)
        seconds = watch.seconds()
        shares = {name: value / seconds for name, value in spent.items()}
        return {"seconds": seconds, "others": watch.others(), "steps": count, "shares": shares}

    def reach(seed: int) -> dict:
        watch = Stopwatch()  # building and tracing included
        learner = OnPolicyActor(Environments("CartPole-v1", 8, seed), ZOO, LONGEST // 256, seed=seed)
        while int(learner.steps) < LONGEST:
            learner.train_step(None)
            if (learner.recent == learner.recent).all() and learner.recent_return() >= 475:
                break
        return {"seconds": watch.seconds(), "others": watch.others(), "steps": int(learner.steps)}

    serve({"tensorflow": tf.__version__}, {"run": run, "reach": reach})


def timed(name: str, function: Callable, spent: dict[str, float]) -> Callable:
    """The function, which adds to `spent` the seconds that it takes."""

    def call(*arguments):
        begun = time.perf_counter()
        answer = function(*arguments)
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - begun
        return answer

    return call


if __name__ == "__main__":
    main()
