"""Before anything else: kgan chooses the Keras of the process."""

import kgan  # noqa: F401
