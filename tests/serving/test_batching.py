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

    def __init__(self, took=None):
        self.asked, self.gate, self.took, self.threads = [], threading.Event(), took, []
        self.gate.set()

    def run(self, inputs):
        self.threads.append(threading.current_thread().name)
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
        tasks = [asyncio.ensure_future(scheduler.run(model, model, rows([0.0]), 9))]
        await asyncio.sleep(0.05)  # it is computed, three wait
        tasks += [asyncio.ensure_future(scheduler.run(model, model, rows([float(i)]), 9)) for i in range(1, 4)]
        await asyncio.sleep(0)
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
        tasks = [asyncio.ensure_future(scheduler.run(model, model, rows([0.0]), 9))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.ensure_future(scheduler.run(model, model, rows([float(i)]), 9)) for i in range(1, 5)]
        await asyncio.sleep(0)
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


def test_each_request_has_a_time_of_its_own():
    async def work(scheduler, model):
        model.gate.clear()
        asked = [scheduler.run(model, model, rows([1.0]), timeout) for timeout in (9, 0.02, 0.06, 9)]
        tasks = [asyncio.ensure_future(one) for one in asked]
        await asyncio.sleep(0.04)
        early = [task.done() for task in tasks]
        await asyncio.sleep(0.04)
        late = [task.done() for task in tasks]
        model.gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        return early, late, [isinstance(one, ServingError) for one in found]

    (early, late, failed), _ = run(work)
    assert early == [False, True, False, False] and late == failed == [False, True, True, False]


def test_models_take_turns():
    first, second = Model(), Model()
    second.asked = first.asked

    async def work(scheduler, model):
        first.gate.clear()
        tasks = [asyncio.ensure_future(scheduler.run(first, first, rows([1.0]), 9)) for _ in range(10)]
        tasks.append(asyncio.ensure_future(scheduler.run(second, second, rows([2.0]), 9)))
        await asyncio.sleep(0.02)
        first.gate.set()
        await asyncio.gather(*tasks)

    run(work, first, max_batch_size=1)
    order = [float(asked[0, 0]) for asked in first.asked]
    assert len(order) == 11 and order.index(2.0) <= 3  # not behind all ten


# What is brief is computed by the event loop.


def test_what_is_brief_is_computed_by_the_event_loop():
    async def work(scheduler, model):
        return await asyncio.gather(*(scheduler.run(model, model, rows([float(i)]), 9) for i in range(5)))

    answers, model = run(work, Model(took=1e-5))
    assert [float(answer["y"][0, 0]) for answer in answers] == [0, 2, 4, 6, 8]
    assert [len(asked) for asked in model.asked] == [5] and model.threads == ["MainThread"]
    for options in ({"took": None}, {"took": 1.0}):  # unknown, and long
        _, model = run(work, Model(**options))
        assert sum(len(asked) for asked in model.asked) == 5 and set(model.threads) == {"batch-0"}
    _, model = run(work, Model(took=1e-5), batch_timeout_micros=20_000)  # which the event loop cannot wait out
    assert [len(asked) for asked in model.asked] == [5] and model.threads == ["batch-0"]


def test_the_event_loop_computes_batch_after_batch():
    first, second = Model(took=1e-5), Model(took=1e-5)

    async def work(scheduler, model):
        asked = [scheduler.run(one, one, rows([float(i)]), 2) for i in range(5) for one in (first, second)]
        return await asyncio.gather(*asked)

    answers, _ = run(work, first, max_batch_size=2)
    assert [float(answer["y"][0, 0]) for answer in answers] == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]
    for model in (first, second):
        assert [len(asked) for asked in model.asked] == [2, 2, 1] and set(model.threads) == {"MainThread"}


def test_the_event_loop_leaves_what_is_long_to_the_threads():
    long, brief = Model(took=1.0), Model(took=1e-5)

    async def work(scheduler, model):
        long.gate.clear()
        held = [asyncio.ensure_future(scheduler.run(long, long, rows([1.0]), 9)) for _ in range(3)]
        await asyncio.sleep(0.05)  # the only thread is held up, and two wait before what is brief
        answer = await scheduler.run(brief, brief, rows([4.0]), 1)
        long.gate.set()
        await asyncio.gather(*held)
        return answer

    answer, _ = run(work, long, max_batch_size=1)
    assert answer["y"] == 8 and brief.threads == ["MainThread"] and long.threads == ["batch-0"] * 3


def test_what_may_be_long_although_the_last_were_not():
    def named(work, **options):
        model = Model(took=1e-5)
        vars(model).update(options)
        run(work, model)
        return set(model.threads)

    async def many_rows(scheduler, model):
        await scheduler.run(model, model, {"x": np.ones((65, 1), np.float32)}, 9)

    async def one(scheduler, model):
        await scheduler.run(model, model, rows([1.0]), 9)

    assert named(many_rows) == named(one, is_batchable=False) == {"batch-0"} and named(one) == {"MainThread"}


def test_whoever_gives_up_does_not_fail_the_others():
    async def work(scheduler, model):
        tasks = [asyncio.ensure_future(scheduler.run(model, model, rows([float(i)]), 9)) for i in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # of which the scheduler hears only after the batch is computed
        return await asyncio.gather(*tasks, return_exceptions=True)

    (first, second, third), model = run(work, Model(took=1e-5))
    assert isinstance(first, asyncio.CancelledError) and [len(asked) for asked in model.asked] == [3]
    assert second["y"] == 2 and third["y"] == 4


def test_what_becomes_long_moves_to_a_thread_and_back():
    async def work(scheduler, model):
        model.gate.clear()
        threading.Timer(0.1, model.gate.set).start()  # one batch is held up for long
        for _ in range(80):
            await scheduler.run(model, model, rows([1.0]), 9)

    _, model = run(work, Model(took=1e-5))
    names = [threads.split("-")[0] for threads in model.threads]
    assert names[0] == "MainThread" and names[1:11] == ["batch"] * 10 and names[-1] == "MainThread"


def test_one_that_fails_on_the_event_loop():
    async def work(scheduler, model):
        asked = [scheduler.run(model, model, rows([value]), 9) for value in (1.0, 13, 2)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert (await scheduler.run(model, model, rows([3.0]), 9))["y"] == 6
        return found

    (first, second, third), model = run(work, Model(took=1e-5))
    assert first["y"] == 2 and third["y"] == 4 and second.message == "unlucky" and set(model.threads) == {"MainThread"}
