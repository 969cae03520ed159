"""What GitHub is told, against a GitHub that judges each call by its own OpenAPI."""

from __future__ import annotations

from typing import Any

import pytest

from control.projects.deployments.lifecycle import Lifecycle
from control.projects.github import describe
from control.projects.github import reporter as reporting
from kernel.events import DeploymentRequested, DeploymentStateChanged, Envelope
from proto.projects.v1 import projects_pb2
from tests.integration.control.github import Fault
from tests.integration.control.yard import NEW, NO_CONTEXT, Yard

URL = "http://pr-7--shop.localhost:8080"


async def begun(yard: Yard, event: str, payload: dict[str, Any]) -> list[DeploymentRequested]:
    """What a delivery has asked of the orchestrator."""
    before = len(await yard.told())
    await yard.send(event, payload)
    await yard.work()
    return [one for one in (await yard.told())[before:] if isinstance(one, DeploymentRequested)]


async def moves(yard: Yard, told: DeploymentRequested, state: str, **fields: Any) -> None:
    """The orchestrator says that a deployment moved."""
    data = DeploymentStateChanged(told.deployment_id, told.project_id, told.environment, state, **fields)
    await Lifecycle(yard.database).apply(Envelope(data=data, key=f"{told.project_id}/{told.environment}"))


async def test_a_commit_shows_what_becomes_of_it(yard: Yard) -> None:
    await yard.on_github()
    (told,) = await begun(yard, "push", yard.push())
    await yard.report()
    for state in ("BUILDING", "PROVISIONING"):
        await moves(yard, told, state)
        await yard.report()
    await moves(yard, told, "LIVE", url="http://shop.localhost:8080")
    await yard.report()
    await yard.report()  # nothing is due any more
    statuses = [(one["sha"], one["context"], one["state"], one["description"]) for one in yard.github.statuses]
    named = "shipoff/shop (production)"
    assert statuses == [
        (NEW, named, "pending", "Waiting"),
        (NEW, named, "pending", "Building"),
        (NEW, named, "pending", "Starting"),
        (NEW, named, "success", "Ready"),
    ]
    assert yard.github.statuses[-1]["target_url"] == "http://shop.localhost:8080"
    ((number, made),) = yard.github.deployments.items()
    assert (made["ref"], made["environment"], made["required_contexts"]) == (NEW, "shop/production", [])
    assert (made["production_environment"], made["transient_environment"]) == (True, False)
    states = [(one, body["state"]) for one, body in yard.github.deployment_statuses]
    assert states == [(number, state) for state in ("queued", "in_progress", "in_progress", "success")]
    assert {token.permissions.get("statuses") for token in yard.github.tokens.values()} == {"write", None}


async def test_of_many_changes_the_last_is_told(yard: Yard) -> None:
    await yard.on_github()
    (told,) = await begun(yard, "push", yard.push())
    await moves(yard, told, "BUILDING")
    await moves(yard, told, "FAILED", reason="BUILD_FAILED", stage="build")
    await yard.report()
    (status,) = yard.github.statuses
    assert (status["state"], status["description"]) == ("failure", "Failed: BUILD_FAILED")


async def test_a_pull_request_has_one_comment_that_is_kept_up_to_date(yard: Yard) -> None:
    await yard.on_github("shop")
    await yard.on_github("admin-ui")
    told = await begun(yard, "pull_request", yard.pull())
    assert len(told) == 2
    await yard.report()
    (first,) = yard.github.comments.values()
    assert first["number"] == "7"
    assert first["body"].startswith(describe.MARK)
    rows = [line for line in first["body"].splitlines() if f"`{NEW[:7]}`" in line]
    assert [row.split("|")[1:3] for row in rows] == [[" admin-ui ", " Waiting "], [" shop ", " Waiting "]]
    for one in told:
        for state in ("BUILDING", "PROVISIONING"):
            await moves(yard, one, state)
        await moves(yard, one, "LIVE", url=URL)
    await yard.report()
    (body,) = [one["body"] for one in yard.github.comments.values()]
    assert body.count("Ready") == 2
    assert f"<{URL}>" in body
    # One is ended by hand, the other with its pull request.
    wanted = projects_pb2.DeletePreviewRequest(project_id=told[0].project_id, environment="preview/pr-7")
    await yard.projects.DeletePreview(wanted, NO_CONTEXT)
    await yard.report()
    (body,) = [one["body"] for one in yard.github.comments.values()]
    assert (body.count("Ended"), body.count("Ready")) == (1, 1)
    await yard.send("pull_request", yard.pull("closed"))
    await yard.work()
    await yard.report()
    (body,) = [one["body"] for one in yard.github.comments.values()]
    assert body.count("Ended") == 2
    assert URL not in body
    # The mark finds it again, though nobody remembers it; somebody else's, with the mark copied, is left alone.
    await yard.database.execute("update github_reports set remote_id = null, told = ''")
    yard.github.comments[1] = {"number": "7", "body": f"{describe.MARK} mine", "app": 0}
    yard.github.comments = dict(sorted(yard.github.comments.items()))
    await begun(yard, "pull_request", yard.pull("reopened"))
    await yard.report()
    assert [one["body"].startswith(f"{describe.MARK} mine") for one in yard.github.comments.values()] == [True, False]
    # One that somebody deleted is made anew.
    del yard.github.comments[max(yard.github.comments)]
    await begun(yard, "pull_request", yard.pull("synchronize", sha="c" * 40))
    await yard.report()
    assert len(yard.github.comments) == 2


async def test_githubs_failures_reach_no_deployment_and_end(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "BACKOFF_S", (0.0,))
    await yard.on_github()
    yard.github.faults += [Fault("statuses", 500)] * 2 + [Fault("access_tokens", 200, drop=True)]
    (told,) = await begun(yard, "push", yard.push())
    assert await yard.reporter.turn()
    error = await yard.database.fetchval("select error from github_reports")
    assert "GITHUB_UNAVAILABLE" in error
    await yard.report()
    assert [one["state"] for one in yard.github.statuses] == ["pending"]
    yard.github.faults += [Fault("statuses", 502)] * reporting.ATTEMPTS
    await moves(yard, told, "BUILDING")
    await yard.report()
    assert await yard.database.fetchval("select next_at from github_reports") is None  # given up, until it moves again
    assert not yard.github.faults
    await moves(yard, told, "PROVISIONING")
    await yard.report()
    assert [one["description"] for one in yard.github.statuses] == ["Waiting", "Starting"]


async def test_a_rate_limit_is_waited_for_and_is_no_failure(yard: Yard) -> None:
    await yard.on_github()
    yard.github.faults += [Fault("statuses", 403, {"Retry-After": "600"})]
    await begun(yard, "push", yard.push())
    await yard.report()
    row = await yard.database.fetchrow(
        "select attempts, error, extract(epoch from next_at - now())::int as wait from github_reports"
    )
    assert row is not None
    assert (row["attempts"], row["wait"] > 590) == (0, True)
    assert "GITHUB_BUSY" in row["error"]


async def test_what_was_made_before_a_crash_is_not_made_twice(yard: Yard) -> None:
    await yard.on_github()
    yard.github.faults.append(Fault(r"deployments/\d+/statuses", 500))
    await begun(yard, "push", yard.push())
    await yard.reporter.turn()
    await yard.database.execute("update github_reports set next_at = now()")
    await yard.report()
    assert (len(yard.github.deployments), len(yard.github.deployment_statuses)) == (1, 1)


async def test_other_hosts_deployments_are_not_told_to_github(yard: Yard) -> None:
    shop, linked = await yard.elsewhere("gitlab")
    project = {"id": 15, "path_with_namespace": "mike/shop"}
    body = b'{"object_kind": "push", "ref": "refs/heads/main", "after": "%s", "project": %s}'
    raw = body % (NEW.encode(), str(project).replace("'", '"').encode())
    await yard.inbox.accept("gitlab", linked.link.id, {"x-gitlab-token": linked.secret}, raw)
    await yard.work()
    assert len(await yard.deployments(shop.id)) == 1
    assert await yard.database.fetchval("select count(*) from github_reports") == 0
