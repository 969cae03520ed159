"""Signing in without a browser on this machine (RFC 8628): a code that is typed elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Final

from stack.cli.client import wire
from stack.cli.client.failures import Exit, Failure

SLOWER_S: Final = 5.0  # section 3.5
AWAY_S: Final = 60.0  # for which a platform that does not answer is asked on


def sign_in(url: str, name: str) -> Any:
    """Shows a code and waits until somebody has typed it and said yes.

    Args:
        url: of the platform.
        name: what the page calls us.

    Returns:
        The tokens of the new session.

    Raises:
        Failure: LOGIN_REFUSED, LOGIN_TIMED_OUT, PLATFORM_UNREACHABLE.
    """
    began = wire.call(url, "POST", "auth/device", body={"name": name})
    print(f"open {began['verification_uri']} and type\n\n    {began['user_code']}\n", file=sys.stderr, flush=True)
    interval, end = float(began["interval"]), time.monotonic() + float(began["expires_in"])
    answered = time.monotonic()
    while time.monotonic() < end:
        time.sleep(interval)
        try:
            return wire.call(url, "POST", "auth/device/token", body={"device_code": began["device_code"]})
        except Failure as failure:
            match failure.code:
                case "AUTHORIZATION_PENDING":
                    pass
                case "SLOW_DOWN" | "TOO_MANY_REQUESTS":
                    interval += SLOWER_S
                case "ACCESS_DENIED":
                    raise Failure("LOGIN_REFUSED", "the sign-in was refused", "", Exit.AUTH) from failure
                case "EXPIRED_TOKEN":
                    break
                case _ if failure.status is Exit.UNREACHABLE and time.monotonic() - answered < AWAY_S:
                    continue
                case _:
                    raise
            answered = time.monotonic()
    raise Failure("LOGIN_TIMED_OUT", "nobody typed the code in time", "shipoff login --no-browser once more", Exit.AUTH)
