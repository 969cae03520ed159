"""Receivers that misbehave, addresses that are refused, workers that are killed."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from control.projects.hooks import backoff, notify, worker
from control.projects.hooks.upkeep import HookUpkeep
from kernel.net_guard import NetGuard
from proto.projects.v1 import hooks_pb2 as pb
from tests.integration.control.hooks.receiver import Receiver
from tests.integration.control.hooks.stage import (
    KEY,
    NO_CONTEXT,
    TEAM,
    Stage,
    ref,
    refused,
)

# --- receivers that misbehave ---


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
    sweeper = HookUpkeep(stage.database, stage.owners)
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


# --- where it may connect ---


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


# --- many, at once, and killed ---


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
        await bad.received(worker.PER_HOST)
        await asyncio.sleep(0.5)
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
    root = Path(__file__).parents[4]
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
