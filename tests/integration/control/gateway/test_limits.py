"""Who sends too much is told so and when to come back; without Redis too."""

from __future__ import annotations

import aiohttp
import pytest

from control.gateway.frame.limits import IN_MEMORY, Limiter
from kernel.errors import ShipoffError
from kernel.streams import connect
from stack.ports import free_ports
from tests.integration.control.gateway.conftest import DASHBOARD, Start


async def test_a_bucket_fills_and_says_when_to_come_back(redis_url: str) -> None:
    redis = connect(redis_url)
    limiters = [Limiter(redis), Limiter(redis)]  # two gateways count together
    standings = [await limiters[turn % 2].hit("credential", "tok_1", 4) for turn in range(4)]
    assert [one.remaining for one in standings] == [3, 2, 1, 0]
    with pytest.raises(ShipoffError, match="TOO_MANY_REQUESTS") as refused:
        await limiters[0].hit("credential", "tok_1", 4)
    assert 1 <= refused.value.retry_after_s <= 60
    assert (await limiters[0].hit("credential", "tok_2", 4)).remaining == 3
    assert (await limiters[0].hit("address", "tok_1", 4)).remaining == 3
    assert (await limiters[0].hit("credential", "tok_1", 0)).limit == 0
    await redis.aclose()


async def test_without_redis_each_counts_by_itself(redis_url: str) -> None:
    gone = connect(f"redis://127.0.0.1:{free_ports(1)[0]}")
    limiter = Limiter(gone)
    assert (await limiter.hit("credential", "tok_1", 2)).remaining == 1
    assert IN_MEMORY._value.get() == 1
    await limiter.hit("credential", "tok_1", 2)
    with pytest.raises(ShipoffError, match="TOO_MANY_REQUESTS"):
        await limiter.hit("credential", "tok_1", 2)
    back = connect(redis_url)
    assert (await Limiter(back).hit("credential", "tok_1", 2)).remaining == 1
    assert IN_MEMORY._value.get() == 0
    await gone.aclose()
    await back.aclose()


async def test_limits_at_the_door(start: Start) -> None:
    gateway = start(rate_credential=3, rate_address=20, rate_auth=2, dashboard_origin=DASHBOARD)
    async with aiohttp.ClientSession(gateway.url) as http:
        asked = {**gateway.headers, "Origin": DASHBOARD}
        for left in ("2", "1", "0"):
            async with http.get("/v1/me", headers=asked) as answer:
                assert (answer.status, answer.headers["RateLimit-Remaining"]) == (200, left)
                assert "RateLimit-Remaining" in answer.headers["Access-Control-Expose-Headers"]
        async with http.get("/v1/me", headers=asked) as answer:
            refusal = await answer.json(content_type=None)
            assert (answer.status, refusal["code"], refusal["retryable"]) == (429, "TOO_MANY_REQUESTS", True)
            assert int(answer.headers["Retry-After"]) >= 1
        # behind a trusted proxy each client has a bucket of its own, whatever he claims himself
        for client, status in (("192.0.2.1", 200), ("192.0.2.2", 200)):
            forged = {"X-Forwarded-For": f"198.51.100.1, {client}"}
            for _ in range(20):
                async with http.get("/v1/openapi.json", headers=forged) as answer:
                    assert answer.status == status
            async with http.get("/v1/openapi.json", headers=forged) as answer:
                assert answer.status == 429


async def test_other_sites_get_no_leave(start: Start) -> None:
    gateway = start(dashboard_origin=DASHBOARD)
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
    async with aiohttp.ClientSession(gateway.url) as http:
        for origin, allowed in ((DASHBOARD, True), ("https://evil.example", False)):
            async with http.options("/v1/projects/x", headers={"Origin": origin, **asked}) as answer:
                assert answer.status == 204
                assert ("Access-Control-Allow-Origin" in answer.headers) is allowed
            async with http.get("/v1/me", headers={"Origin": origin}) as answer:  # a refusal can be read too
                assert answer.status == 401
                assert ("Access-Control-Allow-Origin" in answer.headers) is allowed
                assert answer.headers["Vary"] == "Origin"
        async with http.options("/v1/me", headers={"Origin": DASHBOARD}) as answer:
            assert answer.status == 405


async def test_requests_are_counted_by_route(start: Start) -> None:
    gateway = start()
    async with aiohttp.ClientSession() as http:
        for path in ("/v1/projects/secret-name", "/v1/projects/other", "/nothing"):
            async with http.get(gateway.url + path, headers=gateway.headers) as answer:
                assert answer.status == 404
        async with http.request("PROPFIND", gateway.url + "/v1/me") as answer:
            assert answer.status == 405
        async with http.get(gateway.admin + "/metrics") as answer:
            text = await answer.text()
    assert 'requests_total{method="GET",route="/v1/projects/{project}",status="4xx"} 2.0' in text
    assert 'requests_total{method="GET",route="unknown",status="4xx"} 1.0' in text
    assert 'request_seconds_count{method="GET",route="/v1/projects/{project}"} 2.0' in text
    assert "secret-name" not in text
    assert 'method="unknown"' in text
    assert "PROPFIND" not in text
