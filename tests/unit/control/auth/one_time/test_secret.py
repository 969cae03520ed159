import pytest

from control.auth.one_time import secret as secrets


def test_a_secret_has_256_bits_and_its_prefix() -> None:
    made = {secrets.make("shr_") for _ in range(100)}
    assert len(made) == 100
    assert all(secrets.is_well_formed(one, "shr_") and not secrets.is_well_formed(one) for one in made)
    assert len(secrets.digest(made.pop())) == 32


@pytest.mark.parametrize("text", ["", "shr_", "shr_" + "a" * 42, "shr_" + "a" * 44, "shr_" + "é" * 43, "a" * 47])
def test_what_is_no_secret_is_seen(text: str) -> None:
    assert not secrets.is_well_formed(text, "shr_")
