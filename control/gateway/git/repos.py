"""The bare repositories, one a project, made when first needed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from pathlib import Path

from control.gateway.git.command import Git
from kernel.errors import define

REPOSITORY_UNWRITABLE = define("REPOSITORY_UNWRITABLE", hint="is the platform's disk full? see shipoff doctor")


class Repos:
    """Finds and makes repositories.

    Args:
        folder: holds `<project id>.git`.
        git: to run.
    """

    def __init__(self, folder: Path, git: Git) -> None:
        self._folder, self._git = folder, git

    def path(self, project_id: str) -> Path:
        """Where a project's repository is, made or not. Ids consist of letters, digits and one underscore."""
        return self._folder / f"{project_id}.git"

    async def ensure(self, project_id: str, branch: str) -> Path:
        """Makes a project's repository unless it is there; of several at once, one wins and all are content.

        Args:
            project_id: of a project that exists.
            branch: what HEAD names.

        Raises:
            ShipoffError: GIT_FAILED or REPOSITORY_UNWRITABLE.
        """
        path = self.path(project_id)
        if path.is_dir():
            return path
        # Made aside and moved into place, so that nobody ever meets half a repository.
        draft = self._folder / f".{project_id}.{secrets.token_hex(4)}"
        try:
            await self._git.run(draft, "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}")
            draft.rename(path)
        except OSError as error:
            if not path.is_dir():
                raise REPOSITORY_UNWRITABLE(f"cannot make a repository: {error.strerror}") from error
        finally:
            await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        return path

    async def remove(self, project_id: str) -> None:
        """Deletes a project's repository; moved aside first, so that nobody ever meets half of one."""
        path = self.path(project_id)
        draft = self._folder / f".{project_id}.{secrets.token_hex(4)}"
        with contextlib.suppress(FileNotFoundError):
            path.rename(draft)
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
