"""Before anything else: kgan chooses the Keras of the process, and TensorFlow is set up as for every training."""

from kgan.training import devices

import tensorflow as tf  # isort: skip

devices.set_up(devices.Devices(), seed=0)
# But for this, as in the server and in any other process: sums on fewer threads end in other bits.
tf.config.threading.set_intra_op_parallelism_threads(0)
