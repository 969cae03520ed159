"""What the log service speaks of: a request that a router answered, a batch of them, a question about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Served(NamedTuple):
    """What answered a request; see the message of this name in proto/logsink/v1."""

    project_id: str
    environment: str
    release_id: str
    instance_id: str
    kind: str


class Request(NamedTuple):
    """One request; units and meanings as in RequestColumns of proto/logsink/v1."""

    served: Served
    at_us: int
    id: str
    trace_id: str
    client_ip: str
    method: str
    host: str
    target: str
    status: int
    error: str
    whole: bool
    attempts: int
    received: int
    sent: int
    queue_us: int
    connect_us: int
    first_us: int
    body_us: int

    @property
    def status_class(self) -> int:
        """1 to 5; 0 when there was no answer."""
        return self.status // 100


@dataclass(frozen=True, slots=True)
class RequestBatch:
    """What one AppendRequests brings: stored whole or not at all, and once however often it is sent."""

    producer: str
    sequence: int
    requests: Sequence[Request]
    size: int


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """Which requests, newest first.

    Attributes:
        since_us, until_us: [since, until), unix time.
        classes: status classes as bits (bit n for n00 to n99).
        limit: how many; a few more when several share the time of the last.
        id: only the request with this one; "" for all.
    """

    project_id: str
    since_us: int
    until_us: int
    classes: int
    limit: int
    id: str = ""


class Page(NamedTuple):
    """An answer.

    Attributes:
        next_until_us: where the range was left off; 0 when it was looked through.
    """

    requests: Sequence[Request]
    next_until_us: int
