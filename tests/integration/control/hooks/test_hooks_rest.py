"""Hooks over REST and by the command line, through real processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from control.projects.hooks.signature import sign
from tests.integration.control.driver import Driver, Plane
from tests.integration.control.hooks.receiver import Receiver
from tests.integration.control.test_cli import Cli


async def delivered(driver: Driver, where: str) -> dict[str, Any]:
    """The newest delivery of a hook, once it is done."""
    async with asyncio.timeout(20):
        while True:
            newest = (await driver.call("GET", f"{where}/deliveries"))["deliveries"][0]
            if newest["state"] != "pending":
                return dict(newest)
            await asyncio.sleep(0.05)


async def test_a_project_s_hook_from_its_making_to_its_end(driver: Driver) -> None:
    project = await driver.project()
    hooks = f"/v1/projects/{project['name']}/hooks"
    async with Receiver() as receiver:
        body = {"kind": "webhook", "target": receiver.url, "name": "CI", "events": ["deployment.live"]}
        made = await driver.call("POST", hooks, body, 201)
        where = f"{hooks}/{made['id']}"
        assert made["secret"].startswith("whsec_")
        assert (await driver.call("GET", where))["secret"] is None
        assert [one["id"] for one in (await driver.call("GET", hooks))["hooks"]] == [made["id"]]
        ping = await driver.call("POST", f"{where}/ping", status=202)
        assert (ping["state"], ping["type"]) == ("pending", "ping")
        await delivered(driver, where)
        detail = await driver.call("GET", f"{where}/deliveries/{ping['id']}")
        assert [(one["number"], one["status"], one["error"]) for one in detail["log"]] == [(1, 200, None)]
        new = (await driver.call("POST", f"{where}/rotate"))["secret"]
        again = await driver.call("POST", f"{where}/deliveries/{ping['id']}/redeliver", status=202)
        assert again["message_id"] == ping["message_id"]
        first, second = await receiver.received(2)
        said = second.headers
        signed = [sign(secret, said["webhook-id"], int(said["webhook-timestamp"]), second.body)
                  for secret in (new, made["secret"])]  # fmt: skip
        assert said["webhook-signature"].split(" ") == signed
        assert first.json["data"] == second.json["data"]
        page = await driver.call("GET", f"{where}/deliveries?limit=1")
        rest = await driver.call("GET", f"{where}/deliveries?limit=5&cursor={page['next_cursor']}")
        assert [one["id"] for one in page["deliveries"] + rest["deliveries"]] == [again["id"], ping["id"]]
        off = await driver.call("PATCH", where, {"active": False, "events": []})
        assert (off["active"], off["events"], off["name"]) == (False, [], "CI")
        assert (await driver.call("POST", f"{where}/ping", status=409))["code"] == "HOOK_INACTIVE"
        await driver.call("DELETE", where, status=204)
        assert (await driver.call("GET", where, status=404))["code"] == "HOOK_NOT_FOUND"


async def test_a_team_s_hook_hears_of_its_projects(driver: Driver) -> None:
    me = await driver.call("GET", "/v1/me")
    hooks = f"/v1/teams/tem_{me['id'][4:]}/hooks"
    async with Receiver() as receiver:
        made = await driver.call("POST", hooks, {"kind": "slack", "target": receiver.url}, 201)
        assert (made["project_id"], made["secret"]) == (None, None)
        assert made["id"] in [one["id"] for one in (await driver.call("GET", hooks))["hooks"]]
        await driver.call("POST", f"{hooks}/{made['id']}/ping", status=202)
        (said,) = await receiver.received(1)
        assert "a test of this hook" in said.json["text"]
    await driver.call("DELETE", f"{hooks}/{made['id']}", status=204)
    stranger = f"/v1/teams/tem_{'0' * 32}/hooks"
    assert (await driver.call("GET", stranger, status=404))["code"] == "TEAM_NOT_FOUND"


async def test_bad_hooks_are_refused_clearly(driver: Driver) -> None:
    project = await driver.project()
    hooks = f"/v1/projects/{project['id']}/hooks"
    cases = [
        ({"kind": "pager", "target": "https://a.example"}, "BODY_INVALID"),
        ({"kind": "webhook", "target": "https://a.example/\r\nX: y"}, "URL_INVALID"),
        ({"kind": "webhook", "target": "https://u:p@a.example/"}, "URL_INVALID"),
        ({"kind": "webhook", "target": "https://a.example", "events": ["x"]}, "HOOK_INVALID"),
        ({"kind": "webhook", "target": "https://a.example", "secret": "mine"}, "BODY_INVALID"),
        ({"kind": "email", "target": "not an address"}, "HOOK_INVALID"),
    ]
    for body, code in cases:
        assert (await driver.call("POST", hooks, body, 422))["code"] == code
    assert (await driver.call("GET", hooks))["hooks"] == []


async def test_hooks_by_the_command_line(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    cli = Cli(plane, tmp_path / "home")
    await cli.ok("login", "--url", plane.url, "--token-stdin", stdin=plane.token + "\n")
    name = (await driver.project())["name"]
    async with Receiver() as receiver:
        out = await cli.ok("hooks", "create", receiver.url, "--name", "CI", "-e", "deployment.failed", "-p", name)
        assert "whsec_" in out
        (hook,) = json.loads(await cli.ok("hooks", "list", "-p", name, "--json"))["hooks"]
        assert (hook["kind"], hook["events"]) == ("webhook", ["deployment.failed"])
        await cli.ok("hooks", "ping", hook["id"], "-p", name)
        one = await delivered(driver, f"/v1/projects/{name}/hooks/{hook['id']}")
        assert "ping" in await cli.ok("hooks", "deliveries", hook["id"], "-p", name)
        assert "200" in await cli.ok("hooks", "deliveries", hook["id"], one["id"], "-p", name)
        await cli.ok("hooks", "redeliver", hook["id"], one["id"], "-p", name)
        await receiver.received(2)
    assert "whsec_" in await cli.ok("hooks", "rotate", hook["id"], "-p", name)
    assert "off" in await cli.ok("hooks", "update", hook["id"], "--off", "-p", name)
    assert (await cli.run("hooks", "update", hook["id"], "-p", name)).status == 2
    await cli.ok("hooks", "delete", hook["id"], "-p", name)
    assert "no hooks" in await cli.ok("hooks", "list", "-p", name)


async def test_a_mail_hook_reaches_members_and_no_strangers(driver: Driver) -> None:
    me, name = await driver.call("GET", "/v1/me"), (await driver.project())["name"]
    hooks = f"/v1/projects/{name}/hooks"
    mine = await driver.call("POST", hooks, {"kind": "email", "target": me["email"]}, 201)
    await driver.call("POST", f"{hooks}/{mine['id']}/ping", status=202)
    assert (await delivered(driver, f"{hooks}/{mine['id']}"))["state"] == "delivered"
    theirs = await driver.call("POST", hooks, {"kind": "email", "target": "stranger@example.net"}, 201)
    ping = await driver.call("POST", f"{hooks}/{theirs['id']}/ping", status=202)
    async with asyncio.timeout(20):
        while not (log := (await driver.call("GET", f"{hooks}/{theirs['id']}/deliveries/{ping['id']}"))["log"]):
            await asyncio.sleep(0.05)
    assert "MAIL_RECIPIENT_UNKNOWN" in log[0]["error"]


async def test_limits_by_the_command_line(plane: Plane, tmp_path: Path) -> None:
    cli = Cli(plane, tmp_path / "home")
    await cli.ok("login", "--url", plane.url, "--token-stdin", stdin=plane.token + "\n")
    found = json.loads(await cli.ok("limits", "--json"))
    assert {one["name"] for one in found["limits"]} >= {"projects", "build_minutes", "bandwidth_mb", "memory_mb"}
    shown = await cli.ok("limits")
    assert "no limit" in shown
    assert "begins anew" in shown
    stranger = await cli.run("limits", "--team", f"tem_{'0' * 32}")
    assert (stranger.status, "TEAM_NOT_FOUND" in stranger.out) == (4, True)
