"""What the server costs and what it bears: throughput with and without batching, latency, HTTP's share, leaks, swaps.

    python -m benchmarks.serving [--seconds 4] [--rounds 5] [--requests 10000] [--versions 100] [--only speed|bears]

Speed is that of the digits generator (`decode`: one code in, one picture out) over REST. Servers and callers share the
processors that the benchmark is given; the kinds of calls take turns, A B C A B C …, and ratios are of one round.
"""

import argparse
import collections
import json
import os
import re
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks import counting, served
from benchmarks.results import Row, record, with_amx
from kgan.serving.exported import load

CLIENTS = 32
MODEL = served.ROOT / "saved_models/digits"


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4, help="of one kind of calls in one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=10_000, help="of nonsense")
    parser.add_argument("--versions", type=int, default=100, help="to swap")
    parser.add_argument("--only", choices=("speed", "bears"), help="one half of it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.only != "bears":
            speed(Path(folder), given)
        if given.only != "speed":
            bears(Path(folder), given)


# Speed.


def speed(folder: Path, given: argparse.Namespace) -> None:
    """Throughput and latency."""
    models = folder / "models"
    models.mkdir()
    (models / "digits").symlink_to(MODEL)
    batched = served.start(models, folder / "batched.log")
    single = served.start(models, folder / "single.log", "--max-batch-size", 1)
    counter = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.counting"], cwd=served.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    counting_port = int(counter.stdout.readline())
    latents = np.random.default_rng(0).normal(size=(1, 100)).astype(np.float32)
    message = _message(latents)
    function, code = load(MODEL)._module.signatures["decode"], tf.constant(latents)

    def bare() -> list[float]:
        """Seconds of calls of the SavedModel itself."""
        times = []
        for _ in range(500):
            begun = time.perf_counter()
            function(latents=code)["images"].numpy()
            times.append(time.perf_counter() - begun)
        return times

    def counted(rate: float) -> float:
        """99th percentile at half of this rate, which is the most that counting to a suitable number leaves."""

        def spacing(number: int) -> float:
            return 1 / len(_load(counting_port, counting.message(number), CLIENTS, 1))

        least, far = spacing(0), 20_000
        number = max(0, round(far * (1 / rate - least) / (spacing(far) - least)))
        times = _load(counting_port, counting.message(number), 4 * CLIENTS, given.seconds, rate / 2)
        return float(np.percentile(times, 99))

    kinds: dict[str, Callable[[], list[float]]] = {
        "batched": lambda: _load(batched.port, message, CLIENTS, given.seconds),
        "unbatched": lambda: _load(single.port, message, CLIENTS, given.seconds),
        "alone": lambda: _load(batched.port, message, 1, given.seconds),
    }
    for ask in kinds.values():
        ask()
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    alone, bares, bare_tails, tails, counted_tails = [], [], [], [], []
    for _ in range(given.rounds):
        calls = bare()
        bares.append(statistics.median(calls))
        bare_tails.append(float(np.percentile(calls, 99)))
        for kind, ask in kinds.items():
            times = ask()
            rates[kind].append(len(times) / given.seconds)
            if kind == "alone":
                alone.append(statistics.median(times))
        times = _load(batched.port, message, 4 * CLIENTS, given.seconds, rates["batched"][-1] / 2)
        tails.append(float(np.percentile(times, 99)))
        counted_tails.append(counted(rates["batched"][-1]))
    for server in (batched, single):
        server.stop()
    counter.communicate()

    def ratios(over: list[float], under: list[float]) -> str:
        found = [a / b for a, b in zip(over, under, strict=True)]
        return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"

    def middle(over: list[float], under: list[float]) -> float:
        return statistics.median(a / b for a, b in zip(over, under, strict=True))

    per_second = ", ".join(f"{kind} {statistics.median(rate):.0f}" for kind, rate in rates.items())
    processors = len(os.sched_getaffinity(0))
    rows: list[Row] = [
        {
            "setting": f"requests a second, {CLIENTS} clients batched / one call at a time",
            "ours": ratios(rates["batched"], rates["alone"]),
            "reference": "≥ 4",
            "passes": middle(rates["batched"], rates["alone"]) >= 4,
        },
        {
            "setting": f"requests a second, {CLIENTS} clients batched / the same clients, not batched",
            "ours": ratios(rates["batched"], rates["unbatched"]),
            "reference": "> 1",
            "passes": middle(rates["batched"], rates["unbatched"]) > 1,
        },
        {
            "setting": "99th percentile of latency at half of the batched load / a call of the bare SavedModel",
            "ours": ratios(tails, bares),
            "reference": "< 5",
            "passes": middle(tails, bares) < 5,
        },
        {
            "setting": "the same / the 99th percentile of calls of the bare SavedModel, one after the other",
            "ours": ratios(tails, bare_tails),
            "reference": "reported",
            "passes": True,
        },
        {
            "setting": "the same latency of a server that only counts / a call of the bare SavedModel",
            "ours": ratios(counted_tails, bares),
            "reference": "reported",
            "passes": True,
        },
        {
            "setting": "one call over HTTP / a call of the bare SavedModel",
            "ours": ratios(alone, bares),
            "reference": "reported",
            "passes": True,
        },
    ]
    record(
        f"Serving: speed {with_amx()}", rows, command="python -m benchmarks.serving --only speed", seeds=[0],
        protocol=f"Digits generator, `decode` of one code over REST; servers, callers and all on {processors} "
        f"processor{'s' * (processors > 1)}; medians of {given.rounds} rounds of {given.seconds:g} s (least and most); "
        f"requests a second: {per_second}; a bare call takes {1e3 * statistics.median(bares):.2f} ms. At half load, "
        "requests arrive at random (Poisson), and latency counts from when they should have been sent; the first "
        "second is not counted. The server that only counts has one thread and no model, and counts as far as leaves "
        "it as many requests a second (`benchmarks/counting.py`): its latency is what the machine leaves of that of "
        "any one thread as busy as this.",
    )  # fmt: skip


def _message(latents: np.ndarray) -> bytes:
    body = json.dumps({"signature_name": "decode", "instances": latents.tolist()}).encode()
    head = f"POST /v1/models/digits:predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _load(port: int, message: bytes, connections: int, seconds: float, rate: float = 0) -> list[float]:
    """The seconds that each answer takes.

    Each connection asks again as soon as it is answered. With a rate, requests arrive at random (Poisson) whatever the
    answers do, and time counts from when each was due; those of a first second more, in which everything is cold, are
    not counted.
    """
    clock, size = time.perf_counter, 0
    sockets = {one.fileno(): one for one in (socket.create_connection(("127.0.0.1", port)) for _ in range(connections))}
    answered = select.epoll()
    for number in sockets:
        answered.register(number, select.EPOLLIN)
    free, begun, got = list(sockets), dict[int, float](), dict[int, int]()
    start = clock()
    counts_from = start + 1 if rate else start
    gaps = np.random.default_rng(0).exponential(1 / rate, int(rate * (seconds + 1))) if rate else np.zeros(connections)
    dues = collections.deque((start + np.cumsum(gaps)).tolist())
    times = []
    while dues or begun:
        while dues and free and dues[0] <= clock():
            number = free.pop()
            begun[number], got[number] = dues.popleft(), 0
            sockets[number].send(message)
        wait = max(0.0, dues[0] - clock()) if dues and free else None
        select.select([answered], [], [], wait)  # epoll by itself waits for whole milliseconds
        ready, now = answered.poll(0), clock()  # how long reading them takes is not the server's
        for number, _ in ready:
            answer = sockets[number].recv(1 << 16)
            got[number] += len(answer)
            if not size:  # every answer has the same
                head, _, _ = answer.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), answer
                size = len(head) + 4 + int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            if got[number] != size:
                continue
            due = begun.pop(number)
            if due >= counts_from:
                times.append(now - due)
            if rate or now > start + seconds:
                free.append(number)
            else:
                begun[number], got[number] = now, 0
                sockets[number].send(message)
    for one in sockets.values():
        one.close()
    return times


# What it bears.


def bears(folder: Path, given: argparse.Namespace) -> None:
    """Nonsense, and versions that come and go."""
    models = folder / "bears"
    for name in ("plain", "digits", "poems"):
        models.mkdir(exist_ok=True)
        source = served.ROOT / "saved_models" / ("vae" if name == "plain" else name)
        (models / name).symlink_to(source)
    server = served.start(models, folder / "nonsense.log", "--max-bytes", 1_000_000)
    statuses: dict = {}
    memory = []
    for part in range(10):
        found = served.throw(server, given.requests * 9 // 100, seed=part)
        found |= served.throw_messages(server, given.requests // 100, seed=part)
        for status, count in found.items():
            statuses[status] = statuses.get(status, 0) + count
        memory.append(_memory(server.process.pid))
    grown = memory[-1] / memory[1] - 1
    ended = server.stop()
    traces = (folder / "nonsense.log").read_text().count("Traceback")

    swapped = folder / "swapping/swapped"
    swapped.mkdir(parents=True)
    shutil.copytree(MODEL / "1", swapped / "1")
    server = served.start(swapped.parent, folder / "swaps.log", "--poll", 0.05, "--settle", 0.3)
    first = _memory(server.process.pid)
    seen, calls, errors = served.swap(server, given.versions, callers=8, pause=0.1)
    last = _memory(server.process.pid)
    server.stop()
    answered = ", ".join(f"{count:,} × {status}" for status, count in sorted(statuses.items(), key=lambda p: str(p[0])))
    rows: list[Row] = [
        {
            "setting": f"{sum(statuses.values()):,} requests of nonsense: tracebacks, exit status",
            "ours": f"{traces}, {ended}",
            "reference": "0, 0",
            "passes": traces == 0 and ended == 0,
        },
        {
            "setting": "growth of memory after the first two tenths of them",
            "ours": f"{100 * grown:.1f} % of {memory[1] / 2**20:.0f} MB",
            "reference": "< 5 %",
            "passes": grown < 0.05,
        },
        {
            "setting": f"{given.versions} versions written slowly and removed, 8 clients: calls that failed",
            "ours": f"{len(errors)} of {calls:,}",
            "reference": "0",
            "passes": not errors,
        },
        {
            "setting": "versions among them that were served",
            "ours": f"{len(seen - {1})}",
            "reference": f"{given.versions}",
            "passes": len(seen - {1}) == given.versions,
        },
    ]
    record(
        "Serving: what it bears", rows, command="python -m benchmarks.serving --only bears", seeds=list(range(10)),
        protocol=f"Nonsense is broken JSON, wrong values and noise over REST, and one in ten a broken message by gRPC; "
        f"answered {answered}. Versions are copies of the digits generator, each file written in two halves; half of "
        f"the clients call by REST, half by gRPC, and every answer must be the same; memory {first / 2**20:.0f} MB "
        f"before and {last / 2**20:.0f} MB after.",
    )  # fmt: skip


def _memory(process: int) -> int:
    """Bytes that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
