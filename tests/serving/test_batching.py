"""What is computed together, what waits and what is refused; the model is a function here."""

import asyncio
import threading

import numpy as np
import pytest
import tensorflow as tf

from kgan.serving.batching import Limits, Scheduler
from kgan.serving.metrics import Metrics
from kgan.serving.servable import Tensor
from kgan.serving.status import Code, ServingError


class Model:
    """Doubles; remembers what it was given; `gate` holds it up; 13 breaks it."""

    name = "model"
    is_batchable = True
    inputs = {"x": Tensor("x:0", tf.float32, (None, None))}

    def __init__(self):
        self.asked, self.gate = [], threading.Event()
        self.gate.set()

    def run(self, inputs):
        self.gate.wait(10)
        self.asked.append(inputs["x"])
        if (inputs["x"] == 13).any():
            raise tf.errors.InvalidArgumentError(None, None, "unlucky\n\nin the graph")
        return {"y": inputs["x"] * 2, "sum": inputs["x"].sum(axis=tuple(range(1, inputs["x"].ndim)))}


def rows(*values):
    return {"x": np.array(values, np.float32)}


def run(work, model=None, **limits):
    """What `work(scheduler, model)` gives on a loop of its own."""
    model = model or Model()

    async def main():
        scheduler = Scheduler(Limits(**{"num_batch_threads": 1, **limits}), Metrics())
        try:
            return await asyncio.wait_for(work(scheduler, model), 20)
        finally:
            model.gate.set()
            scheduler.close()

    return asyncio.run(main()), model


def test_each_gets_its_own_rows():
    async def work(scheduler, model):
        requests = [rows([1.0, 1], [2, 2]), rows([3.0, 3]), rows([4.0, 4], [5, 5], [6, 6]), rows([7.0])]
        return requests, await asyncio.gather(*(scheduler.run(model, model, request, 9) for request in requests))

    (requests, answers), model = run(work, batch_timeout_micros=50_000)
    for request, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer["y"], request["x"] * 2)
        np.testing.assert_array_equal(answer["sum"], request["x"].sum(1))
    assert sorted(len(asked) for asked in model.asked) == [1, 6]  # those of another width go by themselves


def test_the_size_of_a_batch():
    async def work(scheduler, model):
        sizes = [3, 3, 3, 20, 1, 0]
        await asyncio.gather(*(scheduler.run(model, model, {"x": np.ones((size, 1), np.float32)}, 9) for size in sizes))

    _, model = run(work, max_batch_size=8, batch_timeout_micros=20_000)
    assert sorted(len(asked) for asked in model.asked) == [0, 1, 3, 6, 20]  # in the order in which they came
    _, model = run(work, max_batch_size=1)
    assert sorted(len(asked) for asked in model.asked) == [0, 1, 3, 3, 3, 20]


def test_a_full_batch_does_not_wait():
    async def work(scheduler, model):
        await asyncio.gather(*(scheduler.run(model, model, rows([1.0]), 9) for _ in range(4)))

    _, model = run(work, max_batch_size=4, batch_timeout_micros=10**9)
    assert [len(asked) for asked in model.asked] == [4]


def test_without_rows_each_is_computed_by_itself():
    model = Model()
    model.is_batchable = False

    async def work(scheduler, model):
        return await asyncio.gather(*(scheduler.run(model, model, rows([1.0]), 9) for _ in range(5)))

    run(work, model, batch_timeout_micros=10**9)
    assert [len(asked) for asked in model.asked] == [1] * 5


def test_one_that_fails_does_not_fail_the_others():
    async def work(scheduler, model):
        asked = [scheduler.run(model, model, rows([value]), 9) for value in (1.0, 13, 2)]
        return await asyncio.gather(*asked, return_exceptions=True)

    (first, second, third), model = run(work, batch_timeout_micros=20_000)
    assert first["y"] == 2 and third["y"] == 4 and [len(asked) for asked in model.asked] == [3, 1, 1, 1]
    assert isinstance(second, ServingError) and (second.code, second.message) == (Code.INVALID_ARGUMENT, "unlucky")


def test_a_full_queue_refuses_at_once():
    async def work(scheduler, model):
        model.gate.clear()
        tasks = [asyncio.ensure_future(scheduler.run(model, model, rows([float(i)]), 9)) for i in range(4)]
        await asyncio.sleep(0.05)  # one is computed, three wait
        assert scheduler.waiting == 3
        with pytest.raises(ServingError, match="queue to which this task was submitted is full") as caught:
            await scheduler.run(model, model, rows([9.0]), 9)
        assert caught.value.code.http == 503
        tasks[1].cancel()  # whoever gives up makes room
        await asyncio.sleep(0)
        model.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[1], asyncio.CancelledError) and scheduler.waiting == 0
        return [float(answer["y"][0, 0]) for index, answer in enumerate(answers) if index != 1]

    found, model = run(work, max_batch_size=1, max_enqueued=3)
    assert found == [0, 4, 6] and [float(asked[0, 0]) for asked in model.asked] == [0, 2, 3]


def test_what_arrives_during_a_computation_is_the_next_batch():
    async def work(scheduler, model):
        model.gate.clear()
        tasks = [asyncio.ensure_future(scheduler.run(model, model, rows([float(i)]), 9)) for i in range(5)]
        await asyncio.sleep(0.02)
        model.gate.set()
        await asyncio.gather(*tasks)

    _, model = run(work)  # as it is set by default: nobody waits while nothing is computed
    assert [len(asked) for asked in model.asked] == [1, 4]


def test_an_answer_that_takes_too_long():
    async def work(scheduler, model):
        model.gate.clear()
        asked = [scheduler.run(model, model, rows([value]), 0.02) for value in (1.0, 2.0)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert scheduler.waiting == 0
        model.gate.set()
        assert (await scheduler.run(model, model, rows([3.0]), 9))["y"] == 6
        return found

    found, model = run(work)
    assert [(error.code, error.message) for error in found] == [
        (Code.DEADLINE_EXCEEDED, "no answer within 0.02 seconds: ask for less, or later")
    ] * 2
    assert len(model.asked) == 2  # whoever gave up while waiting is not computed


def test_models_take_turns():
    first, second = Model(), Model()

    async def work(scheduler, model):
        first.gate.clear()
        tasks = [asyncio.ensure_future(scheduler.run(first, first, rows([1.0]), 9)) for _ in range(10)]
        tasks.append(asyncio.ensure_future(scheduler.run(second, second, rows([1.0]), 9)))
        await asyncio.sleep(0.02)
        first.gate.set()
        await tasks[-1]
        done = sum(task.done() for task in tasks[:-1])
        await asyncio.gather(*tasks)
        return done

    done, _ = run(work, first, max_batch_size=1)
    assert done <= 4  # not behind all ten
