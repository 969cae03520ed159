"""The ring of a state directory: a new key in front, and the old ones out only when nothing needs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from kernel.sealing import Sealer, ring_of
from stack import keys
from stack.state import State


def ring(state: State) -> Sealer:
    secret = state.secrets()
    return Sealer(secret.get("env_keys") or ring_of("", secret["env_key"]))


def test_a_key_is_replaced_in_steps_and_everything_opens_in_each(tmp_path: Path) -> None:
    state = State(tmp_path)
    sealed = ring(state).seal("x", "p")
    name = keys.add(state)
    assert ring(state).names == (name, "first")
    with pytest.raises(ShipoffError, match="KEYS_IN_ROTATION"):
        keys.add(state)
    with pytest.raises(ShipoffError, match="KEYS_STILL_NEEDED"):
        keys.drop(state)
    fresh = ring(state).reseal(sealed, "p")
    assert fresh is not None
    state.note("resealed_under", name)  # what `reseal` notes when no service has anything left
    assert keys.drop(state) == ["first"]
    assert ring(state).open(fresh, "p") == "x"
    assert keys.drop(state) == []
    assert keys.add(state) != name


def test_what_was_sealed_under_an_earlier_ring_is_not_taken_for_this_one(tmp_path: Path) -> None:
    state = State(tmp_path)
    first = keys.add(state)
    state.note("resealed_under", first)
    keys.drop(state)
    keys.add(state)
    with pytest.raises(ShipoffError, match="KEYS_STILL_NEEDED"):
        keys.drop(state)


def test_secrets_stay_private_and_the_others_stay_as_they_are(tmp_path: Path) -> None:
    state = State(tmp_path)
    before = state.secrets()
    keys.add(state)
    assert {name: value for name, value in state.secrets().items() if name in before} == before
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
