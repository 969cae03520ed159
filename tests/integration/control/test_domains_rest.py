"""Custom domains through the public API and the command line, by the running services."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.integration.control import dns
from tests.integration.control.driver import Driver, Plane
from tests.integration.control.test_cli import Cli


@pytest.fixture
async def cli(plane: Plane, tmp_path: Path) -> Cli:
    made = Cli(plane, tmp_path / "home")
    await made.ok("login", "--url", plane.url, "--token-stdin", stdin=plane.token + "\n")
    return made


@pytest.fixture
def zone() -> str:
    """A domain of this test's own."""
    return f"z{secrets.token_hex(5)}.test"


async def call(driver: Driver, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with driver.http.request(method, path, json=body) as answer:
        return answer.status, await answer.json(content_type=None) if answer.status != 204 else None


async def test_a_domain_lives_through_the_api(driver: Driver, plane_names: dns.Names, zone: str) -> None:
    project = await driver.project()
    where = f"/v1/projects/{project['name']}/domains"
    status, made = await call(driver, "POST", where, {"name": f"WWW.{zone}."})
    assert (status, made["name"], made["state"], made["checked_at"]) == (201, f"www.{zone}", "pending", None)
    status, found = await call(driver, "POST", f"{where}/{made['id']}/check")
    assert (status, found["state"], found["problem"]) == (200, "pending", "DNS_RECORD_MISSING")
    assert "NXDOMAIN" in found["message"]
    assert [look["answer"] for look in found["looks"]] == ["no_name", "no_name"]
    plane_names.txt(made["records"][0]["name"], made["records"][0]["value"])
    status, found = await call(driver, "POST", f"{where}/www.{zone}/check")
    assert (status, found["state"], found["proof"], found["problem"]) == (200, "verified", "txt", None)
    status, found = await call(driver, "PATCH", f"{where}/{made['id']}", {"environment": "preview/x"})
    assert (status, found["environment"]) == (200, "preview/x")
    status, listed = await call(driver, "GET", where)
    assert (status, [one["id"] for one in listed["domains"]]) == (200, [made["id"]])
    for body, code in (
        ({"name": "10.0.0.1"}, "DOMAIN_INVALID"),
        ({"name": "x.localhost"}, "DOMAIN_RESERVED"),
        ({"name": f"a.{zone}", "redirect_to": f"b.{zone}"}, "DOMAIN_REDIRECT_INVALID"),
        ({"name": f"a.{zone}", "environment": "staging"}, "DOMAIN_ENVIRONMENT_INVALID"),
    ):
        status, problem = await call(driver, "POST", where, body)
        assert (status, problem["code"], bool(problem["hint"])) == (422, code, True)
    assert (await call(driver, "POST", where, {"name": f"www.{zone}"}))[0] == 409
    other = await driver.project()
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/check")):
        status, problem = await call(driver, method, f"/v1/projects/{other['id']}/domains/{made['id']}{path}")
        assert (status, problem["code"]) == (404, "DOMAIN_NOT_FOUND")
    assert (await call(driver, "DELETE", f"{where}/www.{zone}"))[0] == 204
    assert (await call(driver, "GET", f"{where}/{made['id']}"))[0] == 404


async def test_the_loop_finds_by_itself_what_is_there(driver: Driver, plane_names: dns.Names, zone: str) -> None:
    project = await driver.project()
    plane_names.cname(zone, f"{project['name']}.localhost")
    where = f"/v1/projects/{project['id']}/domains"
    await call(driver, "POST", where, {"name": zone})
    async with asyncio.timeout(30):
        while (await call(driver, "GET", f"{where}/{zone}"))[1]["state"] != "verified":
            await asyncio.sleep(0.2)


async def test_the_command_line_says_what_to_do_next(
    driver: Driver, cli: Cli, plane_names: dns.Names, zone: str
) -> None:
    project = (await driver.project())["name"]
    said = await cli.ok("domains", "add", f"bücher.{zone}", "--project", project)
    record = plane_records(said)
    assert "bücher" in said
    assert "shipoff domains check" in said
    missing = await cli.run("domains", "check", f"bücher.{zone}", "--project", project)
    assert (missing.status, "DNS_RECORD_MISSING" in missing.out, "hint:" in missing.out) == (1, True, True)
    plane_names.txt(*record)
    assert "verified by its TXT record" in await cli.ok("domains", "check", f"bücher.{zone}", "--project", project)
    listed = json.loads(await cli.ok("domains", "list", "--project", project, "--json"))["domains"]
    assert [(one["unicode_name"], one["state"]) for one in listed] == [(f"bücher.{zone}", "verified")]
    assert "verified" in await cli.ok("domains", "list", "--project", project)
    changed = await cli.ok("domains", "update", f"bücher.{zone}", "--project", project, "--environment", "preview/x")
    assert "preview/x" in changed
    nothing = await cli.run("domains", "update", f"bücher.{zone}", "--project", project)
    assert (nothing.status, "NOTHING_TO_CHANGE" in nothing.out) == (2, True)
    assert "removed" in await cli.ok("domains", "remove", f"bücher.{zone}", "--project", project)
    gone = await cli.run("domains", "check", f"bücher.{zone}", "--project", project, "--json")
    assert (gone.status, "DOMAIN_NOT_FOUND" in gone.out) == (4, True)


def plane_records(said: str) -> tuple[str, str]:
    """Name and value of the TXT record in a table."""
    line = next(line for line in said.splitlines() if line.strip().startswith("TXT"))
    _, name, value, *_ = line.split()
    return name, value
