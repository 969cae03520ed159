"""Everything comes under the primary key: in batches, from where it was left, past what does not open."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel import resealing
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.resealing import Resealed, Resealing, SealedTable
from kernel.sealing import Sealer

TABLE = SealedTable("things", ("owner", "name"), "sealed", lambda row: f"{row['owner']}/{row['name']}")


def sealer(*numbers: int) -> Sealer:
    return Sealer(",".join(f"k{number}:{base64.b64encode(bytes([number]) * 32).decode()}" for number in numbers))


def bare(value: object, place: str, number: int) -> bytes:
    """As values were sealed before there were envelopes."""
    return bytes(12) + AESGCM(bytes([number]) * 32).encrypt(bytes(12), orjson.dumps(value), place.encode())


@pytest.fixture
async def things(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """23 values in batches of 5: of the first version, of the key 1, and of the key 2."""
    monkeypatch.setattr(resealing, "BATCH", 5)
    database = await Database.connect(database_url)
    await database.execute("create table things (owner text, name text, sealed bytea, primary key (owner, name))")
    for number in range(23):
        place = f"o{number % 3}/n{number:02}"
        sealed = bare(number, place, 1) if number % 2 else sealer(1 + number % 4 // 2).seal(number, place)
        await database.execute("insert into things values ($1, $2, $3)", *place.split("/"), sealed)
    yield database
    await database.close()


async def run(database: Database, ring: Sealer) -> Resealed:
    """The counts at the end."""
    return [counts async for counts in Resealing(database, ring, [TABLE]).run()][-1]


async def values(database: Database, ring: Sealer) -> list[object]:
    return sorted(
        (ring.open(row["sealed"], TABLE.place(row)) for row in await database.fetch("select * from things")), key=str
    )


async def test_everything_comes_under_the_new_key_and_the_old_ones_can_go(things: Database) -> None:
    before = await values(things, sealer(1, 2))
    told = await run(things, sealer(3, 1, 2))
    assert (told.table, told.resealed, told.changed, told.broken) == ("things.sealed", 23, 0, 0)
    assert await values(things, sealer(3)) == before
    assert (await run(things, sealer(3))).resealed == 0


async def test_a_run_that_was_broken_off_is_taken_up(things: Database) -> None:
    work = Resealing(things, sealer(3, 1, 2), [TABLE]).run()
    assert (await anext(work)).resealed == 5
    await work.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert await values(things, sealer(3, 1, 2)) == await values(things, sealer(1, 3, 2)), "all opens in between"
    assert (await run(things, sealer(3, 1, 2))).resealed == 18


async def test_what_no_key_opens_is_left_and_counted(things: Database) -> None:
    await things.execute("update things set sealed = $1 where name = 'n04'", b"damaged, not sealed")
    assert await run(things, sealer(3, 1)) == Resealed("things.sealed", resealed=16, changed=0, broken=7)
    assert await things.fetchval("select sealed from things where name = 'n04'") == b"damaged, not sealed"
    again = await run(things, sealer(3, 1, 2))
    assert (again.resealed, again.broken) == (6, 1)


async def test_a_value_that_changes_meanwhile_is_not_overwritten(
    things: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = sealer(3, 1, 2)
    fresh = ring.seal("fresh", "o0/n00")
    fetch = things.fetch

    async def and_then_changed(sql: str, *args: object) -> list[object]:
        rows = await fetch(sql, *args)
        await things.execute("update things set sealed = $1 where name = 'n00'", fresh)
        return list(rows)

    monkeypatch.setattr(things, "fetch", and_then_changed)
    told = await run(things, ring)
    assert (told.resealed, told.changed) == (22, 1)
    assert await things.fetchval("select sealed from things where name = 'n00'") == fresh


async def test_without_the_old_keys_nothing_opens(things: Database) -> None:
    with pytest.raises(ShipoffError, match="SEAL_BROKEN"):
        await values(things, sealer(3))
