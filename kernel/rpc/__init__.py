"""gRPC between services: bearer token, deadlines, health, and errors that keep their code across the wire."""

from kernel.rpc.client import RpcClient
from kernel.rpc.server import RpcServer

__all__ = ["RpcClient", "RpcServer"]
