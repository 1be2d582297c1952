"""Optimisers of the players."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("kgan")
class Adam(keras.optimizers.Adam):
    """Keras's Adam (Kingma & Ba 2015) by one kernel a variable, where Keras takes ten: the last word of every update.

    Options, state and figures are Keras's own, but for rounding. Sparse gradients and AMSGrad are left to Keras.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable."""
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index, kind = self._get_variable_index(variable), variable.dtype
        step = tf.cast(self.iterations + 1, kind)
        beta_1, beta_2 = (tf.constant(beta, kind) for beta in (self.beta_1, self.beta_2))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=self._momentums[index].value.handle, v=self._velocities[index].value.handle,
            beta1_power=beta_1**step, beta2_power=beta_2**step, lr=tf.cast(learning_rate, kind), beta1=beta_1,
            beta2=beta_2, epsilon=tf.constant(self.epsilon, kind), grad=tf.cast(gradient, kind),
        )  # fmt: skip
