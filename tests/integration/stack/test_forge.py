"""What the forge makes: children of ours that differ from exec'd ones in nothing but their cost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kernel import tasks
from stack import forge as forge_module
from stack.forge import Forge
from stack.linux import become_subreaper
from stack.logs import LogPump
from stack.orphans import children_of, reap
from stack.process import Command, Process

PROGRAM = """
import gc, json, os, signal, sys
print("to stderr", file=sys.stderr)
json.dump({
    "argv": sys.argv, "name": __name__, "env": dict(os.environ), "cwd": os.getcwd(), "warm": "grpc" in sys.modules,
    "parent": os.getppid(), "session": os.getsid(0), "threads": len(os.listdir("/proc/self/task")),
    "fds": [fd for fd in os.listdir("/proc/self/fd") if fd > "2" and os.path.exists(f"/proc/self/fd/{fd}")],
    "gc": gc.isenabled(), "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
}, sys.stdout)
print(flush=True)
if os.environ.get("STAY"):
    signal.pause()
sys.exit(int(os.environ.get("STATUS", 0)))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds a module `probe_service` that says what it finds, and is where processes start."""
    (tmp_path / "probe_service.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture
async def forge(folder: Path) -> AsyncIterator[Forge]:
    """A forge whose zygote finds the module."""
    become_subreaper()
    logs = LogPump(folder)
    forge = Forge(environment(folder), folder, logs)
    yield forge
    await forge.stop()
    logs.close()


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}


class Made:
    """A process and what it wrote."""

    def __init__(self, process: Process, output: Path, errors: Path) -> None:
        self.process, self._output, self.errors = process, output, errors

    async def said(self) -> dict[str, Any]:
        end = time.monotonic() + 20
        while "\n" not in self._output.read_text():
            assert time.monotonic() < end, self.errors.read_text()
            await asyncio.sleep(0.02)
        found: dict[str, Any] = json.loads(self._output.read_text())
        return found


Make = Callable[..., Any]


@pytest.fixture
async def make(forge: Forge, folder: Path) -> AsyncIterator[Make]:
    """Starts the module; what still runs after the test is killed."""
    made: list[Made] = []

    async def start(module: str = "probe_service", **variables: str) -> Made:
        output, errors = folder / f"{len(made)}.out", folder / f"{len(made)}.err"
        command = Command([sys.executable, "-m", module], {**environment(folder), **variables}, folder)
        with output.open("wb") as out, errors.open("wb") as err:
            process = await forge.start(command, out.fileno(), err.fileno())
        made.append(Made(process, output, errors))
        return made[-1]

    yield start
    for one in made:
        one.process.kill()
        await one.process.wait()


def zygote() -> int:
    """The pid of ours."""
    return next(pid for pid in children_of(os.getpid()) if b"stack.zygote" in arguments(pid))


def arguments(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


async def test_a_forked_service_is_a_child_of_ours_with_what_it_was_given(make: Make, folder: Path) -> None:
    made = await make(COLOUR="green", STAY="1")
    said = await made.said()
    assert said["warm"]
    assert said["name"] == "__main__"
    assert [Path(one).name for one in said["argv"]] == ["probe_service.py"]
    assert said["env"] == {**environment(folder), "COLOUR": "green", "STAY": "1"}
    assert said["cwd"] == str(folder)
    assert said["parent"] == os.getpid()
    assert said["session"] == made.process.pid
    assert said["threads"] == 1
    assert said["fds"] == []
    assert said["gc"]
    # Who runs in the background of a shell without job control ignores SIGINT, and so do its children.
    assert said["sigint"] == (signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)
    assert made.errors.read_text() == "to stderr\n"
    assert arguments(made.process.pid).rstrip(b"\0").split(b"\0")[1:] == [b"-m", b"probe_service"]
    assert Path(f"/proc/{made.process.pid}/comm").read_text() == "probe_service\n"


async def test_a_secret_is_in_no_ones_environment_file_and_not_in_the_zygote(make: Make) -> None:
    made = await make(SECRET="a-very-secret-value", STAY="1")
    assert (await made.said())["env"]["SECRET"] == "a-very-secret-value"
    for pid in (made.process.pid, zygote()):
        assert b"a-very-secret-value" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert b"a-very-secret-value" not in arguments(pid)
    assert b"a-very-secret-value" not in memory_of(zygote())


def memory_of(pid: int) -> bytes:
    """Everything that a process could have written down."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, permissions, *rest = line.split()
            if permissions.startswith("rw") and not rest[-1].startswith("[v"):
                start, end = (int(one, 16) for one in span.split("-"))
                memory.seek(start)
                found.append(memory.read(end - start))
    return b"".join(found)


@pytest.mark.parametrize("status", [0, 3])
async def test_its_exit_status_is_known(make: Make, status: int) -> None:
    made = await make(STATUS=str(status))
    assert await asyncio.wait_for(made.process.wait(), 20) == status


async def test_a_signal_that_ended_it_is_known(make: Make) -> None:
    made = await make(STAY="1")
    await made.said()
    assert await made.process.stop(signal.SIGTERM) == -signal.SIGTERM


async def test_a_module_that_is_not_there_ends_as_with_exec(make: Make) -> None:
    made = await make("no_such_module")
    assert await asyncio.wait_for(made.process.wait(), 20) == 1
    assert "no_such_module" in made.errors.read_text()


async def test_a_dead_zygote_takes_no_service_along_and_is_replaced(make: Make) -> None:
    before = await make(STAY="1")
    await before.said()
    first = zygote()
    os.kill(first, signal.SIGKILL)
    after = await make(STAY="1")
    assert (await after.said())["warm"]
    assert before.process.returncode is None
    assert zygote() != first


async def test_a_zygote_that_does_not_answer_is_replaced(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    await make()
    stopped = zygote()
    monkeypatch.setattr(forge_module, "FORK_S", 0.5)
    os.kill(stopped, signal.SIGSTOP)
    made = await make(STAY="1")
    assert (await made.said())["warm"]
    assert stopped not in children_of(os.getpid())


async def test_without_a_zygote_services_are_started_by_exec(
    forge: Forge, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forge_module, "WARM_S", 0.0)
    said = await (await make(COLOUR="green", STAY="1")).said()
    assert not said["warm"]
    assert said["env"]["COLOUR"] == "green"
    assert said["parent"] == os.getpid()


async def test_one_that_is_no_longer_waited_for_does_not_begin(make: Make, folder: Path) -> None:
    await make()
    others = set(children_of(os.getpid()))  # what earlier tests have started is none of our business
    begun = tasks.spawn(make(STAY="1"), "begun")
    await asyncio.sleep(0)  # it is at the zygote now
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun
    end = time.monotonic() + 20
    # Of all that the kernel may hand to us meanwhile, what the zygote has forked looks like the zygote.
    while left := [pid for pid in reap(others | Process.live) if b"stack.zygote" in arguments(pid)]:
        assert time.monotonic() < end, left
        await asyncio.sleep(0.02)
    assert (folder / "1.out").read_text() == ""
