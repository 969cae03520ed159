"""How a ShipoffError crosses gRPC: the status code says what middleware needs, the trailer `shipoff-error` the rest."""

from __future__ import annotations

import contextvars
from typing import Any, Final

import grpc
import orjson

from kernel.errors import DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, ShipoffError

TRAILER: Final = "shipoff-error-bin"
REQUEST_ID: Final = "x-request-id"
TRACEPARENT: Final = "traceparent"
IDENTITY: Final = "shipoff-identity"
METADATA_BYTES: Final = 64 * 1024  # a passport names all teams and projects that somebody belongs to

# For whom the calls of this context are made: a passport (kernel/authority) or `platform:NAME`; "" leaves it to the
# client. It is never set from a call that is being answered: work that goes on after it would outlive the passport.
identity: contextvars.ContextVar[str] = contextvars.ContextVar("identity", default="")

# https://grpc.io/docs/guides/status-codes/ beside the HTTP status that the error declares
_STATUS: Final[dict[int, grpc.StatusCode]] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    402: grpc.StatusCode.RESOURCE_EXHAUSTED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def status_of(error: ShipoffError) -> grpc.StatusCode:
    """The gRPC status for an error."""
    return _STATUS.get(error.status, grpc.StatusCode.INTERNAL)


def to_trailer(error: ShipoffError) -> bytes:
    """All fields of an error, for the trailing metadata."""
    return orjson.dumps(
        {
            "code": error.code,
            "detail": error.detail,
            "source": error.source,
            "retryable": error.retryable,
            "status": error.status,
            "hint": error.hint,
            "retry_after_s": error.retry_after_s,
        }
    )


def from_rpc(error: grpc.aio.AioRpcError, method: str) -> ShipoffError:
    """The error that a failed call stands for: the server's own, or what its transport status means."""
    trailer: Any = error.trailing_metadata() or ()
    for key, value in trailer:
        if key == TRAILER:
            fields = orjson.loads(value)
            return ShipoffError(fields.pop("code"), fields.pop("detail"), **fields)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return UNAVAILABLE(f"{method}: {error.details()}")
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DEADLINE_EXCEEDED(f"{method} did not answer in time")
    return INTERNAL(f"{method}: {error.code().name} {error.details()}")
