"""The proc-receive hook: git's side of a push that waits for its deployment.

Runs alone (`python -I -S hook.py`), started by git receive-pack after the objects are stored and before any ref moves.
It decides nothing: it hands the commands to the gateway over a unix socket, prints what the gateway says (git shows it
as `remote: …`), and reports the gateway's verdict on each ref. Without a gateway every ref is refused.

Protocol towards git: githooks(5), "proc-receive"; gitprotocol-common(5) for packet lines.
Protocol towards the gateway: we send the secret and one line a command, then an empty line; it sends frames of a kind
(p print, r report, e end), a length of 4 bytes, big-endian, and that many bytes.
"""

# environ: the gateway tells a hook where it listens by the environment, as git tells it where the repository is
import os
import socket
import sys

CONNECT_S = 10.0
LOST = "the platform restarted during this push; see how the deployment ends with: shipoff deployments"


def read_packets() -> list[bytes]:
    """Packet lines from git up to a flush packet."""
    packets: list[bytes] = []
    while True:
        size = int(sys.stdin.buffer.read(4) or b"0", 16)
        if size == 0:
            return packets
        packets.append(sys.stdin.buffer.read(size - 4).rstrip(b"\n"))


def write_packet(payload: bytes) -> None:
    """One packet line to git."""
    sys.stdout.buffer.write(b"%04x" % (len(payload) + 4) + payload)


def flush() -> None:
    """A flush packet to git."""
    sys.stdout.buffer.write(b"0000")
    sys.stdout.buffer.flush()


def say(text: bytes) -> None:
    """A line to the person who pushes, at once."""
    sys.stderr.buffer.write(text + b"\n")
    sys.stderr.buffer.flush()


def relay(gateway: socket.socket, reported: set[bytes]) -> bool:
    """Does what the gateway says until it ends; False when it vanished before."""
    stream = gateway.makefile("rb")
    while len(head := stream.read(5)) == 5:
        kind, payload = head[:1], stream.read(int.from_bytes(head[1:], "big"))
        if kind == b"p":
            say(payload)
        elif kind == b"r":
            reported.add(payload.split(b" ")[1])
            write_packet(payload)
        else:
            return True
    return False


def main() -> None:
    """Negotiates, hands the commands over, relays, and refuses whatever got no verdict."""
    read_packets()
    write_packet(b"version=1\n")
    flush()
    commands = read_packets()
    reported: set[bytes] = set()
    finished = False
    try:
        gateway = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        gateway.settimeout(CONNECT_S)
        gateway.connect(os.environ["SHIPOFF_HOOK_SOCKET"])
        gateway.settimeout(None)  # the gateway bounds the wait; if it dies, the connection ends
        gateway.sendall(b"\n".join([os.environ["SHIPOFF_HOOK_SECRET"].encode(), *commands, b"", b""]))
        finished = relay(gateway, reported)
    except OSError as error:
        say(f"cannot reach the platform: {error}".encode())
    if not finished:
        say(LOST.encode())
    for command in commands:
        ref = command.split(b" ", 2)[2]
        if ref not in reported:
            write_packet(b"ng %s %s" % (ref, b"the platform gave no verdict"))
    flush()


if __name__ == "__main__":
    main()
