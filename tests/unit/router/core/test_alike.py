"""What a new table has in common with the one before is kept once, and says what it said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.core.alike import share

SMALL = st.dictionaries(st.binary(max_size=2), st.binary(max_size=1), max_size=40)


@given(SMALL, SMALL, st.booleans())
def test_it_says_what_was_made(made: dict[bytes, bytes], before: dict[bytes, bytes], mostly_same: bool) -> None:
    if mostly_same:
        before = {**made, **dict(list(before.items())[:5])}
    wanted = dict(made)
    share(made, before)
    assert (made, before) == (wanted, {})


def fresh(values: dict[int, int]) -> dict[bytes, bytes]:
    return {b"key-%d" % key: b"value-%d" % value for key, value in values.items()}


def test_what_is_equal_is_in_the_objects_of_before() -> None:
    before = fresh({n: n for n in range(100)})
    objects = {id(one) for pair in before.items() for one in pair}
    made = fresh({n: n if n != 50 else 0 for n in range(1, 101)})
    share(made, before)
    own = {one for pair in made.items() for one in pair if id(one) not in objects}
    assert own == {b"value-0", b"key-100", b"value-100"}


def test_a_table_that_is_nearly_all_new_keeps_nothing_of_the_old() -> None:
    made, before = fresh(dict.fromkeys(range(100), -1)), fresh({n: n for n in range(100)})
    keys = list(made)
    share(made, before)
    assert all(one is other for one, other in zip(made, keys, strict=True))
