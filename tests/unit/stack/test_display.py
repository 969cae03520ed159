"""What a start prints where there is no terminal, and what a detached one tells."""

from __future__ import annotations

import io
import os

import orjson

from stack.display import PipeDisplay, PlainDisplay

SUMMARY = {
    "seconds": 2.5,
    "dir": "/state",
    "gateway": "http://127.0.0.1:8000",
    "apps": "http://<project>.localhost:8080",
    "mails": "/state/mails",
    "projects": {"blog": "http://blog.localhost:8080"},
    "email": "owner@localhost",
    "token": "shp_x",
}


def test_plain_lines_tell_what_matters() -> None:
    out = io.StringIO()
    display = PlainDisplay(out)
    for state in ("starting", "ready", "stopping"):
        display.unit("auth", state)
    display.unit("router", "failed")
    display.summary(SUMMARY)
    lines = out.getvalue().splitlines()
    assert [line.partition("] ")[2] for line in lines[:2]] == ["auth ready", "router FAILED"]
    assert "http://blog.localhost:8080" in out.getvalue()
    assert "  mails              /state/mails" in out.getvalue()
    assert "shp_x" in out.getvalue()


def test_a_later_start_prints_no_token() -> None:
    out = io.StringIO()
    PlainDisplay(out).summary({**SUMMARY, "token": "", "projects": {}})
    assert "token" not in out.getvalue()


def test_a_detached_start_goes_on_when_nobody_listens() -> None:
    read, write = os.pipe()
    display = PipeDisplay(write)
    display.unit("auth", "ready")
    assert orjson.loads(os.read(read, 4096)) == {"unit": "auth", "state": "ready"}
    os.close(read)
    display.say("more")
    display.summary(SUMMARY)
