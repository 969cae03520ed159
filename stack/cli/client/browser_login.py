"""Signing in with the browser (RFC 8252): it brings the answer to a port of ours on loopback.

What comes there is a code, which is of use only with the verifier that we keep (RFC 7636), and is taken only with the
state that we gave along.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import queue
import secrets
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from stack.cli.client import wire
from stack.cli.client.failures import Exit, Failure

WAIT_S: Final = 300.0
READ_S: Final = 5.0  # browsers open connections that they may never use
_ASK: Final = """sign in with your browser; if none opens, open

    {page}

(to give an API token instead: shipoff login --token)"""
_PAGE: Final = (
    "<!doctype html><meta charset=utf-8><title>Shipoff</title>"
    "<p style='font:16px/1.5 system-ui,sans-serif;margin:20vh auto;max-width:24rem'>{text}</p>"
)
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Connection": "close",
}


def can_open() -> bool:
    """Whether there is a browser that we could open."""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def sign_in(url: str, name: str) -> Any:
    """Opens the platform's page and waits for the answer.

    Args:
        url: of the platform.
        name: what the page calls us.

    Returns:
        The tokens of the new session.

    Raises:
        Failure: LOGIN_REFUSED, LOGIN_TIMED_OUT, PLATFORM_UNREACHABLE.
    """
    verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with _listening(state) as (port, answers):
        asked = urlencode({"challenge": challenge, "port": port, "state": state, "name": name})
        page = f"{url}/login/cli?{asked}"
        print(_ASK.format(page=page), file=sys.stderr, flush=True)
        webbrowser.open(page)
        try:
            told = answers.get(timeout=WAIT_S)
        except queue.Empty:
            hint = "shipoff login once more; without a browser here: shipoff login --no-browser"
            raise Failure("LOGIN_TIMED_OUT", "nobody signed in with the browser", hint, Exit.AUTH) from None
    if "code" not in told:
        raise Failure("LOGIN_REFUSED", "the sign-in was refused in the browser", "", Exit.AUTH)
    return wire.call(url, "POST", "auth/oauth/token", body={"code": told["code"], "verifier": verifier})


@contextmanager
def _listening(state: str) -> Iterator[tuple[int, queue.Queue[dict[str, str]]]]:
    """A server on a free port of loopback for the length of the block; the first answer with the state comes out."""
    answers: queue.Queue[dict[str, str]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = READ_S

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            given = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if parts.path != "/callback":
                self._say(404, "There is nothing here.")
            elif not hmac.compare_digest(given.get("state", "").encode(), state.encode()):
                self._say(400, "This is not the answer that shipoff waits for.")
            else:
                answers.put(given)
                told = "You are signed in." if "code" in given else "You are not signed in."
                self._say(200, f"{told} You can close this page.")

        def _say(self, status: int, text: str) -> None:
            body = _PAGE.format(text=text).encode()
            self.send_response(status)
            for header, value in {**_HEADERS, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: what is asked for holds the code."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, name="login", daemon=True)
    thread.start()
    try:
        yield server.server_port, answers
    finally:
        server.shutdown()
        server.server_close()
