"""What every model of kgan promises (DESIGN.md's contract), proven for each that exists, on a tiny instance."""

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples import BATCH, EXAMPLES, Example
from games import arrays, assert_same, build, models, nothing_traced
from tensorflow.core.protobuf import saved_model_pb2

from kgan.models.adversarial import AdversarialModel
from kgan.serving.export import export
from kgan.training import callbacks, checkpoints

UPDATES, MIDDLE = 4, 2


def test_every_model_has_an_example():
    missing = [kind.__name__ for kind in models() if kind not in EXAMPLES]
    assert len(models()) >= 2 and not missing, f"add {missing} to tests/contracts/examples.py"


class Trained(NamedTuple):
    """One fit of UPDATES updates, with a checkpoint and all ways of saving in the MIDDLE."""

    kind: type[AdversarialModel]
    example: Example
    before: dict[str, np.ndarray]
    history: dict[str, list[float]]
    plays: list[int]
    folder: Path

    @property
    def model(self) -> AdversarialModel:
        return self.example.model


@pytest.fixture(scope="module", params=models(), ids=lambda kind: kind.__name__)
def trained(request, tmp_path_factory):
    kind, folder = request.param, tmp_path_factory.mktemp(request.param.__name__)
    example = build(kind)
    model, before = example.model, arrays(example.model)
    count, plays, play = [0], [], model.play

    def counted(data):
        count[0] += 1
        return play(data)

    class Middle(callbacks.Counting):
        def after_update(self, update, logs):
            plays.append(count[0])
            if update == MIDDLE:
                self.model.save(folder / "model.keras")
                self.model.save_weights(folder / "model.weights.h5")

    model.play = counted
    saver = callbacks.Checkpoints(folder, 0, MIDDLE)
    history = model.fit(example.batches(0, UPDATES), verbose=0, callbacks=[saver, Middle(0)]).history
    del model.play
    return Trained(kind, example, before, history, plays, folder)


def test_fit_moves_every_weight_and_reports_every_metric(trained):
    model, after = trained.model, arrays(trained.model)
    assert after["updates"] == UPDATES
    names = {id(variable): name for name, variable in model.state().items()}
    for player in model.players:
        for variable in model.variables_of(player):
            name = names[id(variable)]
            assert not np.array_equal(after[name], trained.before[name]), variable.path
        moments = [value for name, value in after.items() if name.startswith(f"{player}_optimizer/") and value.ndim]
        assert moments and all(moment.any() for moment in moments)
    for name in after:
        moves = after[name].dtype.kind == "f" and "variance" not in model.state()[name].path  # a layer's seed does not
        if name.startswith("average_") and moves:
            assert not np.array_equal(after[name], trained.before[name]), name
    assert set(trained.history) == set(model.meters)
    assert all(np.isfinite(value) for values in trained.history.values() for value in values)


def test_the_update_is_traced_once_and_without_xla(trained):
    assert len(trained.plays) == UPDATES
    assert len(set(trained.plays)) == 1, f"retraced: {trained.plays}"
    assert trained.model.jit_compile is False


def test_evaluate_reports_the_losses_and_changes_nothing(trained):
    held_out = trained.example.batches(100, 2)
    before = arrays(trained.model, metrics=False)
    first = trained.model.evaluate(held_out, verbose=0, return_dict=True)
    assert set(first) == set(trained.model.meters) and np.isfinite(list(first.values())).all()
    assert trained.model.evaluate(held_out, verbose=0, return_dict=True) == first
    assert_same(arrays(trained.model, metrics=False), before)


def test_predict_is_call_in_inference_mode_on_the_moving_average(trained):
    model, inputs = trained.model, trained.example.inputs(BATCH)
    before = arrays(model)
    predicted = model.predict(inputs, verbose=0)
    each = [tf.nest.map_structure(lambda x, k=k: x[k : k + 1], inputs) for k in range(BATCH)]
    one_by_one = np.concatenate([model(one).numpy() for one in each])
    np.testing.assert_allclose(predicted, one_by_one, rtol=1e-4, atol=1e-6)  # nothing depends on the rest of the batch
    np.testing.assert_allclose(model(inputs, training=True), predicted, rtol=1e-5, atol=1e-6)
    assert np.ptp(predicted, axis=0).max() > 0
    assert_same(arrays(model), before)

    kept = {part: getattr(model, part).get_weights() for player in model.proposers for part in model.parts(player)}
    for part, weights in kept.items():
        getattr(model, part).set_weights([np.zeros_like(weight) for weight in weights])
    np.testing.assert_array_equal(model.predict(inputs, verbose=0), predicted)
    for part, weights in kept.items():
        getattr(model, part).set_weights(weights)


def test_the_newest_checkpoint_is_the_model(trained):
    update, restored, damaged = checkpoints.latest(trained.folder / "checkpoints")
    assert update == UPDATES and not damaged
    assert_same(restored, arrays(trained.model) | metrics_of(restored))


def metrics_of(state: dict) -> dict:
    return {name: value for name, value in state.items() if name.startswith("metric_")}


def test_a_saved_model_predicts_and_resumes_as_if_never_saved(trained):
    with np.load(trained.folder / "checkpoints" / f"{MIDDLE:08d}.npz") as archive:
        whole = dict(archive)
    middle = {name: value for name, value in whole.items() if not name.startswith("metric_")}
    loaded = keras.models.load_model(trained.folder / "model.keras")
    assert type(loaded) is trained.kind
    assert loaded.jit_compile is False
    assert_same(saved_part(loaded, arrays(loaded)), saved_part(loaded, middle))

    copy = build(trained.kind, eager=True).model
    checkpoints.restore({k: v for k, v in copy.state().items() if k in middle}, middle, trained.folder)
    inputs = trained.example.inputs(BATCH)
    np.testing.assert_array_equal(loaded(inputs), copy(inputs))

    # Keras keeps no state of dropout in a file; the checkpoint does, and with it training goes on exactly.
    saver = callbacks.Checkpoints(trained.folder / "resumed", MIDDLE, UPDATES, whole)
    loaded.fit(trained.example.batches(MIDDLE, UPDATES - MIDDLE), verbose=0, callbacks=[saver])
    ends = [checkpoints.latest(folder / "checkpoints")[1] for folder in (trained.folder, trained.folder / "resumed")]
    assert_same(*ends)


def test_saved_weights_bring_back_networks_averages_and_optimisers(trained):
    with np.load(trained.folder / "checkpoints" / f"{MIDDLE:08d}.npz") as archive:
        middle = {name: value for name, value in archive.items()}
    fresh = build(trained.kind).model
    fresh.load_weights(trained.folder / "model.weights.h5")
    assert_same(saved_part(fresh, arrays(fresh)), saved_part(fresh, middle))


def saved_part(model: AdversarialModel, state: dict) -> dict:
    """What Keras's own files hold: all but metrics and the seeds of dropout."""
    seeds = {name for name, variable in model.state().items() if "seed_generator" in variable.path}
    assert len(seeds) < len(state) / 4
    return {name: value for name, value in state.items() if not name.startswith("metric_") and name not in seeds}


def test_an_export_answers_as_the_model_does(trained):
    before = arrays(trained.model)
    signatures = trained.model.signatures()
    version = export(trained.model, trained.folder / "exported", card={})
    module = tf.saved_model.load(str(version))
    assert set(module.signatures) == {"serving_default", *signatures}
    assert needs_no_python(version)
    for name, signature in signatures.items():
        answers = {}
        for count in (1, 64):
            request = {key: value_for(key, spec, count) for key, spec in signature.inputs.items()}
            answers[count] = module.signatures[name](**request)
            own = tf.function(signature.function)(**request)
            assert answers[count].keys() == own.keys()
            for key, value in own.items():
                if value.dtype.is_floating:
                    np.testing.assert_allclose(answers[count][key], value, rtol=1e-4, atol=1e-5)
                elif value.dtype == tf.string:
                    np.testing.assert_array_equal(answers[count][key], value)
                else:  # a pixel may round the other way
                    gap = np.abs(answers[count][key].numpy().astype(int) - value.numpy().astype(int))
                    assert gap.max() <= 1
        if "count" not in signature.inputs:
            for key, value in answers[64].items():
                if value.dtype == tf.string:
                    assert answers[1][key][0] == value[0]
                elif value.shape[0] == 64:
                    one, first = (answers[n][key][:1].numpy().astype(float) for n in (1, 64))
                    np.testing.assert_allclose(one, first, rtol=1e-4, atol=1e-5 if value.dtype.is_floating else 1)
    assert_same(arrays(trained.model), before)


def needs_no_python(version: Path) -> bool:
    """Whether TensorFlow alone runs and differentiates an export: no Python in a graph, nothing for Keras to revive."""
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes()).meta_graphs[0]
    graphs = [saved.graph_def.node, *(function.node_def for function in saved.graph_def.library.function)]
    calls = {
        node.op
        for graph in graphs
        for node in graph
        if "PyFunc" in node.op or "_gradient_op_type" in node.attr  # a gradient of somebody's own, which is not saved
    }
    kinds = {node.user_object.identifier for node in saved.object_graph_def.nodes}
    return not calls and not any("keras" in kind for kind in kinds)


def value_for(name: str, spec: tf.TensorSpec, count: int) -> tf.Tensor:
    """A valid value of a signature's input; the first of 64 samples is the one of a batch of 1."""
    if spec.shape.rank == 0:
        return tf.constant({"count": count}.get(name, 3), spec.dtype)
    shape = [count if size is None else size for size in spec.shape]
    random = np.random.default_rng(9)
    if spec.dtype == tf.string:
        return tf.constant(["".join(random.choice(list("abcdefg, "), 5)) for _ in range(shape[0])])
    samples = random.integers(0, 256, shape) if spec.dtype.is_integer else random.normal(size=shape)
    return tf.constant(samples, spec.dtype)


def test_mixed_precision_trains(trained):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        example = build(trained.kind, eager=True)
        before = arrays(example.model)
        batches = list(example.batches(0, 2))
        with nothing_traced():
            reports = [example.model.play(batch) for batch in batches]
        keras.config.set_dtype_policy(policy)
        low = [layer for p in example.model.players for n in example.model.networks(p) for layer in n._flatten_layers()]
        assert any(layer.compute_dtype == "bfloat16" for layer in low)
        assert all(np.isfinite(value) for report in reports for value in report.values())
        after = arrays(example.model)
        for player in example.model.players:
            assert any(not np.array_equal(after[k], before[k]) for k in after if k.startswith(f"{player}/"))
        assert callbacks.not_finite({}, example.model) is None
    finally:
        keras.config.set_dtype_policy(policy)
