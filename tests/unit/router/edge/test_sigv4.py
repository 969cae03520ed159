"""The signature, against the example in Amazon's own documentation's algorithm, and the cache's bound."""

from __future__ import annotations

from datetime import UTC, datetime

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from router.edge.cache import ByteCache
from router.edge.sigv4 import object_path, sign_get


def test_it_signs_as_botocore_does() -> None:
    for key in ("releases/rel_1/manifest.json", "static/prj/odd name+ü~(1).txt"):
        path = object_path("bucket", key)
        request = AWSRequest("GET", f"http://127.0.0.1:9000{path}", headers={"X-Amz-Content-SHA256": "x"})
        S3SigV4Auth(Credentials("access", "secret"), "s3", "eu-west-1").add_auth(request)
        now = datetime.strptime(request.context["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        ours = sign_get("127.0.0.1:9000", path, now, "eu-west-1", "access", "secret")
        assert ours["x-amz-date"] == request.context["timestamp"]
        assert _signed(ours["authorization"]) == _signed(request.headers["Authorization"])


def _signed(header: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in header.replace("AWS4-HMAC-SHA256", "").split(","))


def test_the_least_recently_used_go_when_it_is_full() -> None:
    cache: ByteCache[bytes] = ByteCache(10)
    cache.put("a", b"aaaa", 4)
    cache.put("b", b"bbbb", 4)
    assert cache.get("a") == b"aaaa"
    cache.put("c", b"cccc", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"aaaa", None, b"cccc")
    cache.put("d", b"x" * 11, 11)
    assert cache.get("d") is None
    assert len(cache) == 2
