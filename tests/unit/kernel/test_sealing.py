import base64

import pytest

from kernel.errors import ShipoffError
from kernel.sealing import Sealer

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
