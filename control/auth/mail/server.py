"""The gRPC face of the outbox (proto/auth/v1/mail.proto): mails that other services want sent to members of a team.

A member's address is all that can be named, so nobody can have us write to strangers. What the mail says comes from
another service, and tells of what members of the same team did.
"""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any, Final

from control.auth.mail.service import SQL, Mails, Template
from kernel.authority import require_platform
from kernel.database import Database
from kernel.errors import define
from kernel.streams import first_time
from proto.auth.v1.mail_pb2 import SendMailRequest, SendMailResponse
from proto.auth.v1.mail_pb2_grpc import MailServicer

MAIL_RECIPIENT_UNKNOWN = define(
    "MAIL_RECIPIENT_UNKNOWN",
    source="client",
    status=422,
    hint="name the verified address of a member of the team, or invite them first",
)
SUBJECT_LENGTH: Final = 150  # characters
TEXT_LENGTH: Final = 20_000


class MailServer(MailServicer):
    """Answers the calls of mail.proto."""

    def __init__(self, database: Database, mails: Mails) -> None:
        self._database, self._mails = database, mails

    async def SendMail(self, request: SendMailRequest, context: Any) -> SendMailResponse:
        """Into the outbox, once for each id."""
        require_platform()
        rows = await self._database.fetch(SQL["recipients"], request.team_id, request.to)
        if request.to and not rows:
            raise MAIL_RECIPIENT_UNKNOWN(f"{request.to[:200]!r} is no verified address of a member of the team")
        subject = " ".join(request.subject.split())[:SUBJECT_LENGTH]
        async with self._database.transaction() as tx:
            if await first_time(tx, f"mail/{request.id}"):
                for row in rows:
                    await self._mails.post(
                        tx, row["email"], Template.NOTICE, subject=subject, text=request.text[:TEXT_LENGTH]
                    )
        return SendMailResponse()
