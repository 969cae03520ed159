"""What rules people may ask for: whatever passes here, every router must understand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kernel.errors import ShipoffError
from kernel.route_rules import RouteRules, owner_rules
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


OWNED: list[dict[str, Any]] = [
    {"allow": ["10.0.0.0/8", "2001:db8::1"], "deny": ["10.1.0.0/16"]},
    {"maintenance": {"message": "back \u00e0 midi", "retry_after_s": 60, "allow": ["192.0.2.1"]}},
    {"basic_auth": {"users": {"ann": "$sha256$" + "A" * 24 + "$" + "B" * 43}}},
    {"basic_auth": {"realm": "staging", "users": {"bob": "$scrypt$ln=12,r=8,p=1$" + "A" * 22 + "$" + "B" * 43}}},
]
REFUSED: list[dict[str, Any]] = [
    {"allow": ["10.0.0.1/8"]},
    {"allow": ["everybody"]},
    {"maintenance": {"retry_after_s": 0}},
    {"basic_auth": {"users": {}}},
    {"basic_auth": {"users": {"a:b": "long enough"}}},
    {"basic_auth": {"realm": 'a"b', "users": {"ann": "long enough"}}},
    {"canary": {}},
    {"health": {"path": "/"}},
]


@pytest.mark.parametrize("rules", [*GOOD, *OWNED], ids=str)
def test_what_an_owner_may_say_passes_at_the_router(rules: dict[str, Any]) -> None:
    assert owner_rules({**rules, "allow": rules.get("allow")}) == rules
    assert read_policy(rules, b"x") is not None


@pytest.mark.parametrize("rules", [*BAD, *REFUSED], ids=str)
def test_what_an_owner_may_not_say_is_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(ShipoffError, match="RULES_INVALID"):
        owner_rules(rules)


def test_passwords_are_stored_as_hashes_that_the_router_knows() -> None:
    stored = owner_rules({"basic_auth": {"users": {"ann": "correct horse"}}})
    assert "correct horse" not in str(stored)
    policy = read_policy(stored, b"x")
    assert policy is not None
    assert policy.auth is not None
    assert policy.auth.users.admit(b"ann", b"correct horse")
    assert not policy.auth.users.admit(b"ann", b"correct horsf")


@pytest.mark.parametrize("password", ["short", "$scrypt$ln=20,r=8,p=1$AAAAAAAA$" + "B" * 43, "$md5$of something"])
def test_a_password_that_cannot_be_used_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(ShipoffError) as refused:
        owner_rules({"basic_auth": {"users": {"ann": password}}})
    assert password not in str(refused.value)
