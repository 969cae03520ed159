"""SeaweedFS' all-in-one server, closed down to its S3 door.

`weed mini` starts a master, a volume server, a filer and a worker beside S3. Their HTTP doors are off (-disableHttp) or
want a signed token; their gRPC stays open on loopback, which is why no build or app ever shares the host's network.
"""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.files import write_private
from stack.linux import release_file_pages
from stack.ports import free_ports
from stack.process import Command
from stack.servers.binaries import weed
from stack.servers.s3_probe import S3Probe

REGION: Final = "us-east-1"
SETTLED_S: Final = 10.0  # after readiness; its parts have found each other by then
_DERIVED: Final = 10_000  # weed's worker dials the admin's port plus this, whatever the flags say
_PORTS: Final = (
    "s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc",
)  # fmt: skip
_KEYS: Final = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")


@dataclass(frozen=True, slots=True)
class S3Address:
    """What a client of the object store needs; the values of the settings SHIPOFF_S3_*."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    region: str = REGION


class Seaweed:
    """One server.

    Args:
        directory: its state; made when missing.
        run_dir: where its sockets lie (short).
        access_key: public half of the only identity.
        secret_key: secret half.
        signing_key: from which the internal doors' token keys are made; secret.
        bucket: made at start.
        ports: those of `choose_ports`.
    """

    name = "seaweed"
    stop_signal = signal.SIGTERM
    stop_within_s = 12.0
    ready_within_s = 60.0

    def __init__(
        self,
        directory: Path,
        run_dir: Path,
        *,
        access_key: str,
        secret_key: str,
        signing_key: str,
        bucket: str,
        ports: dict[str, int],
    ) -> None:
        self._directory, self._run_dir, self._ports = directory, run_dir, ports
        self._signing_key = signing_key
        self._program = weed()
        self.address = S3Address(f"http://127.0.0.1:{ports['s3']}", access_key, secret_key, bucket)
        self._probe = S3Probe(self.address.endpoint, access_key, secret_key, self.address.region)

    @staticmethod
    def choose_ports(avoid: set[int] | None = None) -> dict[str, int]:
        """Free ports for all its doors, by name.

        Raises:
            ShipoffError: NO_PORT.
        """
        taken = set(avoid or ())
        admin = free_ports(1, avoid=taken, offset=_DERIVED)[0]
        rest = free_ports(len(_PORTS), avoid={*taken, admin, admin + _DERIVED})
        return {"admin": admin, "admin.grpc": admin + _DERIVED, **dict(zip(_PORTS, rest, strict=True))}

    async def prepare(self) -> None:
        """Writes the identity and the token keys (mode 0600)."""
        for folder in (self._data, self._run_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        credentials = [{"accessKey": self.address.access_key, "secretKey": self.address.secret_key}]
        identity = {"name": "shipoff", "credentials": credentials, "actions": ["Admin"]}
        write_private(self._directory / "s3.json", json.dumps({"identities": [identity]}))
        keys = "\n".join(f'[{name}]\nkey = "{self._signing_key}.{name}"\n' for name in _KEYS)
        write_private(self._directory / "security.toml", keys)

    def command(self) -> Command:
        """`weed mini`, in the folder of its security.toml."""
        ports = self._ports
        flags = {
            "dir": self._data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "bucket": self.address.bucket,
            "s3.config": self._directory / "s3.json",
            "s3.allowDeleteBucketNotEmpty": "false",
            "s3.autoCreateBucket": "false",
            "s3.iam": "false",
            "s3.localSocket": self._run_dir / "s3.sock",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.cacheCapacityMB": 0,
            "filer.localSocket": self._run_dir / "filer.sock",
            "disableHttp": "true",
            "webdav": "false",
            "admin.ui": "false",
            "master.telemetry": "false",
            # Its old raft log makes a restarted master slow to lead, and the volume server then waits 5 s or more; all
            # that the log holds comes back with the first heartbeat.
            "master.resumeState": "false",
            "admin.port": ports["admin"],
        }
        for name in _PORTS:
            part, _, grpc = name.partition(".")
            flags[f"{part}.port{'.grpc' if grpc else ''}"] = ports[name]
        argv = [str(self._program), "mini", *(f"-{name}={value}" for name, value in flags.items())]
        # Go's collector lets a heap double; an idle platform rather pays some CPU than 60 MB.
        env = {"HOME": str(self._directory), "PATH": "/usr/bin:/bin", "GOGC": "25", "GOMEMLIMIT": "128MiB"}
        return Command(argv, env, self._directory)

    async def probe(self, pid: int) -> str:
        """Writes an object: only that needs every part of it to work."""
        missing = await self._probe.put(self.address.bucket, ".ready", b"ready\n")
        if not missing:
            asyncio.get_running_loop().call_later(SETTLED_S, release_file_pages, pid, self._program)
        return missing

    def cleanup(self) -> None:
        """Removes the sockets that it leaves in /tmp, whose names carry its ports."""
        for part in ("s3", "master", "volume", "filer", "admin"):
            port = self._ports[part + ".grpc"]
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108

    @property
    def _data(self) -> Path:
        return self._directory / "data"
