"""Who may hold a name: one project at a time, by what the DNS says, and nobody by what another one left behind."""

from __future__ import annotations

from kernel.events import DomainsChanged
from proto.projects.v1 import projects_pb2
from tests.integration.control import dns
from tests.integration.control.realm import NO_CONTEXT, Realm, host


async def test_many_may_claim_a_name_and_only_who_proves_it_holds_it(realm: Realm) -> None:
    blog, shop = await realm.project("blog"), await realm.project("shop", "tem_b")
    ours, theirs = await realm.add(blog, "www.shop.test"), await realm.add(shop, "www.shop.test")
    assert ours.records[0].value != theirs.records[0].value
    realm.prove(theirs)
    assert (await realm.check(blog, ours.id)).state == "pending"
    assert (await realm.check(shop, theirs.id)).state == "verified"
    realm.prove(ours)  # both records stand: who has it keeps it
    found = await realm.check(blog, ours.id)
    assert (found.state, found.problem) == ("pending", "DOMAIN_HELD")
    assert "another project holds this name" in found.message
    assert await realm.hosts(blog) is None
    realm.names.txt(ours.records[0].name, ours.records[0].value)  # theirs is gone: the name was sold
    assert (await realm.check(blog, ours.id)).state == "verified"
    assert (await realm.get(shop, theirs.id)).state == "expired"
    assert await realm.hosts(shop) == []
    assert await realm.hosts(blog) == [host("www.shop.test")]
    lists = [one for one in await realm.told() if isinstance(one, DomainsChanged)]
    assert [one.ordinal for one in lists] == sorted({one.ordinal for one in lists})


async def test_a_name_is_not_taken_from_who_holds_it_while_its_dns_is_silent(realm: Realm) -> None:
    blog, shop = await realm.project("blog"), await realm.project("shop", "tem_b")
    await realm.add(blog, "www.shop.test")
    realm.names.cname("www.shop.test", "blog.apps.test")
    assert (await realm.check(blog, "www.shop.test")).state == "verified"
    realm.prove(await realm.add(shop, "www.shop.test"))
    realm.names.fail("www.shop.test", dns.SERVFAIL)  # what the holder has is not answered
    realm.names.fail("_shipoff.www.shop.test", dns.FINE)
    found = await realm.check(shop, "www.shop.test")
    assert (found.state, found.problem) == ("pending", "DOMAIN_HELD")
    assert (await realm.get(blog, "www.shop.test")).state == "verified"


async def test_a_cname_that_another_team_left_behind_proves_nothing(realm: Realm) -> None:
    old = await realm.project("blog")
    await realm.add(old, "www.shop.test")
    realm.names.cname("www.shop.test", "blog.apps.test")
    assert (await realm.check(old, "www.shop.test")).state == "verified"
    await realm.projects.DeleteProject(projects_pb2.DeleteProjectRequest(project_id=old), NO_CONTEXT)
    assert await realm.hosts(old) == []
    new = await realm.project("blog", "tem_b")  # the project's name was free again
    made = await realm.add(new, "www.shop.test")
    found = await realm.check(new, made.id)
    assert (found.state, found.problem) == ("pending", "DNS_TXT_REQUIRED")
    assert "TXT record is needed" in found.message
    realm.prove(made)
    assert (await realm.check(new, made.id)).state == "verified"


async def test_the_same_team_may_go_on_with_its_own_cname(realm: Realm) -> None:
    old = await realm.project("blog")
    await realm.add(old, "www.shop.test")
    realm.names.cname("www.shop.test", "blog.apps.test")
    await realm.check(old, "www.shop.test")
    await realm.projects.DeleteProject(projects_pb2.DeleteProjectRequest(project_id=old), NO_CONTEXT)
    new = await realm.project("blog")
    await realm.add(new, "www.shop.test")
    assert (await realm.check(new, "www.shop.test")).state == "verified"


async def test_a_wildcard_needs_txt_and_names_below_it_their_own_proof(realm: Realm) -> None:
    blog, shop = await realm.project("blog"), await realm.project("shop", "tem_b")
    made = await realm.add(blog, "*.shop.test")
    assert [one.proves for one in made.records] == [True, False]
    assert made.records[0].name == "_shipoff.shop.test"
    realm.names.cname("*.shop.test", "blog.apps.test")
    assert (await realm.check(blog, made.id)).state == "pending"
    realm.prove(made)
    assert (await realm.check(blog, made.id)).state == "verified"
    below = await realm.add(shop, "deep.www.shop.test")
    realm.names.cname("deep.www.shop.test", "shop.apps.test")
    assert (await realm.check(shop, below.id)).problem == "DNS_TXT_REQUIRED"
    realm.prove(below)
    assert (await realm.check(shop, below.id)).state == "verified"
    own = await realm.add(blog, "api.shop.test")  # the wildcard's own team may
    realm.names.cname("api.shop.test", "blog.apps.test")
    assert (await realm.check(blog, own.id)).state == "verified"
