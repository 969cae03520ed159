"""Reads JSON bodies and queries into models, and writes JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import ValidationError

from control.gateway.models.base import Body, Query
from control.gateway.problems import BODY_INVALID, REQUEST_INVALID, FieldShape, InvalidFieldsError
from kernel.errors import define

MEDIA_TYPE_UNSUPPORTED = define(
    "MEDIA_TYPE_UNSUPPORTED", source="client", status=415, hint="send Content-Type: application/json, not compressed"
)
JSON_INVALID = define("JSON_INVALID", source="client", status=400, hint="the body must be one JSON object")

BodyModel = TypeVar("BodyModel", bound=Body)
QueryModel = TypeVar("QueryModel", bound=Query)


async def read(request: web.Request, model: type[BodyModel]) -> BodyModel:
    """The request's body as a model.

    Raises:
        ShipoffError: MEDIA_TYPE_UNSUPPORTED, JSON_INVALID, or BODY_INVALID with every fault at once.
        web.HTTPRequestEntityTooLarge: it is longer than the application allows.
    """
    if request.content_type != "application/json" or request.headers.get("Content-Encoding", "identity") != "identity":
        raise MEDIA_TYPE_UNSUPPORTED(f"cannot read a body of type {request.content_type[:80]!r}")
    raw = await request.read()
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise JSON_INVALID(f"the body is not JSON: {error}") from error
    if rb"\u0000" in raw and (faults := [_fault(at) for at in _nuls(value, "")]):
        raise InvalidFieldsError(BODY_INVALID, faults)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidFieldsError.of(BODY_INVALID, error) from None


def query(request: web.Request, model: type[QueryModel] | None) -> QueryModel | None:
    """The request's query as a model; None where none is taken.

    Raises:
        ShipoffError: REQUEST_INVALID with every fault at once: a name that is unknown or comes twice, a wrong value.
    """
    given = request.query
    faults: list[FieldShape] = [
        {"field": name[:100], "message": "comes more than once"} for name in given if len(given.getall(name)) > 1
    ]
    faults.extend([_fault(name[:100]) for name, value in given.items() if "\0" in name + value])
    if faults:
        raise InvalidFieldsError(REQUEST_INVALID, faults[:20])
    try:
        return (model or Query).model_validate(dict(given)) if given or model else None  # type: ignore[return-value]
    except ValidationError as error:
        raise InvalidFieldsError.of(REQUEST_INVALID, error) from None


def encode(value: object) -> bytes:
    """A JSON answer's bytes."""
    return orjson.dumps(value) + b"\n"


def answer(value: object, status: int = 200) -> web.Response:
    """A JSON answer of a handler that makes its own."""
    return web.Response(status=status, body=encode(value), content_type="application/json")


def _fault(at: str) -> FieldShape:
    return {"field": at, "message": "holds the character NUL, which no text has"}


def _nuls(value: Any, at: str) -> Iterator[str]:
    """Where NUL stands, which Postgres can't store."""
    if isinstance(value, str) and "\0" in value:
        yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        below = f"{at}.{key}" if at else f"{key}"
        if isinstance(key, str) and "\0" in key:
            yield below.replace("\0", "\\0")
        yield from _nuls(inner, below)
