"""What a hook may be: its kind, its target, and which events it hears. Pure; refuses, never repairs."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kernel.errors import define
from kernel.net_url import PORTS, check_url

HOOK_INVALID = define("HOOK_INVALID", source="client", status=422, hint="correct what is named; docs/notifications.md")
NAME_LENGTH: Final = 80
EVERYTHING: Final = 32  # environments that one hook may name


class HookKind(StrEnum):
    """How it is told."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"


# What a hook may ask for; `ping` comes only when somebody asks for a test.
EVENTS: Final = (
    "deployment.queued",
    "deployment.building",
    "deployment.live",
    "deployment.failed",
    "deployment.canceled",
    "deployment.superseded",
    "preview.created",
    "preview.deleted",
    "domain.verified",
    "domain.failing",
    "domain.expired",
    "limit.warned",
    "limit.reached",
)
PING: Final = "ping"
_ENVIRONMENT: Final = re.compile(r"production|preview|preview/.{1,200}")
_MAIL: Final = re.compile(r"[^@\s\x00-\x20\x7f<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,250}")


@dataclass(frozen=True, slots=True)
class TargetRules:
    """What whoever runs the platform allows of URLs.

    Attributes:
        insecure: http too.
        ports: that a URL may name.
    """

    insecure: bool = False
    ports: Collection[int] = PORTS


def ports_of(text: str) -> Collection[int]:
    """The ports that a setting names: numbers between blanks, or `any`.

    Raises:
        ValueError: something else stands there.
    """
    return range(1, 65536) if text.strip() == "any" else frozenset(int(word) for word in text.split())


def check_name(name: str) -> str:
    """Refuses names that a list can't show.

    Raises:
        ShipoffError: HOOK_INVALID.
    """
    if len(name) > NAME_LENGTH or not name.isprintable():
        raise HOOK_INVALID(f"a name has at most {NAME_LENGTH} characters, all of them printable")
    return name


def check_kind(kind: str) -> HookKind:
    """Reads a kind.

    Raises:
        ShipoffError: HOOK_INVALID.
    """
    try:
        return HookKind(kind)
    except ValueError:
        raise HOOK_INVALID(f"{kind[:40]!r} is no kind of hook: {', '.join(HookKind)}") from None


def check_target(kind: HookKind, target: str, allowed: TargetRules) -> tuple[str, str]:
    """Reads where a hook goes.

    Returns:
        The target in its one form, and its host, which may be shown: a webhook's path is as good as a password.

    Raises:
        ShipoffError: HOOK_INVALID, URL_INVALID.
    """
    if kind is HookKind.EMAIL:
        if not _MAIL.fullmatch(target):
            raise HOOK_INVALID("the target of an e-mail hook is one address")
        return target, target.rpartition("@")[2].lower()
    url = check_url(target, insecure=allowed.insecure, ports=allowed.ports)
    return url.url, url.host


def check_filters(events: Sequence[str], environments: Sequence[str]) -> None:
    """Refuses filters that could never match.

    Raises:
        ShipoffError: HOOK_INVALID.
    """
    if unknown := sorted(set(events) - set(EVENTS)):
        raise HOOK_INVALID(f"{unknown[0][:60]!r} is no event: {', '.join(EVENTS)}")
    if len(environments) > EVERYTHING:
        raise HOOK_INVALID(f"a hook names at most {EVERYTHING} environments")
    for environment in environments:
        if not _ENVIRONMENT.fullmatch(environment):
            raise HOOK_INVALID(f"{environment[:60]!r} is no environment: production, preview, or preview/BRANCH")
