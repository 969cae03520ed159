"""Writes mails into the outbox, in the transaction of the change that they tell of."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from kernel import ids
from kernel.database import load_queries
from kernel.database.pool import Transaction
from kernel.sealing import Sealer

SQL: Final = load_queries("control.auth.mail")


class Template(StrEnum):
    """Every mail there is; `templates/<value>.txt` is its text."""

    VERIFY = "verify"
    REGISTERED_ALREADY = "registered_already"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a template's name
    EMAIL_CONFIRM = "email_confirm"
    EMAIL_CHANGING = "email_changing"
    EMAIL_CHANGED = "email_changed"
    EMAIL_TAKEN = "email_taken"
    LOCKOUT = "lockout"
    SESSION_COPIED = "session_copied"
    TWO_FACTOR_ON = "two_factor_on"
    TWO_FACTOR_OFF = "two_factor_off"
    RECOVERY_CODE_USED = "recovery_code_used"
    ACCOUNT_DELETED = "account_deleted"
    INVITATION = "invitation"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    NOTICE = "notice"


class Mails:
    """The outbox.

    Args:
        sealer: for what a mail is filled with, while it waits.
        public_url: what links begin with.
    """

    def __init__(self, sealer: Sealer, public_url: str) -> None:
        self._sealer, self._public_url = sealer, public_url.rstrip("/")

    async def post(self, tx: Transaction, to: str, template: Template, **values: str) -> None:
        """Writes a mail that goes if, and soon after, the transaction commits.

        Args:
            tx: of the caller's.
            to: one address.
            template: its text; `public_url` and `at` are there for all.
            values: what else it names; never text that somebody else than the recipient chose.
        """
        mail_id = ids.uuid7().hex()
        at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        filled = {"public_url": self._public_url, "at": at, **values}
        await tx.execute(SQL["post"], mail_id, to, template, self._sealer.seal(filled, place(mail_id)))

    def link(self, path: str, token: str) -> str:
        """A link to a page of ours that uses a token up when the person there says so."""
        return f"{self._public_url}{path}?{urlencode({'token': token})}"


def place(mail_id: str) -> str:
    """What a sealed mail is bound to."""
    return f"mail/{mail_id}"
