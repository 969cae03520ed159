"""Which addresses and names are taken. Pure; no DNS is asked, the mail itself is the proof."""

from __future__ import annotations

from typing import Final

from control.auth.accounts.service import EMAIL_INVALID
from kernel.errors import define

NAME_INVALID = define("NAME_INVALID", source="client", status=422, hint="use 1 to 100 printable characters")
REGISTRATION_CLOSED = define(
    "REGISTRATION_CLOSED", source="client", status=403, hint="ask whoever runs the platform for an account"
)
NAME_LENGTH: Final = 100


def normal_email(text: str) -> str:
    """An address in its one form (RFC 5321, RFC 6531): the host in lower case, Unicode composed.

    Raises:
        ShipoffError: EMAIL_INVALID.
    """
    from email_validator import EmailNotValidError, validate_email  # imported here: only registrations need it

    try:
        return validate_email(text.strip()[:400], check_deliverability=False, strict=True).normalized
    except EmailNotValidError as error:
        raise EMAIL_INVALID(f"the e-mail address cannot be used: {error}"[:300]) from None


def normal_name(text: str) -> str:
    """A name as it is shown.

    Raises:
        ShipoffError: NAME_INVALID.
    """
    name = " ".join(text.split())
    if not name.isprintable() or not 0 < len(name) <= NAME_LENGTH:
        raise NAME_INVALID("this cannot be a name")
    return name
