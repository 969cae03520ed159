"""Where the local driver keeps things, and what it was told by the platform's settings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """What the local driver needs to know.

    Attributes:
        work_dir: instances, unpacked slugs and caches; may be large and may lie in a private directory.
        run_dir: unix sockets; a short path (108 bytes is the limit for a socket's).
        runtimes_dir: language runtimes that the platform unpacked (`php/usr/bin/php8.2` …), or None.
        owner_pid: the process whose end ends every instance and the egress proxy; 0 for none.
        upstream_proxy: URL of the proxy that this machine itself must use to get out, "" for none.
        egress_allow: networks (CIDR) that tenants may reach although they are private, e.g. a package mirror's.
        cache_bytes: a project's build cache is thrown away when it is larger.
        cache_after_s: so long after a build its cache is packed for the store: the release's start goes first.
    """

    work_dir: Path
    run_dir: Path
    runtimes_dir: Path | None = None
    owner_pid: int = 0
    upstream_proxy: str = ""
    egress_allow: tuple[str, ...] = ()
    cache_bytes: int = 3 << 30
    cache_after_s: float = 15.0

    @property
    def instances(self) -> Path:
        """One directory per instance: spec, log, exit."""
        return self.work_dir / "instances"

    @property
    def discarded(self) -> Path:
        """What is left of instances while it is being deleted."""
        return self.work_dir / "discarded"

    @property
    def slugs(self) -> Path:
        """One directory per unpacked slug and uid."""
        return self.work_dir / "unpacked"

    @property
    def caches(self) -> Path:
        """One directory per project: what npm, uv and others downloaded."""
        return self.work_dir / "caches"

    @property
    def systems(self) -> Path:
        """What is the same for every sandbox of a uid: /etc and the agent."""
        return self.work_dir / "systems"

    @property
    def egress(self) -> Path:
        """The egress proxy's sockets: `control`, and one directory per project, which its sandboxes see."""
        return self.run_dir / "egress"

    def socket_of(self, instance_id: str) -> Path:
        """Where an instance is dialled. Half of the id's random part keeps the path short."""
        return self.run_dir / "i" / instance_id[-16:]

    def commands_of(self, instance_id: str) -> Path:
        """Where commands for an instance are asked for; a router gets no sight of it."""
        return self.run_dir / "x" / instance_id[-16:]

    def egress_of(self, project_id: str) -> Path:
        """The directory with a project's egress socket."""
        return self.egress / tag(project_id)

    @property
    def platform(self) -> str:
        """A name for this platform that no other one on this machine has."""
        return f"shipoff-{tag(str(self.work_dir.resolve()))}"


def tag(text: str) -> str:
    """A short name for a text, safe in paths."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
