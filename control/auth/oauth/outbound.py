"""Calls to providers: bounded in time, size and number, and never redirected.

Authlib and httpx are imported with the first call, because most processes never make one and they cost 12 MB.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from control.auth.oauth.provider import PROVIDER_ANSWER_INVALID, PROVIDER_REFUSED, PROVIDER_UNAVAILABLE
from kernel.errors import ShipoffError

if TYPE_CHECKING:
    import httpx
    from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]  # it has no types

log = logging.getLogger(__name__)

ANSWER_BYTES: Final = 512 * 1024  # the largest that is useful is a set of keys
CONNECT_S: Final = 4.0
READ_S: Final = 6.0
WHOLE_S: Final = 8.0  # of one call, however slowly its answer drips
CONNECTIONS: Final = 20
# What is compressed could be larger than ANSWER_BYTES when it is opened.
HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "shipoff"}


class Outbound:
    """Makes clients that share connections."""

    def __init__(self) -> None:
        self._inner: httpx.AsyncHTTPTransport | None = None

    async def close(self) -> None:
        """Closes the connections."""
        if self._inner is not None:
            await self._inner.aclose()

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[AsyncOAuth2Client]:
        """A client for one sign-in; failures of it leave as the platform's errors.

        Args:
            options: of Authlib's AsyncOAuth2Client.

        Raises:
            ShipoffError: PROVIDER_UNAVAILABLE, PROVIDER_REFUSED, PROVIDER_ANSWER_INVALID.
        """
        import httpx
        from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]  # as above

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AuthlibDeprecationWarning)  # it would rather have httpx2
            from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]  # as above
            from authlib.integrations.httpx_client import AsyncOAuth2Client

        timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
        made = AsyncOAuth2Client(transport=self._transport(), timeout=timeout, headers=HEADERS, **options)
        try:
            async with asyncio.timeout(WHOLE_S), made:
                yield made
        except ShipoffError:
            raise
        except (httpx.HTTPStatusError, httpx.TransportError, TimeoutError) as error:
            raise PROVIDER_UNAVAILABLE(f"the provider does not answer: {type(error).__name__}") from error
        except AuthlibBaseError as error:
            raise PROVIDER_REFUSED(f"the provider refused: {str(error.error)[:80]!r}") from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("a provider's answer could not be read", exc_info=error)  # a fault of ours would look the same
            raise PROVIDER_ANSWER_INVALID(f"the provider's answer is not right: {type(error).__name__}") from error

    async def json(
        self, url: str, bearer: str = "", headers: Mapping[str, str] | None = None, *, many: bool = False
    ) -> Any:
        """GETs a JSON object, or with `many` a list of objects.

        Raises:
            ShipoffError: PROVIDER_UNAVAILABLE, PROVIDER_ANSWER_INVALID.
        """
        shown = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        async with self.client() as client:
            answer = await client.request("GET", url, withhold_token=True, headers={**shown, **(headers or {})})
            if answer.status_code >= 500 or answer.status_code == 429:
                raise PROVIDER_UNAVAILABLE(f"the provider answers with status {answer.status_code}")
            if answer.status_code != 200:
                raise PROVIDER_ANSWER_INVALID(f"the provider answers with status {answer.status_code}")
            value = answer.json()
        if not (isinstance(value, list) and all(isinstance(one, dict) for one in value) if many else _is_object(value)):
            raise PROVIDER_ANSWER_INVALID("the provider's answer has another form")
        return value

    def _transport(self) -> httpx.AsyncBaseTransport:
        import httpx

        if self._inner is None:
            limits = httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=15.0)
            self._inner = httpx.AsyncHTTPTransport(limits=limits)
        shared = self._inner

        class _Bounded(httpx.AsyncBaseTransport):
            """Over the shared connections, which outlive the client."""

            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                answer = await shared.handle_async_request(request)
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    await answer.aclose()
                    raise PROVIDER_ANSWER_INVALID("the provider's answer is compressed, which was not asked for")
                body = _Counted(cast("httpx.AsyncByteStream", answer.stream))
                return httpx.Response(answer.status_code, headers=answer.headers, stream=body)

        class _Counted(httpx.AsyncByteStream):
            def __init__(self, body: httpx.AsyncByteStream) -> None:
                self._body = body

            async def __aiter__(self) -> AsyncIterator[bytes]:
                left = ANSWER_BYTES
                async for part in self._body:
                    left -= len(part)
                    if left < 0:
                        raise PROVIDER_ANSWER_INVALID(f"the provider's answer has more than {ANSWER_BYTES} bytes")
                    yield part

            async def aclose(self) -> None:
                await self._body.aclose()

        return _Bounded()


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
