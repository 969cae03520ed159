"""A running platform, a developer with the real git in front of it, and visitors of what is served."""

# environ: git and the platform run with the environment of whoever runs the tests.

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"
SHIPOFF = [sys.executable, "-m", "stack.cli.main"]


@dataclass(frozen=True)
class Answer:
    """What the router answered."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Platform:
    """A running stack."""

    directory: Path
    gateway: str
    router: str
    token: str

    def status(self) -> dict[str, Any]:
        """`shipoff status --json`."""
        command = [*SHIPOFF, "status", "--json", "--dir", str(self.directory)]
        # Its exit status says whether all is well, which some tests make untrue.
        done = subprocess.run(command, check=False, capture_output=True, timeout=30)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def pid(self, service: str) -> int:
        """A service's process, as status shows it now."""
        return next(int(s["pid"]) for s in self.status()["services"] if s["name"] == service)

    def call(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, Any]:
        """One REST call; its status and JSON body."""
        host, _, port = self.gateway.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        if answer.headers.get_content_type() == "application/x-ndjson":
            return answer.status, [json.loads(line) for line in raw.splitlines()]
        return answer.status, json.loads(raw) if raw else None

    def project(self, name: str, **settings: object) -> None:
        """Creates a project."""
        status, body = self.call("POST", "/v1/projects", {"name": name, **settings})
        assert status == 201, body

    def get(self, project: str, path: str = "/", **headers: str) -> Answer:
        """Asks the router for a page of a project, over a connection of its own."""
        connection = self.connect()
        try:
            return ask(connection, project, path, **headers)
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the router."""
        host, _, port = self.router.removeprefix("http://").partition(":")
        return http.client.HTTPConnection(host, int(port), timeout=30)

    def deployments(self, project: str) -> list[dict[str, Any]]:
        """Newest first."""
        _, body = self.call("GET", f"/v1/projects/{project}/deployments")
        found: list[dict[str, Any]] = body["deployments"]
        return found

    def finished(self, project: str, deployment_id: str, within_s: float = 60.0) -> dict[str, Any]:
        """Waits until a deployment has its answer, and returns it."""
        give_up = time.monotonic() + within_s
        while time.monotonic() < give_up:
            _, deployment = self.call("GET", f"/v1/projects/{project}/deployments/{deployment_id}")
            if deployment["state"] not in ("QUEUED", "BUILDING", "PROVISIONING"):
                return dict(deployment)
            time.sleep(0.05)
        raise AssertionError(f"{deployment_id} never ended")

    def build_log(self, project: str, deployment_id: str) -> str:
        """What a deployment's log says."""
        _, lines = self.call("GET", f"/v1/projects/{project}/logs?source=build&tail=1000&deployment={deployment_id}")
        return "\n".join(line["text"] for line in lines)


def ask(connection: http.client.HTTPConnection, project: str, path: str = "/", **headers: str) -> Answer:
    """One request for a project's page."""
    connection.request("GET", path, headers={"Host": f"{project}.localhost", **headers})
    answer = connection.getresponse()
    return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode(errors="replace"))


@dataclass
class Pushed:
    """How a push ended: git's exit status and all that it printed."""

    status: int
    output: str


class Repository:
    """A developer's working copy with a project's remote."""

    def __init__(self, platform: Platform, project: str, directory: Path) -> None:
        self.platform, self.project, self.directory = platform, project, directory
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "shipoff", f"{platform.gateway}/git/{project}.git")
        self.commit("first")

    def git(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs git here."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        helper = "!f() { echo username=x; echo password=$SHIPOFF_TOKEN; }; f"
        env |= {"SHIPOFF_TOKEN": self.platform.token, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        identity = ["-c", "user.name=Dev", "-c", "user.email=dev@localhost"]
        return subprocess.run(
            ["git", *identity, "-c", "credential.helper=", "-c", f"credential.helper={helper}", *arguments],
            cwd=self.directory, env=env, check=check, text=True, capture_output=True, timeout=540,
        )  # fmt: skip

    def write(self, path: str, text: str) -> None:
        """Writes a file."""
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        """Changes a text that stands once in a file."""
        target = self.directory / path
        text = target.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        target.write_text(text.replace(old, new))

    def commit(self, message: str) -> None:
        """Commits everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def push(self, branch: str = "main") -> Pushed:
        """Pushes and waits for the deployment, as git does."""
        done = self.git("push", "shipoff", branch, check=False)
        return Pushed(done.returncode, done.stdout + done.stderr)


@dataclass
class Visitors:
    """Clients that ask for a page over and over until stopped, each on a keep-alive connection."""

    platform: Platform
    project: str
    path: str = "/"
    clients: int = 3
    answers: int = 0
    failures: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    marks: tuple[str, ...] = ()
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Visitors:
        self._threads = [threading.Thread(target=self._visit, daemon=True) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(40)
            assert not thread.is_alive()

    def _visit(self) -> None:
        connection = self.platform.connect()
        while not self._stop.is_set():
            try:
                answer = ask(connection, self.project, self.path)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{time.monotonic():.3f} {type(error).__name__}: {error}")
                connection.close()
                continue
            self.answers += 1
            if answer.status != 200:
                self.failures.append(f"{time.monotonic():.3f} {answer.status} {answer.text[:200]}")
            self.seen |= {mark for mark in self.marks if mark in answer.text}
            time.sleep(0.005)
        connection.close()


def processes_under(directory: Path) -> list[int]:
    """Processes whose command line, environment or working directory names the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            named = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            named += os.fsencode((entry / "cwd").readlink())
        except OSError:
            continue
        if str(directory).encode() in named:
            found.append(int(entry.name))
    return found
