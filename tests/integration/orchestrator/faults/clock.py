"""A wall clock that a test sets: what is started through it sees it jump, the rest of the machine does not.

clock.c stands between the programs (Python, Postgres, Valkey) and the C library's three ways to read it. The monotonic
clock goes on as it does, as when an operator or NTP sets a machine's clock.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from stack.process import Command

SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """The clock of some programs.

    Args:
        folder: for what is built; every user may read it.
    """

    def __init__(self, folder: Path) -> None:
        self._library, self._ahead = folder / "clock.so", folder / "ahead"
        subprocess.run([compiler(), "-O2", "-shared", "-fPIC", "-o", self._library, SOURCE], check=True)
        self.set(0)

    def set(self, ahead_s: int) -> None:
        """Moves it, for all who run and all who start from now on."""
        with self._ahead.open("r+b" if self._ahead.exists() else "xb") as file:  # in place: it is mapped
            file.write(struct.pack("@l", ahead_s))

    def of(self, unit: Any) -> Any:
        """The unit, under this clock."""
        return _Shifted(unit, {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK": str(self._ahead)})


class _Shifted:
    def __init__(self, unit: Any, env: dict[str, str]) -> None:
        self._unit, self._env = unit, env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unit, name)

    def command(self) -> Command:
        command: Command = self._unit.command()
        return replace(command, env={**command.env, **self._env})


def compiler() -> str:
    """The C compiler, "" where there is none."""
    return shutil.which("cc") or shutil.which("gcc") or ""


@contextmanager
def clock() -> Iterator[Clock | None]:
    """A clock, or None where it cannot be built."""
    with tempfile.TemporaryDirectory(prefix="so-clock-") as folder:
        Path(folder).chmod(0o755)
        yield Clock(Path(folder)) if compiler() else None
