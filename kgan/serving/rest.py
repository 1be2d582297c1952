"""TF Serving's REST API over ASGI, its page of metrics, and what is our own: `/`, `/health` and `/kgan/models`.

GET  /v1/models/NAME[/versions/N|/labels/LABEL][/metadata]
POST /v1/models/NAME[/versions/N|/labels/LABEL]:predict
GET  /monitoring/prometheus/metrics
"""

import asyncio
import contextlib
import functools
import json
import logging
import mimetypes
import re
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2

from kgan.serving import json_answers, json_requests
from kgan.serving.messages import metadata_of, status_of
from kgan.serving.service import Asked, Decode, Missing, Service, invalid_size
from kgan.serving.status import Code, ServingError, invalid, of_exception

PAGE = Path(__file__).with_name("page")
METRICS = "/monitoring/prometheus/metrics"
_MODEL = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICT = re.compile(rf"(?i){_MODEL}:(classify|regress|predict)")
_STATUS = re.compile(rf"(?i){_MODEL}(/metadata)?")
_LARGEST_VERSION = 2**63 - 1
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_JSON = "application/json"
_SHORT = 65536  # bytes of a body, as many requests may wait as the queue holds
_LOG = logging.getLogger(__name__)


class RestApi:
    """The ASGI application.

    Args:
        service: what answers.
        page: the directory of static files that is shown at `/`.
    """

    def __init__(self, service: Service, page: Path = PAGE):
        self.service = service
        self.page = {
            "/" + str(path.relative_to(page)): path for path in sorted(page.rglob("*")) if path.is_file()
        }  # the only paths that are ever read, whatever is asked

    async def __call__(self, scope, receive, send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        method, path = scope["method"], scope["raw_path"].decode("latin-1")
        is_api = path[:4].lower() == "/v1/"
        try:
            if is_api:
                status, kind, content = 200, _JSON, await self._api(method, path, scope, receive)
            else:
                status, kind, content = await asyncio.to_thread(self._file, method, urllib.parse.unquote(path))
        except Exception as unknown:
            error = of_exception(unknown)
            if error is not unknown:
                _LOG.error("%s %s", method, path[:200], exc_info=unknown)
            if error.http == 413 and not any(name == b"expect" for name, _ in scope["headers"]):
                await self._let_pass(receive)
            kind, (status, content) = _JSON, _refusal(error)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode())]
        if not is_api:
            headers += _SAFE
        # A body that was refused unread would be taken for the next request.
        if status in (408, 413):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else content})

    def answer(self, path: str, body: bytes, respond: Callable[[int, bytes], None]) -> bool:
        """Answer a request for predictions that has arrived in one piece, as `__call__` would, in less time.

        No task is made for it: it is read and enqueued at once, and `respond` is called with a status and JSON when it
        is computed. False, and nothing is done, where the request is for anything else.
        """
        try:
            route = _post(path)
        except ServingError:
            return False
        if not route or route[1] != "predict" or len(body) > min(_SHORT, self.service.largest):
            return False
        asked, begun, request = route[0], time.perf_counter(), {}

        def done(found: dict[str, np.ndarray] | Exception) -> None:
            code, status = Code.OK, 200
            try:
                if isinstance(found, Exception):
                    raise found
                content = json_answers.write_outputs(found, "instances" in request)
            except Exception as error:
                told = self.service.told(asked.name, error)
                code, (status, content) = told.code, _refusal(told)
            self.service.count(asked.name, "Predict", "REST", begun, code)
            respond(status, content)

        try:
            request = json_requests.parse(body)
            self.service.submit(asked, *_reading(request), done)
        except Exception as error:
            done(error)
        return True

    # The API.

    async def _api(self, method: str, path: str, scope, receive) -> bytes:
        if method == "POST":
            if route := _post(path):
                asked, verb = route
                with self.service.counted(asked.name, verb.capitalize(), "REST"):
                    with self.service.room() as take:
                        body = await self._body(scope, receive, take)
                        return await self._predict(asked, body) if verb == "predict" else self._other(asked, verb, body)
        elif method in ("GET", "HEAD"):
            if match := _STATUS.fullmatch(path):
                asked = _asked(match)
                return self._metadata(asked) if match[4] else self._status(asked)
            if path.lower().rstrip("/") == "/v1/models":
                raise invalid("Missing model name in request.")
        raise invalid(f"Malformed request: {method} {path}")

    async def _predict(self, asked: Asked, body: bytes) -> bytes:
        request = json_requests.parse(body)
        answer = await self.service.predict(asked, *_reading(request))
        return json_answers.write_outputs(answer.outputs, "instances" in request)

    def _other(self, asked: Asked, verb: str, body: bytes) -> bytes:
        request = json_requests.parse(body)
        name = json_requests.signature_name(request)
        json_requests.check_examples(request)
        kind = {"classify": "classification", "regress": "regression"}[verb]
        raise self.service.refuse_method(asked, name, kind, verb)

    def _status(self, asked: Asked) -> bytes:
        response = status_of(self.service.repository.statuses(asked.name, asked.version))
        return json_format.MessageToJson(response, always_print_fields_with_no_presence=True, indent=1).encode()

    def _metadata(self, asked: Asked) -> bytes:
        with self.service.repository.hold(asked.name, asked.version, asked.label) as servable:
            response = metadata_of(servable)
        packed, signatures = response.metadata["signature_def"], get_model_metadata_pb2.SignatureDefMap()
        packed.Unpack(signatures)
        plain = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
        return json.dumps(
            {
                "model_spec": json_format.MessageToDict(response.model_spec, **plain),
                "metadata": {"signature_def": json_format.MessageToDict(signatures, **plain)},
            },
            indent=1,
        ).encode()

    async def _body(self, scope, receive, take: Callable[[int], None]) -> bytes:
        """The whole body; too large, too many and too slow ones are refused as soon as that is known."""
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self.service.largest:
                raise invalid_size(self.service.largest)
        pieces, is_whole = [], False
        try:
            async with asyncio.timeout(self.service.timeout):
                while not is_whole:
                    piece, is_whole = await _piece(receive)
                    take(len(piece))
                    pieces.append(piece)
        except TimeoutError:
            raise ServingError(Code.DEADLINE_EXCEEDED, "the request did not arrive in time", 408) from None
        return b"".join(pieces)

    async def _let_pass(self, receive) -> None:
        """Read on without keeping anything: whoever is still sending would not see that he was refused."""
        size, is_whole = 0, False
        with contextlib.suppress(TimeoutError, ServingError):
            async with asyncio.timeout(min(5.0, self.service.timeout)):
                while not is_whole and size <= 4 * self.service.largest:
                    piece, is_whole = await _piece(receive)
                    size += len(piece)

    # Everything else.

    def _file(self, method: str, path: str) -> tuple[int, str, bytes]:
        if method not in ("GET", "HEAD"):
            raise ServingError(Code.UNIMPLEMENTED, f"{method} is not for {path[:200]}: use GET", 405)
        if path == METRICS:
            return 200, "text/plain; version=0.0.4", self.service.metrics.page().encode()
        if path == "/health":
            is_well, told = self.service.health()
            return 200 if is_well else 503, _JSON, json.dumps(told).encode()
        if path == "/kgan/models":
            return 200, _JSON, json.dumps({"models": self.service.models()}, ensure_ascii=False).encode()
        found = self.page.get("/index.html" if path == "/" else path)
        if found is None:
            raise ServingError(Code.NOT_FOUND, f"there is nothing at {path[:200]}: models are at /v1/models/NAME")
        kind = _TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return 200, f"{kind}; charset=utf-8" if kind.startswith("text/") else kind, found.read_bytes()


async def _piece(receive) -> tuple[bytes, bool]:
    """The next part of a body, and whether it is the last."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ServingError(Code.CANCELLED, "the caller went away")
    return message.get("body", b""), not message.get("more_body")


_SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
        b"media-src 'self' blob: data:",
    ),
    (b"cache-control", b"no-cache"),
]


def _reading(request: dict[str, Any]) -> tuple[str, Decode, Missing]:
    """What the service must know of a request: the signature's name, how its inputs are read, what is said if none is.

    Raises:
        ServingError: the name is no text.
    """
    return (
        json_requests.signature_name(request),
        lambda signature: json_requests.read_inputs(request, signature),
        lambda name: invalid(f'Serving signature name: "{name}" not found in signature def'),
    )


def _refusal(error: ServingError) -> tuple[int, bytes]:
    """The status and the JSON of an error."""
    content = json.dumps({"error": error.message}, indent=4, ensure_ascii=False).encode(errors="replace")
    return error.http, content


@functools.lru_cache(maxsize=128)
def _post(path: str) -> tuple[Asked, str] | None:
    """The model and what is to be done with it."""
    match = _PREDICT.fullmatch(path)
    return (_asked(match), match[4].lower()) if match else None


def _asked(match: re.Match) -> Asked:
    name, version, label = (part and urllib.parse.unquote(part) for part in match.group(1, 2, 3))
    if version is not None and (len(version) > 19 or int(version) > _LARGEST_VERSION):
        raise invalid(f"Failed to convert version: {version[:40]} to numeric.")
    return Asked(name, None if version is None else int(version), label)
