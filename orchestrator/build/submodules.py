"""Submodules: those of the platform's own projects come from the gateway, others by git inside the build's sandbox.

The platform's token opens every repository, so a sibling is fetched only when the project's owner may read it. What
lies elsewhere is a tenant's choice of address and therefore goes out by the tenant's own way, the egress proxy, which
refuses private networks and this machine; git runs as the tenant there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kernel.errors import define
from orchestrator.build.fetch import Source, Sources, Submodule

SUBMODULE_REFUSED = define(
    "SUBMODULE_REFUSED",
    source="client",
    status=422,
    hint="a submodule needs an https:// address, or a relative one (../other.git) to another project of the same owner",
)

MOST: Final = 50
DEPTH: Final = 4
MayRead = Callable[[str], Awaitable[bool]]
_ONLY_HTTPS: Final = "-c protocol.allow=never -c protocol.https.allow=always -c core.hooksPath=/dev/null"


class Submodules:
    """Completes a tree with what its submodules name.

    Args:
        sources: the platform's own repositories.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def complete(self, source: Source, tree: Path, may_read: MayRead) -> list[Submodule]:
        """Fetches siblings, and theirs; returns the others, for `commands`.

        Args:
            source: what was fetched into the tree.
            may_read: whether the project's owner may read another project.

        Raises:
            ShipoffError: SUBMODULE_REFUSED, and those of `Sources.fetch`.
        """
        outside: list[Submodule] = []
        pending = [(one, 1) for one in source.submodules]
        count = len(pending)
        while pending:
            submodule, depth = pending.pop(0)
            name = self._sources.project_at(submodule.url)
            if not name:
                outside.append(_checked(submodule))
                continue
            found = await self._sibling(submodule, name, tree, may_read)
            inner = [replace(one, path=f"{submodule.path}/{one.path}") for one in found.submodules]
            count += len(inner)
            if count > MOST or (inner and depth >= DEPTH):
                raise SUBMODULE_REFUSED(f"more than {MOST} submodules, or submodules more than {DEPTH} deep")
            pending += [(one, depth + 1) for one in inner]
        return outside

    async def _sibling(self, submodule: Submodule, name: str, tree: Path, may_read: MayRead) -> Source:
        if not await may_read(name):
            raise SUBMODULE_REFUSED(f"{submodule.path}: the project's owner can't read a project {name}")
        target = tree / submodule.path
        target.rmdir()  # git left it empty
        return await self._sources.fetch(name, "", submodule.commit, target)


def commands(submodules: Sequence[Submodule]) -> tuple[tuple[str, str], ...]:
    """The build steps that fetch submodules from elsewhere, without leaving their repositories behind."""
    return tuple((f"submodule-{number}", _command(one)) for number, one in enumerate(submodules, 1))


def _command(submodule: Submodule) -> str:
    path, url = shlex.quote(f"./{submodule.path}"), shlex.quote(submodule.url)
    git = f"git -C {path} {_ONLY_HTTPS}"
    # Servers that don't give a commit by its id give everything, and then it is there.
    fetch = f"{{ {git} fetch -q --depth=1 {url} {submodule.commit} || {git} fetch -q {url}; }}"
    inner = f"{git} submodule --quiet update --init --recursive --depth=1"
    return " && ".join(
        (
            f"git init -q {path}",
            fetch,
            f"{git} checkout -q --detach {submodule.commit}",
            # git wants an origin to resolve relative addresses of inner submodules against
            f"{git} remote add origin {url}",
            inner,
            f"find {path} -name .git -prune -exec rm -rf {{}} +",
        )
    )


def _checked(submodule: Submodule) -> Submodule:
    parts = urlsplit(submodule.url)
    if parts.scheme != "https" or not parts.hostname or submodule.url.startswith("-"):
        shown = re.sub(r"//[^/@]*@", "//", submodule.url)
        raise SUBMODULE_REFUSED(f"{submodule.path} comes from {shown}, which is no https address")
    return submodule
