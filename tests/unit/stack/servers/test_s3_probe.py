"""The signature is the one that AWS' own library makes."""

from __future__ import annotations

import re
import time

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stack.servers.s3_probe import S3Probe


def test_a_put_is_signed_as_botocore_signs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.gmtime(1_700_000_000)
    monkeypatch.setattr(time, "gmtime", lambda *_: now)
    head = S3Probe("http://127.0.0.1:8333", "access", "secret", "us-east-1")._head("/b/.ready", b"hi", "127.0.0.1:8333")
    sent = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:] if ": " in line)

    request = AWSRequest("PUT", "http://127.0.0.1:8333/b/.ready", data=b"hi", headers={"Host": "127.0.0.1:8333"})
    auth = S3SigV4Auth(Credentials("access", "secret"), "s3", "us-east-1")
    request.context["timestamp"] = sent["x-amz-date"]
    request.headers["X-Amz-Content-SHA256"] = sent["x-amz-content-sha256"]
    request.headers["X-Amz-Date"] = sent["x-amz-date"]
    text = auth.string_to_sign(request, auth.canonical_request(request))
    wanted = auth.signature(text, request)
    found = re.search(r"Signature=([0-9a-f]+)", sent["authorization"])
    assert found is not None
    assert found[1] == wanted
