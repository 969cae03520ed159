"""Commands that run underneath the load: deploys, changes of scale, restarts. Each is bounded and ends with the run."""

# environ: a hook runs with the environment of whoever runs the bench.
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

from bench.load.scenario import Hook
from bench.load.target import Target

_KEEP: Final = 2_000
_GRACE_S: Final = 5.0


@dataclass(slots=True)
class Run:
    """One run of a hook.

    Attributes:
        began_s: after the load's begin.
        ended_s: None while it runs.
        status: the exit status, None when it was ended from here.
        said: the end of its output.
    """

    name: str
    began_s: float
    ended_s: float | None = None
    status: int | None = None
    said: str = ""


class Hooks:
    """Starts hooks when their time has come; one that still runs is not started again."""

    def __init__(self, hooks: Sequence[Hook], target: Target, host: str) -> None:
        self.runs: list[Run] = []
        self._due: list[tuple[float, Hook]] = [(one.at_s, one) for one in hooks]
        self._fill = {"{target}": target.url, "{host}": host or target.name}
        self._running: dict[str, tuple[Run, subprocess.Popen[bytes], IO[bytes]]] = {}

    def poll(self, now_s: float) -> list[str]:
        """Starts and reaps; returns lines about what happened."""
        said = self._reap(now_s)
        for number, (at, hook) in enumerate(self._due):
            if at <= now_s:
                self._due[number] = (at + hook.every_s if hook.every_s else float("inf"), hook)
                if hook.name not in self._running:
                    said.append(self._start(hook, now_s))
        return said

    def close(self, now_s: float) -> None:
        """Ends what still runs."""
        for _, process, _ in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for _, process, _ in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._reap(now_s)

    def _start(self, hook: Hook, now_s: float) -> str:
        run = Run(hook.name, now_s)
        self.runs.append(run)
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the hook is reaped
        try:
            process = subprocess.Popen(
                [self._filled(word) for word in hook.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            output.close()
            run.ended_s, run.status, run.said = now_s, 127, str(error)
            return f"{hook.name}: {error}"
        self._running[hook.name] = (run, process, output)
        return f"{hook.name}: started"

    def _filled(self, word: str) -> str:
        for name, value in self._fill.items():
            word = word.replace(name, value)
        return word

    def _reap(self, now_s: float) -> list[str]:
        said = []
        for name, (run, process, output) in list(self._running.items()):
            if process.poll() is None:
                continue
            run.ended_s, run.status = now_s, process.returncode
            size = output.seek(0, os.SEEK_END)
            output.seek(max(0, size - _KEEP))
            run.said = output.read().decode(errors="replace")
            output.close()
            del self._running[name]
            said.append(f"{name}: exit {process.returncode} after {now_s - run.began_s:.1f} s")
        return said
