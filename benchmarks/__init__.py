"""Experiments with a known answer, and speed, each beside its reference figure: `python -m benchmarks.NAME`."""

import kgan  # noqa: F401  (before TensorFlow)
