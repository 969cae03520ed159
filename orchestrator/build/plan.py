"""What a build does and what it leaves: a frozen plan, made by `detect` and carried out by a driver.

The plan is plain data. It is stored with the release, so that the same release starts the same way on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from orchestrator.build.running import WEB, AppLimits, Cron, Health, Process, Scaling

Kind = Literal["static", "dynamic"]
Runtime = Literal["python", "node", "php", "none"]


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What the owner of a project said about building and running it. An empty field means: detect it.

    Attributes:
        framework: "" or "auto", or one of `detect.FRAMEWORKS`.
        root_dir: where the app lies inside the repository, "" is its root.
        output_dir: static output, relative to root_dir; says that the project is static when no run command is given.
    """

    framework: str = ""
    root_dir: str = ""
    install_command: str = ""
    build_command: str = ""
    run_command: str = ""
    output_dir: str = ""
    health_path: str = ""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """How to turn a source tree into an artifact, and how to run that.

    Attributes:
        framework: id of what was recognised, e.g. "vite".
        kind: static (files of `output_dir` are served) or dynamic (`run` is started).
        runtime: which language runtime is put into the sandbox.
        root_dir: where commands run, relative to the source tree; "" is its root.
        install: shell command, "" for none.
        build: shell command, "" for none.
        run: shell command of a dynamic app's web process; it listens on $PORT.
        output_dir: what a static project publishes, relative to root_dir; "" is root_dir itself.
        spa: unknown paths are answered with /index.html.
        health: what must answer before a release is live, and how.
        workers: processes beside the web process.
        crons: commands that run at times.
        release_command: runs once per release before it goes live (migrations), "" for none.
        scaling: how many instances of the web process.
        limits: of every instance.
        rules: of the route (ARCHITECTURE.md, "Rules").
        build_env: variables for install and build, beneath the project's own.
        run_env: variables for run, beneath the project's own.
    """

    framework: str
    kind: Kind
    runtime: Runtime = "none"
    root_dir: str = ""
    install: str = ""
    build: str = ""
    run: str = ""
    output_dir: str = ""
    spa: bool = False
    health: Health = field(default_factory=Health)
    workers: tuple[Process, ...] = ()
    crons: tuple[Cron, ...] = ()
    release_command: str = ""
    scaling: Scaling = field(default_factory=Scaling)
    limits: AppLimits = field(default_factory=AppLimits)
    rules: Mapping[str, Any] = field(default_factory=dict)
    build_env: Mapping[str, str] = field(default_factory=dict)
    run_env: Mapping[str, str] = field(default_factory=dict)

    @property
    def steps(self) -> list[tuple[str, str]]:
        """The commands of the build in order, as (step name, shell command); empty when there is nothing to run."""
        return [(name, command) for name, command in (("install", self.install), ("build", self.build)) if command]

    @property
    def processes(self) -> tuple[Process, ...]:
        """All kinds of processes, the web process first."""
        return (*((Process(WEB, self.run, "web"),) if self.run else ()), *self.workers)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the release's row."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> BuildPlan:
        """Reads what `to_json` wrote, now or in an earlier version; what is missing has its default."""
        found = dict(values)
        if path := found.pop("health_path", ""):  # until there was `health`
            found["health"] = {"path": path}
        return _PLAN.validate_python(found)


_PLAN: Final = TypeAdapter(BuildPlan)
