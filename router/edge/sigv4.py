"""Signs GETs for S3 (AWS Signature Version 4), nothing else: the router only reads, and botocore costs 40 MB."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

_EMPTY: Final = hashlib.sha256(b"").hexdigest()


def sign_get(host: str, path: str, now: datetime, region: str, access_key: str, secret_key: str) -> Mapping[str, str]:
    """The headers that authorise a GET.

    Args:
        host: as in the Host header, with the port unless it is the scheme's own.
        path: percent-encoded as it stands in the request line.
        now: UTC.
        region, access_key, secret_key: the bucket's region and whose right to read it is.

    Source: docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    signed = {"host": host, "x-amz-content-sha256": _EMPTY, "x-amz-date": stamp}
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = f"GET\n{path}\n\n{lines}\n{names}\n{_EMPTY}"
    scope = f"{day}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {"x-amz-content-sha256": _EMPTY, "x-amz-date": stamp, "authorization": credential}


def object_path(bucket: str, key: str) -> str:
    """The request path of an object, path style."""
    return "/" + quote(f"{bucket}/{key}", safe="/-_.~")
