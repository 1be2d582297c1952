"""Requests wait here for a thread to compute them, and those that fit each other are computed together.

Where every input and output of a signature has rows (a leading dimension of any size), requests of the same inner
shapes are concatenated, computed as one, and their rows given back: the rows of one request never depend on another's,
up to the last bits of floats. Where there is an input without rows, such as `seed` and `count`, each request is
computed by itself, several at a time on several threads. The queue is bounded: what does not fit is refused at once.
"""

import asyncio
import collections
import dataclasses
import itertools
import os
import threading
import time
from collections.abc import Mapping
from queue import SimpleQueue

import numpy as np

from kgan.serving.metrics import Metrics
from kgan.serving.servable import Servable, Signature
from kgan.serving.status import Code, ServingError, of_exception


@dataclasses.dataclass(frozen=True)
class Limits:
    """Of what is computed together and of what waits; names and meaning as TF Serving's batching parameters."""

    max_batch_size: int = 64
    """Rows computed together; 1 is one request at a time. A request of more rows is computed by itself."""
    batch_timeout_micros: int = 0
    """How long the first request of a batch waits for others while a thread is idle."""
    num_batch_threads: int = 0
    """Batches computed at the same time; 0 is one less than processors, as the event loop needs one."""
    max_enqueued: int = 512
    """Requests that wait; further ones are refused."""

    @property
    def threads(self) -> int:
        """Of the pool."""
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.num_batch_threads or max(1, usable - 1)


@dataclasses.dataclass(eq=False)
class _Task:
    inputs: Mapping[str, np.ndarray]
    rows: int
    answer: asyncio.Future
    since: float


class Scheduler:
    """Computes requests on a few threads; lives on one event loop."""

    def __init__(self, limits: Limits, metrics: Metrics):
        self.limits, self.metrics = limits, metrics
        self.waiting = 0
        self._queues: collections.OrderedDict[tuple, collections.deque[_Task]] = collections.OrderedDict()
        self._idle = limits.threads
        self._loop = asyncio.get_running_loop()
        self._ready: SimpleQueue = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{index}", daemon=True) for index in range(limits.threads)
        ]
        for thread in self._threads:
            thread.start()
        self._timer: asyncio.TimerHandle | None = None

    async def run(
        self, servable: Servable, signature: Signature, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        """The outputs of a request whose inputs were checked.

        Raises:
            ServingError: too many wait, the computation failed, or took more than `timeout` seconds.
        """
        if self.waiting >= self.limits.max_enqueued:
            raise ServingError(
                Code.UNAVAILABLE,
                f"The batch scheduling queue to which this task was submitted is full: {self.waiting} requests wait.",
            )
        rows, shapes = 0, None
        if signature.is_batchable and self.limits.max_batch_size > 1:
            sizes = {len(value) for value in inputs.values()}
            if len(sizes) == 1 and (rows := sizes.pop()):  # otherwise the graph says what it thinks of it
                shapes = tuple(inputs[key].shape[1:] for key in signature.inputs)
        task = _Task(inputs, rows, self._loop.create_future(), time.perf_counter())
        key = servable, signature, shapes
        self._queues.setdefault(key, collections.deque()).append(task)
        self.waiting += 1
        self._dispatch()
        limit = self._loop.call_later(timeout, _expire, task, timeout)
        try:
            return await task.answer
        except BaseException:  # given up; whoever waits makes room for others
            if task in self._queues.get(key, ()):
                self._queues[key].remove(task)
                self.waiting -= 1
            raise
        finally:
            limit.cancel()

    def close(self) -> None:
        """Wait for what is being computed."""
        if self._timer:
            self._timer.cancel()
        for _ in self._threads:
            self._ready.put(None)
        for thread in self._threads:
            thread.join()

    def _dispatch(self) -> None:
        """Give idle threads what is ready, each queue in its turn."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._idle:
            soonest, ready = None, None
            for key, queue in list(self._queues.items()):
                if not queue:
                    del self._queues[key]
                elif (wait := self._wait(key, queue)) <= 0:
                    ready = key
                    break
                else:
                    soonest = min(wait, soonest or wait)
            if ready is None:
                if soonest:
                    self._timer = self._loop.call_later(soonest, self._dispatch)
                return
            self._start(ready)

    def _wait(self, key: tuple, queue: collections.deque[_Task]) -> float:
        """Seconds until the first batch of a queue is ready; 0 when it is."""
        if key[2] is None or len(queue) >= self.limits.max_batch_size:
            return 0
        rows = 0
        for task in queue:
            rows += task.rows
            if rows >= self.limits.max_batch_size:
                return 0
        return queue[0].since + self.limits.batch_timeout_micros / 1e6 - time.perf_counter()

    def _start(self, key: tuple) -> None:
        servable, signature, shapes = key
        queue, batch, rows = self._queues[key], [], 0
        while queue and (not batch or shapes is not None and rows + queue[0].rows <= self.limits.max_batch_size):
            batch.append(queue.popleft())
            rows += batch[-1].rows
        self.waiting -= len(batch)
        if queue:
            self._queues.move_to_end(key)
        else:
            del self._queues[key]
        now = time.perf_counter()
        for task in batch:
            self.metrics.waited.observe((now - task.since) * 1e6, servable.name)
        self.metrics.batches.observe(rows or 1, servable.name)
        self._idle -= 1
        self._ready.put((servable, signature, batch))

    def _work(self) -> None:
        """Compute what is ready until None is; in each thread."""
        while work := self._ready.get():
            servable, signature, batch = work
            answers = self._compute(servable, signature, [task.inputs for task in batch])
            self._loop.call_soon_threadsafe(self._finish, batch, answers)

    def _finish(self, batch: list[_Task], answers: list) -> None:
        self._idle += 1
        for task, answer in zip(batch, answers, strict=True):
            if task.answer.done():
                continue
            if isinstance(answer, ServingError):
                task.answer.set_exception(answer)
            else:
                task.answer.set_result(answer)
        self._dispatch()

    def _compute(self, servable: Servable, signature: Signature, batch: list) -> list:
        """An answer or error for each request of a batch; in a thread of the pool."""
        begun = time.perf_counter()
        try:
            answers = _together(signature, batch) if len(batch) > 1 else [signature.run(batch[0])]
        except Exception as error:
            if len(batch) == 1:
                told = of_exception(error)
                told.__cause__ = error
                answers = [told]
            else:  # one request must not fail the others
                answers = [self._compute(servable, signature, [inputs])[0] for inputs in batch]
        self.metrics.runtime.observe((time.perf_counter() - begun) * 1e6, servable.name, "Predict", "TF1")
        return answers


def _expire(task: _Task, timeout: float) -> None:
    if not task.answer.done():
        told = f"no answer within {timeout:g} seconds: ask for less, or later"
        task.answer.set_exception(ServingError(Code.DEADLINE_EXCEEDED, told))


def _together(signature: Signature, batch: list) -> list[dict[str, np.ndarray]]:
    joined = {key: np.concatenate([inputs[key] for inputs in batch]) for key in signature.inputs}
    outputs = signature.run(joined)
    ends = [0, *itertools.accumulate(len(next(iter(inputs.values()))) for inputs in batch)]
    for key, value in outputs.items():
        if len(value) != ends[-1]:
            raise ServingError(Code.FAILED_PRECONDITION, f"output {key!r} has {len(value)} rows of {ends[-1]}")
    return [{key: value[begin:end] for key, value in outputs.items()} for begin, end in itertools.pairwise(ends)]
