"""Signs and verifies tokens with Ed25519 keys that take turns (RFC 8037, RFC 7517).

A key signs for a month and verifies for a day more, longer than anything it signed is good for. Its successor is
published ten minutes before it signs, so that whoever keeps the key set for a while has it in time. Keys are sealed
where they rest, and of several auth processes one makes the next key.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import OKPAlgorithm

from kernel import ids, tasks
from kernel.database import Database, load_queries
from kernel.errors import define
from kernel.sealing import Sealer

SIGNED_TOKEN_INVALID = define("SIGNED_TOKEN_INVALID", source="client", status=401, hint="sign in again: shipoff login")
SIGNED_TOKEN_EXPIRED = define(
    "SIGNED_TOKEN_EXPIRED", source="client", status=401, hint="refresh the session: POST /v1/auth/refresh"
)
NO_SIGNING_KEY = define("NO_SIGNING_KEY", status=503, retryable=True, hint="try again in a moment")

SQL: Final = load_queries("control.auth.keys")
ALGORITHM: Final = "EdDSA"
LOCK: Final = 0x5E1F
TURN_S: Final = 30 * 86_400.0  # for which a key signs
OVERLAP_S: Final = 86_400.0
AHEAD_S: Final = 600.0
LOOK_S: Final = 60.0
RELOAD_S: Final = 5.0  # unknown key ids make it read the table this often at most


@dataclass(frozen=True, slots=True, repr=False)
class _Key:
    id: str
    public: Ed25519PublicKey
    jwk: dict[str, str]
    private: Ed25519PrivateKey | None


class Keys:
    """Signs and verifies.

    Args:
        database: of auth.
        sealer: for the private keys at rest.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database, self._sealer = database, sealer
        self._keys: dict[str, _Key] = {}
        self._read_at = -RELOAD_S
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Makes sure that there is a key, then looks every minute whether the next one is due."""
        await self.look()
        self._task = tasks.spawn(tasks.repeat(self.look, LOOK_S, "the signing keys could not be read"), "signing keys")

    async def stop(self) -> None:
        """Stops looking."""
        await tasks.stop(self._task)

    async def look(self) -> None:
        """Makes the next key when it is due, and reads all."""
        if await self._database.fetchval(SQL["is_due"], TURN_S):
            await self.rotate()
        else:
            await self._read()

    async def rotate(self) -> None:
        """Makes a new key unless another process just did; it signs at once only if none else does."""
        async with self._database.transaction() as tx:
            await tx.execute(SQL["lock"], LOCK)
            if await tx.fetchval(SQL["is_due"], TURN_S):
                ahead = 0.0 if await tx.fetchval(SQL["none_signs"]) else AHEAD_S
                await tx.execute(SQL["add"], *self._made(), ahead, TURN_S + AHEAD_S + OVERLAP_S)
                await tx.execute(SQL["forget"])
        await self._read()

    async def sign(self, claims: dict[str, Any], *, typ: str) -> str:
        """A token of these claims.

        Args:
            claims: `exp` among them.
            typ: what kind of token it is (RFC 8725, section 3.11), so that none is taken for another.

        Raises:
            ShipoffError: NO_SIGNING_KEY.
        """
        if not self._keys:
            await self._read()
        for key in self._keys.values():
            if key.private is not None:
                return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"typ": typ, "kid": key.id})
        raise NO_SIGNING_KEY("there is no key to sign with")

    async def verify(self, token: str, *, typ: str, audience: str, issuer: str = "shipoff-auth") -> dict[str, Any]:
        """The claims of a token of ours.

        Raises:
            ShipoffError: SIGNED_TOKEN_EXPIRED; SIGNED_TOKEN_INVALID for whatever else is wrong with it.
        """
        try:
            head = jwt.get_unverified_header(token)
            key = await self._find(str(head.get("kid", "")))
            if head.get("typ") != typ or key is None:
                raise SIGNED_TOKEN_INVALID("the token is not valid")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=issuer,
                options={"require": ["exp", "iat", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise SIGNED_TOKEN_EXPIRED("the token has expired") from error
        except jwt.PyJWTError as error:
            raise SIGNED_TOKEN_INVALID("the token is not valid") from error
        return claims

    async def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517), those that will sign next among them."""
        if not self._keys:
            await self._read()
        return {"keys": [key.jwk for key in self._keys.values()]}

    async def _find(self, key_id: str) -> _Key | None:
        now = asyncio.get_running_loop().time()
        if key_id not in self._keys and now - self._read_at >= RELOAD_S:
            await self._read()
        return self._keys.get(key_id)

    async def _read(self) -> None:
        async with self._reading:
            rows = await self._database.fetch(SQL["usable"])
            self._read_at = asyncio.get_running_loop().time()
            self._keys = {
                row["id"]: _key(row["id"], self._opened(row["id"], row["private_sealed"]), signs=row["signs"])
                for row in rows
            }

    def _opened(self, key_id: str, sealed: bytes) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(str(self._sealer.open(sealed, key_id))))

    def _made(self) -> tuple[str, bytes, dict[str, str]]:
        key_id, private = ids.new("key"), Ed25519PrivateKey.generate()
        raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return key_id, self._sealer.seal(raw.hex(), key_id), _key(key_id, private, signs=False).jwk


def _key(key_id: str, private: Ed25519PrivateKey, *, signs: bool) -> _Key:
    public = private.public_key()
    point = OKPAlgorithm.to_jwk(public, as_dict=True)
    jwk = {"kid": key_id, "use": "sig", "alg": ALGORITHM, "kty": point["kty"], "crv": point["crv"], "x": point["x"]}
    return _Key(key_id, public, jwk, private if signs else None)
