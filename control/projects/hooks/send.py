"""One attempt to deliver by HTTP: to a public address only, within bounds, and whatever comes of it is an outcome.

Redirects are not followed: a receiver that moved is to be named anew, and one that points elsewhere gains nothing. The
answer's body is read up to what the log keeps; a receiver that floods is hung up on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kernel.errors import ShipoffError
from kernel.net_guard import NetGuard

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

CONNECT_S: Final = 5.0
TOTAL_S: Final = 15.0  # with resolving, connecting and reading the answer
BODY_BYTES: Final = 8 * 1024
HEADER_LENGTH: Final = 300  # characters of an answer's header that are kept
HEADERS: Final = 30
AGENT: Final = "Shipoff-Hooks/1"
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt, as the log keeps it.

    Attributes:
        status: 0 when there was no answer.
        error: why it failed, "" when it did not.
        gone: the receiver wants nothing any more (410).
    """

    status: int = 0
    error: str = ""
    gone: bool = False
    duration_ms: int = 0
    request_headers: Mapping[str, str] = field(default_factory=dict)
    response_headers: Mapping[str, str] = field(default_factory=dict)
    response_body: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is delivered."""
        return not self.error


class HttpSender:
    """Sends over one session, which is made when first needed: a platform without hooks loads no HTTP client."""

    def __init__(self, guard: NetGuard, *, connect_s: float = CONNECT_S, total_s: float = TOTAL_S) -> None:
        self._guard, self._connect_s, self._total_s = guard, connect_s, total_s
        self._session: ClientSession | None = None

    async def close(self) -> None:
        """Closes the session."""
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, extra: Mapping[str, str]) -> Outcome:
        """POSTs JSON once.

        Args:
            url: as check_url returned it.
            extra: headers beside the usual ones; all are logged, so none of them is a secret.
        """
        headers = {
            "Content-Type": "application/json",
            "User-Agent": AGENT,
            "Accept-Encoding": "identity",  # what is packed can't be read in the log, and may be a bomb
            **extra,
        }
        began = time.monotonic()
        found = Outcome()
        try:
            async with asyncio.timeout(self._total_s):
                found = await self._exchange(url, body, headers)
        except TimeoutError:
            found = Outcome(error=f"no whole answer within {self._total_s:g} s")
        except ShipoffError as error:
            found = Outcome(error=error.detail)
        except Exception as error:  # noqa: BLE001 - a receiver may provoke anything; it must not stop the others
            found = Outcome(error=_reason(error))
        spent = round((time.monotonic() - began) * 1000)
        return Outcome(
            found.status, found.error, found.gone, spent, headers, found.response_headers, found.response_body
        )

    async def _exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        session = self._opened()
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            try:
                text = await _beginning(answer)
            finally:
                answer.close()  # the rest is not waited for
            return Outcome(
                status=answer.status,
                error=_refusal(answer.status),
                gone=answer.status == GONE,
                response_headers=dict(_storable(pair) for pair in list(answer.headers.items())[:HEADERS]),
                response_body=text,
            )

    def _opened(self) -> ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._guard.connector(limit=0, force_close=True),
                timeout=aiohttp.ClientTimeout(total=self._total_s, sock_connect=self._connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


async def _beginning(answer: ClientResponse) -> str:
    """The first part of a body, as text that Postgres stores."""
    kept = bytearray()
    while len(kept) < BODY_BYTES:
        chunk = await answer.content.read(BODY_BYTES - len(kept))
        if not chunk:
            break
        kept += chunk
    return bytes(kept).decode(errors="replace").replace("\0", "\ufffd")


def _storable(pair: tuple[str, str]) -> tuple[str, str]:
    """A header as Postgres stores it: bytes that are no UTF-8 are replaced (aiohttp has them as surrogates)."""
    name, value = (str(text)[:HEADER_LENGTH].encode(errors="replace").decode().replace("\0", "\ufffd") for text in pair)
    return name, value


def _refusal(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"answered {status}: redirects are not followed"
    return f"answered {status}"


def _reason(error: Exception) -> str:
    """What went wrong, in words; of a refused connection without the address that was tried."""
    cause = getattr(error, "os_error", None) or error.__cause__
    while cause is not None and not isinstance(cause, ShipoffError):
        cause = cause.__cause__
    if isinstance(cause, ShipoffError):
        return cause.detail
    system = getattr(error, "os_error", None)
    if isinstance(system, PermissionError):
        return "the host is not on the internet"
    return _WORDS.get(type(error).__name__, f"failed: {type(error).__name__}")


_WORDS: Final = {
    "ClientConnectorError": "could not connect",
    "ClientConnectorDNSError": "the host is not found",
    "ClientConnectorCertificateError": "its certificate is not valid",
    "ClientConnectorSSLError": "no TLS",
    "ServerDisconnectedError": "hung up without an answer",
    "ClientOSError": "reset the connection",
    "ConnectionResetError": "reset the connection",
    "ClientPayloadError": "hung up within its answer",
    "ClientResponseError": "its answer is not HTTP",
    "ServerTimeoutError": "did not answer in time",
    "ConnectionTimeoutError": "could not connect in time",
}
