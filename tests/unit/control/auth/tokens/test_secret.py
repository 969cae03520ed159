from control.auth.tokens import secret


def test_secrets_are_long_distinct_and_well_formed() -> None:
    made = {secret.make() for _ in range(100)}
    assert len(made) == 100
    assert all(secret.is_well_formed(one) and len(one) == 47 for one in made)


def test_only_a_prefix_is_shown() -> None:
    one = secret.make()
    assert one.startswith(secret.displayed(one))
    assert len(secret.displayed(one)) == 10


def test_what_cannot_be_a_secret_is_not_looked_up() -> None:
    for text in ("", "shp_", secret.make() + "x", secret.make()[:-1], "SHP_" + "a" * 43, "shp_" + "é" * 43):
        assert not secret.is_well_formed(text)
