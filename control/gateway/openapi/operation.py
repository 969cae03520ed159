"""One route as an operation of OpenAPI: what it takes, what it gives, and every status that it may answer."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

from control.gateway import docstrings
from control.gateway.handler import Contract, contract_of
from control.gateway.needs import ACCOUNT, PUBLIC, Needs, OnTeam
from control.gateway.openapi.examples import example
from control.gateway.openapi.schemas import Schemas, sentence
from control.gateway.routes import Route
from kernel.authority.permissions import LEAST

Json = dict[str, Any]
PARTS: Final = {
    "project": "The project's id (prj_…) or name.",
    "team": "The team's id (tem_…).",
    "id": "The id of what is meant; it belongs to what stands before it in the path.",
    "name": "Its name.",
    "domain": "The domain's id (dom_…) or name.",
}
_PART: Final = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
_HEADER: Final = {"schema": {"type": "string"}}
_CODED: Final = "`code` says what is wrong, `hint` what to do"
WHY: Final = {
    400: "The query or the body is malformed.",
    401: "No credential, or one that is not valid (any more).",
    402: "The plan's limit is reached.",
    403: "You may not do this; `detail` names the rule that refused.",
    404: "There is no such thing, or none that you may see.",
    409: "It conflicts with what is there.",
    410: "It is over.",
    412: "It has changed since you read it: `If-Match` names another version.",
    413: "The body is too large.",
    415: "The body is not JSON, or it is compressed.",
    422: "The body has wrong fields, all of them named in `errors`.",
    429: "Too many requests; `Retry-After` says when to come back.",
    500: "The platform failed.",
    502: "Another server that the platform asked failed.",
    503: "Something that is needed is away; try again.",
    504: "It took too long; try again.",
}


def path_of(route: Route) -> str:
    """The path as OpenAPI writes it."""
    return _PART.sub(r"{\1}", route.path)


def name_of(route: Route) -> str:
    """The operation's id: resource and action, e.g. `projects.create`."""
    return f"{tag_of(route)}.{route.handler.__name__}"


def tag_of(route: Route) -> str:
    """The resource that it is about: its view's module."""
    return route.handler.__module__.rpartition(".")[2]


def operation(route: Route, schemas: Schemas) -> Json:
    """The operation."""
    contract, said = contract_of(route.handler), docstrings.read(route.handler)
    summary = said.summary.partition(": ")[2]
    needs = _needs(route.needs)
    made: Json = {
        "operationId": name_of(route),
        "tags": [tag_of(route)],
        "summary": sentence(summary),
        "description": "\n\n".join(part for part in (said.description, needs) if part),
        "parameters": _parameters(route, contract, schemas),
        "responses": {str(route.status): _success(route, contract, schemas)}
        | {str(status): _problem(status) for status in refusals(route, contract)},
        "security": [] if route.needs is PUBLIC else [{"bearer": []}],
    }
    if contract.body is not None:
        schema = schemas.body(contract.body)
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example(schema, schemas.components)}},
        }
    return made


def refusals(route: Route, contract: Contract) -> list[int]:
    """The statuses that it may refuse with."""
    found = {400, 429, 500, 503, 504, *route.refuses}
    if route.needs is not PUBLIC:
        found |= {401, 403}
    if "{" in route.path or isinstance(route.needs, OnTeam):
        found.add(404)
    if contract.body is not None:
        found |= {413, 415, 422}
    if route.method != "GET":
        found.add(409)
    return sorted(found)


def _needs(needs: Needs) -> str:
    if needs is PUBLIC:
        return ""
    if needs is ACCOUNT:
        return "Needs a credential, and no permission."
    permission, where = (needs.permission, "team") if isinstance(needs, OnTeam) else (needs, "project")
    return f"Needs `{permission}` on the {where}, which {LEAST[permission].capitalize()}s and above have."


def _parameters(route: Route, contract: Contract, schemas: Schemas) -> list[Json]:
    found: list[Json] = []
    for name in _PART.findall(route.path):
        text = PARTS.get(name, f"Its {name}.")
        found.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": text})
    for name, (schema, required) in (schemas.properties(contract.query) if contract.query else {}).items():
        kept = {key: value for key, value in schema.items() if key != "description"}
        text = schema.get("description", "")
        found.append({"name": name, "in": "query", "required": required, "schema": kept, "description": text})
    return found


def _success(route: Route, contract: Contract, schemas: Schemas) -> Json:
    made: Json = {"description": HTTPStatus(route.status).phrase, "headers": {"X-Request-Id": _HEADER}}
    if contract.raw:
        return made | {"content": {one: {} for one in route.gives}} if route.gives else made
    if contract.answers:
        found = [schemas.of(one) for one in contract.answers]
        schema = found[0] if len(found) == 1 else {"anyOf": found}
        value = {"schema": schema, "example": example(schema, schemas.components)}
        made["content"] = {"application/x-ndjson" if contract.streams else "application/json": value}
    return made


def _problem(status: int) -> Json:
    return {"$ref": f"#/components/responses/{HTTPStatus(status).name.title().replace('_', '')}"}


def problems() -> dict[str, Json]:
    """The refusals, as components."""
    return {
        HTTPStatus(status).name.title().replace("_", ""): {
            "description": why,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, why in WHY.items()
    }
