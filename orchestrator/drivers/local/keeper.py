"""The process outside the sandbox that keeps one instance: parent of bubblewrap, owner of its log and its end.

It outlives the orchestrator that started it (the running app must) and dies with the platform's owner. It

- listens on the instance's sockets (for dials, if it has a port, and for commands) and gives the listening descriptors
  to the agent, so that no directory of the platform is visible inside;
- writes what the app says into the instance's bounded log;
- on SIGTERM reads `stop.json` ({"grace_s"}), asks the agent to terminate the app, and kills everything after the grace;
- at the end writes `exit.json` atomically, removes the socket and the control groups.

It trusts nothing that comes out of the sandbox: lines are bounded, and the agent's word counts only for the app's own
exit status. It runs on the bare interpreter: standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final

from orchestrator.drivers.local import cgroups
from orchestrator.drivers.local.launch import Launch, become, close_others, frame, read_child_pid, start_time
from orchestrator.drivers.local.lines import LineSplitter, LogWriter

START_DEADLINE_S: Final = 20.0
MAX_CONTROL: Final = 4096


class Keeper:
    """One instance's keeper."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.dir = Path(spec["dir"])
        self.log = LogWriter(self.dir, spec["log_bytes"])
        self.selector = selectors.DefaultSelector()
        self.splitters = {name: LineSplitter(spec["line_bytes"]) for name in ("stdout", "stderr")}
        self.said = b""
        self.reason = ""
        self.orphan = False
        self.kill_at: float | None = None
        self.bwrap = self.child = 0
        self.child_fd = -1

    # --- start ----------------------------------------------------------------------------------------------------

    def start(self) -> str:
        """Starts the sandbox; returns "" when the app's process runs, else what went wrong."""
        self._watch_owner()
        self._watch_signals()
        listeners = {name: _listen(Path(path)) for name, path in self.spec["sockets"].items()}
        ours, theirs = socket.socketpair()
        outs = {name: os.pipe() for name in ("stdout", "stderr")}
        info_read, info_write = os.pipe()
        self.bwrap = os.fork()
        if not self.bwrap:
            self._become_sandbox(outs, {"control": theirs, **listeners}, info_write)
        for descriptor in (outs["stdout"][1], outs["stderr"][1], info_write):
            os.close(descriptor)
        for end in (theirs, *listeners.values()):
            end.close()
        for name, (read, _) in outs.items():
            os.set_blocking(read, False)
            self.selector.register(read, selectors.EVENT_READ, name)
        self.child = read_child_pid(info_read)
        os.close(info_read)
        if self.child:
            with contextlib.suppress(ProcessLookupError):
                self.child_fd = os.pidfd_open(self.child)
        with contextlib.suppress(OSError):  # a sandbox that did not come up has closed its end
            ours.sendall(frame(self.spec["orders"]))
        ours.setblocking(False)
        self.control = ours
        self.selector.register(ours, selectors.EVENT_READ, "control")
        bwrap_fd = os.pidfd_open(self.bwrap)
        self.selector.register(bwrap_fd, selectors.EVENT_READ, "ended")
        return self._until_started()

    def _become_sandbox(self, outs: dict[str, tuple[int, int]], inherited: dict[str, socket.socket], info: int) -> None:
        try:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(outs["stdout"][1], 1)
            os.dup2(outs["stderr"][1], 2)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            numbers = {name: end.fileno() for name, end in inherited.items()}
            become(Launch(**self.spec["launch"]), numbers, info)
        finally:
            os._exit(125)

    def _watch_owner(self) -> None:
        pid = self.spec["owner_pid"]
        if not pid:
            return
        descriptor = os.pidfd_open(pid)
        if start_time(pid) != self.spec["owner_start"]:
            raise ProcessLookupError(f"the owner {pid} is gone")
        self.selector.register(descriptor, selectors.EVENT_READ, "owner")

    def _watch_signals(self) -> None:
        wake, self._wakeup = socket.socketpair()
        wake.setblocking(False)
        self._wakeup.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.selector.register(wake, selectors.EVENT_READ, "signal")

    def _until_started(self) -> str:
        deadline = time.monotonic() + START_DEADLINE_S
        while b"started\n" not in self.said:
            if not self._turn(deadline):
                break
            if time.monotonic() > deadline:
                self.kill()
                return "the sandbox did not come up in time"
        if b"started\n" in self.said:
            return ""
        return "; ".join(self.log.last) or "the sandbox ended at once"

    # --- life -----------------------------------------------------------------------------------------------------

    def record(self) -> None:
        """Writes what the orchestrator needs to find this instance again."""
        known = self.spec["meta"] | {
            "pid": os.getpid(),
            "started": start_time(os.getpid()),
            "child": self.child,
            "child_started": start_time(self.child),
            "cgroups": self.spec["launch"]["cgroups"],
        }
        write_json(self.dir / "keeper.json", known)

    def run(self) -> None:
        """Serves until the sandbox has ended, then tells how."""
        while self._turn(self.kill_at):
            if self.kill_at is not None and time.monotonic() >= self.kill_at:
                self.kill()
        self.finish()

    def _turn(self, until: float | None) -> bool:
        """Handles what is ready; False when the sandbox has ended."""
        wait = None if until is None else max(0.0, until - time.monotonic())
        alive = True
        for key, _ in self.selector.select(wait):
            match key.data:
                case "stdout" | "stderr" as stream:
                    self._read_output(int(key.fd), stream)
                case "control":
                    self._hear()
                case "ended":
                    alive = False
                case "signal":
                    with contextlib.suppress(BlockingIOError):
                        key.fileobj.recv(64)  # type: ignore[union-attr]
                    self._stop()
                case "owner":
                    self.reason, self.orphan = "stopped", True
                    self.selector.unregister(key.fileobj)
                    self.kill()
        return alive

    def _read_output(self, descriptor: int, stream: str) -> bool:
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return False
        if not data:
            self.selector.unregister(descriptor)
            return False
        for line in self.splitters[stream].feed(data):
            self.log.write(stream, line)
        return True

    def _hear(self) -> None:
        try:
            data = self.control.recv(1024)
        except OSError:
            data = b""
        self.said += data
        if not data or len(self.said) > MAX_CONTROL:
            self.selector.unregister(self.control)

    def _stop(self) -> None:
        if self.kill_at is None:
            self.reason = "stopped"
            try:
                grace = float(json.loads((self.dir / "stop.json").read_text())["grace_s"])
            except (OSError, ValueError, KeyError):
                grace = 10.0
            self.kill_at = time.monotonic() + grace
            with contextlib.suppress(OSError):
                self.control.send(b"T")

    def kill(self) -> None:
        """Ends everything at once: the first process of a pid namespace takes the others with it."""
        self.kill_at = None if self.kill_at is None else time.monotonic() + 1.0
        if self.child_fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.child_fd, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.bwrap, signal.SIGKILL)

    # --- end ------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Collects the status, the rest of the output and the control groups, and writes exit.json."""
        _, raw = os.waitpid(self.bwrap, 0)
        self.kill()
        for key in list(self.selector.get_map().values()):
            if key.data in self.splitters:
                while self._read_output(int(key.fd), key.data):
                    pass
        if self.control.fileno() in self.selector.get_map():
            self._hear()
        for stream, splitter in self.splitters.items():
            for line in splitter.end():
                self.log.write(stream, line)
        self.log.close()
        groups = self.spec["launch"]["cgroups"]
        out_of_memory = cgroups.oom_kills(groups) > 0
        cgroups.kill_and_remove(groups)
        if self.orphan:  # the platform is gone, and with its last instance goes the group above
            for group in groups:
                with contextlib.suppress(OSError):
                    Path(group).parent.rmdir()
        status = self._status(os.waitstatus_to_exitcode(raw))
        self._write_exit(status, out_of_memory)
        for path in self.spec["sockets"].values():
            Path(path).unlink(missing_ok=True)
        # What overlayfs worked in has mode 0: without root, `rm -r` of the platform's directory would fail on it.
        with contextlib.suppress(OSError):
            (self.dir / "work/work").rmdir()

    def _status(self, of_bwrap: int) -> int:
        for line in self.said.decode("ascii", "replace").splitlines():
            word, _, value = line.partition(" ")
            if word == "exit" and value.lstrip("-").isdigit() and len(value) < 5:
                return int(value)
        return 128 - of_bwrap if of_bwrap > 128 else of_bwrap

    def _write_exit(self, status: int, out_of_memory: bool) -> None:
        if not self.reason:
            # A crash after the limit killed a helper process is a matter of memory too; a clean end is not.
            self.reason = "memory" if out_of_memory and status else "signal" if status < 0 else "exit"
        write_json(
            self.dir / "exit.json",
            {
                "reason": self.reason,
                "exit_status": status,
                "at_ms": time.time_ns() // 1_000_000,
                "last_lines": list(self.log.last),
            },
        )


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(256)
    return listener


def write_json(path: Path, value: Any) -> None:
    """Writes a file that readers see whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def main() -> None:
    """Reads the spec from stdin, detaches, starts the sandbox, says `{"pid"}` or `{"error"}` on stdout, and keeps."""
    order = sys.stdin.read()
    if not order:
        return  # started ahead (spare.py), and the orchestrator has ended
    spec = json.loads(order)
    if os.fork():
        os._exit(0)
    os.setsid()
    close_others()
    report = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    errors = os.open(Path(spec["dir"]) / "keeper.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor, onto in ((null, 0), (null, 1), (errors, 2)):
        os.dup2(descriptor, onto)
    os.chdir("/")
    keeper = Keeper(spec)
    keeper.record()  # already now: an orchestrator that dies while we start must find us
    try:
        problem = keeper.start()
    except OSError as error:
        problem = f"{error}"
    if not problem:
        keeper.record()
    os.write(report, json.dumps({"error": problem} if problem else {"pid": os.getpid()}).encode() + b"\n")
    os.close(report)
    if problem:
        if keeper.bwrap:
            keeper.kill()
        cgroups.kill_and_remove(spec["launch"]["cgroups"])
        sys.exit(1)
    keeper.run()
