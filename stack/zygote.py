"""Forks services from a process that has imported what they share: `python -m stack.zygote`.

Six interpreters that each import gRPC, asyncpg, aiohttp and pydantic cost 300 MB and seconds of CPU at every start.
Forked from one that has them, they share those pages and start in tens of milliseconds, a restarted one too. Only
libraries and the kernel are imported here, never a service: each service still imports itself, in its own process.

A service must be a child of `shipoff up`, not of this process: it is forked twice, and the kernel gives the orphan to
the nearest subreaper, `shipoff up`. So it dies with `shipoff up`, and the end of this process is nothing to it.
"""

# environ: a forked service gets an environment of its own, which its settings are then read from.

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import runpy
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final

import orjson

from kernel.settings import Settings
from stack.linux import die_with_parent, set_name

READY: Final = b"r"
FORK: Final = b"f"
DESCRIPTORS: Final = 3  # of an order: the service's channel, stdout, stderr
ADOPTED_S: Final = 5.0  # for each of: to become a child of `shipoff up`, to be told what to run
_CHUNK: Final = 64 * 1024
# Shown in place of this process's own arguments once a service's are written over them.
PADDING: Final = "-" * 48
SHARED: Final = (
    "aiohttp.web",
    "asyncpg",
    "google.protobuf.descriptor_pb2",
    "grpc.aio",
    "grpc_health.v1.health",
    "grpc_health.v1.health_pb2_grpc",
    "grpc_status.rpc_status",
    "kernel.database",
    "kernel.events",
    "kernel.objects",
    "kernel.rpc",
    "kernel.service",
    "kernel.streams",
    "kernel.telemetry",
    "prometheus_client",
    "proto.auth.v1.auth_pb2_grpc",
    "proto.logsink.v1.logsink_pb2_grpc",
    "proto.orchestrator.v1.orchestrator_pb2_grpc",
    "proto.projects.v1.projects_pb2_grpc",
    "pydantic",
    "redis.asyncio",
    "uvloop",
    "zstandard",
)


class ZygoteSettings(Settings):
    """Read from SHIPOFF_ZYGOTE_….

    Attributes:
        socket: descriptor on which orders come.
        owner: pid of `shipoff up`.
    """

    socket: int
    owner: int


def main() -> None:
    """Serves orders; in a forked service, becomes it."""
    settings = ZygoteSettings.from_process("zygote")
    orders = socket.socket(fileno=settings.socket)
    gc.disable()  # no holes in pages that are to be shared: whatever fills them later unshares the page
    for name in SHARED:
        importlib.import_module(name)
    gc.freeze()  # what is there now is never looked at again, so that a collection does not unshare it
    orders.send(READY)
    service = _serve(orders)
    if service is not None:
        gc.enable()
        runpy.run_module(_become(service, settings.owner), run_name="__main__", alter_sys=True)


def _serve(orders: socket.socket) -> list[int] | None:
    """Forks until the other end is closed (None), or until this is a service (its descriptors)."""
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, len(FORK), DESCRIPTORS)
        if not order:
            return None
        if _fork_twice() == 0:
            orders.detach()
            return descriptors
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_twice() -> int:
    """Returns 0 in the grandchild, whose parent has ended by the time that this returns here."""
    child = os.fork()
    if child == 0:
        if os.fork():
            os._exit(0)
        return 0
    os.waitpid(child, 0)
    return child


def _become(descriptors: list[int], owner: int) -> str:
    """Turns the grandchild into what an exec would have made.

    Its order comes by a channel of its own, after `shipoff up` has taken it for a child: so the zygote, which all
    services are copies of, never holds a secret, and a service that nobody waits for (any more) does not begin.

    Args:
        descriptors: the channel, stdout, stderr.
        owner: pid of `shipoff up`.

    Returns:
        The module to run.
    """
    channel = socket.socket(fileno=descriptors[0])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in zip((nothing, *descriptors[1:]), (0, 1, 2), strict=True):
        os.dup2(source, target)
    _close_all_but(0, 1, 2, channel.fileno())
    end = time.monotonic() + ADOPTED_S
    while os.getppid() != owner:
        if time.monotonic() > end:
            os._exit(1)
        time.sleep(0.001)
    os.setsid()
    channel.settimeout(ADOPTED_S)
    channel.sendall(b"%d" % os.getpid())
    order = _read_order(channel)
    die_with_parent(owner, order["death_signal"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    module = str(order["module"])
    sys.argv = [module]
    _show_as([sys.executable, "-m", module])
    set_name(module.rpartition(".")[2])
    return module


def _read_order(channel: socket.socket) -> dict[str, Any]:
    """Reads until the other end closes the channel; one that was closed early ends this process."""
    data = b""
    while chunk := channel.recv(_CHUNK):
        data += chunk
    channel.close()
    try:
        order: dict[str, Any] = orjson.loads(data)
    except ValueError:
        os._exit(1)
    return order


def _close_all_but(*kept: int) -> None:
    """Not os.closerange: where there is no close_range(2) it tries every number up to a limit that may be a billion."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        if int(entry.name) not in kept:
            with contextlib.suppress(OSError):  # the one that listed them
                os.close(int(entry.name))


def _show_as(argv: list[str]) -> None:
    """Writes other arguments over this process's, for `ps` (proc(5): arg_start and arg_end in /proc/self/stat)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    text = b"\0".join(os.fsencode(one) for one in argv) + b"\0"
    if len(text) <= end - start:
        ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    main()
