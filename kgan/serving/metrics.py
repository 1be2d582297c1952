"""What a server counts, in the text format of Prometheus and under TF Serving's names."""

import bisect
import math
import threading
from collections import defaultdict

_BOUNDS = [10 * 1.8**power for power in range(32)]  # microseconds, as TF Serving's: 10 us to about 20 minutes
_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]


class Counter:
    """A number for each combination of labels, which only grows."""

    kind = "counter"

    def __init__(self, name: str, about: str, *labels: str):
        self.name, self.about, self.labels = name, about, labels
        self._values: dict[tuple[str, ...], float] = defaultdict(int)
        self._lock = threading.Lock()

    def add(self, *labels: str, by: float = 1) -> None:
        """Count."""
        with self._lock:
            self._values[labels] += by

    def lines(self) -> list[str]:
        """The samples."""
        with self._lock:
            return [f"{self.name}{_braced(self.labels, key)} {value}" for key, value in self._values.items()]


class Gauge:
    """A number of now, asked when it is read."""

    kind = "gauge"

    def __init__(self, name: str, about: str, read):
        self.name, self.about, self.read = name, about, read

    def lines(self) -> list[str]:
        """The sample."""
        return [f"{self.name} {self.read()}"]


class Histogram:
    """How values are spread, for each combination of labels."""

    kind = "histogram"

    def __init__(self, name: str, about: str, *labels: str, bounds=_BOUNDS):
        self.name, self.about, self.labels, self.bounds = name, about, labels, bounds
        self._counts: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * (len(bounds) + 1))
        self._sums: dict[tuple[str, ...], float] = defaultdict(float)
        self._lock = threading.Lock()

    def observe(self, value: float, *labels: str) -> None:
        """Count one value."""
        with self._lock:
            self._counts[labels][bisect.bisect_left(self.bounds, value)] += 1
            self._sums[labels] += value

    def lines(self) -> list[str]:
        """The buckets, each with all that is below its bound, the sum and the count."""
        found = []
        with self._lock:
            for key, counts in self._counts.items():
                below = 0
                for bound, count in zip([*self.bounds, math.inf], counts, strict=True):
                    below += count
                    limit = "+Inf" if math.isinf(bound) else f"{bound:g}"
                    found.append(f"{self.name}_bucket{_braced((*self.labels, 'le'), (*key, limit))} {below}")
                found.append(f"{self.name}_sum{_braced(self.labels, key)} {self._sums[key]:g}")
                found.append(f"{self.name}_count{_braced(self.labels, key)} {below}")
        return found


class Metrics:
    """All of them."""

    def __init__(self):
        serving = ":tensorflow:serving:"
        self.requests = Counter(f"{serving}request_count", "Requests, by how they ended.", "model_name", "status")
        self.latency = Histogram(
            f"{serving}request_latency", "Microseconds from a request to its answer.", "model_name", "API", "entrypoint"
        )
        self.runtime = Histogram(
            f"{serving}runtime_latency", "Microseconds in TensorFlow.", "model_name", "API", "runtime"
        )
        self.waited = Histogram(
            f"{serving}batching_session:queuing_latency", "Microseconds that a request waited.", "model_name"
        )
        self.batches = Histogram(
            f"{serving}batching_session:processed_batch_size", "Rows computed together.", "model_name", bounds=_SIZES
        )
        self.loads = Counter(f"{serving}load_attempt_count", "Versions loaded.", "model_name", "status")
        self.all = [self.requests, self.latency, self.runtime, self.waited, self.batches, self.loads]

    def gauge(self, name: str, about: str, read) -> None:
        """Show what `read` gives as well."""
        self.all.append(Gauge(name, about, read))

    def page(self) -> str:
        """The text that Prometheus reads."""
        lines = []
        for metric in self.all:
            lines += [f"# HELP {metric.name} {metric.about}", f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
        return "\n".join(lines) + "\n"


def _braced(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    escaped = (value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for value in values)
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True)) + "}"
