"""Reads the typed fields of a record's JSON objects; what is missing, mistyped or unknown is named by its path.

An unknown field is refused, not skipped: a rule that this router does not know may be the one that keeps a site closed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from kernel.errors import ShipoffError, define

RECORD_INVALID = define("RECORD_INVALID", hint="the orchestrator published a record that no router understands")
Json = dict[str, Any]
T = TypeVar("T")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e\x80-\xff]*").fullmatch


def wrong(field: str, what: str) -> ShipoffError:
    """The error that names a field."""
    return RECORD_INVALID(f"field {field!r} is {what}")


class Reader:
    """The fields of one JSON object.

    Args of the constructor:
        value: what stands in the record.
        name: its path, for messages.
    """

    def __init__(self, value: object, name: str) -> None:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise wrong(name, "not an object")
        self.name = name
        self._left: Json = dict(value)

    def take(self, field: str) -> object:
        """A field's raw value, None when absent."""
        return self._left.pop(field, None)

    def text(self, field: str, default: str | None = None) -> str:
        """A text that can stand in a header."""
        value = self.take(field)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value or _PRINTABLE(value) is None:
            raise wrong(self.path(field), "not a printable text")
        return value

    def number(self, field: str, default: float | None, least: float, most: float) -> float:
        """A number within limits, both allowed."""
        value = self.take(field)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise wrong(self.path(field), f"not a number from {least:g} to {most:g}")
        return value

    def whole(self, field: str, default: int | None, least: int, most: int) -> int:
        """A whole number within limits, both allowed."""
        value = self.number(field, default, least, most)
        if not isinstance(value, int):
            raise wrong(self.path(field), "not a whole number")
        return value

    def flag(self, field: str, default: bool = False) -> bool:
        """True or false."""
        value = self.take(field)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise wrong(self.path(field), "not true or false")
        return value

    def items(self, field: str) -> list[object]:
        """A list; empty when absent."""
        value = self.take(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise wrong(self.path(field), "not a list")
        return value

    def texts(self, field: str) -> list[str]:
        """A list of texts."""
        values = self.items(field)
        for value in values:
            if not isinstance(value, str) or not value or _PRINTABLE(value) is None:
                raise wrong(self.path(field), "not a list of printable texts")
        return [str(value) for value in values]

    def mapping(self, field: str) -> dict[str, str]:
        """An object of texts; empty when absent."""
        inner = Reader(self.take(field) or {}, self.path(field))
        return {name: inner.text(name, "") for name in list(inner._left)}

    def inside(self, field: str, read: Callable[[Reader], T]) -> T | None:
        """An object read whole by `read`; None when absent."""
        value = self.take(field)
        return None if value is None else whole(value, self.path(field), read)

    def each(self, field: str, read: Callable[[Reader], T]) -> list[T]:
        """A list of objects, each read whole."""
        return [whole(value, f"{self.path(field)}[{at}]", read) for at, value in enumerate(self.items(field))]

    def checked(self, field: str, make: Callable[[Iterable[str]], T]) -> T:
        """A list of texts made into something that may raise ValueError."""
        try:
            return make(self.texts(field))
        except ValueError as error:
            raise wrong(self.path(field), f"wrong: {error}") from None

    def path(self, field: str) -> str:
        """The field's name from the record on."""
        return f"{self.name}.{field}"

    def end(self) -> None:
        """Refuses what nobody has taken."""
        for field in self._left:
            raise wrong(self.path(field), "unknown")


def whole(value: object, name: str, read: Callable[[Reader], T]) -> T:
    """Reads an object and refuses fields that the reader does not take."""
    reader = Reader(value, name)
    result = read(reader)
    reader.end()
    return result
