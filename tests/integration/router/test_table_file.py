"""The table from a file: whole or not at all, and requests go on while it is read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernel.errors import ShipoffError
from kernel.tasks import spawn
from router.edge.context import Edge
from router.loading import SLICE_S
from router.settings import RouterSettings
from router.table_file import TableFile
from tests.integration.router.publisher import hosts
from tests.integration.router.wire import endpoints, route

WriteTable = Callable[..., Path]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"host": "a b", "kind": "dynamic"}', "field 'host'"),
        ('{"host": "b.test", "kind": "dynamic", "release": "r", "path": "/../x"}', "field 'path'"),
        ('{"host": "b.test", "kind": "dynamic", "release": "r", "rules": {"max_body": -1}}', "'rules.max_body'"),
        ('{"host": "b.test", "kind": "dynamic", "release": "r", "rules": {"unheard": 1}}', "'rules.unheard'"),
        ('{"release": "r", "state": "running", "endpoints": [{"address": "h:1"}]}', "field 'address'"),
        ('{"host": "b.test", ', "unexpected end of data"),
        ("[1]", "not an object"),
    ],
)
async def test_a_bad_file_keeps_the_old_table_and_names_line_and_field(
    write_table: WriteTable, line: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    edge = Edge(RouterSettings())
    file = TableFile(edge, write_table(route("a.test"), endpoints("rel_1", "tcp:h:1")))
    await file.load()
    table = edge.table
    path = write_table(route("c.test"), endpoints("rel_1", "tcp:h:2"))
    with path.open("a") as out:
        out.write(f"\n{line}\n")
    await file.reload()
    assert edge.table is table
    assert hosts(edge) == {"a.test"}
    assert table.releases["rel_1"].endpoints[0].address == "tcp:h:1"
    assert "TABLE_FILE_INVALID" in caplog.text
    assert "line 4:" in caplog.text
    assert told in caplog.text
    with pytest.raises(ShipoffError, match="TABLE_FILE_INVALID"):
        await TableFile(edge, path.parent / "none").load()


async def test_everything_else_goes_on_while_a_table_is_read_and_the_old_one_taken_apart(
    write_table: WriteTable,
) -> None:
    edge, turns, looked = Edge(RouterSettings()), 0, set()
    records: list[dict[str, Any]] = [route(f"h{n}.test", f"rel_{n}") for n in range(6000)]
    file = TableFile(edge, write_table(*records, *(endpoints(f"rel_{n}", f"tcp:h:{n + 1}") for n in range(6000))))
    await file.load()
    assert len(list(edge.table.releases.values())) == 6000  # all come to life
    reading = spawn(file.reload(), "test.reload")
    while not reading.done():
        turns += 1
        found = edge.table.find(b"h5999.test", b"/")
        assert found is not None
        looked.add((edge.table.version, found.release))
        await asyncio.sleep(0)
    assert turns > 0.02 / SLICE_S  # reading 12,000 records takes much longer than 20 ms anywhere
    assert looked == {(1, "rel_5999"), (2, "rel_5999")}


async def test_two_readings_do_not_mix(write_table: WriteTable) -> None:
    edge = Edge(RouterSettings())
    path = write_table(*(route(f"a{n}.test") for n in range(3000)))
    file = TableFile(edge, path)
    first = spawn(file.reload(), "test.first")
    await asyncio.sleep(0)
    aside = path.with_suffix(".new")
    aside.write_text("".join(json.dumps(route(f"b{n}.test")) + "\n" for n in range(50)))
    aside.replace(path)
    await file.reload()
    await first
    assert hosts(edge) == {f"b{n}.test" for n in range(50)}
    assert edge.table.version == 2
