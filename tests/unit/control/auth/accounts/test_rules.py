import pytest

from control.auth.accounts.rules import normal_email, normal_name
from kernel.errors import ShipoffError


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        (" ada@Example.ORG ", "ada@example.org"),
        ("Ada.King+x@example.org", "Ada.King+x@example.org"),
        ("ada@bu\u0308cher.example.org", "ada@bücher.example.org"),
        ("ада@example.org", "ада@example.org"),
    ],
)
def test_an_address_has_one_form(given: str, normal: str) -> None:
    assert normal_email(given) == normal


@pytest.mark.parametrize(
    "given",
    [
        "", "ada", "@example.org", "ada@", "ada@localhost", "ada@example", "a@b@example.org", "Ada <ada@example.org>",
        "ada@[127.0.0.1]", "ada@example.org, eve@example.org", "ada@example.org\nBcc: x@example.org", "a\0@example.org",
        "x" * 65 + "@example.org", "ada@" + "x" * 300 + ".org", "ada@exam ple.org", '"ada king"@example.org',
    ],
)  # fmt: skip
def test_what_is_no_single_address_is_refused(given: str) -> None:
    with pytest.raises(ShipoffError, match="EMAIL_INVALID"):
        normal_email(given)


def test_a_name_is_one_line_of_printable_characters() -> None:
    assert normal_name("  Ada\n King ") == "Ada King"
    assert normal_name("阿達") == "阿達"
    for wrong in ("", "   ", "a\0", "a\x1b[31m", "a\u202eb", "x" * 101):
        with pytest.raises(ShipoffError, match="NAME_INVALID"):
            normal_name(wrong)
