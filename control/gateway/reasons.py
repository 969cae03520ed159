"""What a router's code means, in a sentence for whoever asks why a request was answered so.

One for each code with which a router answers instead of an app (docs/errors.md has their hints).
"""

from __future__ import annotations

from typing import Final

REASONS: Final = {
    "ADDRESS_REFUSED": "the rules `allow` and `deny` of the route keep the client's address out",
    "ASLEEP": "the app slept, and a browser was told to load the page again while it wakes",
    "AUTHENTICATION_REQUIRED": "the route asks for a name and a password, and none that fits was sent",
    "BAD_HOST": "the Host header was none",
    "BAD_REQUEST": "the request broke HTTP's grammar, so that two readers could read it differently",
    "CLIENT_HELLO_INVALID": "the TLS handshake did not begin as one",
    "CLIENT_TIMEOUT": "the client did not send its request in time",
    "CODING_UNSUPPORTED": "the body came in a transfer coding other than chunked",
    "CONTENT_TOO_LARGE": "the body was larger than the route's rule `max_body` allows",
    "EXPECTATION_FAILED": "the request expected something else than 100-continue",
    "FILES_UNAVAILABLE": "the object store of static files could not be reached",
    "FILE_MISSING": "the release names a file that the object store does not have",
    "HEAD_TOO_LARGE": "headers and cookies together were too large",
    "HOLD_FULL": "the app had no instance, and as many requests as may wait for one waited already",
    "HOLD_TIMEOUT": "the app was being woken, and was not ready within the time that a request waits for it",
    "MAINTENANCE": "the route is closed for maintenance",
    "METHOD_REFUSED": "static files are asked for with GET and HEAD only",
    "MISDIRECTED": "the TLS connection was made for another host, or without the client certificate of this one",
    "NOT_CACHED": "only a stored answer was wanted, and there was none",
    "NOT_IN_RELEASE": "the release has no file of this path",
    "NO_CONNECTION": "the router had as many connections open as it may have",
    "NO_INSTANCE": "no instance of the release ran: it crashed, or the next one was not ready in time",
    "NO_ROUTE": "no route has this host and path",
    "PLAIN_HTTP": "plain HTTP was spoken where TLS is",
    "PROXY_HEADER_INVALID": "the load balancer's PROXY header was none",
    "QUEUE_FULL": "every instance was busy, and as many requests as may wait waited already",
    "QUEUE_TIMEOUT": "every instance was busy for as long as a request may wait",
    "RANGE_UNSATISFIABLE": "the range lies outside of the file",
    "RATE_LIMITED": "the client sent more requests than the route's rule `rate_limit` lets through",
    "RETRIES_SPENT": "the app failed, and so many of its requests were being sent again that this one was not",
    "STARTING": "the router was starting",
    "TARGET_TOO_LONG": "the address was too long",
    "UPSTREAM_CLOSED": "the app closed the connection before it answered, and the request could not be sent again",
    "UPSTREAM_INVALID": "the app's answer broke HTTP's grammar",
    "UPSTREAM_REFUSED": "no instance of the release accepted a connection",
    "UPSTREAM_TIMEOUT": "the app did not begin to answer in time",
    "VERSION_UNSUPPORTED": "the request was not HTTP/1.0 or 1.1",
}


def reason(code: str) -> str:
    """Why, or the code itself when a newer router has one that is unknown here."""
    return REASONS.get(code, f"the router says {code}")
