"""What a worker tells of itself to its admin door: lookups, connections, pools, endpoints aside, the table.

Every answer is bounded (`MOST` entries, newest or busiest first, with how many there are) and made in one go, in about
a millisecond; nothing here waits, counts a request or changes what would happen to one.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from router.core.balance import Endpoint
from router.core.explain import Asked, explain, shown
from router.core.host import canonical
from router.core.records import DYNAMIC, STATIC, Route
from router.core.releases import Release
from router.core.target import path_of
from router.edge.context import Edge

if TYPE_CHECKING:
    from router.edge.server import Client

Json = dict[str, Any]
MOST: Final = 200


class Debug:
    """Answers questions about one worker."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._answers: dict[str, Callable[[Json], Json]] = {
            "lookup": self._lookup,
            "connections": self._connections,
            "pools": self._pools,
            "ejections": self._ejections,
            "table": self._table,
        }

    def answer(self, question: Json) -> Json:
        """The answer, or what is wrong with the question."""
        found = self._answers.get(str(question.get("ask")))
        return found(question) if found is not None else {"error": "unknown question"}

    # --- what would this request do ----------------------------------------------------------------------------------

    def _lookup(self, question: Json) -> Json:
        """What would happen to a request; `host`, `path`, `method`, `scheme`, `ip`."""
        table = self._edge.table
        asked = Asked(
            str(question.get("host", "")).lower().encode(),
            str(question.get("path", "/")).encode(),
            str(question.get("method", "GET")),
            str(question.get("scheme", "http")),
            str(question.get("ip", "")),
        )
        found: Json = {"version": table.version, "host": None, "path": path_of(asked.target).decode("latin-1")}
        name = canonical(asked.host)
        found["host"] = name.decode() if name is not None else None
        route = table.find(asked.host, asked.target)
        if route is None:
            error = "NO_ROUTE" if name is not None else "BAD_HOST"
            return found | {"route": None, "release": None, "error": error}
        found |= {"route": shown(route), "matched": _matched(route, name), "rules": explain(route.policy, asked)}
        return found | self._releases(route)

    def _releases(self, route: Route) -> Json:
        table = self._edge.table
        names, last = [], 0
        for name, bound in route.weights:
            names.append((name, bound - last))
            last = bound
        names = names or ([(route.release, 1)] if route.release else [])
        total = sum(weight for _, weight in names) or 1
        told = [
            {"share": round(weight / total, 4), **self._release(route, name, table.releases.get(name))}
            for name, weight in names[:MOST]
        ]
        release = table.releases.get(names[0][0]) if len(names) == 1 else None
        return {
            "release": release.record() if release is not None else None,
            "releases": told if route.kind in (DYNAMIC, STATIC) else [],
            "endpoints": [one.describe(self._edge.now) for one in (release.endpoints[:MOST] if release else ())],
        }

    def _release(self, route: Route, name: str, release: Release | None) -> Json:
        if route.kind == STATIC:
            return {"release": name, "manifest": route.manifests.get(name, route.manifest)}
        if release is None:
            return {"release": name, "state": None, "error": "NO_INSTANCE"}
        lane = self._edge.guard.lanes.lane(name)
        return {
            "release": name,
            "state": release.state,
            "version": release.version,
            "waiting": len(lane.queue) if lane else 0,
            "retries_left": self._retries_left(release),
            "endpoints": [one.describe(self._edge.now) for one in release.endpoints[:MOST]],
            "endpoints_in_all": len(release.endpoints),
        }

    def _retries_left(self, release: Release) -> float:
        settings = self._edge.settings
        return round(release.budget.left(settings.retry_share, settings.retry_per_s, self._edge.now), 1)

    # --- what is going on --------------------------------------------------------------------------------------------

    def _connections(self, question: Json) -> Json:
        """Client connections, those whose request runs longest first."""
        edge = self._edge
        longest = heapq.nsmallest(MOST, edge.clients, key=_since)
        return {
            "clients": len(edge.clients),
            "clients_most": edge.most_clients,
            "tunnels": len(edge.tunnels),
            "in_flight": edge.in_flight,
            "waiting": edge.guard.lanes.waiting(),
            "shown": [_connection(client) for client in longest],
        }

    def _pools(self, question: Json) -> Json:
        """Endpoints with pooled connections, the largest pools first."""
        edge = self._edge
        largest = heapq.nlargest(MOST, edge.pools, key=_pooled)
        return {
            "endpoints": len(edge.pools),
            "pooled": sum(map(_pooled, edge.pools)),
            "upstreams": edge.upstreams,
            "upstreams_most": edge.most_upstreams,
            "shown": self._described(largest),
        }

    def _ejections(self, question: Json) -> Json:
        """Endpoints that are set aside, those for longest first."""
        aside = [one for one in self._edge.prober.endpoints() if not one.gone]
        longest = heapq.nlargest(MOST, aside, key=_aside_until)
        return {"aside": len(aside), "shown": self._described(longest)}

    def _table(self, question: Json) -> Json:
        edge = self._edge
        table, metrics = edge.table, edge.metrics
        age, frozen = edge.table_age()
        return {
            "epoch": table.epoch,
            "version": table.version,
            "hosts": len(table),
            "releases": len(table.releases),
            "age_s": round(age, 3),
            "frozen": frozen,
            "resyncs": metrics.resyncs,
            "events": metrics.events,
            "poisoned": metrics.poisoned,
            "now": time.time(),
        }

    def _described(self, endpoints: Iterable[Endpoint]) -> list[Json]:
        return [one.describe(self._edge.now) for one in endpoints]


def _matched(route: Route, name: bytes | None) -> Json:
    exact = not route.host.startswith(b"*")
    return {
        "host": route.host.decode(),
        "by": "exact host" if exact else "wildcard",
        "path": route.path.decode("latin-1") or "/",
        "path_by": "longest prefix" if route.path else "whole host",
        "as_sent": exact and name == route.host,
    }


def _since(client: Client) -> float:
    request = client.request
    return request.started if request is not None else float("inf")


def _pooled(endpoint: Endpoint) -> int:
    return len(endpoint.idle)


def _aside_until(endpoint: Endpoint) -> float:
    return endpoint.aside_until


def _connection(client: Client) -> Json:
    told = client.describe()
    request = client.request
    if request is not None:
        endpoint = request.endpoint
        told |= {
            "request": request.id.decode("latin-1"),
            "method": request.head.method.decode("latin-1"),
            "target": request.head.target[:1024].decode("latin-1"),
            "host": request.head.host[:255].decode("latin-1"),
            "since_s": round(perf_counter() - request.started, 3),
            "release": request.release,
            "instance": endpoint.instance if endpoint is not None else "",
            "attempts": request.attempts,
            "received": request.received,
            "sent": request.sent,
        }
    return told
