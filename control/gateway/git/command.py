"""Runs git for the gateway: a clean environment, one hardened configuration, bounded time."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import Final

from control.gateway.git.config import GitConfig
from kernel.errors import define

GIT_FAILED = define("GIT_FAILED", hint="this is a fault of the platform; its log has git's own words")

GIT_MISSING = define("GIT_MISSING", hint="install git 2.29 or newer, with its http-backend: apt-get install git")

COMMAND_S: Final = 30.0


class Git:
    """git with the gateway's configuration and nothing from the surroundings.

    Args:
        config: where its settings and hooks are.

    Raises:
        ShipoffError: GIT_MISSING.
    """

    def __init__(self, config: GitConfig) -> None:
        self._config = config
        program = shutil.which("git")
        if program is None:
            raise GIT_MISSING("there is no git on PATH")
        self._program = program

    async def backend(self) -> str:
        """Where this git keeps its http-backend.

        Raises:
            ShipoffError: GIT_MISSING.
        """
        process = await asyncio.create_subprocess_exec(self._program, "--exec-path", stdout=asyncio.subprocess.PIPE)
        out, _ = await asyncio.wait_for(process.communicate(), COMMAND_S)
        program = Path(out.decode().strip()) / "git-http-backend"
        if not program.is_file():
            raise GIT_MISSING(f"{program} is not there")
        return str(program)

    def environment(self, *, trusted: bool = False) -> dict[str, str]:
        """What a git process may see.

        Args:
            trusted: for the platform itself, which sees refs that people do not.
        """
        return {
            "PATH": os.pathsep.join((str(Path(self._program).parent), os.defpath)),
            "HOME": str(self._config.home(trusted=trusted)),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }

    async def run(self, repository: Path, *args: str) -> str:
        """Runs one git command in a bare repository.

        Returns:
            What it printed, without the last newline.

        Raises:
            ShipoffError: GIT_FAILED when it exits non-zero or takes longer than 30 s.
        """
        process = await asyncio.create_subprocess_exec(
            self._program,
            f"--git-dir={repository}",
            *args,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment(trusted=True),
            start_new_session=True,
        )
        try:
            out, complaint = await asyncio.wait_for(process.communicate(), COMMAND_S)
        except TimeoutError as error:
            raise GIT_FAILED(f"git {args[0]} took longer than {COMMAND_S:.0f} s") from error
        finally:
            await end(process)
        if process.returncode != 0:
            raise GIT_FAILED(f"git {args[0]}: {complaint.decode(errors='replace').strip()[:500]}")
        return out.decode(errors="replace").rstrip("\n")


async def end(process: asyncio.subprocess.Process) -> None:
    """Kills a process with its whole group, if it still runs, and reaps it."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself in this moment
    await process.wait()
