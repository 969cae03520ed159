"""The gRPC door: Logs.Append and Logs.Read of proto/logsink/v1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from kernel.rpc import RpcServer
from logsink.query.reader import Reader
from logsink.receive import validate, wire
from logsink.receive.door import Sink
from proto.logsink.v1 import logsink_pb2 as pb
from proto.logsink.v1 import logsink_pb2_grpc as rpc


class GrpcDoor:
    """Serves the Logs service.

    Args:
        listen: "host:port".
        token: the service token that callers show.
    """

    def __init__(self, listen: str, token: str, sink: Sink, reader: Reader) -> None:
        self._server = RpcServer(listen, token)
        self._server.add(rpc.add_LogsServicer_to_server, _Logs(sink, reader))

    async def start(self) -> int:
        """Listens; returns the port."""
        return await self._server.start()

    async def stop(self) -> None:
        """Refuses new calls; those that run have two seconds."""
        await self._server.stop()


class _Logs(rpc.LogsServicer):
    def __init__(self, sink: Sink, reader: Reader) -> None:
        self._sink, self._reader = sink, reader

    async def Append(self, request: pb.AppendRequest, context: Any) -> pb.AppendResponse:  # noqa: N802 - generated name
        batch = validate.batch(request.producer, request.sequence, map(wire.line_from, request.lines))
        return pb.AppendResponse(stored=await self._sink.append(batch))

    async def Read(self, request: pb.ReadRequest, context: Any) -> AsyncIterator[pb.Line]:  # noqa: N802
        query = validate.query(wire.query_from(request))
        async with aclosing(self._reader.read(query, follow=request.follow)) as pages:
            async for page in pages:
                for line in page:
                    yield wire.line_to(line)
