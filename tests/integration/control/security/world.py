"""Two tenants on a running control plane: who they are, what they have, and their ids for every place in a path."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import asyncpg
from argon2 import PasswordHasher

from control.auth.tokens import secret
from control.gateway.openapi.document import document
from control.gateway.openapi.examples import example
from control.gateway.openapi.operation import path_of
from control.gateway.routes import ROUTES, Route
from kernel import ids
from kernel.authority import Role
from proto.projects.v1 import projects_pb2
from tests.integration.control.driver import Driver, Plane
from tests.integration.control.test_webhooks_door import push, send, signed

REFERENCE: dict[str, Any] = document(ROUTES, "http://127.0.0.1")
# What the generated tests have tried, told at the end of a run (conftest.py).
TRIED: list[str] = []
HOOK_URL = "https://hooks.example.org/told"
PASSWORD = "correct horse battery staple"
HASH = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(PASSWORD)
PART = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")


def rest() -> list[Route]:
    """The routes of the REST API."""
    return [route for route in ROUTES if route.path.startswith("/v1/")]


def parts(route: Route) -> list[str]:
    """The names of what a route's path leaves open."""
    return PART.findall(route.path)


def body_of(route: Route) -> Any:
    """A body as the reference shows it; None for a route that takes none."""
    found = REFERENCE["paths"][path_of(route)][route.method.lower()].get("requestBody")
    if found is None:
        return {} if route.method in ("POST", "PUT", "PATCH") else None
    return example(found["content"]["application/json"]["schema"], REFERENCE["components"]["schemas"])


def filled(route: Route, values: dict[str, str]) -> str:
    """The path with values in it."""
    return PART.sub(lambda match: quote(values[key(route, match[1])], safe=""), route.path)


def key(route: Route, place: str) -> str:
    """Under which name a tenant's values have what belongs in a place: some of several paths are called alike."""
    if place in ("hook", "delivery", "invitation") and route.path.startswith("/v1/teams/"):
        return f"team.{place}"
    if place == "token" and route.path.startswith("/v1/me/"):
        return f"me.{place}"
    return f"repository.{place}" if "/repository/" in route.path and place != "project" else place


@dataclass
class Tenant:
    """A team with members of each role, a project, and more that has ids.

    Attributes:
        tokens: an API token by role.
        accounts: account id by role.
        values: what stands in a path, by the name of the place.
    """

    team: str
    tokens: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


async def account(plane: Plane, team: str = "", role: str = "", scopes: list[str] | None = None) -> tuple[str, str]:
    """Writes an account with a token into auth's database, as a member of a team if one is named.

    Returns:
        Account id and token.
    """
    account_id, token = ids.new("acc"), secret.make()
    connection = await asyncpg.connect(plane.environment["SHIPOFF_AUTH_DATABASE_URL"])
    try:
        async with connection.transaction():
            await connection.execute(
                "insert into accounts (id, email, name, password_hash, verified_at)"
                " values ($1, $2, 'somebody', $3, now())",
                account_id, email_of(account_id), HASH,
            )  # fmt: skip
            await connection.execute(
                "insert into teams (id, name, slug, personal_of) values ($1, 'own', $1, $2)",
                f"tem_{account_id[4:]}", account_id,
            )  # fmt: skip
            if team:
                await connection.execute(
                    "insert into teams (id, name, slug) values ($1, 'team', $1) on conflict do nothing", team
                )
                await connection.execute(
                    "insert into team_members (team_id, account_id, role) values ($1, $2, $3)", team, account_id, role
                )
            await connection.execute(
                "insert into api_tokens (id, account_id, name, secret_hash, prefix, scopes)"
                " values ($1, $2, 'test', $3, $4, $5)",
                ids.new("tok"), account_id, secret.digest(token), secret.displayed(token), scopes,
            )  # fmt: skip
    finally:
        await connection.close()
    return account_id, token


def email_of(account_id: str) -> str:
    """Of an account that `account` made."""
    return f"{account_id}@example.org"


async def signed_in(driver: Driver, account_id: str) -> tuple[str, str]:
    """Opens a session: its access token and its id. A token of the API is not enough for one's own account."""
    body = {"email": email_of(account_id), "password": PASSWORD}
    tokens = await as_who(driver, "", "POST", "/v1/auth/login", body)
    return tokens["access_token"], tokens["session_id"]


async def identity(plane: Plane, account_id: str) -> str:
    """Links somebody at a provider to an account, and returns the id of that."""
    identity_id = ids.new("idn")
    connection = await asyncpg.connect(plane.environment["SHIPOFF_AUTH_DATABASE_URL"])
    try:
        await connection.execute(
            "insert into identities (id, account_id, issuer, subject, provider, email)"
            " values ($1, $2, 'x', $1, 'x', '')",
            identity_id, account_id,
        )  # fmt: skip
    finally:
        await connection.close()
    return identity_id


async def tenant(plane: Plane, driver: Driver) -> Tenant:
    """A fresh one."""
    found = Tenant(ids.new("tem"))
    for role in Role:
        found.accounts[role], found.tokens[role] = await account(plane, found.team, role)
    made = await as_who(driver, found.tokens[Role.OWNER], "POST", "/v1/projects", {"name": name(), "team": found.team})
    guest, _ = await account(plane, found.team, Role.VIEWER)
    found.values = {"project": made["id"], "team": found.team, "account": guest}
    found.values |= await things(driver, found, made["id"])
    found.values["identity"] = await identity(plane, found.accounts[Role.OWNER])
    _, found.values["session"] = await signed_in(driver, found.accounts[Role.OWNER])
    return found


async def things(driver: Driver, own: Tenant, project_id: str) -> dict[str, str]:
    """One of each thing that a path can name beside project and team, by the name of its place."""
    deployment = await driver.projects.CreateDeployment(
        projects_pb2.CreateDeploymentRequest(
            deployment_id=ids.new("dep"),
            project_id=project_id,
            environment=f"preview/{name()}",
            commit="a" * 40,
            ref="refs/deployments/x",
        )
    )
    owner, at, team = own.tokens[Role.OWNER], f"/v1/projects/{project_id}", f"/v1/teams/{own.team}"
    domain = await as_who(driver, owner, "POST", f"{at}/domains", {"name": f"{name()}.test"})
    found = {"domain": domain["id"], "id": deployment.id, "name": deployment.environment.removeprefix("preview/")}
    for prefix, base in (("", at), ("team.", team)):
        hook = await as_who(driver, owner, "POST", f"{base}/hooks", {"kind": "webhook", "target": HOOK_URL})
        told = await as_who(driver, owner, "POST", f"{base}/hooks/{hook['id']}/ping", {})
        found |= {f"{prefix}hook": hook["id"], f"{prefix}delivery": told["id"]}
    await as_who(driver, owner, "POST", f"{at}/members", {"account": own.values["account"], "role": "VIEWER"})
    for prefix, base in (("", at), ("team.", team)):
        invited = {"email": f"{name()}@example.org", "role": "VIEWER"}
        sent = await as_who(driver, owner, "POST", f"{base}/invitations", invited)
        found[f"{prefix}invitation"] = sent["invitation"]["id"]
    for prefix, base, role in (("", at, {"role": "VIEWER"}), ("me.", "/v1/me", {})):
        minted = await as_who(driver, owner, "POST", f"{base}/tokens", {"name": name(), **role})
        found[f"{prefix}token"] = minted["token"]["id"]
    return found | {"repository.delivery": await webhook_delivery(driver, owner, at)}


async def webhook_delivery(driver: Driver, owner: str, at: str) -> str:
    """The id of what a git host told a project."""
    link = {"provider": "git", "clone_url": "https://git.example.com/mike/shop.git"}
    made = await as_who(driver, owner, "PUT", f"{at}/repository", link)
    body = push()
    _, answer = await send(driver, made["link"]["webhook_url"], body, signed(made["webhook_secret"], body))
    return str(answer["delivery_id"])


def name() -> str:
    """Of a project."""
    return f"s{secrets.token_hex(6)}"


async def as_who(driver: Driver, token: str, method: str, path: str, body: object = None) -> Any:
    """A call that must succeed."""
    async with driver.http.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"}) as answer:
        text = await answer.text()
        assert answer.status < 300, (method, path, answer.status, text)
        return await answer.json(content_type=None) if text else None
