"""What a person who pushes reads. Pure: steps and errors in, lines out."""

from __future__ import annotations

import re
import signal
from typing import Final

from control.gateway.live.watch import Step
from kernel.deployments import State
from kernel.errors import ShipoffError

LINE: Final = 2000  # characters of a log line that are shown
# Control characters of a build's output could rewrite the terminal; only colours (SGR) pass.
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;]*m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DOING: Final = {
    "fetch": "fetching the commit",
    "detect": "detecting the framework",
    "build": "building",
    "artifact": "storing the artifact",
    "release": "making the release",
    "command": "running the release command",
    "start": "starting",
    "health": "waiting for the health check",
    "canary": "trying it on part of the requests",
    "route": "switching the routers over",
}
_STATE: Final = {State.QUEUED: "queued", State.BUILDING: "building", State.PROVISIONING: "provisioning"}


def clean(text: str) -> str:
    """A line of somebody's program, safe for a terminal; a progress bar shows its last state."""
    text = text.rstrip("\r\n").rpartition("\r")[2][:LINE]
    return _ESCAPE.sub(lambda match: match[0] if match[0].startswith("\x1b[") and match[0].endswith("m") else "", text)


def beginning(deployment_id: str, commit: str, message: str) -> list[str]:
    """Before anything has happened."""
    return [f"deployment {deployment_id}", f"  commit {commit[:12]} {clean(message)}".rstrip()]


def progress(step: Step) -> str:
    """A step that is not the last."""
    return f"-> {_DOING.get(step.stage) or _STATE.get(step.state, step.state.lower())}"


def logged(text: str) -> str:
    """A line of the build, set off from ours."""
    return f"   {clean(text)}"


def waiting(step: Step | None, quiet_s: float) -> str:
    """When nothing was said for a while."""
    return f"   ({'waiting' if step is None else progress(step)[3:]}, {quiet_s:.0f} s)"


def ending(step: Step, seconds: float, *, was_live: bool) -> list[str]:
    """The answer."""
    if step.state in (State.LIVE, State.INACTIVE):
        return ["", f"live at {step.url}  ({seconds:.1f} s)", ""]
    if step.state is not State.FAILED:
        return ["", verdict(step), ""]
    lines = ["", verdict(step)]
    if step.detail:
        lines.append(f"  what         {clean(step.detail)}")
    lines.append(f"  stage        {step.stage or 'unknown'}")
    if step.exit_status:
        lines.append(f"  exit status  {exit_status(step.exit_status)}")
    if step.hint:
        lines.append(f"  what to do   {clean(step.hint)}")
    if was_live:
        lines.append("  what was live before goes on being served")
    return [*lines, ""]


def verdict(step: Step) -> str:
    """The answer in a few words, for git's own line."""
    match step.state:
        case State.FAILED:
            return f"deployment failed: {step.reason or 'UNKNOWN'}"
        case State.SUPERSEDED:
            return "superseded by a newer deployment"
        case State.CANCELED:
            return "deployment canceled"
    return f"deployment is {step.state}"


def exit_status(status: int) -> str:
    """How a process ended; negative is a signal."""
    if status >= 0:
        return str(status)
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def refused(error: ShipoffError) -> list[str]:
    """When the platform could not take or could not follow the deployment."""
    return ["", f"{clean(error.detail)} [{error.code}]", *([f"  what to do   {error.hint}"] if error.hint else []), ""]


def out_of_time(project: str, waited_s: float) -> list[str]:
    """When the push waits no longer."""
    return [
        "",
        f"no answer after {waited_s:.0f} s; the deployment goes on",
        f"  follow it    shipoff deployments {project}",
        "",
    ]
