"""TLS at the front door: what is served to whom, over real sockets and with real clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from router.edge.context import Edge
from tests.integration.router.tls_wire import Authority, HandTls, ask, blocking, connect, unchecked
from tests.integration.router.wire import LIMIT_S, InProcess, Origin, endpoints, read_message, route

MakeRouter = Callable[..., Awaitable[InProcess]]
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
CLOSE = GET[:-2] + b"Connection: close\r\n\r\n"


def names(writer: asyncio.StreamWriter) -> set[str]:
    """The names in the certificate that was served."""
    return {value for _, value in writer.get_extra_info("peercert")["subjectAltName"]}


async def until(edge: Edge, name: str, value: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while getattr(edge.metrics, name) != value:
            await asyncio.sleep(0.01)


# --- who is served what -----------------------------------------------------------------------------------------------


async def test_a_request_over_tls_arrives_as_https(tls: InProcess, authority: Authority, origin: Origin) -> None:
    reader, writer = await connect(tls, authority.client())
    for _ in range(3):
        writer.write(GET)
        assert (await read_message(reader)).status == 200
    writer.close()
    assert origin.requests[0]["x-forwarded-proto"] == "https"
    assert origin.requests[0]["x-forwarded-for"] == "127.0.0.1"
    assert origin.connections == 1
    assert tls.edge.metrics.handshakes == 1


async def test_each_host_gets_its_certificate(tls: InProcess, authority: Authority) -> None:
    for asked, served in (("app.test", "app.test"), ("APP.test", "app.test"), ("a.wild.test", "*.wild.test")):
        _, writer = await connect(tls, authority.client(), asked)
        assert names(writer) == {served}
        writer.close()


@pytest.mark.parametrize("asked", ["unknown.test", "a.b.wild.test", "wild.test", None])
async def test_a_name_without_a_certificate_is_refused(tls: InProcess, asked: str | None) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        await connect(tls, unchecked(), asked)
    await until(tls.edge, "handshake_failures", 1)


async def test_the_default_is_served_where_nothing_fits(
    make_router: MakeRouter, origin: Origin, certificates: Path, authority: Authority
) -> None:
    authority.write(certificates / "default.pem", "fallback.test")
    tls = await make_router(tls_certificates=str(certificates))
    tls.put(route("app.test"), route("other.test"), endpoints("rel_1", origin.address))
    assert (await ask(tls, unchecked(), "other.test", GET.replace(b"app", b"other"))).status == 200
    assert (await ask(tls, unchecked(), None)).status == 200


async def test_a_hosts_certificate_is_no_way_to_another_host(tls: InProcess, authority: Authority) -> None:
    reader, writer = await connect(tls, authority.client())
    writer.write(GET.replace(b"app", b"other"))
    answer = await read_message(reader)
    assert (answer.status, answer["x-shipoff-error"]) == (421, "MISDIRECTED")
    writer.write(GET.replace(b"app.test", b"a.wild.test"))
    assert (await read_message(reader)).status == 421
    writer.write(GET.replace(b"app.test", b"app.test:443"))
    assert (await read_message(reader)).status == 200
    writer.close()


async def test_one_certificate_for_several_hosts_serves_them_on_one_connection(
    tls: InProcess, authority: Authority, certificates: Path
) -> None:
    authority.write(certificates / "app.pem", "app.test", "other.test")
    tls.edge.certificates = tls.certificates.scan()
    reader, writer = await connect(tls, authority.client())
    for host in (b"app", b"other"):
        writer.write(GET.replace(b"app", host))
        assert (await read_message(reader)).status == 200
    writer.close()


async def test_only_http_1_1_is_negotiated(tls: InProcess, authority: Authority) -> None:
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await connect(tls, context)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    writer.close()
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        await connect(tls, context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_modern_versions_are_spoken(tls: InProcess, authority: Authority, version: ssl.TLSVersion) -> None:
    assert (await ask(tls, authority.client(minimum_version=version, maximum_version=version))).status == 200


async def test_old_versions_are_not(tls: InProcess, authority: Authority) -> None:
    context = authority.client()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        await connect(tls, context)


# --- files that change ------------------------------------------------------------------------------------------------


async def test_changed_and_new_certificates_are_served_to_new_connections(
    tls: InProcess, authority: Authority, certificates: Path
) -> None:
    reader, before = await connect(tls, authority.client())
    chain, key = authority.issue("app.test", "more.test")
    (certificates / "app.pem").write_bytes(chain + key)
    (certificates / "new").mkdir()
    chain, key = authority.issue("new.test")
    (certificates / "new" / "fullchain.pem").write_bytes(chain)
    (certificates / "new" / "privkey.pem").write_bytes(key)
    tls.edge.certificates = tls.certificates.scan()
    for host, served in (("app.test", {"app.test", "more.test"}), ("new.test", {"new.test"})):
        _, writer = await connect(tls, authority.client(), host)
        assert names(writer) == served
        writer.close()
    before.write(GET)
    assert (await read_message(reader)).status == 200  # on the old one
    before.close()


async def test_broken_files_keep_what_was_served_and_are_counted_once(
    tls: InProcess, authority: Authority, certificates: Path
) -> None:
    store = tls.certificates
    (certificates / "app.pem").write_bytes(authority.issue("app.test")[0] + authority.issue("app.test")[1])
    (certificates / "garbage.pem").write_bytes(b"nothing")
    for _ in range(3):
        tls.edge.certificates = store.scan()
    assert store.failures == 2
    assert (await ask(tls, authority.client())).status == 200
    certificates.rename(certificates.with_name("elsewhere"))
    tls.edge.certificates = store.scan()  # what is not seen is not gone
    assert (await ask(tls, authority.client())).status == 200
    certificates.with_name("elsewhere").rename(certificates)
    (certificates / "app.pem").unlink()
    tls.edge.certificates = store.scan()
    with pytest.raises(ssl.SSLError):
        await connect(tls, authority.client())


# --- client certificates ----------------------------------------------------------------------------------------------


@pytest.fixture
def shown(tmp_path: Path, authority: Authority) -> Path:
    """A client's certificate, of an authority of its own."""
    return Authority(tmp_path / "pulls", "pulls").write(tmp_path / "client.pem", "cloudflare")


async def refused(tls: InProcess, context: ssl.SSLContext) -> None:
    """In TLS 1.3 the client learns of it with its first read."""
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await ask(tls, context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_origin_pulls_are_refused_without_the_right_certificate(
    make_router: MakeRouter,
    origin: Origin,
    certificates: Path,
    authority: Authority,
    shown: Path,
    tmp_path: Path,
    version: ssl.TLSVersion,
) -> None:
    tls = await make_router(tls_certificates=str(certificates), tls_client_ca=str(tmp_path / "pulls" / "pulls.pem"))
    tls.put(route("app.test"), endpoints("rel_1", origin.address))
    only: dict[str, Any] = {"minimum_version": version, "maximum_version": version}
    assert (await ask(tls, authority.client(shown, **only))).status == 200
    await refused(tls, authority.client(**only))
    await refused(tls, authority.client(authority.write(tmp_path / "stranger.pem", "cloudflare"), **only))
    assert len(origin.requests) == 1
    await until(tls.edge, "handshake_failures", 2)


async def test_a_host_alone_can_ask_for_client_certificates_and_cannot_be_reached_past_that(
    make_router: MakeRouter, origin: Origin, certificates: Path, authority: Authority, shown: Path, tmp_path: Path
) -> None:
    authority.write(certificates / "default.pem", "other.test", "app.test", since=timedelta(days=-2))
    (certificates / "app.client-ca.pem").write_bytes((tmp_path / "pulls" / "pulls.pem").read_bytes())
    tls = await make_router(tls_certificates=str(certificates))
    tls.put(route("app.test"), route("other.test"), endpoints("rel_1", origin.address))
    await refused(tls, authority.client())
    assert (await ask(tls, authority.client(shown))).status == 200
    # A certificate that covers both was served, without asking for the client's: it opens only the other host.
    assert (await ask(tls, authority.client(), "other.test", GET.replace(b"app", b"other"))).status == 200
    assert (await ask(tls, authority.client(), "other.test")).status == 421
    assert (await ask(tls, unchecked(), None)).status == 421


async def test_cloudflare_is_believed_only_over_origin_pulls_where_set(
    make_router: MakeRouter, origin: Origin, certificates: Path, authority: Authority, shown: Path, tmp_path: Path
) -> None:
    ranges = tmp_path / "ranges.txt"
    ranges.write_text("127.0.0.0/8\n")
    tls = await make_router(
        tls_certificates=str(certificates),
        tls_client_ca=str(tmp_path / "pulls" / "pulls.pem"),
        cloudflare="pulls",
        cloudflare_ranges=str(ranges),
    )
    tls.put(route("app.test"), endpoints("rel_1", origin.address))
    raw = GET[:-2] + b"CF-Connecting-IP: 203.0.113.9\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n\r\n"
    await ask(tls, authority.client(shown), raw=raw)
    await tls.ask(raw)
    seen = [(request["x-forwarded-for"], request["cf-connecting-ip"]) for request in origin.requests]
    assert seen == [("203.0.113.9, 127.0.0.1", "203.0.113.9"), ("127.0.0.1", "")]


# --- sessions and renegotiation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_is_resumed(tls: InProcess, authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.client(minimum_version=version, maximum_version=version)

    def visit(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None]:
        with blocking(tls, context, session=session) as client:
            client.sendall(GET)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            return client.session, client.session_reused

    session, _ = await asyncio.to_thread(visit, None)
    assert (await asyncio.to_thread(visit, session))[1]
    assert tls.edge.metrics.resumptions == 1


async def test_a_session_of_one_host_is_not_resumed_at_another_that_asks_for_a_certificate(
    tls: InProcess, authority: Authority, certificates: Path, shown: Path, tmp_path: Path
) -> None:
    (certificates / "wild.client-ca.pem").write_bytes((tmp_path / "pulls" / "pulls.pem").read_bytes())
    tls.edge.certificates = tls.certificates.scan()
    context = unchecked()

    def visit(host: str, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        raw = socket.create_connection(("127.0.0.1", tls.tls_port), LIMIT_S)
        with context.wrap_socket(raw, server_hostname=host, session=session) as client:
            client.sendall(GET.replace(b"app.test", host.encode()))
            if not client.recv(65536).startswith(b"HTTP/1.1 200"):
                raise ConnectionResetError
            return client.session

    session = await asyncio.to_thread(visit, "app.test", None)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.to_thread(visit, "a.wild.test", session)


@contextlib.asynccontextmanager
async def openssl(tls: InProcess, *more: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """openssl's own client, once it is connected: what it prints and what is typed."""
    client = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-crlf", "-connect", f"127.0.0.1:{tls.tls_port}", "-servername", "app.test", *more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert client.stdin is not None and client.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        await client.stdout.readuntil(b"Verify return code")
        yield client.stdout, client.stdin
        client.stdin.close()
        await client.wait()


async def test_renegotiation_is_refused(tls: InProcess) -> None:
    async with openssl(tls, "-tls1_2") as (printed, typed):
        typed.write(b"R\n")
        await printed.readuntil(b"no renegotiation")


async def test_keys_are_updated(tls: InProcess) -> None:
    async with openssl(tls, "-tls1_3") as (printed, typed):
        for _ in range(2):
            typed.write(b"K\n")
            await printed.readuntil(b"KEYUPDATE")
        typed.write(CLOSE.replace(b"\r", b""))
        await printed.readuntil(b"HTTP/1.1 200")


# --- those who do not come in -----------------------------------------------------------------------------------------


async def talk(tls: InProcess, raw: bytes) -> bytes:
    """Sends bytes to the TLS port in the clear and reads everything."""
    reader, writer = await asyncio.open_connection("127.0.0.1", tls.tls_port)
    try:
        writer.write(raw)
        async with asyncio.timeout(LIMIT_S):
            return await reader.read()
    finally:
        writer.close()


async def test_plain_http_gets_a_page_that_says_so(tls: InProcess) -> None:
    answer = await talk(tls, GET)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"X-Shipoff-Error: PLAIN_HTTP" in answer


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x09\x01\x02\x00",
        b"\x16\x03\x01\xff\xff" + bytes(100),
        b"\x80\x2e\x01\x00\x02",
        bytes(64),
        b"\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03" + bytes(42),
    ],
)
async def test_garbage_gets_an_alert_and_the_others_are_served(
    tls: InProcess, authority: Authority, raw: bytes
) -> None:
    assert (await talk(tls, raw))[:1] == b"\x15"
    assert (await ask(tls, authority.client())).status == 200
    assert not tls.edge.doorways


async def test_a_handshake_has_a_deadline(make_router: MakeRouter, certificates: Path) -> None:
    tls = await make_router(tls_certificates=str(certificates), handshake_s=0.2)
    for raw in (b"", b"\x16\x03\x01\x02"):
        assert await talk(tls, raw) == b""
    await until(tls.edge, "handshake_failures", 2)
    assert not tls.edge.doorways


async def test_too_many_handshakes_end_the_one_that_has_waited_longest(
    make_router: MakeRouter, origin: Origin, certificates: Path, authority: Authority
) -> None:
    tls = await make_router(tls_certificates=str(certificates), handshakes=3)
    tls.put(route("app.test"), endpoints("rel_1", origin.address))
    slow = [await asyncio.open_connection("127.0.0.1", tls.tls_port) for _ in range(3)]
    assert (await ask(tls, authority.client())).status == 200
    assert await asyncio.wait_for(slow[0][0].read(), LIMIT_S) == b""
    assert len(tls.edge.doorways) == 2
    for _, writer in slow:
        writer.close()


@pytest.mark.parametrize("sent", [0, 3, 40, 4096])
async def test_a_reset_in_the_handshake_leaves_nothing(tls: InProcess, authority: Authority, sent: int) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = authority.client().wrap_bio(incoming, outgoing, server_hostname="app.test")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    client = socket.create_connection(("127.0.0.1", tls.tls_port))
    client.sendall(outgoing.read()[:sent])
    async with asyncio.timeout(LIMIT_S):
        while not tls.edge.doorways:
            await asyncio.sleep(0.005)
        if sent == 4096:  # the whole hello: wait for the answer, so that the reset meets what comes after it
            client.setblocking(False)
            await asyncio.get_running_loop().sock_recv(client, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        while tls.edge.doorways:
            await asyncio.sleep(0.005)
    assert (await ask(tls, authority.client())).status == 200


async def test_single_bytes_are_understood(tls: InProcess, authority: Authority) -> None:
    client = HandTls(authority.client(), piece=1)
    await client.connect(tls.tls_port)
    client.secured.write(CLOSE)
    client.send()
    assert (await client.read_all()).startswith(b"HTTP/1.1 200")
    client.writer.close()
