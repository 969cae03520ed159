"""Where mails go: to an SMTP server, or as readable files into a folder."""

from __future__ import annotations

import asyncio
import os
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from kernel.errors import define
from kernel.settings import SETTINGS_INVALID

MAIL_NOT_SENT = define("MAIL_NOT_SENT", status=503, retryable=True, hint="it is tried again; is the server reachable?")
MAIL_REFUSED = define("MAIL_REFUSED", status=502, hint="the mail server does not take this recipient")
STEP_S: Final = 10.0  # of the conversation with the server
WHOLE_S: Final = 25.0  # all of it
KEPT: Final = 1000  # files in the folder; the oldest go


class Transport(Protocol):
    """Takes a message to its recipient, or to who takes it there."""

    async def deliver(self, message: EmailMessage) -> None:
        """Raises MAIL_NOT_SENT when it may go later, MAIL_REFUSED when it never will."""


class SmtpTransport:
    """An SMTP server (RFC 5321): a connection a mail, because there are few.

    Args:
        url: `smtps://user:password@host:port` (TLS at once), or `smtp://…`, where TLS is begun when the server offers
            it, and insisted on with `?starttls=1`.

    Raises:
        ShipoffError: SETTINGS_INVALID.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise SETTINGS_INVALID("SMTP_URL is not smtp://host:port or smtps://host:port")
        self._host = parts.hostname
        self._tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 25)
        insists = parse_qs(parts.query).get("starttls") == ["1"]
        self._start_tls = False if self._tls else True if insists else None
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None

    async def deliver(self, message: EmailMessage) -> None:
        """Sends it; a recipient that is refused for good (5xx, RFC 5321 section 4.2.1) is not tried again."""
        import aiosmtplib  # imported here: a process that sends no mail need not have it

        try:
            async with asyncio.timeout(WHOLE_S):
                await aiosmtplib.send(
                    message,
                    hostname=self._host,
                    port=self._port,
                    username=self._username,
                    password=self._password,
                    use_tls=self._tls,
                    start_tls=self._start_tls,
                    timeout=STEP_S,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            kind = MAIL_REFUSED if all(500 <= code < 600 for code in codes) else MAIL_NOT_SENT
            raise kind(f"the mail server refuses the recipient: {codes}") from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # Its text may have the recipient in it, or what the message says: the kind must do.
            code = getattr(error, "code", "")
            raise MAIL_NOT_SENT(f"the mail server did not take it: {type(error).__name__} {code}".strip()) from error


class FolderTransport:
    """A folder in which each mail lies as an `.eml` file, readable by the platform's user alone: it opens accounts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, message: EmailMessage) -> None:
        """Writes it whole or not at all; raises MAIL_NOT_SENT when the disk refuses."""
        try:
            await asyncio.to_thread(self._write, message)
        except OSError as error:
            raise MAIL_NOT_SENT(f"cannot write to the folder of mails: {error.strerror}") from error

    def _write(self, message: EmailMessage) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f"-{time.time_ns() % 10**9:09d}"
        partial = self._folder / f".{name}.partial"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(message.as_bytes(policy=SMTP.clone(linesep="\n")))
        partial.rename(self._folder / f"{name}.eml")
        for old in sorted(self._folder.glob("*.eml"))[:-KEPT]:
            old.unlink(missing_ok=True)
