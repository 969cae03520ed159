"""Encryption at rest for secrets that a database keeps: envelopes of AES-256-GCM under a ring of keys.

Each value is sealed with a data key of its own, and that key is wrapped by the ring's first key, its primary. So a key
is replaced by wrapping the small data keys anew (`reseal`, driven by kernel/resealing.py), and one that nothing is
wrapped by any more can be dropped. Values are bound to the place where they stand: copied to another row they do not
open. A sealed value says which key wraps it by that key's fingerprint, so the order and the names of the ring's keys
may change at will.

    envelope = MAGIC 4 · fingerprint 8 · nonce 12 · wrapped data key 32+16 · nonce 12 · JSON, encrypted +16

What was sealed before there were envelopes is `nonce 12 · JSON, encrypted +16`, under a key of the ring itself; it
opens as long as that key is in the ring, and `reseal` makes an envelope of it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.errors import define

SEAL_BROKEN = define("SEAL_BROKEN", hint="the key that sealed this value is not in the ring, or the value was altered")
SEAL_KEY_INVALID = define(
    "SEAL_KEY_INVALID", hint="ENV_KEY is 32 bytes in base64; ENV_KEYS has several as NAME:BASE64, the first one seals"
)
KEY_BYTES: Final = 32
MAGIC: Final = b"\x00SE\x02"  # 2: the version of the format; what has no version is 1
_FINGERPRINT: Final = 8  # bytes; enough to tell the keys of a ring apart
_NONCE: Final = 12  # bytes; NIST SP 800-38D, section 5.2.1.1
_TAG: Final = 16
_WRAPPED: Final = KEY_BYTES + _TAG
_HEAD: Final = len(MAGIC) + _FINGERPRINT
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key of the ring; its bytes are in no repr.

    Attributes:
        name: for people.
        fingerprint: 8 bytes that tell the key apart and nothing about it.
    """

    name: str
    fingerprint: bytes
    cipher: AESGCM = field(repr=False)


class Sealer:
    """Seals with the primary key of a ring, and opens what any of its keys sealed.

    Args:
        ring: one key as base64, or several as `NAME:BASE64` with commas between; the first one is the primary.

    Raises:
        ShipoffError: SEAL_KEY_INVALID.
    """

    def __init__(self, ring: str) -> None:
        self._keys = tuple(_key(entry.strip()) for entry in ring.split(","))
        self._by_fingerprint = {key.fingerprint: key for key in self._keys}
        for names, what in (([key.name for key in self._keys], "name"), (self._by_fingerprint, "key")):
            if len(set(names)) != len(self._keys):
                raise SEAL_KEY_INVALID(f"the key ring has the same {what} twice")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the ring's keys, the primary first."""
        return tuple(key.name for key in self._keys)

    @property
    def head(self) -> bytes:
        """What all values begin with that the primary seals: those that `reseal` leaves alone."""
        return MAGIC + self._keys[0].fingerprint

    def seal(self, value: object, place: str) -> bytes:
        """Encrypts any JSON value; it opens only with the same `place`, so rows can't be swapped."""
        data_key = os.urandom(KEY_BYTES)
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(data_key).encrypt(nonce, orjson.dumps(value), place.encode())
        return self._wrapped(data_key, place) + nonce + sealed

    def open(self, sealed: bytes, place: str) -> object:
        """Decrypts what `seal` made, now or before there were envelopes.

        Raises:
            ShipoffError: SEAL_BROKEN.
        """
        try:
            data_key = self._data_key(sealed, place)
            if data_key is None:
                return self._open_bare(sealed, place)
            body = sealed[_HEAD + _NONCE + _WRAPPED :]
            found: object = orjson.loads(AESGCM(data_key).decrypt(body[:_NONCE], body[_NONCE:], place.encode()))
        except (InvalidTag, ValueError):
            raise SEAL_BROKEN(f"cannot open the sealed value of {place}") from None
        return found

    def reseal(self, sealed: bytes, place: str) -> bytes | None:
        """What a sealed value is under the primary key; None when it is under it already. The value stays as it is.

        Raises:
            ShipoffError: SEAL_BROKEN.
        """
        if sealed.startswith(self.head):
            return None
        value = self.open(sealed, place)  # a damaged one is left as it is, for whoever has to look into it
        data_key = self._data_key(sealed, place)
        if data_key is None:
            return self.seal(value, place)
        return self._wrapped(data_key, place) + sealed[_HEAD + _NONCE + _WRAPPED :]

    def _wrapped(self, data_key: bytes, place: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return self.head + nonce + self._keys[0].cipher.encrypt(nonce, data_key, self.head + place.encode())

    def _data_key(self, sealed: bytes, place: str) -> bytes | None:
        """The unwrapped data key; None for a value that is no envelope of this ring's."""
        key = self._by_fingerprint.get(sealed[len(MAGIC) : _HEAD])
        if key is None or not sealed.startswith(MAGIC):
            return None
        wrapped = sealed[_HEAD : _HEAD + _NONCE + _WRAPPED]
        return key.cipher.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], sealed[:_HEAD] + place.encode())

    def _open_bare(self, sealed: bytes, place: str) -> object:
        for key in self._keys:
            try:
                found: object = orjson.loads(key.cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode()))
            except InvalidTag:
                continue
            return found
        raise InvalidTag


def ring_of(env_keys: str, env_key: str) -> str:
    """The ring that a service's settings mean: ENV_KEYS in their order, then ENV_KEY, which alone is a ring of one."""
    return ",".join(part for part in (env_keys.strip().strip(","), env_key.strip()) if part)


def _key(entry: str) -> RingKey:
    name, colon, text = entry.rpartition(":")
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SEAL_KEY_INVALID("a sealing key is malformed") from None
    if len(raw) != KEY_BYTES:
        raise SEAL_KEY_INVALID(f"a sealing key has {len(raw)} bytes")
    if colon and not _NAME.fullmatch(name):
        raise SEAL_KEY_INVALID(f"{name[:80]!r} cannot name a sealing key")
    digest = hmac.HMAC(raw, hashes.SHA256())
    digest.update(b"shipoff: fingerprint of a sealing key")
    fingerprint = digest.finalize()[:_FINGERPRINT]
    return RingKey(name or fingerprint.hex(), fingerprint, AESGCM(raw))
