"""Keeps the values of a project's env vars out of its build and release logs, also where they are written differently.

A log is read by more people than the variables are. What is hidden: every value that looks like a secret, or whose name
says that it is one; each line of a value with several; and the same in base64 (wherever it begins in the encoded text),
percent-encoded, and escaped as in JSON. What is not: values of fewer than 6 characters, which would hide half of a log,
and what a program makes of a value by other ways (reversed, hashed, in pieces).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

HIDDEN: Final = "***"
SHORTEST: Final = 6
CUT: Final = " … (line cut)"  # what drivers put behind a line that they cut
_SECRET_NAME: Final = re.compile(
    r"(?i)key|token|secret|passw|pwd|passphrase|credential|private|auth|cookie|salt|signature|dsn|cert|webhook"
)
# A word, a path, an address without a password, a number, a version, hosts: no secret unless its name says so.
_PLAIN: Final = re.compile(
    r"[A-Za-z]{1,20}([-_ ][A-Za-z]{1,20}){0,4}|[\d.,:]*|\.{0,2}(/[\w.@-]*)+|[\w.-]+(:\d+)?(,[\w.-]+(:\d+)?)*"
)
_LOOKS_RANDOM: Final = re.compile(r"(?=.*[A-Za-z])(?=.*\d)[\w+/=-]{16,}")


class Masker:
    """Hides the secrets among some variables.

    Args:
        variables: name -> value; which of them are secrets is told above.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        secrets = sorted({form for value in _secrets(variables or {}) for form in _forms(value)}, key=len, reverse=True)
        self._secrets = secrets
        self._pattern = re.compile("|".join(map(re.escape, secrets))) if secrets else None

    def mask(self, text: str) -> str:
        """The text without the secrets; the beginning of one at the end of a line that was cut goes too."""
        if self._pattern is None:
            return text
        found = self._pattern.sub(HIDDEN, text)
        if not found.endswith(CUT):
            return found
        return self._without_beginning(found.removesuffix(CUT)) + CUT

    def _without_beginning(self, text: str) -> str:
        for secret in self._secrets:
            for length in range(min(len(secret) - 1, len(text)), SHORTEST - 1, -1):
                if text.endswith(secret[:length]):
                    return text[:-length] + HIDDEN
        return text


def _secrets(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        if _SECRET_NAME.search(name) or _LOOKS_RANDOM.fullmatch(value) or not _is_plain(value):
            yield value
        if password := _password(value):
            yield password


def _is_plain(value: str) -> bool:
    if "://" in value:
        return not _password(value) and "?" not in value
    return _PLAIN.fullmatch(value) is not None


def _password(value: str) -> str:
    """The password of an address such as a database's."""
    try:
        return urlsplit(value).password or ""
    except ValueError:
        return ""


def _forms(value: str) -> Iterator[str]:
    """What to look for: the value, its lines, and how it looks when encoded."""
    for text in {value, *value.splitlines()}:
        bare = text.strip()
        if len(bare) < SHORTEST:
            continue
        found = {bare, quote(bare, safe=""), json.dumps(bare)[1:-1], json.dumps(bare, ensure_ascii=False)[1:-1]}
        yield from found
        yield from _in_base64(bare.encode())


def _in_base64(value: bytes) -> Iterator[str]:
    """The part of the encoded text that depends on the value alone, for each of the three places where it may begin."""
    for before in range(3):
        if len(value) < 9:  # what is left would be too short to be anything's own
            return
        encoded = base64.b64encode(b"\0" * before + value).decode()
        start = (before * 8 + 5) // 6
        whole = (before + len(value)) * 8 // 6
        kept = encoded[start:whole]
        yield kept
        yield kept.translate(str.maketrans("+/", "-_"))
