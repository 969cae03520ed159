"""Passwords of basic authentication: how they are hashed, checked, and remembered for a while.

Two forms stand in a record. `$scrypt$ln=12,r=8,p=1$<salt>$<hash>` (base64 without padding) is for passwords that people
choose; checking one takes about 13 ms, so edge/policing.py does it in a thread. `$sha256$<salt>$<hash>` is for
passwords that a machine made, with 128 bits or more, where a slow hash adds nothing; checking one takes 1 µs.
What was checked is remembered under a keyed hash, never as it was sent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from typing import Final

_SCRYPT: Final = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]{8,88})\$([A-Za-z0-9+/]{22,88})"
).fullmatch
_SHA256: Final = re.compile(r"\$sha256\$([A-Za-z0-9+/]{8,88})\$([A-Za-z0-9+/]{43})").fullmatch
_MOST_MEMORY: Final = 33_554_432


class Password:
    """A stored password.

    Attributes:
        slow: checking takes milliseconds.

    Raises (from the constructor):
        ValueError: the text is neither form, or its scrypt would need more than 32 MB.
    """

    __slots__ = ("_cost", "_hash", "_salt", "slow")

    def __init__(self, text: str) -> None:
        fast = _SHA256(text)
        match = fast or _SCRYPT(text)
        if match is None:
            raise ValueError("not $scrypt$ln=…,r=…,p=…$salt$hash and not $sha256$salt$hash")
        self.slow = fast is None
        self._cost = (0, 0, 0) if fast else (int(match[1]), int(match[2]), int(match[3]))
        self._salt, self._hash = _decode(match[match.re.groups - 1]), _decode(match[match.re.groups])
        ln, r, p = self._cost
        if self.slow and not (ln >= 1 and r and p and 128 * r * (2**ln + p) <= _MOST_MEMORY):
            raise ValueError("its scrypt needs more than 32 MB")

    def matches(self, given: bytes) -> bool:
        """Whether this is the password, in a time that does not tell how much of it is right."""
        if self.slow:
            ln, r, p = self._cost
            size = len(self._hash)
            made = hashlib.scrypt(given, salt=self._salt, n=2**ln, r=r, p=p, maxmem=2 * _MOST_MEMORY, dklen=size)
        else:
            made = hashlib.sha256(self._salt + given).digest()
        return hmac.compare_digest(made, self._hash)


class Users:
    """Who may enter, by name.

    Attributes:
        slow: checking one of them takes milliseconds.
        fingerprint: the same for equal names and stored passwords only.

    Raises (from the constructor):
        ValueError: a name with a colon, or a password in no known form.
    """

    __slots__ = ("_nobody", "_users", "fingerprint", "slow")

    def __init__(self, users: dict[str, str]) -> None:
        if not users or any(":" in name for name in users):
            raise ValueError("empty, or a name has a colon")
        self._users = {name.encode(): Password(text) for name, text in users.items()}
        self._nobody = next(iter(self._users.values()))
        self.slow = any(password.slow for password in self._users.values())
        self.fingerprint = hashlib.sha256(repr(sorted(users.items())).encode()).digest()

    def admit(self, name: bytes, given: bytes) -> bool:
        """Whether name and password fit; an unknown name takes as long as a wrong password."""
        password = self._users.get(name)
        matched = (password or self._nobody).matches(given)
        return matched and password is not None


class Remembered:
    """Credentials that were checked lately, good and bad ones, under a key that never leaves the process."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._key = os.urandom(32)
        self._found: dict[bytes, bool] = {}

    def get(self, users: Users, sent: bytes) -> bool | None:
        """What came of these credentials; None when they are new."""
        return self._found.get(self._name(users, sent))

    def put(self, users: Users, sent: bytes, good: bool) -> None:
        """Remembers it; forgets the oldest when there are too many."""
        if len(self._found) >= self._most:
            del self._found[next(iter(self._found))]
        self._found[self._name(users, sent)] = good

    def _name(self, users: Users, sent: bytes) -> bytes:
        return hmac.digest(self._key, users.fingerprint + sent, "sha256")


def credentials(value: bytes) -> tuple[bytes, bytes] | None:
    """Name and password of an Authorization header (RFC 7617), None when it holds none."""
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(rest.strip(b" "), validate=True).partition(b":")
    except ValueError:
        return None
    return (name, password) if colon else None


def scrypt_text(password: str, ln: int = 12) -> str:
    """The stored form of a password that a person chose."""
    salt = os.urandom(16)
    made = hashlib.scrypt(password.encode(), salt=salt, n=2**ln, r=8, p=1, maxmem=2 * _MOST_MEMORY, dklen=32)
    return f"$scrypt$ln={ln},r=8,p=1${_encode(salt)}${_encode(made)}"


def sha256_text(password: str) -> str:
    """The stored form of a password that a machine made."""
    salt = os.urandom(16)
    return f"$sha256${_encode(salt)}${_encode(hashlib.sha256(salt + password.encode()).digest())}"


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
