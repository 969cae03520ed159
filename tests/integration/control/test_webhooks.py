"""Webhooks from the door of the queue to their effect, on a real database."""

# environ: a worker that is killed is a process of its own, with this one's environment
from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from typing import Any

import orjson
import pytest

from control.projects.webhooks import worker as working
from control.projects.webhooks.worker import Worker
from kernel import tasks
from kernel.database import Database
from kernel.errors import UNAVAILABLE, ShipoffError
from kernel.events import DeploymentRequested, EnvironmentDeleted
from proto.projects.v1 import repositories_pb2 as pb
from tests.integration.control.yard import NEW, NO_CONTEXT, TEAM, Yard
from tests.npm.modules import modules


async def test_a_push_deploys_every_project_that_watches_what_it_touched(yard: Yard) -> None:
    web = await yard.on_github("web", watch_paths=["apps/web"])
    api = await yard.on_github("backend", watch_paths=["apps/api"])
    site = await yard.on_github("site", "octo-org/site")
    assert (await yard.send("push", yard.push())).status == "queued"
    await yard.work()
    assert await yard.deployments(web.id) == [("production", NEW, "refs/heads/main")]
    assert await yard.deployments(api.id) == await yard.deployments(site.id) == []
    (told,) = await yard.told()
    assert isinstance(told, DeploymentRequested)
    assert (told.project_id, told.environment, told.owner) == (web.id, "production", TEAM)
    done = await yard.outcome(web.id)
    assert (done.action, done.environment, done.deployment_id) == ("deployed", "production", told.deployment_id)
    skipped = await yard.outcome(api.id)
    assert (skipped.action, skipped.reason) == ("skipped", "the push touches no path that the project watches")
    assert await yard.seen(site.id) == []


async def test_branches_and_pull_requests_have_previews_until_they_are_over(yard: Yard) -> None:
    shop = await yard.on_github()
    for event, payload in (
        ("push", yard.push("feature/x")),
        ("pull_request", yard.pull()),
        ("pull_request", yard.pull("synchronize", sha="c" * 40)),
        ("pull_request", yard.pull("closed")),
        ("push", yard.push("feature/x", "0" * 40)),
    ):
        await yard.send(event, payload)
    await yard.work()
    assert await yard.deployments(shop.id) == [
        ("preview/feature/x", NEW, "refs/heads/feature/x"),
        ("preview/pr-7", NEW, "refs/pull/7/head"),
        ("preview/pr-7", "c" * 40, "refs/pull/7/head"),
    ]
    ended = [one.environment for one in await yard.told() if isinstance(one, EnvironmentDeleted)]
    assert ended == ["preview/pr-7", "preview/feature/x"]
    await yard.send("pull_request", yard.pull("closed"))
    await yard.work()
    assert (await yard.outcome(shop.id)).reason == "there is no such preview"


@pytest.mark.parametrize(
    ("event", "change", "reason"),
    [
        ("push", {"head_commit": {"message": "Typo [skip deploy]"}}, "message"),
        ("push", {"ref": "refs/heads/x"}, "branches get no previews"),
        ("pull_request", {}, "pull requests get no previews"),
    ],
)
async def test_what_a_link_does_not_want_is_skipped_with_the_reason(
    yard: Yard, event: str, change: dict[str, Any], reason: str
) -> None:
    shop = await yard.on_github(previews="none")
    await yard.send(event, (yard.push() if event == "push" else yard.pull()) | change)
    await yard.work()
    assert await yard.deployments(shop.id) == []
    outcome = await yard.outcome(shop.id)
    assert outcome.action == "skipped"
    assert reason in outcome.reason


async def test_a_forks_pull_request_needs_the_owners_word(yard: Yard) -> None:
    shop = await yard.on_github()
    await yard.send("pull_request", yard.pull(fork=True))
    await yard.work()
    assert await yard.deployments(shop.id) == []
    assert "forks" in (await yard.outcome(shop.id)).reason
    await yard.links.UpdateLink(pb.UpdateLinkRequest(project_id=shop.id, fork_previews=True), NO_CONTEXT)
    await yard.send("pull_request", yard.pull("synchronize", fork=True))
    await yard.work()
    assert len(await yard.deployments(shop.id)) == 1


async def test_what_one_project_refuses_does_not_hold_back_the_others(yard: Yard) -> None:
    full, free = await yard.on_github("full"), await yard.on_github("free")
    for number in range(3):
        await yard.links.UpdateLink(pb.UpdateLinkRequest(project_id=free.id, previews="none"), NO_CONTEXT)
        await yard.send("push", yard.push(f"b{number}"))
    await yard.work()
    await yard.links.UpdateLink(pb.UpdateLinkRequest(project_id=free.id, previews="all"), NO_CONTEXT)
    await yard.send("push", yard.push("one-more"))
    await yard.work()
    refused = await yard.outcome(full.id)
    assert (refused.action, refused.code) == ("refused", "LIMIT_PREVIEWS")
    assert [one[0] for one in await yard.deployments(free.id)] == ["preview/one-more"]
    assert [one[0] for one in await yard.deployments(full.id)] == ["preview/b0", "preview/b1", "preview/b2"]


async def test_a_wrong_signature_and_an_unknown_link_are_one_and_the_same(yard: Yard) -> None:
    _, linked = await yard.elsewhere("gitlab")
    body = orjson.dumps({"object_kind": "push"})
    refusals = set()
    for provider, link, headers in (
        ("gitlab", linked.link.id, {"x-gitlab-token": "wrong"}),
        ("gitlab", linked.link.id, {}),
        ("gitlab", "lnk_" + "0" * 32, {"x-gitlab-token": linked.secret}),
        ("gitlab", "", {"x-gitlab-token": linked.secret}),
        ("gitea", linked.link.id, {"x-gitlab-token": linked.secret}),
        ("generic", linked.link.id, {"x-gitlab-token": linked.secret}),
        ("github", "", {"x-hub-signature-256": "sha256=00"}),
        ("github", "", {}),
        ("sourceforge", "", {}),
    ):
        with pytest.raises(ShipoffError, match="WEBHOOK_UNSIGNED") as refused:
            await yard.inbox.accept(provider, link, headers, body)
        refusals.add((refused.value.status, refused.value.hint))
    assert len(refusals) == 1
    assert await yard.database.fetchval("select count(*) from webhook_deliveries") == 0


async def test_a_delivery_takes_effect_once_however_often_it_comes(yard: Yard) -> None:
    shop = await yard.on_github()
    payload = yard.push()
    taken = await asyncio.gather(*(yard.send("push", payload, "one") for _ in range(6)))
    assert sorted(one.status for one in taken) == ["duplicate"] * 5 + ["queued"]
    # The header with the id is not signed: a captured body under a fresh id is still the same event.
    assert (await yard.send("push", payload, "two")).status == "duplicate"
    await yard.work()
    assert (await yard.send("push", payload, "one")).status == "duplicate"
    assert (await yard.send("push", yard.push(), "one")).status == "duplicate"
    await yard.work()
    assert len(await yard.deployments(shop.id)) == 1


async def test_links_of_other_hosts_tell_retries_from_news_by_the_hosts_own_ids(yard: Yard) -> None:
    shop, linked = await yard.elsewhere("gitlab")
    project = {"id": 15, "path_with_namespace": "Mike/Shop", "git_http_url": "https://gitlab.example.com/mike/shop.git"}
    body = {"object_kind": "push", "ref": "refs/heads/main", "before": "a" * 40, "after": NEW, "project": project}

    async def send(key: str, **fields: Any) -> str:
        headers = {"x-gitlab-token": linked.secret, "x-gitlab-event": "Push Hook", "idempotency-key": key}
        return (await yard.inbox.accept("gitlab", linked.link.id, headers, orjson.dumps(body | fields))).status

    # A force push back and forth is told three times with one and the same body.
    assert [await send("1"), await send("1"), await send("2")] == ["queued", "duplicate", "queued"]
    await yard.work()
    assert len(await yard.deployments(shop.id)) == 2
    link = await yard.links.GetLink(pb.LinkRequest(project_id=shop.id), NO_CONTEXT)
    assert (link.repository_id, link.full_name) == ("15", "Mike/Shop")
    # The webhook of a group tells of all its repositories.
    await send("3", project=project | {"id": 16, "path_with_namespace": "mike/other"})
    await yard.work()
    assert (await yard.outcome(shop.id)).reason == "the delivery is of another repository"
    # A repository that is renamed stays the same one.
    await send("4", project=project | {"path_with_namespace": "mike/store"})
    await yard.work()
    assert len(await yard.deployments(shop.id)) == 3


async def test_what_concerns_nobody_is_not_kept(yard: Yard) -> None:
    await yard.on_github()
    assert (await yard.send("push", yard.push(repository=yard.repository("site", 12)))).status == "ignored"
    assert (await yard.send("push", yard.push(installation={"id": 5}))).status == "ignored"
    assert (await yard.send("push", yard.push() | {"ref": "refs/tags/v1"})).status == "ignored"
    assert (await yard.send("star", {"action": "created"})).status == "ignored"
    assert (await yard.send("installation", {"action": "created", "installation": {"id": 5}})).status == "ignored"
    examples = orjson.loads((modules() / "@octokit/webhooks-examples/api.github.com/index.json").read_bytes())
    statuses = {(await yard.send(one["name"], each)).status for one in examples for each in one["examples"]}
    assert statuses == {"ignored"}
    assert await yard.database.fetchval("select count(*) from webhook_deliveries") == 0


async def test_a_body_that_is_no_json_is_refused_after_its_signature(yard: Yard) -> None:
    for body in (b"", b"{", b"[1]", b'{"ref": 1}', b"payload=%7B%7D"):
        with pytest.raises(ShipoffError, match="PAYLOAD_INVALID"):
            await yard.send("push", body)
    with pytest.raises(ShipoffError, match="PAYLOAD_INVALID"):
        await yard.send("push", yard.push("a\0b"))


async def test_a_queue_that_is_full_says_so_and_takes_again(database: Database, yard: Yard) -> None:
    small = Yard(database, yard.github, queued_most=3)
    small.installation = yard.installation
    await yard.on_github()
    done = await asyncio.gather(*(small.send("push", yard.push()) for _ in range(8)), return_exceptions=True)
    refused = [one for one in done if isinstance(one, ShipoffError)]
    assert len(refused) == 5
    assert {(one.code, one.status, one.retry_after_s) for one in refused} == {("WEBHOOK_QUEUE_FULL", 429, 30)}
    await yard.work()
    assert (await small.send("push", yard.push())).status == "queued"
    await small.close()


async def test_deliveries_of_a_repository_keep_their_order_with_many_workers(yard: Yard) -> None:
    shop = await yard.on_github()
    commits = [f"{number:040x}" for number in range(1, 21)]
    for commit in commits:
        await yard.send("push", yard.push(after=commit))

    async def drain() -> None:
        while await yard.database.fetchval("select exists (select from webhook_deliveries where state <> 'done')"):
            await yard.worker.turn()

    await asyncio.gather(*(drain() for _ in range(5)))
    assert [one[1] for one in await yard.deployments(shop.id)] == commits


async def test_what_fails_is_tried_again_then_dead_and_can_be_done_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await yard.on_github()
    monkeypatch.setattr(working, "BACKOFF_S", (0.0,))

    async def away(*_: object) -> Any:
        raise UNAVAILABLE("the moon")

    broken = Worker(yard.database, away, 14)
    await yard.send("push", yard.push())
    for attempt in range(1, working.ATTEMPTS + 1):
        (waiting,) = await yard.seen(shop.id)
        assert (waiting.state, waiting.attempts) == ("queued", attempt - 1)
        assert await broken.turn()
    (dead,) = await yard.seen(shop.id)
    assert (dead.state, dead.attempts) == ("dead", working.ATTEMPTS)
    assert "the moon" in dead.error
    assert not await broken.turn()
    assert await yard.deployments(shop.id) == []
    again = await yard.links.Redeliver(pb.RedeliverRequest(project_id=shop.id, delivery_id=dead.id), NO_CONTEXT)
    assert again.state == "queued"
    with pytest.raises(ShipoffError, match="WEBHOOK_OPEN"):
        await yard.links.Redeliver(pb.RedeliverRequest(project_id=shop.id, delivery_id=dead.id), NO_CONTEXT)
    await yard.work()
    assert len(await yard.deployments(shop.id)) == 1


async def test_doing_it_again_is_for_ones_own_project_only(yard: Yard) -> None:
    web, api = await yard.on_github("web"), await yard.on_github("backend")
    await yard.send("push", yard.push())
    await yard.work()
    (delivery,) = await yard.seen(web.id)
    await yard.links.Redeliver(pb.RedeliverRequest(project_id=web.id, delivery_id=delivery.id), NO_CONTEXT)
    await yard.work()
    assert [len(await yard.deployments(one.id)) for one in (web, api)] == [2, 1]
    assert [len((await yard.seen(one.id))[0].outcomes) for one in (web, api)] == [1, 1]
    other = await yard.on_github("other", "octo-org/site")
    with pytest.raises(ShipoffError, match="WEBHOOK_NOT_FOUND"):
        await yard.links.Redeliver(pb.RedeliverRequest(project_id=other.id, delivery_id=delivery.id), NO_CONTEXT)


KILLED = """
    import asyncio, os, signal, sys
    from control.projects.previews.service import PreviewLimits
    from control.projects.webhooks.process import Processor
    from control.projects.webhooks.worker import Worker
    from kernel.database import Database

    async def main():
        database = await Database.connect(sys.argv[1])
        processor = Processor(PreviewLimits(3, 7), lambda _: None)

        async def apply(tx, row, events):
            outcomes = await processor.apply(tx, row, events)
            assert outcomes[0].action == "deployed"
            os.kill(os.getpid(), signal.SIGKILL)

        await Worker(database, apply, 14, lease_s=0.5).turn()

    asyncio.run(main())
"""


async def test_a_worker_that_is_killed_in_the_middle_leaves_nothing_half_done(yard: Yard, database_url: str) -> None:
    shop = await yard.on_github()
    await yard.send("push", yard.push())
    for attempt in (1, 2):
        command = [sys.executable, "-c", textwrap.dedent(KILLED), database_url]
        done = await asyncio.to_thread(subprocess.run, command, env=dict(os.environ), timeout=60, check=False)
        assert done.returncode == -9
        (lost,) = await yard.seen(shop.id)
        assert (lost.state, lost.attempts) == ("running", attempt)
        assert await yard.deployments(shop.id) == [] == await yard.told()
        await _over(yard)
    await yard.work()
    (done_,) = await yard.seen(shop.id)
    assert (done_.state, done_.attempts) == ("done", 3)
    assert len(await yard.deployments(shop.id)) == 1


async def _over(yard: Yard) -> None:
    """Waits for the end of the lease that somebody left."""
    while not await yard.database.fetchval("select bool_and(leased_until < now()) from webhook_deliveries"):
        await asyncio.sleep(0.05)


async def test_a_worker_that_was_slow_undoes_what_another_has_done_by_then(yard: Yard) -> None:
    shop = await yard.on_github()
    await yard.send("push", yard.push())
    entered, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Any, row: Any, events: Any) -> Any:
        entered.set()
        await goes_on.wait()
        return await yard.processor.apply(tx, row, events)

    sleeper = Worker(yard.database, slow, 14, lease_s=0.2)
    first = tasks.spawn(sleeper.turn(), "a slow worker")
    await entered.wait()
    await _over(yard)
    await yard.work()
    goes_on.set()
    await first
    (delivery,) = await yard.seen(shop.id)
    assert (delivery.state, len(await yard.deployments(shop.id))) == ("done", 1)


async def test_a_delivery_that_kills_every_worker_is_dead_in_the_end(yard: Yard) -> None:
    shop = await yard.on_github()
    await yard.send("push", yard.push())
    await yard.database.execute(
        "update webhook_deliveries set state = 'running', attempts = $1, leased_until = now()", working.ATTEMPTS
    )
    await yard.work()
    (dead,) = await yard.seen(shop.id)
    assert (dead.state, await yard.deployments(shop.id)) == ("dead", [])
    assert "ended while it worked" in dead.error


async def test_what_is_over_is_forgotten_after_days(yard: Yard) -> None:
    shop = await yard.on_github()
    await yard.send("push", yard.push())
    await yard.work()
    await yard.send("push", yard.push())
    await yard.database.execute("update webhook_deliveries set received_at = now() - interval '15 days'")
    await yard.database.execute("update repository_links set created_at = now() - interval '20 days'")
    await yard.worker.prune()
    assert [one.state for one in await yard.seen(shop.id)] == ["queued"]
