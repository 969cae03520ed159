"""One table in this process: how long it loads, what it takes, how long a lookup is; run by __main__.py.

`python -m bench.route_table.lookups FILE HOSTS table|dict` prints one JSON object.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench.route_table.records import host
from router.core.table import Table

LOOKUPS = 20_000
ROUNDS = 9
Find = Callable[[bytes, bytes], object]


class Plain:
    """The baseline: what a record is without any thought, in slots."""

    __slots__ = ("environment", "host", "kind", "path", "project", "release", "rules", "version")

    def __init__(self, record: dict[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, record.get(name))


def load_table(file: Path) -> Find:
    """The router's table."""
    table = Table()
    with file.open("rb") as lines:
        for line in lines:
            table.put(orjson.loads(line))
    for n in range(100):
        table.put({"host": f"*.wild-{n}.example.net", "kind": "maintenance"})
        table.put({"host": f"paths-{n}.example.org", "kind": "maintenance"})
        table.put({"host": f"paths-{n}.example.org", "path": "/api/v2", "kind": "maintenance"})
    return table.find


def load_dict(file: Path) -> Find:
    """A dict of slotted objects, nothing validated."""
    hosts: dict[bytes, Plain] = {}
    with file.open("rb") as lines:
        for line in lines:
            record = orjson.loads(line)
            if "host" in record:
                hosts[record["host"].encode()] = Plain(record)
    return lambda host, _: hosts.get(host)


def lookup_ns(find: Find, asked: list[tuple[bytes, bytes]]) -> float:
    """Median over rounds; names are fresh bytes, as those that come off the wire are."""
    took = []
    for _ in range(ROUNDS):
        fresh = [(bytes(bytearray(name)), path) for name, path in asked]
        started = time.process_time_ns()
        for name, path in fresh:
            find(name, path)
        took.append((time.process_time_ns() - started) / len(fresh))
    return statistics.median(took)


def questions(hosts: int) -> dict[str, list[tuple[bytes, bytes]]]:
    """What is asked, by kind."""
    choose = random.Random(1)
    some = [host(choose.randrange(hosts)).encode() for _ in range(LOOKUPS)]
    few = some[: LOOKUPS // 10]
    return {
        "busy hosts": [(name, b"/index.html") for name in few * 10],
        "miss": [(b"no-" + name, b"/") for name in some],
        "wildcard": [(b"shop-%d.wild-%d.example.net" % (n, n % 100), b"/") for n in range(LOOKUPS)],
        "path prefix": [(b"paths-%d.example.org" % (n % 100), b"/api/v2/items?page=3") for n in range(LOOKUPS)],
    }


def any_host_ns(find: Find, hosts: int) -> float:
    """Hosts drawn evenly from all, each asked once in a while: the worst that traffic can do."""
    choose = random.Random(2)
    return lookup_ns(find, [(host(choose.randrange(hosts)).encode(), b"/") for _ in range(LOOKUPS * 5)])


def memory_mb() -> float:
    """Resident megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    file, hosts, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    before, started = memory_mb(), time.process_time()
    gc.disable()
    find = load_table(file) if kind == "table" else load_dict(file)
    gc.freeze()
    gc.enable()
    found = {"load_s": time.process_time() - started, "memory_mb": memory_mb() - before}
    if kind == "table":
        found |= {name: lookup_ns(find, asked) for name, asked in questions(hosts).items()}
    else:
        found["busy hosts"] = lookup_ns(find, questions(hosts)["busy hosts"])
    found["any host"] = any_host_ns(find, hosts)
    print(orjson.dumps(found).decode())


if __name__ == "__main__":
    main()
