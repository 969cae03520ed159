"""RFC 6238, appendix B, has the times and codes; its codes have eight digits, ours their last six."""

from __future__ import annotations

import base64

import pytest

from control.auth.two_factor import codes

SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("now_s", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_the_codes_of_the_rfc(now_s: int, code: str) -> None:
    step = now_s // 30
    assert codes.step_of(SECRET, code, now_s, 0) == step
    assert codes.step_of(SECRET, code, now_s + 30, 0) == step
    assert codes.step_of(SECRET, code, now_s - 30, 0) == step
    assert codes.step_of(SECRET, code, now_s + 60, 0) is None
    assert codes.step_of(SECRET, code, now_s - 60, 0) is None
    assert codes.step_of(SECRET, code, now_s, step - 1) == step
    assert codes.step_of(SECRET, code, now_s, step) is None


@pytest.mark.parametrize("code", ["", "28708", "2870822", "28708a", "٢٨٧٠٨٢", "-28708", " 287082\n"])
def test_only_six_ascii_digits_look_like_a_code(code: str) -> None:
    assert not codes.is_totp(code)
    assert codes.is_totp(codes.clean(" 287 082\n"))


def test_recovery_codes_are_read_however_they_are_typed() -> None:
    fresh = codes.new_recovery_codes()
    assert len(set(fresh)) == 10
    for code in fresh:
        assert len(code) == 19
        assert codes.digest("acc_1", code) == codes.digest("acc_1", f" {code.upper().replace('-', ' ')}\n")
        assert codes.digest("acc_1", code) != codes.digest("acc_2", code)


def test_a_secret_has_160_bits_and_the_uri_names_whose_it_is() -> None:
    secret = codes.new_secret()
    assert len(base64.b32decode(secret)) == 20
    assert (
        codes.uri(secret, "a&b@example.org")
        == f"otpauth://totp/Shipoff:a%26b%40example.org?secret={secret}&issuer=Shipoff"
    )
