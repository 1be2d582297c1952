import kgan  # noqa: F401  before TensorFlow, which chooses between two Kerases when it is first imported
