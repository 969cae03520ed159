"""Every operation of the API fuzzed from its own reference, by the owner of what the paths name and by a viewer.

Whatever comes: no 5xx, no status, media type or shape that the reference does not have.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from control.gateway.needs import PUBLIC
from control.gateway.openapi.document import document
from control.gateway.openapi.operation import path_of
from control.gateway.routes import ROUTES
from kernel.authority import Role
from tests.integration.control.driver import Plane
from tests.integration.control.security.world import TRIED, Tenant, key, parts, rest

REQUESTS: Counter[str] = Counter()
EXAMPLES = 12
STREAMS = re.compile(r"/(exec|events|logs)$")
BY_LABEL = {f"{route.method} {path_of(route)}": route for route in rest()}
ENDINGS = ("DELETE /v1/projects/{project}", "DELETE /v1/teams/{team}")  # the others still need it
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def operations() -> list[Any]:
    """All but what streams until somebody hangs up, which has tests of its own."""
    loaded = schemathesis.openapi.from_dict(document(ROUTES, "http://127.0.0.1"))
    found: list[Any] = [one.ok() for one in loaded.get_all_operations()]  # type: ignore[union-attr]  # an Err raises
    return [one for one in found if not STREAMS.search(one.path)]


@pytest.mark.parametrize("operation", operations(), ids=lambda one: one.label)
def test_it_answers_as_it_says(operation: Any, plane: Plane, own: Tenant) -> None:
    route = BY_LABEL[operation.label]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(), known=st.integers(0, 2))
    def tried(case: Any, known: int) -> None:
        REQUESTS[operation.label] += 1
        if known and route.needs is not PUBLIC:  # two times in three what is there, else whatever was made up
            case.path_parameters.update({place: own.values[key(route, place)] for place in parts(route)})
        role = Role.VIEWER if operation.label in ENDINGS else (Role.OWNER, Role.OWNER, Role.VIEWER)[known]
        headers = {"Authorization": f"Bearer {own.tokens[role]}"}
        response = case.call(base_url=plane.url, headers=headers, timeout=30)
        case.validate_response(response, checks=CHECKS)

    tried()


def test_how_many_were_tried() -> None:
    TRIED.append(f"fuzzed: {sum(REQUESTS.values())} requests to {len(REQUESTS)} operations")
    assert REQUESTS
