"""argon2id (RFC 9106) in a few threads: each computation takes 19 MiB and some tens of milliseconds of a processor.

The parameters are OWASP's second choice (Password Storage Cheat Sheet): less memory would help who cracks a stolen
database, more would help who floods the login.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from prometheus_client import Counter

from control.auth.passwords.rules import MOST, normal
from kernel.errors import UNAVAILABLE

log = logging.getLogger(__name__)
T = TypeVar("T")

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
LANES: Final = 1
THREADS: Final = 2  # at a time; each keeps a processor busy
READ: Final = 4 * MOST  # characters of a password before normalisation
WAITING: Final = 100  # calls that may wait for a thread, about two seconds; further ones are refused

COMPUTED = Counter("shipoff_password_hashes_total", "argon2 computations")


class Hasher:
    """Hashes and verifies passwords, off the event loop."""

    def __init__(self) -> None:
        self._argon2 = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._busy = 0
        self._nobodys = _well_formed(f"m={MEMORY_KIB},t={PASSES},p={LANES}")

    async def hash(self, password: str) -> str:
        """The hash to store, in PHC form."""
        COMPUTED.inc()
        return await self.aside(self._argon2.hash, normal(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether a password is the one that was hashed.

        Args:
            stored: None when there is no such account, or it has no password: costs the same, and is never right.
            password: as it came; one that is too long to be anybody's is cut, and is never right.
        """
        COMPUTED.inc()
        given = normal(password[:READ])
        right = await self.aside(self._matches, stored or self._nobodys, given[: MOST + 1])
        return right and stored is not None and len(given) <= MOST

    def outdated(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._argon2.check_needs_rehash(stored)

    async def aside(self, work: Callable[..., T], *args: object) -> T:
        """Runs a computation in one of the threads.

        Raises:
            ShipoffError: UNAVAILABLE when too many wait already.
        """
        if self._busy >= THREADS + WAITING:
            raise UNAVAILABLE("too many passwords are being checked")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._busy -= 1

    def close(self) -> None:
        """Ends the threads; what still waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._argon2.verify(stored, password)
        except InvalidHashError:
            log.error("a stored password hash is malformed")
            return False
        except VerificationError:
            return False


def _well_formed(parameters: str) -> str:
    """A hash that no password has, made without the work of making one."""
    salt, tag = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19${parameters}${salt}${tag}"
