"""The bytes of requests, made before the clock runs."""

from __future__ import annotations

from typing import Final

from bench.load.scenario import Request
from bench.load.target import Target

_OWN: Final = frozenset(("host", "content-length", "transfer-encoding", "connection"))
_MOST_BYTES: Final = 33_554_432


def payloads(request: Request, target: Target) -> list[bytes]:
    """One request for each variant; fewer when they would take more than 32 MB."""
    body = b"b" * request.body_bytes
    count = max(1, min(request.variants, _MOST_BYTES // (len(body) + 512)))
    return [_head(request, target, number) + body for number in range(count)]


def _head(request: Request, target: Target, number: int) -> bytes:
    fill = str(number)
    lines = [f"{request.method} {request.path.replace('{n}', fill)} HTTP/1.1"]
    lines.append(f"Host: {(request.host or target.host).replace('{n}', fill)}")
    lines += [f"{name}: {value.replace('{n}', fill)}" for name, value in request.headers.items()]
    if not any(name.lower() == "user-agent" for name in request.headers):
        lines.append("User-Agent: shipoff-bench-load")
    if request.body_bytes or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {request.body_bytes}")
    return "\r\n".join((*lines, "", "")).encode("latin-1")
