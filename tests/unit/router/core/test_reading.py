"""Typed fields of records: whatever is missing, mistyped or unknown is named by its path."""

from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
from router.core.reading import Reader, whole


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda r: r.text("f"), None),
        (lambda r: r.text("f"), ""),
        (lambda r: r.text("f"), "a\nb"),
        (lambda r: r.text("f"), 5),
        (lambda r: r.number("f", None, 0, 9), None),
        (lambda r: r.number("f", 1, 0, 9), True),
        (lambda r: r.number("f", 1, 0, 9), float("nan")),
        (lambda r: r.number("f", 1, 0, 9), 10),
        (lambda r: r.whole("f", 1, 0, 9), 1.0),
        (lambda r: r.flag("f"), 1),
        (lambda r: r.items("f"), {}),
        (lambda r: r.texts("f"), ["a", ""]),
        (lambda r: r.mapping("f"), {"a": 1}),
        (lambda r: r.mapping("f"), [1]),
        (lambda r: r.inside("f", lambda inner: inner.flag("a")), {"b": 1}),
        (lambda r: r.each("f", lambda inner: inner.flag("a")), [{}, {"b": 1}]),
        (lambda r: r.checked("f", lambda texts: [int(t) for t in texts]), ["x"]),
    ],
)
def test_a_wrong_field_is_named(read: object, value: object) -> None:
    with pytest.raises(ShipoffError, match=r"rules\.x\.f"):
        read(Reader({} if value is None else {"f": value}, "rules.x"))  # type: ignore[operator]


def test_defaults_and_limits() -> None:
    reader = Reader({"n": 9, "flag": False}, "r")
    assert (reader.number("n", 1, 0, 9), reader.number("m", 1.5, 2, 9)) == (9, 1.5)
    assert (reader.flag("flag", True), reader.flag("other", True), reader.text("t", "")) == (False, True, "")
    assert (reader.texts("l"), reader.mapping("o"), reader.inside("i", lambda r: r)) == ([], {}, None)
    reader.end()


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ShipoffError, match=r"rules\.b"):
        whole({"a": True, "b": 1}, "rules", lambda reader: reader.flag("a"))
    with pytest.raises(ShipoffError, match="not an object"):
        whole([], "rules", lambda reader: None)
