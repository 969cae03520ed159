import base64

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import ShipoffError
from kernel.sealing import Sealer, ring_of

KEY = base64.b64encode(bytes(range(32))).decode()


def test_a_value_opens_where_it_was_sealed() -> None:
    sealer = Sealer(KEY)
    assert sealer.open(sealer.seal({"A": "1"}, "rel_1"), "rel_1") == {"A": "1"}


def test_a_value_does_not_open_in_another_place_or_altered_or_under_another_key() -> None:
    sealer, other = Sealer(KEY), Sealer(base64.b64encode(bytes(32)).decode())
    sealed = sealer.seal("secret", "rel_1")
    for opener, value, place in (
        (sealer, sealed, "rel_2"),
        (other, sealed, "rel_1"),
        (sealer, sealed[:-1] + bytes([sealed[-1] ^ 1]), "rel_1"),
    ):
        with pytest.raises(ShipoffError) as caught:
            opener.open(value, place)
        assert caught.value.code == "SEAL_BROKEN"


@pytest.mark.parametrize(
    "key", ["", "not base64!", base64.b64encode(b"short").decode(), base64.b64encode(bytes(16)).decode()]
)
def test_a_malformed_key_is_refused(key: str) -> None:
    with pytest.raises(ShipoffError) as caught:
        Sealer(key)
    assert caught.value.code == "SEAL_KEY_INVALID"


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


def ring(*numbers: int) -> Sealer:
    """Keys are named after their numbers; what tells them apart is the key itself."""
    return Sealer(",".join(f"k{number}:{key(number)}" for number in numbers))


def sealed_in_the_first_version(value: object, place: str, number: int) -> bytes:
    nonce = bytes(range(12))
    return nonce + AESGCM(bytes([number]) * 32).encrypt(nonce, orjson.dumps(value), place.encode())


def test_what_had_no_version_opens_under_any_key_of_the_ring_and_becomes_an_envelope() -> None:
    old = sealed_in_the_first_version({"A": "1"}, "rel_1", 7)
    for sealer in (Sealer(key(7)), ring(1, 7), ring(7, 1)):
        assert sealer.open(old, "rel_1") == {"A": "1"}
        fresh = sealer.reseal(old, "rel_1")
        assert fresh is not None
        assert fresh.startswith(sealer.head)
        assert (sealer.open(fresh, "rel_1"), sealer.reseal(fresh, "rel_1")) == ({"A": "1"}, None)
    with pytest.raises(ShipoffError, match="SEAL_BROKEN"):
        ring(1).open(old, "rel_1")


def test_every_value_has_a_data_key_of_its_own_and_nothing_of_it_shows() -> None:
    sealer = ring(1)
    one, two = sealer.seal("hunter2-hunter2", "p"), sealer.seal("hunter2-hunter2", "p")
    assert one[len(sealer.head) :] != two[len(sealer.head) :]
    assert b"hunter2" not in one + two


def test_the_names_and_the_order_of_the_keys_may_change_and_the_primary_seals() -> None:
    sealed = ring(1, 2).seal("x", "p")
    renamed = Sealer(f"new:{key(2)}, old:{key(1)}")
    assert (renamed.names, renamed.open(sealed, "p")) == (("new", "old"), "x")
    fresh = renamed.reseal(sealed, "p")
    assert fresh is not None
    assert Sealer(key(2)).open(fresh, "p") == "x"
    with pytest.raises(ShipoffError, match="SEAL_BROKEN"):
        Sealer(key(1)).open(fresh, "p")


@given(
    st.lists(st.permutations(range(1, 5)).map(tuple), min_size=1, max_size=6),
    st.text(max_size=50) | st.dictionaries(st.text(max_size=5), st.text(max_size=20)),
)
def test_a_value_opens_after_any_sequence_of_rings_as_long_as_each_has_the_key_before(
    orders: list[tuple[int, ...]], value: object
) -> None:
    sealed = sealed_in_the_first_version(value, "prj_1/NAME", 3)
    before: tuple[int, ...] = (3,)
    for order in orders:
        # The fewest keys that a correct rotation may leave: the new primary, and what sealed so far.
        sealer = ring(order[0], *(number for number in before[:1] if number != order[0]))
        assert sealer.open(sealed, "prj_1/NAME") == value
        sealed = sealer.reseal(sealed, "prj_1/NAME") or sealed
        alone = ring(order[0])
        assert alone.open(sealed, "prj_1/NAME") == value
        with pytest.raises(ShipoffError, match="SEAL_BROKEN"):
            alone.open(sealed, "prj_1/OTHER")
        before = order


@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_byte_of_an_envelope_can_be_changed(where: int, flip: int) -> None:
    sealer = ring(1, 2)
    sealed = bytearray(sealer.seal({"A": "x" * 20}, "p"))
    sealed[where % len(sealed)] ^= flip
    with pytest.raises(ShipoffError, match="SEAL_BROKEN"):
        sealer.open(bytes(sealed), "p")


@given(st.binary(max_size=200))
def test_what_was_never_sealed_is_broken_and_nothing_else(noise: bytes) -> None:
    for sealed in (noise, ring(1).head + noise):
        with pytest.raises(ShipoffError, match="SEAL_BROKEN"):
            ring(1).open(sealed, "p")


@pytest.mark.parametrize(
    "text", [f"a:{key(1)},a:{key(2)}", f"a:{key(1)},b:{key(1)}", f"a b:{key(1)}", f"a:{key(1)},", ","]
)
def test_a_ring_that_is_not_clear_is_refused_and_shows_no_key(text: str) -> None:
    with pytest.raises(ShipoffError, match="SEAL_KEY_INVALID") as caught:
        Sealer(text)
    assert key(1) not in str(caught.value)


def test_settings_make_one_ring() -> None:
    assert ring_of("", "one") == "one"
    assert ring_of("a:x,b:y", "") == "a:x,b:y"
    assert ring_of("a:x, ", "one") == "a:x,one"
    assert key(1) not in repr(ring(1))
