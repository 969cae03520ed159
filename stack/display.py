"""How a start is shown: a live table at a terminal, plain lines elsewhere, JSON lines from a detached stack."""

from __future__ import annotations

import os
import sys
import time
from typing import IO, Any, Final, Protocol

import orjson

from kernel.errors import ShipoffError
from stack.supervisor import UnitState

_WORDS: Final[dict[str, str]] = {
    UnitState.READY: "ready",
    UnitState.RESTARTING: "died, starting it again",
    UnitState.FAILED: "FAILED",
}


class Display(Protocol):
    """What the platform tells while it works."""

    def unit(self, name: str, state: str) -> None:
        """A unit's (or step's) state changed."""

    def say(self, text: str) -> None:
        """Something worth a line."""

    def summary(self, fields: dict[str, Any]) -> None:
        """Everything is up: addresses, and on the first run the token."""

    def close(self) -> None:
        """Nothing more will come."""


class PlainDisplay:
    """One line per event that a reader cares about."""

    def __init__(self, out: IO[str] | None = None) -> None:
        self._out = out or sys.stdout
        self._begun = time.monotonic()

    def unit(self, name: str, state: str) -> None:
        """Says when a unit becomes ready, dies or is given up."""
        if state in _WORDS:
            self.say(f"{name} {_WORDS[state]}")

    def say(self, text: str) -> None:
        """One line with the seconds since the beginning."""
        self._print(f"[{time.monotonic() - self._begun:5.1f} s] {text}")

    def summary(self, fields: dict[str, Any]) -> None:
        """The lines that everybody waits for."""
        for line in summary_lines(fields):
            self._print(line)

    def close(self) -> None:
        """Nothing to close."""

    def _print(self, line: str) -> None:
        try:
            self._out.write(line + "\n")
            self._out.flush()
        except OSError:  # whoever read it is gone; the platform goes on
            return


class RichDisplay:
    """A table that changes in place until everything is up; lines after that."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(highlight=False)
        self._plain = PlainDisplay(self._console.file)
        self._begun = time.monotonic()
        self._units: dict[str, tuple[str, float]] = {}
        self._live: Live | None = Live(console=self._console, get_renderable=self._table, refresh_per_second=8)
        self._live.start()

    def unit(self, name: str, state: str) -> None:
        """Changes the unit's row."""
        if self._live is None:
            self._plain.unit(name, state)
            return
        self._units[name] = (state, time.monotonic() - self._begun)

    def say(self, text: str) -> None:
        """A line above the table."""
        self._console.print(text, markup=False)

    def summary(self, fields: dict[str, Any]) -> None:
        """The table's last state, and the addresses."""
        self.close()
        self._console.print("")
        for line in summary_lines(fields):
            self._console.print(line, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leaves the table as it is."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self) -> Any:
        from rich.spinner import Spinner
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        colours = {"ready": "green", "failed": "bold red", "restarting": "yellow"}
        for name, (state, at) in self._units.items():
            mark: Any = {"ready": "✓", "failed": "✗", "waiting": "·", "stopped": "·"}.get(state) or Spinner("dots")
            seconds = f"{at:.1f} s" if state == "ready" else ""
            table.add_row(mark, name, f"[{colours.get(state, 'dim')}]{state}[/]", f"[dim]{seconds}[/]")
        return table


class PipeDisplay:
    """JSON lines to a descriptor: what a detached stack tells the command that waits for it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def unit(self, name: str, state: str) -> None:
        """{"unit", "state"}."""
        self._write({"unit": name, "state": state})

    def say(self, text: str) -> None:
        """{"say"}."""
        self._write({"say": text})

    def summary(self, fields: dict[str, Any]) -> None:
        """{"summary"}; the reader goes away after it."""
        self._write({"summary": fields})
        self.close()

    def error(self, error: ShipoffError) -> None:
        """{"error"}: it did not come up."""
        fields = ("code", "detail", "source", "retryable", "status", "hint")
        self._write({"error": {name: getattr(error, name) for name in fields}})

    def close(self) -> None:
        """Closes the descriptor."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, event: dict[str, Any]) -> None:
        if self._descriptor < 0:
            return
        try:
            os.write(self._descriptor, orjson.dumps(event) + b"\n")
        except OSError:  # nobody waits any more
            self.close()


def for_terminal() -> Display:
    """The display that suits this process's standard output."""
    return RichDisplay() if sys.stdout.isatty() else PlainDisplay()


def summary_lines(fields: dict[str, Any]) -> list[str]:
    """The closing lines of a start."""
    lines = [
        f"Shipoff is up ({fields['seconds']:.1f} s): state in {fields['dir']}",
        f"  API and dashboard  {fields['gateway']}",
        f"  apps               {fields['apps']}",
    ]
    if fields.get("mails"):
        lines.append(f"  mails              {fields['mails']}: those to people lie there as files")
    lines += [f"  {name:<18} {url}" for name, url in fields["projects"].items()]
    if fields.get("token"):
        lines += [
            f"  owner              {fields['email']}",
            f"  token              {fields['token']}",
            "  The token is shown this once; `shipoff token` makes another.",
        ]
    return lines
