"""A browser's way to a provider and back.

What comes back is believed only from the browser that was sent (its cookie), for the provider that it was sent to, once
and within ten minutes: another's answer can't be slipped to a victim (RFC 6749, section 10.12; RFC 9700, section 4).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from control.auth.oauth import redirects
from control.auth.oauth.codes import SQL, Codes, Purpose, check_challenge
from control.auth.oauth.provider import PROVIDER_UNAVAILABLE, Answer, Person, Provider, Secrets
from control.auth.oauth.settings import OAuthSettings
from control.auth.one_time import secret as secrets
from kernel.database import Database
from kernel.database.pool import Row
from kernel.errors import ShipoffError, define

log = logging.getLogger(__name__)

PROVIDER_UNKNOWN = define("PROVIDER_UNKNOWN", source="client", status=404, hint="GET /v1/auth/providers lists them")
STATE_INVALID = define(
    "STATE_INVALID", source="client", status=400, hint="begin the sign-in again, in one browser and within ten minutes"
)
SIGN_IN_DENIED = define("SIGN_IN_DENIED", source="client", status=403, hint="begin again, and say yes there")
LIFE_S: Final = 600.0
ASKED_S: Final = 18.0  # for all that a provider is asked in one sign-in; a person waits
CODE_LENGTH: Final = 4096  # characters; providers choose their length (RFC 6749, section 4.1.2)


@dataclass(frozen=True, slots=True)
class Started:
    """A sign-in that has begun.

    Attributes:
        url: where the browser goes.
        state: that comes back in the address.
        browser: that the browser keeps in a cookie.
    """

    url: str = field(repr=False)
    state: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Returned:
    """What a browser came back with.

    Attributes:
        state, code, issuer, error: of the address, each "" when absent.
        browser: of its cookie.
    """

    state: str = field(repr=False)
    browser: str = field(repr=False)
    code: str = field(default="", repr=False)
    issuer: str = ""
    error: str = ""


class Flow:
    """Sends browsers and takes them back.

    Args:
        database: of auth.
        settings: the operator's.
        providers: by id.
    """

    def __init__(self, database: Database, settings: OAuthSettings, providers: Mapping[str, Provider]) -> None:
        self._database, self._settings, self._providers = database, settings, providers
        self._codes = Codes(database)

    async def start(self, provider: str, redirect: str, challenge: str, purpose: Purpose) -> Started:
        """Begins.

        Args:
            provider: id.
            redirect: where the browser goes in the end (redirects.py).
            challenge: S256 of the verifier that the exchange of the code will show.
            purpose: SIGN_IN or LINK.

        Raises:
            ShipoffError: PROVIDER_UNKNOWN, REDIRECT_INVALID, CODE_CHALLENGE_INVALID, PROVIDER_UNAVAILABLE,
                PROVIDER_ANSWER_INVALID.
        """
        found = self._provider(provider)
        redirects.check(redirect, self._settings.dashboard_origin)
        check_challenge(challenge)
        state, browser = secrets.make(), secrets.make()
        url = await found.address(self._callback(provider), state, Secrets(browser))
        kept = secrets.digest(state), secrets.digest(browser)
        await self._database.execute(SQL["start_flow"], *kept, provider, purpose, redirect, challenge, LIFE_S)
        return Started(url, state, browser)

    async def finish(self, provider: str, returned: Returned) -> str:
        """Takes a browser back; the state is used up, whatever comes of it.

        Returns:
            Where the browser goes: the redirect with `code`, or with `error` and `error_description`.

        Raises:
            ShipoffError: STATE_INVALID, when it is not known where the browser should go.
        """
        row = await self._taken(provider, returned)
        try:
            code = await self._code(provider, returned, row)
        except ShipoffError as error:
            log.warning("a sign-in by %s failed: %s", provider, error)
            return redirects.with_result(row["redirect"], error=error.code, error_description=error.detail)
        return redirects.with_result(row["redirect"], code=code)

    async def _taken(self, provider: str, returned: Returned) -> Row:
        row = None
        if secrets.is_well_formed(returned.state):
            row = await self._database.fetchrow(SQL["take_flow"], secrets.digest(returned.state))
        if row is None or not hmac.compare_digest(row["browser_hash"], secrets.digest(returned.browser)):
            raise STATE_INVALID("this browser did not begin this sign-in, or it is over")
        if row["provider"] != provider or provider not in self._providers:
            raise STATE_INVALID("the sign-in was begun with another provider")
        return row

    async def _code(self, provider: str, returned: Returned, row: Row) -> str:
        if returned.error or not 0 < len(returned.code) <= CODE_LENGTH:
            raise SIGN_IN_DENIED("the sign-in was refused at the provider")
        answer = Answer(returned.code, returned.issuer, self._callback(provider), Secrets(returned.browser))
        person = await _asked(self._providers[provider], answer)
        return await self._codes.for_person(Purpose(row["purpose"]), row["challenge"], provider, person)

    def _provider(self, provider: str) -> Provider:
        if provider not in self._providers:
            raise PROVIDER_UNKNOWN("there is no such provider of sign-ins")
        return self._providers[provider]

    def _callback(self, provider: str) -> str:
        return f"{self._settings.public_url.rstrip('/')}/v1/auth/oauth/{quote(provider, safe='')}/callback"


async def _asked(provider: Provider, answer: Answer) -> Person:
    try:
        async with asyncio.timeout(ASKED_S):
            return await provider.person(answer)
    except TimeoutError as error:
        raise PROVIDER_UNAVAILABLE("the provider took too long") from error
