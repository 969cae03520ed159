"""What rules would do, told without doing it; in the order in which they are asked."""

from __future__ import annotations

from typing import Any

import pytest

from router.core.explain import Asked, explain, shown
from router.core.passwords import sha256_text
from router.core.records import Route

ASKED = Asked(b"app.test", b"/old?a=b", "GET", "https", "192.0.2.1")


def rules(**given: Any) -> Route:
    return Route({"host": "app.test", "kind": "dynamic", "release": "rel_1", "rules": given})


@pytest.mark.parametrize(
    ("given", "asked", "answers"),
    [
        ({"allow": ["198.51.100.0/24"]}, ASKED, [403]),
        ({"allow": ["192.0.2.0/24"]}, ASKED, [None]),
        ({"deny": ["192.0.2.1"]}, ASKED, [403]),
        ({"deny": ["192.0.2.1"]}, ASKED._replace(ip=""), [None]),
        ({"https": {"redirect": True}}, ASKED._replace(scheme="http"), [308]),
        ({"https": {"redirect": True}}, ASKED, [None]),
        ({"maintenance": {"allow": ["192.0.2.1"]}}, ASKED, [None]),
        ({"maintenance": {}}, ASKED, [503]),
        ({"redirects": [{"from": "/old", "to": "/new", "status": 301}]}, ASKED, [301]),
        ({"redirects": [{"from": "/other", "to": "/new"}]}, ASKED, []),
        ({"rate_limit": {"requests": 5}, "max_body": 9, "concurrency": {"limit": 2}}, ASKED, [None, None, None]),
        ({"maintenance": {}, "redirects": [{"from": "/old", "to": "/new"}]}, ASKED, [503]),
    ],
)
def test_rules_in_order(given: dict[str, Any], asked: Asked, answers: list[int | None]) -> None:
    assert [said.get("answers") for said in explain(rules(**given).policy, asked)] == answers


def test_a_redirect_says_where_to() -> None:
    route = rules(redirects=[{"from": "/old", "to": "/new", "status": 301}])
    assert explain(route.policy, ASKED) == [{"rule": "redirects", "answers": 301, "effect": "/new?a=b"}]


def test_a_route_without_rules_meets_none() -> None:
    assert explain(Route({"host": "app.test", "kind": "dynamic", "release": "rel_1"}).policy, ASKED) == []


def test_no_hash_of_a_password_is_shown() -> None:
    hashed = sha256_text("secret")
    record = {"host": "app.test", "kind": "dynamic", "release": "rel_1"}
    route = Route(record | {"rules": {"basic_auth": {"users": {"ada": hashed}}}})
    told = shown(route)
    assert told["rules"]["basic_auth"]["users"] == {"ada": "(hidden)"}
    assert hashed in str(route.record())
    assert hashed not in str(told)
    assert explain(route.policy, ASKED)[0]["rule"] == "basic_auth"
