"""Before anything else: kgan chooses the Keras of the process, and TensorFlow is set up as for every training."""

from kgan.training import devices

devices.set_up(devices.Devices(), seed=0)
