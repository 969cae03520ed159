"""Signing in with a code: of a provider, or of somebody who said yes to a program."""

from __future__ import annotations

from typing import Final

from control.auth.caller import Client, signed_in
from control.auth.oauth.codes import SQL, Codes, Proven, Purpose
from control.auth.oauth.identities import Identities
from control.auth.sessions.login import Challenge, Login
from control.auth.sessions.proof import require_recent
from control.auth.sessions.service import SESSION_NOT_FOUND, Opened, Sessions
from kernel.database import Database

FEDERATED: Final = ("fed",)  # RFC 8176 has no value for "somebody else asked them"


class SignIn:
    """Lets people in by codes, and gives codes to those who are in.

    Args:
        database: of auth.
        identities: say whose account a person has.
        login: asks for the second factor, as after a password.
        sessions: opens those of programs.
    """

    def __init__(self, database: Database, identities: Identities, login: Login, sessions: Sessions) -> None:
        self._database, self._identities, self._login, self._sessions = database, identities, login, sessions
        self._codes = Codes(database)

    async def exchange(self, code: str, verifier: str, client: Client) -> Opened | Challenge:
        """A session for a code.

        Raises:
            ShipoffError: CODE_INVALID; as Identities.account_of for who is new.
        """
        taken = await self._codes.take(code, verifier, Purpose.SIGN_IN, Purpose.GRANT)
        if taken.purpose is Purpose.GRANT:
            async with self._database.transaction() as tx:
                return await self._sessions.open(tx, taken.account_id, client, taken.amr, taken.granted_by)
        account_id = await self._identities.account_of(taken, client)
        return await self._login.finish(account_id, FEDERATED, client)

    async def grant(self, challenge: str) -> str:
        """A code for a program, by the session of whoever calls; it is good for the one that knows the verifier.

        Raises:
            ShipoffError: SESSION_REQUIRED, CODE_CHALLENGE_INVALID.
        """
        return await self._codes.for_account(challenge, await self.proven())

    async def proven(self) -> Proven:
        """Whose session calls, and how it was proven.

        Raises:
            ShipoffError: SESSION_REQUIRED, SESSION_NOT_FOUND when it has ended.
        """
        who = signed_in()
        amr = await self._database.fetchval(SQL["amr_of"], who.credential_id, who.account_id)
        if amr is None:
            raise SESSION_NOT_FOUND("the session has ended")
        return Proven(who.account_id, who.credential_id, tuple(amr))

    async def link(self, code: str, verifier: str, client: Client) -> None:
        """Links a person to the account of whoever calls; the code came to the page that they began on.

        Raises:
            ShipoffError: SESSION_REQUIRED, PROOF_TOO_OLD, CODE_INVALID, IDENTITY_TAKEN.
        """
        by = await self.proven()
        await require_recent(self._database)
        taken = await self._codes.take(code, verifier, Purpose.LINK)
        await self._identities.link(by.account_id, taken, client)
