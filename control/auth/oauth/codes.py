"""Codes that a browser carries from a sign-in to who began it: the dashboard, a page of ours, or the CLI.

A code passes through addresses, histories and a loopback port, so alone it is worth nothing: who exchanges it must know
the verifier whose hash was named at the beginning, as in PKCE (RFC 7636). It works once, right or wrong.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from control.auth.oauth.provider import Person, unpadded
from control.auth.one_time import secret as secrets
from kernel.database import Database, load_queries
from kernel.errors import define

CODE_INVALID = define(
    "CODE_INVALID", source="client", status=400, hint="it works once, for a minute, and for who began: begin again"
)
CODE_CHALLENGE_INVALID = define(
    "CODE_CHALLENGE_INVALID", source="client", status=422, hint="it is the unpadded base64url of the verifier's SHA-256"
)
SQL: Final = load_queries("control.auth.oauth")
LIFE_S: Final = 60.0
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, section 4.1


class Purpose(StrEnum):
    """What a code is good for."""

    SIGN_IN = "sign_in"
    LINK = "link"
    GRANT = "grant"


@dataclass(frozen=True, slots=True)
class Proven:
    """Whose session calls, and how it was proven.

    Attributes:
        account_id: acc_….
        session_id: ses_….
        amr: RFC 8176.
    """

    account_id: str
    session_id: str
    amr: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a code stood for.

    Attributes:
        purpose: what it is good for.
        provider: id of the provider that proved the person, "" for a grant.
        person: None for a grant.
        account_id: of a grant.
        amr: how the granting session was proven (RFC 8176).
        granted_by: that session; "" for a person.
    """

    purpose: Purpose
    provider: str
    person: Person | None
    account_id: str
    amr: tuple[str, ...]
    granted_by: str = ""


class Codes:
    """Makes codes and takes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_person(self, purpose: Purpose, challenge: str, provider: str, person: Person) -> str:
        """A code for a person whom a provider has proven."""
        return await self._add(purpose, challenge, {"provider": provider, **asdict(person)}, None)

    async def for_account(self, challenge: str, by: Proven) -> str:
        """A code for a session of an account, whose holder said yes.

        Raises:
            ShipoffError: CODE_CHALLENGE_INVALID.
        """
        return await self._add(Purpose.GRANT, check_challenge(challenge), None, by)

    async def take(self, code: str, verifier: str, *purposes: Purpose) -> Taken:
        """Uses a code up, in a transaction of its own: it is gone although the exchange fails.

        Raises:
            ShipoffError: CODE_INVALID, whatever is wrong.
        """
        row = None
        if secrets.is_well_formed(code) and _VERIFIER.fullmatch(verifier):
            row = await self._database.fetchrow(SQL["take_code"], secrets.digest(code))
        if row is None or row["purpose"] not in purposes or not _fits(verifier, row["challenge"]):
            raise CODE_INVALID("the code is not valid, or not any more")
        told: Mapping[str, Any] = row["person"] or {}
        person = Person(**{name: told[name] for name in Person.__slots__}) if told else None
        return Taken(
            Purpose(row["purpose"]),
            told.get("provider", ""),
            person,
            row["account_id"] or "",
            tuple(row["amr"]),
            row["granted_by"] or "",
        )

    async def _add(
        self,
        purpose: Purpose,
        challenge: str,
        person: Mapping[str, Any] | None,
        by: Proven | None,
    ) -> str:
        code = secrets.make()
        whose = (None, [], LIFE_S, "") if by is None else (by.account_id, list(by.amr), LIFE_S, by.session_id)
        await self._database.execute(SQL["add_code"], secrets.digest(code), purpose, challenge, person, *whose)
        return code


def check_challenge(challenge: str) -> str:
    """The challenge as it came, when it can be one.

    Raises:
        ShipoffError: CODE_CHALLENGE_INVALID.
    """
    if not _CHALLENGE.fullmatch(challenge):
        raise CODE_CHALLENGE_INVALID("the challenge is malformed")
    return challenge


def _fits(verifier: str, challenge: str) -> bool:
    return hmac.compare_digest(unpadded(hashlib.sha256(verifier.encode()).digest()), challenge)
