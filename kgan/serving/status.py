"""How a request ends: the codes of gRPC and TF Serving, and what HTTP says for each of them."""

import enum

import tensorflow as tf


class Code(enum.IntEnum):
    """The canonical codes, by the names and numbers that every protocol here uses."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @property
    def http(self) -> int:
        """The HTTP status that TF Serving answers with."""
        return _HTTP.get(self, 500)


_LONGEST = 1000  # characters of what a caller is told, who may have sent a name as long as he likes
_HTTP = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}


class ServingError(Exception):
    """A request that cannot be answered: its code, one line for the caller, and the HTTP status if it is another."""

    def __init__(self, code: Code, message: str, http: int | None = None):
        super().__init__(message)
        self.code, self.message, self.http = code, " ".join(message.split())[:_LONGEST], http or code.http


def invalid(message: str) -> ServingError:
    """What most mistakes of a caller are."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def of_exception(error: BaseException) -> ServingError:
    """Whatever went wrong while a request was computed, as what the caller is told."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(Code(error.error_code), _said(error.message or "") or type(error).__name__)
    if isinstance(error, MemoryError):
        return ServingError(Code.RESOURCE_EXHAUSTED, "out of memory: ask for less at once")
    if isinstance(error, RecursionError):
        return invalid("the request is nested too deeply")
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")


def _said(message: str) -> str:
    """The line of TensorFlow's message that says what is wrong; the others are of a graph that is not the caller's."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    nodes = [index for index, line in enumerate(lines) if line.startswith("[[")]  # the trace that follows what is said
    own = lines[nodes[0] - 1 : nodes[0]] if nodes else [line for line in lines if not line.startswith(_HEADERS)]
    return (own or lines or [""])[0]


_HEADERS = ("Graph execution error", "Detected at", "Node:", "<")
