"""The REST API: shapes, and the refusals that its users will meet."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from yarl import URL

from kernel import tasks
from proto.auth.v1 import auth_pb2
from proto.projects.v1 import projects_pb2
from tests.integration.control.driver import Driver, Plane, Work


async def test_me_and_the_landing_page(plane: Plane, driver: Driver) -> None:
    me = await driver.call("GET", "/v1/me")
    assert me["email"] == "ada@example.org"
    async with driver.http.get("/") as page:
        assert page.content_type == "text/html"
        assert f"{plane.url}/v1" in await page.text()


async def test_the_reference_is_served_for_programs_and_for_people(driver: Driver, plane: Plane) -> None:
    async with driver.http.get("/v1/openapi.json", headers={"Authorization": ""}) as answer:
        api = await answer.json()
        assert (api["openapi"], api["servers"]) == ("3.1.0", [{"url": plane.url}])
        tag = answer.headers["ETag"]
    async with driver.http.get("/v1/openapi.json", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    async with driver.http.get("/docs", headers={"Authorization": ""}) as page:
        assert (page.content_type, page.headers["Content-Security-Policy"][:18]) == ("text/html", "default-src 'none'")
        assert "/v1/projects/{project}" in await page.text()


async def test_a_project_shows_what_was_asked_for(driver: Driver, plane: Plane) -> None:
    made = await driver.project(framework="flask", root_dir="apps/web", health_path="/up", env={"A": "1"})
    shown = await driver.call("GET", f"/v1/projects/{made['id']}")
    assert shown == made == await driver.call("GET", f"/v1/projects/{made['name']}")
    assert (shown["framework"], shown["root_dir"], shown["production_branch"]) == ("flask", "apps/web", "main")
    assert (shown["url"], shown["git_url"]) == (None, f"{plane.url}/git/{made['name']}.git")
    listed = await driver.call("GET", f"/v1/projects?limit=1&cursor={made['name'][:-1]}")
    assert [one["name"] for one in listed["projects"]] == [made["name"]]
    env = await driver.call("GET", f"/v1/projects/{made['name']}/env")
    assert [(one["name"], one["value"]) for one in env["env"]] == [("A", "1")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "-x"}, "PROJECT_NAME_INVALID"),
        ({"name": "x" * 41}, "PROJECT_NAME_INVALID"),
        ({"name": "api"}, "PROJECT_NAME_RESERVED"),
        ({"name": "ok-1", "root_dir": "../up"}, "BUILD_SETTINGS_INVALID"),
        ({"name": "ok-1", "output_dir": "/etc"}, "BUILD_SETTINGS_INVALID"),
        ({"name": "ok-1", "production_branch": "a..b"}, "BUILD_SETTINGS_INVALID"),
        ({"name": "ok-1", "env": {"PORT": "1"}}, "ENV_NAME_RESERVED"),
        ({"name": "ok-1", "env": {"1A": "1"}}, "ENV_NAME_INVALID"),
        ({"name": "ok-1", "env": {"A": "x" * 40_000}}, "ENV_VALUE_INVALID"),
        ({"name": 1, "surprise": True}, "BODY_INVALID"),
        ([], "BODY_INVALID"),
    ],
)
async def test_a_bad_project_is_refused_whole(driver: Driver, body: object, code: str) -> None:
    problem = await driver.call("POST", "/v1/projects", body, 422)
    assert problem["code"] == code
    assert problem["hint"]
    missing = await driver.call("GET", "/v1/projects/ok-1", status=404)
    assert missing["code"] == "PROJECT_NOT_FOUND"


async def test_all_faults_of_a_body_are_named_at_once(driver: Driver) -> None:
    problem = await driver.call("POST", "/v1/projects", {"root_dir": 1, "surprise": 2, "env": {"A": 3}}, 422)
    assert {one["field"] for one in problem["errors"]} == {"name", "root_dir", "surprise", "env.A"}


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=1&limit=2", {"limit"}),
        ("limit=x&surprise=1", {"limit", "surprise"}),
        ("limit=" + "9" * 5000, {"limit"}),
        ("before=%00", {"before"}),
        ("limit=1e3", {"limit"}),
    ],
)
async def test_a_bad_query_is_refused_with_all_faults(driver: Driver, query: str, fields: set[str]) -> None:
    path = f"/v1/projects/{(await driver.project())['id']}/deployments"
    problem = await driver.call("GET", f"{path}?{query}", status=400)
    assert (problem["code"], {one["field"] for one in problem["errors"]}) == ("REQUEST_INVALID", fields)
    assert (await driver.call("GET", "/v1/me?x=1", status=400))["code"] == "REQUEST_INVALID"


@pytest.mark.parametrize("name", ["%00", "%ff", "%ED%A0%80", "a%2Fb", "%F0%9F%98%80", "x" * 4000, "..%2f..", "%25"])
async def test_a_path_that_names_nothing_is_not_found(driver: Driver, plane: Plane, name: str) -> None:
    project = (await driver.project())["id"]
    for path in (f"/v1/projects/{name}", f"/v1/projects/{project}/deployments/{name}", f"/v1/projects/{name}/env"):
        async with driver.http.get(URL(plane.url + path, encoded=True)) as answer:
            assert answer.status == 404


async def test_text_that_no_database_stores_is_refused(driver: Driver) -> None:
    problem = await driver.call("POST", "/v1/projects", {"name": "a\0b", "env": {"A\0": "x\0"}}, 422)
    assert {one["field"] for one in problem["errors"]} == {"name", "env.A\\0", "env.A\0"}


async def test_a_taken_name_is_a_conflict(driver: Driver) -> None:
    made = await driver.project()
    problem = await driver.call("POST", "/v1/projects", {"name": made["name"]}, 409)
    assert problem["code"] == "PROJECT_NAME_TAKEN"


async def test_problems_follow_rfc_9457_and_carry_the_request_id(driver: Driver) -> None:
    async with driver.http.get("/v1/nothing", headers={"X-Request-Id": "req-12345678"}) as answer:
        problem = json.loads(await answer.read())
        assert answer.content_type == "application/problem+json"
        assert answer.headers["X-Request-Id"] == problem["request_id"] == "req-12345678"
        assert (answer.status, problem["status"], problem["code"]) == (404, 404, "NOT_FOUND")
    async with driver.http.delete("/v1/projects") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
        assert (await answer.json(content_type=None))["code"] == "METHOD_NOT_ALLOWED"


async def test_bodies_that_are_too_large_or_no_json_are_refused(driver: Driver) -> None:
    async with driver.http.post("/v1/projects", data=b"{", headers={"Content-Type": "application/json"}) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, "JSON_INVALID")
    async with driver.http.post("/v1/projects", data=b"name=x") as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (415, "MEDIA_TYPE_UNSUPPORTED")
    big = b'"' + b"x" * (2 << 20) + b'"'
    async with driver.http.post("/v1/projects", data=big, headers={"Content-Type": "application/json"}) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (413, "BODY_TOO_LARGE")


async def test_nothing_is_told_without_a_token(driver: Driver, plane: Plane) -> None:
    project = await driver.project()
    for path in (
        "/v1/me",
        "/v1/projects",
        f"/v1/projects/{project['id']}/env",
        f"/git/{project['name']}.git/info/refs?service=git-upload-pack",
    ):
        for shown in ("", "Bearer ", "Bearer shp_x", "Basic eDp5", "Bearer " + plane.service_token):
            async with driver.http.get(path, headers={"Authorization": shown}) as answer:
                assert answer.status == 401
                assert "WWW-Authenticate" in answer.headers


async def test_another_account_sees_nothing(driver: Driver, plane: Plane) -> None:
    theirs = await driver.projects.CreateProject(
        projects_pb2.CreateProjectRequest(name=f"t{plane.ports['auth.admin']}", team_id="tem_" + "0" * 32)
    )
    for key in (theirs.id, theirs.name):
        for rest in ("", "/env", "/deployments", "/logs", "/requests", "/instances"):
            assert (await driver.call("GET", f"/v1/projects/{key}{rest}", status=404))["code"] == "PROJECT_NOT_FOUND"
    assert theirs.name not in str(await driver.call("GET", "/v1/projects"))


async def test_env_changes_are_all_or_nothing(driver: Driver) -> None:
    path = f"/v1/projects/{(await driver.project(env={'KEEP': '1', 'GO': '2'}))['id']}/env"
    await driver.call("PUT", path, {"set": {"NEW": "3", "SHIPOFF_X": "4"}, "unset": ["KEEP"]}, 422)
    changed = await driver.call("PUT", path, {"set": {"NEW": "3"}, "unset": ["GO", "NEVER_WAS"]})
    assert {one["name"]: one["value"] for one in changed["env"]} == {"KEEP": "1", "NEW": "3"}
    too_many = {f"N{number}": "x" for number in range(600)}
    assert (await driver.call("PUT", path, {"set": too_many}, 422))["code"] == "ENV_TOO_LARGE"


async def test_events_of_a_deployment_stream_until_it_is_answered(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushing = tasks.spawn(work.run("push", plane.git_url(project["name"]), "main"), "git push")
    event = await driver.requested(project["id"])
    path = f"/v1/projects/{project['name']}/deployments/{event.deployment_id}"
    async with driver.http.get(f"{path}/events") as stream:
        assert json.loads(await stream.content.readline())["state"] == "QUEUED"
        await driver.report(event, "BUILDING", stage="build")
        assert json.loads(await stream.content.readline())["stage"] == "build"
        await driver.report(
            event, "FAILED", stage="build", reason="BUILD_FAILED", exit_status=2, detail="npm: not found"
        )
        last = json.loads(await stream.content.readline())
        assert (last["answered"], last["failure"]["reason"], last["failure"]["exit_status"]) == (
            True,
            "BUILD_FAILED",
            2,
        )
        assert await stream.content.readline() == b""
    await pushing
    shown = await driver.until(project["name"], event.deployment_id, "FAILED")
    assert shown["failure"] == {"stage": "build", "reason": "BUILD_FAILED", "hint": "", "exit_status": 2}
    await driver.call("GET", path.replace(project["name"], (await driver.project())["id"]), status=404)


async def test_logs_are_json_lines_that_can_be_resumed(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushing = tasks.spawn(work.run("push", plane.git_url(project["name"]), "main"), "git push")
    event = await driver.requested(project["id"])
    await driver.log(event, "one", "two", "three")
    path = f"/v1/projects/{project['id']}/logs"
    async with driver.http.get(path, params={"tail": "2"}) as answer:
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [line["text"] for line in lines] == ["two", "three"]
    async with driver.http.get(path, params={"after": str(lines[0]["offset"]), "follow": "1"}) as answer:
        assert json.loads(await answer.content.readline())["text"] == "three"
        await driver.log(event, "four", source="run")
        assert json.loads(await answer.content.readline())["text"] == "four"
    for query in ({"tail": "0"}, {"tail": "x"}, {"source": "other"}, {"after": "-1"}):
        async with driver.http.get(path, params=query) as answer:
            assert answer.status == 400
    await driver.live(event)
    await pushing


async def test_requests_are_listed_newest_first(driver: Driver) -> None:
    project = await driver.project()
    path = f"/v1/projects/{project['name']}/requests"
    assert await driver.call("GET", path) == {"requests": [], "next_until": None}
    first_us = await driver.answered(project["id"], 200, 404, 503)
    found = (await driver.call("GET", path))["requests"]
    assert [one["status"] for one in found] == [503, 404, 200]
    assert found[0] | {"at": "", "at_us": 0} == {
        "at": "",
        "at_us": 0,
        "id": "req-2",
        "trace_id": None,
        "client_ip": "192.0.2.1",
        "method": "GET",
        "host": "app.test",
        "target": "/2",
        "status": 503,
        "error": "UPSTREAM_REFUSED",
        "whole": True,
        "kind": "app",
        "environment": "production",
        "release_id": None,
        "instance_id": None,
        "attempts": 1,
        "received": 0,
        "sent": 0,
        "queue_ms": 0,
        "connect_ms": 0,
        "first_byte_ms": 1.5,
        "body_ms": 0,
    }
    failed = await driver.call("GET", f"{path}?status=4xx,5")
    assert [one["status"] for one in failed["requests"]] == [503, 404]
    page = await driver.call("GET", f"{path}?limit=1")
    rest = await driver.call("GET", f"{path}?until={page['next_until']}")
    assert [one["status"] for one in page["requests"] + rest["requests"]] == [503, 404, 200]
    inside = await driver.call("GET", f"{path}?since={first_us + 1}&until={first_us + 1_000_001}")
    assert [one["status"] for one in inside["requests"]] == [404]
    for wrong in ("status=6", "status=x", "limit=0", "limit=1001", "since=x", "until=-1"):
        assert (await driver.call("GET", f"{path}?{wrong}", status=400))["code"] == "REQUEST_INVALID"


async def test_deployments_are_listed_in_pages(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project = await driver.project()
    made = []
    for number in range(3):
        request = projects_pb2.CreateDeploymentRequest(
            deployment_id=f"dep_{number:032x}", project_id=project["id"], commit="a" * 40, ref="refs/deployments/x"
        )
        request.deployment_id = f"dep_{project['id'][4:28]}{number:08x}"
        made.append((await driver.projects.CreateDeployment(request)).id)
    path = f"/v1/projects/{project['id']}/deployments"
    first = await driver.call("GET", f"{path}?limit=2")
    assert [one["id"] for one in first["deployments"]] == [made[2], made[1]]
    rest = await driver.call("GET", f"{path}?limit=2&before={first['next_before']}")
    assert ([one["id"] for one in rest["deployments"]], rest["next_before"]) == ([made[0]], None)


async def test_projects_are_listed_in_pages(driver: Driver) -> None:
    made = {(await driver.project())["name"] for _ in range(3)}
    seen, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        page = await driver.call("GET", f"/v1/projects?limit=2&cursor={cursor}")
        assert len(page["projects"]) <= 2
        seen += [one["name"] for one in page["projects"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert seen == sorted(set(seen))
    assert made <= set(seen)
    team = (await driver.call("GET", f"/v1/projects/{min(made)}"))["team_id"]
    assert (await driver.call("GET", f"/v1/projects?team={team}&limit=1"))["next_cursor"]
    assert (await driver.call("GET", "/v1/projects?team=tem_x")) == {"projects": [], "next_cursor": None}


async def test_of_many_first_starts_none_makes_a_second_owner(driver: Driver) -> None:
    answers = await asyncio.gather(*(driver.auth.Bootstrap(auth_pb2.BootstrapRequest()) for _ in range(8)))
    assert {(answer.created, answer.token, answer.account.email) for answer in answers} == {
        (False, "", "ada@example.org")
    }
