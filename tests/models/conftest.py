"""Before any test imports Keras: TensorFlow chooses between two Kerases when it is first imported."""

import kgan  # noqa: F401
