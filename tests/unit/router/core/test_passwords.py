"""Passwords: the two stored forms, credentials as browsers send them, and what is remembered."""

from __future__ import annotations

import base64

import pytest

from router.core.passwords import Password, Remembered, Users, credentials, scrypt_text, sha256_text


@pytest.mark.parametrize("make", [sha256_text, lambda password: scrypt_text(password, ln=4)])
def test_a_stored_password_fits_itself_only(make: object) -> None:
    stored = make("pässword")  # type: ignore[operator]
    password = Password(stored)
    assert password.matches("pässword".encode())
    assert not password.matches(b"password")
    assert not password.matches(b"")
    assert "ssword" not in stored
    assert password.slow is stored.startswith("$scrypt$")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "secret",
            "$sha256$c2FsdHNhbHQ$short",
            "$md5$c2FsdHNhbHQ$x",
            "$scrypt$ln=99,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43,
        ),
        *("$scrypt$ln=0,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43, "$scrypt$ln=20,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43),
        sha256_text("x") + "\n",
    ],
)
def test_what_is_no_stored_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"\$scrypt|32 MB"):
        Password(text)


def test_users_are_told_apart() -> None:
    users = Users({"ann": sha256_text("a"), "bob": sha256_text("b")})
    assert users.admit(b"ann", b"a")
    assert not users.admit(b"ann", b"b")
    assert not users.admit(b"eve", b"a")
    assert not users.slow


@pytest.mark.parametrize("users", [{}, {"a:b": sha256_text("x")}])
def test_what_are_no_users(users: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="colon"):
        Users(users)


def basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


def test_credentials_are_read_as_rfc_7617_says() -> None:
    assert credentials(basic(b"ann:a:b")) == (b"ann", b"a:b")
    assert credentials(basic(b":")) == (b"", b"")
    assert credentials(basic("ü:ä".encode()).replace(b"Basic", b"bAsIc")) == ("ü".encode(), "ä".encode())


@pytest.mark.parametrize(
    "value", [b"", b"Basic", b"Basic !!", b"Basic YQ=", b"Bearer YTpi", basic(b"nocolon"), b"YTpi"]
)
def test_what_are_no_credentials(value: bytes) -> None:
    assert credentials(value) is None


def test_a_check_is_remembered_for_the_same_users_only_and_boundedly() -> None:
    stored = sha256_text("a")
    one, same, other = Users({"ann": stored}), Users({"ann": stored}), Users({"ann": sha256_text("a")})
    kept = Remembered(most=2)
    kept.put(one, b"x", good=True)
    assert (kept.get(one, b"x"), kept.get(same, b"x"), kept.get(other, b"x")) == (True, True, None)
    kept.put(one, b"y", good=False)
    kept.put(one, b"z", good=False)
    assert (kept.get(one, b"x"), kept.get(one, b"y"), kept.get(one, b"z")) == (None, False, False)
