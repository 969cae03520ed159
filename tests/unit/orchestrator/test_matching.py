"""The orchestrator names the route that the routers take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.matching import best, candidates
from router.core.table import Table

HOSTS = st.sampled_from(["a.b.c", "b.c", "x.a.b.c", "*.b.c", "*.c", "*.a.b.c", "*", "c"])
PATHS = st.sampled_from(["/", "/api", "/api/v1", "/apis", "/é", "/a b"])
ASKED_HOSTS = st.sampled_from(["a.b.c", "A.B.C:8080", "b.c.", "x.a.b.c", "y.x.b.c", "c", "other", "d.c"])
ASKED_PATHS = st.sampled_from(
    ["/", "/api", "/api/", "/api/v1/x", "/apis/x", "//api/./v2/../v1", "/%C3%A9/x", "/a%20b", "/n"]
)


@given(st.dictionaries(st.tuples(HOSTS, PATHS), st.none(), max_size=8), ASKED_HOSTS, ASKED_PATHS)
def test_it_is_the_one_that_the_table_finds(routes: dict[tuple[str, str], None], host: str, path: str) -> None:
    table, records = Table(), []
    for n, (name, prefix) in enumerate(routes):
        record = {"host": name, "path": prefix, "project": "prj_1", "environment": "production", "kind": "redirect",
                  "location": f"/{n}", "status": 302, "version": n + 1}  # fmt: skip
        table.put(record)
        records.append(record)
    found, route = best(records, host, path), table.find(host.lower().encode(), path.encode())
    assert (found or {}).get("location") == (route.location if route is not None else None)


def test_candidates_go_from_the_host_to_any() -> None:
    assert candidates("A.b.c:80") == ["a.b.c", "*.b.c", "*.c", "*"]
    assert candidates("[::1]:80")[0] == "[::1]"
