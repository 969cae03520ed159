"""The tables that the bench loads: hosts with a project and a release each, and endpoints of every tenth release."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import orjson

Json = dict[str, Any]
SHARE: Final = 10
PROBE: Final = "probe.bench"


def records(hosts: int) -> Iterator[Json]:
    """The records of a table; the same ones on every call."""
    choose = random.Random(hosts)
    for n in range(hosts):
        release = f"rel_{choose.getrandbits(128):032x}"
        yield {
            "host": host(n),
            "path": "/",
            "project": f"prj_{choose.getrandbits(128):032x}",
            "environment": "production",
            "kind": "dynamic",
            "release": release,
            "rules": {},
            "version": n + 1,
        }
        if n % SHARE == 0:
            yield endpoints(release, n + 1, f"tcp:10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:8080")


def host(n: int) -> str:
    """The n-th host: 27 characters, as customers' names have."""
    return f"customer-{n:07d}.example.org"


def endpoints(release: str, version: int, address: str) -> Json:
    """The record of a release with one endpoint."""
    one = {"address": address, "instance": f"ins_{version:032x}", "weight": 1, "zone": ""}
    return {"release": release, "state": "running", "endpoints": [one], "version": version}


def probe(n: int, version: int) -> Json:
    """A host that answers by itself, and in the answer the number that tells which version of it serves."""
    return {"host": PROBE, "path": "/", "kind": "redirect", "location": f"/{n}", "status": 302, "version": version}


def field(record: Json) -> str:
    """Where a record stands in `routes:table`."""
    return f"r:{record['host']}{record['path']}" if "host" in record else f"e:{record['release']}"


def lines(hosts: int) -> Iterator[bytes]:
    """The records as lines of JSON."""
    for record in records(hosts):
        yield orjson.dumps(record) + b"\n"
