"""Custom domains against a name server of our own: who may hold which name, what people are told, what routers hear."""

from __future__ import annotations

from typing import Any

import pytest

from kernel import ids
from kernel.authority import Kind, Principal, acting_as
from kernel.errors import ShipoffError
from kernel.events import AuditRecorded, DomainsChanged
from proto.projects.v1 import domains_pb2 as pb
from tests.integration.control import dns
from tests.integration.control.realm import NO_CONTEXT, Realm, host


async def test_a_domain_is_served_once_its_txt_record_is_there(realm: Realm) -> None:
    blog = await realm.project("blog")
    made = await realm.add(blog, "WWW.Bücher.example.")
    assert (made.state, made.name, made.unicode_name) == ("pending", "www.xn--bcher-kva.example", "www.bücher.example")
    txt, cname = made.records
    assert (txt.type, txt.name, txt.proves) == ("TXT", "_shipoff.www.xn--bcher-kva.example", True)
    assert txt.value.startswith("shipoff-verification=")
    assert (cname.type, cname.name, cname.value) == ("CNAME", made.name, "blog.apps.test")
    assert await realm.hosts(blog) is None
    realm.names.txt(txt.name, "v=spf1 -all", [txt.value[:10], txt.value[10:]])  # one record in two strings
    found = await realm.check(blog, made.id)
    assert (found.state, found.proof, found.problem, found.message) == ("verified", "txt", "", "")
    assert found.verified_at_ms
    assert found.next_check_at_ms > found.checked_at_ms
    assert await realm.hosts(blog) == [host(made.name)]
    assert await realm.states() == ["verified"]


async def test_a_cname_to_the_project_proves_an_exact_name_through_a_chain(realm: Realm) -> None:
    blog = await realm.project("blog")
    await realm.add(blog, "www.shop.test")
    realm.names.cname("www.shop.test", "edge.shop.test")
    realm.names.cname("edge.shop.test", "Blog.Apps.Test")
    found = await realm.check(blog, "www.shop.test")
    assert (found.state, found.proof) == ("verified", "cname")
    assert list(found.looks[1].found) == ["edge.shop.test", "blog.apps.test"]


async def test_people_are_told_what_was_asked_and_found_and_is_expected(realm: Realm) -> None:
    blog = await realm.project("blog")
    name = "www.shop.test"
    txt, cname = (await realm.add(blog, name)).records

    async def said() -> tuple[str, list[str], str]:
        found = await realm.check(blog, name)
        assert found.state == "pending"
        return found.problem, [one.answer for one in found.looks], found.message

    problem, answers, message = await said()
    assert (problem, answers) == ("DNS_RECORD_MISSING", ["no_name", "no_name"])
    assert message == (
        f"TXT {txt.name} does not exist (NXDOMAIN); expected {txt.value}. "
        f"CNAME {name} does not exist (NXDOMAIN); expected {cname.value}."
    )
    realm.names.txt(txt.name, "shipoff-verification=another", "bad\x07\x1b[31m" + "x" * 180)
    realm.names.txt(name, "no alias")
    problem, answers, message = await said()
    assert (problem, answers) == ("DNS_RECORD_WRONG", ["found", "no_record"])
    assert "shipoff-verification=another, bad\\x07\\x1b[31mxxx" in message
    assert len(message) < 500
    realm.names.forget(txt.name)
    realm.names.cname(name, "elsewhere.test")
    problem, answers, message = await said()
    assert (problem, answers) == ("DNS_RECORD_WRONG", ["no_name", "found"])
    assert f"CNAME {name} says elsewhere.test; expected blog.apps.test." in message
    realm.names.cname("elsewhere.test", name)
    problem, answers, message = await said()
    assert (problem, answers[1]) == ("DNS_RECORD_MISSING", "loop")
    assert f"leads in a circle: elsewhere.test -> {name}" in message
    for hop in range(20):
        realm.names.cname(f"hop{hop}.test", f"hop{hop + 1}.test")
    realm.names.cname(name, "hop0.test")
    assert (await said())[1][1] == "loop"
    assert "CNAME hop9.test" not in realm.names.asked
    realm.names.fail("shop.test", dns.SERVFAIL)
    problem, answers, message = await said()
    assert (problem, answers) == ("DNS_UNREACHABLE", ["failed", "failed"])
    assert "SERVFAIL" in message
    realm.names.fail("shop.test", dns.REFUSED)
    assert (await said())[0] == "DNS_UNREACHABLE"
    realm.names.fail("shop.test", dns.SILENT)
    problem, answers, message = await said()
    assert (problem, answers) == ("DNS_UNREACHABLE", ["silent", "silent"])
    assert "was not answered in time" in message


async def test_an_apex_redirects_to_www_and_neither_way_in_a_circle(realm: Realm) -> None:
    blog = await realm.project("blog")
    with pytest.raises(ShipoffError, match="DOMAIN_REDIRECT_INVALID"):
        await realm.add(blog, "shop.test", redirect_to="www.shop.test")
    await realm.verified(blog, "www.shop.test")
    apex = await realm.verified(blog, "shop.test", redirect_to="WWW.shop.test")
    assert apex.redirect_status == 308
    both = [host("shop.test", "https://www.shop.test"), host("www.shop.test")]
    assert await realm.hosts(blog) == both
    for domain, target in (
        ("www.shop.test", "shop.test"),
        ("www.shop.test", "www.shop.test"),
        ("shop.test", "elsewhere.test"),
        ("shop.test", "1.2.3.4"),
    ):
        with pytest.raises(ShipoffError, match=r"DOMAIN_REDIRECT_INVALID|DOMAIN_INVALID"):
            await realm.change(blog, domain, redirect_to=target)
    with pytest.raises(ShipoffError, match="DOMAIN_REDIRECT_INVALID"):
        await realm.change(blog, "shop.test", redirect_status=200)
    with pytest.raises(ShipoffError, match="DOMAIN_IN_USE"):
        await realm.remove(blog, "www.shop.test")
    assert await realm.hosts(blog) == both
    await realm.change(blog, "shop.test", redirect_status=302)
    assert await realm.hosts(blog) == [host("shop.test", "https://www.shop.test", 302), host("www.shop.test")]
    await realm.change(blog, "shop.test", redirect_to="")
    assert await realm.hosts(blog) == [host("shop.test", status=302), host("www.shop.test")]
    await realm.remove(blog, "www.shop.test")
    assert await realm.hosts(blog) == [host("shop.test", status=302)]


async def test_a_redirect_to_a_name_that_is_lost_serves_the_environment_itself(realm: Realm) -> None:
    blog = await realm.project("blog")
    www = await realm.verified(blog, "www.shop.test")
    await realm.verified(blog, "shop.test", redirect_to="www.shop.test", environment="preview/next")
    assert await realm.hosts(blog, "preview/next") == [host("shop.test", "https://www.shop.test")]
    realm.names.forget(www.records[0].name)
    shop = await realm.project("shop", "tem_b")
    await realm.verified(shop, "www.shop.test")
    assert await realm.hosts(blog, "preview/next") == [host("shop.test")]
    assert await realm.hosts(blog) == []


async def test_a_domain_moves_between_environments(realm: Realm) -> None:
    blog = await realm.project("blog")
    await realm.verified(blog, "www.shop.test")
    await realm.change(blog, "www.shop.test", environment="preview/feature")
    assert await realm.hosts(blog) == []
    assert await realm.hosts(blog, "preview/feature") == [host("www.shop.test")]
    with pytest.raises(ShipoffError, match="DOMAIN_ENVIRONMENT_INVALID"):
        await realm.change(blog, "www.shop.test", environment="staging")


async def test_what_is_the_platforms_or_too_much_or_there_already_is_refused(realm: Realm) -> None:
    blog = await realm.project("blog")
    for name, code in (
        ("evil.apps.test", "DOMAIN_RESERVED"),
        ("apps.test", "DOMAIN_RESERVED"),
        ("*.shipoff.test", "DOMAIN_RESERVED"),
        ("*.test", "DOMAIN_INVALID"),
        ("10.0.0.1", "DOMAIN_INVALID"),
        ("https://shop.test/", "DOMAIN_INVALID"),
    ):
        with pytest.raises(ShipoffError, match=code):
            await realm.add(blog, name)
    for number in range(4):
        await realm.add(blog, f"n{number}.shop.test")
    with pytest.raises(ShipoffError, match="DOMAIN_LIMIT"):
        await realm.add(blog, "n4.shop.test")
    await realm.remove(blog, "n0.shop.test")
    with pytest.raises(ShipoffError, match="DOMAIN_EXISTS"):
        await realm.add(blog, "N1.shop.test")
    with pytest.raises(ShipoffError, match="PROJECT_NOT_FOUND"):
        await realm.add(ids.new("prj"), "n4.shop.test")


async def test_a_pending_claim_is_looked_at_less_and_less_often_and_expires(realm: Realm) -> None:
    blog = await realm.project("blog")
    made = await realm.add(blog, "www.shop.test")
    assert await realm.rechecks.sweep() == 1
    assert await realm.rechecks.sweep() == 0
    pauses = []
    for _ in range(12):
        await realm.database.execute("update domains set check_at = now()")
        await realm.rechecks.sweep()
        found = await realm.get(blog, made.id)
        pauses.append((found.next_check_at_ms - found.checked_at_ms) / 1000)
    assert 50 < pauses[0] < 70
    assert 3000 < pauses[-1] < 4000
    await realm.pass_days(6.5)
    await realm.rechecks.sweep()
    assert (await realm.get(blog, made.id)).state == "pending"
    await realm.pass_days(0.6)
    await realm.rechecks.sweep()
    found = await realm.get(blog, made.id)
    assert (found.state, found.next_check_at_ms) == ("expired", 0)
    assert await realm.states() == ["expired"]
    await realm.database.execute("update domains set check_at = now()")
    assert await realm.rechecks.sweep() == 0
    assert (await realm.check(blog, made.id)).state == "pending"  # somebody asked: it has its time again
    realm.prove(made)
    assert (await realm.check(blog, made.id)).state == "verified"


async def test_a_verified_domain_is_taken_off_only_by_the_dns_word_and_after_a_warning(realm: Realm) -> None:
    blog = await realm.project("blog")
    made = await realm.verified(blog, "www.shop.test")
    record = made.records[0].name

    async def days(count: int) -> list[str]:
        states = []
        for _ in range(count):
            await realm.pass_days(1.2)
            await realm.rechecks.sweep()
            states.append((await realm.get(blog, made.id)).state)
        return states

    realm.names.fail("shop.test", dns.SILENT)
    assert await days(1) == ["verified"]
    realm.names.fail("shop.test", dns.SERVFAIL)  # as good as silent, and faster
    assert set(await days(25)) == {"verified"}
    realm.names.forget("shop.test", record)
    assert await days(5) == ["verified", "verified", "verified", "failing", "failing"]
    assert await realm.hosts(blog) == [host("www.shop.test")]
    realm.names.fail("shop.test", dns.SERVFAIL)
    assert set(await days(25)) == {"failing"}
    realm.names.forget("shop.test")
    realm.prove(made)
    assert await days(1) == ["verified"]
    realm.names.forget(record)
    states = await days(20)
    assert states == ["verified"] * 3 + ["failing"] * 14 + ["expired"] * 3
    assert await realm.hosts(blog) == []
    assert await realm.states() == ["verified", "failing", "verified", "failing", "expired"]


async def test_roles_and_other_teams_are_told_apart(realm: Realm) -> None:
    blog = await realm.project("blog")
    shop = await realm.project("shop", "tem_b")
    made = await realm.add(blog, "www.shop.test")

    def member(role: str, team: str = "tem_a") -> Principal:
        return Principal(Kind.SESSION, account_id="acc_x", teams={team: role})

    calls: list[tuple[str, Any]] = [
        ("ADMIN", lambda: realm.add(blog, "a.shop.test")),
        ("VIEWER", lambda: realm.get(blog, made.id)),
        ("VIEWER", lambda: realm.server.ListDomains(pb.ListDomainsRequest(project_id=blog), NO_CONTEXT)),
        ("ADMIN", lambda: realm.check(blog, made.id)),
        ("ADMIN", lambda: realm.change(blog, made.id, redirect_status=301)),
        ("ADMIN", lambda: realm.remove(blog, made.id)),
    ]
    for least, call in calls:
        with acting_as(member("OWNER", "tem_b")), pytest.raises(ShipoffError, match="PROJECT_NOT_FOUND"):
            await call()
        if least == "ADMIN":
            with acting_as(member("DEVELOPER")), pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
                await call()
        with acting_as(member(least)):
            await call()
    other = await realm.add(shop, "b.shop.test")
    with acting_as(member("OWNER")):
        for call in (realm.get, realm.check, realm.remove):
            for key in (other.id, "b.shop.test", "no name", ""):
                with pytest.raises(ShipoffError, match="DOMAIN_NOT_FOUND"):
                    await call(blog, key)
        with pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
            await realm.server.ListHosts(pb.ListHostsRequest(), NO_CONTEXT)


async def test_the_platform_reads_all_lists_page_by_page(realm: Realm) -> None:
    blog, shop = sorted([await realm.project("blog"), await realm.project("shop", "tem_b")])
    await realm.verified(blog, "www.shop.test")
    await realm.verified(blog, "shop.test", redirect_to="www.shop.test")
    await realm.add(blog, "pending.shop.test")
    await realm.verified(shop, "a.blog.test", environment="preview/x")
    await realm.verified(shop, "b.blog.test")
    await realm.remove(shop, "b.blog.test")
    found: list[pb.HostList] = []
    while True:
        after = (found[-1].project_id, found[-1].environment) if found else ("", "")
        request = pb.ListHostsRequest(after_project_id=after[0], after_environment=after[1], limit=1)
        page = (await realm.server.ListHosts(request, NO_CONTEXT)).lists
        if not page:
            break
        found += page
    assert [(one.project_id, one.environment) for one in found] == [
        (blog, "production"),
        (shop, "preview/x"),
        (shop, "production"),
    ]
    for one in found:
        hosts = [{"host": h.host, "location": h.location, "status": h.status} for h in one.hosts]
        assert hosts == await realm.hosts(one.project_id, one.environment)
    told = [one.ordinal for one in await realm.told() if isinstance(one, DomainsChanged)]
    assert {one.ordinal for one in found} <= set(told)


async def test_changes_are_recorded_for_the_team_whose_domain_it_is(realm: Realm) -> None:
    blog, shop = await realm.project("blog"), await realm.project("shop", "tem_b")
    ours = await realm.verified(blog, "www.shop.test")
    with acting_as(Principal(Kind.SESSION, account_id="acc_b", teams={"tem_b": "OWNER"})):
        theirs = await realm.add(shop, "www.shop.test", environment="preview/x")
        realm.names.txt(theirs.records[0].name, theirs.records[0].value)
        await realm.check(shop, theirs.id)
        await realm.change(shop, theirs.id, environment="production")
        await realm.remove(shop, theirs.id)
    told = [one for one in await realm.told() if isinstance(one, AuditRecorded) and one.target == ours.name]
    assert [(one.action, one.team_id, one.actor_id) for one in told] == [
        ("domain.create", "tem_a", "test"),
        ("domain.verified", "tem_a", "test"),
        ("domain.create", "tem_b", "acc_b"),
        ("domain.expired", "tem_a", "projects"),  # not by whom
        ("domain.verified", "tem_b", "acc_b"),
        ("domain.update", "tem_b", "acc_b"),
        ("domain.delete", "tem_b", "acc_b"),
    ]
    assert (told[5].before["environment"], told[5].after["environment"]) == ("preview/x", "production")
    assert not any(ours.records[0].value[-20:] in str(one) for one in told)
