"""Errors as answers: problem+json (RFC 9457) for the API, plain text for git, both with the platform's code."""

from __future__ import annotations

import logging
from typing import Final, NotRequired, Self, TypedDict

import orjson
from aiohttp import web
from pydantic import ValidationError

from kernel.errors import INTERNAL, NOT_FOUND, ErrorKind, ShipoffError, define
from kernel.telemetry import request_id

log = logging.getLogger(__name__)

METHOD_NOT_ALLOWED = define(
    "METHOD_NOT_ALLOWED", source="client", status=405, hint="the header Allow names the methods"
)
BODY_TOO_LARGE = define("BODY_TOO_LARGE", source="client", status=413, hint="send less in one request")
BODY_INVALID = define("BODY_INVALID", source="client", status=422, hint="correct the fields named in errors")
REQUEST_INVALID = define("REQUEST_INVALID", source="client", status=400, hint="see the reference at /docs")
REQUEST_TIMEOUT = define("REQUEST_TIMEOUT", source="platform", status=504, retryable=True, hint="try again in a moment")
TWO_FACTOR_REQUIRED = define(
    "TWO_FACTOR_REQUIRED", source="client", status=401, hint="POST /v1/auth/login/two-factor with challenge and code"
)

BASIC: Final = 'Basic realm="Shipoff: the password is an API token"'  # git asks for it when it sees this
JSON: Final = "application/problem+json"
TYPE: Final = "urn:shipoff:error:"  # https://www.rfc-editor.org/rfc/rfc9457#section-3.1.1 asks for a URI


class FieldShape(TypedDict):
    """One thing that is wrong.

    Attributes:
        field: where, e.g. `env.PORT`; empty for the body as a whole.
        message: what.
    """

    field: str
    message: str


class ProblemShape(TypedDict):
    """A refusal or a failure (RFC 9457).

    Attributes:
        type: `urn:shipoff:error:` and the code.
        title: the code in words.
        status: the answer's.
        detail: what happened this time, in a sentence.
        code: stable; docs/errors.md has them all.
        hint: the next step; may be empty.
        retryable: whether the same request may succeed later without a change.
        request_id: as in the header `X-Request-Id`.
        errors: every field that is wrong.
        challenge: with `TWO_FACTOR_REQUIRED`: what goes to `/v1/auth/login/two-factor`, with a code.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    retryable: bool
    request_id: str
    errors: NotRequired[list[FieldShape]]
    challenge: NotRequired[str]


class InvalidFieldsError(ShipoffError):
    """A body or a query with several things wrong, each named.

    Args:
        kind: what they make of the request.
        errors: all of them at once.
    """

    def __init__(self, kind: ErrorKind, errors: list[FieldShape]) -> None:
        self.errors = errors
        named = "; ".join(f"{item['field'] or 'body'}: {item['message']}" for item in errors[:5])
        super().__init__(kind.code, named, source=kind.source, retryable=False, status=kind.status, hint=kind.hint)

    @classmethod
    def of(cls, kind: ErrorKind, error: ValidationError) -> Self:
        """What pydantic found."""
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return cls(kind, [{"field": ".".join(map(str, item["loc"]))[:300], "message": item["msg"]} for item in found])


class ChallengeError(ShipoffError):
    """The password was right, and a code is needed.

    Args:
        challenge: what comes back with the code.
    """

    def __init__(self, challenge: str) -> None:
        self.challenge = challenge
        kind = TWO_FACTOR_REQUIRED
        said = "signing in to this account needs a code"
        super().__init__(kind.code, said, source=kind.source, retryable=False, status=kind.status, hint=kind.hint)


def translate(error: Exception) -> ShipoffError:
    """The platform's error for whatever a handler raised; what nobody foresaw is logged and becomes INTERNAL."""
    match error:
        case ShipoffError():
            return error
        case web.HTTPNotFound():
            return NOT_FOUND("there is nothing at this address", hint="GET / says where the API is")
        case web.HTTPMethodNotAllowed():
            return METHOD_NOT_ALLOWED(f"{error.method} is not possible here")
        case web.HTTPRequestEntityTooLarge():
            return BODY_TOO_LARGE("the request's body is too large")
        case web.HTTPException():
            return REQUEST_INVALID(error.reason)
        case TimeoutError():
            return REQUEST_TIMEOUT("the request took too long")
    log.error("a request failed", exc_info=error)
    return INTERNAL("the platform failed on this request")


def as_problem(error: ShipoffError) -> web.Response:
    """RFC 9457: type, title, status, detail; beside them code, hint, request_id and errors."""
    body: ProblemShape = {
        "type": TYPE + error.code,
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "hint": error.hint,
        "retryable": error.retryable,
        "request_id": request_id.get(),
    }
    if isinstance(error, InvalidFieldsError):
        body["errors"] = error.errors
    if isinstance(error, ChallengeError):
        body["challenge"] = error.challenge
    return web.Response(status=error.status, body=orjson.dumps(body), content_type=JSON, headers=_headers(error))


def as_text(error: ShipoffError) -> web.Response:
    """What git prints behind `remote:`."""
    text = f"{error.detail} [{error.code}]\n" + (f"{error.hint}\n" if error.hint else "")
    return web.Response(status=error.status, text=text, headers=_headers(error, BASIC))


def _headers(error: ShipoffError, challenge: str = "Bearer") -> dict[str, str]:
    if error.status == 401:
        return {"WWW-Authenticate": challenge}  # https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
    wait_s = error.retry_after_s or (2 if error.status == 503 else 0)
    return {"Retry-After": str(wait_s)} if wait_s else {}
