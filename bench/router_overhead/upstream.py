"""The app behind every proxy: an nginx on the load's core that answers from memory, and an echo behind it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from bench.router_overhead.processes import Process, cores, free_port, wait_for
from bench.router_overhead.programs import needed

SIZES: Final = {"1k": 1024, "100k": 102_400, "10m": 10_485_760}
_ROOT: Final = Path(__file__).parents[2]


class App:
    """A running upstream.

    Attributes:
        port: where it listens: `/` and any unknown path give 1 KB, `/100k` and `/10m` what they say,
            `/kept` 1 KB that may be cached, `/upload` reads a
            whole body before it answers (an nginx that returns a text would not), `/echo` is a WebSocket.
    """

    def __init__(self, directory: Path, install: bool = True) -> None:
        self.port = free_port()
        self._running: list[Process] = []
        home = directory / "upstream"
        home.mkdir()
        for name, size in SIZES.items():
            (home / name).write_bytes(b"x" * size)
        echo = free_port()
        (home / "nginx.conf").write_text(_config(home, self.port, echo))
        nginx = [needed("nginx", install), "-c", f"{home}/nginx.conf", "-e", "stderr"]
        try:
            self._start(home / "echo.log", echo, [sys.executable, "-m", "bench.load.demo", str(echo)])
            self._start(home / "log", self.port, nginx)
        except BaseException:
            self.stop()
            raise

    def _start(self, path: Path, port: int, argv: list[str]) -> None:
        with path.open("wb") as log:
            self._running.append(Process(argv, cores()[1], log, {"PYTHONPATH": str(_ROOT)}))
        wait_for(port, self._running[-1], path)

    def stop(self) -> None:
        """Ends it."""
        while self._running:
            self._running.pop().stop()


def _config(home: Path, port: int, echo: int) -> str:
    user = "user root;" if os.geteuid() == 0 else ""  # the files lie in a directory of nobody else
    return f"""
daemon off; {user} worker_processes 1; pid {home}/pid; error_log stderr;
events {{ worker_connections 8000; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_max_body_size 0; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  open_file_cache max=16;
  upstream self {{ server 127.0.0.1:{port}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type text/plain; return 200 "{"x" * SIZES["1k"]}"; }}
    location = /kept {{
      default_type text/plain; add_header Cache-Control "public, max-age=3600"; return 200 "{"x" * SIZES["1k"]}";
    }}
    location = /100k {{ root {home}; }}
    location = /10m {{ root {home}; }}
    location = /upload {{
      client_body_buffer_size 11m; proxy_pass http://self/read; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass_request_body off; proxy_set_header Content-Length "";
    }}
    location = /echo {{
      proxy_pass http://127.0.0.1:{echo}; proxy_http_version 1.1; proxy_read_timeout 600s;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
  }}
}}
"""
