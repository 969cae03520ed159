"""Explanations: what became of a request, and what an address would meet."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field

from control.gateway.models.base import Json, Query, Short
from control.gateway.models.requests import RequestShape


class ExplainQuery(Query):
    """What to explain: either of both.

    Attributes:
        request: the X-Request-Id of a request that was answered.
        url: an address that may be asked for.
    """

    request: Short = ""
    url: Annotated[str, Field(max_length=2000)] = ""


class RequestExplained(TypedDict):
    """What became of a request.

    Attributes:
        request: the request.
        said: the same in sentences.
    """

    request: RequestShape
    said: list[str]


class ServingShape(TypedDict):
    """A release that an address goes to.

    Attributes:
        id: rel_….
        share: its weight among those of the route.
        state: `running`, `asleep` or `waking`; empty when the table has no record of it.
        instances: ins_… that it has.
    """

    id: str
    share: int
    state: str
    instances: list[str]


class RouterShape(TypedDict):
    """A live router worker.

    Attributes:
        id: its name.
        version: of the table that it serves.
        current: whether it knows all that was said here.
    """

    id: str
    version: int
    current: bool


class SightShape(TypedDict):
    """What one router would do.

    Attributes:
        rules: of the route, in the order in which they are asked.
        waiting: requests that wait in it for an instance.
        instances: with what it knows of them from its own requests.
    """

    rules: list[Json]
    waiting: int
    instances: list[Json]


class AddressExplained(TypedDict):
    """What a request for an address would meet.

    Attributes:
        route: the route's record, without passwords; null when there is none.
        releases: that it can go to.
        routers: that serve.
        router: what one router would do; null when none could be asked.
        said: the same in sentences.
    """

    route: Json | None
    releases: list[ServingShape]
    routers: list[RouterShape]
    router: SightShape | None
    said: list[str]
