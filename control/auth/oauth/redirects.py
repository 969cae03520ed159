"""Where a browser may go after a sign-in: a page of the gateway's, or the dashboard. Pure; refuses, never repairs.

A program on the user's machine (RFC 8252) is no such place. It gets its code from the page `/login/cli`, where the user
says yes: what listens on a port of a machine could be anybody's, and a link could send people there who are signed in
at their provider already (section 8.6).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode, urlsplit

from kernel.errors import define

REDIRECT_INVALID = define(
    "REDIRECT_INVALID", source="client", status=422, hint="name a page of the dashboard, or /login/return"
)
PAGES: Final = frozenset({"/login/return"})
LENGTH: Final = 1024  # characters
_TEXT: Final = re.compile(r"[!-\[\]-~]+")  # printable ASCII without blanks and backslashes


def check(redirect: str, dashboard_origin: str) -> str:
    """The redirect as it came, when browsers may be sent there.

    Args:
        redirect: what was asked for.
        dashboard_origin: scheme, host and port; "" for none.

    Raises:
        ShipoffError: REDIRECT_INVALID.
    """
    if redirect in PAGES or _is_within(redirect, dashboard_origin):
        return redirect
    raise REDIRECT_INVALID("after a sign-in browsers are not sent there")


def _is_within(redirect: str, dashboard_origin: str) -> bool:
    if not dashboard_origin or len(redirect) > LENGTH or not _TEXT.fullmatch(redirect) or "#" in redirect:
        return False
    try:
        wanted, own = urlsplit(redirect), urlsplit(dashboard_origin)
    except ValueError:
        return False
    # The text before the path is compared as it stands: no user name, port or letter case is read into it.
    return redirect.startswith(f"{own.scheme}://{own.netloc}/") and (wanted.scheme, wanted.netloc) == own[:2]


def with_result(redirect: str, **result: str) -> str:
    """The address with what came of the sign-in."""
    return redirect + ("&" if "?" in redirect else "?") + urlencode(result)
