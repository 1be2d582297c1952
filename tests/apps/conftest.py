import pytest
import tensorflow as tf

from kgan.metrics.features import FeatureNetwork


@pytest.fixture(autouse=True, scope="session")
def small_feature_network():
    """Measures images by a few of their pixels: what the apps do with figures does not depend on the network."""
    from apps import image_generation

    def pixels(images):
        return (tf.cast(tf.reshape(images, [len(images), -1])[:, :6], tf.float32),)

    network = FeatureNetwork("pixels", "six pixels", None, (), 8, pixels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_generation, "feature_network", lambda name: network)
        yield
