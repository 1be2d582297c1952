"""Before anything else: kgan chooses the Keras of the process, and TensorFlow is set up as for every training."""

from kgan.training import devices

import tensorflow as tf  # isort: skip

devices.set_up(devices.Devices(), seed=0)
# As in the server, whatever the machine: a few sums end in other bits on more threads.
tf.config.threading.set_intra_op_parallelism_threads(1)
