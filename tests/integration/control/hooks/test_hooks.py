"""Hooks on a real database and real sockets: what is told to whom, secrets, and who may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from control.projects.deployments.lifecycle import Lifecycle
from control.projects.hooks import notify, upkeep
from control.projects.hooks.service import MOST
from control.projects.hooks.signature import sign
from control.projects.hooks.upkeep import HookUpkeep
from kernel import ids
from kernel.authority import acting_as
from kernel.errors import ShipoffError
from kernel.events import AuditRecorded, decode
from proto.projects.v1 import hooks_pb2 as pb
from proto.projects.v1 import projects_pb2
from tests.integration.control.hooks.receiver import Receiver
from tests.integration.control.hooks.stage import (
    NO_CONTEXT,
    TEAM,
    Stage,
    member,
    ref,
    refused,
)


async def test_a_deployment_s_life_is_told_in_order_and_signed(stage: Stage) -> None:
    async with Receiver() as receiver:
        hook = await stage.hook(receiver.url)
        deployment = await stage.deploy()
        again = await stage.report(deployment, "BUILDING")
        await Lifecycle(stage.database).apply(again)  # delivered twice: told once
        await stage.report(deployment, "BUILDING", stage="build")  # the next stage of the same state
        await stage.report(deployment, "PROVISIONING")
        await stage.report(deployment, "LIVE", url="https://blog.example.org", timings_ms={"build": 5})
        await stage.report(deployment, "BUILDING")  # late
        stage.work()
        got = await receiver.received(3)
        await asyncio.sleep(0.3)
    assert [one.json["type"] for one in got] == ["deployment.queued", "deployment.building", "deployment.live"]
    live = got[2]
    assert live.json["data"]["project"] == {"id": stage.project.id, "name": "blog"}
    assert live.json["data"]["environment"] == "production"
    assert live.json["data"]["deployment"]["url"] == "https://blog.example.org"
    assert live.json["data"]["deployment"]["timings_ms"] == {"build": 5}
    message_id, at = live.headers["webhook-id"], int(live.headers["webhook-timestamp"])
    assert live.headers["webhook-signature"] == sign(hook.secret, message_id, at, live.body)
    assert live.headers["content-type"] == "application/json"
    tried = await stage.tried(hook)
    assert (tried.state, tried.attempts, tried.log[0].status) == ("delivered", 1, 200)
    assert tried.log[0].response_headers["X-Said"] == "thanks"
    assert tried.log[0].response_body == "ok"
    assert tried.log[0].request_headers["webhook-id"] == tried.message_id
    assert hook.secret not in str(tried)


async def test_a_change_that_is_rolled_back_is_not_told(stage: Stage) -> None:
    hook = await stage.hook("http://127.0.0.1:1/")
    request = projects_pb2.CreateDeploymentRequest(
        deployment_id=ids.new("dep"), project_id=stage.project.id, kind="rollback", release_id="rel_x"
    )
    assert await refused(stage.projects.CreateDeployment(request, NO_CONTEXT)) == "RELEASE_UNKNOWN"

    async def undone() -> None:
        async with stage.database.transaction() as tx:
            await notify.notify(tx, notify.Notice("domain.verified", stage.project.id))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await undone()
    assert await stage.deliveries(hook) == []


async def test_hooks_hear_what_they_name(stage: Stage) -> None:
    everything = await stage.hook("https://a.example/")
    failures = await stage.hook("https://b.example/", events=["deployment.failed"])
    production = await stage.hook("https://c.example/", environments=["production"])
    previews = await stage.hook("https://d.example/", environments=["preview"], team=True)
    branch = await stage.hook("https://e.example/", environments=["preview/other"])
    off = await stage.hook("https://f.example/")
    await stage.hooks.UpdateHook(pb.UpdateHookRequest(hook=ref(off), active=False), NO_CONTEXT)
    other = await stage.hooks.CreateHook(
        pb.CreateHookRequest(owner=pb.HookOwner(team_id="tem_" + "b" * 32), kind="webhook", target="https://x.example"),
        NO_CONTEXT,
    )
    deployment = await stage.deploy("preview/fix")
    await stage.report(deployment, "FAILED", "preview/fix", reason="BUILD_FAILED")
    async with stage.database.transaction() as tx:
        await notify.notify(tx, notify.Notice("domain.failing", stage.project.id, data={"domain": {"name": "x.org"}}))
    told = {
        hook.target: [one.type for one in await stage.deliveries(hook)]
        for hook in (everything, failures, production, previews, branch, off, other)
    }
    preview = ["preview.created", "deployment.queued", "deployment.failed"]
    assert told == {
        "https://a.example/": [*preview, "domain.failing"],
        "https://b.example/": ["deployment.failed"],
        "https://c.example/": ["domain.failing"],
        "https://d.example/": [*preview, "domain.failing"],
        "https://e.example/": ["domain.failing"],
        "https://f.example/": [],
        "https://x.example/": [],
    }


async def test_slack_and_mail_are_told_in_their_own_words(stage: Stage) -> None:
    async with Receiver() as receiver:
        slack = await stage.hook(receiver.url, "slack", events=["deployment.failed"])
        mail = await stage.hook("ada@example.org", "email", events=["deployment.failed"])
        assert (slack.secret, mail.secret) == ("", "")
        await stage.report(await stage.deploy(), "FAILED", reason="BUILD_FAILED", hint="look")
        stage.work()
        (said,) = await receiver.received(1)
        tried = await stage.tried(mail)
    assert said.json["text"] == "❌ blog (production) failed"
    assert "webhook-signature" not in said.headers
    assert tried.state == "delivered"
    (sent,) = stage.post.mails.values()
    assert (sent.to, sent.team_id, sent.subject) == ("ada@example.org", TEAM, "blog (production) failed")


async def test_mail_to_strangers_is_refused_and_logged(stage: Stage) -> None:
    hook = await stage.hook("stranger@example.org", "email")
    await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
    stage.work()
    tried = await stage.tried(hook)
    assert (tried.state, tried.log[0].error) == ("pending", "INVALID_ARGUMENT: no member of the team")


async def test_a_secret_is_shown_once_and_the_old_one_signs_beside_the_new_for_a_while(stage: Stage) -> None:
    async with Receiver() as receiver:
        hook = await stage.hook(receiver.url)
        assert (await stage.hooks.GetHook(ref(hook), NO_CONTEXT)).secret == ""
        new = await stage.hooks.RotateHookSecret(ref(hook), NO_CONTEXT)
        assert new.old_secret_until_ms > 0
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work()
        (got,) = await receiver.received(1)
        await stage.tried(hook)
        await stage.database.execute("update hooks set old_until = now()")
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        _, later = await receiver.received(2)
    for one, secrets in ((got, (new.secret, hook.secret)), (later, (new.secret,))):
        signed = [sign(secret, one.headers["webhook-id"], int(one.headers["webhook-timestamp"]), one.body)
                  for secret in secrets]  # fmt: skip
        assert one.headers["webhook-signature"].split(" ") == signed
    stored = await stage.database.fetchrow("select * from hooks")
    assert stored is not None
    assert all(text not in str(dict(stored)) for text in (hook.secret, new.secret, receiver.url))
    slack = await stage.hook("https://hooks.slack.com/services/x", "slack")
    assert await refused(stage.hooks.RotateHookSecret(ref(slack), NO_CONTEXT)) == "HOOK_HAS_NO_SECRET"


async def test_a_message_is_sent_once_more_under_its_id(stage: Stage) -> None:
    async with Receiver() as receiver:
        hook = await stage.hook(receiver.url)
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work()
        first = await stage.tried(hook)
        again = await stage.hooks.Redeliver(pb.HookDeliveryRef(hook=ref(hook), delivery_id=first.id), NO_CONTEXT)
        got = await receiver.received(2)
    assert (again.id != first.id, again.message_id) == (True, first.message_id)
    assert got[0].headers["webhook-id"] == got[1].headers["webhook-id"]
    assert got[0].json["data"] == got[1].json["data"]


async def test_only_who_may_change_a_project_or_a_team_sees_its_hooks(stage: Stage) -> None:
    project, team = await stage.hook("https://a.example/"), await stage.hook("https://b.example/", team=True)
    cases = [
        ("OWNER", TEAM, project, ""), ("DEVELOPER", TEAM, project, ""), ("VIEWER", TEAM, project, "PERMISSION_DENIED"),
        ("OWNER", "tem_b", project, "PROJECT_NOT_FOUND"), ("ADMIN", TEAM, team, ""),
        ("DEVELOPER", TEAM, team, "PERMISSION_DENIED"), ("OWNER", "tem_b", team, "TEAM_NOT_FOUND"),
    ]  # fmt: skip
    for role, whose, hook, code in cases:
        with acting_as(member(role, whose)):
            for call in _reads(stage, hook) if not code else _reads(stage, hook) + _changes(stage, hook):
                if code:
                    assert await refused(call()) == code
                else:
                    await call()


def _reads(stage: Stage, hook: pb.Hook) -> list[Callable[[], Awaitable[Any]]]:
    return [
        lambda: stage.hooks.GetHook(ref(hook), NO_CONTEXT),
        lambda: stage.hooks.ListHooks(ref(hook).owner, NO_CONTEXT),
        lambda: stage.hooks.ListDeliveries(pb.ListHookDeliveriesRequest(hook=ref(hook)), NO_CONTEXT),
    ]


def _changes(stage: Stage, hook: pb.Hook) -> list[Callable[[], Awaitable[Any]]]:
    one = pb.HookDeliveryRef(hook=ref(hook), delivery_id="dlv_x")
    return [
        lambda: stage.hooks.RotateHookSecret(ref(hook), NO_CONTEXT),
        lambda: stage.hooks.PingHook(ref(hook), NO_CONTEXT),
        lambda: stage.hooks.UpdateHook(pb.UpdateHookRequest(hook=ref(hook), name="x"), NO_CONTEXT),
        lambda: stage.hooks.GetDelivery(one, NO_CONTEXT),
        lambda: stage.hooks.Redeliver(one, NO_CONTEXT),
        lambda: stage.hooks.DeleteHook(ref(hook), NO_CONTEXT),
        lambda: stage.hook("https://c.example/", team=not hook.project_id),
    ]


async def test_changes_are_recorded_without_secrets(stage: Stage) -> None:
    hook = await stage.hook("https://a.example/secret-path", name="one")
    await stage.hooks.UpdateHook(pb.UpdateHookRequest(hook=ref(hook), name="two", active=False), NO_CONTEXT)
    new = await stage.hooks.RotateHookSecret(ref(hook), NO_CONTEXT)
    await stage.hooks.DeleteHook(ref(hook), NO_CONTEXT)
    rows = await stage.database.fetch("select envelope from outbox where stream = 'audit' order by position")
    records = [one for row in rows if isinstance(one := decode(row["envelope"]).data, AuditRecorded)]
    told = [one for one in records if one.action.startswith("hook.")]
    assert [one.action for one in told] == ["hook.create", "hook.update", "hook.rotate", "hook.delete"]
    assert {(one.team_id, one.project_id, one.target) for one in told} == {(TEAM, stage.project.id, hook.id)}
    assert (told[1].before["name"], told[1].after["name"], told[1].after["active"]) == ("one", "two", False)
    assert all(text not in str(told) for text in ("secret-path", hook.secret, new.secret))


async def test_a_hook_or_delivery_of_another_parent_is_not_found(stage: Stage) -> None:
    mine, team = await stage.hook("https://a.example/"), await stage.hook("https://b.example/", team=True)
    delivery = await stage.hooks.PingHook(ref(mine), NO_CONTEXT)
    by_team = pb.HookRef(owner=pb.HookOwner(team_id=TEAM), hook_id=mine.id)
    by_project = pb.HookRef(owner=pb.HookOwner(project_id=stage.project.id), hook_id=team.id)
    for wrong in (by_team, by_project):
        assert await refused(stage.hooks.GetHook(wrong, NO_CONTEXT)) == "HOOK_NOT_FOUND"
        assert await refused(stage.hooks.DeleteHook(wrong, NO_CONTEXT)) == "HOOK_NOT_FOUND"
        assert await refused(stage.hooks.UpdateHook(pb.UpdateHookRequest(hook=wrong), NO_CONTEXT)) == "HOOK_NOT_FOUND"
    elsewhere = pb.HookDeliveryRef(hook=ref(team), delivery_id=delivery.id)
    assert await refused(stage.hooks.GetDelivery(elsewhere, NO_CONTEXT)) == "DELIVERY_NOT_FOUND"
    assert await refused(stage.hooks.Redeliver(elsewhere, NO_CONTEXT)) == "DELIVERY_NOT_FOUND"


async def test_hooks_are_limited_in_number_also_when_made_at_once(stage: Stage) -> None:
    for team in (False, True):
        made = await asyncio.gather(
            *(stage.hook(f"https://a{number}.example/", team=team) for number in range(MOST + 5)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, pb.Hook) for one in made) == MOST
        assert {one.code for one in made if isinstance(one, ShipoffError)} == {"HOOK_LIMIT"}


async def test_a_deleted_project_takes_its_hooks_along_and_old_deliveries_are_forgotten(stage: Stage) -> None:
    hook, team = await stage.hook("https://a.example/"), await stage.hook("https://b.example/", team=True)
    for one in (hook, team):
        await stage.hooks.PingHook(ref(one), NO_CONTEXT)
    await stage.projects.DeleteProject(projects_pb2.DeleteProjectRequest(project_id=stage.project.id), NO_CONTEXT)
    rows = await stage.database.fetch("select hook_id from deliveries")
    assert [row["hook_id"] for row in rows] == [team.id]
    old = f"now() - interval '{upkeep.KEEP_DAYS} days 1 hour'"
    await stage.database.execute(f"update deliveries set state = 'delivered', finished_at = {old}")
    await HookUpkeep(stage.database, stage.owners).sweep()
    assert await stage.deliveries(team) == []
