"""Before anything else: kgan chooses the Keras of the process, and one thread makes every test repeatable."""

import kgan  # noqa: F401  # isort: skip
import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
