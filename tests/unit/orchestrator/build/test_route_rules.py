"""What a repository's rules may be: whatever passes here, every router must understand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kernel.errors import ShipoffError
from orchestrator.build.route_rules import RouteRules
from router.core.rules import read_policy

GOOD: list[dict[str, Any]] = [
    {"https": {"hsts_s": 60, "subdomains": True}},
    {"redirects": [{"from": "/old", "to": "/new"}, {"from": "/a", "to": "https://example.org/b", "prefix": True}]},
    {"redirects": [{"from": "/.well-known/x", "to": "/"}]},
    {"request_headers": {"set": {"X-Env": "staging"}, "remove": ["Cookie"]}},
    {"response_headers": {"remove": ["Server"]}},
    {"max_body": 1024, "rate_limit": {"requests": 30, "by": "header:X-Key"}},
    {"timeouts": {"answer_s": 60}, "concurrency": {"limit": 10}, "hold": {"wait_s": 5, "queue": 3}},
    {"cache": {}},
    {"cache": {"default_s": 60, "stale_if_error_s": 5}},
]
BAD: list[dict[str, Any]] = [
    {"redirects": [{"from": "/a//b", "to": "/"}]},
    {"redirects": [{"from": "/a/../b", "to": "/"}]},
    {"redirects": [{"from": "/a", "to": "//evil.example"}]},
    {"redirects": [{"from": "/a", "to": "javascript:alert(1)"}]},
    {"redirects": [{"from": "/a", "to": "/b?c", "prefix": True}]},
    {"request_headers": {"set": {"Host": "x"}}},
    {"response_headers": {"set": {"X": "a\r\nb: c"}}},
    {"timeouts": {"answer_s": 0}},
    {"concurrency": {}},
    {"nonsense": {}},
]


@pytest.mark.parametrize("rules", GOOD, ids=str)
def test_what_passes_here_passes_at_the_router(rules: dict[str, Any]) -> None:
    record = RouteRules.model_validate(rules).as_record()
    assert record == rules
    assert read_policy(record, b"x") is not None


@pytest.mark.parametrize("rules", BAD, ids=str)
def test_what_a_router_would_refuse_is_refused_here(rules: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RouteRules.model_validate(rules)
    with pytest.raises(ShipoffError, match="RECORD_INVALID"):
        read_policy(rules, b"x")


TEXT = st.text(st.sampled_from("/.%?#\\a:[é \r\n~-_"), max_size=12)
REDIRECT = st.fixed_dictionaries({"from": st.just("/").flatmap(lambda s: TEXT.map(lambda t: s + t)), "to": TEXT})
HEADERS = st.fixed_dictionaries({"set": st.dictionaries(TEXT, TEXT, max_size=2), "remove": st.lists(TEXT, max_size=2)})


@given(st.fixed_dictionaries({}, optional={"redirects": st.lists(REDIRECT, max_size=2), "response_headers": HEADERS}))
def test_odd_texts_never_pass_here_and_fail_there(rules: dict[str, Any]) -> None:
    try:
        record = RouteRules.model_validate(rules).as_record()
    except ValidationError:
        return
    read_policy(record, b"x")
