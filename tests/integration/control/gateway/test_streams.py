"""Streams as server-sent events: ids, resumption, and an end when the right to read ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from kernel import tasks
from tests.integration.control.driver import Driver, Plane, Work
from tests.integration.control.gateway.conftest import Start

EVENTS = {"Accept": "text/event-stream"}
Event = dict[str, str]


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    """As a browser's EventSource reads them."""
    assert answer.content_type == "text/event-stream"
    found: Event = {}
    async for line in answer.content:
        text = line.decode().rstrip("\r\n")
        if not text and found:
            yield found
            found = {}
        elif text and not text.startswith(":"):
            name, _, value = text.partition(": ")
            found[name] = value


async def begun(driver: Driver, plane: Plane, tmp_path: Path) -> tuple[dict[str, Any], Any, asyncio.Task[Any]]:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushing = tasks.spawn(work.run("push", plane.git_url(project["name"]), "main"), "git push")
    return project, await driver.requested(project["id"]), pushing


async def test_a_deployments_steps_can_be_followed_on_after_a_break(
    plane: Plane, driver: Driver, tmp_path: Path
) -> None:
    project, event, pushing = await begun(driver, plane, tmp_path)
    path = f"/v1/projects/{project['id']}/deployments/{event.deployment_id}/events"
    async with driver.http.get(path, headers=EVENTS) as answer:
        seen = events(answer)
        first = await anext(seen)
        assert (first["id"], json.loads(first["data"])["state"], first["retry"]) == ("QUEUED/", "QUEUED", "2000")
        await driver.report(event, "BUILDING", stage="build")
        second = await anext(seen)
        assert second["id"] == "BUILDING/build"
    await driver.live(event)
    await pushing
    await driver.until(project["id"], event.deployment_id, "LIVE")
    async with driver.http.get(path, headers={**EVENTS, "Last-Event-ID": second["id"]}) as answer:
        rest = [one async for one in events(answer)]
    assert [json.loads(one["data"]).get("state") for one in rest] == ["LIVE", None]
    assert rest[-1]["event"] == "end"
    async with driver.http.get(path, headers={**EVENTS, "Last-Event-ID": rest[0]["id"]}) as answer:
        assert [one["event"] async for one in events(answer)] == ["end"]
    for wrong in ("nonsense", "x" * 200):
        async with driver.http.get(path, headers={**EVENTS, "Last-Event-ID": wrong}) as answer:
            assert answer.status == 400


async def test_log_lines_can_be_read_on_after_a_break(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, event, pushing = await begun(driver, plane, tmp_path)
    await driver.log(event, "one", "two")
    path = f"/v1/projects/{project['id']}/logs?follow=1"
    async with driver.http.get(path, headers=EVENTS) as answer:
        seen = events(answer)
        first, second = await anext(seen), await anext(seen)
    assert [json.loads(one["data"])["text"] for one in (first, second)] == ["one", "two"]
    assert second["id"] == str(json.loads(second["data"])["offset"])
    async with driver.http.get(path, headers={**EVENTS, "Last-Event-ID": first["id"]}) as answer:
        seen = events(answer)
        assert (await anext(seen))["id"] == second["id"]
        await driver.log(event, "three")
        assert json.loads((await anext(seen))["data"])["text"] == "three"
    async with driver.http.get(path, headers={**EVENTS, "Last-Event-ID": "QUEUED/"}) as answer:
        assert answer.status == 400
    await driver.live(event)
    await pushing


async def test_a_stream_ends_when_the_right_to_read_it_ends(start: Start, driver: Driver) -> None:
    gateway = start(ask_again_s=0.2)
    for headers in (EVENTS, {}):
        project = await driver.project()
        async with aiohttp.ClientSession(gateway.url, headers=gateway.headers) as http:
            async with http.get(f"/v1/projects/{project['id']}/logs?follow=1", headers=headers) as answer:
                assert answer.status == 200
                await driver.call("DELETE", f"/v1/projects/{project['id']}", status=204)
                async with asyncio.timeout(10):
                    text = (await answer.read()).decode()
        assert "PROJECT_NOT_FOUND" in text
        assert ("event: end" in text) is bool(headers)


async def test_an_idle_stream_is_answered_at_once(driver: Driver) -> None:
    project = await driver.project()
    async with driver.http.get(f"/v1/projects/{project['id']}/logs?follow=1", headers=EVENTS) as answer:
        assert (answer.status, answer.headers["X-Accel-Buffering"]) == (200, "no")
        assert answer.headers["Cache-Control"] == "no-store"
    async with driver.http.head(f"/v1/projects/{project['id']}/logs?follow=1", headers=EVENTS) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
