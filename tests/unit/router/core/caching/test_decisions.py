"""What is kept, for whom, and when it serves (RFC 9111, sections 3 and 4)."""

from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
from router.core.caching import keys
from router.core.caching.asked import Asked, own_head, read_asked
from router.core.caching.conditions import part_of, unchanged
from router.core.caching.dates import write_date
from router.core.caching.memory import Memory
from router.core.caching.reuse import ASK, BACKGROUND, FRESH, PASS, STALE, judge, may_serve_after_error
from router.core.caching.rule import CacheRule
from router.core.caching.stored import Answer, Stored, freshened
from router.core.head import RequestHead, read_request
from router.core.reading import whole

NOW = 1_700_000_000.0


def rule(**options: object) -> CacheRule:
    return whole(options, "cache", CacheRule)


def head(*lines: str, method: str = "GET", target: str = "/") -> RequestHead:
    raw = "".join(f"{line}\r\n" for line in (f"{method} {target} HTTP/1.1", "Host: a.test", *lines, ""))
    found = read_request(raw.encode())
    assert found is not None
    return found


def asked(*lines: str, **options: object) -> Asked:
    return read_asked(head(*lines), rule(**options))


def answer(*lines: str, status: int = 200, to: Asked | None = None, **options: object) -> Answer:
    date = "Date: " + write_date(NOW).decode()
    raw = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} X", date, *lines)).encode()
    return Answer(status, raw, to or Asked(), rule(**options), NOW, NOW)


def stored(*lines: str, status: int = 200, **options: object) -> Stored:
    return Stored(b"key", answer(*lines, status=status), rule(**options), b"0123456789", 10)


CONTROL = "Cache-Control: "
PAST = "Last-Modified: " + write_date(NOW - 1000).decode()


@pytest.mark.parametrize(
    ("status", "lines", "why"),
    [
        (200, [CONTROL + "max-age=60"], ""),
        (200, ["Expires: " + write_date(NOW + 60).decode()], ""),
        (200, [PAST], ""),
        (200, [], "no-freshness"),
        (200, ['ETag: "a"'], "no-freshness"),
        (200, [CONTROL + "no-cache", 'ETag: "a"'], ""),
        (200, [CONTROL + "no-cache"], "no-freshness"),
        (200, [CONTROL + "max-age=0", PAST], ""),
        (200, [CONTROL + "max-age=0, stale-if-error=60"], ""),
        (200, [CONTROL + "no-store, max-age=60"], "no-store"),
        (200, [CONTROL + "private, max-age=60"], "private"),
        (200, [CONTROL + 'private="x-a", max-age=60'], ""),
        (200, [CONTROL + "max-age=60", "Set-Cookie: a=b"], "set-cookie"),
        (200, [CONTROL + 'max-age=60, no-cache="Set-Cookie"', "Set-Cookie: a=b"], ""),
        (200, [CONTROL + "max-age=60", "Vary: *"], "vary"),
        (200, [CONTROL + "max-age=60", "Vary: Accept, *"], "vary"),
        (200, [CONTROL + "max-age=60", "Vary: X-Forwarded-For"], "vary"),
        (200, [CONTROL + "max-age=60, must-understand, no-store"], ""),
        (299, [CONTROL + "max-age=60"], ""),
        (299, [CONTROL + "max-age=60, must-understand"], "status"),
        (302, [CONTROL + "max-age=60"], ""),
        (302, [PAST], "no-freshness"),
        (404, [PAST], ""),
        (500, [CONTROL + "max-age=60"], ""),
        (206, [CONTROL + "max-age=60"], "status"),
        (304, [CONTROL + "max-age=60"], "status"),
        (200, [CONTROL + "private, max-age=60", "CDN-Cache-Control: max-age=60"], ""),  # RFC 9213
        (200, [CONTROL + "max-age=60", "CDN-Cache-Control: no-store"], "no-store"),
        (200, [CONTROL + "private, max-age=60", "CDN-Cache-Control: &&"], "private"),
    ],
)
def test_what_is_kept(status: int, lines: list[str], why: str) -> None:
    assert answer(*lines, status=status).refusal(Asked()).decode() == why


@pytest.mark.parametrize(
    ("control", "allowed", "kept"),
    [
        ("max-age=60", True, False),
        ("public, max-age=60", True, True),
        ("s-maxage=60", True, True),
        ("must-revalidate, max-age=60", True, True),
        ("public, max-age=60", False, False),
    ],
)
def test_answers_to_authorized_requests(control: str, allowed: bool, kept: bool) -> None:
    """Section 3.5, and the route's rule."""
    request = asked("Authorization: Basic eDp5", authorization=allowed)
    refused = answer(CONTROL + control, to=request).refusal(request)
    assert (not request.bypass and not refused) == kept


def test_nothing_is_guessed_for_one_with_a_cookie() -> None:
    known = asked("Cookie: a=b")
    assert answer(PAST, to=known).refusal(known) == b"no-freshness"
    assert answer(to=known, default_s=60).refusal(known) == b"no-freshness"
    assert answer(PAST, CONTROL + "max-age=60", to=known).refusal(known) == b""
    assert answer(default_s=60).refusal(Asked()) == b""
    assert answer(PAST, heuristic=False).refusal(Asked()) == b"no-freshness"


def test_what_belongs_to_one_connection_or_request_is_not_kept() -> None:
    kept = stored(
        CONTROL + 'max-age=60, private="X-Mine"', "X-Mine: 1", "Age: 5", "X-Request-Id: abcdefgh", "Server-Timing: a",
        "Keep-Alive: timeout=5", "Content-Length: 10", "Cache-Tag: a", "X-Kept: 1", "Trailer: x",
    )  # fmt: skip
    names = {line.partition(b":")[0].lower() for line in kept.lines.split(b"\r\n")[1:] if line}
    assert names == {b"date", b"cache-control", b"x-kept"}


@pytest.mark.parametrize(
    ("control", "request_control", "later", "verdict"),
    [
        ("max-age=60", "", 59, FRESH),
        ("max-age=60", "", 60, ASK),
        ("no-cache, max-age=60", "", 0, ASK),
        ("max-age=60", "no-cache", 0, ASK),
        ("max-age=60", "max-age=10", 5, FRESH),
        ("max-age=60", "max-age=10", 11, ASK),
        ("max-age=60", "min-fresh=10", 49, FRESH),
        ("max-age=60", "min-fresh=10", 51, ASK),
        ("max-age=60", "max-stale=10", 65, STALE),
        ("max-age=60", "max-stale", 9999, STALE),
        ("max-age=60", "max-stale=10", 75, ASK),
        ("max-age=60, must-revalidate", "max-stale=10", 65, ASK),
        ("max-age=60, proxy-revalidate", "max-stale=10", 65, ASK),
        ("s-maxage=60", "max-stale=10", 65, ASK),  # section 5.2.2.10
        ("max-age=60, stale-while-revalidate=10", "", 65, BACKGROUND),
        ("max-age=60, stale-while-revalidate=10", "", 71, ASK),
        ("s-maxage=60, stale-while-revalidate=10", "", 65, BACKGROUND),  # the origin's explicit leave
        ("max-age=60, must-revalidate, stale-while-revalidate=10", "", 65, ASK),
    ],
)
def test_when_it_serves(control: str, request_control: str, later: float, verdict: int) -> None:
    lines = [CONTROL + request_control] if request_control else []
    assert judge(stored(CONTROL + control), asked(*lines), NOW + later) == verdict


def test_an_answer_that_is_not_for_authorized_requests_passes_them_by() -> None:
    request = asked("Authorization: Basic eDp5", authorization=True)
    assert judge(stored(CONTROL + "max-age=60"), request, NOW) == PASS
    assert judge(stored(CONTROL + "public, max-age=60"), request, NOW) == FRESH


@pytest.mark.parametrize(
    ("control", "later", "allowed"),
    [
        ("max-age=60, stale-if-error=10", 70, True),
        ("max-age=60, stale-if-error=10", 71, False),
        ("max-age=60", 61, False),
        ("max-age=60, must-revalidate, stale-if-error=10", 65, False),
        ("no-cache, stale-if-error=10", 5, False),
        ("s-maxage=60, stale-if-error=10", 65, True),
    ],
)
def test_when_it_stands_for_an_error(control: str, later: float, allowed: bool) -> None:
    """RFC 5861, section 4."""
    assert may_serve_after_error(stored(CONTROL + control), Asked(), NOW + later) == allowed


@pytest.mark.parametrize(
    ("lines", "bypass"),
    [
        ([], b""),
        (['If-None-Match: "a"'], b""),
        (['If-Match: "a"'], b"request"),
        (["If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"], b"request"),
        (["Cache-Control: no-store"], b"request"),
        (["Authorization: Basic eDp5"], b"bypass"),
        (["Content-Length: 5"], b"request"),
        (["Connection: upgrade", "Upgrade: websocket"], b"request"),
    ],
)
def test_which_requests_pass_it_by(lines: list[str], bypass: bytes) -> None:
    assert asked(*lines).bypass == bypass


def test_pragma_counts_only_without_cache_control() -> None:
    """Section 5.4."""
    alone, beside = asked("Pragma: no-cache").directives, asked("Pragma: no-cache", CONTROL + "max-age=5").directives
    assert alone is not None and beside is not None
    assert (alone.no_cache, beside.no_cache) == (True, False)
    assert asked("Pragma: no-cache", client_directives=False).directives is None


def test_conditions_and_ranges_are_not_forwarded() -> None:
    sent = head('If-None-Match: "a"', "Range: bytes=0-1", "X-Kept: 1", "If-Modified-Since: x")
    assert own_head(sent, b"").lines == head("X-Kept: 1").lines
    assert own_head(sent, b"A: b\r\n").lines == head("X-Kept: 1", "A: b").lines


def test_the_caches_own_request_makes_the_same_claims() -> None:
    sent = head("X-Kept: 1")
    names = [name for name in dir(sent) if not name.startswith("_") and not callable(getattr(sent, name))]
    for name in names:
        if isinstance(getattr(sent, name), bytes):
            setattr(sent, name, b"of " + name.encode())
    sent.plain = False
    own = own_head(sent, b"")
    assert {name for name in names if getattr(own, name) != getattr(sent, name)} <= {"upgrade"}


@pytest.mark.parametrize(
    ("lines", "current"),
    [
        (['If-None-Match: "v"'], True),
        (['If-None-Match: W/"v"'], True),
        (["If-None-Match: *"], True),
        (['If-None-Match: "w", "v"'], True),
        (['If-None-Match: "w"'], False),
        (['If-None-Match: "w"', PAST.replace("Last-Modified", "If-Modified-Since")], False),  # the date does not count
        ([PAST.replace("Last-Modified", "If-Modified-Since")], True),
        (["If-Modified-Since: " + write_date(NOW - 1001).decode()], False),
        (["If-Modified-Since: 0"], False),
        ([], False),
    ],
)
def test_what_the_client_has_is_current(lines: list[str], current: bool) -> None:
    assert unchanged(asked(*lines), 200, b'"v"', PAST.partition(": ")[2].encode(), NOW) == current
    assert not unchanged(asked(*lines), 404, b'"v"', b"", NOW)


def test_without_last_modified_the_date_counts() -> None:
    """Section 4.3.2."""
    since = asked("If-Modified-Since: " + write_date(NOW).decode())
    assert unchanged(since, 200, b"", b"", NOW)
    assert not unchanged(since, 200, b"", b"", NOW + 1)


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (["Range: bytes=2-4"], (2, 4)),
        (["Range: bytes=2-4", 'If-Range: "v"'], (2, 4)),
        (["Range: bytes=2-4", 'If-Range: "w"'], None),
        (["Range: bytes=2-4", 'If-Range: W/"v"'], None),
        (["Range: bytes=2-4", PAST.replace("Last-Modified", "If-Range")], (2, 4)),
        (["Range: bytes=2-4", "If-Range: " + write_date(NOW).decode()], None),
        (["Range: bytes=0-1,3-4"], None),
    ],
)
def test_parts(lines: list[str], part: tuple[int, int] | None) -> None:
    assert part_of(stored(CONTROL + "max-age=60", 'ETag: "v"', PAST), asked(*lines)) == part


def test_a_304_updates_all_but_what_describes_the_body() -> None:
    """Section 3.2."""
    kept = stored(CONTROL + "max-age=1", 'ETag: "v"', "Content-Encoding: gzip", "X-A: 1", "X-A: 2", "X-B: 1")
    newer = answer(
        CONTROL + "max-age=9", 'ETag: "v"', "Content-Encoding: br", "X-A: 3", "Content-Length: 0", status=304
    )
    lines = freshened(kept, newer)
    assert lines is not None
    for line in (b"Cache-Control: max-age=9", b"Content-Encoding: gzip", b"X-A: 3", b"X-B: 1"):
        assert lines.count(line + b"\r\n") == 1
    assert b"X-A: 1" not in lines and b"Content-Length" not in lines


def test_a_304_about_another_answer_updates_nothing() -> None:
    """Section 4.3.4."""
    assert freshened(stored('ETag: "v"'), answer('ETag: "w"', status=304)) is None
    assert freshened(stored('ETag: W/"v"'), answer('ETag: "v"', status=304)) is not None
    assert freshened(stored('ETag: "v"'), answer(status=304)) is not None


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "target", "normal"),
    [
        ({}, b"/a?b=1&a=2", b"/a?b=1&a=2"),
        ({}, b"/%7Ea%2f%c3%A4", b"/~a%2F%C3%A4"),
        ({"query": {"sort": True}}, b"/a?b=1&a=2", b"/a?a=2&b=1"),
        ({"query": {"ignore": ["utm_*", "x"]}}, b"/a?utm_source=1&x=2&xy=3", b"/a?xy=3"),
        ({"query": {"ignore": ["x"]}}, b"/a?x=2", b"/a"),
        ({"query": {"keep": ["x"]}}, b"/a?x=2&y=3&x", b"/a?x=2&x"),
    ],
)
def test_targets_in_keys(options: dict[str, object], target: bytes, normal: bytes) -> None:
    assert keys.normal_target(target, rule(**options)) == normal


def test_headers_and_cookies_in_keys() -> None:
    by = rule(headers=["X-Country"], cookies=["lang"])
    made = {
        keys.primary_key(b"p\0r\0http\0", b"a", b"a\0/", by, head(*lines).lines)
        for lines in (
            [], ["X-Country: de"], ["X-Country: fr"], ["Cookie: lang=de"], ["Cookie: x=1; lang=fr"], ["Cookie: lang="],
        )
    }  # fmt: skip
    assert len(made) == 6
    assert keys.primary_key(b"", b"a", b"u", by, head("Cookie: lang=de; y=2").lines) == keys.primary_key(
        b"", b"a", b"u", by, head("Cookie: z=3; lang=de").lines
    )


def test_variants() -> None:
    names = keys.vary_names([b"Accept-Encoding, X-A", b"accept-encoding"])
    assert names == (b"accept-encoding", b"x-a")
    same = {
        keys.variant(names, head("X-A: 1,2", "Accept-Encoding: br, gzip").lines),
        keys.variant(names, head("x-a:  1 , 2", "accept-encoding: GZIP,br").lines),
        keys.variant(names, head("X-A: 1", "Accept-Encoding: gzip", "X-A: 2", "Accept-Encoding: br").lines),
    }
    assert len(same) == 1
    others = {keys.variant(names, head(*lines).lines) for lines in ([], ["X-A:"], ["X-A: 2,1"], ["X-A: a"], ["X-A: A"])}
    assert len(others) == 5


@pytest.mark.parametrize(
    "options",
    [{"unknown": 1}, {"query": {"unknown": 1}}, {"headers": ["a b"]}, {"default_s": -1}, {"cookies": ["x"] * 33}],
)
def test_rules_that_are_wrong_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ShipoffError):
        rule(**options)


# --- what stays -------------------------------------------------------------------------------------------------------


def value(name: str, size: int = 1000) -> Stored:
    made = Stored(name.encode(), answer(CONTROL + "max-age=60"), rule(), b"x" * size, size)
    made.groups = (b"all", name[:1].encode())
    return made


def test_memory_is_bounded_and_keeps_what_is_asked_for_again() -> None:
    memory = Memory(100_000)
    for at in range(20):
        memory.put(value(f"h{at}"))
    for _ in range(3):
        assert all(memory.get(b"h%d" % at) for at in range(20))
    for at in range(1000):  # a scan passes through
        memory.put(value(f"s{at}"))
        assert memory.used <= 100_000
    assert sum(memory.get(b"h%d" % at) is not None for at in range(20)) == 20
    assert memory.evicted > 900


def test_memory_forgets_groups_and_counts_right() -> None:
    memory = Memory(100_000)
    for at in range(10):
        memory.put(value(f"a{at}"))
        memory.put(value(f"b{at}"))
    memory.put(value("a0", 2000))
    assert len(memory) == 20
    for key in memory.group(b"a"):
        memory.remove(key)
    assert memory.group(b"a") == []
    assert len(memory.group(b"all")) == 10
    for key in memory.group(b"all"):
        memory.remove(key)
    assert (memory.used, len(memory)) == (0, 0)


def test_memory_refuses_what_is_larger_than_itself() -> None:
    memory = Memory(5000)
    assert memory.put(value("a"))
    assert not memory.put(value("b", 10_000))
    assert memory.get(b"a") is not None
