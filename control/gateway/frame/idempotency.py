"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a POST that is sent twice is done once.

A client that got no answer sends the request again with the same key and gets the answer of the first one. Answers rest
in Redis for a day, sealed, since they may hold a token that is shown once. What failed on our side (5xx) is not kept,
and may be tried again with the same key. The work goes on when the client goes away, so that its answer can be had.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web
from redis.exceptions import RedisError

from control.gateway.problems import as_problem
from kernel import tasks
from kernel.errors import ShipoffError, define
from kernel.sealing import Sealer

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

IDEMPOTENCY_KEY_INVALID = define(
    "IDEMPOTENCY_KEY_INVALID", source="client", status=400, hint="send 1 to 255 visible ASCII characters, e.g. a UUID"
)
IDEMPOTENCY_KEY_REUSED = define(
    "IDEMPOTENCY_KEY_REUSED", source="client", status=422, hint="send another key with another request"
)
IDEMPOTENCY_KEY_IN_USE = define(
    "IDEMPOTENCY_KEY_IN_USE",
    source="client",
    status=409,
    retryable=True,
    hint="the first request with this key is not finished; send it again in a moment",
)
IDEMPOTENCY_UNAVAILABLE = define(
    "IDEMPOTENCY_UNAVAILABLE", status=503, retryable=True, hint="try again in a moment, with the same key"
)
HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
KEEP_S: Final = 24 * 3600
REDIS_S: Final = 2.0
# Longer than any request lasts: a gateway that died in the middle blocks its keys for so long.
RUNNING_S: Final = 180
_KEY: Final = re.compile(r'(")?([\x21\x23-\x7e]{1,255})(?(1)")')  # quoted, as the draft has it, or bare
_RUNNING: Final = b"running"
_KEPT: Final = ("Content-Type", "Location", "ETag", "Cache-Control", "WWW-Authenticate")

Produce = Callable[[], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that carries a key.

    Attributes:
        place: where its answer is kept.
        fingerprint: 64 characters; differs when the request does.
    """

    place: str
    fingerprint: str


async def attempt_of(request: web.Request, credential_id: str) -> Attempt | None:
    """The attempt that a request is; None without a key.

    Args:
        request: as it came.
        credential_id: that it shows. An answer may hold a secret, so it is repeated to no other credential, not even to
            one of the same account, which may be cut down to less.

    Raises:
        ShipoffError: IDEMPOTENCY_KEY_INVALID.
    """
    shown = request.headers.getall(HEADER, [])
    if not shown:
        return None
    match = _KEY.fullmatch(shown[0].strip())
    if match is None or len(shown) > 1:
        raise IDEMPOTENCY_KEY_INVALID("the header Idempotency-Key is malformed")
    scope = "\n".join((credential_id, request.method, request.path, match[2]))
    content = hashlib.sha256(f"{request.content_type}\n{request.query_string}\n".encode() + await request.read())
    return Attempt(f"shipoff:idempotency:{hashlib.sha256(scope.encode()).hexdigest()}", content.hexdigest())


class Replays:
    """Keeps answers by key.

    Args:
        redis: where.
        secret: of the platform; answers are sealed with a key made of it.
    """

    def __init__(self, redis: Redis, secret: str) -> None:
        self._redis = redis
        self._sealer = Sealer(base64.b64encode(hashlib.sha256(b"idempotency\n" + secret.encode()).digest()).decode())

    async def answer(self, attempt: Attempt, produce: Produce) -> web.Response:
        """The answer to a request: kept, or produced and kept.

        Raises:
            ShipoffError: IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_IN_USE, IDEMPOTENCY_UNAVAILABLE, or what `produce`
                raises of its own side's faults.
        """
        try:
            async with asyncio.timeout(REDIS_S):
                found = await self._begin(attempt)
        except (RedisError, OSError) as error:
            raise IDEMPOTENCY_UNAVAILABLE("it can't be seen whether this was done before") from error
        if found is None:
            return await asyncio.shield(tasks.spawn(self._finish(attempt, produce), "request with an idempotency key"))
        fingerprint, kept = found[:64].decode(), found[64:]
        if fingerprint != attempt.fingerprint:
            raise IDEMPOTENCY_KEY_REUSED("the key was sent before, with another request")
        if kept == _RUNNING:
            raise IDEMPOTENCY_KEY_IN_USE("the first request with this key is still being done", retry_after_s=1)
        return self._open(attempt, kept)

    async def _begin(self, attempt: Attempt) -> bytes | None:
        """What is kept; None when the place was free, and is ours now."""
        running = attempt.fingerprint.encode() + _RUNNING
        found = await self._redis.set(attempt.place, running, nx=True, ex=RUNNING_S, get=True)
        return cast("bytes | None", found)

    async def _finish(self, attempt: Attempt, produce: Produce) -> web.Response:
        try:
            response = await produce()
        except ShipoffError as error:
            response = as_problem(error)
            if error.status >= 500 or error.status == 429:
                await self._keep(attempt, None)
                raise
        except BaseException:
            await self._keep(attempt, None)
            raise
        await self._keep(attempt, None if response.status >= 500 else response)
        return response

    async def _keep(self, attempt: Attempt, response: web.Response | None) -> None:
        try:
            async with asyncio.timeout(REDIS_S):
                if response is None:
                    await self._redis.delete(attempt.place)
                else:
                    sealed = self._sealer.seal(_flat(response), attempt.place)
                    await self._redis.set(attempt.place, attempt.fingerprint.encode() + sealed, ex=KEEP_S)
        except (
            RedisError,
            OSError,
        ) as error:  # it is done: the client gets its answer, and the key stays taken a while
            log.warning("an answer could not be kept for its idempotency key: %r", error)

    def _open(self, attempt: Attempt, kept: bytes) -> web.Response:
        found = cast("dict[str, Any]", self._sealer.open(kept, attempt.place))
        headers = {**found["headers"], REPLAYED: "true"}
        return web.Response(status=found["status"], body=found["body"].encode(), headers=headers)


def _flat(response: web.Response) -> dict[str, Any]:
    content = response.body if isinstance(response.body, bytes) else b""
    headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
    return {"status": response.status, "headers": headers, "body": content.decode()}
