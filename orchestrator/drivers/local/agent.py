"""The first process inside every sandbox: starts the tenant's command and is its door to the world.

It runs alone (`python -I -S`, standard library only, this one file bound into the sandbox: long because of that), as
the tenant's uid, and is PID 1 of the sandbox: it reaps orphans, and when it ends, everything in the sandbox ends. It

- reads its orders from the control socket: four bytes of length and a JSON object (`Orders`), so that no variable of
  the tenant reaches a program that runs before the uid is dropped, and none stands in an argument vector;
- starts the command in its own process group, with its own stdout and stderr;
- answers dials (ARCHITECTURE.md, "The dial protocol") on a listening socket that it inherits;
- runs further commands (`shipoff exec`) on another one: a framed JSON object `Command` comes in; `+` with descriptors
  goes back (a terminal's, or those of stdin, stdout and stderr), or `-` and a text; then `exit <status>` when it ended.
  A command whose client goes away is killed with its session;
- hands each connection to 127.0.0.1:<relay port> over to the platform's egress proxy as a descriptor, so that it
  copies no byte itself;
- sends SIGTERM to the command's group when the control socket says `T`, and ends with everything when it closes.

The tenant can take this process over (same uid): nothing in it is secret, and the platform's side trusts none of it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
from typing import Any, Final

DIAL_DEADLINE_S: Final = 5.0
MAX_DIALS: Final = 256
BACKLOG: Final = 1024
MAX_ORDERS: Final = 4 << 20
MAX_ASKED: Final = 128
MAX_COMMANDS: Final = 8
COMMAND_READ_S: Final = 2.0


def read_orders(control: socket.socket) -> dict[str, Any]:
    """The orders: command, cwd, env, rlimits [[number, limit]], port, egress, relay_port, instance.

    The port is 0 where there are no dials, `egress` a path or "", `instance` the id that dials may name.
    """
    raw = _exactly(control, struct.unpack("!I", _exactly(control, 4))[0])
    orders: dict[str, Any] = json.loads(raw)
    return orders


def _exactly(control: socket.socket, count: int) -> bytes:
    if count > MAX_ORDERS:
        raise SystemExit(125)
    raw = b""
    while len(raw) < count:
        if not (chunk := control.recv(count - len(raw))):
            raise SystemExit(125)
        raw += chunk
    return raw


def start(orders: dict[str, Any]) -> int:
    """Forks the command into its own process group under its limits; returns its pid."""
    pid = os.fork()
    if pid:
        with contextlib.suppress(PermissionError, ProcessLookupError):  # the child has set it already
            os.setpgid(pid, pid)
        return pid
    try:
        os.setpgid(0, 0)
        become(orders)
    finally:
        os._exit(127)


def become(orders: dict[str, Any]) -> None:
    """Becomes the command; returns only when it cannot be started, which it has said on stderr."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and that would be inherited
        signal.signal(number, signal.SIG_DFL)
    for number, limit in orders["rlimits"]:
        resource.setrlimit(number, (limit, limit))
    command = orders["command"]
    try:
        os.chdir(orders["cwd"])
        os.execvpe(command[0], command, orders["env"])  # noqa: S606 - this is its purpose
    except OSError as error:
        os.write(2, f"cannot start {command[0]} in {orders['cwd']}: {error.strerror}\n".encode())


class Command:
    """A further command in the sandbox, and the client that asked for it."""

    def __init__(self, client: socket.socket, asked: dict[str, Any]) -> None:
        self.client, self.asked = client, asked
        self.pid = 0

    def start(self, orders: dict[str, Any]) -> list[int]:
        """Forks it into a session of its own; returns the descriptors that are the client's."""
        inner, outer = self.terminal() if self.asked["tty"] else self.pipes()
        env = orders["env"] | ({"TERM": self.asked["term"]} if self.asked["tty"] else {})
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setsid()
                for number, descriptor in enumerate(inner):
                    os.dup2(descriptor, number)
                if self.asked["tty"]:
                    import fcntl
                    import termios

                    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
                become(orders | {"command": self.asked["command"], "env": env})
            finally:
                os._exit(127)
        for descriptor in set(inner):
            os.close(descriptor)
        return outer

    def terminal(self) -> tuple[list[int], list[int]]:
        """A terminal of the sandbox's own, of the size that was asked for."""
        import fcntl
        import termios

        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", self.asked["rows"], self.asked["cols"], 0, 0))
        return [slave] * 3, [master]

    def pipes(self) -> tuple[list[int], list[int]]:
        """Pipes for stdin, stdout and stderr."""
        (in_read, in_write), (out_read, out_write), (err_read, err_write) = os.pipe(), os.pipe(), os.pipe()
        return [in_read, out_write, err_write], [in_write, out_read, err_read]

    def kill(self) -> None:
        """Ends its whole session's first group; what it has sent to the background ends with the instance."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


class Dial:
    """One client that wants a connection to the app's port."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.deadline = time.monotonic() + DIAL_DEADLINE_S
        self.upstream: socket.socket | None = None
        self.hosts = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
        self.error = "ECONNREFUSED"


class Agent:
    """The loop: control, children, dials, commands, relays; what is registered is what to call."""

    def __init__(
        self, control: socket.socket, listener: socket.socket | None, commands: socket.socket | None = None
    ) -> None:
        self.control, self.listener, self.door = control, listener, commands
        self.orders: dict[str, Any] = {}
        self.commands: dict[int, Command] = {}
        self.selector = selectors.DefaultSelector()
        self.dials: set[Dial] = set()
        self.egress = ""
        self.port = 0
        self.instance = ""
        self.child = 0

    def run(self) -> int:
        """Carries out the orders; returns the command's status, negative for a signal."""
        orders = self.orders = read_orders(self.control)
        self.egress, self.port, self.instance = orders["egress"], orders["port"], orders.get("instance", "")
        children, wakeup = socket.socketpair()
        children.setblocking(False)
        wakeup.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.signal_group(signal.SIGTERM))
        self.selector.register(children, selectors.EVENT_READ, "children")
        self.selector.register(self.control, selectors.EVENT_READ, "control")
        if self.listener is not None:
            self.listener.setblocking(False)
            self.selector.register(self.listener, selectors.EVENT_READ, self.accept_dial)
        if self.door is not None:
            self.selector.register(self.door, selectors.EVENT_READ, self.accept_command)
        if self.egress:
            relay = socket.create_server(("127.0.0.1", orders["relay_port"]), backlog=BACKLOG)
            relay.setblocking(False)
            self.selector.register(relay, selectors.EVENT_READ, lambda: self.hand_over(relay))
        self.child = start(orders)
        self.control.sendall(b"started\n")
        return self.loop(children)

    def loop(self, children: socket.socket) -> int:
        """Serves until the command ends or the platform lets go."""
        while True:
            for key, _ in self.selector.select(1.0 if self.dials else None):
                if key.data == "children":
                    with contextlib.suppress(BlockingIOError):
                        children.recv(4096)
                    if (status := self.reap()) is not None:
                        return status
                elif key.data == "control":
                    if self.obey() is None:
                        return -signal.SIGKILL
                else:
                    key.data()
            self.expire()

    def reap(self) -> int | None:
        """Collects dead children; returns the command's status when it is among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 0
            if not pid:
                return None
            if pid == self.child:
                return os.waitstatus_to_exitcode(status)
            if (command := self.commands.pop(pid, None)) is not None:
                self.tell(command, os.waitstatus_to_exitcode(status))

    def obey(self) -> bool | None:
        """Reads one order: `T` is terminate; None when the platform's end is closed."""
        try:
            order = self.control.recv(1)
        except OSError:
            return None
        if order == b"T":
            self.signal_group(signal.SIGTERM)
        return True if order else None

    def signal_group(self, number: int) -> None:
        """Signals the command and whatever it started in its group."""
        if self.child:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child, number)

    # --- dials: in ------------------------------------------------------------------------------------------------

    def accept_dial(self) -> None:
        """Takes one client; past the bound it is closed at once, which the router reads as a failed dial."""
        if self.listener is None:
            return
        with contextlib.suppress(OSError):
            client, _ = self.listener.accept()
            if len(self.dials) >= MAX_DIALS:
                client.close()
                return
            client.setblocking(False)
            dial = Dial(client)
            self.dials.add(dial)
            self.selector.register(client, selectors.EVENT_READ, lambda: self.advance(dial))
            self.advance(dial)

    def advance(self, dial: Dial) -> None:
        """Moves a dial on as far as it goes without waiting: what is asked, connect to IPv4, then to IPv6, answer."""
        try:
            if dial.upstream is None:
                asked = dial.client.recv(MAX_ASKED)
                if not self.is_ours(asked):
                    dial.client.send(b"-another instance is here")
                    self.finish(dial)
                    return
                self.selector.unregister(dial.client)
                self.connect(dial)
            else:
                self.selector.unregister(dial.upstream)
                self.connected(dial, dial.upstream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        except BlockingIOError:
            return
        except OSError:
            self.finish(dial)

    def is_ours(self, asked: bytes) -> bool:
        """Whether a dial names this instance, or none: a router of before the ids sends the byte alone."""
        if asked[:1] != b"c":
            return False
        return asked == b"c" or not self.instance or asked == b"c" + self.instance.encode() + b"\n"

    def connect(self, dial: Dial) -> None:
        """Tries the next loopback address."""
        if not dial.hosts:
            dial.client.send(b"-" + dial.error.encode())
            self.finish(dial)
            return
        family, host = dial.hosts.pop(0)
        try:
            dial.upstream = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            number = dial.upstream.connect_ex((host, self.port))
        except OSError as error:  # no IPv6 here
            number = error.errno or errno.EAFNOSUPPORT
        if number == errno.EINPROGRESS and dial.upstream is not None:
            self.selector.register(dial.upstream, selectors.EVENT_WRITE, lambda: self.advance(dial))
        else:
            self.connected(dial, number)

    def connected(self, dial: Dial, number: int) -> None:
        """Hands the connected descriptor over, or goes on to the next address."""
        if number or dial.upstream is None:
            # The first refusal counts: "no IPv6" after "connection refused" would mislead.
            if len(dial.hosts) == 1:
                dial.error = errno.errorcode.get(number, str(number))
            if dial.upstream is not None:
                dial.upstream.close()
                dial.upstream = None
            self.connect(dial)
            return
        dial.upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        socket.send_fds(dial.client, [b"+"], [dial.upstream.fileno()])
        self.finish(dial)

    def finish(self, dial: Dial) -> None:
        """Closes both ends; a descriptor that was handed over lives on at the router."""
        self.dials.discard(dial)
        for end in (dial.client, dial.upstream):
            if end is not None:
                with contextlib.suppress(KeyError, ValueError):
                    self.selector.unregister(end)
                end.close()

    def expire(self) -> None:
        """Answers dials that took too long (an app whose accept queue is full)."""
        now = time.monotonic()
        for dial in [dial for dial in self.dials if dial.deadline < now]:
            with contextlib.suppress(OSError):
                dial.client.send(b"-ETIMEDOUT")
            self.finish(dial)

    # --- commands -------------------------------------------------------------------------------------------------

    def accept_command(self) -> None:
        """Starts one command for one client, which is the platform: it is waited for, but not for long."""
        if self.door is None:
            return
        with contextlib.suppress(OSError):
            client, _ = self.door.accept()
            client.settimeout(COMMAND_READ_S)
            try:
                self.begin(client)
            except (OSError, ValueError, KeyError, SystemExit) as error:
                with client:
                    client.send(f"-{error}".encode())

    def begin(self, client: socket.socket) -> None:
        """Reads what is asked, starts it and hands its descriptors over."""
        command = Command(client, read_orders(client))
        if len(self.commands) >= MAX_COMMANDS:
            raise ValueError(f"{MAX_COMMANDS} commands run in this instance already")
        descriptors = command.start(self.orders)
        self.commands[command.pid] = command
        socket.send_fds(client, [b"+"], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self.selector.register(client, selectors.EVENT_READ, lambda: self.hear(command))

    def hear(self, command: Command) -> None:
        """A client says nothing more: what can be read is its end."""
        self.selector.unregister(command.client)
        command.client.close()
        command.kill()

    def tell(self, command: Command, status: int) -> None:
        """Tells a client how its command ended; one that has gone does not hear it."""
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(command.client)
        with contextlib.suppress(OSError), command.client:
            command.client.send(f"exit {status}\n".encode())

    # --- relay: out -----------------------------------------------------------------------------------------------

    def hand_over(self, relay: socket.socket) -> None:
        """Gives one outgoing connection to the egress proxy; without the proxy it is closed."""
        with contextlib.suppress(OSError):
            connection, _ = relay.accept()
            with connection, socket.socket(socket.AF_UNIX) as proxy:
                proxy.settimeout(2.0)
                proxy.connect(self.egress)
                socket.send_fds(proxy, [b"c"], [connection.fileno()])


def main() -> None:
    """`agent.py control=FD [dials=FD] [commands=FD]`."""
    inherited = {}
    for argument in sys.argv[1:]:
        name, _, descriptor = argument.partition("=")
        os.set_inheritable(int(descriptor), False)
        inherited[name] = socket.socket(fileno=int(descriptor))
    control = inherited["control"]
    status = Agent(control, inherited.get("dials"), inherited.get("commands")).run()
    with contextlib.suppress(OSError):
        control.sendall(f"exit {status}\n".encode())
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
