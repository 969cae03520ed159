"""GitHub's published OpenAPI (npm @octokit/openapi) as a judge of calls: what is not in it is a fault of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests.npm.modules import modules

HERE = "urn:github"


@dataclass(frozen=True)
class Operation:
    """One documented operation and the values of its path."""

    path: str
    method: str
    values: dict[str, str]


@cache
def document() -> dict[str, Any]:
    """The description of api.github.com."""
    found = modules() / "@octokit/openapi/generated/api.github.com.json"
    read: dict[str, Any] = orjson.loads(found.read_bytes())
    return read


@cache
def _registry() -> Any:
    return Registry().with_resource(HERE, DRAFT4.create_resource(document()))


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Those with fewer places first: /user/installations is no /user/{something}."""
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))), path) for path in paths]


def operation(method: str, path: str) -> Operation | None:
    """The operation that a call is of, None when it is documented nowhere."""
    for pattern, template in _templates():
        if (match := pattern.fullmatch(path)) and method.lower() in document()["paths"][template]:
            return Operation(template, method.lower(), match.groupdict())
    return None


def faults(found: Operation, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> list[str]:
    """What is wrong with a call."""
    said = document()["paths"][found.path][found.method]
    parameters = [_followed(one) for one in said.get("parameters", [])]
    wrong = [f"no query {name!r}" for name in query if name not in _named(parameters, "query")]
    for one in parameters:
        value = query.get(one["name"]) if one["in"] == "query" else found.values.get(one["name"])
        if value is None:
            wrong += [f"{one['name']} is missing"] if one.get("required") and one["in"] in ("path", "query") else []
            continue
        typed = int(value) if one["schema"].get("type") == "integer" and value.isdigit() else value
        wrong += [f"{one['name']}: {error.message}" for error in _validator(one["schema"]).iter_errors(typed)]
    if headers.get("Accept") != "application/vnd.github+json":
        wrong.append(f"the media type is {headers.get('Accept')}")
    if headers.get("X-GitHub-Api-Version") != "2022-11-28" or not headers.get("User-Agent"):
        wrong.append("the API's version or the User-Agent is missing")
    return wrong + _body_faults(found, said, headers, body)


def _body_faults(found: Operation, said: dict[str, Any], headers: Mapping[str, str], body: bytes) -> list[str]:
    if "requestBody" not in said:
        return ["the operation takes no body"] if body else []
    if not body:
        return ["the body is missing"] if said["requestBody"].get("required") else []
    if headers.get("Content-Type") != "application/json":
        return [f"the body is {headers.get('Content-Type')}"]
    value = orjson.loads(body)
    place = f"{HERE}#/paths/{_pointer(found.path)}/{found.method}/requestBody/content/application~1json/schema"
    schema = said["requestBody"]["content"]["application/json"]["schema"]
    extra = [f"no field {name!r}" for name in value if name not in schema.get("properties", {})]
    return extra + [error.message for error in _validator({"$ref": place}).iter_errors(value)]


def example(found: Operation, status: int, **changed: Any) -> Any:
    """The published example of an answer, with some fields as they are here; it fits the published schema."""
    said = document()["paths"][found.path][found.method]["responses"][str(status)]["content"]["application/json"]
    value = deepcopy(_followed(next(iter(said["examples"].values())))["value"])
    place = f"{HERE}#/paths/{_pointer(found.path)}/{found.method}/responses/{status}/content/application~1json/schema"
    judge = _validator({"$ref": place})
    sound = judge.is_valid(value)  # not every published example fits the published schema
    if isinstance(value, dict):
        assert changed.keys() <= value.keys() | {"performed_via_github_app"}, changed.keys() - value.keys()
        value |= changed
    assert not sound or judge.is_valid(value), [error.message for error in judge.iter_errors(value)]
    return value


def documented(found: Operation) -> set[int]:
    """The statuses that the operation may answer with."""
    return {int(status) for status in document()["paths"][found.path][found.method]["responses"]}


def _validator(schema: dict[str, Any]) -> Any:
    return OAS30Validator(schema, registry=_registry())


def _followed(one: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in one:
        target: Any = document()
        for part in one["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        one = target
    return one


def _named(parameters: list[dict[str, Any]], place: str) -> set[str]:
    return {one["name"] for one in parameters if one["in"] == place}


def _pointer(path: str) -> str:
    return path.replace("~", "~0").replace("/", "~1")
