"""Packed routes: what comes out is what went in, and the short way decides as the long one does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import ids
from kernel.errors import ShipoffError
from router.core.packed import pack, pack_plain, unpack, unpack_record, version_of
from router.core.records import Route
from router.core.table import Table

REL, PRJ = ids.new("rel"), ids.new("prj")


def ordinary(**more: Any) -> dict[str, Any]:
    record = {"host": "a.test", "path": "/", "project": PRJ, "environment": "production", "kind": "dynamic"}
    return {**record, "release": REL, "rules": {}, "version": 7, **more}


def through(record: dict[str, Any]) -> Route:
    route = Route(record)
    return unpack(route.host, route.path, pack(route))


STATIC = {"kind": "static", "manifest": f"releases/{REL}/manifest.json"}
SOME = [
    ordinary(),
    ordinary(**STATIC),
    ordinary(weights=[[REL, 100]]),
    ordinary(kind="static", manifest="elsewhere.json"),
    ordinary(**STATIC, previous="releases/rel_0/manifest.json"),
    ordinary(kind="static", weights=[["rel_a", 3], ["rel_b", 1]], manifests={"rel_a": "a.json", "rel_b": "b.json"}),
    ordinary(**STATIC, weights=[["rel_a", 3], ["rel_b", 0]], manifests={"rel_a": "a.json", "rel_b": "b.json"}),
    ordinary(host="*.wild.test", path="/api/v1"),
    ordinary(environment="preview/a-b"),
    ordinary(environment=""),
    ordinary(release="rel_1", project="prj_1"),
    ordinary(release=REL.upper()),
    ordinary(release="rel_" + " ".join(REL[4:12]) + REL[19:]),
    ordinary(release="", weights=[["rel_a", 3], ["rel_b", 1], ["rel_c", 0]]),
    ordinary(rules={"max_body": 5, "https": {"hsts_s": 9}}),
    ordinary(version=2**63 - 1),
    ordinary(project="prj_é"),
    {"host": "[::1]", "path": "/x", "kind": "redirect", "location": "https://x.test/", "status": 301},
    {"host": "a.test", "kind": "maintenance"},
]


@pytest.mark.parametrize("record", SOME)
def test_a_route_comes_out_as_it_went_in(record: dict[str, Any]) -> None:
    before, after = Route(record), through(record)
    for name in Route.__slots__:
        if name == "policy":
            assert (before.policy and before.policy.record) == (after.policy and after.policy.record)
        else:
            assert getattr(before, name) == getattr(after, name), name
    packed = pack(before)
    assert version_of(packed) == before.version
    assert Route(unpack_record(before.host, before.path, packed)).record() == before.record()


def test_an_ordinary_route_takes_few_bytes() -> None:
    assert len(pack(Route(ordinary()))) == len(pack(Route(ordinary(**STATIC)))) == 41


VALUES = st.sampled_from(
    [
        None,
        "",
        0,
        -1,
        True,
        7,
        2**63,
        [],
        {},
        "/",
        "/a",
        "a.test",
        "A.test",
        "a..test",
        "a.test.",
        "-a",
        "dynamic",
        "static",
    ]
    + [
        "production",
        "x",
        REL,
        PRJ,
        REL.upper(),
        REL[:-1] + "G",
        "rel_" + "é" * 32,
        "rel_" + "€" * 32,
        "prj_" + "0" * 31 + "\0",
        [[REL, 100]],
        [[REL, 1]],
        [[REL, 100.0]],
        {"no": 1},
        308,
        308.0,
    ]
    + [f"releases/{REL}/manifest.json", "https://x.test/"]
)


@given(
    st.dictionaries(
        st.sampled_from(list(ordinary(manifest="", weights=[], location="", status=308))), VALUES, max_size=3
    )
)
def test_the_short_way_takes_only_what_the_long_one_takes_and_makes_the_same(more: dict[str, Any]) -> None:
    record = ordinary(**more)
    short = pack_plain(record)
    try:
        route = Route(record)
    except ShipoffError:
        assert short is None
    else:
        assert short in (None, (route.host, pack(route)))


def test_the_short_way_is_the_way_of_what_the_orchestrator_writes() -> None:
    for record in (ordinary(), ordinary(**STATIC), ordinary(weights=[], status=308, location="")):
        assert pack_plain(record) is not None


def test_a_refused_record_leaves_the_table_as_it_was() -> None:
    table = Table()
    table.put(ordinary())
    wrong: list[Any] = [ordinary(kind="magic"), ordinary(rules={"unknown": 1}), ordinary(version=2**63), [], None, "x"]
    for bad in wrong:
        with pytest.raises(ShipoffError, match="RECORD_INVALID"):
            table.put(bad)
    assert [r.record() for r in table.routes()] == [Route(ordinary()).record()]
