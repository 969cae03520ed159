"""The table: what is found, what replaces what, which endpoints live on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import ShipoffError
from router.core.hosts import Hosts
from router.core.packed import pack
from router.core.records import EndpointsRecord, Route, parse
from router.core.table import Table
from router.core.touched import Touched


def make(*records: dict[str, Any]) -> Table:
    table = Table()
    for record in records:
        value = parse(record)
        table.put_route(value) if isinstance(value, Route) else table.put_release(value)
    return table


def route(host: str, path: str = "/", release: str = "rel_1", **more: Any) -> dict[str, Any]:
    return {"host": host, "path": path, "kind": "dynamic", "release": release, **more}


def endpoints(release: str, *addresses: str, **more: Any) -> dict[str, Any]:
    listed = [{"address": a, "instance": f"i{a}"} for a in addresses]
    return {"release": release, "state": "running", "endpoints": listed, **more}


def found(table: Table, host: str, target: str = "/") -> str:
    route = table.find(host.encode(), target.encode())
    return route.release if route else "-"


def test_hosts_are_found_exactly_then_by_the_longest_wildcard() -> None:
    table = make(route("a.test", release="exact"), route("*.test", release="wide"), route("*.b.test", release="narrow"))
    assert found(table, "a.test") == found(table, "a.test:8080") == found(table, "a.test.") == "exact"
    assert found(table, "x.test") == found(table, "x.y.test:1") == "wide"
    assert found(table, "x.b.test") == found(table, "x.y.b.test") == "narrow"
    assert found(table, "b.test") == "wide"
    assert found(table, "test") == found(table, "other") == found(table, "") == found(table, "a b.test") == "-"


def test_paths_match_on_segment_borders_longest_first() -> None:
    table = make(route("a.test", "/api", "api"), route("a.test", "/", "root"), route("a.test", "/api/v2", "v2"))
    assert (
        found(table, "a.test", "/api")
        == found(table, "a.test", "/api/x?y")
        == found(table, "a.test", "/api?x")
        == "api"
    )
    assert found(table, "a.test", "/apis") == found(table, "a.test", "/") == "root"
    assert found(table, "a.test", "/api/v2/x") == "v2"
    assert found(make(route("a.test", "/only")), "a.test", "/else") == "-"


@pytest.mark.parametrize(
    "target", ["/%61dmin", "/x/../admin", "//admin", "/./admin/", "/x/%2e%2e/admin/y", "/admin//", "/x/..%2fadmin"]
)
def test_no_spelling_walks_around_a_prefix(target: str) -> None:
    assert found(make(route("a.test", "/", "open"), route("a.test", "/admin", "shut")), "a.test", target) == "shut"


def test_deleting_uncovers_what_is_left() -> None:
    table = make(route("a.test", "/api", "api"), route("a.test", "/", "root"), route("*.test", release="wild"))
    table.delete_route("a.test", "/api")
    assert found(table, "a.test", "/api") == "root"
    table.delete_route("a.test", "/")
    table.delete_route("a.test", "/")
    assert found(table, "a.test") == "wild"
    table.delete_route("*.test", "/")
    assert (found(table, "a.test"), len(table)) == ("-", 0)


def test_endpoints_that_stay_keep_their_state() -> None:
    table = make(endpoints("rel_1", "tcp:h:1", "tcp:h:2"))
    stays, leaves = table.releases["rel_1"].endpoints
    stays.in_flight = 3
    gone = table.put_release(EndpointsRecord(endpoints("rel_1", "tcp:h:3", "tcp:h:1")))
    assert gone == [leaves]
    assert leaves.gone
    assert table.releases["rel_1"].endpoints[1] is stays
    assert stays in table.delete_release("rel_1")
    assert not table.releases


def test_a_whole_new_table_takes_over_what_stays() -> None:
    old = make(endpoints("rel_1", "tcp:h:1", "tcp:h:2"), endpoints("rel_2", "tcp:h:3"))
    first, second = old.releases["rel_1"].endpoints
    new = Table()
    new.put_release(EndpointsRecord(endpoints("rel_1", "tcp:h:2", "tcp:h:9")))
    left = {first, *old.releases["rel_2"].endpoints}
    assert {e for step in new.succeed(old) for e in step} == left
    assert (len(old.releases), list(old.routes())) == (0, [])
    assert new.releases["rel_1"].endpoints[0] is second
    assert (first.gone, second.gone) == (True, False)


def test_weights_share_and_zero_gets_nothing() -> None:
    table = make(route("a.test", weights=[["one", 3], ["none", 0], ["two", 1]]), endpoints("one"), endpoints("two"))
    found_route = table.find(b"a.test", b"/")
    assert found_route is not None
    drawn = [release.id for _ in range(400) if (release := table.release_for(found_route))]
    assert set(drawn) == {"one", "two"}
    assert drawn.count("one") > drawn.count("two")


@given(
    st.lists(
        st.tuples(st.sampled_from(["a.t", "*.t", "b.t"]), st.sampled_from(["/", "/x", "/x/y"]), st.booleans()),
        max_size=20,
    )
)
def test_any_order_of_changes_ends_like_a_dict(changes: list[tuple[str, str, bool]]) -> None:
    table, truth = Table(), {}
    for n, (host, path, put) in enumerate(changes):
        if put:
            table.put_route(Route(route(host, path, f"r{n}")))
            truth[f"r:{host}{path}"] = f"r{n}"
        else:
            table.delete_route(host, path)
            truth.pop(f"r:{host}{path}", None)
    assert {r.key: r.release for r in table.routes()} == truth


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (route(""), "host"),
        (route("a b"), "host"),
        (route("a.*.test"), "host"),
        (route("*.[::1]"), "host"),
        (route("a.test:80"), "host"),
        (route("a.test."), "host"),
        (route("b\u00fccher.test"), "host"),
        (route("[0::1]"), "host"),
        (route("a.test", "/%61"), "path"),
        (route("a.test", kind=[]), "kind"),
        (route("a.test", "x"), "path"),
        (route("a.test", "/a/../b"), "path"),
        (route("a.test", release=""), "release"),
        (route("a.test", kind="magic"), "kind"),
        (route("a.test", version=-1), "version"),
        (route("a.test", weights=[["a"]]), "weights"),
        ({"host": "a.test", "path": "/", "kind": "static"}, "manifest"),
        ({"host": "a.test", "kind": "static", "weights": [["a", 1], ["b", 1]], "manifests": {"a": "x"}}, "manifests"),
        ({"host": "a.test", "kind": "static", "manifest": "x", "manifests": {"a": 1}}, "manifests"),
        ({"host": "a.test", "kind": "static", "manifest": "x", "previous": 1}, "previous"),
        ({"host": "a.test", "path": "/", "kind": "redirect", "location": "java\r\nx"}, "location"),
        ({"host": "a.test", "path": "/", "kind": "redirect", "location": "/x", "status": 200}, "location"),
        (endpoints(""), "release"),
        (endpoints("r", state="odd"), "state"),
        (endpoints("r", "http://x"), "address"),
        (endpoints("r", "tcp:h:99999"), "address"),
        (endpoints("r", "dial:relative"), "address"),
        ({"release": "r", "state": "running", "endpoints": {}}, "endpoints"),
        ({"release": "r", "state": "running", "endpoints": [{"address": "unix:/x", "instance": "a\n"}]}, "instance"),
    ],
)
def test_a_wrong_record_is_refused_by_the_name_of_its_field(record: dict[str, Any], field: str) -> None:
    with pytest.raises(ShipoffError, match=f"field '{field}'"):
        parse(record)


def test_records_survive_the_way_through_the_table() -> None:
    for record in (
        route("a.test", "/api", weights=[["r1", 90], ["r2", 10]], rules={"max_body": 1}, version=7),
        {"host": "*.b.test", "path": "/", "kind": "redirect", "location": "https://x/", "status": 301},
        {"host": "c.test", "path": "/", "kind": "static", "release": "rel", "manifest": "releases/rel/manifest.json"},
    ):
        value = parse(record)
        assert isinstance(value, Route)
        again = parse(value.record())
        assert isinstance(again, Route)
        assert again.record() == value.record()
        assert {**value.record(), **record} == value.record()


def test_a_host_with_prefixes_only_leaves_the_rest_to_the_wildcards() -> None:
    table = make(route("a.b.test", "/api", "api"), route("*.b.test", "/x", "x"), route("*.test", release="wide"))
    assert found(table, "a.b.test", "/api/1") == found(table, "a.b.test:80", "/api") == "api"
    assert found(table, "a.b.test", "/x/1") == "x"
    assert found(table, "a.b.test", "/") == found(table, "a.b.test", "/apis") == found(table, "b.test") == "wide"


def test_a_star_is_every_host_that_nothing_else_is() -> None:
    table = make(route("*", release="any"), route("*.test", release="wide"), route("a.test", "/only", "a"))
    assert found(table, "x.other") == found(table, "localhost:80") == found(table, "[::1]:80") == "any"
    assert found(table, "x.test") == found(table, "a.test") == "wide"
    assert found(table, "") == found(table, "*") == found(table, "no host") == "-"
    table.delete_route("*", "/")
    assert found(table, "x.other") == "-"


@pytest.mark.parametrize("sent", ["[::1]", "[0:0:0:0:0:0:0:1]:8080", "[0:0::0.0.0.1]"])
def test_an_address_is_found_however_it_is_written(sent: str) -> None:
    table = make(route("[::1]"))
    assert found(table, sent) == "rel_1"
    assert found(table, "[::2]") == found(table, "[1]") == found(table, "[::1") == "-"


def test_hosts_are_told_apart_by_letters_not_by_case() -> None:
    table = make(route("XN--Bcher-Kva.Test"))
    assert found(table, "xn--bcher-kva.test") == "rel_1"
    table.delete_route("xn--BCHER-kva.test", "/")
    assert len(table) == 0


def test_prefixes_are_decoded_and_so_are_targets() -> None:
    table = make(route("a.test", "/caf\u00e9", "coffee"), route("a.test", "/a b", "spaced"))
    assert found(table, "a.test", "/caf%C3%A9/menu") == found(table, "a.test", "/%63af%c3%a9") == "coffee"
    assert found(table, "a.test", "/a%20b?c") == "spaced"
    assert found(table, "a.test", "/caf%25C3%25A9") == found(table, "a.test", "*") == "-"


def test_many_prefixes_of_one_host() -> None:
    table = make(*(route("a.test", f"/p{n}/deep/er", f"r{n}") for n in range(2000)), route("a.test", release="root"))
    assert found(table, "a.test", "/p1999/deep/er/x") == "r1999"
    assert found(table, "a.test", "/p7/deep/er") == "r7"
    assert found(table, "a.test", "/p7/deep/e") == found(table, "a.test", "/" * 4000) == "root"
    for n in range(2000):
        table.delete_route("a.test", f"/p{n}/deep/er")
    assert found(table, "a.test", "/p7/deep/er") == "root"
    assert len(list(table.routes())) == len(table) == 1


def test_what_is_asked_for_stays_right_while_it_changes() -> None:
    table = make(route("a.test", release="one"))
    assert [found(table, "a.test"), found(table, "a.test:80")] == ["one", "one"]
    table.put(route("a.test", release="two"))
    assert found(table, "a.test") == "two"
    table.put(route("a.test", "/x", release="three"))
    assert [found(table, "a.test"), found(table, "a.test", "/x/y")] == ["two", "three"]
    table.delete_route("a.test", "/")
    assert [found(table, "a.test"), found(table, "a.test", "/x/y")] == ["-", "three"]
    table.put(route("a.test", "/x", release="four"))
    assert found(table, "a.test", "/x") == "four"


def test_only_so_many_routes_stay_unpacked() -> None:
    hosts = Hosts(most_warm=10)
    for n in range(100):
        made = Route(route(f"h{n}.test"))
        hosts.put(made.host, made.path, pack(made))
    for n in range(100):
        for _ in range(2):
            assert isinstance(hosts.find(b"h%d.test" % n), Route)
        assert len(hosts.warm) == min(n + 1, 10)
    assert set(hosts.warm) == {b"h%d.test" % n for n in range(90, 100)}


def test_what_is_asked_for_once_does_not_drive_out_what_is_busy() -> None:
    hosts = Hosts(most_warm=64)
    for n in range(1000):
        made = Route(route(f"h{n}.test"))
        hosts.put(made.host, made.path, pack(made))
    busy = [b"h%d.test" % n for n in range(3)]
    for key in busy * 2:
        assert isinstance(hosts.find(key), Route)
    for n in range(1000):
        assert isinstance(hosts.find(b"h%d.test" % n), Route)
    assert set(hosts.warm) == set(busy)


def test_changes_leave_a_trace_for_whoever_writes_the_table() -> None:
    table = make(route("a.test"), endpoints("rel_1", "tcp:h:1"))
    touched = table.touched = Touched()
    table.put(route("b.test", "/x"))
    table.delete_route("A.test", "/")
    table.delete_release("rel_1")
    assert len(touched) == 3
    keys = sorted(touched.drain(), key=str)
    assert keys == [(b"a.test", b""), (b"b.test", b"/x"), "rel_1"]
    assert [table.record(key) is None for key in keys] == [True, False, True]
    assert not touched
