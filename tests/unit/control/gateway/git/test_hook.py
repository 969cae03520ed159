"""The hook as git runs it: alone, over pipes, with the gateway on a unix socket."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

from control.gateway.git import hook

OLD, NEW = b"0" * 40, b"1" * 40
COMMAND = b"%s %s refs/heads/main" % (OLD, NEW)


def packet(payload: bytes) -> bytes:
    return b"%04x" % (len(payload) + 4) + payload


HELLO = packet(b"version=1\0push-options atomic") + b"0000" + packet(COMMAND) + b"0000"


def ask(path: Path) -> tuple[bytes, bytes]:
    """What the hook tells git and the person."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", hook.__file__],
        input=HELLO,
        env={"SHIPOFF_HOOK_SOCKET": str(path), "SHIPOFF_HOOK_SECRET": "s3cret"},
        capture_output=True,
        check=True,
        timeout=20,
    )
    return done.stdout, done.stderr


def ask_with_gateway(path: Path, frames: bytes) -> tuple[bytes, bytes, bytes]:
    """The same with a gateway that says `frames` and hangs up; the last value is what it heard."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)

        def serve() -> None:
            connection, _ = server.accept()
            heard.append(connection.recv(65536))
            connection.sendall(frames)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        out, told = ask(path)
        thread.join(5)
    return out, told, b"".join(heard)


def frame(kind: bytes, payload: bytes) -> bytes:
    return kind + len(payload).to_bytes(4, "big") + payload


def test_it_relays_words_and_verdicts(tmp_path: Path) -> None:
    frames = frame(b"p", "building …".encode()) + frame(b"r", b"ok refs/heads/main") + frame(b"e", b"")
    out, told, heard = ask_with_gateway(tmp_path / "s", frames)
    assert heard == b"s3cret\n" + COMMAND + b"\n\n"
    assert told == "building …\n".encode()
    assert out == packet(b"version=1\n") + b"0000" + packet(b"ok refs/heads/main") + b"0000"


def test_a_gateway_that_dies_refuses_the_push(tmp_path: Path) -> None:
    out, told, _ = ask_with_gateway(tmp_path / "s", frame(b"p", b"building"))
    assert b"shipoff deployments" in told
    assert packet(b"ng refs/heads/main the platform gave no verdict") in out


def test_without_a_gateway_the_push_is_refused(tmp_path: Path) -> None:
    out, told = ask(tmp_path / "nobody")
    assert b"cannot reach the platform" in told
    assert packet(b"ng refs/heads/main the platform gave no verdict") in out
