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
from control.gateway.stream import EVENTS, NDJSON
from kernel.authority.permissions import LEAST

Json = dict[str, Any]
JSON: Final = "application/json"
PARTS: Final = {
    "project": "The project's id (prj_…) or name.",
    "team": "The team's id (tem_…).",
    "id": "The id of what is meant; it belongs to what stands before it in the path.",
    "name": "Its name.",
    "account": "The account's id (acc_…).",
    "invitation": "The invitation's id (inv_…).",
    "token": "The token's id (tok_…).",
    "domain": "The domain's id (dom_…) or name.",
    "session": "The session's id (ses_…).",
    "identity": "The identity's id (idn_…).",
    "hook": "The hook's id (hok_…).",
    "delivery": "The delivery's id (dlv_…).",
    "provider": "The provider's id.",
    "link": "What stands in the webhook's address.",
}
_PART: Final = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
ANSWERED: Final = {
    "X-Request-Id": "Names the request in logs and refusals.",
    "RateLimit-Limit": "Requests a minute that you may send.",
    "RateLimit-Remaining": "Of those, how many are left.",
    "RateLimit-Reset": "Seconds until there is room for one more.",
}
ASKED: Final = {
    "Idempotency-Key": "A name of your choice for this request: sent again with it within a day, it is done once.",
    "If-None-Match": "The `ETag` that you have: the answer is 304 when it is still true.",
    "If-Match": "The `ETag` that you saw: the answer is 412, and nothing is done, when it is not true any more.",
    "Last-Event-ID": "The id of the last event that you have: reading goes on behind it.",
}
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
    422: "What you sent has the right form and makes no sense; `errors` names every field that is wrong.",
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


def operation(route: Route, schemas: Schemas, *, readable: bool) -> Json:
    """The operation.

    Args:
        route: of the table.
        schemas: to which it adds what it takes and gives.
        readable: whether a GET of the same path has an ETag.
    """
    contract, said = contract_of(route.handler), docstrings.read(route.handler)
    summary = said.summary.partition(": ")[2]
    asked = headers(route, contract, readable=readable)
    made: Json = {
        "operationId": name_of(route),
        "tags": [tag_of(route)],
        "summary": sentence(summary),
        "description": "\n\n".join(part for part in (said.description, _needs(route.needs)) if part),
        "parameters": _parameters(route, contract, schemas, asked),
        "responses": {str(route.status): _success(route, contract, schemas)}
        | ({"304": {"description": "What you have is still true."}} if "If-None-Match" in asked else {})
        | {str(status): _problem(status) for status in refusals(route, contract, asked)},
        "security": [] if route.needs is PUBLIC else [{"bearer": []}],
    }
    if contract.body is not None:
        schema = schemas.body(contract.body)
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example(schema, schemas.components)}},
        }
    return made


def headers(route: Route, contract: Contract, *, readable: bool) -> list[str]:
    """The headers that it takes."""
    found = []
    if route.method == "POST" and not contract.raw and route.needs is not PUBLIC:
        found.append("Idempotency-Key")
    if route.method == "GET" and contract.answers:
        found.append("Last-Event-ID" if contract.streams else "If-None-Match")
    if route.method in ("PUT", "PATCH", "DELETE") and readable:
        found.append("If-Match")
    return found


def refusals(route: Route, contract: Contract, asked: list[str]) -> list[int]:
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
    if contract.query is not None or "Idempotency-Key" in asked:
        found.add(422)
    if route.method in ("PUT", "PATCH", "DELETE"):
        found.add(412)
    return sorted(found)


def _needs(needs: Needs) -> str:
    if needs is PUBLIC:
        return ""
    if needs is ACCOUNT:
        return "Needs a credential, and no permission."
    permission, where = (needs.permission, "team") if isinstance(needs, OnTeam) else (needs, "project")
    return f"Needs `{permission}` on the {where}, which {LEAST[permission].capitalize()}s and above have."


def _parameters(route: Route, contract: Contract, schemas: Schemas, asked: list[str]) -> list[Json]:
    found: list[Json] = []
    for name in _PART.findall(route.path):
        text = PARTS.get(name, f"Its {name}.")
        found.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": text})
    for name, (schema, required) in (schemas.properties(contract.query) if contract.query else {}).items():
        kept = {key: value for key, value in schema.items() if key != "description"}
        text = schema.get("description", "")
        found.append({"name": name, "in": "query", "required": required, "schema": kept, "description": text})
    return found + [{"$ref": f"#/components/parameters/{name}"} for name in asked]


def _success(route: Route, contract: Contract, schemas: Schemas) -> Json:
    named = [*ANSWERED, *(["ETag"] if route.method == "GET" and contract.answers and not contract.streams else [])]
    made: Json = {
        "description": HTTPStatus(route.status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in named},
    }
    if contract.raw:
        return made | {"content": {one: {} for one in route.gives}} if route.gives else made
    if contract.answers:
        found = [schemas.of(one) for one in contract.answers]
        schema = found[0] if len(found) == 1 else {"anyOf": found}
        value = {"schema": schema, "example": example(schema, schemas.components)}
        made["content"] = {NDJSON: value, EVENTS: {"schema": {"type": "string"}}} if contract.streams else {JSON: value}
    return made


def _problem(status: int) -> Json:
    return {"$ref": f"#/components/responses/{HTTPStatus(status).name.title().replace('_', '')}"}


def shared() -> dict[str, dict[str, Json]]:
    """What operations refer to: headers, parameters that are headers, and refusals."""
    text = {"schema": {"type": "string"}}
    shown = {**ANSWERED, "ETag": "Names this version of the answer."}
    return {
        "headers": {name: {"description": said, **text} for name, said in shown.items()},
        "parameters": {
            name: {"name": name, "in": "header", "required": False, "description": said, **text}
            for name, said in ASKED.items()
        },
        "responses": _problems(),
    }


def _problems() -> dict[str, Json]:
    return {
        HTTPStatus(status).name.title().replace("_", ""): {
            "description": why,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, why in WHY.items()
    }
