"""The second factor of one's own account."""

from __future__ import annotations

from typing import TypedDict

from control.gateway.models.auth import Code, Password
from control.gateway.models.base import Body, time_or_none
from proto.auth.v1 import two_factor_pb2


class BeginTwoFactor(Body):
    """The beginning of an enrolment.

    Attributes:
        password: the account's, once more.
    """

    password: Password


class ConfirmTwoFactor(Body):
    """The end of an enrolment.

    Attributes:
        code: that the authenticator shows.
    """

    code: Code


class ProveTwoFactor(Body):
    """Proof for what weakens the second factor.

    Attributes:
        password: the account's, once more.
        code: of the authenticator, or a recovery code.
    """

    password: Password
    code: Code


class TwoFactorShape(TypedDict):
    """How it stands.

    Attributes:
        enabled: whether signing in needs a code.
        enabled_at: RFC 3339; null while it is off.
        recovery_codes: that are left.
    """

    enabled: bool
    enabled_at: str | None
    recovery_codes: int


class EnrolmentShape(TypedDict):
    """What an authenticator needs; shown this once.

    Attributes:
        secret: in base32, to be typed in.
        uri: `otpauth://…`, to be shown as a QR code.
    """

    secret: str
    uri: str


class RecoveryCodesShape(TypedDict):
    """Codes for when the authenticator is lost, each good once; shown this once.

    Attributes:
        recovery_codes: all of them; earlier ones are void.
    """

    recovery_codes: list[str]


def two_factor(message: two_factor_pb2.TwoFactorStatus) -> TwoFactorShape:
    """How it stands, as the API shows it."""
    return {
        "enabled": message.enabled,
        "enabled_at": time_or_none(message.since_ms),
        "recovery_codes": message.recovery_codes,
    }
