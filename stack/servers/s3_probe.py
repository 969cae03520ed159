"""One signed PUT, to ask an S3 server whether it takes objects.

Not botocore: it would cost the process that supervises everything 40 MB for this one request.
Source: AWS Signature Version 4, "Authenticating Requests (Authorization Header)".
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

PROBE_S: Final = 0.7
_SIGNED: Final = "host;x-amz-content-sha256;x-amz-date"


@dataclass(frozen=True, slots=True)
class S3Probe:
    """Asks one server (plain http, loopback).

    Attributes:
        endpoint: its URL.
        access_key: public half of the credentials.
        secret_key: secret half.
        region: as the server wants it in signatures.
    """

    endpoint: str
    access_key: str
    secret_key: str
    region: str

    async def put(self, bucket: str, key: str, body: bytes) -> str:
        """Writes an object; returns "" or what went wrong."""
        address = urlsplit(self.endpoint)
        head = self._head(f"/{bucket}/{key}", body, address.netloc)
        try:
            async with asyncio.timeout(PROBE_S):
                status = await _exchange(address.hostname or "", address.port or 80, head + body)
        except (OSError, TimeoutError) as error:
            return f"no answer: {error!r}"
        return "" if status == "200" else f"a test object was answered with status {status or '(none)'}"

    def _head(self, path: str, body: bytes, host: str) -> bytes:
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": at}
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"PUT\n{path}\n\n{lines}\n{_SIGNED}\n{digest}"
        scope = f"{at[:8]}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={_SIGNED}, Signature={signature}"
        )
        headers |= {"content-length": str(len(body)), "connection": "close"}
        return f"PUT {path} HTTP/1.1\r\n".encode() + b"".join(
            f"{name}: {value}\r\n".encode() for name, value in headers.items()
        ) + b"\r\n"  # fmt: skip


async def _exchange(host: str, port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        parts = (await reader.readline()).split()
    finally:
        writer.close()
    return parts[1].decode(errors="replace") if len(parts) > 1 else ""
