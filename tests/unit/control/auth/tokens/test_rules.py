"""What a token may be, and that none may do more than its maker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control.auth.tokens.rules import Wanted, check, check_within
from kernel.authority import Kind, Permission, Principal
from kernel.errors import ShipoffError

NOW = datetime(2026, 5, 1, tzinfo=UTC)
READ, WRITE = frozenset({"PROJECT:READ"}), frozenset({"PROJECT:READ", "PROJECT:UPDATE"})


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": ""}, "TOKEN_NAME_INVALID"),
        ({"name": "x" * 101}, "TOKEN_NAME_INVALID"),
        ({"name": "a\tb"}, "TOKEN_NAME_INVALID"),
        ({"scopes": frozenset()}, "TOKEN_SCOPES_INVALID"),
        ({"scopes": frozenset({"project:read"})}, "TOKEN_SCOPES_INVALID"),
        ({"scopes": READ | {"*"}}, "TOKEN_SCOPES_INVALID"),
        ({"expires_at": NOW}, "TOKEN_EXPIRY_INVALID"),
        ({"expires_at": NOW + timedelta(days=367)}, "TOKEN_EXPIRY_INVALID"),
    ],
)
def test_what_means_nothing_is_refused(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(ShipoffError, match=code):
        check(Wanted(**{"name": "ci", **fields}), NOW)


def test_what_means_something_is_taken() -> None:
    check(Wanted("ci", frozenset(Permission), NOW + timedelta(days=366)), NOW)
    check(Wanted("Ärger mit CI"), NOW)


@pytest.mark.parametrize("scopes", [None, WRITE, WRITE | {"TOKEN:READ"}])
def test_a_maker_without_all_scopes_gives_no_others(scopes: frozenset[str] | None) -> None:
    maker = Principal(Kind.TOKEN, "acc_1", scopes=READ)
    check_within(Wanted("x", READ), maker, None)
    with pytest.raises(ShipoffError, match="TOKEN_TOO_WIDE"):
        check_within(Wanted("x", scopes), maker, None)


def test_a_maker_for_one_project_makes_none_for_others() -> None:
    maker = Principal(Kind.TOKEN, "acc_1", only_project="prj_1")
    check_within(Wanted("x", project_id="prj_1"), maker, None)
    for other in ("", "prj_2"):
        with pytest.raises(ShipoffError, match="TOKEN_TOO_WIDE"):
            check_within(Wanted("x", project_id=other), maker, None)


def test_a_maker_that_ends_makes_none_that_outlives_it() -> None:
    maker = Principal(Kind.TOKEN, "acc_1")
    check_within(Wanted("x", expires_at=NOW), maker, NOW)
    for end in (None, NOW + timedelta(seconds=1)):
        with pytest.raises(ShipoffError, match="TOKEN_TOO_WIDE"):
            check_within(Wanted("x", expires_at=end), maker, NOW)


def test_a_session_may_make_what_its_account_may() -> None:
    check_within(Wanted("x", expires_at=None), Principal(Kind.SESSION, "acc_1"), None)
