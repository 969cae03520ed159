"""Encryption at rest for secrets that a database keeps: AES-256-GCM, bound to the place where the value stands."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.errors import define

SEAL_BROKEN = define("SEAL_BROKEN", hint="the key is not the one that sealed this value, or the value was altered")
SEAL_KEY_INVALID = define("SEAL_KEY_INVALID", hint="ENV_KEY must be 32 bytes in base64")
_NONCE: Final = 12  # bytes; NIST SP 800-38D, section 5.2.1.1


class Sealer:
    """Seals and opens values with one key.

    Args:
        key: 32 bytes in base64.

    Raises:
        ShipoffError: SEAL_KEY_INVALID.
    """

    def __init__(self, key: str) -> None:
        try:
            raw = base64.b64decode(key, validate=True)
            self._cipher = AESGCM(raw)
        except (binascii.Error, ValueError):
            raise SEAL_KEY_INVALID("the sealing key is malformed") from None
        if len(raw) != 32:
            raise SEAL_KEY_INVALID(f"the sealing key has {len(raw)} bytes")

    def seal(self, value: object, place: str) -> bytes:
        """Encrypts any JSON value; it opens only with the same `place`, so rows can't be swapped."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, orjson.dumps(value), place.encode())

    def open(self, sealed: bytes, place: str) -> object:
        """Decrypts what `seal` made.

        Raises:
            ShipoffError: SEAL_BROKEN.
        """
        try:
            value: object = orjson.loads(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode()))
        except InvalidTag:
            raise SEAL_BROKEN(f"cannot open the sealed value of {place}") from None
        return value
