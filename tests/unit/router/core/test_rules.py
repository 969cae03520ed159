"""A route's rules: every shape, its defaults, and that what is wrong refuses the whole record."""

from __future__ import annotations

import math

import pytest

from kernel.errors import ShipoffError
from router.core.passwords import sha256_text
from router.core.records import Route
from router.core.rules import Policy, read_policy

ALL = {
    "allow": ["10.0.0.0/8"],
    "deny": ["10.1.0.0/16"],
    "https": {"redirect": True, "hsts_s": 60, "subdomains": True, "preload": True},
    "maintenance": {"message": "back soon", "retry_after_s": 30, "allow": ["192.0.2.1"]},
    "rate_limit": {"requests": 30, "per_s": 60, "burst": 5, "by": "header:X-Api-Key"},
    "basic_auth": {"realm": "staging", "users": {"ann": sha256_text("a")}},
    "redirects": [{"from": "/a", "to": "/b"}, {"from": "/c", "to": "https://d.test", "status": 302, "prefix": True}],
    "request_headers": {"set": {"X-Env": "staging"}, "remove": ["Cookie"]},
    "response_headers": {"set": {"X-Frame-Options": "DENY"}},
    "max_body": 1000,
    "timeouts": {"answer_s": 5, "body_s": 6, "stream_s": 7},
    "canary": {"cookie": "canary", "max_age_s": 60, "header": "X-Release"},
    "concurrency": {"limit": 2, "queue": 3, "queue_s": 4},
}


def policy(**rules: object) -> Policy:
    made = read_policy(rules, b"a.test")
    assert made is not None
    return made


def test_every_rule_is_read() -> None:
    made = policy(**ALL)
    assert "10.2.0.1" in made.allow and "10.1.0.1" in made.deny
    assert made.https is not None and made.https.hsts == (
        b"Strict-Transport-Security: max-age=60; includeSubDomains; preload\r\n"
    )
    assert made.rate is not None and (made.rate.rate, made.rate.burst, made.rate.header) == (0.5, 5, b"x-api-key")
    assert made.auth is not None and made.auth.challenge.startswith(b'WWW-Authenticate: Basic realm="staging"')
    assert [r.to for r in made.redirects] == [b"/b", b"https://d.test"]
    assert made.timeouts is not None and made.timeouts.stream_s == 7
    assert made.lanes is not None and (made.lanes.limit, made.lanes.queue, made.lanes.queue_s) == (2, 3, 4)
    assert made.record == ALL


def test_a_route_without_rules_has_no_policy() -> None:
    assert read_policy(None, b"") is None
    assert read_policy({}, b"") is None


def test_defaults() -> None:
    made = policy(
        https={}, maintenance={}, rate_limit={"requests": 0.5}, concurrency={"limit": 1}, timeouts={}, canary={}
    )
    assert made.max_body == -1
    assert made.https is not None and made.https.redirect and not made.https.hsts
    assert made.maintenance is not None and made.maintenance.retry_after_s == 300
    assert made.rate is not None and (made.rate.rate, made.rate.burst, made.rate.header) == (0.5, 1, b"")
    assert made.lanes is not None and (made.lanes.queue, made.lanes.queue_s) == (100, 10)
    assert made.timeouts is not None and math.isnan(made.timeouts.answer_s)
    assert (made.allow or made.deny or made.redirects) == ()


@pytest.mark.parametrize(
    ("field", "rules"),
    [
        ("rules.unknown", {"unknown": {}}),
        ("rules.allow", {"allow": ["nonsense"]}),
        ("rules.deny", {"deny": "10.0.0.0/8"}),
        ("rules.https.hsts_s", {"https": {"hsts_s": -1}}),
        ("rules.maintenance.allow", {"maintenance": {"allow": ["x"]}}),
        ("rules.maintenance.message", {"maintenance": {"message": ""}}),
        ("rules.rate_limit.requests", {"rate_limit": {}}),
        ("rules.rate_limit.by", {"rate_limit": {"requests": 1, "by": "cookie"}}),
        ("rules.rate_limit.burst", {"rate_limit": {"requests": 1, "burst": 0}}),
        ("rules.basic_auth.users", {"basic_auth": {}}),
        ("rules.basic_auth.users", {"basic_auth": {"users": {"ann": "plain"}}}),
        ("rules.basic_auth.realm", {"basic_auth": {"realm": 'a"b', "users": {"a": sha256_text("a")}}}),
        ("rules.redirects[0].to", {"redirects": [{"from": "/a"}]}),
        ("rules.response_headers.Connection", {"response_headers": {"remove": ["Connection"]}}),
        ("rules.max_body", {"max_body": -1}),
        ("rules.max_body", {"max_body": 1.5}),
        ("rules.timeouts.answer_s", {"timeouts": {"answer_s": 0}}),
        ("rules.canary.cookie", {"canary": {"cookie": "a b"}}),
        ("rules.concurrency.limit", {"concurrency": {}}),
        ("rules.concurrency.queue", {"concurrency": {"limit": 1, "queue": -1}}),
    ],
)
def test_a_wrong_rule_refuses_the_record_and_is_named(field: str, rules: dict[str, object]) -> None:
    with pytest.raises(ShipoffError) as error:
        Route({"host": "a.test", "kind": "dynamic", "release": "rel_1", "rules": rules})
    assert repr(field) in error.value.detail


@pytest.mark.parametrize("rules", [[1], "x", 5, True])
def test_rules_are_an_object(rules: object) -> None:
    with pytest.raises(ShipoffError, match="rules"):
        read_policy(rules, b"")
