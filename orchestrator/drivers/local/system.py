"""The made-up /etc of a sandbox, and the small programs that lie in it.

It is a directory per uid on disk, because bubblewrap binds directories cheaply and passes file contents only by
descriptors. Everything in it is readable for all: nothing in it is secret.
"""

from __future__ import annotations

import py_compile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.drivers.local.runtimes import Mounts
from orchestrator.drivers.local.sandbox import AGENT, ETC_FROM_HOST

_AGENT_SOURCE: Final = Path(__file__).with_name("agent.py")
_DIRECTORIES_FROM_HOST: Final = ("ssl", "php", "pki", "shipoff")


def prepare_etc(directory: Path, uid: int, mounts: Sequence[Mounts]) -> Path:
    """Writes the /etc of a uid's sandboxes, if it is not as it should be; safe to repeat while sandboxes use it.

    Args:
        directory: where to keep it.
        uid: the uid inside.
        mounts: their `files` are put below `shipoff/bin`.
    """
    for name in ("", *_DIRECTORIES_FROM_HOST, "shipoff/bin"):
        _directory(directory / name)
    for path in ETC_FROM_HOST:
        _mount_point(directory, Path(path))
    for name, text in _texts(uid).items():
        _file(directory / name, text)
    _agent(directory / "shipoff/agent.py")
    for mount in mounts:
        for text, inside in mount.files:
            _file(directory / "shipoff/bin" / inside.name, text, 0o755)
    return directory


def _agent(path: Path) -> None:
    """The agent, compiled: a program that is run by its path is compiled at every start otherwise, which takes 8 ms."""
    compiled = path.parent / AGENT.name
    if not compiled.exists() or not path.exists() or path.read_text() != _AGENT_SOURCE.read_text():
        _file(path, _AGENT_SOURCE.read_text())
        temporary = compiled.with_suffix(".tmp")
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(path), str(temporary), dfile=str(AGENT), doraise=True, invalidation_mode=mode)
        temporary.chmod(0o644)
        temporary.replace(compiled)


def _texts(uid: int) -> dict[str, str]:
    return {
        "passwd": f"root:x:0:0:root:/root:/bin/sh\napp:x:{uid}:{uid}:app:/home/app:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
        "group": f"root:x:0:\napp:x:{uid}:\nnogroup:x:65534:\n",
        "hosts": "127.0.0.1 localhost app\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
        "resolv.conf": "",  # names are resolved by the egress proxy
        "services": "http 80/tcp\nhttps 443/tcp\n",
        "protocols": "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6 41 IPv6\n",
    }


def _mount_point(directory: Path, path: Path) -> None:
    """Something to mount the host's file or directory over."""
    point = directory / path.relative_to("/etc")
    if path.is_dir():
        for parent in reversed([point, *point.relative_to(directory).parents]):
            _directory(directory / parent)
    elif path.exists():
        _directory(point.parent)
        _file(point, "")


def _directory(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)


def _file(path: Path, text: str, mode: int = 0o644) -> None:
    if not path.exists() or path.read_text() != text:
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(text)
        temporary.chmod(mode)
        temporary.replace(path)
