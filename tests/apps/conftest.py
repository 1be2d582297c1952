import pytest
import tensorflow as tf

from kgan.metrics.features import FeatureNetwork


@pytest.fixture(autouse=True, scope="session")
def small_feature_network():
    """Measures images by a few of their pixels: what the apps do with figures does not depend on the network."""
    from apps import discriminator_generation, image_generation, text_to_image

    def pixels(images):
        return (tf.cast(tf.reshape(images, [len(images), -1])[:, :6], tf.float32),)

    network = FeatureNetwork("pixels", "six pixels", None, (), 8, pixels)
    with pytest.MonkeyPatch.context() as patch:
        for app in (discriminator_generation, image_generation, text_to_image):
            patch.setattr(app, "feature_network", lambda name: network)
        yield
