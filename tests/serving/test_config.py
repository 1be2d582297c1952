"""The files of a deployment, read back by the protos of TF Serving, by YAML, and by what its server accepts."""

import json
import re
import socket
from pathlib import Path

import pytest
import tensorflow as tf
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from plain_model import save_plain
from tensorflow_serving.config import model_server_config_pb2

from benchmarks.served import ROOT, SHIPPED
from kgan.errors import UsageError
from kgan.serving import config, server
from kgan.serving.__main__ import main

# Of tensorflow_serving/model_servers/main.cc, release 2.20.
FLAGS = {
    "model_config_file", "model_config_file_poll_wait_seconds", "monitoring_config_file",
    "file_system_poll_wait_seconds", "rest_api_timeout_in_ms", "enable_model_warmup", "enable_batching",
    "batching_parameters_file",
}  # fmt: skip


def message(name, **fields):
    """A message as TF Serving declares it: name -> (number, type); not every one is in its Python package."""
    kinds = {"Int64Value": f".{wrappers_pb2.Int64Value.DESCRIPTOR.full_name}", "bool": None, "string": None}
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.proto", package="test", syntax="proto3", dependency=["google/protobuf/wrappers.proto"]
    )
    declared = file.message_type.add(name=name)
    for field, (number, kind) in fields.items():
        types = {"bool": 8, "string": 9, "Int64Value": 11}
        declared.field.add(name=field, number=number, type=types[kind], label=1, type_name=kinds[kind])
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"test.{name}"))()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deployed")  # without the models that a user has added
    for name in SHIPPED:
        (folder / "saved_models").mkdir(exist_ok=True)
        (folder / "saved_models" / name).symlink_to(ROOT / "saved_models" / name)
    return config.files(config.Options(models=folder / "saved_models", out=folder / "deploy"))


def test_what_is_committed_is_what_is_written(files):
    """python -m kgan.serving config writes it again, after a model was added."""
    assert {path.name: path.read_text("utf-8") for path in (ROOT / "deploy").iterdir()} == files


def test_models_config(files):
    found = text_format.Parse(files["models.config"], model_server_config_pb2.ModelServerConfig())
    models = {model.name: model for model in found.model_config_list.config}
    assert sorted(models) == SHIPPED
    assert all(m.base_path == f"/models/{n}" and m.model_platform == "tensorflow" for n, m in models.items())


def test_batching_and_monitoring(files):
    # session_bundle_config.proto and monitoring_config.proto, which the Python package leaves out.
    batching = message(
        "BatchingParameters", max_batch_size=(1, "Int64Value"), batch_timeout_micros=(2, "Int64Value"),
        max_enqueued_batches=(3, "Int64Value"), num_batch_threads=(4, "Int64Value"),
    )  # fmt: skip
    text_format.Parse(files["batching.config"], batching)
    assert (batching.max_batch_size.value, batching.batch_timeout_micros.value) == (64, 0)
    assert batching.max_enqueued_batches.value * 64 == 512 and batching.num_batch_threads.value == 4
    prometheus = message("PrometheusConfig", enable=(1, "bool"), path=(2, "string"))
    inner = re.search(r"prometheus_config \{(.*)\}", files["monitoring.config"])[1]
    text_format.Parse(inner, prometheus)
    assert prometheus.enable and prometheus.path == "/monitoring/prometheus/metrics"


def flags(arguments):
    return {name.removeprefix("--"): value for name, value in (argument.split("=") for argument in arguments)}


def test_compose(files):
    services = yaml.safe_load(files["docker-compose.yml"])["services"]
    cpu, gpu = services["serving"], services["serving-gpu"]
    for service in (cpu, gpu):
        assert flags(service["command"]).keys() <= FLAGS
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert re.fullmatch(r"\d+m", service["mem_limit"]) and int(service["mem_limit"][:-1]) >= 1024
        hosts = [volume.split(":") for volume in service["volumes"]]
        assert [(inside, mode) for _, inside, mode in hosts] == [("/models", "ro"), ("/config", "ro")]
        assert all((ROOT / "deploy" / outside).is_dir() for outside, *_ in hosts)
        for value in flags(service["command"]).values():
            if value.startswith("/config/"):
                assert value.removeprefix("/config/") in files
    assert (cpu["image"], gpu["image"]) == ("tensorflow/serving:latest", "tensorflow/serving:latest-gpu")
    assert gpu["environment"]["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=2"
    assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert (cpu["profiles"], gpu["profiles"]) == (["cpu"], ["gpu"])


def test_kubernetes(files):
    found = {manifest["kind"]: manifest for manifest in yaml.safe_load_all(files["kubernetes.yaml"])}
    assert found.keys() == {"ConfigMap", "PersistentVolumeClaim", "Deployment", "Service", "HorizontalPodAutoscaler"}
    deployment = found["Deployment"]["spec"]
    pod, labels = deployment["template"]["spec"], deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels == found["Service"]["spec"]["selector"]
    (container,) = pod["containers"]
    assert flags(container["args"]).keys() <= FLAGS
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]} == ports.keys()
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["tcpSocket"]["port"] in ports
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert volumes["config"]["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
    claim = found["PersistentVolumeClaim"]["metadata"]["name"]
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == claim
    texts = found["ConfigMap"]["data"]
    assert text_format.Parse(texts["models.config"], model_server_config_pb2.ModelServerConfig()) == text_format.Parse(
        files["models.config"], model_server_config_pb2.ModelServerConfig()
    )
    scaled = found["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    assert scaled["minReplicas"] == deployment["replicas"] < scaled["maxReplicas"]


def test_batching_is_on_only_where_every_input_has_rows(files, tmp_path):
    assert "enable_batching" not in flags(yaml.safe_load(files["docker-compose.yml"])["services"]["serving"]["command"])
    for name in ("seed", "digits"):
        assert name in files["docker-compose.yml"].split("services:")[0].replace("# ", "")
    module = tf.Module()
    double = tf.function(lambda x: {"y": x * 2}, input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    tf.saved_model.save(module, str(tmp_path / "models/rows/1"), signatures={"serving_default": double})
    written = config.files(config.Options(models=tmp_path / "models"))
    command = flags(yaml.safe_load(written["docker-compose.yml"])["services"]["serving"]["command"])
    assert command["enable_batching"] == "true" and command["batching_parameters_file"] == "/config/batching.config"
    save_plain(tmp_path / "models/plain/1")
    assert not config.is_batchable(tmp_path / "models/plain/1")


def test_the_command(tmp_path, capsys):
    main(["config", "--models", str(ROOT / "saved_models"), "--out", str(tmp_path / "x/deploy"), "--replicas", "3"])
    assert "docker compose -f" in capsys.readouterr().out
    manifests = list(yaml.safe_load_all((tmp_path / "x/deploy/kubernetes.yaml").read_text("utf-8")))
    assert json.dumps(manifests).count('"replicas": 3') == 1
    (tmp_path / "models/bad name/1").mkdir(parents=True)
    for arguments, message_ in [
        (["--models", str(tmp_path / "none")], "there is no directory"),
        (["--models", str(tmp_path / "x")], "holds no models"),
        (["--models", str(tmp_path / "models")], "'bad name' cannot be served by that name"),
        (["--models", str(ROOT / "saved_models"), "--replicas", "9"], "--replicas is 9 and --most-replicas 8"),
    ]:
        with pytest.raises(SystemExit, match="2"):
            main(["config", *arguments, "--out", str(tmp_path / "out")])
        error = capsys.readouterr().err
        assert error.startswith("error: ") and message_ in error and error.count("\n") == 1
    assert not Path(tmp_path / "out").exists()


def test_the_command_of_the_server(tmp_path, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.replace("│", "").split())
    assert "TF Serving, which is for production" in said and "--max-batch-size" in said
    with pytest.raises(UsageError, match="--timeout is 0.0: give more than 0"):
        server.run(server.Options(models=ROOT / "saved_models", timeout=0.0))
    with pytest.raises(UsageError, match="--intra-op-parallelism is -1: give at least 0"):
        server.run(server.Options(models=ROOT / "saved_models", intra_op_parallelism=-1))
    with pytest.raises(UsageError, match="there is no directory '.*none': name one that export has written into"):
        server.run(server.Options(models=tmp_path / "none"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port} cannot be listened on.*: give another --port"):
            server.run(server.Options(models=tmp_path, port=port))
    with pytest.raises(UsageError, match="--host 'no.such.host.invalid' is no address"):
        server.run(server.Options(models=tmp_path, host="no.such.host.invalid"))
