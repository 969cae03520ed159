"""What a team may be called."""

import pytest

from control.auth.teams.rules import RESERVED, check_name, check_slug
from kernel.errors import ShipoffError


@pytest.mark.parametrize("name", ["Acme", "x", "Ärzte & Söhne", "x" * 80])
def test_a_name_that_can_be_shown_is_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", " x", "x ", "x\n", "x\0", "x\u202e", "x" * 81])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(ShipoffError, match="TEAM_NAME_INVALID"):
        check_name(name)


@pytest.mark.parametrize("slug", ["ab", "a1", "a-b", "1a", "a" * 40])
def test_a_slug_that_can_stand_in_an_address_is_taken(slug: str) -> None:
    check_slug(slug)


@pytest.mark.parametrize(
    "slug", ["", "a", "A1", "a--b", "-ab", "ab-", "a_b", "a.b", "é1", "a b", "a\n", "ab\n", "a" * 41, "tem_1"]
)
def test_a_slug_that_cannot_is_refused(slug: str) -> None:
    with pytest.raises(ShipoffError, match="TEAM_SLUG_INVALID"):
        check_slug(slug)


@pytest.mark.parametrize("slug", [*sorted(word for word in RESERVED if len(word) > 1), "u-1"])
def test_the_platforms_own_words_are_no_slugs(slug: str) -> None:
    with pytest.raises(ShipoffError, match="TEAM_SLUG_RESERVED"):
        check_slug(slug)
