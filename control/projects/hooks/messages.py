"""What a hook says: the body of a webhook, a message for Slack and its like, the text of a mail. Pure.

https://docs.slack.dev/messaging/formatting-message-text says how Slack's text is escaped; Mattermost, Rocket.Chat and
Discord (with /slack behind its URL) take the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

LINE_LENGTH: Final = 300  # characters of somebody else's text (a commit's line, a hint) in a message
_MARKS: Final = {
    "deployment.live": "✅",
    "deployment.failed": "❌",
    "domain.failing": "❌",
    "domain.expired": "❌",
    "domain.verified": "✅",
    "limit.reached": "⛔",
    "limit.warned": "⚠️",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that happened, as it is told.

    Attributes:
        id: the same for each attempt and each repetition.
        type: of hooks/rules.py.
        at: when it happened.
        data: as docs/notifications.md has it.
    """

    id: str
    type: str
    at: datetime
    data: Mapping[str, Any]


def webhook_body(message: Message) -> bytes:
    """The body of a generic webhook (Standard Webhooks, "payload structure")."""
    at = message.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return orjson.dumps({"type": message.type, "timestamp": at, "data": dict(message.data)})


def slack_body(message: Message) -> bytes:
    """The body for an incoming webhook of Slack's: blocks, and a text for notifications."""
    headline, details, url = _said(message)
    mark = _MARKS.get(message.type, "ℹ️")
    text = f"{mark} *{_escaped(headline)}*"
    if url:
        text += f"\n<{_link(url)}>"
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    if details:
        lines = [{"type": "mrkdwn", "text": _escaped(line)} for line in details[:10]]  # Slack's most
        blocks.append({"type": "context", "elements": lines})
    return orjson.dumps({"text": f"{mark} {_escaped(headline)}", "blocks": blocks})


def mail_text(message: Message) -> tuple[str, str]:
    """A mail's subject and text."""
    headline, details, url = _said(message)
    lines = [headline + ".", "", *details]
    if url:
        lines += ["", url]
    lines += ["", "You get this mail because a hook of your team names your address: shipoff hooks list"]
    return headline, "\n".join(lines) + "\n"


def _said(message: Message) -> tuple[str, list[str], str]:
    """A line that says it all, further lines, and where to look."""
    data = message.data
    whose = str(data.get("project", {}).get("name", "") or data.get("team", {}).get("id", ""))
    where = str(data.get("environment", ""))
    family, _, what = message.type.partition(".")
    match family:
        case "deployment":
            return _deployment(whose, where, what, data["deployment"])
        case "preview":
            return f"{whose}: the preview {where.removeprefix('preview/')} was {what}", [], ""
        case "domain":
            name = str(data["domain"]["name"])
            return f"{whose}: the domain {name} {_DOMAIN[what]}", _shown(data["domain"].get("hint", "")), ""
        case "limit":
            limit = data["limit"]
            return f"{whose}: {limit['detail']}", _shown(limit.get("hint", "")), ""
        case _:
            return f"{whose or 'Shipoff'}: a test of this hook", [], ""


_DOMAIN: Final = {"verified": "is verified", "failing": "is failing", "expired": "was taken off"}


def _deployment(whose: str, where: str, what: str, one: Mapping[str, Any]) -> tuple[str, list[str], str]:
    headline = f"{whose} ({where}) is {what}" if what != "failed" else f"{whose} ({where}) failed"
    details = []
    if one.get("reason"):
        details.append(f"{one['reason']} in the stage {one['stage']}" if one.get("stage") else str(one["reason"]))
    details += _shown(one.get("hint", ""))
    if one.get("commit"):
        details += _shown(f"{str(one['commit'])[:12]} {one.get('message', '')}")
    return headline, details, str(one.get("url", "")) if what == "live" else ""


def _shown(text: object) -> list[str]:
    line = " ".join(str(text).split())[:LINE_LENGTH]
    return [line] if line else []


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _link(url: str) -> str:
    return url.replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
