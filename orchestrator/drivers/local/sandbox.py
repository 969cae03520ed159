"""The arguments that make bubblewrap build one sandbox: a pure function from what is wanted to an argument list.

Inside there is: a read-only system, the runtimes, `/app` (the tenant's tree, the same path in builds and at run time),
`/home/app` and `/tmp` (in memory, capped), `/cache` in builds, and one directory with the egress proxy's socket. There
is no network but loopback, no other process, no variable of ours and no other file of the machine.

As root no user namespace is used: bubblewrap makes the mounts as root, so that private directories can be bound too,
and `setpriv` then drops to the project's uid without capabilities. Otherwise a user namespace does both.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.drivers.local.runtimes import PYTHON, Mounts

APP: Final = Path("/app")
HOME: Final = Path("/home/app")
CACHE: Final = Path("/cache")
EGRESS: Final = Path("/run/egress")
RELAY_PORT: Final = 3128
AGENT: Final = Path(f"/etc/shipoff/agent.{sys.implementation.cache_tag}.pyc")
_SHM_BYTES: Final = 64 << 20

# Parts of the host's /etc that say nothing about it and that programs need. The rest of /etc is made up (system.py).
ETC_FROM_HOST: Final = (
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust",
    "/etc/ca-certificates",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/mime.types",
)


@dataclass(frozen=True, slots=True)
class Overlay:
    """An app directory whose writes go elsewhere.

    Attributes:
        lower: the unpacked slug, never changed.
        upper: where this instance's changes go.
        work: an empty directory on the same file system as `upper`.
    """

    lower: Path
    upper: Path
    work: Path


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What one sandbox is made of.

    Attributes:
        app: the directory that becomes /app, writable, or an overlay.
        etc: the made-up /etc, with the agent in it.
        mounts: the runtimes'.
        uid: to drop to (the platform is root), or None.
        tmp_bytes: size of /tmp and of the home.
        cache: the project's build cache, or None.
        egress: directory of the project's egress socket, or None for no way out.
    """

    app: Path | Overlay
    etc: Path
    mounts: Sequence[Mounts]
    uid: int | None
    tmp_bytes: int
    cache: Path | None = None
    egress: Path | None = None


def bwrap_args(sandbox: Sandbox) -> list[str]:
    """Bubblewrap's arguments, without descriptors and command."""
    args = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--unshare-cgroup-try"]
    args += ["--as-pid-1", "--die-with-parent", "--new-session", "--clearenv", "--hostname", "app"]
    if sandbox.uid is None:
        args += ["--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    else:
        args += ["--cap-drop", "ALL"]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):  # for setpriv, which then drops them too
            args += ["--cap-add", capability]
    args += _system(sandbox) + _tenant(sandbox) + _runtimes(sandbox.mounts)
    # Whatever is left of the made-up root is not for tenants to fill.
    return [*args, "--remount-ro", "/dev", "--remount-ro", "/"]


def agent_command(sandbox: Sandbox) -> list[str]:
    """The agent's command line; its descriptors are appended."""
    agent = [str(PYTHON), "-I", "-S", str(AGENT)]
    if sandbox.uid is None:
        return agent
    ids = [f"--reuid={sandbox.uid}", f"--regid={sandbox.uid}", "--clear-groups"]
    # A change of uid clears the death signal that bubblewrap asked for, hence --pdeathsig.
    powers = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--pdeathsig=KILL"]
    return ["/usr/bin/setpriv", *ids, *powers, "--", *agent]


def _system(sandbox: Sandbox) -> list[str]:
    args = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if (path := Path("/", name)).is_symlink():
            args += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            args += ["--ro-bind", str(path), str(path)]
    args += ["--ro-bind", str(sandbox.etc), "/etc"]
    for name in ETC_FROM_HOST:
        if Path(name).exists():
            args += ["--ro-bind", name, name]
    args += ["--proc", "/proc", "--dev", "/dev"]
    return [*args, "--size", str(_SHM_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108 - inside


def _runtimes(mounts: Sequence[Mounts]) -> list[str]:
    args: list[str] = []
    made = {Path("/")}
    for mount in mounts:
        for host, inside in mount.binds:
            args += [*_parents(inside, made), "--ro-bind", str(host), str(inside)]
        for target, inside in mount.links:
            args += [*_parents(inside, made), "--symlink", target, str(inside)]
    return args


def _parents(path: Path, made: set[Path]) -> list[str]:
    """Makes the directories above a mount point readable for all; bubblewrap's own would be private to root."""
    args: list[str] = []
    for parent in reversed(path.parents):
        if parent not in made and parent.parts[1] not in ("usr", "etc"):
            args += ["--perms", "0755", "--dir", str(parent)]
    made.update(path.parents)
    return args


def _tenant(sandbox: Sandbox) -> list[str]:
    size = str(sandbox.tmp_bytes)
    args = ["--size", size, "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - inside
    args += ["--perms", "0755", "--dir", "/home", "--size", size, "--perms", "0777", "--tmpfs", str(HOME)]
    args += ["--perms", "0755", "--dir", "/var", "--symlink", "/tmp", "/var/tmp"]  # noqa: S108 - inside
    args += ["--perms", "0755", "--dir", "/run"]
    if isinstance(sandbox.app, Overlay):
        layers = [str(sandbox.app.upper), str(sandbox.app.work), str(APP)]
        args += ["--overlay-src", str(sandbox.app.lower), "--overlay", *layers]
    else:
        args += ["--bind", str(sandbox.app), str(APP)]
    if sandbox.cache is not None:
        args += ["--bind", str(sandbox.cache), str(CACHE)]
    if sandbox.egress is not None:
        # The directory, not the socket: a proxy that starts anew makes a new socket in it.
        args += ["--ro-bind", str(sandbox.egress), str(EGRESS)]
    return args
