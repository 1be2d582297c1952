"""The files with which TF Serving itself serves the models: for docker compose (CPU or GPU) and for Kubernetes."""

import dataclasses
import math
import os
import re
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.config import model_server_config_pb2

from kgan.errors import UsageError
from kgan.serving.batching import Limits
from kgan.serving.exported import versions

IMAGE = "tensorflow/serving:latest"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ARGUMENTS = [
    "--model_config_file=/config/models.config",
    "--model_config_file_poll_wait_seconds=60",
    "--monitoring_config_file=/config/monitoring.config",
    "--file_system_poll_wait_seconds=5",
    "--rest_api_timeout_in_ms=30000",
    "--enable_model_warmup=true",
]
_REST, _GRPC = 8501, 8500


@dataclasses.dataclass
class Options:
    """Write the configuration of TF Serving for every model in a directory: models.config, batching parameters, a
    docker-compose.yml for CPU and GPU, and manifests for Kubernetes."""

    models: Path = Path("saved_models")
    """The directory that holds NAME/VERSION/saved_model.pb."""
    out: Path = Path("deploy")
    """Where the files go; those of the same names are replaced."""
    image: str = IMAGE
    """The image of TF Serving, best with the tag of one release; for GPUs -gpu is added to it."""
    replicas: int = 2
    """Servers that Kubernetes keeps running at least."""
    most_replicas: int = 8
    """And at most, when they are busy."""
    memory: int = 0
    """Megabytes that one server may use; 0 is what the models suggest."""


def write(options: Options) -> None:
    """Write the files and say which.

    Raises:
        UsageError: there are no models, or an option is out of range.
    """
    for name, text in files(options).items():
        path = options.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    print(f"next:\n  docker compose -f {options.out / 'docker-compose.yml'} --profile cpu up")


def files(options: Options) -> dict[str, str]:
    """The text of each file, by its name below `out`."""
    if not 1 <= options.replicas <= options.most_replicas:
        raise UsageError(
            f"--replicas is {options.replicas} and --most-replicas {options.most_replicas}: give 1 or more, in order."
        )
    models = find(options.models)
    memory = options.memory or _memory(models)
    unbatched = sorted(name for name, directory in models.items() if not is_batchable(directory))
    # TF Serving batches every signature of every model or none, and refuses an input without rows when it does.
    batching = [] if unbatched else ["--enable_batching=true", "--batching_parameters_file=/config/batching.config"]
    arguments = [*_ARGUMENTS, *batching]
    why = _comment(
        f"Batching is off: TF Serving would refuse the inputs without rows (such as seed and count) of "
        f"{', '.join(unbatched)}. To serve only models without such inputs in batches, add --enable_batching=true and "
        "--batching_parameters_file=/config/batching.config."
        if unbatched
        else "Batching is on: every input of every model has rows."
    )
    made = _comment("Written by `python -m kgan.serving config`: change its options rather than this file.")
    configs = {
        "models.config": models_config(models),
        "batching.config": batching_config(Limits()),
        "monitoring.config": f'prometheus_config {{ enable: true, path: "{_METRICS}" }}\n',
    }
    manifests = "---\n".join(map(_yaml, _kubernetes(options, arguments, memory, configs)))
    return {
        **{name: made + text for name, text in configs.items()},
        "docker-compose.yml": made + why + _yaml(_compose(options, arguments, memory)),
        "kubernetes.yaml": made + why + _KUBERNETES + manifests,
    }


def find(directory: Path) -> dict[str, Path]:
    """The newest version of each model in a directory.

    Raises:
        UsageError: there is none, or one has a name that cannot be served.
    """
    if not directory.is_dir():
        raise UsageError(f"there is no directory {str(directory)!r}: name one that export has written into.")
    found = {}
    for entry in sorted(directory.iterdir()):
        if not entry.is_dir() or entry.name.startswith(".") or not (there := versions(entry)):
            continue
        if not _NAME.fullmatch(entry.name):
            raise UsageError(f"the model {entry.name!r} cannot be served by that name: use letters, digits, _ and -.")
        found[entry.name] = there[-1]
    if not found:
        raise UsageError(f"{str(directory)!r} holds no models: name a directory that export has written into.")
    return found


def is_batchable(version: Path) -> bool:
    """Whether every input of every signature has rows."""
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    tensors = [
        tensor
        for graph in saved.meta_graphs
        for name, signature in graph.signature_def.items()
        if not name.startswith("__")
        for tensor in (*signature.inputs.values(), *signature.outputs.values())
    ]
    return all(tensor.tensor_shape.dim and tensor.tensor_shape.dim[0].size < 0 for tensor in tensors)


def models_config(names) -> str:
    """The list of models, where the containers have them."""
    config = model_server_config_pb2.ModelServerConfig()
    for name in names:
        config.model_config_list.config.add(name=name, base_path=f"/models/{name}", model_platform="tensorflow")
    return text_format.MessageToString(config)


def batching_config(limits: Limits) -> str:
    """TF Serving's BatchingParameters, the same as our own server's."""
    values = {
        "max_batch_size": limits.max_batch_size,
        "batch_timeout_micros": limits.batch_timeout_micros,
        "max_enqueued_batches": math.ceil(limits.max_enqueued / limits.max_batch_size),
        "num_batch_threads": limits.num_batch_threads or 4,
    }
    return "".join(f"{name} {{ value: {value} }}\n" for name, value in values.items())


_METRICS = "/monitoring/prometheus/metrics"
_KUBERNETES = """\
# The models are on a volume of their own, so that new versions are served without a new image: kubectl apply -f
# kubernetes.yaml, then copy them there (kubectl cp MODELS/. POD:/models, to a pod that mounts it for writing).
# For GPUs: the -gpu image, and nvidia.com/gpu: 1 among the limits.
"""


def _memory(models: dict[str, Path]) -> int:
    """Megabytes for the server itself, and for each model its files several times over: two versions while one is
    replaced, and what it computes."""
    size = sum(path.stat().st_size for version in models.values() for path in version.rglob("*") if path.is_file())
    return 512 * math.ceil((1024 + 8 * size / 2**20) / 512)


def _compose(options: Options, arguments: list[str], memory: int) -> dict[str, Any]:
    image, models = options.image, Path(os.path.relpath(options.models, options.out)).as_posix()
    models = models if models.startswith(".") else f"./{models}"  # otherwise it would be the name of a volume
    common = {
        "command": arguments,
        "ports": [f"127.0.0.1:{port}:{port}" for port in (_GRPC, _REST)],
        "volumes": [f"{models}:/models:ro", "./:/config:ro"],
        "restart": "unless-stopped",
        "mem_limit": f"{memory}m",
        "healthcheck": {
            "test": ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{_REST}"],
            "interval": "10s",
            "timeout": "5s",
            "retries": 6,
            "start_period": "60s",
        },
        "security_opt": ["no-new-privileges:true"],
    }
    gpu = {
        **common,
        "image": f"{image}-gpu",
        "profiles": ["gpu"],
        # XLA for everything it can compile, and only as much of the GPU's memory as is needed.
        "environment": {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2", "TF_FORCE_GPU_ALLOW_GROWTH": "true"},
        "deploy": {
            "resources": {"reservations": {"devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]}}
        },
    }
    return {"services": {"serving": {**common, "image": image, "profiles": ["cpu"]}, "serving-gpu": gpu}}


def _kubernetes(options: Options, arguments: list[str], memory: int, configs: dict[str, str]) -> list[dict[str, Any]]:
    labels = {"app": "kgan-serving"}
    named = {"name": "kgan-serving", "labels": labels}
    probe = {"tcpSocket": {"port": "rest"}}
    container = {
        "name": "serving",
        "image": options.image,
        "args": arguments,
        "ports": [{"name": "grpc", "containerPort": _GRPC}, {"name": "rest", "containerPort": _REST}],
        # TF Serving listens once every model is loaded and warm.
        "startupProbe": {**probe, "periodSeconds": 5, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6},
        "resources": {
            "requests": {"cpu": "1", "memory": f"{memory}Mi"},
            "limits": {"memory": f"{memory}Mi"},
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "models", "mountPath": "/models", "readOnly": True},
            {"name": "config", "mountPath": "/config", "readOnly": True},
        ],
    }
    pod = {
        "metadata": {
            "labels": labels,
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(_REST),
                "prometheus.io/path": _METRICS,
            },
        },
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000},
            "terminationGracePeriodSeconds": 60,
            "containers": [container],
            "volumes": [
                {"name": "models", "persistentVolumeClaim": {"claimName": "kgan-models"}},
                {"name": "config", "configMap": {"name": "kgan-serving"}},
            ],
        },
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": named,
            "data": configs,
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "kgan-models", "labels": labels},
            "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "10Gi"}}},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": named,
            "spec": {
                "replicas": options.replicas,
                "selector": {"matchLabels": labels},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "template": pod,
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": named,
            "spec": {
                "selector": labels,
                "ports": [
                    {"name": "grpc", "port": _GRPC, "targetPort": "grpc", "appProtocol": "grpc"},
                    {"name": "rest", "port": _REST, "targetPort": "rest"},
                ],
            },
        },
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": named,
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "kgan-serving"},
                "minReplicas": options.replicas,
                "maxReplicas": options.most_replicas,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                    }
                ],
            },
        },
    ]


class _Dumper(yaml.SafeDumper):
    """Writes what is said twice twice, since anchors are for machines, and texts of several lines as such."""

    def ignore_aliases(self, data) -> bool:
        """Always."""
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None),
)


def _yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=110)


def _comment(text: str) -> str:
    """A paragraph as lines that begin with #."""
    lines, line = [], "#"
    for word in text.split():
        if len(line) + 1 + len(word) > 110:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return "\n".join([*lines, line]) + "\n"
