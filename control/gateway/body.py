"""Reads JSON bodies into models, and answers with JSON."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from control.gateway.problems import InvalidFieldsError
from kernel.errors import define

MEDIA_TYPE_UNSUPPORTED = define(
    "MEDIA_TYPE_UNSUPPORTED", source="client", status=415, hint="send Content-Type: application/json, not compressed"
)
JSON_INVALID = define("JSON_INVALID", source="client", status=400, hint="the body must be one JSON object")

Model = TypeVar("Model", bound=BaseModel)


async def read(request: web.Request, model: type[Model]) -> Model:
    """The request's body as a model.

    Raises:
        ShipoffError: MEDIA_TYPE_UNSUPPORTED, JSON_INVALID, or BODY_INVALID with every fault at once.
        web.HTTPRequestEntityTooLarge: it is longer than the application allows.
    """
    if request.content_type != "application/json" or request.headers.get("Content-Encoding", "identity") != "identity":
        raise MEDIA_TYPE_UNSUPPORTED(f"cannot read a body of type {request.content_type[:80]!r}")
    try:
        value = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise JSON_INVALID(f"the body is not JSON: {error}") from error
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidFieldsError(error) from None


def answer(value: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=orjson.dumps(value) + b"\n", content_type="application/json")


class Lines:
    """An answer of JSON lines (NDJSON), sent one by one as they come."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._response = web.StreamResponse(
            headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )

    async def start(self) -> None:
        """Sends the head."""
        await self._response.prepare(self._request)

    async def send(self, value: Any) -> None:
        """Sends one line; waits while the client does not read."""
        await self._response.write(orjson.dumps(value) + b"\n")

    async def end(self) -> web.StreamResponse:
        """Ends the answer."""
        await self._response.write_eof()
        return self._response


def private(response: web.Response) -> web.Response:
    """An answer with secrets in it, which nobody on the way may keep."""
    response.headers["Cache-Control"] = "no-store"
    return response
