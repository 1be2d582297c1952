"""kgan: adversarial learning for TensorFlow and Keras, to run, serve and fine-tune.

Two Kerases share this process. Everything here is Keras 3 (``import keras``); tf-agents and
tensorflow-probability speak Keras 2, which is ``tf_keras``. TensorFlow chooses between the two
once, when it is first imported, so the choice has to be made here, before that.
"""

import os
import sys

__version__ = "0.1.0"

if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
    raise ImportError(
        "TensorFlow was imported before kgan without TF_USE_LEGACY_KERAS=1, so tf-agents would meet the "
        "wrong Keras: import kgan first, or set TF_USE_LEGACY_KERAS=1 in the environment."
    )
if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
    raise ImportError(
        f"kgan needs Keras on TensorFlow but KERAS_BACKEND is {os.environ['KERAS_BACKEND']!r}: "
        "unset KERAS_BACKEND or set it to 'tensorflow'."
    )
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["KERAS_BACKEND"] = "tensorflow"
# TensorFlow's own log at start-up (no GPU, an optimisation not taken) is not news to a user; exceptions still are.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow by itself turns oneDNN on only where there is AMX or AVX512-VNNI; others train 1.5 times as fast with it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
