"""Which passwords are taken: long enough, and hard to guess (OWASP ASVS 5.0, section 6.2). Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from kernel.errors import define

PASSWORD_WEAK = define(
    "PASSWORD_WEAK", source="client", status=422, hint="use a sentence, or what a password manager makes"
)
LEAST: Final = 10  # characters
MOST: Final = 200
SCORE: Final = 3  # of 4: about 10^8 guesses and more
JUDGED: Final = 72  # characters that zxcvbn looks at; its time grows faster than its input


def normal(password: str) -> str:
    """One form for what different keyboards send for the same characters (NIST SP 800-63B, section 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, about: Sequence[str]) -> None:
    """Refuses a password that is easily guessed. Takes some milliseconds, and memory when it is first called.

    Args:
        password: in normal form.
        about: what others know of its owner: name, address.

    Raises:
        ShipoffError: PASSWORD_WEAK, with what would make it better.
    """
    if not LEAST <= len(password) <= MOST:
        raise PASSWORD_WEAK(f"a password has {LEAST} to {MOST} characters")
    # Imported here: its dictionaries take 13 MB, which a platform without registrations need not have.
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # it ships none

    parts = [part for word in about for part in ("".join(word.split()), *word.replace("@", " ").split())]
    known = ["shipoff", *(part[:JUDGED] for part in parts)]
    found = zxcvbn(password[:JUDGED], user_inputs=known)
    if found["score"] < SCORE:
        feedback = found["feedback"]
        advice = " ".join(part for part in (feedback["warning"], *feedback["suggestions"]) if part)
        raise PASSWORD_WEAK("the password is easy to guess", hint=advice or PASSWORD_WEAK.hint)
