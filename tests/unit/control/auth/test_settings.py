"""What auth's settings refuse."""

import pytest

from control.auth.settings import AuthSettings
from kernel.errors import ShipoffError

NEEDED = {f"SHIPOFF_AUTH_{name}": "x" for name in ("DATABASE_URL", "REDIS_URL", "SERVICE_TOKEN", "SEAL_KEY")}


@pytest.mark.parametrize(("days", "fits"), [("0", True), ("1", False), ("89", False), ("90", True), ("4000", True)])
def test_audit_records_are_kept_as_long_as_their_table_keeps_them(days: str, fits: bool) -> None:
    environ = {**NEEDED, "SHIPOFF_AUTH_AUDIT_DAYS": days}
    if fits:
        assert AuthSettings.load("auth", environ).audit_days == int(days)
        return
    with pytest.raises(ShipoffError, match="AUDIT_DAYS"):
        AuthSettings.load("auth", environ)
