"""A real git server: git's own http-backend behind Python's server."""

from __future__ import annotations

import base64
import http.server
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.build.fetch import SERVICE_USER

# environ: git, run by a test, needs this process's PATH.
TOKEN = "service-token-77"
SHOWN = "Basic " + base64.b64encode(f"{SERVICE_USER}:{TOKEN}".encode()).decode()


class Remote:
    """One repository, served at `<url>/git/<name>.git`.

    Args:
        root: of the server.
        name: of the repository.
    """

    def __init__(self, root: Path, name: str = "demo") -> None:
        self.work, self.bare = root / "work" / name, root / "git" / f"{name}.git"
        self.work.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("init", "-q", "--bare", str(self.bare), cwd=root)
        self.url = ""
        self.authorizations: list[str] = []

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Runs git; returns what it printed."""
        env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=cwd or self.work, env=env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str], ref: str = "refs/heads/main") -> str:
        """Commits files and pushes them to a ref; returns the commit."""
        for name, text in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x", "--date=2024-01-01T00:00:00Z")
        self.git("push", "-q", str(self.bare), f"+HEAD:{ref}")
        return self.git("rev-parse", "HEAD")

    def link(self, path: str, url: str, commit: str) -> None:
        """Adds a submodule to the index, as `git submodule add` does, without fetching it."""
        modules = self.work / ".gitmodules"
        known = modules.read_text() if modules.exists() else ""
        modules.write_text(f'{known}[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
        (self.work / path).mkdir(parents=True, exist_ok=True)
        self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")


@contextmanager
def served(root: Path, shown: str, seen: list[str], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serves the repositories below `<root>/git`; yields the port.

    Args:
        root: GIT_PROJECT_ROOT.
        shown: what the Authorization header must be.
        seen: gets the header of each request.
        tls: for https, on all addresses of this machine.
    """
    backend = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # whose bodies have a length, so that TLS need not be closed politely to end one

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def answer(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            if seen[-1] != shown:
                self.send_error(401)
                return
            done = subprocess.run(
                [f"{backend}/git-http-backend"],
                input=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
                env=_environment(root, self),
                capture_output=True,
                check=False,
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
            self.send_response(next((int(value[:3]) for name, value in lines if name == "Status"), 200))
            for name, value in lines:
                if name != "Status":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1" if tls is None else "0.0.0.0", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _environment(root: Path, request: http.server.BaseHTTPRequestHandler) -> dict[str, str]:
    path, _, query = request.path.partition("?")
    return {
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.command,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": request.headers.get("Content-Length", "0"),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "PATH": os.defpath,
    }
