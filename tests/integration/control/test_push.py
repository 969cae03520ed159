"""A push with the real git: what deploys, what the person reads, what the branch shows afterwards."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from pathlib import Path

from kernel import tasks
from tests.integration.control.driver import Driver, Plane, Work


async def test_a_push_deploys_and_shows_the_way_to_live(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushing = tasks.spawn(work.run("push", plane.git_url(project["name"]), "main"), "git push")
    event = await driver.requested(project["id"])
    await driver.report(event, "BUILDING", stage="build")
    await driver.log(event, "npm ci", "added 3 packages")
    await driver.report(event, "PROVISIONING", stage="start")
    await driver.log(event, "the last line")
    await driver.report(event, "LIVE", url="http://blog.localhost:8080")
    pushed = await pushing
    assert pushed.status == 0, pushed.out
    assert "building" in pushed.out
    assert "added 3 packages" in pushed.out
    assert pushed.out.index("the last line") < pushed.out.index("live at http://blog.localhost:8080")
    head = work.ok("rev-parse", "HEAD")
    shown = await driver.until(project["name"], event.deployment_id, "LIVE")
    assert (shown["commit"], shown["message"]) == (head, "First page")
    assert work.ok("ls-remote", plane.git_url(project["name"]), "refs/heads/main").startswith(head)


async def test_a_failed_deployment_fails_the_push_and_leaves_the_branch(
    plane: Plane, driver: Driver, tmp_path: Path
) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    url = plane.git_url(project["name"])
    for _ in range(2):  # the same push again builds again
        pushing = tasks.spawn(work.run("push", url, "main"), "git push")
        event = await driver.requested(project["id"])
        await driver.report(event, "BUILDING", stage="build")
        await driver.log(event, "ModuleNotFoundError: No module named 'flask'")
        await driver.report(
            event, "FAILED", stage="start", reason="APP_CRASHED", exit_status=-9, hint="read the log", detail="it died"
        )
        await driver.log(event, "last words")  # the orchestrator's end of the log may come after its verdict
        pushed = await pushing
        assert pushed.status != 0
        for text in ("No module named 'flask'", "start", "killed by SIGKILL", "read the log", "it died", "last words"):
            assert text in pushed.out, pushed.out
        assert "deployment failed: APP_CRASHED" in pushed.out
        assert work.ok("ls-remote", url) == ""


async def test_another_branch_is_deployed_to_a_preview_that_goes_with_it(
    plane: Plane, driver: Driver, tmp_path: Path
) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    url = plane.git_url(project["name"])
    pushing = tasks.spawn(work.run("push", url, "main:feature/a", "main:refs/tags/v1"), "git push")
    event = await driver.requested(project["id"])
    assert event.environment == "preview/feature/a"
    await driver.report(event, "LIVE", url="http://blog--a.localhost")
    pushed = await pushing
    assert pushed.status == 0, pushed.out
    assert "live at http://blog--a.localhost" in pushed.out
    assert {"refs/heads/feature/a", "refs/tags/v1"} == set(work.ok("ls-remote", url).split()[1::2])
    assert (await driver.call("GET", f"/v1/projects/{project['name']}"))["url"] is None, "production is not live"
    gone = await work.run("push", url, ":feature/a")
    assert gone.status == 0, gone.out
    assert "preview/feature/a is taken down" in gone.out
    assert "refs/heads/feature/a" not in work.ok("ls-remote", url)
    assert (await driver.call("GET", f"/v1/projects/{project['name']}/previews"))["previews"] == []


async def test_the_production_branch_cannot_be_deleted(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    url = plane.git_url(project["name"])
    await _deploy(driver, work, project["id"], url, "main")
    deleted = await work.run("push", url, ":main")
    assert deleted.status != 0
    assert "cannot be deleted" in deleted.out
    assert "refs/heads/main" in work.ok("ls-remote", url)


async def test_a_forced_push_replaces_history(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    url = plane.git_url(project["name"])
    work.commit("a", "a", "to be forgotten")
    await _deploy(driver, work, project["id"], url, "main")
    work.ok("reset", "--quiet", "--hard", "HEAD^")
    new = work.commit("b", "b", "instead")
    assert (await work.run("push", url, "main")).status != 0
    await _deploy(driver, work, project["id"], url, "+main")
    assert work.ok("ls-remote", url, "refs/heads/main").startswith(new)


async def test_a_superseded_push_says_so(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushing = tasks.spawn(work.run("push", plane.git_url(project["name"]), "main"), "git push")
    event = await driver.requested(project["id"])
    await driver.report(event, "SUPERSEDED")
    pushed = await pushing
    assert pushed.status != 0
    assert "superseded by a newer deployment" in pushed.out


async def test_a_push_that_gets_no_answer_ends_and_says_how_to_follow(
    plane: Plane, driver: Driver, tmp_path: Path
) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushed = await work.run("push", plane.git_url(project["name"]), "main")
    assert pushed.status != 0
    assert f"shipoff deployments {project['name']}" in pushed.out
    assert "no answer in time" in pushed.out


async def test_an_upload_deploys_without_moving_the_branch(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    url = plane.git_url(project["name"])
    await _deploy(driver, work, project["id"], url, "main:refs/deploy/production")
    assert work.ok("ls-remote", url) == ""
    refused = await work.run("push", url, "main:refs/deploy/preview")
    assert refused.status != 0
    assert "no such environment" in refused.out


async def test_the_branch_follows_although_the_person_left(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    url = plane.git_url(project["name"])
    pushing = await work.start("push", url, "main")
    event = await driver.requested(project["id"])
    assert _children(plane)
    os.killpg(pushing.pid, signal.SIGKILL)
    await pushing.communicate()
    async with asyncio.timeout(10):
        while _children(plane):  # git and the hook go with the person
            await asyncio.sleep(0.02)
    await driver.live(event)
    await driver.until(project["name"], event.deployment_id, "LIVE")
    assert work.ok("ls-remote", url, "refs/heads/main").startswith(work.ok("rev-parse", "HEAD"))


async def test_the_platform_fetches_a_deployment_and_people_do_not_see_it(
    plane: Plane, driver: Driver, tmp_path: Path
) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushing = tasks.spawn(work.run("push", plane.git_url(project["name"]), "main"), "git push")
    event = await driver.requested(project["id"])
    ref = f"refs/deployments/{event.deployment_id}"
    work.ok("fetch", "--quiet", plane.service_url(project["id"]), ref)  # while the push still waits
    assert work.ok("rev-parse", "FETCH_HEAD") == work.ok("rev-parse", "HEAD")
    await driver.live(event)
    assert (await pushing).status == 0
    assert ref not in work.ok("ls-remote", plane.git_url(project["name"]))
    refused = await work.run("push", plane.git_url(project["name"]), f"HEAD:{ref}")
    assert refused.status != 0
    refused = await work.run("push", plane.service_url(project["id"]), "HEAD:other")
    assert refused.status != 0


async def test_a_wrong_token_and_an_unknown_project_are_clear(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    wrong = await work.run("push", plane.git_url(project["name"], "shp_" + "x" * 43), "main")
    assert wrong.status != 0
    assert "the API token is not valid" in wrong.out
    unknown = await work.run("push", plane.git_url("nobody-has-this"), "main")
    assert unknown.status != 0
    assert "there is no project 'nobody-has-this'" in unknown.out


async def test_a_repository_over_the_limit_is_refused(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    (work.folder / "big").write_bytes(secrets.token_bytes(6 * 1024 * 1024))
    work.ok("add", "big")
    work.ok("commit", "--quiet", "-m", "big")
    pushed = await work.run("push", plane.git_url(project["name"]), "main")
    assert pushed.status != 0
    assert "exceeds maximum allowed size" in pushed.out


async def test_two_pushes_at_once_both_get_an_answer(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    url = plane.git_url(project["name"])
    first = tasks.spawn(work.run("push", url, "main"), "git push")
    one = await driver.requested(project["id"])
    newest = work.commit("index.html", "<h1>two</h1>\n", "Second page")
    second = tasks.spawn(work.run("push", url, "main"), "git push")
    two = await driver.requested(project["id"])
    await driver.live(one)
    assert (await first).status == 0
    await driver.live(two)
    assert (await second).status == 0
    assert work.ok("ls-remote", url, "refs/heads/main").startswith(newest)


async def _deploy(driver: Driver, work: Work, project_id: str, url: str, refspec: str) -> None:
    pushing = tasks.spawn(work.run("push", url, refspec), "git push")
    event = await driver.requested(project_id)
    await driver.live(event)
    pushed = await pushing
    assert pushed.status == 0, pushed.out
    project = (await driver.call("GET", f"/v1/projects/{project_id}"))["name"]
    await driver.until(project, event.deployment_id, "LIVE")


async def test_large_packs_and_compressed_requests_pass(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    url = plane.git_url(project["name"])
    (work.folder / "photo").write_bytes(secrets.token_bytes(1_500_000))  # above http.postBuffer: sent in chunks
    work.ok("add", "photo")
    work.ok("commit", "--quiet", "-m", "photo")
    await _deploy(driver, work, project["id"], url, "main")
    other = Work.begin(tmp_path / "other", plane)
    for number in range(60):  # so much to tell the server that git compresses it
        other.ok("commit", "--quiet", "--allow-empty", "-m", str(number))
    other.ok("fetch", "--quiet", url, "main")
    assert other.ok("rev-parse", "FETCH_HEAD") == work.ok("rev-parse", "HEAD")
    work.ok("clone", "--quiet", url, str(tmp_path / "clone"))
    assert (tmp_path / "clone" / "photo").read_bytes() == (work.folder / "photo").read_bytes()


def _children(plane: Plane) -> str:
    """The processes that the gateway has started."""
    pid = plane.processes["gateway"].pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()
