"""Loopback ports for a stack: free, below the ephemeral range, and claimed so that two stacks never choose the same.

Below the ephemeral range, because above it an outgoing connection may sit on a port that a service wants again. A claim
is an abstract unix socket named after the port: taken atomically, and given back by the kernel when its process ends.
Without it, two stacks that start at once would both see a default port free, and one would find the other there.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from kernel.errors import define

NO_PORT = define("NO_PORT", retryable=True, hint="stop what listens on this machine, or name the ports in the settings")
LOWEST: Final = 15_000
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LISTEN: Final = "0A"
_claims: Final[dict[int, socket.socket]] = {}  # held until this process ends


def ephemeral_start() -> int:
    """The first port that the kernel gives to outgoing connections."""
    try:
        return int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768


def claim(port: int, host: str = "127.0.0.1") -> bool:
    """Takes a port for this process, if nobody listens there and no other stack has claimed it."""
    if port in _claims:
        return _can_listen(host, port)
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0shipoff-port-{port}")
    except OSError:
        holder.close()
        return False
    if not _can_listen(host, port):
        holder.close()
        return False
    _claims[port] = holder
    return True


def free_ports(count: int, *, avoid: Iterable[int] = (), offset: int = 0) -> list[int]:
    """Distinct free ports, claimed for this process.

    Args:
        count: how many.
        avoid: ports that are promised to others.
        offset: that port + offset must be free too (SeaweedFS derives one port from another).

    Raises:
        ShipoffError: NO_PORT.
    """
    taken = set(avoid) | _claims.keys()
    found: list[int] = []
    for port in _candidates(offset):
        if len(found) == count:
            return found
        pair = {port, port + offset}
        if not pair & taken and all(claim(one) for one in pair):
            found.append(port)
            taken |= pair
    if len(found) == count:
        return found
    raise NO_PORT(f"found {len(found)} of {count} free ports between {LOWEST} and {ephemeral_start()}")


def listens(pid: int, port: int) -> bool:
    """Whether a process itself listens on a TCP port: a port that answers may be somebody else's (proc(5))."""
    inodes = set(_listening(port))
    try:
        descriptors = list(os.scandir(f"/proc/{pid}/fd"))
    except OSError:
        return False
    for entry in descriptors:
        try:
            target = str(Path(entry.path).readlink())
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:[") and target[8:-1] in inodes:
            return True
    return False


def _listening(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _candidates(offset: int) -> Iterator[int]:
    end = ephemeral_start() - offset
    if end <= LOWEST + 1000:  # a machine whose ephemeral range reaches down to us: anything above is as good
        end = 65_000 - offset
    yield from random.sample(range(LOWEST, end), min(4000, end - LOWEST))


def _can_listen(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of a predecessor in TIME_WAIT do not count: a server that sets the same option may listen.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True
