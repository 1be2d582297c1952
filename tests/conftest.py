"""Before anything else: kgan chooses the Keras that the process will have."""

import kgan  # noqa: F401
