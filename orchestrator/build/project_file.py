"""`shipoff.toml`: what a repository itself says about its build and its processes (docs/shipoff-toml.md).

It is read whole and refused whole: one error names every fault, so that nobody pushes ten times for ten typing errors.
What it says wins over the project's settings, and these win over what is found.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from kernel.errors import ShipoffError, define
from kernel.route_rules import RouteRules
from orchestrator.build import running
from orchestrator.build.plan import BuildPlan, BuildSettings
from orchestrator.build.schedule import check_schedule, check_timezone

SHIPOFF_TOML_INVALID = define(
    "SHIPOFF_TOML_INVALID",
    source="client",
    status=422,
    hint="docs/shipoff-toml.md has every field; `shipoff plan` checks it",
)

NAME: Final = "shipoff.toml"
MAX_FAULTS: Final = 20
_MEMORY: Final = re.compile(r"(\d{1,6})\s*([MG])(?:i?B)?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_OURS: Final = frozenset({"PORT", "HOME", "PATH", "PWD", "TMPDIR", "USER"})
T = TypeVar("T")


def _memory(value: object) -> object:
    if isinstance(value, str) and (match := _MEMORY.fullmatch(value.strip())):
        return int(match[1]) << (20 if match[2] == "M" else 30)
    raise ValueError('a size such as "512M" or "1G"')


def _variables(env: dict[str, str]) -> dict[str, str]:
    for name in env:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name[:40]!r} cannot name an env var")
        if name in _OURS or name.upper().startswith("SHIPOFF_"):
            raise ValueError(f"{name} is set by the platform")
    return env


def _worker(value: object) -> object:
    return {"command": value} if isinstance(value, str) else value


Command = Annotated[str, Field(min_length=1, max_length=4096)]
Variables = Annotated[dict[str, Annotated[str, Field(max_length=32_768)]], AfterValidator(_variables)]
Memory = Annotated[int, BeforeValidator(_memory), Field(ge=32 << 20, le=64 << 30)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Path = Annotated[str, Field(pattern=r"^/\S{0,500}$")]


class Table(BaseModel):
    """A table of the file: unknown fields are refused, values are not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Build(Table):
    """[build]"""

    framework: str = ""
    install: str = ""
    command: str = ""
    output: str = ""
    spa: bool | None = None
    env: Variables = {}


class Run(Table):
    """[run]: the web process."""

    command: str = ""
    env: Variables = {}


class Worker(Table):
    """A process beside the web process: its command, or a table."""

    command: Command
    instances: int = Field(1, ge=0, le=20)


class Cron(Table):
    """[[cron]]"""

    name: Name
    schedule: Annotated[str, AfterValidator(check_schedule)]
    command: Command
    timezone: Annotated[str, AfterValidator(check_timezone)] = "UTC"
    deadline_s: float = Field(3600.0, ge=1, le=86_400)


class Release(Table):
    """[release]"""

    command: Command


class Health(Table):
    """[health]"""

    path: Path | None = None
    tcp: bool = False
    interval_s: float = Field(1.0, ge=0.1, le=60)
    timeout_s: float = Field(5.0, ge=0.1, le=60)
    start_period_s: float = Field(0.0, ge=0, le=900)

    @model_validator(mode="after")
    def _one_kind(self) -> Health:
        if self.tcp and self.path:
            raise ValueError("either tcp or a path")
        return self


class Scaling(Table):
    """[scaling]"""

    min: int = Field(1, ge=0, le=100)
    max: int | None = Field(None, ge=1, le=100)
    target: float = Field(20.0, ge=0.1, le=10_000)
    idle_s: float = Field(900.0, ge=10, le=86_400)

    @model_validator(mode="after")
    def _in_order(self) -> Scaling:
        if self.max is not None and self.max < self.min:
            raise ValueError("max is less than min")
        return self


class Limits(Table):
    """[limits]"""

    memory: Memory = 512 << 20
    cpus: float = Field(0.0, ge=0, le=64)
    processes: int = Field(512, ge=8, le=4096)


class ProjectFile(Table):
    """The file."""

    build: Build = Build()
    run: Run = Run()
    processes: dict[Name, Annotated[Worker, BeforeValidator(_worker)]] = {}
    cron: list[Cron] = []
    release: Release | None = None
    health: Health | None = None
    scaling: Scaling | None = None
    limits: Limits | None = None
    rules: RouteRules | None = None

    @model_validator(mode="after")
    def _names(self) -> ProjectFile:
        names = [job.name for job in self.cron]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"cron: {', '.join(twice)} is there twice")
        if running.WEB in self.processes:
            raise ValueError("processes.web: the web process' command is [run] command")
        return self

    @classmethod
    def read(cls, text: str) -> ProjectFile:
        """Reads the file's text; "" (no file) says nothing.

        Raises:
            ShipoffError: SHIPOFF_TOML_INVALID, with all faults.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise SHIPOFF_TOML_INVALID(f"{NAME} is no TOML: {error}") from error
        except ValidationError as error:
            raise _refused(error) from None

    def over(self, settings: BuildSettings) -> BuildSettings:
        """The project's settings, replaced where the file says something."""
        said = {
            "framework": self.build.framework,
            "install_command": self.build.install,
            "build_command": self.build.command,
            "output_dir": self.build.output,
            "run_command": self.run.command,
        }
        return replace(settings, **{name: value for name, value in said.items() if value})

    def onto(self, plan: BuildPlan) -> BuildPlan:
        """The plan with what only the file can say.

        Raises:
            ShipoffError: SHIPOFF_TOML_INVALID, for what a static site has no use for.
        """
        if plan.kind == "static" and (idle := self._of_a_running_app()):
            raise SHIPOFF_TOML_INVALID(f"{NAME}: a static site runs nothing, so it has no {', '.join(idle)}")
        return replace(
            plan,
            spa=plan.spa if self.build.spa is None else self.build.spa and plan.kind == "static",
            build_env={**plan.build_env, **self.build.env},
            run_env={**plan.run_env, **self.run.env},
            workers=tuple(
                running.Process(name, one.command, "worker", one.instances) for name, one in self.processes.items()
            ),
            crons=tuple(running.Cron(**job.model_dump()) for job in self.cron),
            release_command=self.release.command if self.release else "",
            health=self._health() or plan.health,
            scaling=self._scaling(),
            limits=self._limits(),
            rules=self.rules.as_record() if self.rules else {},
        )

    def _of_a_running_app(self) -> list[str]:
        names = ("processes", "cron", "release", "health", "scaling", "limits")
        return [f"[{name}]" for name in names if getattr(self, name)]

    def _health(self) -> running.Health | None:
        said = self.health
        if said is None:
            return None
        kind: Literal["http", "tcp"] = "tcp" if said.tcp else "http"
        return running.Health(
            kind, said.path or "/", said.path is not None, said.interval_s, said.timeout_s, said.start_period_s
        )

    def _scaling(self) -> running.Scaling:
        said = self.scaling or Scaling()
        return running.Scaling(said.min, said.max or max(said.min, 1), said.target, said.idle_s)

    def _limits(self) -> running.AppLimits:
        said = self.limits or Limits()
        return running.AppLimits(said.memory, said.cpus, said.processes)


def _refused(error: ValidationError) -> ShipoffError:
    """All faults as one error, each with the way to the field."""
    faults = [f"{_way(fault['loc'])}{_words(fault)}" for fault in error.errors(include_url=False)]
    more = f"; and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
    return SHIPOFF_TOML_INVALID(f"{NAME}: " + "; ".join(faults[:MAX_FAULTS]) + more)


def _way(location: tuple[int | str, ...]) -> str:
    way = ""
    for step in location:
        way += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if way else str(step)
    return f"{way}: " if way else ""


def _words(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(fault["loc"][-1]), _FIELDS, 1)
        return "there is no such field" + (f" (is it {near[0]}?)" if near else "")
    return str(fault["msg"]).removeprefix("Value error, ")


_TABLES: Final = (ProjectFile, Build, Run, Worker, Cron, Health, Scaling, Limits, RouteRules)
_FIELDS: Final = sorted({field for table in _TABLES for field in table.model_fields})
