"""The driver's side of the egress proxy: starts it when it does not run, and opens projects' sockets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from orchestrator.drivers.base import SANDBOX_UNAVAILABLE
from orchestrator.drivers.local.launch import program, start_time
from orchestrator.drivers.local.layout import LocalConfig, tag

ANSWER_DEADLINE_S: Final = 2.0
START_DEADLINE_S: Final = 10.0


class Egress:
    """A handle on the proxy of this platform, whichever process started it."""

    def __init__(self, config: LocalConfig) -> None:
        self._config = config
        self._starting = asyncio.Lock()

    async def open(self, project_id: str) -> Path:
        """Makes sure that a project has its way out; returns the directory to bind into its sandboxes.

        Raises:
            ShipoffError: SANDBOX_UNAVAILABLE when the proxy does not start.
        """
        async with self._starting:
            if await self._ask({"open": tag(project_id)}) is None:
                await self._start()
                if await self._ask({"open": tag(project_id)}) is None:
                    raise SANDBOX_UNAVAILABLE("the egress proxy did not open a project's socket")
        return self._config.egress_of(project_id)

    async def ensure(self) -> None:
        """Starts the proxy unless it runs: apps of an earlier orchestrator may be using it."""
        async with self._starting:
            if await self._ask({"stats": True}) is None:
                await self._start()

    async def stats(self) -> dict[str, Any]:
        """Bytes and connections by project tag; empty while the proxy does not run."""
        return await self._ask({"stats": True}) or {}

    async def stop(self) -> None:
        """Ends the proxy, which takes their way out from all apps: for a platform that goes for good."""
        await self._ask({"stop": True})

    async def _ask(self, order: dict[str, Any]) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                reader, writer = await asyncio.open_unix_connection(self._config.egress / "control")
                try:
                    writer.write(json.dumps(order).encode() + b"\n")
                    answer: dict[str, Any] = json.loads(await reader.readline())
                    return answer
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            return None

    async def _start(self) -> None:
        root = self._config.egress
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        spec = {
            "root": str(root),
            "allow": list(self._config.egress_allow),
            "upstream": self._config.upstream_proxy,
            "owner_pid": self._config.owner_pid,
            "owner_start": start_time(self._config.owner_pid),
        }
        process = await asyncio.create_subprocess_exec(
            *program("orchestrator.drivers.local.egress.proxy"), stdin=asyncio.subprocess.PIPE, env={}
        )
        await process.communicate(json.dumps(spec).encode())
        deadline = asyncio.get_running_loop().time() + START_DEADLINE_S
        while await self._ask({"stats": True}) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise SANDBOX_UNAVAILABLE("the egress proxy does not start", hint=f"see {root / 'errors'}")
            await asyncio.sleep(0.02)
