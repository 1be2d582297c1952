"""What we measure ourselves against: PyTorch code that knows nothing of kgan, TensorFlow or Keras."""
