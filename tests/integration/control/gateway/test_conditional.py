"""ETags at the door: what has not changed is not sent again, and what has changed is not overwritten."""

from __future__ import annotations

from typing import Any

from tests.integration.control.driver import Driver


async def tag(driver: Driver, path: str) -> str:
    async with driver.http.get(path) as answer:
        assert answer.status == 200
        return answer.headers["ETag"]


async def test_what_has_not_changed_is_not_sent_again(driver: Driver) -> None:
    path = f"/v1/projects/{(await driver.project())['id']}"
    shown = await tag(driver, path)
    async with driver.http.get(path, headers={"If-None-Match": shown}) as answer:
        assert (answer.status, await answer.read(), answer.headers["ETag"]) == (304, b"", shown)
        assert answer.headers["Cache-Control"] == "private, no-cache"
    async with driver.http.head(path, headers={"If-None-Match": '"other"'}) as answer:
        assert (answer.status, answer.headers["ETag"]) == (200, shown)
    await driver.call("PATCH", path, {"build_command": "make"})
    async with driver.http.get(path, headers={"If-None-Match": shown}) as answer:
        assert answer.status == 200
        assert answer.headers["ETag"] != shown


async def test_secrets_are_kept_by_nobody(driver: Driver) -> None:
    async with driver.http.get(f"/v1/projects/{(await driver.project())['id']}/env") as answer:
        assert answer.headers["Cache-Control"] == "no-store"


async def test_what_has_changed_is_not_overwritten(driver: Driver) -> None:
    path = f"/v1/projects/{(await driver.project())['id']}"
    seen = await tag(driver, path)

    async def change(method: str, shown: str, **body: Any) -> int:
        json = body or None
        async with driver.http.request(method, path, json=json, headers={"If-Match": shown}) as answer:
            if answer.status == 412:
                assert (await answer.json(content_type=None))["code"] == "PRECONDITION_FAILED"
            return answer.status

    assert await change("PATCH", seen, build_command="one") == 200
    assert await change("PATCH", seen, build_command="two") == 412
    assert await change("DELETE", seen) == 412
    assert await change("DELETE", f"W/{await tag(driver, path)}") == 412
    assert await change("PATCH", "nonsense", build_command="three") == 412
    assert (await driver.call("GET", path))["build_command"] == "one"
    assert await change("PATCH", "*", build_command="four") == 200
    assert await change("DELETE", await tag(driver, path)) == 204


async def test_a_precondition_on_what_has_no_etag_changes_nothing(driver: Driver) -> None:
    path = f"/v1/projects/{(await driver.project())['id']}/previews/x"
    async with driver.http.delete(path, headers={"If-Match": "*"}) as answer:
        assert answer.status == 412
