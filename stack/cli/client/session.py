"""Keeps us signed in: the access token is good for minutes, and the refresh token gives the next pair once.

Several commands may run at a time. One of them refreshes, under a lock, and the others take what it has stored: a
refresh token that is used twice ends the session, because it could have been copied.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from stack.cli.client import credentials, wire
from stack.cli.client.credentials import Credentials
from stack.cli.client.failures import Exit, Failure

EARLY_S: Final = 60.0  # before its end a token is not begun with: what is asked for may take a while
ENDED: Final = "SESSION_ENDED"


def current() -> Credentials:
    """What the user logged in with, good for now.

    Raises:
        Failure: NOT_LOGGED_IN, SESSION_ENDED, PLATFORM_UNREACHABLE.
    """
    return fresh(credentials.load())


def fresh(who: Credentials) -> Credentials:
    """The same if it is good for a while, else renewed.

    Raises:
        Failure: SESSION_ENDED, PLATFORM_UNREACHABLE.
    """
    left = who.expires_at - time.time()
    if not who.refresh_token or left > EARLY_S:
        return who
    try:
        return renew(who)
    except Failure as failure:
        if failure.status is Exit.UNREACHABLE and left > 0:
            return who
        raise


def renew(who: Credentials) -> Credentials:
    """The next pair of tokens, stored; another command's, if one was faster.

    Raises:
        Failure: SESSION_ENDED, PLATFORM_UNREACHABLE.
    """
    with credentials.locked():
        stored = credentials.stored_for(who.url)
        if stored is not None and stored.token != who.token:
            return stored
        if stored is None or not stored.refresh_token:
            raise Failure(ENDED, "the session is over", f"shipoff login --url {who.url}", Exit.AUTH)
        renewed = of_tokens(who.url, _refreshed(stored))
        credentials.save(renewed)
        return renewed


def of_tokens(url: str, tokens: Mapping[str, Any]) -> Credentials:
    """Credentials of what the platform answers to a sign-in."""
    made = Credentials(url, str(tokens["access_token"]), str(tokens["refresh_token"]))
    return replace(made, expires_at=time.time() + float(tokens["expires_in"]))


def _refreshed(stored: Credentials) -> Any:
    body = {"refresh_token": stored.refresh_token}
    try:
        return _asked(stored.url, body)
    except Failure as failure:
        if failure.status is Exit.UNREACHABLE:
            return _asked(stored.url, body)  # if only the answer was lost, the platform gives it again at once
        raise


def _asked(url: str, body: object) -> Any:
    try:
        return wire.call(url, "POST", "auth/refresh", body=body)
    except Failure as failure:
        if failure.status is Exit.AUTH:
            raise Failure(ENDED, failure.detail, f"shipoff login --url {url}", Exit.AUTH) from failure
        raise
