"""Scenarios: TOML files that say what arrives, how often, and what happens underneath.

It refuses what it does not know, with the place in the file, and runs that are longer than an hour.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.load.arrivals import Stage

LIBRARY: Final = Path(__file__).with_name("scenarios")
_LONGEST_S: Final = 3600.0
_SLICES: Final = 300
_Name = Annotated[str, Field(pattern=r"^[\w .:-]{1,40}$")]


class Refused(Exception):
    """The scenario or the target is not one that runs; the text says why."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageSpec(_Part):
    """A stretch of time.

    Attributes:
        rate: arrivals a second at its begin.
        to: at its end; the same without.
    """

    seconds: float = Field(gt=0, le=_LONGEST_S)
    rate: float = Field(gt=0, le=1_000_000)
    to: float | None = Field(None, gt=0, le=1_000_000)

    def stage(self) -> Stage:
        """As the schedule needs it."""
        return Stage(self.seconds, self.rate, self.rate if self.to is None else self.to)


class Request(_Part):
    """One kind of request.

    Attributes:
        weight: its share of the arrivals, relative to the others'.
        kind: `http`; `websocket`: each arrival is a message on one of `sockets` connections, answered by one message;
            `stream`: each arrival opens an event stream, reads `events` events and leaves; its latency is that of
            the first event.
        path: `{n}` in it and in host and headers becomes a number below `variants`.
        host: of the Host header; the target's own without.
        expect: statuses that are good.
        gap_s: a stream that says nothing for so long has failed.
    """

    name: _Name
    weight: float = Field(1, gt=0)
    kind: Literal["http", "websocket", "stream"] = "http"
    method: str = Field("GET", pattern=r"^[A-Z]{1,16}$")
    path: str = Field("/", pattern=r"^/[!-~]*$")
    host: str = Field("", pattern=r"^[!-~]*$")
    headers: dict[Annotated[str, Field(pattern=r"^[\w-]+$")], Annotated[str, Field(pattern=r"^[ -~]*$")]] = {}
    variants: int = Field(512, ge=1, le=100_000)
    body_bytes: int = Field(0, ge=0, le=104_857_600)
    expect: tuple[int, ...] = (200,)
    sockets: int = Field(16, ge=1, le=50_000)
    message_bytes: int = Field(64, ge=1, le=65_535)
    events: int = Field(3, ge=1, le=100_000)
    gap_s: float = Field(10, gt=0, le=600)


class Hook(_Part):
    """A command that runs while the load does: a deploy, a change of scale, a restart.

    Attributes:
        command: argument vector; `{target}` and `{host}` are filled in. Without one it must come by `--hook`.
        at_s: when it starts first.
        every_s: and again after so long; once without.
    """

    name: _Name
    command: tuple[str, ...] = ()
    at_s: float = Field(0, ge=0)
    every_s: float | None = Field(None, ge=1)


class Goal(_Part):
    """What should come out; unmet goals are printed plainly."""

    p50_ms: float | None = Field(None, gt=0)
    p99_ms: float | None = Field(None, gt=0)
    p999_ms: float | None = Field(None, gt=0)
    errors_percent: float | None = Field(None, ge=0)


class Scenario(_Part):
    """All of it.

    Attributes:
        pace: `poisson`, as independent users arrive, or `even`.
        connections: for HTTP requests, at most, over all processes; more arrivals than answers wait for one, and that
            waiting counts.
        waiting: arrivals that may wait; more are counted as errors of their own.
        timeout_s: from the intended start to the whole answer.
    """

    title: str
    stage: tuple[StageSpec, ...] = Field(min_length=1)
    request: tuple[Request, ...] = Field(min_length=1, max_length=16)
    hook: tuple[Hook, ...] = ()
    goal: Goal = Goal()
    pace: Literal["poisson", "even"] = "poisson"
    connections: int = Field(256, ge=1, le=50_000)
    waiting: int = Field(20_000, ge=1, le=1_000_000)
    timeout_s: float = Field(10, gt=0, le=120)

    @model_validator(mode="after")
    def _is_sound(self) -> Scenario:
        if self.seconds > _LONGEST_S:
            raise ValueError(f"runs {self.seconds:g} s; at most {_LONGEST_S:g} s are allowed")
        names = [one.name for one in self.request]
        if len(set(names)) < len(names):
            raise ValueError("two requests have one name")
        return self

    @property
    def seconds(self) -> float:
        """How long arrivals come."""
        return sum(one.seconds for one in self.stage)

    @property
    def slice_s(self) -> float:
        """Seconds of a slice in the results; longer in long runs, so that their number is bounded."""
        return max(0.25 if self.seconds < 30 else 1.0, self.seconds / _SLICES)

    def changed(self, *, rate: float | None = None, seconds: float | None = None, host: str = "") -> Scenario:
        """The same with stages scaled to a highest rate and a total time, and another host."""
        faster = rate / max(max(one.rate, one.to or 0) for one in self.stage) if rate else 1.0
        longer = seconds / self.seconds if seconds else 1.0
        stages = [
            {
                "seconds": one.seconds * longer,
                "rate": one.rate * faster,
                "to": None if one.to is None else one.to * faster,
            }
            for one in self.stage
        ]
        hooks = [
            {**one.model_dump(), "at_s": one.at_s * longer, "every_s": one.every_s and max(1.0, one.every_s * longer)}
            for one in self.hook
        ]
        requests = [{**one.model_dump(), "host": host or one.host} for one in self.request]
        return _checked({**self.model_dump(), "stage": stages, "hook": hooks, "request": requests}, "options")

    def hooked(self, commands: dict[str, tuple[str, ...]]) -> Scenario:
        """The same with commands for its hooks; those that have none are left out.

        Raises:
            Refused: a command is for no hook of it, or it has hooks and none has a command.
        """
        names = [one.name for one in self.hook]
        if unknown := sorted(set(commands) - set(names)):
            raise Refused(f"no hook {', '.join(unknown)} in the scenario; it has: {', '.join(names) or 'none'}")
        hooks = [one.model_copy(update={"command": commands.get(one.name) or one.command}) for one in self.hook]
        if hooks and not any(one.command for one in hooks):
            raise Refused(f"the scenario needs a command for at least one of: {', '.join(names)}; --hook NAME=COMMAND")
        return self.model_copy(update={"hook": tuple(one for one in hooks if one.command)})


def load(name: str) -> Scenario:
    """Reads a scenario: a file, or the name of one in `scenarios/`.

    Raises:
        Refused: there is none, or it is not sound.
    """
    path = Path(name) if "/" in name or name.endswith(".toml") else LIBRARY / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}; in the library: {', '.join(library())}") from error
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{path}: {error}") from error
    return _checked(content, str(path))


def library() -> list[str]:
    """The names of the scenarios that ship with the harness."""
    return sorted(path.stem for path in LIBRARY.glob("*.toml"))


def _checked(content: dict[str, Any], where: str) -> Scenario:
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'scenario'}: {item['msg']}" for item in error.errors())
        raise Refused(f"{where}: {wrong}") from None
