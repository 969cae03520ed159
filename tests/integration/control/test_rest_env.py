"""Variables, environments, settings and presets over REST, as the API shows them."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.frameworks import CATALOG
from tests.integration.control.driver import Driver


@pytest.fixture
async def path(driver: Driver) -> str:
    """Of a fresh project."""
    return f"/v1/projects/{(await driver.project())['id']}"


async def test_variables_are_shown_with_what_they_are(driver: Driver, path: str) -> None:
    await driver.call("PUT", f"{path}/env", {"set": {"A": "1"}})
    body = {"set": {"TOKEN": "hunter2"}, "environment": "preview/fix/a", "secret": True, "scope": "run"}
    changed = await driver.call("PUT", f"{path}/env", body)
    assert [{**one, "updated_at": ""} for one in changed["env"]] == [
        {"name": "A", "value": "1", "secret": False, "scope": "all", "environment": "all", "updated_at": ""},
        {
            "name": "TOKEN",
            "value": None,
            "secret": True,
            "scope": "run",
            "environment": "preview/fix/a",
            "updated_at": "",
        },
    ]
    assert (changed["deployment_id"], changed["version"]) == (None, 3)
    only = await driver.call("GET", f"{path}/env?environment=preview/fix/a")
    assert [one["name"] for one in only["env"]] == ["TOKEN"]
    async with driver.http.get(f"{path}/env") as answer:
        assert answer.headers["Cache-Control"] == "no-store"
    assert (await driver.call("GET", f"{path}/env?environment=staging", status=422))[
        "code"
    ] == "ENV_ENVIRONMENT_INVALID"


async def test_a_version_that_has_gone_by_is_refused(driver: Driver, path: str) -> None:
    version = (await driver.call("GET", path))["version"]
    wishes: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"{path}/env", {"set": {"A": "1"}}),
        ("PUT", f"{path}/rules", {"rules": {}}),
        ("PATCH", path, {"build_command": "make"}),
        ("POST", f"{path}/env/import", {"text": "B=1"}),
    ]
    for method, where, body in wishes:
        done = await driver.call(method, where, {**body, "expect_version": version})
        assert done["version"] == version + 1
        refused = await driver.call(method, where, {**body, "text": "B=2"} if "text" in body else body, 200)
        version = refused["version"]
        late = {**body, "text": "B=3"} if "text" in body else body
        conflict = await driver.call(method, where, {**late, "expect_version": version - 1}, 409)
        assert conflict["code"] == "PROJECT_VERSION_CONFLICT"
    for wrong in (-1, "1", 2**63, 1.5):
        await driver.call("PATCH", path, {"build_command": "x", "expect_version": wrong}, 422)


async def test_files_go_in_and_come_out(driver: Driver, path: str) -> None:
    body = {"text": "A=1\nB='two words'\n", "environment": "production", "dry_run": True}
    tried = await driver.call("POST", f"{path}/env/import", body)
    assert (tried["added"], tried["dry_run"], tried["deployment_id"]) == (["A", "B"], True, None)
    assert (await driver.call("GET", f"{path}/env"))["env"] == []
    await driver.call("POST", f"{path}/env/import", {**body, "dry_run": False})
    found = await driver.call("GET", f"{path}/env/export?environment=production")
    assert (found["text"].splitlines()[1:], found["secrets"]) == (["A=1", "B='two words'"], [])
    refused = await driver.call("POST", f"{path}/env/import", {"text": "nonsense"}, 422)
    assert (refused["code"], "line 1" in refused["detail"]) == ("ENV_FILE_INVALID", True)


async def test_environments_show_what_they_get(driver: Driver, path: str) -> None:
    await driver.call("PUT", f"{path}/env", {"set": {"A": "all"}})
    await driver.call("PUT", f"{path}/env", {"set": {"A": "production"}, "environment": "production"})
    listed = await driver.call("GET", f"{path}/environments")
    assert listed == {
        "environments": [
            {
                "name": "production",
                "branch": "main",
                "live_deployment_id": None,
                "url": None,
                "deployed_at": None,
                "expires_at": None,
            }
        ]
    }
    shown = await driver.call("GET", f"{path}/environments/production")
    assert [(one["name"], one["value"], one["environment"]) for one in shown["env"]] == [
        ("A", "production", "production")
    ]
    assert (await driver.call("GET", f"{path}/environments/preview/a/b", status=404))["code"] == "ENVIRONMENT_NOT_FOUND"


async def test_settings_change_field_by_field(driver: Driver, path: str) -> None:
    changed = await driver.call("PATCH", path, {"framework": "django", "output_dir": None, "root_dir": "web"})
    assert (changed["framework"], changed["root_dir"], changed["output_dir"]) == ("django", "web", "")
    back = await driver.call("PATCH", path, {"framework": "auto"})
    assert (back["framework"], back["root_dir"], back["version"]) == ("auto", "web", changed["version"] + 1)
    assert (await driver.call("PATCH", path, {"framework": "rails"}, 422))["code"] == "BUILD_SETTINGS_INVALID"
    for wrong in ({"team_id": "tem_x"}, {"live_deployment_id": "dep_x"}, {"version": 9}, {"name": 7}):
        await driver.call("PATCH", path, wrong, 422)


async def test_a_project_goes_to_no_team_that_one_is_not_in(driver: Driver, path: str) -> None:
    refused = await driver.call("POST", f"{path}/transfer", {"team": "tem_" + "0" * 32}, 403)
    assert refused["code"] == "PERMISSION_DENIED"
    mine = (await driver.call("GET", path))["team_id"]
    assert (await driver.call("POST", f"{path}/transfer", {"team": mine}))["team_id"] == mine


async def test_presets_are_shown_to_anybody(driver: Driver) -> None:
    async with driver.http.get("/v1/frameworks", headers={"Authorization": ""}) as answer:
        assert answer.status == 200
        shown = (await answer.json())["frameworks"]
    assert [one["id"] for one in shown] == [one.id for one in CATALOG]
    hugo = next(one for one in shown if one["id"] == "hugo")
    assert (hugo["kind"], hugo["output_dir"], "HUGO_VERSION" in hugo["needs"]) == ("static", "public", True)
