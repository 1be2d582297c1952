"""What the server answers, whatever the protocol: the models, the queue before them, and the rules of both."""

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from kgan.serving.batching import Limits, Scheduler
from kgan.serving.metrics import Metrics
from kgan.serving.repository import Repository
from kgan.serving.servable import DEFAULT, Servable, Signature
from kgan.serving.status import Code, ServingError, invalid, of_exception

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which model a request means."""

    name: str
    version: int | None = None
    label: str | None = None


@dataclasses.dataclass(frozen=True)
class Answer:
    """The outputs, and the version that gave them."""

    outputs: dict[str, np.ndarray]
    version: int


Decode = Callable[[Signature], Mapping[str, np.ndarray]]
Missing = Callable[[str], ServingError]


class Service:
    """Answers requests; lives on one event loop.

    Args:
        repository: the models.
        limits: of the queue.
        timeout: seconds after which a request is given up.
        most: samples that one request may ask for.
        largest: bytes of one request; those of all requests that are not answered yet may be four times as many.
    """

    def __init__(self, repository: Repository, limits: Limits, *, timeout: float, most: int, largest: int):
        self.repository, self.timeout, self.most, self.largest = repository, timeout, most, largest
        self._held = 0
        self.metrics: Metrics = repository.metrics
        self.scheduler = Scheduler(limits, self.metrics)
        self.metrics.gauge(":kgan:serving:waiting", "Requests that wait.", lambda: self.scheduler.waiting)

    async def predict(self, asked: Asked, signature_name: str, decode: Decode, missing: Missing) -> Answer:
        """Ask a model.

        Args:
            asked: the model.
            signature_name: empty for the default one.
            decode: reads the inputs, once the signature that they are for is known.
            missing: the error of this protocol for a signature that there is not.

        Raises:
            ServingError: with what the caller is told.
        """
        with self.repository.hold(asked.name, asked.version, asked.label) as servable:
            signature, inputs = self._read(servable, signature_name, decode, missing)
            return Answer(await self.scheduler.run(servable, signature, inputs, self.timeout), servable.version)

    def submit(
        self, asked: Asked, signature_name: str, decode: Decode, missing: Missing,
        done: Callable[[dict[str, np.ndarray] | ServingError], None],
    ) -> None:  # fmt: skip
        """As `predict`, but the outputs or what went wrong is what `done` is called with later, on the event loop.

        Raises:
            ServingError: what is wrong is known at once.
        """
        servable = self.repository.take(asked.name, asked.version, asked.label)

        def finish(found: dict[str, np.ndarray] | ServingError) -> None:
            self.repository.release(servable)
            done(found)

        try:
            signature, inputs = self._read(servable, signature_name, decode, missing)
            self.scheduler.submit(servable, signature, inputs, self.timeout, finish)
        except BaseException:
            self.repository.release(servable)
            raise

    def _read(self, servable: Servable, signature_name: str, decode: Decode, missing: Missing):
        """The signature that is asked, and its inputs, checked."""
        signature = servable.signature(signature_name)
        if signature is None:
            raise missing(signature_name or DEFAULT)
        inputs = decode(signature)
        signature.check(inputs, self.most)
        return signature, inputs

    def refuse_method(self, asked: Asked, signature_name: str, kind: str, verb: str) -> ServingError:
        """Why a model cannot `classify` or `regress`, in TF Serving's words."""
        with self.repository.hold(asked.name, asked.version, asked.label) as servable:
            signature = servable.signature(signature_name)
            if signature is None:
                return invalid(f"No signature was found with the name: {signature_name or DEFAULT}")
            wanted = f"tensorflow/serving/{verb}"
            if signature.method != wanted:
                return invalid(f"Expected {kind} signature method_name to be {wanted}. Was: {signature.method}")
        return ServingError(Code.UNIMPLEMENTED, f"this server does not {verb}: use predict, or TF Serving")

    def models(self) -> list[dict[str, Any]]:
        """Every model with its versions, its `kgan.json` and its signatures: our own addition to the protocol."""
        found = []
        for name, versions in self.repository.models().items():
            with contextlib.suppress(ServingError), self.repository.hold(name) as servable:
                found.append({
                    "name": name, "versions": versions, "about": servable.about, "signatures": _described(servable),
                })  # fmt: skip
        return found

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether every model has a version that can be asked, and which."""
        models = self.repository.models()
        waiting = self.repository.unavailable()
        return not waiting, {"status": "loading" if waiting else "ok", "models": models, "unavailable": waiting}

    @contextlib.contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """What is called with the bytes of a request as they arrive, and refuses them when there are too many."""
        size = 0

        def take(more: int) -> None:
            nonlocal size
            if size + more > self.largest:
                raise invalid_size(self.largest)
            if self._held + more > 4 * self.largest:
                raise ServingError(Code.RESOURCE_EXHAUSTED, "too many bytes of requests wait: try again later")
            size += more
            self._held += more

        try:
            yield take
        finally:
            self._held -= size

    @contextlib.contextmanager
    def counted(self, name: str, api: str, entrypoint: str) -> Iterator[None]:
        """Count what is done within; whatever goes wrong becomes a ServingError."""
        begun, code = time.perf_counter(), Code.OK
        try:
            yield
        except asyncio.CancelledError:
            code = Code.CANCELLED
            raise
        except Exception as error:
            told = self.told(name, error)
            code = told.code
            raise told from error
        finally:
            self.count(name, api, entrypoint, begun, code)

    def told(self, name: str, error: Exception) -> ServingError:
        """What the caller of a model is told of an error; what is our own fault is logged."""
        told = of_exception(error)
        if told.code is Code.INTERNAL:
            _LOG.error("while %s was asked", name[:100], exc_info=error)
        return told

    def count(self, name: str, api: str, entrypoint: str, begun: float, code: Code) -> None:
        """Count a request that ended with this code, and the time since it began."""
        # Names that no model has are the caller's: counting each would let a caller fill the memory.
        known = name if self.repository.has(name) else ""
        self.metrics.requests.add(known, code.name)
        if code is Code.OK:
            self.metrics.latency.observe((time.perf_counter() - begun) * 1e6, known, api, entrypoint)


def invalid_size(largest: int) -> ServingError:
    """For a request that is too large."""
    message = f"the request has more than {largest} bytes: send less at once"
    return ServingError(Code.INVALID_ARGUMENT, message, 413)


def _described(servable: Servable) -> dict[str, Any]:
    return {
        name: {
            "inputs": {key: tensor.described() for key, tensor in signature.inputs.items()},
            "outputs": {key: tensor.described() for key, tensor in signature.outputs.items()},
        }
        for name, signature in servable.signatures.items()
        if name != DEFAULT or len(servable.signatures) == 1
    }
