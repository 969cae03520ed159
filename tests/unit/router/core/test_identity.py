"""Whose an address is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.core.records import EndpointsRecord
from router.core.table import Table


def record(release: str, version: int, *listed: tuple[str, str]) -> EndpointsRecord:
    endpoints = [{"address": f"unix:/{address}", "instance": instance} for address, instance in listed]
    return EndpointsRecord({"release": release, "state": "running", "version": version, "endpoints": endpoints})


def shown(table: Table) -> dict[str, list[tuple[str, str]]]:
    return {one.id: [(e.address[6:], e.instance) for e in one.endpoints] for one in table.releases.values()}


def test_the_newest_record_gives_an_address_its_instance() -> None:
    table = Table()
    table.put_release(record("rel_a", 3, ("x", "ins_1"), ("y", "ins_2")))
    old = table.releases["rel_a"].endpoints[0]
    assert table.put_release(record("rel_b", 5, ("x", "ins_9"))) == [old]
    assert old.gone
    assert shown(table) == {"rel_a": [("y", "ins_2")], "rel_b": [("x", "ins_9")]}


def test_an_older_record_that_comes_late_does_not_take_it_back() -> None:
    table = Table()
    table.put_release(record("rel_b", 5, ("x", "ins_9")))
    assert table.put_release(record("rel_a", 3, ("x", "ins_1"))) == []
    assert shown(table) == {"rel_a": [], "rel_b": [("x", "ins_9")]}


def test_one_instance_may_serve_two_releases() -> None:
    table = Table()
    table.put_release(record("rel_a", 3, ("x", "ins_1")))
    table.put_release(record("rel_b", 5, ("x", "ins_1")))
    assert shown(table) == {"rel_a": [("x", "ins_1")], "rel_b": [("x", "ins_1")]}
    table.put_release(record("rel_c", 6, ("x", "ins_2")))
    assert shown(table) == {"rel_a": [], "rel_b": [], "rel_c": [("x", "ins_2")]}


def test_an_address_that_nobody_uses_is_forgotten() -> None:
    table = Table()
    table.put_release(record("rel_a", 3, ("x", "ins_1")))
    table.put_release(record("rel_a", 4, ("x", "ins_2")))
    assert shown(table) == {"rel_a": [("x", "ins_2")]}
    table.put_release(record("rel_a", 5))
    table.put_release(record("rel_b", 2, ("x", "ins_0")))
    assert shown(table) == {"rel_a": [], "rel_b": [("x", "ins_0")]}
    table.delete_release("rel_b")
    assert not len(table.releases._owners)


def test_a_resync_decides_alike_in_any_order() -> None:
    listed = [record("rel_a", 3, ("x", "ins_1")), record("rel_b", 5, ("x", "ins_9"))]
    for records in (listed, listed[::-1]):
        old, table = Table(), Table()
        for one in listed:
            old.put_release(one)
        live = old.releases["rel_b"].endpoints[0]
        for one in records:
            table.put_release(one)
        assert [e for step in table.succeed(old) for e in step] == []
        assert shown(table) == {"rel_a": [], "rel_b": [("x", "ins_9")]}
        assert table.releases["rel_b"].endpoints[0] is live


def twins() -> tuple[Table, Table]:
    old, new = Table(), Table()
    for table in (old, new):
        for n in range(3):
            table.put_release(record(f"rel_{n}", 3, ("x" * (n + 1), "ins_1"), ("y" * (n + 1), "ins_2")))
    return old, new


def test_a_new_table_goes_on_with_the_releases_that_are_in_use() -> None:
    old, new = twins()
    live = old.releases["rel_1"]
    live.budget.requests = 5
    assert [e for step in new.succeed(old) for e in step] == []
    assert new.releases["rel_1"].endpoints == live.endpoints
    assert new.releases["rel_1"].budget is live.budget
    assert new.put_release(record("rel_2", 9, ("xx", "ins_3"))) == [live.endpoints[0]]
    assert [e.instance for e in new.releases["rel_1"].endpoints] == ["ins_2"]


def test_a_release_that_is_asked_for_just_after_the_swap_is_the_one_of_before() -> None:
    old, new = twins()
    first, second = old.releases["rel_1"].endpoints
    steps = new.succeed(old)
    assert list(new.releases["rel_1"].endpoints) == [first, second]
    new.put_release(record("rel_1", 9, ("yy", "ins_2")))
    assert [e for step in steps for e in step] == [first]
    assert list(new.releases["rel_1"].endpoints) == [second]
    assert (first.gone, second.gone) == (True, False)


def test_a_table_that_is_built_and_not_used_changes_nothing() -> None:
    old, _ = twins()
    live = old.releases["rel_1"].endpoints
    aside = Table()
    aside.put_release(EndpointsRecord({"release": "rel_1", "state": "running", "endpoints": [
        {"address": "unix:/xx", "instance": "ins_1", "weight": 9}
    ]}))  # fmt: skip
    assert old.releases["rel_1"].endpoints == live
    assert [(e.weight, e.gone) for e in live] == [(1, False)] * 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("123")), max_size=3, unique_by=lambda t: t[0]),
        ),
        max_size=12,
    ),
    st.randoms(),
)
def test_no_two_instances_ever_have_an_address(puts: list[tuple[str, list[tuple[str, str]]]], random: object) -> None:
    order = list(enumerate(puts, 1))
    random.shuffle(order)  # type: ignore[attr-defined]
    table = Table()
    gone: list[object] = []
    for version, (release, listed) in order:
        known = table.releases.get(release)
        if known is not None and known.version >= version:
            continue  # as the feed does
        gone += table.put_release(record(release, version, *listed))
        owners: dict[str, str] = {}
        for one in table.releases.values():
            for endpoint in one.endpoints:
                assert owners.setdefault(endpoint.address, endpoint.instance) == endpoint.instance
                assert not endpoint.gone
                assert endpoint not in gone
