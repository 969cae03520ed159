import pytest

from control.auth.passwords.rules import MOST, check, normal
from kernel.errors import ShipoffError

ABOUT = ("Ada Lovelace", "ada@example.org")


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "kT9#vq2!Lw", "日本語のとても長い合言葉", "ñandú volador azul 7"]
)
def test_a_password_that_is_hard_to_guess_is_taken(password: str) -> None:
    check(normal(password), ABOUT)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "x",
        "short pw!",
        "password123",
        "aaaaaaaaaaaaaaaa",
        "qwertyuiop",
        "ada@example.org",
        "AdaLovelace1",
        "shipoffshipoff",
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_advice(password: str) -> None:
    with pytest.raises(ShipoffError, match="PASSWORD_WEAK") as caught:
        check(password, ABOUT)
    assert caught.value.hint
    assert not password or password not in str(caught.value)


def test_a_password_has_an_end() -> None:
    check("violet otters " * 14, ABOUT)
    with pytest.raises(ShipoffError, match=f"10 to {MOST} characters"):
        check("violet otters " * 15, ABOUT)
    with pytest.raises(ShipoffError, match="PASSWORD_WEAK"):
        check("x" * 10_000_000, ABOUT)


def test_the_same_characters_have_one_form() -> None:
    assert normal("ﬁ\u0041\u030a") == normal("fi\u00c5") == "fiÅ"
