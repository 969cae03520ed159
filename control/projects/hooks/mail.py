"""One attempt to deliver by mail: auth, which knows the people, takes it into its outbox."""

from __future__ import annotations

import time

from control.projects.hooks.send import Outcome
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from proto.auth.v1.mail_pb2 import SendMailRequest
from proto.auth.v1.mail_pb2_grpc import MailStub


class MailSender:
    """Hands mails to auth.

    Args:
        auth: the channel to it; SendMail may be repeated, because its id names the mail.
    """

    def __init__(self, auth: RpcClient) -> None:
        self._mail = auth.stub(MailStub)

    async def send(self, mail_id: str, team_id: str, to: str, subject: str, text: str) -> Outcome:
        """Hands over one mail.

        Args:
            mail_id: the same for each attempt.
            to: a member's address.
        """
        began = time.monotonic()
        request = SendMailRequest(id=mail_id, team_id=team_id, to=to, subject=subject, text=text)
        error = ""
        try:
            await self._mail.SendMail(request)
        except ShipoffError as refused:
            error = f"{refused.code}: {refused.detail}"
        return Outcome(error=error, duration_ms=round((time.monotonic() - began) * 1000))
