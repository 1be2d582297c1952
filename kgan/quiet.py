"""TensorFlow, imported without its greeting."""

import os
import sys


def import_tensorflow() -> None:
    """TensorFlow greets on standard error before any setting can stop it; a user's own messages come first here."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
