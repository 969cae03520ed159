"""Whether this machine can isolate tenants, tried out with what every sandbox is made of."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final

from kernel import ids
from orchestrator.drivers.base import SANDBOX_UNAVAILABLE, Limits
from orchestrator.drivers.local.ground import Ground
from orchestrator.drivers.local.sandbox import Overlay

ANSWER_DEADLINE_S: Final = 10.0
_WRITE: Final = "open('/app/probe', 'w').close()"


async def probe(ground: Ground) -> bool:
    """Runs a sandbox once, and says whether an app directory can be an overlay here.

    It cannot where the work directory is itself an overlay (in a container), and on old kernels without root.

    Raises:
        ShipoffError: SANDBOX_UNAVAILABLE, with what bubblewrap said.
    """
    scratch = ground.config.work_dir / f"probe-{ids.new('bld')}"
    layers = [scratch / name for name in ("lower", "upper", "work")]
    try:
        for layer in layers:
            layer.mkdir(parents=True)
            layer.chmod(0o777)  # the probe's uid writes; the directory above is private
        said = await _write(ground, layers[0])
        if said:
            raise SANDBOX_UNAVAILABLE(f"bubblewrap failed: {said}")
        return not await _write(ground, Overlay(layers[0], layers[1], layers[2]))
    finally:
        await asyncio.to_thread(_remove, scratch)


async def _write(ground: Ground, app: Path | Overlay) -> str:
    """Writes a file to /app in a sandbox; returns "" or what was said instead."""
    launch = ground.launch(ground.sandbox(app, "probe", "none", Limits()), [])
    seccomp = ["--seccomp", "0"] if launch.seccomp else []
    command = [launch.bwrap, *seccomp, *launch.args, "--", *launch.command[:-1], "-c", _WRITE]
    # The filter comes by standard input, the one descriptor that needs no passing on.
    with Path(launch.seccomp or "/dev/null").open("rb") as stdin:  # noqa: ASYNC230 - a few hundred bytes of our own
        process = await asyncio.create_subprocess_exec(
            *command, env={}, stdin=stdin, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
    try:
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            _, said = await process.communicate()
    except TimeoutError:
        process.kill()
        return f"no answer within {ANSWER_DEADLINE_S:.0f} s"
    return (said.decode(errors="replace").strip()[:500] or f"status {process.returncode}") if process.returncode else ""


def _remove(scratch: Path) -> None:
    inner = scratch / "work" / "work"
    if inner.is_dir():
        inner.chmod(0o700)  # overlayfs leaves it closed to its owner
    shutil.rmtree(scratch, ignore_errors=True)
