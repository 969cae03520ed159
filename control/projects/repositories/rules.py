"""What a repository link must look like. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from kernel.errors import define
from kernel.net_url import PORTS, check_url

LINK_INVALID = define("LINK_INVALID", source="client", status=422)

PROVIDERS: Final = ("github", "gitlab", "gitea", "bitbucket", "git")
PREVIEWS: Final = ("all", "branches", "pull_requests", "none")
PATTERNS_MOST: Final = 50
PATTERN_LENGTH: Final = 200
TOKEN_LENGTH: Final = 4096
_FULL_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_TOKEN: Final = re.compile(r"[!-~]+")


def check_provider(provider: str) -> None:
    """Refuses a provider that there is not.

    Raises:
        ShipoffError: LINK_INVALID.
    """
    if provider not in PROVIDERS:
        raise LINK_INVALID(f"{provider[:40]!r} is no provider: {', '.join(PROVIDERS)}")


def check_previews(previews: str) -> str:
    """Which pushes get previews; "" is all.

    Raises:
        ShipoffError: LINK_INVALID.
    """
    if previews not in ("", *PREVIEWS):
        raise LINK_INVALID(f"{previews[:40]!r} is not one of {', '.join(PREVIEWS)}")
    return previews or "all"


def check_patterns(patterns: Sequence[str]) -> list[str]:
    """Watch paths.

    Raises:
        ShipoffError: LINK_INVALID.
    """
    if len(patterns) > PATTERNS_MOST:
        raise LINK_INVALID(f"a link has at most {PATTERNS_MOST} watch paths")
    for pattern in patterns:
        if not 0 < len(pattern) <= PATTERN_LENGTH or not pattern.isprintable() or ".." in pattern.split("/"):
            raise LINK_INVALID(f"{pattern[:80]!r} is no watch path", hint="write apps/web, **/*.md or !docs")
    return list(patterns)


def check_full_name(full_name: str) -> str:
    """GitHub's owner/name.

    Raises:
        ShipoffError: LINK_INVALID.
    """
    if not _FULL_NAME.fullmatch(full_name) or ".." in full_name:
        raise LINK_INVALID(f"{full_name[:80]!r} is no repository", hint="write owner/name")
    return full_name


def check_clone_url(url: str, *, private: bool) -> str:
    """An address that git can clone from.

    Args:
        private: whether http and any port are fine too (setting `allow_private_sources`).

    Raises:
        ShipoffError: URL_INVALID; what host it may be is decided when it is fetched (kernel/net_guard.py).
    """
    target = check_url(url, insecure=private, ports=range(1, 1 << 16) if private else PORTS)
    if urlsplit(target.url).query:
        raise LINK_INVALID("a clone URL has no query (?…)")
    return target.url.rstrip("/")


def full_name_at(url: str) -> str:
    """The owner/name that a clone URL ends with; a group's subgroups stay in it."""
    return unquote(urlsplit(url).path).strip("/").removesuffix(".git")


def check_token(token: str) -> str:
    """An access token, or user:password.

    Raises:
        ShipoffError: LINK_INVALID, without the token.
    """
    if token and (len(token) > TOKEN_LENGTH or not _TOKEN.fullmatch(token)):
        raise LINK_INVALID("the access token is too long, or has blanks or letters beyond ASCII in it")
    return token


def credential_of(provider: str, token: str) -> tuple[str, str]:
    """User name and password by which a provider takes an access token over HTTPS.

    Returns:
        Both empty when there is no token.
    """
    if not token:
        return "", ""
    user, colon, password = token.partition(":")
    if colon and user and password:
        return user, password
    return {"gitlab": "oauth2", "bitbucket": "x-token-auth"}.get(provider, "git"), token
