"""Which addresses the platform may connect to, by each range of IANA's registries, and that connections are pinned."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from kernel.errors import ShipoffError
from kernel.net_guard import NetGuard, is_public

# iana-ipv4-special-registry: first and last address of every range
SPECIAL_4 = [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.0",
    "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0",
    "172.31.255.255", "192.0.0.0", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.0.171",
    "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.31.196.0", "192.31.196.255", "192.52.193.0",
    "192.52.193.255", "192.88.99.0", "192.88.99.255", "192.168.0.0", "192.168.255.255", "192.175.48.0",
    "192.175.48.255", "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255", "203.0.113.0",
    "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255",
    "168.63.129.16",
]  # fmt: skip
# iana-ipv6-special-registry, and the forms that hold an IPv4 address
SPECIAL_6 = [
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:0:0", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1",
    "64:ff9b:1::8.8.8.8", "100::", "100::1", "100:0:0:1::1", "2001::", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:1::1", "2001:1::2", "2001:1::3", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1",
    "2001:30::1", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1", "2002::1", "2002:7f00:1::1",
    "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::", "fd00:ec2::254",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::1", "febf::1", "fec0::1", "feff::1", "ff00::", "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::1", "1fff::1",
]  # fmt: skip
ODD = [
    "", "localhost", "0x7f.1", "0x7f000001", "127.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "[::1]", "fe80::1%lo",
    "2606:4700::1111%eth0", " 8.8.8.8", "8.8.8.8\n", "8.8.8", "１.1.1.1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111",
    "2001:200::1", "2001:4860:4860::8888", "2003::1", "2a00:1450:4001::1", "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("address", SPECIAL_4 + SPECIAL_6)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)
    assert not NetGuard().permits(address)


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    assert not is_public(text)
    assert not NetGuard(["0.0.0.0/0", "::/0"]).permits(text) or "%" in text


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


async def _answers(*addresses: str) -> NetGuard:
    async def lookup(host: str, port: int) -> list[str]:
        return list(addresses)

    return NetGuard(lookup=lookup)


async def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    guard = await _answers("8.8.8.8", "127.0.0.1")
    with pytest.raises(ShipoffError, match="HOST_NOT_PUBLIC") as refused:
        await guard.addresses("both.example", 443)
    assert "127.0.0.1" not in str(refused.value)


async def test_public_addresses_are_returned_to_be_pinned() -> None:
    guard = await _answers("8.8.8.8", "2606:4700::1111")
    assert await guard.addresses("one.example", 443) == ["8.8.8.8", "2606:4700::1111"]


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "localhost", "::ffff:127.0.0.1"])
async def test_odd_spellings_of_this_machine_are_refused_by_what_they_resolve_to(host: str) -> None:
    with pytest.raises(ShipoffError, match=r"HOST_NOT_PUBLIC|HOST_UNRESOLVED"):
        await NetGuard().addresses(host, 80)


async def test_names_without_an_address_and_names_that_cannot_be_are_unresolved() -> None:
    for host in ("nothing.invalid", "a" * 70 + ".example", "\udcff.example"):
        with pytest.raises(ShipoffError, match="HOST_UNRESOLVED"):
            await NetGuard().addresses(host, 443)


class _Receiver:
    """A real HTTP server on loopback that counts its requests."""

    def __init__(self) -> None:
        self.requests = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        async def answer(request: web.Request) -> web.Response:
            self.requests += 1
            return web.Response(text="internal")

        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


async def test_a_name_that_turns_private_after_the_check_reaches_nothing() -> None:
    answers = iter([["8.8.8.8"], ["127.0.0.1"], ["127.0.0.1"]])
    receiver = _Receiver()
    port = await receiver.start()

    async def lookup(host: str, asked: int) -> list[str]:
        return next(answers)

    guard = NetGuard(lookup=lookup)
    try:
        await guard.addresses("rebinding.example", port)
        async with aiohttp.ClientSession(connector=guard.connector()) as session:
            with pytest.raises((aiohttp.ClientError, ShipoffError)):
                await session.get(f"http://rebinding.example:{port}/")
    finally:
        await receiver.stop()
    assert receiver.requests == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "127.1", "2130706433", "localhost"])
async def test_a_url_that_holds_an_address_reaches_nothing_private(host: str) -> None:
    receiver = _Receiver()
    port = await receiver.start()
    try:
        async with aiohttp.ClientSession(connector=NetGuard().connector()) as session:
            with pytest.raises((aiohttp.ClientError, ShipoffError)):
                await session.get(f"http://{host}:{port}/")
    finally:
        await receiver.stop()
    assert receiver.requests == 0


async def test_an_allowed_network_is_reached() -> None:
    receiver = _Receiver()
    port = await receiver.start()
    try:
        guard = NetGuard(["127.0.0.0/8"])
        async with aiohttp.ClientSession(connector=guard.connector()) as session:
            async with session.get(f"http://127.0.0.1:{port}/") as answer:
                assert await answer.text() == "internal"
    finally:
        await receiver.stop()
