"""A handler's annotations are its contract; what the frame does not know is refused when the process starts."""

from __future__ import annotations

from typing import TypedDict

import pytest
from aiohttp import web

from control.gateway.call import Call
from control.gateway.handler import Contract, Handler, contract_of
from control.gateway.models.base import Body, Page
from control.gateway.stream import Stream


class Thing(Body):
    """A thing."""


class ThingShape(TypedDict):
    """A thing."""


class OtherShape(TypedDict):
    """Another."""


async def create(call: Call, body: Thing) -> ThingShape:
    raise NotImplementedError


async def index(call: Call, query: Page) -> ThingShape | OtherShape:
    raise NotImplementedError


async def delete(call: Call) -> None:
    raise NotImplementedError


async def follow(call: Call) -> Stream[ThingShape]:
    raise NotImplementedError


async def page(call: Call) -> web.Response:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("handler", "contract"),
    [
        (create, Contract(Thing, None, (ThingShape,), streams=False, raw=False)),
        (index, Contract(None, Page, (ThingShape, OtherShape), streams=False, raw=False)),
        (delete, Contract(None, None, (), streams=False, raw=False)),
        (follow, Contract(None, None, (ThingShape,), streams=True, raw=False)),
        (page, Contract(None, None, (), streams=False, raw=True)),
    ],
)
def test_annotations_say_what_is_taken_and_given(handler: Handler, contract: Contract) -> None:
    assert contract_of(handler) == contract


async def _loose(call: Call) -> dict[str, str]:
    raise NotImplementedError


async def _unknown(call: Call, form: Thing) -> None:
    raise NotImplementedError


async def _swapped(call: Call, query: Thing) -> None:
    raise NotImplementedError


@pytest.mark.parametrize("handler", [_loose, _unknown, _swapped])
def test_what_the_frame_does_not_know_is_refused(handler: Handler) -> None:
    with pytest.raises(TypeError):
        contract_of(handler)
