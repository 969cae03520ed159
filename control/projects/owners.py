"""Mails to the owners of a team, whom auth knows: a hook was switched off, a domain fails, a limit is near."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from proto.auth.v1.mail_pb2 import SendMailRequest
from proto.auth.v1.mail_pb2_grpc import MailStub

log = logging.getLogger(__name__)
TELL_WITHIN: Final = timedelta(days=1)  # what can't be sent for a day is not worth sending


class Owners:
    """Hands mails for them to auth, which takes them into its outbox.

    Args:
        auth: the channel to it; SendMail may be repeated, because its id names the mail.
    """

    def __init__(self, auth: RpcClient) -> None:
        self._mail = auth.stub(MailStub)

    async def tell(self, mail_id: str, team_id: str, subject: str, text: str, *, since: datetime) -> bool:
        """Hands over one mail.

        Args:
            mail_id: the same for each attempt; the owners get one.
            since: when there was something to tell.

        Returns:
            Whether nothing is owed any more: auth has it, or it is too late. Else it has to be tried again.
        """
        try:
            await self._mail.SendMail(SendMailRequest(id=mail_id, team_id=team_id, subject=subject, text=text))
        except ShipoffError as error:
            late = datetime.now(UTC) - since > TELL_WITHIN
            log.warning("the owners of %s %s: %s", team_id, "are not told" if late else "are told later", error)
            return late
        return True
