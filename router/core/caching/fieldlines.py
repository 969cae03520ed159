"""The header lines of a message, looked at by name. For answers on their way into the store, never for hits."""

from __future__ import annotations

from collections.abc import Container


class FieldLines:
    """Header lines in their order.

    Args of the constructor:
        lines: each with its CRLF, after a first line that is no header.
    """

    __slots__ = ("_fields", "first")

    def __init__(self, lines: bytes) -> None:
        self.first, *rest = lines.split(b"\r\n")
        self._fields: list[tuple[bytes, bytes]] = []
        for line in rest:
            if line:
                self._fields.append((line.partition(b":")[0].lower(), line))

    def values(self, name: bytes) -> list[bytes]:
        """The values of every line of a name (lower case)."""
        return [line[len(name) + 1 :].strip(b" \t") for found, line in self._fields if found == name]

    def value(self, name: bytes) -> bytes:
        """The first value, b"" when absent."""
        return next(iter(self.values(name)), b"")

    def joined(self, name: bytes) -> bytes:
        """All values as one list (RFC 9110, section 5.3)."""
        return b", ".join(self.values(name))

    def __contains__(self, name: bytes) -> bool:
        return any(found == name for found, _ in self._fields)

    def without(self, names: Container[bytes]) -> bytes:
        """The header lines that have none of these names, each with its CRLF."""
        return b"".join(line + b"\r\n" for found, line in self._fields if found not in names)

    def updated(self, newer: FieldLines, kept: Container[bytes]) -> bytes:
        """First line and header lines with those of a newer message in the place of their namesakes.

        Args:
            kept: names that the newer message does not change (RFC 9111, section 3.2).
        """
        replacing = {name for name, _ in newer._fields if name not in kept}
        lines = [self.first + b"\r\n", self.without(replacing)]
        lines += [line + b"\r\n" for name, line in newer._fields if name in replacing]
        return b"".join(lines)
