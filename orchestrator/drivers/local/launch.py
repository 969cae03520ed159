"""Starts bubblewrap: joins the control groups, opens what it needs as descriptors, and executes it in place.

As a program (for builds) it reads one JSON object from stdin and becomes bubblewrap, so that the orchestrator is
bubblewrap's parent and its death is the build's. The keeper of an instance calls `fork` instead.

Used by programs that run without site-packages: standard library only.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from orchestrator.drivers.local import cgroups

_IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30}
ROOT: Final = Path(__file__).resolve().parents[3]


class Launch(NamedTuple):
    """What bubblewrap is to do. No dataclass: importing those costs a program 20 ms, and every start waits for it.

    Attributes:
        bwrap: its path.
        args: mounts and namespaces, without descriptors.
        command: the agent's command line, without descriptors.
        seccomp: file with the filter, "" for none.
        cgroups: directories to join.
        nice: by how much its processes stand back behind others, for the processor and for disks.
    """

    bwrap: str
    args: list[str]
    command: list[str]
    seccomp: str
    cgroups: list[str]
    nice: int = 0


def program(module: str) -> list[str]:
    """The command line that runs `main()` of a module of ours on the bare interpreter, which starts in 15 ms."""
    base = getattr(sys, "_base_executable", sys.executable)
    code = f"import sys; sys.path.insert(0, sys.argv.pop(1)); from {module} import main; main()"
    return [base, "-I", "-S", "-c", code, str(ROOT)]


def become(launch: Launch, inherited: Mapping[str, int], info: int | None = None) -> NoReturn:
    """Becomes bubblewrap.

    Args:
        launch: what to start.
        inherited: the agent's descriptors by the names that it knows them by: control, and for instances the listening
            sockets dials and commands.
        info: a pipe's end on which bubblewrap writes `{"child-pid": …}`.
    """
    cgroups.join(launch.cgroups)
    if launch.nice:
        stand_back(launch.nice)
    kept = list(inherited.values())
    arguments = [launch.bwrap]
    if launch.seccomp:
        kept.append(os.open(launch.seccomp, os.O_RDONLY))
        arguments += ["--seccomp", str(kept[-1])]
    if info is not None:
        kept.append(info)
        arguments += ["--info-fd", str(info)]
    arguments += [*launch.args, "--", *launch.command, *(f"{name}={number}" for name, number in inherited.items())]
    for descriptor in kept:
        os.set_inheritable(descriptor, True)
    close_others(kept)
    os.execve(launch.bwrap, arguments, {})  # noqa: S606 - an empty environment: nothing of ours for /proc to show


def stand_back(nice: int) -> None:
    """Lets others go first: for the processor by `nice`, for disks with the last place of the usual class."""
    import ctypes  # builds only: instances need not wait for it

    os.nice(nice)
    libc = ctypes.CDLL(None)
    if (number := _IOPRIO_SET.get(os.uname().machine)) is not None:
        libc.syscall(number, 1, 0, 2 << 13 | 7)  # ioprio_set(2): this process, best effort, level 7


def close_others(kept: Iterable[int] = ()) -> None:
    """Closes every descriptor but the standard three and those named.

    What starts us may leave its own open in us (uvloop leaves its ends of a child's pipes), and a tenant must not get
    them.
    """
    start = 3
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def frame(orders: dict[str, Any]) -> bytes:
    """The agent's orders as it reads them from its control socket."""
    raw = json.dumps(orders).encode()
    return struct.pack("!I", len(raw)) + raw


def read_child_pid(info: int) -> int:
    """Reads the host's pid of the sandbox's first process from bubblewrap's --info-fd; 0 when it never got there."""
    raw = b""
    while chunk := os.read(info, 4096):
        raw += chunk
        if raw.rstrip().endswith(b"}"):
            break
    try:
        return int(json.loads(raw)["child-pid"])
    except (ValueError, KeyError):
        return 0


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot (proc(5), field 22); 0 when there is no such process.

    With the pid it names a process for ever: pids are used again, pairs are not.
    """
    try:
        return int(_after_name(Path(f"/proc/{pid}/stat").read_text())[19])
    except (OSError, IndexError):
        return 0


def _after_name(stat: str) -> Sequence[str]:
    return stat[stat.rindex(")") + 2 :].split()


def main() -> None:
    """`launch` as a program: argv is CONTROL_FD INFO_FD PARENT_PID, stdin the launch."""
    control, info, parent = (int(argument) for argument in sys.argv[1:4])
    launch = Launch(**json.load(sys.stdin))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if os.getppid() != parent:  # it died before bubblewrap could ask to die with it
        sys.exit(125)
    become(launch, {"control": control}, info)
