"""Generated from the table of routes: another tenant's id in every place of every path finds and tells nothing."""

from __future__ import annotations

from typing import Any

import pytest

from control.gateway.needs import PUBLIC
from control.gateway.routes import Route
from kernel.authority import Role
from tests.integration.control.driver import Driver
from tests.integration.control.security.world import TRIED, Tenant, body_of, filled, key, parts, rest, signed_in

# A git host shows a signature, not a credential: who knows no secret is refused alike, whatever the link.
CASES = [(route, place) for route in rest() if route.needs is not PUBLIC for place in parts(route)]


def name_of(one: Any) -> str:
    return f"{one.method} {one.path}" if isinstance(one, Route) else str(one)


@pytest.mark.parametrize(("route", "place"), CASES, ids=name_of)
async def test_it_is_not_there(driver: Driver, own: Tenant, theirs: Tenant, route: Route, place: str) -> None:
    path = filled(route, {**own.values, key(route, place): theirs.values[key(route, place)]})
    token = own.tokens[Role.OWNER]
    if route.path.startswith("/v1/me/"):
        token, _ = await signed_in(driver, own.accounts[Role.OWNER])
    headers = {"Authorization": f"Bearer {token}"}
    async with driver.http.request(route.method, path, json=body_of(route), headers=headers) as answer:
        text = await answer.text()
        shown = theirs.values[key(route, place)]
        assert answer.status == 404, (answer.status, text)
        for told in ({*theirs.values.values(), *theirs.accounts.values()} - {shown}) - set(own.values.values()):
            assert told not in text


def test_how_many_were_tried() -> None:
    TRIED.append(f"foreign ids: {len(CASES)} places of {len({name_of(case[0]) for case in CASES})} routes")
    assert len(CASES) >= 30
