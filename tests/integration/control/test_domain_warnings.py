"""Who is told that a domain fails or was taken off: the owners by mail, once, and hooks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from control.projects.domains.decide import Patience
from control.projects.domains.warnings import Warnings
from control.projects.owners import Owners
from kernel.rpc import RpcClient, RpcServer
from proto.auth.v1.mail_pb2_grpc import add_MailServicer_to_server
from tests.integration.control.hooks.stage import Post
from tests.integration.control.realm import Realm


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
async def warnings(realm: Realm, post: Post) -> AsyncIterator[Warnings]:
    server = RpcServer("127.0.0.1:0", "t")
    server.add(add_MailServicer_to_server, post)
    client = RpcClient(f"127.0.0.1:{await server.start()}", "t", idempotent=frozenset({"SendMail"}))
    yield Warnings(realm.database, Owners(client), Patience(7, 3, 14))
    await client.close()
    await server.stop(0)


async def days(realm: Realm, count: int) -> None:
    for _ in range(count):
        await realm.pass_days(1.2)
        await realm.rechecks.sweep()


async def test_owners_are_told_once_that_a_domain_fails_and_that_it_was_taken_off(
    realm: Realm, warnings: Warnings, post: Post
) -> None:
    made = await realm.verified(await realm.project("blog"), "www.shop.test")
    await warnings.sweep()
    assert post.mails == {}
    realm.names.forget(made.records[0].name)
    await days(realm, 5)
    for _ in range(2):
        await warnings.sweep()
    [failing] = post.mails.values()
    assert (failing.team_id, failing.to, failing.subject) == ("tem_a", "", "The DNS record of www.shop.test is gone")
    for said in ("in 14 days", "does not exist (NXDOMAIN)", "shipoff domains check www.shop.test --project blog"):
        assert said in failing.text
    await days(realm, 14)
    await warnings.sweep()
    assert [one.subject for one in post.mails.values()][1:] == ["www.shop.test is no longer served"]


async def test_nobody_is_told_of_what_was_mended_before_or_never_proven(
    realm: Realm, warnings: Warnings, post: Post
) -> None:
    blog = await realm.project("blog")
    made = await realm.verified(blog, "www.shop.test")
    await realm.add(blog, "never.shop.test")
    realm.names.forget(made.records[0].name)
    await days(realm, 7)
    assert await realm.states() == ["verified", "failing", "expired"]
    realm.prove(made)
    await days(realm, 1)
    await warnings.sweep()
    assert post.mails == {}


async def test_what_cannot_be_sent_is_tried_again_for_a_day(realm: Realm) -> None:
    made = await realm.verified(await realm.project("blog"), "www.shop.test")
    realm.names.forget(made.records[0].name)
    await days(realm, 5)
    nobody = RpcClient("127.0.0.1:1", "t")
    warnings = Warnings(realm.database, Owners(nobody), Patience(7, 3, 14))
    try:
        await warnings.sweep()
        assert await realm.database.fetchval("select owed from domains") == "failing"
        await realm.database.execute("update domains set owed_at = now() - interval '2 days'")
        await warnings.sweep()
        assert await realm.database.fetchval("select owed from domains") == ""
    finally:
        await nobody.close()
