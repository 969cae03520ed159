"""A project's /cache on this machine: kept from build to build, restored from the store when new here, stored there.

Packing what a build downloaded takes seconds, and nobody waits for it: it happens a while after the build, when the
release has started. A build that writes into the same cache meanwhile spoils that attempt at most, as does the driver's
end, and the next build tries again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Final

from kernel import ids
from kernel.errors import ShipoffError
from kernel.tasks import spawn, stop
from orchestrator.build.slug import pack, unpack
from orchestrator.drivers.base import BuildCache, BuildJob, PackedCache
from orchestrator.drivers.local.census import taken
from orchestrator.drivers.local.ground import Ground
from orchestrator.drivers.local.output import BuildOutput

UNUSED_S: Final = 14 * 86_400.0
MAX_BYTES: Final = 1 << 30  # of a cache that is stored, before compression
log = logging.getLogger(__name__)


class Downloads:
    """All projects' caches on this machine."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._keeping: dict[Path, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Gives up what is being packed."""
        await stop(*self._keeping.values())

    async def prepare(self, job: BuildJob, output: BuildOutput) -> Path:
        """The directory to show as /cache; filled from the store when there is none yet."""
        path = self._path(job)
        uid = self._ground.accounts.uid_of(job.project_id)
        if job.cache is not None and not path.exists():
            await self._restore(job.cache, path, uid, output)
        path.mkdir(parents=True, exist_ok=True)
        if uid is not None:
            os.chown(path, uid, uid)
        os.utime(path)  # used now: `prune` goes by it
        return path

    async def keep(self, job: BuildJob, output: BuildOutput) -> None:
        """After a build that went well: bounds the cache, and stores it when nobody has one of its key."""
        path = self._path(job)
        await asyncio.to_thread(self.prune, time.time() - UNUSED_S)
        size = (await asyncio.to_thread(taken, path)).bytes
        if size > self._ground.config.cache_bytes:
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        elif job.cache is not None and 0 < size <= MAX_BYTES and path not in self._keeping:
            try:
                if not await job.cache.wanted():
                    return
            except ShipoffError as error:
                log.info("whether a cache is wanted can't be asked: %s", error)
                return
            await output.say(f"cache: {size >> 20} MiB of downloads go to the store")
            self._keeping[path] = spawn(self._store(job.cache, path), f"cache of {job.build_id}")

    def prune(self, before: float) -> None:
        """Removes what no build has used since a time (unix seconds), remains of a crash among it."""
        for path in self._ground.config.caches.iterdir():
            if path.lstat().st_mtime < before and path not in self._keeping:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _path(self, job: BuildJob) -> Path:
        scope = "local" if job.cache is None else job.cache.scope
        return self._ground.config.caches / f"{job.project_id}.{scope}"

    async def _restore(self, cache: BuildCache, path: Path, uid: int | None, output: BuildOutput) -> None:
        """A cache that can't be had or is not what was stored is as good as none."""
        temporary = path.with_name(f"new-{ids.new('bld')}")
        try:
            if (packed := await cache.load()) is None:
                return
            try:
                await asyncio.to_thread(unpack, packed.path, temporary, packed.digest, owner=uid)
                temporary.rename(path)
                which = "" if packed.key == cache.key else ", of other lock files"
                await output.say(f"cache: {packed.path.stat().st_size >> 10} KiB of downloads were restored{which}")
            except (ShipoffError, OSError) as error:
                await output.say("cache: the stored one is damaged and not used")
                log.warning("cache %s is damaged: %s", packed.key, error)
                await cache.drop(packed.key)
            finally:
                packed.path.unlink(missing_ok=True)
        except (ShipoffError, OSError) as error:
            await output.say(f"cache: not restored ({getattr(error, 'code', 'DISK_FULL')})")
        finally:
            await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)

    async def _store(self, cache: BuildCache, path: Path) -> None:
        packed = self._ground.config.caches / f"{ids.new('bld')}.part"
        try:
            await asyncio.sleep(self._ground.config.cache_after_s)
            slug = await asyncio.to_thread(pack, path, packed, epoch_s=0, max_bytes=2 * MAX_BYTES, stamp=False)
            await cache.store(PackedCache(packed, slug.digest, cache.key))
        except (ShipoffError, OSError) as error:
            log.info("a cache was not stored: %s", error)
        finally:
            packed.unlink(missing_ok=True)
            self._keeping.pop(path, None)
