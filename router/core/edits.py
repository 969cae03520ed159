"""Header lines that a route's rules set and remove; the ones that frame, route or identify are not theirs to touch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from router.core.reading import Reader, wrong

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}").fullmatch
_OURS: Final = re.compile(
    r"(?i)host|content[-_]length|transfer[-_]encoding|connection|te|trailer|upgrade|expect|keep[-_]alive|http2[-_]settings"
    r"|proxy([-_].*)?|x[-_]forwarded[-_].*|forwarded|x[-_]request[-_]id|x[-_]real[-_]ip|cf[-_]connecting[-_]ip"
    r"|true[-_]client[-_]ip|traceparent|via|date|x[-_]shipoff[-_]error"
).fullmatch


class Edit:
    """What happens to a block of header lines: lines taken out, then lines added."""

    __slots__ = ("_added", "_removed")

    def __init__(self, put: dict[str, str], removed: Iterable[str]) -> None:
        names = [re.escape(name.encode()).replace(rb"\-", rb"[-_]") for name in (*put, *removed)]
        self._removed = re.compile(rb"(?im)^(?:" + b"|".join(names) + rb"):[^\r\n]*\r\n").sub
        self._added = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in put.items())

    def apply(self, lines: bytes) -> bytes:
        """The lines as they go on; a request or status line among them stays.

        Args:
            lines: each with its CRLF, without the empty line.
        """
        return self._removed(b"", lines) + self._added


def read_edit(reader: Reader) -> Edit | None:
    """Reads `{"set": {name: value}, "remove": [name]}`.

    Raises:
        ShipoffError: RECORD_INVALID.
    """
    put, removed = reader.mapping("set"), reader.texts("remove")
    for name in (*put, *removed):
        if _NAME(name) is None or _OURS(name):
            raise wrong(reader.path(name), "no header that a rule may touch")
    return Edit(put, removed) if put or removed else None
