"""The gRPC door: the service Logs of proto/logsink/v1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from kernel.authority import Owners, Permission, require_platform
from kernel.rpc import RpcServer
from logsink.authority import Authority
from logsink.query.reader import Reader
from logsink.receive import validate, wire
from logsink.receive.door import Sink
from logsink.requests import wire as requests_wire
from logsink.requests.store import RequestStore
from proto.logsink.v1 import logsink_pb2 as pb
from proto.logsink.v1 import logsink_pb2_grpc as rpc

_APPEND_REQUESTS: Final = frozenset({"/shipoff.logsink.v1.Logs/AppendRequests"})


class GrpcDoor:
    """Serves the Logs service.

    Args:
        listen: "host:port".
        token: the service token that callers show.
        requests_token: opens AppendRequests alone; "" for none.
        authority: who asks, and whose a project is.
    """

    def __init__(
        self,
        listen: str,
        token: str,
        requests_token: str,
        sink: Sink,
        reader: Reader,
        requests: RequestStore,
        authority: Authority,
    ) -> None:
        narrow = {requests_token: _APPEND_REQUESTS} if requests_token else {}
        self._server = RpcServer(listen, token, narrow, authority.border.enter)
        self._server.add(rpc.add_LogsServicer_to_server, _Logs(sink, reader, requests, authority.owners))

    async def start(self) -> int:
        """Listens; returns the port."""
        return await self._server.start()

    async def stop(self) -> None:
        """Refuses new calls; those that run have two seconds."""
        await self._server.stop()


class _Logs(rpc.LogsServicer):
    def __init__(self, sink: Sink, reader: Reader, requests: RequestStore, owners: Owners) -> None:
        self._sink, self._reader, self._requests, self._owners = sink, reader, requests, owners

    async def Append(self, request: pb.AppendRequest, context: Any) -> pb.AppendResponse:  # noqa: N802 - generated name
        require_platform()
        batch = validate.batch(request.producer, request.sequence, map(wire.line_from, request.lines))
        return pb.AppendResponse(stored=await self._sink.append(batch))

    async def Read(self, request: pb.ReadRequest, context: Any) -> AsyncIterator[pb.Line]:  # noqa: N802
        await self._owners.require(Permission.LOGS_READ, request.project_id)
        query = validate.query(wire.query_from(request))
        async with aclosing(self._reader.read(query, follow=request.follow)) as pages:
            async for page in pages:
                for line in page:
                    yield wire.line_to(line)

    async def AppendRequests(self, request: pb.AppendRequestsRequest, context: Any) -> pb.AppendResponse:  # noqa: N802
        return pb.AppendResponse(stored=await self._requests.append(requests_wire.batch_from(request)))

    async def ListRequests(self, request: pb.ListRequestsRequest, context: Any) -> pb.ListRequestsResponse:  # noqa: N802
        await self._owners.require(Permission.LOGS_READ, request.project_id)
        return requests_wire.page_to(await self._requests.newest(requests_wire.query_from(request)))

    async def ListTraffic(self, request: pb.ListTrafficRequest, context: Any) -> pb.ListTrafficResponse:  # noqa: N802
        require_platform()
        found = await self._requests.traffic(*requests_wire.traffic_from(request))
        return pb.ListTrafficResponse(
            traffic=[
                pb.Traffic(project_id=one.project_id, month=one.month.isoformat(), requests=one.requests, sent=one.sent)
                for one in found
            ]
        )
