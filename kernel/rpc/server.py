"""A gRPC server with the platform's rules: callers show the service token, failures carry their code."""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from kernel.errors import INTERNAL, UNAVAILABLE, ShipoffError, define
from kernel.rpc import wire
from kernel.telemetry import request_id, traceparent

log = logging.getLogger(__name__)
Admit = Callable[[str], Awaitable[None]]

SERVICE_TOKEN_INVALID = define(
    "SERVICE_TOKEN_INVALID", source="client", status=401, hint="services call each other with SHIPOFF_SERVICE_TOKEN"
)
MESSAGE_BYTES: Final = 8 * 1024 * 1024
CONCURRENT_CALLS: Final = 1000  # above it a call is refused at once (RESOURCE_EXHAUSTED) instead of queueing
_OPTIONS: Final = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", wire.METADATA_BYTES),
    ("grpc.so_reuseport", 0),
]
_OPEN: Final = "/grpc.health.v1.Health/"


class RpcServer:
    """Serves the servicers that were added.

    Args:
        listen: "host:port"; port 0 lets the kernel choose.
        token: the bearer token that every caller must show (health checks excepted).
        narrow: further tokens that each open some methods only ("/package.Service/Method"), for callers that are
            exposed and must not hold the other.
        admit: is told for whom each call is made (kernel/authority's Border.enter), before it is answered.
    """

    def __init__(
        self,
        listen: str,
        token: str,
        narrow: Mapping[str, frozenset[str]] = MappingProxyType({}),
        admit: Admit | None = None,
    ) -> None:
        self._listen = listen
        self._server = grpc.aio.server(
            interceptors=[_Rules(token, narrow, admit)], options=_OPTIONS, maximum_concurrent_rpcs=CONCURRENT_CALLS
        )
        self._health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def add(self, adder: Callable[[Any, Any], None], servicer: object) -> None:
        """Adds a servicer by its generated `add_…Servicer_to_server`."""
        adder(servicer, self._server)

    async def start(self) -> int:
        """Listens and reports SERVING.

        Returns:
            The port.

        Raises:
            ShipoffError: UNAVAILABLE when the address is taken.
        """
        try:
            port = self._server.add_insecure_port(self._listen)
        except RuntimeError as error:
            raise UNAVAILABLE(f"cannot listen on {self._listen}", hint="is it in use?") from error
        await self._server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, grace_s: float = 2.0) -> None:
        """Reports NOT_SERVING, refuses new calls, and lets running ones end within the grace."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)


class _Rules(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Checks the token, carries the request's ids, and turns what a handler raises into a status with its code."""

    def __init__(self, token: str, narrow: Mapping[str, frozenset[str]], admit: Admit | None) -> None:
        self._admit = admit
        self._expected = f"Bearer {token}".encode()
        self._narrow = {f"Bearer {other}".encode(): methods for other, methods in narrow.items()}

    def _allows(self, shown: bytes, method: str) -> bool:
        if hmac.compare_digest(shown, self._expected):
            return True
        return any(hmac.compare_digest(shown, other) and method in opens for other, opens in self._narrow.items())

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method or ""
        if handler is None or method.startswith(_OPEN):
            return handler
        metadata = dict(handler_call_details.invocation_metadata or ())
        allowed = self._allows(str(metadata.get("authorization", "")).encode(), method)
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._stream(handler.stream_stream, allowed, metadata),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(handler.unary_stream, allowed, metadata),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(handler.unary_unary, allowed, metadata),
            handler.request_deserializer,
            handler.response_serializer,
        )

    async def _check(self, allowed: bool, metadata: dict[str, Any]) -> None:
        if not allowed:
            raise SERVICE_TOKEN_INVALID("the call carries no valid service token")
        if self._admit is not None:
            await self._admit(str(metadata.get(wire.IDENTITY, "")))

    def _unary(self, call: Any, allowed: bool, metadata: dict[str, Any]) -> Any:
        async def run(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            _enter(metadata)
            try:
                await self._check(allowed, metadata)
                return await call(request, context)
            except Exception as error:  # noqa: BLE001 - the boundary: nothing may leave without a code
                await _abort(context, error)

        return run

    def _stream(self, call: Any, allowed: bool, metadata: dict[str, Any]) -> Any:
        async def run(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            _enter(metadata)
            try:
                await self._check(allowed, metadata)
                async for answer in call(request, context):
                    yield answer
            except Exception as error:  # noqa: BLE001 - as above
                await _abort(context, error)

        return run


def _enter(metadata: dict[str, Any]) -> None:
    request_id.set(str(metadata.get(wire.REQUEST_ID, "")))
    traceparent.set(str(metadata.get(wire.TRACEPARENT, "")))


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if not isinstance(error, ShipoffError):
        log.error("a call failed", exc_info=error)
        error = INTERNAL("the service failed on this call")
    await context.abort(wire.status_of(error), error.detail, ((wire.TRAILER, wire.to_trailer(error)),))
