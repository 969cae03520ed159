"""Requests as they stand at their end, for what counts and notes them."""

from __future__ import annotations

from typing import Any

from router.core.balance import Endpoint
from router.core.head import read_request
from router.core.records import Route
from router.core.request import ANSWER, APP, DONE, SENT, Request

HEAD = b"GET /a?b=c HTTP/1.1\r\nHost: app.test\r\n\r\n"
RECORD = {
    "host": "app.test",
    "kind": "dynamic",
    "release": "rel_1",
    "project": "prj_1",
    "environment": "production",
}


def ended(seconds: float = 0.01, head: bytes = HEAD, **values: Any) -> Request:
    """A request of the app's that began at 0 and was answered half-way to its end."""
    read = read_request(head)
    assert read is not None
    request = Request(read, b"0123456789abcdef", 0.0)
    request.route = Route(RECORD)
    request.release = "rel_1"
    request.endpoint = Endpoint("tcp:127.0.0.1:1", "ins_1")
    request.attempts = 1
    for phase in (SENT, ANSWER, DONE):
        request.move(phase)
    request.kind = APP
    request.status = 200
    request.first = seconds / 2
    request.sent = 7
    for name, value in values.items():
        setattr(request, name, value)
    return request
