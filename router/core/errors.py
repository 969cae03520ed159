"""Every way in which the router itself answers a request, with its stable code.

The code stands in the `X-Shipoff-Error` header, the page, the access log and the metric `router_errors_total`.
"""

from __future__ import annotations

from typing import Final

from kernel.errors import ErrorKind, define

RETRY: Final = "try again in a moment"
BAD_REQUEST = define(
    "BAD_REQUEST", source="client", status=400, hint="the request breaks RFC 9112; correct the program that sent it"
)
BAD_HOST = define("BAD_HOST", source="client", status=400, hint="send one valid Host header")
AUTHENTICATION_REQUIRED = define(
    "AUTHENTICATION_REQUIRED", source="client", status=401, hint="send the name and password of this site"
)
ADDRESS_REFUSED = define(
    "ADDRESS_REFUSED", source="client", status=403, hint="this site is open to some addresses only; ask its owner"
)
CONTENT_TOO_LARGE = define("CONTENT_TOO_LARGE", source="client", status=413, hint="send less at once")
RATE_LIMITED = define(
    "RATE_LIMITED", source="client", status=429, retryable=True, hint="send fewer requests; Retry-After says when"
)
NO_ROUTE = define(
    "NO_ROUTE", source="client", status=404, hint="check the address, or add this domain to a project and deploy it"
)
NOT_IN_RELEASE = define("NOT_IN_RELEASE", source="client", status=404, hint="check the address")
METHOD_REFUSED = define("METHOD_REFUSED", source="client", status=405, hint="use GET or HEAD here")
CLIENT_TIMEOUT = define("CLIENT_TIMEOUT", source="client", status=408, hint="send the request without long pauses")
TARGET_TOO_LONG = define("TARGET_TOO_LONG", source="client", status=414, hint="shorten the address")
RANGE_UNSATISFIABLE = define("RANGE_UNSATISFIABLE", source="client", status=416, hint="ask for a range inside the file")
EXPECTATION_FAILED = define("EXPECTATION_FAILED", source="client", status=417, hint="expect only 100-continue")
MISDIRECTED = define(
    "MISDIRECTED",
    source="client",
    status=421,
    hint="open another connection for this host, and show the client certificate that it asks for",
)
PLAIN_HTTP = define("PLAIN_HTTP", source="client", status=400, hint="this port speaks TLS: use https://")
PROXY_HEADER_INVALID = define(
    "PROXY_HEADER_INVALID", source="client", status=400, hint="the load balancer must send one PROXY header, v1 or v2"
)
CLIENT_HELLO_INVALID = define("CLIENT_HELLO_INVALID", source="client", status=400, hint="speak TLS 1.2 or 1.3 here")
HEAD_TOO_LARGE = define("HEAD_TOO_LARGE", source="client", status=431, hint="send fewer or smaller headers and cookies")
CODING_UNSUPPORTED = define(
    "CODING_UNSUPPORTED", source="client", status=501, hint="send the body as it is or chunked, without another coding"
)
VERSION_UNSUPPORTED = define("VERSION_UNSUPPORTED", source="client", status=505, hint="speak HTTP/1.1")

UPSTREAM_REFUSED = define(
    "UPSTREAM_REFUSED",
    source="upstream",
    status=502,
    retryable=True,
    hint="the app accepts no connection; see its logs",
)
UPSTREAM_CLOSED = define(
    "UPSTREAM_CLOSED", source="upstream", status=502, retryable=True, hint="the app closed the connection; see its logs"
)
UPSTREAM_INVALID = define(
    "UPSTREAM_INVALID", source="upstream", status=502, hint="the app's answer breaks RFC 9112; see its logs"
)
RETRIES_SPENT = define(
    "RETRIES_SPENT",
    source="upstream",
    status=502,
    retryable=True,
    hint="many requests of the app fail at once, so this one was not tried again; see its logs",
)
NO_CONNECTION = define(
    "NO_CONNECTION", status=503, retryable=True, hint="the router can open no more connections; its operator must look"
)
NO_INSTANCE = define(
    "NO_INSTANCE", source="upstream", status=503, retryable=True, hint="no instance of the app runs; see its logs"
)
QUEUE_FULL = define(
    "QUEUE_FULL", source="upstream", status=503, retryable=True, hint="the app has more requests than it can take"
)
QUEUE_TIMEOUT = define(
    "QUEUE_TIMEOUT", source="upstream", status=503, retryable=True, hint="every instance of the app is busy"
)
ASLEEP = define("ASLEEP", source="platform", status=503, retryable=True, hint="the app is asleep and will be woken")
HOLD_FULL = define(
    "HOLD_FULL", source="platform", status=503, retryable=True, hint="too many requests wait for the app to wake up"
)
HOLD_TIMEOUT = define(
    "HOLD_TIMEOUT", source="platform", status=503, retryable=True, hint="the app is still waking up; see its logs"
)
MAINTENANCE = define("MAINTENANCE", source="upstream", status=503, retryable=True, hint="the site's owner will be back")
UPSTREAM_TIMEOUT = define(
    "UPSTREAM_TIMEOUT",
    source="upstream",
    status=504,
    retryable=True,
    hint="see the app's logs; an answer that takes long by nature can be given more time",
)
NOT_CACHED = define(
    "NOT_CACHED", source="client", status=504, retryable=True, hint="ask again without Cache-Control: only-if-cached"
)

FILES_UNAVAILABLE = define("FILES_UNAVAILABLE", status=503, retryable=True, hint=RETRY)
FILE_MISSING = define("FILE_MISSING", status=502, hint="deploy the site again; this release has lost a file")
STARTING = define("STARTING", status=503, retryable=True, hint=RETRY)


class Refused(Exception):
    """A message that cannot be taken.

    Attributes:
        kind: of the answer.
        detail: what is wrong, one sentence.
        lines: header lines that this answer needs beside the usual ones.
    """

    def __init__(self, kind: ErrorKind, detail: str, lines: bytes = b"") -> None:
        super().__init__(f"{kind.code}: {detail}")
        self.kind = kind
        self.detail = detail
        self.lines = lines
