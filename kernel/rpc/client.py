"""A gRPC client with the platform's rules: every call has a deadline, retries what is safe, and raises ShipoffError.

`RpcClient.stub(AuthStub)` gives the generated stub; its calls are awaited (or iterated) as usual. A call that could not
reach the server is tried again until its deadline when the method only reads (Get…, List…, Check…) or names what it
makes (Create… with a caller-chosen id, Append with a sequence): such methods are listed by the caller in `idempotent`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

import grpc

from kernel.rpc import wire
from kernel.rpc.server import MESSAGE_BYTES
from kernel.telemetry import request_id, traceparent

Stub = TypeVar("Stub")

DEADLINE_S: Final = 10.0
BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_READS: Final = ("Get", "List", "Check")
_OPTIONS: Final = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.max_metadata_size", wire.METADATA_BYTES),
]


class RpcClient:
    """One channel to one service.

    Args:
        address: "host:port".
        token: the platform's service token.
        idempotent: names of further methods that may be sent twice.
        caller: for whom the calls are made where `wire.identity` says nothing; "" is nobody, who may do nothing that
            needs a permission.
    """

    def __init__(
        self,
        address: str,
        token: str,
        *,
        idempotent: frozenset[str] = frozenset(),
        caller: str = "platform:service",
    ) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._token, self._idempotent, self._caller = token, idempotent, caller

    def stub(self, make: Callable[[Any], Stub]) -> Stub:
        """The generated stub over this channel, under the rules above."""
        return make(_Ruled(self._channel, self._metadata, self._may_repeat))

    async def close(self) -> None:
        """Closes the channel; running calls are cancelled."""
        await self._channel.close(None)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        pairs = [("authorization", f"Bearer {self._token}")]
        if request := request_id.get():
            pairs.append((wire.REQUEST_ID, request))
        if trace := traceparent.get():
            pairs.append((wire.TRACEPARENT, trace))
        if caller := wire.identity.get() or self._caller:
            pairs.append((wire.IDENTITY, caller))
        return tuple(pairs)

    def _may_repeat(self, method: str) -> bool:
        name = method.rpartition("/")[2]
        return name.startswith(_READS) or name in self._idempotent


class _Ruled:
    """What a generated stub takes for a channel."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        metadata: Callable[[], tuple[tuple[str, str], ...]],
        may_repeat: Callable[[str], bool],
    ) -> None:
        self._channel, self._metadata, self._may_repeat = channel, metadata, may_repeat

    def unary_unary(self, method: str, **options: Any) -> Any:
        call = self._channel.unary_unary(method, **options)

        async def run(request: Any, *, timeout: float = DEADLINE_S) -> Any:
            loop = asyncio.get_running_loop()
            end, tried = loop.time() + timeout, 0
            while True:
                try:
                    return await call(request, timeout=max(end - loop.time(), 0.001), metadata=self._metadata())
                except grpc.aio.AioRpcError as error:
                    failure = wire.from_rpc(error, method)
                    pause = BACKOFF_S[min(tried, len(BACKOFF_S) - 1)]
                    if not self._again(error, method) or loop.time() + pause >= end:
                        raise failure from error
                tried += 1
                await asyncio.sleep(pause)

        return run

    def unary_stream(self, method: str, **options: Any) -> Any:
        call = self._channel.unary_stream(method, **options)

        async def run(request: Any, *, timeout: float | None = None) -> AsyncIterator[Any]:
            try:
                async for answer in call(request, timeout=timeout, metadata=self._metadata()):
                    yield answer
            except grpc.aio.AioRpcError as error:
                raise wire.from_rpc(error, method) from error

        return run

    def stream_stream(self, method: str, **options: Any) -> Any:
        call = self._channel.stream_stream(method, **options)

        async def run(requests: AsyncIterator[Any], *, timeout: float | None = None) -> AsyncIterator[Any]:
            try:
                async for answer in call(requests, timeout=timeout, metadata=self._metadata()):
                    yield answer
            except grpc.aio.AioRpcError as error:
                raise wire.from_rpc(error, method) from error

        return run

    def _again(self, error: grpc.aio.AioRpcError, method: str) -> bool:
        return error.code() is grpc.StatusCode.UNAVAILABLE and self._may_repeat(method)
