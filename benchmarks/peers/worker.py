"""A process that waits for its turn: both sides of a paired measurement are driven by lines on their input.

Standard library only, because the two sides live in environments that share nothing else.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


class Stopwatch:
    """Seconds since it was made, and how busy other processes kept this machine's processors meanwhile."""

    def __init__(self):
        self._wall, self._own, self._busy = time.perf_counter(), time.process_time(), _busy_seconds()

    def seconds(self) -> float:
        """Wall time so far."""
        return time.perf_counter() - self._wall

    def others(self) -> float:
        """The share of all processors that went to other processes, 0 to 1; Linux only, elsewhere always 0.

        A figure of wall time means little when this is not near 0: threads of one process wait for each other,
        and PyTorch's (OpenMP) spin while they wait, so that losing a core costs far more than that core.
        """
        busy = _busy_seconds() - self._busy - (time.process_time() - self._own)
        return round(max(0.0, busy) / (self.seconds() * (os.cpu_count() or 1)), 3)


def _busy_seconds() -> float:
    """Processor seconds that all processes of this machine, and those that share its host, have used."""
    if not Path("/proc/stat").exists():
        return time.process_time()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def serve(ready: dict, commands: dict[str, Callable[[int], dict]]) -> None:
    """Print ``ready``, then answer each line "command count" on the input with one line of JSON, until it ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is printed must not be taken for an answer
    print(json.dumps(ready), file=answers)
    for line in sys.stdin:
        name, count = line.split()
        print(json.dumps(commands[name](int(count))), file=answers)
