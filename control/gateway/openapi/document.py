"""The whole API as one OpenAPI 3.1 document."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final

from control.gateway import docstrings
from control.gateway.handler import contract_of
from control.gateway.openapi.operation import operation, path_of, shared, tag_of
from control.gateway.openapi.schemas import Schemas
from control.gateway.problems import ProblemShape
from control.gateway.routes import Route

VERSION: Final = "v1"
BASE: Final = "/v1/"
ABOUT: Final = """The platform's API: JSON over HTTPS.

**Credentials.** Send `Authorization: Bearer …` with an access token (from `/v1/auth/login`) or an API token (`shp_…`).

**Refusals** are problems (RFC 9457, `application/problem+json`). `code` is stable and stands in the list of error
codes, `hint` is the next step, `errors` names every field that is wrong, `request_id` is what to tell whoever runs the
platform.

**Lists** come in pages: `limit` says how many, and the field `next_…` of an answer is what to send for the next page;
it is null after the last one.

**Sent twice, done once.** A POST with an `Idempotency-Key` may be sent again within a day: the answer of the first time
comes again, with `Idempotent-Replayed: true`. **Changed meanwhile?** Send the `ETag` that you saw as `If-Match`.

**Streams** are JSON lines, or server-sent events when `Accept` is `text/event-stream`: `event: problem` is a failure,
`event: end` the end; connect again with `Last-Event-ID` to go on.
"""


def document(routes: Iterable[Route], public_url: str) -> dict[str, Any]:
    """The document.

    Args:
        routes: of which those below `/v1/` are described.
        public_url: where people reach the API.
    """
    schemas, routes = Schemas(), tuple(routes)
    readable = {route.path for route in routes if route.method == "GET" and contract_of(route.handler).answers}
    paths: dict[str, dict[str, Any]] = {}
    tags: dict[str, str] = {}
    for route in routes:
        if route.path.startswith(BASE):
            made = operation(route, schemas, readable=route.path in readable)
            paths.setdefault(path_of(route), {})[route.method.lower()] = made
            tags.setdefault(tag_of(route), docstrings.read(sys.modules[route.handler.__module__]).summary)
    schemas.of(ProblemShape)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shipoff API", "version": VERSION, "description": ABOUT},
        "servers": [{"url": public_url.rstrip("/")}],
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            **shared(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
