"""Header edits: what they remove and add, and what no rule may touch."""

from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
from router.core.edits import Edit, read_edit
from router.core.reading import Reader

LINES = b"GET /x-a:1 HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\nx-a: 2\r\nX-AB: 3\r\nX-B: x-a: 4\r\n"


def edit(**rule: object) -> Edit:
    made = read_edit(Reader(rule, "rules.request_headers"))
    assert made is not None
    return made


def test_a_removed_header_goes_in_every_spelling_and_nothing_else_does() -> None:
    lines = LINES + b"X_A: twin\r\n"
    assert edit(remove=["X-A"]).apply(lines) == (b"GET /x-a:1 HTTP/1.1\r\nHost: a.test\r\nX-AB: 3\r\nX-B: x-a: 4\r\n")


def test_a_set_header_replaces_all_of_its_name() -> None:
    assert edit(set={"X-A": "new", "X-C": "ü"}).apply(LINES) == (
        b"GET /x-a:1 HTTP/1.1\r\nHost: a.test\r\nX-AB: 3\r\nX-B: x-a: 4\r\nX-A: new\r\nX-C: \xfc\r\n"
    )


def test_header_lines_without_a_first_line_are_edited_from_the_first() -> None:
    assert edit(remove=["Server"]).apply(b"Server: x\r\nX: 1\r\n") == b"X: 1\r\n"


def test_a_name_is_taken_as_it_is_and_not_as_a_pattern() -> None:
    assert edit(remove=["X.A"]).apply(LINES) == LINES


def test_no_rule_is_no_edit() -> None:
    assert read_edit(Reader({}, "r")) is None


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Content_Length", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Expect"),
        *("Keep-Alive", "Proxy-Authorization", "X-Forwarded-For", "x_forwarded_anything", "Forwarded", "Via", "Date"),
        *("X-Request-Id", "X-Real-IP", "CF-Connecting-IP", "Traceparent", "X-Shipoff-Error", "Trailer"),
        *("", "X A", "X:A", "X\r\nY", "a" * 129, "\xfc"),
    ],
)
@pytest.mark.parametrize("how", ["set", "remove"])
def test_what_frames_routes_or_identifies_is_not_a_rules_to_touch(name: str, how: str) -> None:
    with pytest.raises(ShipoffError, match=r"rules\.request_headers"):
        edit(**{how: {name: "x"} if how == "set" else [name]})


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\nb", "\x00", "€", 1, ["x"]])
def test_a_value_is_one_printable_line(value: object) -> None:
    with pytest.raises(ShipoffError):
        edit(set={"X-A": value})
