"""A SavedModel that is not of kgan, with one signature for each thing that JSON has to carry."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2


def save_plain(directory, slope=0.5):
    """Write it, with a warm-up request."""
    module = tf.Module()
    module.slope = tf.Variable(slope)
    floats, pairs = tf.TensorSpec([None], tf.float32), tf.TensorSpec([None, 2], tf.float32)
    strings, integers = tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def half(x):
        return {"y": module.slope * x + 3.0}

    @tf.function
    def sums(signal, tag):
        return {"sum": tf.reduce_sum(signal, 1), "tag": tf.strings.upper(tag)}

    @tf.function
    def echo(data):
        return {"data_bytes": data}

    @tf.function
    def count(count, flag):
        tf.debugging.assert_less(count, 1000, message="more than this graph draws")
        return {"numbers": tf.range(count), "flag": flag}

    @tf.function
    def work(steps):
        """Takes long."""
        big = tf.random.stateless_normal([300, 300], [1, 2])
        for _ in tf.range(steps):
            big = tf.tanh(big @ big)
        return {"sum": tf.reduce_sum(big)}

    tf.saved_model.save(
        module,
        str(directory),
        signatures={
            "serving_default": half,
            "sums": sums.get_concrete_function(
                signal=tf.TensorSpec(pairs.shape, pairs.dtype, name="signal"),
                tag=tf.TensorSpec(strings.shape, strings.dtype, name="tag"),
            ),
            "echo": echo.get_concrete_function(data=tf.TensorSpec(strings.shape, strings.dtype, name="data")),
            "count": count.get_concrete_function(
                count=tf.TensorSpec(integers.shape, integers.dtype, name="count"),
                flag=tf.TensorSpec(floats.shape, tf.bool, name="flag"),
            ),
            "work": work.get_concrete_function(steps=tf.TensorSpec([], tf.int32, name="steps")),
        },
    )
    request = predict_pb2.PredictRequest()
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([1.0])))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    (directory / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(directory / "assets.extra/tf_serving_warmup_requests")) as records:
        records.write(log.SerializeToString())
