import asyncio

import pytest

from control.auth.passwords import hasher as module
from control.auth.passwords.hasher import Hasher
from kernel.errors import ShipoffError


async def test_a_hash_has_the_parameters_and_its_own_salt() -> None:
    hasher = Hasher()
    first, second = await hasher.hash("a password"), await hasher.hash("a password")
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert await hasher.verify(first, "a password")
    assert not await hasher.verify(first, "another one")
    assert not hasher.outdated(first)
    assert hasher.outdated(first.replace("m=19456", "m=9216"))
    hasher.close()


@pytest.mark.parametrize("stored", [None, "", "nonsense", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$BBBB"])
async def test_what_is_no_hash_matches_nothing(stored: str | None) -> None:
    hasher = Hasher()
    for password in ("", "a password", "\0", "x" * 100_000):
        assert not await hasher.verify(stored, password)
    hasher.close()


async def test_what_waits_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING", 1)
    hasher = Hasher()
    ends = await asyncio.gather(*(hasher.hash("a password") for _ in range(6)), return_exceptions=True)
    assert len([end for end in ends if isinstance(end, str)]) == 3
    assert {end.code for end in ends if isinstance(end, ShipoffError)} == {"UNAVAILABLE"}
    hasher.close()
