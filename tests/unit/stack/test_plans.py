from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
from stack.plans import overrides_of


def test_overrides_are_names_and_numbers() -> None:
    assert overrides_of(["projects=50", "domains=-1"]) == {"projects": 50, "domains": -1}
    assert overrides_of([]) == {}


@pytest.mark.parametrize("text", ["projects", "projects=", "projects=many", "projects=--1", "projects=-2", "=1"])
def test_what_is_no_override_is_refused(text: str) -> None:
    with pytest.raises(ShipoffError, match="OVERRIDE_INVALID"):
        overrides_of([text])
