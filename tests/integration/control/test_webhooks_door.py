"""Webhooks through the gateway's door, to a deployment, with the real processes."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from control.gateway.webhooks.reception import BODY_BYTES
from kernel import ids
from tests.integration.control.driver import Driver, Plane
from tests.integration.control.test_cli import Cli

COMMIT = "c" * 40


async def linked(driver: Driver, provider: str = "git", **fields: Any) -> tuple[dict[str, Any], dict[str, Any], str]:
    """A project, its link and the webhook's secret."""
    project = await driver.project()
    body = {"provider": provider, "clone_url": f"https://{provider}.example.com/mike/shop.git", **fields}
    made = await driver.call("PUT", f"/v1/projects/{project['id']}/repository", body)
    return project, made["link"], made["webhook_secret"]


def signed(secret: str, body: bytes, delivery: str | None = None, at: float | None = None) -> dict[str, str]:
    """Headers of Standard Webhooks."""
    name, stamp = delivery or ids.new("evt"), int(time.time() if at is None else at)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = base64.b64encode(hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")).decode()
    return {"webhook-id": name, "webhook-timestamp": str(stamp), "webhook-signature": f"v1,{made}"}


def push(branch: str = "main", **fields: Any) -> bytes:
    return orjson.dumps({"type": "push", "data": {"branch": branch, "commit": COMMIT, "message": "Say more", **fields}})


async def send(driver: Driver, url: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """One delivery, as a git host sends it: without any credential of ours."""
    shown = {"Authorization": "", "Content-Type": "application/json", **headers}
    async with driver.http.post(url, data=body, headers=shown) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_push_by_webhook_becomes_a_deployment(driver: Driver, plane: Plane) -> None:
    project, link, secret = await linked(driver, watch_paths=["apps"])
    assert link["webhook_url"] == f"{plane.url}/v1/webhooks/generic/{link['id']}"
    body = push(paths=["apps/x"])
    headers = signed(secret, body)
    status, answer = await send(driver, link["webhook_url"], body, headers)
    assert (status, answer["status"]) == (202, "queued")
    event = await driver.requested(project["id"])
    assert event.environment == "production"
    assert await send(driver, link["webhook_url"], body, headers) == (
        200, {"status": "duplicate", "delivery_id": None, "reason": None},
    )  # fmt: skip
    await driver.until(project["id"], event.deployment_id, "QUEUED")
    (delivery,) = (await driver.call("GET", f"/v1/projects/{project['id']}/repository/deliveries"))["deliveries"]
    assert (delivery["id"], delivery["state"], delivery["bytes"]) == (answer["delivery_id"], "done", len(body))
    assert delivery["outcomes"][0]["deployment_id"] == event.deployment_id
    path = f"/v1/projects/{project['id']}/repository/deliveries/{delivery['id']}/redeliver"
    assert (await driver.call("POST", path, {}, 202))["state"] == "queued"
    assert (await driver.requested(project["id"])).deployment_id != event.deployment_id


async def test_a_link_is_shown_changed_and_removed(driver: Driver) -> None:
    project, link, secret = await linked(driver, "gitlab", access_token="glpat-1")
    path = f"/v1/projects/{project['name']}/repository"
    shown = await driver.call("GET", path)
    assert shown == link
    assert secret not in str(shown)
    assert shown["has_access_token"] and "glpat-1" not in str(shown)
    changed = await driver.call("PATCH", path, {"previews": "none", "root_dir": "apps/web", "watch_paths": ["apps"]})
    assert (changed["previews"], changed["root_dir"], changed["watch_paths"]) == ("none", "apps/web", ["apps"])
    assert (await driver.call("GET", f"/v1/projects/{project['id']}"))["root_dir"] == "apps/web"
    await driver.call("DELETE", path, status=204)
    assert (await driver.call("GET", path, status=404))["code"] == "REPOSITORY_NOT_LINKED"
    assert (await driver.call("PUT", path, {"provider": "github", "repository": "a/b"}, 409))["code"] in (
        "GITHUB_NOT_SET_UP", "INSTALLATION_NOT_FOUND",
    )  # fmt: skip


async def test_what_is_not_signed_is_refused_alike(driver: Driver, plane: Plane) -> None:
    _, link, secret = await linked(driver)
    url, body = link["webhook_url"], push()
    good = signed(secret, body)
    unknown = f"{plane.url}/v1/webhooks/generic/{ids.new('lnk')}"
    cases: list[tuple[str, bytes, dict[str, str]]] = [
        (url, body, {}),
        (url, body, {**good, "webhook-signature": "v1,AAAA"}),
        (url, body + b" ", good),
        (url, body, signed(secret, body, at=time.time() - 400)),
        (unknown, body, good),
        (unknown, b"{", {}),
        (f"{plane.url}/v1/webhooks/gitlab/{link['id']}", body, {"X-Gitlab-Token": secret}),
        (f"{plane.url}/v1/webhooks/github", body, {"X-Hub-Signature-256": "sha256=00", "X-GitHub-Event": "push"}),
    ]
    answers = [await send(driver, *case) for case in cases]
    for answer in answers:
        answer[1].pop("request_id")
    assert all(answer == answers[0] for answer in answers)
    assert (answers[0][0], answers[0][1]["code"]) == (401, "WEBHOOK_UNSIGNED")


async def test_a_body_that_makes_no_sense_is_told_so(driver: Driver) -> None:
    _, link, secret = await linked(driver)
    for body in (b"", b"{", b"[]", b'{"type": "push"}', b'{"type": "push", "data": {"branch": 1}}', b"\xff\xfe"):
        status, answer = await send(driver, link["webhook_url"], body, signed(secret, body))
        assert (status, answer["code"]) == (400, "PAYLOAD_INVALID"), body


async def test_a_body_of_25_mib_is_taken_and_a_larger_one_is_not(driver: Driver) -> None:
    project, link, secret = await linked(driver)
    body = push()[:-2]
    body += b', "filler": "%s"}}' % (b"x" * (BODY_BYTES - len(body) - 16))
    assert len(body) == BODY_BYTES
    status, answer = await send(driver, link["webhook_url"], body, signed(secret, body))
    assert (status, answer["status"]) == (202, "queued")
    await driver.requested(project["id"])
    status, answer = await send(driver, link["webhook_url"], body + b" ", signed(secret, body + b" "))
    assert (status, answer["code"]) == (413, "BODY_TOO_LARGE")

    async def endless() -> Any:  # says no length, and never ends by itself
        while True:
            yield b"x" * (1 << 20)

    try:
        status, answer = await send(driver, link["webhook_url"], endless(), {})
    except aiohttp.ClientError:
        return  # the door was closed before the answer was read
    assert (status, answer["code"]) == (413, "BODY_TOO_LARGE")


async def test_deliveries_that_come_at_once_are_each_taken_once(driver: Driver) -> None:
    project, link, secret = await linked(driver, previews="all")
    bodies = [push(f"b{number}") for number in range(8)]
    heads = [signed(secret, body) for body in bodies]
    sent = [send(driver, link["webhook_url"], body, head) for body, head in zip(bodies, heads, strict=True)]
    again = [send(driver, link["webhook_url"], body, head) for body, head in zip(bodies, heads, strict=True)]
    answers = await asyncio.gather(*sent, *again)
    statuses = sorted(answer["status"] for _, answer in answers)
    assert statuses == ["duplicate"] * 8 + ["queued"] * 8
    seen = {(await driver.requested(project["id"])).environment for _ in range(8)}
    assert seen == {f"preview/b{number}" for number in range(8)}


@pytest.mark.parametrize("path", ["/github/setup", "/github/setup?installation_id=1&code=x&state=y"])
async def test_who_comes_back_from_github_is_told_what_to_do(driver: Driver, path: str) -> None:
    async with driver.http.get(path, headers={"Authorization": ""}) as page:
        assert (page.status, page.content_type) == (200, "text/html")
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "shipoff repo claim" in await page.text()


async def test_a_claim_needs_an_account_and_an_app(driver: Driver) -> None:
    async with driver.http.get(
        "/v1/github/setup?installation_id=1&code=x&state=y", headers={"Authorization": ""}
    ) as got:
        assert got.status == 401
    answer = await driver.call("GET", "/v1/github/setup?installation_id=x&code=&state=y", status=400)
    assert {one["field"] for one in answer["errors"]} == {"installation_id", "code"}
    answer = await driver.call("GET", "/v1/github/setup?installation_id=1&code=x&state=y", status=409)
    assert answer["code"] == "GITHUB_NOT_SET_UP"


async def test_the_command_line_links_shows_and_tells(driver: Driver, plane: Plane, tmp_path: Path) -> None:
    cli = Cli(plane, tmp_path / "home")
    await cli.ok("login", "--url", plane.url, "--token-stdin", stdin=plane.token + "\n")
    project = await driver.project()
    here = ("--project", project["name"])
    made = json.loads(
        await cli.ok(
            "repo", "link", "https://gitlab.com/mike/shop.git", *here, "--watch", "apps", "--token-stdin", "--json",
            stdin="glpat-7\n",
        )
    )  # fmt: skip
    assert (made["link"]["provider"], made["link"]["has_access_token"]) == ("gitlab", True)
    shown = await cli.ok("repo", "show", *here)
    assert "mike/shop (gitlab)" in shown
    assert made["webhook_secret"] not in shown + await cli.ok("repo", "show", *here, "--json")
    await cli.ok("repo", "update", *here, "--watch", "", "--previews", "none", "--branch", "trunk")
    changed = json.loads(await cli.ok("repo", "show", *here, "--json"))
    assert (changed["watch_paths"], changed["previews"], changed["production_branch"]) == ([], "none", "trunk")
    assert "nothing came yet" in await cli.ok("repo", "deliveries", *here)
    body = orjson.dumps(
        {
            "object_kind": "push", "ref": "refs/heads/trunk", "before": "a" * 40, "after": COMMIT,
            "project": {"id": 1, "path_with_namespace": "mike/shop"},
        }
    )  # fmt: skip
    headers = {"X-Gitlab-Token": made["webhook_secret"], "X-Gitlab-Event": "Push Hook"}
    assert (await send(driver, made["link"]["webhook_url"], body, headers))[0] == 202
    event = await driver.requested(project["id"])
    await driver.until(project["id"], event.deployment_id, "QUEUED")
    assert f"deployed production {event.deployment_id}" in await cli.ok("repo", "deliveries", *here)
    await cli.ok("repo", "unlink", *here)
    for arguments, status, code in (
        (("repo", "show", *here), 4, "REPOSITORY_NOT_LINKED"),
        (("repo", "link", "octo-org/shop", *here), 4, "NOT_INSTALLED"),
        (("repo", "link", "ssh://git@example.com/a.git", *here), 2, "URL_INVALID"),
        (("repo", "update", *here), 2, "NOTHING_TO_CHANGE"),
        (("repo", "claim", "https://example.org/github/setup?code=1"), 2, "ADDRESS_INVALID"),
        (
            ("repo", "claim", "https://example.org/github/setup?code=1&state=x&installation_id=5"),
            2,
            "GITHUB_NOT_SET_UP",
        ),
        (("repo", "install"), 2, "GITHUB_NOT_SET_UP"),
    ):
        ran = await cli.run(*arguments)
        assert (ran.status, code in ran.out) == (status, True), ran.out
