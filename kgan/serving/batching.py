"""Requests wait here for a thread to compute them, and those that fit each other are computed together.

Where every input and output of a signature has rows (a leading dimension of any size), requests of the same inner
shapes are concatenated, computed as one, and their rows given back: the rows of one request never depend on another's,
up to the last bits of floats. Where there is an input without rows, such as `seed` and `count`, each request is
computed by itself, several at a time on several threads. What has proved brief is computed by the event loop itself.
The queue is bounded: what does not fit is refused at once.
"""

import asyncio
import collections
import dataclasses
import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kgan.serving.metrics import Metrics
from kgan.serving.servable import Servable, Signature
from kgan.serving.status import Code, ServingError, of_exception

_BRIEF = 0.003  # seconds
_FEW = 64  # rows


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


@dataclasses.dataclass(eq=False, slots=True)
class Task:
    """A request that waits or is computed."""

    key: tuple
    inputs: Mapping[str, np.ndarray]
    rows: int
    done: Callable[[Any], None]
    """Called with what became of it."""
    since: float
    deadline: float


class Scheduler:
    """Computes requests on a few threads, which take them from its queues themselves; lives on one event loop."""

    def __init__(self, limits: Limits, metrics: Metrics):
        self.limits, self.metrics = limits, metrics
        self.waiting = 0
        self._queues: collections.OrderedDict[tuple, collections.deque[Task]] = collections.OrderedDict()
        self._changed = threading.Condition()  # guards the queues
        self._is_due = False  # the event loop is to compute a batch itself
        self._unanswered: dict[Task, None] = {}  # in the order in which they came
        self._alarm, self._alarm_at = None, math.inf
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{index}", daemon=True) for index in range(limits.threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(
        self, servable: Servable, signature: Signature, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        """The outputs of a request whose inputs were checked.

        Raises:
            ServingError: too many wait, the computation failed, or took more than `timeout` seconds.
        """
        answer = self._loop.create_future()
        task = self.submit(
            servable, signature, inputs, timeout, lambda found: answer.done() or answer.set_result(found)
        )
        try:
            found = await answer
        except BaseException:  # whoever gives up makes room for others
            self._give_up(task)
            raise
        if isinstance(found, ServingError):
            raise found
        return found

    def submit(
        self, servable: Servable, signature: Signature, inputs: Mapping[str, np.ndarray], timeout: float,
        done: Callable[[dict[str, np.ndarray] | ServingError], None],
    ) -> Task:  # fmt: skip
        """As `run`, but what it gives or raises is what `done` is called with later, on the event loop.

        Raises:
            ServingError: too many wait.
        """
        if self.waiting >= self.limits.max_enqueued:
            raise ServingError(
                Code.UNAVAILABLE,
                f"The batch scheduling queue to which this task was submitted is full: {self.waiting} requests wait.",
            )
        rows, shapes = 0, None
        if signature.is_batchable:
            sizes = {len(value) for value in inputs.values()}
            rows = sizes.pop() if len(sizes) == 1 else 0  # otherwise the graph says what it thinks of it
            if rows and self.limits.max_batch_size > 1:
                shapes = tuple(inputs[key].shape[1:] for key in signature.inputs)
        now = time.perf_counter()
        task = Task((servable, signature, shapes), inputs, rows, done, now, now + timeout)
        self._unanswered[task] = None
        if task.deadline < self._alarm_at:
            self._set_alarm(task.deadline)
        with self._changed:
            queue = self._queues.setdefault(task.key, collections.deque())
            queue.append(task)
            self.waiting += 1
            self._call(queue)
        return task

    def _give_up(self, task: Task) -> None:
        self._unanswered.pop(task, None)
        with self._changed:
            if task in self._queues.get(task.key, ()):
                self._queues[task.key].remove(task)
                self.waiting -= 1

    # One timer for all: to set one for each request costs more than to read its JSON.

    def _set_alarm(self, at: float) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = self._loop.call_later(at - time.perf_counter(), self._expire) if at < math.inf else None

    def _expire(self) -> None:
        now = time.perf_counter()
        for task in [task for task in self._unanswered if task.deadline <= now]:
            self._give_up(task)
            told = f"no answer within {task.deadline - task.since:g} seconds: ask for less, or later"
            task.done(ServingError(Code.DEADLINE_EXCEEDED, told))
        self._set_alarm(min((task.deadline for task in self._unanswered), default=math.inf))

    def _finish(self, batch: list[Task], answers: list) -> None:
        for task, answer in zip(batch, answers, strict=True):
            if task in self._unanswered:
                del self._unanswered[task]
                task.done(answer)

    # To hand a brief batch to a thread and back takes longer than to compute it, all the more as only one thread can be
    # in Python: the event loop does it, once it has read what else has arrived.

    def _is_brief(self, queue: collections.deque[Task]) -> bool:
        """Whether the next batch of a queue will be; where there are no rows, the last ones do not tell."""
        _, signature, _ = queue[0].key
        is_usual = signature.took is not None and signature.took < _BRIEF and not self.limits.batch_timeout_micros
        return is_usual and 0 < queue[0].rows <= _FEW

    def _call(self, queue: collections.deque[Task]) -> None:
        """Have somebody compute the next batch of a queue; under the lock."""
        if not self._is_brief(queue):
            self._changed.notify()
        elif not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._work_briefly)

    def _work_briefly(self) -> None:
        """Compute one batch; on the event loop, which looks for new requests before the next."""
        with self._changed:
            self._is_due = False
            queues = [queue for queue in self._queues.values() if queue]
            brief = next((queue for queue in queues if self._is_brief(queue)), None)
            batch = self._take(brief[0].key) if brief else None
            for queue in queues:
                if queue:
                    self._call(queue)
        if batch:
            self._finish(batch, self._compute(batch))

    def close(self) -> None:
        """Wait for what is being computed."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    # In each thread. Were they told what to compute, they would be idle until the event loop comes to it.

    def _work(self) -> None:
        """Compute what is ready until the scheduler is closed."""
        while batch := self._next():
            self._loop.call_soon_threadsafe(self._finish, batch, self._compute(batch))

    def _next(self) -> list[Task] | None:
        """Wait for a batch, each queue in its turn; None once the scheduler is closed."""
        with self._changed:
            while not self._is_closed:
                soonest = None
                for key, queue in list(self._queues.items()):
                    if not queue:
                        del self._queues[key]
                    elif (wait := self._wait(key, queue)) <= 0:
                        return self._take(key)
                    else:
                        soonest = min(wait, soonest or wait)
                self._changed.wait(soonest)

    def _wait(self, key: tuple, queue: collections.deque[Task]) -> float:
        """Seconds until the first batch of a queue is ready; 0 when it is."""
        timeout = self.limits.batch_timeout_micros
        if not timeout or key[2] is None or len(queue) >= self.limits.max_batch_size:
            return 0
        if sum(task.rows for task in queue) >= self.limits.max_batch_size:
            return 0
        return queue[0].since + timeout / 1e6 - time.perf_counter()

    def _take(self, key: tuple) -> list[Task]:
        servable, _, shapes = key
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
        return batch

    # Anywhere.

    def _compute(self, batch: list[Task]) -> list[dict[str, np.ndarray] | ServingError]:
        """An answer or error for each request of a batch."""
        servable, signature, _ = batch[0].key
        begun = time.perf_counter()
        try:
            answers = _together(signature, batch) if len(batch) > 1 else [signature.run(batch[0].inputs)]
        except Exception as error:
            if len(batch) == 1:
                told = of_exception(error)
                told.__cause__ = error
                answers = [told]
            else:  # one request must not fail the others
                answers = [self._compute([task])[0] for task in batch]
        took = time.perf_counter() - begun
        signature.took = took if signature.took is None else signature.took + 0.1 * (took - signature.took)
        self.metrics.runtime.observe(took * 1e6, servable.name, "Predict", "TF1")
        return answers


def _together(signature: Signature, batch: list[Task]) -> list[dict[str, np.ndarray]]:
    outputs = signature.run({key: np.concatenate([task.inputs[key] for task in batch]) for key in signature.inputs})
    ends = [0, *itertools.accumulate(task.rows for task in batch)]
    for key, value in outputs.items():
        if len(value) != ends[-1]:
            raise ServingError(Code.FAILED_PRECONDITION, f"output {key!r} has {len(value)} rows of {ends[-1]}")
    return [{key: value[begin:end] for key, value in outputs.items()} for begin, end in itertools.pairwise(ends)]
