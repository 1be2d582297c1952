"""Strided convolutions between images of few channels and features of many, quick in both directions on a CPU.

A network's first convolution and its last transposed one have an image of 1 to 4 channels at one end. From the image
to the features a CPU's kernels are quick. The other way round, which is the transposed convolution itself and the
convolution's gradient for its input, they leave most of each vector empty; there it is done by sub-pixels instead (Shi
et al. 2016): a convolution that gives each 2 x 2 block of the image as so many channels, which are then put in their
places. That is the same sum, twice as quick. The layers are called as Keras's own, by whose names weights are found in
files.
"""

import keras
import tensorflow as tf

KERNEL, STRIDE, MOST_CHANNELS = 4, 2, 4


@keras.saving.register_keras_serializable("kgan")
class Conv2D(keras.layers.Conv2D):
    """Keras's convolution from an image to features, with a quicker gradient for the image where `fits` says so."""

    def convolution_op(self, inputs, kernel):
        """Features [N, H/2, W/2, C] of images [N, H, W, c]."""
        if not fits(self, inputs.shape[-1], inputs.shape[1:3]):
            return super().convolution_op(inputs, kernel)
        return gather(inputs, tf.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable("kgan")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras's transposed convolution from features to an image, quicker where `fits` says so."""

    def call(self, inputs):
        """Images [N, 2H, 2W, c] of features [N, H, W, C]."""
        if not fits(self, self.filters, (STRIDE, STRIDE)):  # any side is doubled
            return super().call(inputs)
        outputs = spread(inputs, tf.convert_to_tensor(self.kernel))
        return self.activation(outputs + self.bias if self.use_bias else outputs)


def fits(layer: keras.layers.Layer, channels: int, sides: tuple[int | None, ...]) -> bool:
    """Whether a layer is one that sub-pixels can do: a 4 x 4 kernel, stride 2, even sides, few channels, a CPU."""
    even = all(side is not None and side % STRIDE == 0 for side in sides)
    plain = layer.padding == "same" and layer.data_format == "channels_last" and layer.dilation_rate == (1, 1)
    sizes = layer.kernel_size == (KERNEL,) * 2 and layer.strides == (STRIDE,) * 2 and channels <= MOST_CHANNELS
    return even and plain and sizes and getattr(layer, "groups", 1) == 1 and not tf.config.list_physical_devices("GPU")


@tf.custom_gradient
def gather(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The convolution of images [N, 2H, 2W, c] with a kernel [4, 4, c, C] by strides of 2: features [N, H, W, C]."""
    return (
        tf.nn.conv2d(images, kernel, STRIDE, "SAME"),
        lambda features: (spread(features, kernel), _kernel_gradient(images, features, kernel)),
    )


@tf.custom_gradient
def spread(features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Its transpose: features [N, H, W, C] to images [N, 2H, 2W, c]."""
    blocks = tf.nn.conv2d(features, _by_subpixel(kernel), 1, "SAME")
    sizes = zip(features.shape[:3], tf.unstack(tf.shape(features))[:3], strict=True)
    count, height, width = (dynamic if static is None else static for static, dynamic in sizes)
    # As `depth_to_space`, in two thirds of its time.
    rows = tf.transpose(tf.reshape(blocks, [count * height, width, STRIDE, STRIDE * kernel.shape[2]]), [0, 2, 1, 3])
    images = tf.reshape(rows, [count, STRIDE * height, STRIDE * width, kernel.shape[2]])
    return (
        images,
        lambda images: (gather(images, kernel), _kernel_gradient(images, features, kernel)),
    )


def _by_subpixel(kernel: tf.Tensor) -> tf.Tensor:
    """The kernel [3, 3, C, 4c] over features that gives the four pixels of a block [row, column, channel] each."""
    # A pixel's row r of the padded kernel meets the features above, here and below: an even one through the kernel's
    # rows 3, 1 and none, an odd one through none, 2 and 0. Columns likewise.
    padded = tf.pad(kernel, [[0, 1], [0, 1], [0, 0], [0, 0]])
    of_parity = tf.constant([[3, 1, KERNEL], [KERNEL, 2, 0]])
    blocks = tf.gather(tf.gather(padded, of_parity, axis=0), of_parity, axis=2)  # [2, 3, 2, 3, c, C]
    blocks = tf.transpose(blocks, [1, 3, 5, 0, 2, 4])
    return tf.reshape(blocks, [3, 3, tf.shape(kernel)[3], STRIDE * STRIDE * tf.shape(kernel)[2]])


def _kernel_gradient(images: tf.Tensor, features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.Conv2DBackpropFilter(
        input=images, filter_sizes=tf.shape(kernel), out_backprop=features, strides=[1, STRIDE, STRIDE, 1],
        padding="SAME",
    )  # fmt: skip
