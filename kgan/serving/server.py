"""Runs both protocols on one event loop until it is told to stop."""

import asyncio
import contextlib
import dataclasses
import functools
import gc
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from kgan.errors import UsageError
from kgan.serving import rpc
from kgan.serving.batching import Limits
from kgan.serving.repository import Repository, read_config
from kgan.serving.rest import RestApi
from kgan.serving.servable import Servable
from kgan.serving.service import Service

_LARGEST_HEAD = 65536
_MOST_CONNECTIONS = 1000


@dataclasses.dataclass
class Options:
    """Serve every model in a directory by TF Serving's protocols, REST and gRPC; at / is a page to try them.

    This is the laptop's server: the same requests get the same answers from TF Serving, which is for production
    (python -m kgan.serving config writes its configuration). It needs neither Docker nor Keras.
    """

    models: Path = Path("saved_models")
    """The directory that holds NAME/VERSION/saved_model.pb; it is watched for new versions."""
    config: Path | None = None
    """A models.config of TF Serving: names, version policies and labels. Of each base_path the last part counts, which
    is looked for in --models. Left out, the highest version of every model is served."""
    versions: int = 1
    """How many of a model's highest versions are served, where --config says nothing; 0 is all."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in, whom nothing else keeps out."""
    port: int = 8501
    """For REST and the page; 0 is any free one."""
    grpc_port: int = 8500
    """For gRPC; 0 is any free one."""
    max_batch_size: int = Limits.max_batch_size
    """Rows of several requests that are computed together; 1 is one request at a time."""
    batch_timeout_micros: int = Limits.batch_timeout_micros
    """How long the first request of a batch waits for others while nothing is computed; with 0, what arrives during a
    computation is the next batch."""
    num_batch_threads: int = Limits.num_batch_threads
    """Batches computed at the same time; 0 is one less than processors, as one answers the callers, and computes what
    takes less than handing it over."""
    max_enqueued: int = Limits.max_enqueued
    """Requests that wait; further ones are refused at once (503)."""
    intra_op_parallelism: int = 1
    """Threads that share an operator (TF Serving's tensorflow_intra_op_parallelism); 0 is one for each processor.
    Several are for large requests: handing work around makes small ones slower, and a few sums end in other bits."""
    max_samples: int = 2048
    """Samples that one request may ask for: rows, times whatever says how many (count, draws)."""
    max_bytes: int = 16 * 2**20
    """Of one request; larger ones are refused (413)."""
    timeout: float = 30.0
    """Seconds after which a request is given up (504)."""
    poll: float = 1.0
    """Seconds between two looks at the directory."""
    settle: float = 1.0
    """Seconds for which nothing in a new version must have changed before it is loaded."""


def check(options: Options) -> None:
    """Refuse what cannot work.

    Raises:
        UsageError: an option is out of range, or there is no such directory.
    """
    least = {
        "versions": 0, "port": 0, "grpc_port": 0, "max_batch_size": 1, "batch_timeout_micros": 0,
        "num_batch_threads": 0, "max_enqueued": 1, "intra_op_parallelism": 0, "max_samples": 1, "max_bytes": 1024,
        "settle": 0,
    }  # fmt: skip
    for name, bound in least.items():
        if getattr(options, name) < bound:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(options, name)}: give at least {bound}.")
    for name in ("timeout", "poll"):
        if not getattr(options, name) > 0:
            raise UsageError(f"--{name} is {getattr(options, name)}: give more than 0.")
    if not options.models.is_dir():
        raise UsageError(f"there is no directory {str(options.models)!r}: name one that export has written into.")


def run(options: Options) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM).

    Raises:
        UsageError: an option cannot work, or a port is taken.
    """
    check(options)
    rules = read_config(options.config) if options.config else None
    load = functools.partial(Servable, threads=options.intra_op_parallelism)
    repository = Repository(options.models, rules, keep=options.versions, settle=options.settle, load=load)
    listening = _socket(options.host, options.port)
    # With Python's 5 ms a thread that has computed an answer would wait that long for its turn to hand it over.
    sys.setswitchinterval(5e-5)
    repository.scan()
    gc.collect()
    gc.freeze()  # looking through all of TensorFlow for garbage would hold up requests for tenths of a second
    try:
        uvloop.run(_serve(options, repository, listening))
    finally:
        repository.close()


async def _serve(options: Options, repository: Repository, listening: socket.socket) -> None:
    limits = Limits(
        options.max_batch_size, options.batch_timeout_micros, options.num_batch_threads, options.max_enqueued
    )
    service = Service(repository, limits, timeout=options.timeout, most=options.max_samples, largest=options.max_bytes)
    server = _Server(
        uvicorn.Config(
            RestApi(service), loop="none", http=_Protocol, ws="none", lifespan="off", interface="asgi3",
            access_log=False, proxy_headers=False, log_level="error", server_header=False, date_header=True,
            limit_concurrency=_MOST_CONNECTIONS, timeout_keep_alive=75, timeout_graceful_shutdown=10,
        )
    )  # fmt: skip
    _Protocol.patience = options.timeout
    try:
        address = f"{_bracketed(options.host)}:{options.grpc_port}"
        remote, grpc_port = rpc.serve(service, address, most_calls=_MOST_CONNECTIONS)
    except OSError:
        raise _taken(options.host, options.grpc_port, "--grpc-port") from None
    await remote.start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    repository.watch(options.poll)
    listening.listen(_MOST_CONNECTIONS)
    port = listening.getsockname()[1]
    names = ", ".join(repository.models()) or f"nothing yet; waiting for models in {options.models}"
    print(
        f"serving {names}\n"
        f"  page and REST  http://{_bracketed(options.host)}:{port}/  (models at /v1/models/NAME)\n"
        f"  gRPC           {_bracketed(options.host)}:{grpc_port}\n"
        f"  metrics        http://{_bracketed(options.host)}:{port}/monitoring/prometheus/metrics\n"
        "Ctrl-C stops. For production: TF Serving (python -m kgan.serving config).",
        flush=True,
    )
    try:
        await server.serve(sockets=[listening])
    finally:
        await remote.stop(grace=10)
        service.scheduler.close()


class _Server(uvicorn.Server):
    """Signals are ours: there is gRPC to stop as well."""

    @contextlib.contextmanager
    def capture_signals(self):
        """Leave them as they are."""
        yield


class _Protocol(HttpToolsProtocol):
    """HTTP whose heads are limited in size and in time; what is asked in one piece may be answered without a task."""

    patience = 30.0
    _is_heading = True  # a head is awaited or arriving
    _arriving = 0
    _overdue: asyncio.TimerHandle | None = None
    _answered_at = 0.0
    _resting: asyncio.TimerHandle | None = None
    _is_reading = False
    _begun: tuple[RequestResponseCycle, Any] | None = None

    def connection_made(self, transport) -> None:
        """Begin to wait for a first request."""
        super().connection_made(transport)
        self._overdue = self.loop.call_later(self.patience, transport.close)

    def connection_lost(self, exc) -> None:
        """Stop waiting."""
        self._in_time()
        if self._resting is not None:
            self._resting.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; then answer what has begun, and count what belongs to a head that is not complete."""
        self._is_reading = True
        super().data_received(data)
        self._is_reading = False
        if self._begun:
            (cycle, app), self._begun = self._begun, None
            if not self._answered(cycle, app):
                super()._start_asgi_task(cycle, app)
        if self._is_heading and not self.transport.is_closing():
            self._arriving += len(data)
            if self._arriving > _LARGEST_HEAD:
                self.send_400_response("The head of the request is too large.")
            elif self._overdue is None:
                self._overdue = self.loop.call_later(self.patience, self.transport.close)

    def on_message_begin(self) -> None:
        """The head must be complete in time."""
        self._is_heading = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It is."""
        self._is_heading = False
        self._in_time()
        super().on_headers_complete()

    def _in_time(self) -> None:
        self._arriving = 0
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app) -> None:
        """Wait for the end of what is being read, which may hold the whole body."""
        if self._is_reading:
            self._begun = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _answered(self, cycle: RequestResponseCycle, app) -> bool:
        """Whether a request is answered without a task."""
        scope = cycle.scope
        if cycle.more_body or scope["method"] != "POST" or app is not self.app or self.flow.write_paused:
            return False
        respond = functools.partial(self._respond, cycle)
        return app.answer(scope["raw_path"].decode("latin-1"), bytes(cycle.body), respond)

    def _respond(self, cycle: RequestResponseCycle, status: int, content: bytes) -> None:
        if cycle.disconnected or self.transport.is_closing():
            return
        head = [STATUS_LINE[status], b"".join(b"%b: %b\r\n" % pair for pair in cycle.default_headers)]
        head.append(b"content-type: application/json\r\ncontent-length: %d\r\n" % len(content))
        head.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        self.transport.write(b"".join([*head, content]))
        cycle.response_started = cycle.response_complete = True
        if self.pipeline or not cycle.keep_alive:
            if not cycle.keep_alive:
                self.transport.close()
            cycle.on_response()
            return
        # What uvicorn would do, but for a timer of each answer, which costs as much as to write its JSON.
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._answered_at = self.loop.time()
        if self._resting is None:
            self._resting = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)

    def on_response_complete(self) -> None:
        """The connection rests, unless more has been asked."""
        self._answered_at = self.loop.time()
        super().on_response_complete()

    def _close_if_idle(self) -> None:
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left <= 0 and self.cycle.response_complete and not self._is_heading:
            self.transport.close()
        else:
            self._resting = self.loop.call_later(max(left, 1.0), self._close_if_idle)


def _socket(host: str, port: int) -> socket.socket:
    """A socket that listens, so that its port is known and nobody else has it."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, number)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except socket.gaierror as error:
        raise UsageError(f"--host {host!r} is no address ({error.strerror}): give one such as 127.0.0.1.") from error
    except (OSError, OverflowError) as error:
        raise _taken(host, port, "--port") from error
    return found


def _taken(host: str, port: int, option: str) -> UsageError:
    return UsageError(f"{host}:{port} cannot be listened on, perhaps by another server: give another {option}.")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
