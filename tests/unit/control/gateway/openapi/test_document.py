"""The reference is valid OpenAPI, says something of everything, and its examples are what its schemas allow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from control.gateway.openapi.document import document
from control.gateway.openapi.page import render
from control.gateway.routes import ROUTES

API: dict[str, Any] = orjson.loads(orjson.dumps(document(ROUTES, "https://api.example.org/")))


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in API["paths"].items():
        for method, found in methods.items():
            yield f"{method} {path}", found


def media(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    parts = [found.get("requestBody", {}), *found["responses"].values()]
    for part in parts:
        yield from (one for one in part.get("content", {}).values() if "example" in one)


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(API).validate()


def test_every_route_of_the_api_is_there() -> None:
    wanted = [route for route in ROUTES if route.path.startswith("/v1/")]
    assert len(list(operations())) == len(wanted)
    names = [found["operationId"] for _, found in operations()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("name", "found"), list(operations()), ids=lambda one: one if isinstance(one, str) else "")
def test_an_operation_says_what_it_is(name: str, found: dict[str, Any]) -> None:
    assert found["summary"].endswith(".")
    statuses = set(found["responses"])
    assert {"400", "429", "500", "503"} < statuses
    assert not found["security"] or "401" in statuses
    assert all(one.get("description") or "$ref" in one for one in found["parameters"])
    named = {one["name"] for one in found["parameters"] if one.get("in") == "path"}
    assert named == set(re.findall(r"\{(\w+)\}", name))
    assert "404" in statuses or not named


@pytest.mark.parametrize(("name", "found"), list(operations()), ids=lambda one: one if isinstance(one, str) else "")
def test_examples_are_what_the_schemas_allow(name: str, found: dict[str, Any]) -> None:
    for one in media(found):
        OAS31Validator({**one["schema"], "components": API["components"]}).validate(one["example"])


def test_every_field_has_a_description() -> None:
    for name, schema in API["components"]["schemas"].items():
        for field, one in schema.get("properties", {}).items():
            assert one.get("description"), f"{name}.{field}"


def test_the_page_needs_nothing_else() -> None:
    page = render(API)
    assert not re.search(r"<(script|link|img|iframe|object|form)\b|url\(|@import|javascript:", page)
    assert set(re.findall(r'href="([^#"][^"]*)"', page)) == {"/v1/openapi.json"}
    anchors, links = set(re.findall(r'id="([^"]+)"', page)), set(re.findall(r'href="#([^"]+)"', page))
    assert links <= anchors
    for _, found in operations():
        assert found["operationId"].replace(".", "-") in links


def test_what_docstrings_hold_is_no_markup_in_the_page() -> None:
    api = {**API, "info": {**API["info"], "title": "<b>x", "description": "`<i>` **<u>** <s>"}}
    page = render(api)
    assert "<b>x" not in page
    assert "<code>&lt;i&gt;</code> <b>&lt;u&gt;</b> &lt;s&gt;" in page
