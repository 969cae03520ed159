"""`shipoff login` and `shipoff logout`."""

from __future__ import annotations

import platform
import sys
from typing import Annotated

import typer

from stack.cli.client import browser_login, credentials, device_login, session, wire
from stack.cli.client.api import Api
from stack.cli.client.credentials import Credentials
from stack.cli.client.failures import Exit, Failure, reported


@reported
def login(
    url: Annotated[str, typer.Option(help="The platform's address.")] = "",
    token: Annotated[bool, typer.Option("--token", help="Ask for an API token instead of signing in.")] = False,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read an API token from stdin.")] = False,
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--no-browser", help="Sign in with this computer's browser, or by a code typed elsewhere."
        ),
    ] = None,
) -> None:
    """Signs in to a platform with the browser, or keeps an API token for it (--token, --token-stdin, SHIPOFF_TOKEN).

    Exit statuses of all developer commands: 0 done, 1 the deployment failed, 2 wrong use, 3 not logged in or refused,
    4 not found, 5 the platform does not answer.
    """
    where = (url or credentials.known_url()).rstrip("/")
    given = _given(token=token, from_stdin=token_stdin)
    who = Credentials(where, given) if given else _signed_in(where, browser)
    me = Api(who).get("me")
    with credentials.locked():
        kept = credentials.save(who)
    print(f"logged in to {where} as {me['email']} (kept in {kept})")


@reported
def logout() -> None:
    """Ends the session here, and forgets the token."""
    who = credentials.stored_for(credentials.known_url())
    if who is None:
        print("nobody was logged in")
        return
    left = _end(who) if who.refresh_token else None
    with credentials.locked():
        credentials.forget()
    if left is not None:
        hint = "it ends by itself when it is not used"
        raise Failure("SESSION_LEFT", f"the session is forgotten here, but not ended: {left.detail}", hint, left.status)
    print(f"logged out of {who.url}")


def _end(who: Credentials) -> Failure | None:
    """Ends a session; what kept us from it, unless it had ended before."""
    try:
        wire.call(who.url, "POST", "auth/logout", token=session.fresh(who).token)
    except Failure as failure:
        return None if failure.status is Exit.AUTH else failure
    return None


def _given(*, token: bool, from_stdin: bool) -> str:
    """An API token, "" to sign in instead."""
    if from_stdin:
        found = sys.stdin.readline().strip()
    elif token:
        found = typer.prompt("API token", hide_input=True).strip()
    else:
        return credentials.environment_token()
    if not found:
        raise Failure("TOKEN_MISSING", "no token was given", "give it on stdin with --token-stdin", Exit.USAGE)
    return found


def _signed_in(url: str, browser: bool | None) -> Credentials:
    if browser is None and not sys.stdin.isatty():
        hint = "give a token with --token-stdin, or say how to sign in: --browser, --no-browser"
        raise Failure("TOKEN_MISSING", "there is nobody here to sign in", hint, Exit.USAGE)
    name = f"shipoff on {platform.node() or 'a computer'}"[:100]
    here = browser_login.can_open() if browser is None else browser
    tokens = browser_login.sign_in(url, name) if here else device_login.sign_in(url, name)
    return session.of_tokens(url, tokens)
