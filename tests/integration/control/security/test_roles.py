"""Generated from the table of routes: each role, a stranger, a token without the scope, and nobody, on each route."""

from __future__ import annotations

import pytest

from control.gateway.needs import ACCOUNT, PUBLIC, OnTeam
from control.gateway.routes import Route
from kernel.authority import Permission, Role
from kernel.authority.permissions import LEAST
from tests.integration.control.driver import Driver, Plane
from tests.integration.control.security.world import TRIED, Tenant, account, filled, key, parts, rest, tenant

GUARDED = [route for route in rest() if isinstance(route.needs, Permission | OnTeam)]
CASES = [(route, role) for route in GUARDED for role in Role]


def permission(route: Route) -> Permission:
    assert isinstance(route.needs, Permission | OnTeam)
    return route.needs.permission if isinstance(route.needs, OnTeam) else route.needs


def name_of(case: Route) -> str:
    return f"{case.method} {case.path}"


def values(route: Route, own: Tenant) -> dict[str, str]:
    """The tenant's own ids."""
    return {key(route, part): own.values[key(route, part)] for part in parts(route)}


async def answer(driver: Driver, token: str, route: Route, own: Tenant) -> tuple[int, str]:
    """Status and code of a call without a body, so that what is allowed changes nothing if it takes one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {"Authorization": ""}
    query = {"team": own.team} if isinstance(route.needs, OnTeam) and "team" not in parts(route) else {}
    body = {"team": own.team, "name": "-"} if query else {}
    path = filled(route, values(route, own))
    async with driver.http.request(
        route.method, path, headers=headers, json=body if route.method not in ("GET", "DELETE") else None
    ) as got:
        if got.content_type == "application/problem+json":
            return got.status, (await got.json(content_type=None))["code"]
        return got.status, ""


@pytest.mark.parametrize(("route", "role"), CASES, ids=lambda one: name_of(one) if isinstance(one, Route) else one)
async def test_the_matrix_decides(driver: Driver, plane: Plane, own: Tenant, route: Route, role: Role) -> None:
    if route.method == "DELETE" or route.path.endswith("/leave"):  # the others still need what it takes away
        own = await tenant(plane, driver)
    status, code = await answer(driver, own.tokens[role], route, own)
    assert status < 500, code
    if role.rank >= LEAST[permission(route)].rank:
        assert code != "PERMISSION_DENIED"
        assert status != 401
    else:
        assert (status, code) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("route", GUARDED, ids=name_of)
async def test_strangers_find_nothing_and_narrow_tokens_may_not(
    plane: Plane, driver: Driver, own: Tenant, route: Route
) -> None:
    _, stranger = await account(plane)
    status, code = await answer(driver, stranger, route, own)
    assert (status, code) in ((404, "PROJECT_NOT_FOUND"), (404, "TEAM_NOT_FOUND"))
    others: list[str] = [one for one in Permission if one is not permission(route)]
    _, narrow = await account(plane, own.team, Role.OWNER, others)
    status, code = await answer(driver, narrow, route, own)
    assert (status, code) in ((403, "PERMISSION_DENIED"), (404, "PROJECT_NOT_FOUND"), (404, "TEAM_NOT_FOUND"))


@pytest.mark.parametrize("route", [one for one in rest() if one.needs is not PUBLIC], ids=name_of)
async def test_nobody_gets_past_the_door(driver: Driver, own: Tenant, route: Route) -> None:
    for shown in ("", "shp_" + "x" * 43, "e30.e30.e30"):
        status, _ = await answer(driver, shown, route, own)
        assert status == 401


def test_how_many_were_tried() -> None:
    signed_in = sum(one.needs is ACCOUNT for one in rest())
    TRIED.append(
        f"roles on routes: {len(CASES)} cases; {len(GUARDED)} routes need a permission, {signed_in} an account"
    )
    assert len(CASES) >= 4 * 25
