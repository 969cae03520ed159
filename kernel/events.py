"""Every event on every stream: one schema file, versioned, JSON on the wire (design, section 6).

An event is a frozen dataclass of plain values. `Envelope` carries it: `encode` makes the bytes of the stream entry's
single field `e`, `decode` reads and checks them. Unknown fields are ignored (a newer producer), missing or ill-typed
ones are refused (`EVENT_MALFORMED`). Long because every event of the platform is defined here, once.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, asdict, dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, Final, Literal, TypeVar, get_type_hints

import orjson

from kernel import ids
from kernel.errors import define

EVENT_MALFORMED = define("EVENT_MALFORMED", hint="the producer and the consumer of this stream disagree")

Stream = Literal["deployments", "lifecycle", "routes", "activity", "audit"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events: which stream, which type, which version of its fields."""

    STREAM: ClassVar[Stream]
    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1


E = TypeVar("E", bound=Event)
REGISTRY: Final[dict[str, type[Event]]] = {}


def event(cls: type[E]) -> type[E]:
    """Registers an event type under its TYPE; a type declared twice fails at import."""
    if cls.TYPE in REGISTRY:
        raise ValueError(f"event type {cls.TYPE} is declared twice")
    REGISTRY[cls.TYPE] = cls
    return cls


# --- deployments: what somebody wants ---------------------------------------------------------------------------------


@event
@dataclass(frozen=True, slots=True)
class DeploymentRequested(Event):
    """A deployment row was written. Key: project/environment.

    Attributes:
        owner: the tenant: whose queue it waits in.
        kind: of kernel/deployments.py.
        release_id: the release to roll back to or to promote; "" for the other kinds.
        canary: how the release is to be tried on part of the requests (orchestrator/release/canary.py); {} for not.
        ordinal: grows from one deployment of a project to the next; 0 when the producer is older than this field.
        limits: of the tenant's plan, name to number; what is not there has no limit (orchestrator/plan_limits.py).
    """

    STREAM = "deployments"
    TYPE = "deployment.requested"
    deployment_id: str
    project_id: str
    environment: str
    owner: str = ""
    kind: str = "build"
    release_id: str = ""
    canary: Json = field(default_factory=dict)
    ordinal: int = 0
    limits: Json = field(default_factory=dict)


@event
@dataclass(frozen=True, slots=True)
class DeploymentCanceled(Event):
    """Somebody asked to stop a deployment that is not finished. Key: project/environment."""

    STREAM = "deployments"
    TYPE = "deployment.canceled"
    deployment_id: str
    project_id: str
    environment: str


@event
@dataclass(frozen=True, slots=True)
class EnvironmentDeleted(Event):
    """What the environment runs and serves is to go. Key: project/environment."""

    STREAM = "deployments"
    TYPE = "environment.deleted"
    project_id: str
    environment: str


@event
@dataclass(frozen=True, slots=True)
class ProjectDeleted(Event):
    """Everything that the project runs and serves is to go. Key: project."""

    STREAM = "deployments"
    TYPE = "project.deleted"
    project_id: str


@event
@dataclass(frozen=True, slots=True)
class DomainsChanged(Event):
    """The hosts of an environment beside the platform's own, all of them. Key: project/environment.

    Attributes:
        ordinal: grows from one list to the next of all environments; a later list wins, whatever comes when.
        hosts: {"host": "www.example.org" | "*.example.org", "location": "" | "https://example.org", "status": 308};
            one with a location is a redirect there, path and query kept.
    """

    STREAM = "deployments"
    TYPE = "domains.changed"
    project_id: str
    environment: str
    ordinal: int
    hosts: list[Json]


@event
@dataclass(frozen=True, slots=True)
class ProjectTransferred(Event):
    """Another team owns the project from here on. Key: project."""

    STREAM = "deployments"
    TYPE = "project.transferred"
    project_id: str
    team_id: str


# --- lifecycle: what happened -----------------------------------------------------------------------------------------


@event
@dataclass(frozen=True, slots=True)
class DeploymentStateChanged(Event):
    """A deployment moved. Key: project/environment, so the moves of one environment stay in order."""

    STREAM = "lifecycle"
    TYPE = "deployment.state_changed"
    deployment_id: str
    project_id: str
    environment: str
    state: str
    stage: str = ""
    reason: str = ""
    hint: str = ""
    detail: str = ""
    exit_status: int = 0
    url: str = ""
    release_id: str = ""
    timings_ms: dict[str, int] = field(default_factory=dict)


@event
@dataclass(frozen=True, slots=True)
class InstanceStateChanged(Event):
    """An instance started, became ready, drains, stopped or crashed. Key: project/environment."""

    STREAM = "lifecycle"
    TYPE = "instance.state_changed"
    instance_id: str
    project_id: str
    release_id: str
    state: str
    exit_status: int = 0


@event
@dataclass(frozen=True, slots=True)
class ReleaseLive(Event):
    """A release is served by every live router. Key: project/environment."""

    STREAM = "lifecycle"
    TYPE = "release.live"
    release_id: str
    project_id: str
    environment: str
    url: str


# --- routes: the router's table (design, section 7). `version` is the table's version after this change ---------------


@event
@dataclass(frozen=True, slots=True)
class RoutePut(Event):
    """A route record was added or replaced. `record` is validated by router/core/records.py."""

    STREAM = "routes"
    TYPE = "route.put"
    epoch: str
    version: int
    record: Json


@event
@dataclass(frozen=True, slots=True)
class RouteDelete(Event):
    """The route of a host and path prefix is gone."""

    STREAM = "routes"
    TYPE = "route.delete"
    epoch: str
    version: int
    host: str
    path: str = "/"


@event
@dataclass(frozen=True, slots=True)
class EndpointsPut(Event):
    """The endpoints of a release were added or replaced."""

    STREAM = "routes"
    TYPE = "endpoints.put"
    epoch: str
    version: int
    record: Json


@event
@dataclass(frozen=True, slots=True)
class EndpointsDelete(Event):
    """A release has no endpoints any more and is forgotten."""

    STREAM = "routes"
    TYPE = "endpoints.delete"
    epoch: str
    version: int
    release: str


@event
@dataclass(frozen=True, slots=True)
class TableEpoch(Event):
    """The snapshot in Redis was written anew from the database: every router reads it again."""

    STREAM = "routes"
    TYPE = "table.epoch"
    epoch: str
    version: int


# --- activity: what the routers see -----------------------------------------------------------------------------------


@event
@dataclass(frozen=True, slots=True)
class WakeRequested(Event):
    """A request arrived for a sleeping release. Key: release."""

    STREAM = "activity"
    TYPE = "wake.requested"
    release_id: str
    router_id: str


@event
@dataclass(frozen=True, slots=True)
class ActivityReported(Event):
    """What a router worker did for its releases since its last report, a second ago. Key: the router.

    Attributes:
        window_s: how long ago that was, in seconds.
        releases: `ReleaseActivity.wire` of those with something to say; none when nobody has, which says it lives.
        last: the worker stops.
    """

    STREAM = "activity"
    TYPE = "activity.reported"
    router_id: str
    window_s: float
    releases: list[Json]
    last: bool = False


# --- audit: who changed what ------------------------------------------------------------------------------------------


@event
@dataclass(frozen=True, slots=True)
class AuditRecorded(Event):
    """Somebody changed something that a team owns (kernel/audit.py makes these). Key: team.

    Attributes:
        action: what was done, noun first: "domain.create".
        team_id: whose it is.
        project_id: "" for what belongs to the team as a whole.
        target: what was changed: an id, or a name where that says more.
        actor_kind: of kernel/authority's Kind.
        actor_id: the account, else the credential, else the platform's service.
        actor_name: for people.
        credential_id: ses_… or tok_…, "" for the platform.
        address: the client's, "" when nobody outside asked.
        request_id: joins this with the log lines of the same request.
        before: fields as they were, {} for what was made.
        after: fields as they are, {} for what was deleted.
    """

    STREAM = "audit"
    TYPE = "audit.recorded"
    action: str
    team_id: str
    project_id: str = ""
    target: str = ""
    actor_kind: str = ""
    actor_id: str = ""
    actor_name: str = ""
    credential_id: str = ""
    address: str = ""
    request_id: str = ""
    before: Json = field(default_factory=dict)
    after: Json = field(default_factory=dict)


# --- envelope ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event with what transport and consumers need: identity, order key, time and trace.

    Attributes:
        id: `evt_…`; consumers are idempotent by it.
        key: events with the same key are handled one after the other, in stream order.
        at: when the producer made it, RFC 3339, UTC.
        trace: W3C traceparent of the cause, or "".
        data: the event.
    """

    data: Event
    key: str
    id: str = field(default_factory=lambda: ids.new("evt"))
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    trace: str = ""

    def encode(self) -> bytes:
        """JSON with the fields id, type, version, at, key, trace, data."""
        kind = type(self.data)
        return orjson.dumps(
            {
                "id": self.id,
                "type": kind.TYPE,
                "version": kind.VERSION,
                "at": self.at,
                "key": self.key,
                "trace": self.trace,
                "data": asdict(self.data),
            }
        )


def decode(raw: bytes) -> Envelope:
    """Reads an envelope.

    Raises:
        ShipoffError: EVENT_MALFORMED when it is not JSON, of an unknown type, or lacks or mistypes a field.
    """
    try:
        outer = orjson.loads(raw)
        kind = REGISTRY[outer["type"]]
        data = _checked(kind, outer["data"])
        return Envelope(
            data=data,
            key=str(outer["key"]),
            id=str(outer["id"]),
            at=str(outer["at"]),
            trace=str(outer.get("trace", "")),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise EVENT_MALFORMED(f"cannot read event {raw[:200]!r}: {error!r}") from error


def _checked(kind: type[Event], data: Json) -> Event:
    values: Json = {}
    for name, (expected, required) in _shape(kind.TYPE).items():
        if name not in data:
            if required:
                raise KeyError(name)
            continue
        value = data[name]
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise TypeError(f"{kind.TYPE}.{name} is {type(value).__name__}, not {expected.__name__}")
        values[name] = value
    return kind(**values)


@cache
def _shape(name: str) -> dict[str, tuple[type, bool]]:
    """Field name -> (plain type, required)."""
    kind = REGISTRY[name]
    hints = get_type_hints(kind)
    return {
        f.name: (_plain(hints[f.name]), f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)
    }


def _plain(hint: Any) -> type:
    plain: Any = hint.__origin__ if isinstance(hint, types.GenericAlias) else hint
    return plain  # type: ignore[no-any-return]
