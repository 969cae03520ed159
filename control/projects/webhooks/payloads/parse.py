"""A delivery's body as events, by the provider that sent it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import orjson

from control.projects.webhooks.events import Event
from control.projects.webhooks.payloads import bitbucket, gitea, github, gitlab
from control.projects.webhooks.payloads import generic as own
from control.projects.webhooks.payloads.fields import PAYLOAD_INVALID, Json

_PARSERS: Final[dict[str, Callable[[str, Json], tuple[Event, ...]]]] = {
    "github": github.parse,
    "gitlab": gitlab.parse,
    "gitea": gitea.parse,
    "bitbucket": bitbucket.parse,
    "generic": own.parse,
}


def parse(provider: str, event: str, body: bytes) -> tuple[Event, ...]:
    """What a delivery says.

    Args:
        provider: of the address that it came to.
        event: as the provider's header has it.
        body: raw.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PAYLOAD_INVALID(f"the body is not JSON: {str(error)[:200]}") from None
    if not isinstance(payload, dict):
        raise PAYLOAD_INVALID("the body is no JSON object")
    return _PARSERS[provider](event, payload)
