"""Ports are free, claimed by one process, and known to belong to who listens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from stack import ports


def test_free_ports_are_distinct_and_below_the_ephemeral_range() -> None:
    found = ports.free_ports(5)
    assert len(set(found)) == 5
    assert all(ports.LOWEST <= port < max(ports.ephemeral_start(), 65_000) for port in found)


def test_an_offset_port_is_free_too() -> None:
    port = ports.free_ports(1, offset=500)[0]
    assert ports.claim(port + 500)


def test_a_port_that_somebody_listens_on_is_not_claimed() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not ports.claim(port)
    assert ports.claim(port)


def test_another_process_cannot_claim_what_we_have() -> None:
    port = ports.free_ports(1)[0]
    assert ports.claim(port)
    other = f"from stack.ports import claim; raise SystemExit(0 if claim({port}) else 9)"
    assert subprocess.run([sys.executable, "-c", other], check=False, timeout=30).returncode == 9


def test_a_listening_port_belongs_to_its_process_only() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert ports.listens(os.getpid(), port)
        assert not ports.listens(os.getppid(), port)
    assert not ports.listens(os.getpid(), port)
