"""Codes of authenticators (TOTP, RFC 6238) and recovery codes. Pure, but for the randomness of new ones."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

import pyotp

STEP_S: Final = 30
DRIFT: Final = 1  # steps that a clock may be off, either way (RFC 6238, section 5.2)
RECOVERY_CODES: Final = 10
ISSUER: Final = "Shipoff"
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is misread
_RECOVERY_LENGTH: Final = 16  # characters: 79 bits, so that a fast hash protects them
_SIX: Final = re.compile(r"[0-9]{6}")


def clean(code: str) -> str:
    """A code as it is compared: people type spaces, dashes and capitals."""
    return re.sub(r"[\s-]", "", code[:100]).lower()


def is_totp(code: str) -> bool:
    """Whether a clean code looks like an authenticator's."""
    return _SIX.fullmatch(code) is not None


def new_secret() -> str:
    """160 random bits in base32 (RFC 4226, section 4)."""
    return pyotp.random_base32(32)


def uri(secret: str, account_name: str) -> str:
    """What authenticators read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account_name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now_s: float, after: int) -> int | None:
    """The time step that a code is of.

    Args:
        secret: base32.
        code: clean.
        now_s: unix seconds.
        after: steps up to this one have been used.

    Returns:
        None when it is of none that is near and unused.
    """
    totp, current, found = pyotp.TOTP(secret), int(now_s // STEP_S), None
    for step in range(max(current - DRIFT, 0), current + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step), code) and step > after:
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Fresh ones, as they are shown: four groups of four."""

    def one() -> str:
        text = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_LENGTH))
        return "-".join(text[at : at + 4] for at in range(0, _RECOVERY_LENGTH, 4))

    return [one() for _ in range(RECOVERY_CODES)]


def digest(account_id: str, code: str) -> bytes:
    """What is stored of a recovery code.

    Args:
        account_id: makes equal codes of two accounts differ.
        code: in any form.
    """
    return hashlib.sha256(f"{account_id}:{clean(code)}".encode()).digest()
