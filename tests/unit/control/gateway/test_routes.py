"""Every route says what it is, what it needs, what it takes and what it gives; generated from the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel
from typing_extensions import is_typeddict

from control.gateway import docstrings
from control.gateway.handler import contract_of
from control.gateway.needs import OnTeam
from control.gateway.routes import ROUTES, Route
from kernel.authority import Permission


def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape)


def _shapes(route: Route) -> Iterator[Any]:
    contract = contract_of(route.handler)
    for model in (contract.body, contract.query):
        if model is not None:
            yield model
    for answer in contract.answers:
        yield from _inside(answer)


def _inside(kind: Any) -> Iterator[Any]:
    if is_typeddict(kind):
        yield kind
        for hint in _hints(kind).values():
            yield from _inside(hint)
    for part in get_args(kind):
        yield from _inside(part)


NAMES = [f"{route.method} {route.path}" for route in ROUTES]


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_a_route_is_documented_and_guarded(route: Route) -> None:
    said = docstrings.read(route.handler)
    assert said.summary.startswith(f"{route.method} /"), "the docstring begins with method and path"
    assert ": " in said.summary
    assert isinstance(route.needs, Permission) == (route.path.startswith("/v1/") and "{project}" in route.path)
    assert isinstance(route.needs, OnTeam) or "{team}" not in route.path


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_a_route_answers_as_its_annotations_say(route: Route) -> None:
    contract = contract_of(route.handler)
    assert (route.status == 204) == (not contract.answers and not contract.raw)
    assert contract.body is None or route.method in ("POST", "PUT", "PATCH", "DELETE")


def test_routes_are_there_once() -> None:
    assert len(set(NAMES)) == len(ROUTES)


SHAPES = sorted({one for route in ROUTES for one in _shapes(route)}, key=lambda one: (one.__module__, one.__name__))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda one: one.__name__)
def test_every_field_is_documented(shape: Any) -> None:
    fields = set(shape.model_fields) if isinstance(shape, type) and issubclass(shape, BaseModel) else set(_hints(shape))
    said = docstrings.read(shape)
    assert said.summary
    assert set(said.attributes) == fields


MODELS = sorted(
    {
        model
        for route in ROUTES
        for model in (contract_of(route.handler).body, contract_of(route.handler).query)
        if model
    },
    key=lambda one: (one.__module__, one.__name__),
)


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.__name__)
def test_every_number_that_comes_in_has_bounds(model: type[BaseModel]) -> None:
    """A number that fits no field of a message would be the platform's failure instead of the sender's."""
    assert list(_unbounded(model.model_json_schema(), "")) == []


def _unbounded(schema: Any, at: str) -> Iterator[str]:
    if isinstance(schema, dict):
        bounded = {"minimum", "exclusiveMinimum"} & set(schema) and {"maximum", "exclusiveMaximum"} & set(schema)
        if schema.get("type") in ("integer", "number") and not bounded and not {"enum", "const"} & set(schema):
            yield at
    inside = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    for key, inner in inside:
        yield from _unbounded(inner, f"{at}.{key}")
