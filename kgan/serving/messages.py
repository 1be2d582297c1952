"""The messages of TF Serving that are written, for both protocols."""

from collections.abc import Mapping

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from kgan.serving.repository import Status
from kgan.serving.servable import Servable


def status_of(statuses: Mapping[int, Status]) -> get_model_status_pb2.GetModelStatusResponse:
    """What is told of versions."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for version, status in statuses.items():
        told = response.model_version_status.add(version=version, state=int(status.state))
        told.status.error_code = int(status.code)
        told.status.error_message = status.message
    return response


def metadata_of(servable: Servable) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a loaded version."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in servable.definitions.items():
        signatures.signature_def[name].CopyFrom(definition)
    response.metadata["signature_def"].Pack(signatures)
    return response
