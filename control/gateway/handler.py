"""What a handler takes and gives, read from its annotations.

    async def show(call: Call) -> ProjectShape
    async def index(call: Call, query: Page) -> ProjectList
    async def create(call: Call, body: CreateProject) -> ProjectShape
    async def delete(call: Call) -> None
    async def follow(call: Call, query: LogQuery) -> Stream[LineShape]
    async def landing(call: Call) -> web.Response

A `TypedDict` (or a union of some) is sent as JSON, a `Stream` item by item, nothing as 204; what is aiohttp's own goes
out as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from aiohttp import web
from typing_extensions import is_typeddict

from control.gateway.models.base import Body, Query
from control.gateway.stream import Stream

Handler = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a handler takes and gives.

    Attributes:
        body: the model of its JSON body; None when it takes none.
        query: the model of its query; None when it takes none.
        answers: the shapes that it answers with, any of them; empty for an empty answer and for `raw`.
        streams: whether `answers` are items of a stream.
        raw: whether it makes the answer itself.
    """

    body: type[Body] | None
    query: type[Query] | None
    answers: tuple[Any, ...]
    streams: bool
    raw: bool


def contract_of(handler: Handler) -> Contract:
    """Reads a handler's annotations.

    Raises:
        TypeError: they say something that the frame does not know.
    """
    name = f"{handler.__module__}.{handler.__qualname__}"
    hints = get_type_hints(handler)
    given = hints.pop("return", None)
    parameters = list(inspect.signature(handler).parameters)
    if not parameters or parameters[0] != "call" or set(parameters[1:]) - {"body", "query"}:
        raise TypeError(f"{name} takes (call, body, query), of which the last two may be left out")
    body, query = hints.get("body"), hints.get("query")
    if not (body is None or issubclass(body, Body)) or not (query is None or issubclass(query, Query)):
        raise TypeError(f"{name}: a body is a models.base.Body, a query a models.base.Query")
    if inspect.isclass(given) and issubclass(given, web.StreamResponse):
        return Contract(body, query, (), streams=False, raw=True)
    streams = get_origin(given) is Stream
    answers = _shapes(get_args(given)[0] if streams else given)
    if not all(is_typeddict(one) for one in answers):
        raise TypeError(f"{name} answers with something that is no TypedDict: {given}")
    return Contract(body, query, answers, streams=streams, raw=False)


def _shapes(given: Any) -> tuple[Any, ...]:
    if given is None or given is type(None):
        return ()
    return get_args(given) if get_origin(given) in (Union, UnionType) else (given,)
