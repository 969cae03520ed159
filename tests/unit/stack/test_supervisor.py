"""Units come back when they die, are given up when that is hopeless, and stop in order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from stack import supervisor
from stack.forge import Forge
from stack.logs import LogPump
from stack.process import Command
from stack.supervisor import Supervised, UnitState, stop_in_order


class Shell:
    """A unit that is a line of shell; ready when a file is there."""

    stop_signal = signal.SIGTERM
    stop_within_s = 0.3
    ready_within_s = 5.0

    def __init__(self, name: str, line: str, directory: Path) -> None:
        self.name, self.line, self.directory = name, line, directory

    async def prepare(self) -> None:
        return

    def command(self) -> Command:
        return Command(["sh", "-c", self.line], {"PATH": "/usr/bin:/bin"}, self.directory)

    async def probe(self, pid: int) -> str:
        return "" if (self.directory / self.name).exists() else "no file"

    def cleanup(self) -> None:
        (self.directory / self.name).unlink(missing_ok=True)


Make = Callable[..., Supervised]


@pytest.fixture
async def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Starts supervised shells, and ends them after the test."""
    monkeypatch.setattr(supervisor, "PAUSE_S", 0.01)
    logs = LogPump(tmp_path)
    made: list[Supervised] = []

    def start(name: str, line: str, *after: asyncio.Event, changed: Callable[[Supervised], None] = print) -> Supervised:
        unit = Supervised(Shell(name, line, tmp_path), after, Forge({}, tmp_path, logs), logs, changed)
        made.append(unit)
        unit.start()
        return unit

    yield start
    for unit in made:
        await unit.stop()
    logs.close()


async def test_a_unit_that_dies_is_started_again(make: Make) -> None:
    unit = make("a", "touch a; exec sleep 60")
    await unit.first_ready()
    first = unit.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(10):
        while unit.pid in (None, first) or unit.state is not UnitState.READY:
            await asyncio.sleep(0.01)
    assert unit.restarts == 1
    assert unit.last_exit == -signal.SIGKILL


async def test_a_unit_that_never_gets_ready_fails_the_start_with_its_last_words(make: Make) -> None:
    unit = make("b", "echo no such database >&2; exit 3")
    with pytest.raises(ShipoffError, match="no such database") as raised:
        await unit.first_ready()
    assert raised.value.code == "UNIT_FAILED"
    assert "status 3" in raised.value.detail
    assert unit.state is UnitState.FAILED


async def test_a_unit_that_dies_again_and_again_is_given_up(make: Make) -> None:
    states: list[UnitState] = []
    unit = make("c", "touch c; sleep 0.2", changed=lambda unit: states.append(unit.state))
    await unit.first_ready()
    async with asyncio.timeout(30):
        while unit.state is not UnitState.FAILED:
            await asyncio.sleep(0.05)
    assert states.count(UnitState.RESTARTING) == supervisor.GIVE_UP - 1
    assert unit.pid is None


async def test_a_program_that_is_not_there_fails_the_start(make: Make, tmp_path: Path) -> None:
    unit = make("d", "exec /nonexistent/program")
    with pytest.raises(ShipoffError, match="d ended while starting"):
        await unit.first_ready()


async def test_a_unit_waits_for_what_it_depends_on(make: Make) -> None:
    gate = asyncio.Event()
    unit = make("e", "touch e; exec sleep 60", gate)
    await asyncio.sleep(0.05)
    assert unit.state is UnitState.WAITING
    gate.set()
    await unit.first_ready()


async def test_a_unit_that_ignores_its_stop_signal_is_killed_with_its_group(make: Make, tmp_path: Path) -> None:
    unit = make("f", "trap '' TERM; sleep 60 & echo $! > child; touch f; while :; do sleep 1; done")
    await unit.first_ready()
    child = int((tmp_path / "child").read_text())
    await unit.stop()
    assert unit.last_exit == -signal.SIGKILL
    async with asyncio.timeout(5):
        while Path(f"/proc/{child}/exe").exists():  # a zombie has none
            await asyncio.sleep(0.01)


async def test_units_stop_before_what_they_depend_on(make: Make) -> None:
    order: list[str] = []

    def note(unit: Supervised) -> None:
        if unit.state is UnitState.STOPPED:
            order.append(unit.name)

    units = {name: make(name, f"touch {name}; exec sleep 60", changed=note) for name in ("g", "h", "i")}
    for unit in units.values():
        await unit.first_ready()
    await stop_in_order(units, {"g": ("h",), "h": ("i", "elsewhere")})
    assert order == ["g", "h", "i"]
