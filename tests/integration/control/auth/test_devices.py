"""Sign-in of programs without a browser (RFC 8628)."""

from __future__ import annotations

import asyncio

import pytest

from control.auth.oauth.devices import LETTERS, clean
from control.auth.oauth.parts import OAuth
from control.auth.oauth.settings import OAuthSettings
from kernel.authority import Principal, acting_as
from kernel.authority.principal import NOBODY
from kernel.errors import ShipoffError
from proto.auth.v1 import accounts_pb2, sessions_pb2
from proto.auth.v1 import oauth_pb2 as pb
from tests.integration.control.auth.rig import NO_CONTEXT, Rig

PROGRAM = accounts_pb2.Client(address="198.51.100.4", user_agent="shipoff on a server")


class Device:
    """A program and the person who decides."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.server = OAuth(OAuthSettings(), rig.database, rig.people).server

    async def start(self) -> pb.StartDeviceResponse:
        return await self.server.StartDevice(pb.StartDeviceRequest(client=PROGRAM), NO_CONTEXT)

    async def ask(self, device_code: str) -> sessions_pb2.SessionTokens:
        request = pb.ExchangeDeviceRequest(device_code=device_code, client=PROGRAM)
        return (await self.server.ExchangeDevice(request, NO_CONTEXT)).tokens

    async def look(self, who: Principal, user_code: str) -> pb.GetDeviceResponse:
        with acting_as(who):
            return await self.server.GetDevice(pb.GetDeviceRequest(user_code=user_code), NO_CONTEXT)

    async def answer(self, who: Principal, user_code: str, *, approve: bool = True) -> None:
        with acting_as(who):
            await self.server.AnswerDevice(pb.AnswerDeviceRequest(user_code=user_code, approve=approve), NO_CONTEXT)

    async def rest(self) -> None:
        """Lets the interval pass, instead of waiting."""
        await self.rig.database.execute("update device_grants set asked_at = asked_at - interval '1 minute'")


@pytest.fixture
def device(rig: Rig) -> Device:
    return Device(rig)


@pytest.fixture
async def ada(rig: Rig) -> Principal:
    await rig.join()
    return (await rig.session())[0]


async def refused(device: Device, device_code: str, code: str) -> None:
    with pytest.raises(ShipoffError, match=code):
        await device.ask(device_code)


async def test_a_program_waits_until_somebody_says_yes(device: Device, ada: Principal, rig: Rig) -> None:
    started = await device.start()
    assert (started.interval_s, started.expires_in_s) == (5, 600)
    await refused(device, started.device_code, "AUTHORIZATION_PENDING")
    seen = await device.look(ada, started.user_code)
    assert (seen.client, seen.address) == ("shipoff on a server", "198.51.100.4")
    await device.answer(ada, started.user_code.lower().replace("-", " "))
    await device.rest()
    tokens = await device.ask(started.device_code)
    assert tokens.account_id == ada.account_id
    row = await rig.database.fetchrow("select * from sessions where id = $1", tokens.session_id)
    assert row is not None and (row["user_agent"], row["amr"]) == ("shipoff on a server", ["pwd"])
    await refused(device, started.device_code, "DEVICE_CODE_INVALID")


async def test_who_asks_too_often_is_slowed_down_more_and_more(device: Device, ada: Principal, rig: Rig) -> None:
    started = await device.start()
    await refused(device, started.device_code, "AUTHORIZATION_PENDING")
    await refused(device, started.device_code, "SLOW_DOWN")
    await refused(device, started.device_code, "SLOW_DOWN")
    assert await rig.database.fetchval("select interval_s from device_grants") == 15
    await device.answer(ada, started.user_code)
    await refused(device, started.device_code, "SLOW_DOWN")  # a yes does not make it faster
    await device.rest()
    assert (await device.ask(started.device_code)).access_token


async def test_a_no_is_final(device: Device, ada: Principal) -> None:
    started = await device.start()
    await device.answer(ada, started.user_code, approve=False)
    with pytest.raises(ShipoffError, match="USER_CODE_INVALID"):
        await device.answer(ada, started.user_code)
    await refused(device, started.device_code, "ACCESS_DENIED")
    await refused(device, started.device_code, "DEVICE_CODE_INVALID")


async def test_codes_run_out_and_a_yes_within_a_minute(device: Device, ada: Principal, rig: Rig) -> None:
    started = await device.start()
    await rig.database.execute("update device_grants set expires_at = now()")
    await refused(device, started.device_code, "EXPIRED_TOKEN")
    with pytest.raises(ShipoffError, match="USER_CODE_INVALID"):
        await device.answer(ada, started.user_code)
    second = await device.start()
    await device.answer(ada, second.user_code)
    left = "select extract(epoch from max(expires_at) - now())::float8 from device_grants"
    assert 50 < await rig.database.fetchval(left) <= 60


async def test_a_grant_is_exchanged_once_by_many_at_once(device: Device, ada: Principal) -> None:
    started = await device.start()
    await device.answer(ada, started.user_code)
    results = await asyncio.gather(*(device.ask(started.device_code) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(one, sessions_pb2.SessionTokens) for one in results) == 1


async def test_one_person_s_yes_is_not_another_s(device: Device, ada: Principal, rig: Rig) -> None:
    await rig.join("eve@example.org")
    eve, _ = await rig.session("eve@example.org")
    started = await device.start()
    await device.answer(ada, started.user_code)
    with pytest.raises(ShipoffError, match="USER_CODE_INVALID"):
        await device.answer(eve, started.user_code)
    assert (await device.ask(started.device_code)).account_id == ada.account_id


async def test_nobody_decides_who_is_not_signed_in(device: Device) -> None:
    started = await device.start()
    with pytest.raises(ShipoffError, match="UNAUTHENTICATED"):
        await device.look(NOBODY, started.user_code)
    with pytest.raises(ShipoffError, match="UNAUTHENTICATED"):
        await device.answer(NOBODY, started.user_code)


async def test_codes_cannot_be_tried_for_long(device: Device, ada: Principal) -> None:
    for _ in range(20):
        with pytest.raises(ShipoffError, match="USER_CODE_INVALID"):
            await device.look(ada, "BBBB-BBBB")
    with pytest.raises(ShipoffError, match="TOO_MANY_ATTEMPTS"):
        await device.look(ada, "BBBB-BBBB")


async def test_a_client_cannot_begin_without_end(device: Device) -> None:
    for _ in range(30):
        await device.start()
    with pytest.raises(ShipoffError, match="TOO_MANY_ATTEMPTS"):
        await device.start()


@pytest.mark.parametrize("code", ["", "x", "A" * 43, "é" * 43])
async def test_what_is_no_device_code_is_refused(device: Device, code: str) -> None:
    await refused(device, code, "DEVICE_CODE_INVALID")


async def test_nothing_that_opens_rests_in_clear(device: Device, rig: Rig) -> None:
    started = await device.start()
    row = await rig.database.fetchrow("select * from device_grants")
    assert row is not None and started.device_code not in str(dict(row))


@pytest.mark.parametrize(
    ("typed", "read"),
    [("bcdf-ghjk", "BCDFGHJK"), (" BCDF GHJK ", "BCDFGHJK"), ("BCDF", ""), ("ABCD-EFGH", ""), ("B" * 99, ""), ("", "")],
)
async def test_a_code_is_read_however_it_is_typed(typed: str, read: str) -> None:
    assert clean(typed) == read
    assert set(read) <= set(LETTERS)
