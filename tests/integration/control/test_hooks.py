"""Hooks on a real database and real sockets: who may, what is told to whom, and receivers that misbehave."""

from __future__ import annotations

import asyncio
import base64
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from control.projects.catalog.service import Catalog
from control.projects.deployments.lifecycle import Lifecycle
from control.projects.hooks import backoff, notify, upkeep, worker
from control.projects.hooks.deliveries import Deliveries
from control.projects.hooks.mail import MailSender
from control.projects.hooks.rules import TargetRules
from control.projects.hooks.send import HttpSender
from control.projects.hooks.server import HooksServer
from control.projects.hooks.service import MOST, Hooks
from control.projects.hooks.signature import sign
from control.projects.hooks.upkeep import HookUpkeep
from control.projects.hooks.worker import HookWorker
from control.projects.server import ProjectsServer
from kernel import ids
from kernel.authority import Kind, Principal, acting_as
from kernel.database import Database
from kernel.errors import INVALID_ARGUMENT, ShipoffError
from kernel.events import DeploymentStateChanged, Envelope
from kernel.net_guard import NetGuard
from kernel.rpc import RpcClient, RpcServer
from kernel.sealing import Sealer
from proto.auth.v1.mail_pb2 import SendMailRequest, SendMailResponse
from proto.auth.v1.mail_pb2_grpc import MailServicer, add_MailServicer_to_server
from proto.projects.v1 import hooks_pb2 as pb
from proto.projects.v1 import projects_pb2
from tests.integration.control.receiver import Receiver

NO_CONTEXT: Any = None
TEAM = "tem_" + "a" * 32
KEY = base64.b64encode(bytes(range(32))).decode()
ANY_PORT = TargetRules(insecure=True, ports=range(1, 65536))
LOOPBACK = NetGuard(["127.0.0.0/8"])


class Post(MailServicer):
    """Auth's part: takes mails of members."""

    def __init__(self) -> None:
        self.mails: dict[str, SendMailRequest] = {}
        self.down = False

    async def SendMail(self, request: SendMailRequest, context: Any) -> SendMailResponse:  # noqa: N802
        if self.down or request.to == "stranger@example.org":
            raise INVALID_ARGUMENT("no member of the team")
        self.mails[request.id] = request
        return SendMailResponse()


@dataclass
class Stage:
    """The parts, with a worker that is started by the tests that need one."""

    database: Database
    url: str
    projects: ProjectsServer
    hooks: HooksServer
    post: Post
    mail: MailSender
    project: projects_pb2.Project
    stops: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def work(self, *, connect_s: float = 1.0, total_s: float = 1.5, guard: NetGuard = LOOPBACK) -> HookWorker:
        """A worker that begins."""
        http = HttpSender(guard, connect_s=connect_s, total_s=total_s)
        working = HookWorker(self.database, Sealer(KEY), http, self.mail)
        working.start()
        self.stops += [working.stop, http.close]
        return working

    async def hook(self, target: str, kind: str = "webhook", team: bool = False, **fields: Any) -> pb.Hook:
        owner = pb.HookOwner(team_id=TEAM) if team else pb.HookOwner(project_id=self.project.id)
        request = pb.CreateHookRequest(owner=owner, kind=kind, target=target, **fields)
        return await self.hooks.CreateHook(request, NO_CONTEXT)

    async def deploy(self, environment: str = "production") -> str:
        """Asks for a deployment."""
        request = projects_pb2.CreateDeploymentRequest(
            deployment_id=ids.new("dep"), project_id=self.project.id, commit="a" * 40, ref="refs/heads/main",
            environment=environment,
        )  # fmt: skip
        return (await self.projects.CreateDeployment(request, NO_CONTEXT)).id

    async def report(self, deployment_id: str, state: str, environment: str = "production", **said: Any) -> Envelope:
        """Plays the orchestrator."""
        data = DeploymentStateChanged(deployment_id, self.project.id, environment, state, **said)
        envelope = Envelope(data=data, key=f"{self.project.id}/{environment}")
        await Lifecycle(self.database).apply(envelope)
        return envelope

    async def deliveries(self, hook: pb.Hook) -> list[pb.HookDelivery]:
        """Of a hook, the oldest first."""
        found = await self.hooks.ListDeliveries(pb.ListHookDeliveriesRequest(hook=ref(hook), limit=100), NO_CONTEXT)
        return list(reversed(found.deliveries))

    async def tried(self, hook: pb.Hook, attempts: int = 1) -> pb.HookDelivery:
        """The first delivery of a hook, once it was tried so often, whole."""
        async with asyncio.timeout(20):
            while True:
                found = await self.deliveries(hook)
                if found and found[0].attempts >= attempts:
                    return await self.hooks.GetDelivery(
                        pb.HookDeliveryRef(hook=ref(hook), delivery_id=found[0].id), NO_CONTEXT
                    )
                await asyncio.sleep(0.02)


@pytest.fixture
async def stage(server: ProjectsServer, database: Database, database_url: str) -> AsyncIterator[Stage]:
    post = Post()
    rpc = RpcServer("127.0.0.1:0", "token")
    rpc.add(add_MailServicer_to_server, post)
    auth = RpcClient(f"127.0.0.1:{await rpc.start()}", "token")
    hooks = HooksServer(Catalog(database), Hooks(database, Sealer(KEY), ANY_PORT), Deliveries(database))
    project = await server.CreateProject(projects_pb2.CreateProjectRequest(name="blog", team_id=TEAM), NO_CONTEXT)
    made = Stage(database, database_url, server, hooks, post, MailSender(auth), project)
    yield made
    for stop in made.stops:
        await stop()
    await auth.close()
    await rpc.stop(0)


def ref(hook: pb.Hook) -> pb.HookRef:
    owner = pb.HookOwner(project_id=hook.project_id) if hook.project_id else pb.HookOwner(team_id=hook.team_id)
    return pb.HookRef(owner=owner, hook_id=hook.id)


def member(role: str, team: str = TEAM) -> Principal:
    return Principal(Kind.SESSION, account_id="acc_b", teams={team: role})


async def refused(work: Awaitable[Any]) -> str:
    with pytest.raises(ShipoffError) as raised:
        await work
    return raised.value.code


# --- what is told, to whom ------------------------------------------------------------------------------


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


# --- receivers that misbehave ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "status", "error"),
    [
        ("broken", 500, "answered 500"),
        ("hang", 0, "no whole answer within 1.5 s"),
        ("reset", 0, "reset the connection"),
        ("garbage", 0, "its answer is not HTTP"),
        ("short", 0, "hung up within its answer"),
        ("redirect", 302, "answered 302: redirects are not followed"),
    ],
)
async def test_what_fails_is_logged_and_tried_again_later(stage: Stage, mode: str, status: int, error: str) -> None:
    async with Receiver(mode) as receiver, Receiver() as elsewhere:
        receiver.location = elsewhere.url
        hook = await stage.hook(receiver.url)
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work()
        tried = await stage.tried(hook)
        assert elsewhere.got == []
    assert (tried.state, tried.log[0].status, tried.log[0].error) == ("pending", status, error)
    assert 0 < tried.next_at_ms - tried.log[0].at_ms <= 6000
    assert (await stage.hooks.GetHook(ref(hook), NO_CONTEXT)).failing_since_ms > 0


async def test_a_receiver_that_refuses_and_a_name_that_is_none_are_logged(stage: Stage) -> None:
    async with Receiver() as receiver:
        closed = await stage.hook(receiver.url)
    nowhere = await stage.hook("http://nothing.invalid/")
    for hook in (closed, nowhere):
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
    stage.work()
    assert (await stage.tried(closed)).log[0].error == "could not connect"
    assert (await stage.tried(nowhere)).log[0].error == "the host 'nothing.invalid' is not found"


async def test_of_a_flood_8_kib_are_kept_and_the_rest_is_not_waited_for(stage: Stage) -> None:
    async with Receiver("flood") as receiver:
        hook = await stage.hook(receiver.url)
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work(total_s=10.0)
        tried = await stage.tried(hook)
    assert (tried.state, tried.log[0].status, len(tried.log[0].response_body)) == ("delivered", 200, 8192)


async def test_bytes_that_are_no_text_are_kept_as_far_as_they_are(stage: Stage) -> None:
    async with Receiver("binary") as receiver:
        hook = await stage.hook(receiver.url)
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work()
        tried = await stage.tried(hook)
    assert (tried.state, tried.log[0].response_body) == ("delivered", "a\ufffd\ufffdb")


async def test_410_switches_the_hook_off_and_its_owners_are_told_once(stage: Stage) -> None:
    async with Receiver("gone") as receiver:
        hook = await stage.hook(receiver.url, name="To CI")
        for _ in range(3):
            await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work()
        tried = await stage.tried(hook)
        await asyncio.sleep(0.5)
        assert len(receiver.got) == 1
    assert tried.state == "failed"
    assert {one.state for one in await stage.deliveries(hook)} == {"failed"}
    now = await stage.hooks.GetHook(ref(hook), NO_CONTEXT)
    assert (now.active, now.disabled_reason) == (False, worker.GONE)
    assert await refused(stage.hooks.PingHook(ref(hook), NO_CONTEXT)) == "HOOK_INACTIVE"
    sweeper = HookUpkeep(stage.database, stage.mail)
    stage.post.down = True
    await sweeper.sweep()
    stage.post.down = False
    await sweeper.sweep()
    await sweeper.sweep()
    (mail,) = stage.post.mails.values()
    assert (mail.team_id, mail.to) == (TEAM, "")
    assert "To CI" in mail.text
    assert receiver.url not in mail.text + mail.subject
    on = await stage.hooks.UpdateHook(pb.UpdateHookRequest(hook=ref(hook), active=True), NO_CONTEXT)
    assert (on.active, on.disabled_reason) == (True, "")


async def test_a_hook_that_failed_for_days_is_switched_off(stage: Stage) -> None:
    async with Receiver("broken") as receiver:
        hook = await stage.hook(receiver.url)
        since = f"update hooks set failing_since = now() - interval '{worker.HOPELESS_DAYS} days 1 minute'"
        await stage.database.execute(since)
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work()
        await stage.tried(hook)
    assert (await stage.hooks.GetHook(ref(hook), NO_CONTEXT)).disabled_reason == worker.HOPELESS


async def test_a_success_ends_the_time_of_failing(stage: Stage) -> None:
    async with Receiver() as receiver:
        hook = await stage.hook(receiver.url)
        await stage.database.execute("update hooks set failing_since = now() - interval '9 days'")
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work()
        await stage.tried(hook)
    assert (await stage.hooks.GetHook(ref(hook), NO_CONTEXT)).failing_since_ms == 0


async def test_a_delivery_is_tried_again_under_the_same_id_until_it_is_given_up(stage: Stage) -> None:
    async with Receiver("broken") as receiver:
        hook = await stage.hook(receiver.url)
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        working = stage.work()
        for attempt in range(1, backoff.ATTEMPTS):
            await stage.tried(hook, attempt)
            await stage.database.execute("update deliveries set next_at = now() where state = 'pending'")
            working.wake()
        tried = await stage.tried(hook, backoff.ATTEMPTS)
    assert (tried.state, tried.attempts, len(tried.log)) == ("failed", 8, 8)
    assert {one.headers["webhook-id"] for one in receiver.got} == {tried.message_id}


# --- where it may connect -------------------------------------------------------------------------------


async def test_without_the_operator_s_word_nothing_private_is_reached(stage: Stage) -> None:
    async with Receiver() as receiver:
        by_name = receiver.url.replace("127.0.0.1", "localhost")
        mapped = receiver.url.replace("127.0.0.1", "[::ffff:127.0.0.1]")
        hooks = [await stage.hook(url) for url in (receiver.url, by_name, mapped)]
        for hook in hooks:
            await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work(guard=NetGuard())
        errors = {(await stage.tried(hook)).log[0].error for hook in hooks}
        assert receiver.got == []
    assert all("not on the internet" in error for error in errors), errors


async def test_urls_with_line_breaks_credentials_or_odd_hosts_are_refused(stage: Stage) -> None:
    for url in (
        "http://a.example/\r\nX: 1", "http://u:p@a.example/", "http://127.1/", "http://0x7f.1/", "http://[::1%lo]/",
        "http://a.example/#x", "ftp://a.example/", "http://a.example:99999/", "",
    ):  # fmt: skip
        assert await refused(stage.hook(url)) == "URL_INVALID"


# --- many, at once, and killed --------------------------------------------------------------------------


async def test_one_host_that_hangs_holds_up_no_other(stage: Stage) -> None:
    async with Receiver("hang") as bad, Receiver() as good:
        for _ in range(worker.AT_ONCE - worker.PER_HOST):
            hook = await stage.hook(bad.url)
            await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        # Another host by name: the limit counts hosts, and both receivers are on this machine.
        last = await stage.hook(good.url.replace("127.0.0.1", "localhost"))
        await stage.hooks.PingHook(ref(last), NO_CONTEXT)
        stage.work(total_s=10.0)
        await good.received(1)
        assert bad.most_open == worker.PER_HOST


async def test_several_workers_send_each_message_once_and_in_order(stage: Stage) -> None:
    async with Receiver() as receiver:
        hook = await stage.hook(receiver.url)
        for _ in range(30):
            await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        expected = [one.message_id for one in await stage.deliveries(hook)]
        for _ in range(3):
            stage.work(total_s=10.0)
        got = await receiver.received(30)
        await asyncio.sleep(0.3)
        assert receiver.most_open == 1
    assert [one.headers["webhook-id"] for one in got] == expected


async def test_a_worker_killed_between_sending_and_noting_is_followed_by_the_same_message(
    stage: Stage,
) -> None:
    root = Path(__file__).parents[3]
    async with Receiver("hang") as receiver:
        hook = await stage.hook(receiver.url)
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", _WORKER, stage.url, KEY, cwd=root)
        try:
            await receiver.received(1)
            process.send_signal(signal.SIGKILL)
        finally:
            await process.wait()
        (before,) = await stage.deliveries(hook)
        assert (before.state, before.attempts) == ("pending", 0)
        receiver.mode = "ok"
        await stage.database.execute("update hooks set leased_until = now()")  # its time is over
        stage.work()
        first, second = await receiver.received(2)
        await stage.tried(hook)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (first.body, [one.state for one in await stage.deliveries(hook)]) == (second.body, ["delivered"])


_WORKER = """
import asyncio, sys
from control.projects.hooks.mail import MailSender
from control.projects.hooks.send import HttpSender
from control.projects.hooks.worker import HookWorker
from kernel.database import Database
from kernel.net_guard import NetGuard
from kernel.rpc import RpcClient
from kernel.sealing import Sealer

async def main():
    database = await Database.connect(sys.argv[1])
    mail = MailSender(RpcClient("127.0.0.1:1", "token"))
    HookWorker(database, Sealer(sys.argv[2]), HttpSender(NetGuard(["127.0.0.0/8"])), mail).start()
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_worker_that_lost_its_lease_notes_nothing(stage: Stage) -> None:
    async with Receiver("hang") as receiver:
        hook = await stage.hook(receiver.url)
        await stage.hooks.PingHook(ref(hook), NO_CONTEXT)
        stage.work(total_s=1.0)
        await receiver.received(1)
        await stage.database.execute("update hooks set leased_by = 'another', leased_until = now() + interval '1 hour'")
        async with asyncio.timeout(10):
            while receiver.open:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
    (one,) = await stage.deliveries(hook)
    assert (one.state, one.attempts) == ("pending", 0)


async def test_a_queue_is_bounded_and_what_is_dropped_is_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "QUEUE", 2)
    hook = await stage.hook("https://a.example/")
    deployment = await stage.deploy()
    for state in ("BUILDING", "FAILED"):
        await stage.report(deployment, state)
    assert [one.type for one in await stage.deliveries(hook)] == ["deployment.queued", "deployment.building"]
    assert (await stage.hooks.GetHook(ref(hook), NO_CONTEXT)).dropped == 1


# --- secrets, and who may -------------------------------------------------------------------------------


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
        ("DEVELOPER", TEAM, team, "PERMISSION_DENIED"), ("OWNER", "tem_b", team, "NOT_FOUND"),
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
    await HookUpkeep(stage.database, stage.mail).sweep()
    assert await stage.deliveries(team) == []
