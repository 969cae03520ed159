"""Error answers over real sockets: the form that was asked for, none for HEAD, and for heads that cannot be read."""

from __future__ import annotations

import json

from tests.integration.router.wire import InProcess

BROWSER = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"


def get(more: str = "", method: str = "GET", host: str = "nowhere.test") -> bytes:
    return f"{method} / HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


async def test_the_form_follows_accept(router: InProcess) -> None:
    page = await router.ask(get(BROWSER))
    assert page["content-type"] == "text/html; charset=utf-8"
    assert page["x-request-id"].encode() in page.body
    assert page["content-security-policy"].startswith("default-src 'none'")
    problem = await router.ask(get("Accept: */*\r\n"))
    assert problem["content-type"] == "application/problem+json"
    assert json.loads(problem.body)["request_id"] == problem["x-request-id"]
    text = await router.ask(get("Accept: text/plain\r\n"))
    assert text.body.startswith(b"404 Not Found\n")
    assert {page["x-shipoff-error"], problem["x-shipoff-error"], text["x-shipoff-error"]} == {"NO_ROUTE"}


async def test_head_gets_the_head_alone(router: InProcess) -> None:
    reader, writer = await router.connect()
    writer.write(get(BROWSER, "HEAD") + get("Connection: close\r\n"))
    raw = await reader.read()
    writer.close()
    first, _, rest = raw.partition(b"\r\n\r\n")
    assert b"text/html" in first
    assert rest.startswith(b"HTTP/1.1 404 ")  # the next answer, at once


async def test_a_browser_with_too_many_cookies_sees_a_page(router: InProcess) -> None:
    answer = await router.ask(get(BROWSER + "Cookie: " + "a" * 40_000 + "\r\n"))
    assert (answer.status, answer["content-type"]) == (431, "text/html; charset=utf-8")
    assert answer["x-request-id"].encode() in answer.body
    plain = await router.ask(get("Cookie: " + "a" * 40_000 + "\r\n"))
    assert (plain.status, plain["content-type"]) == (431, "application/problem+json")


async def test_an_id_that_a_client_chose_is_shown_escaped(router: InProcess) -> None:
    page = await router.ask(get(BROWSER + "X-Request-Id: mine-12345678\r\n"))
    assert b"mine-12345678" in page.body
    odd = await router.ask(get(BROWSER + "X-Request-Id: <script>alert(1)</script>\r\n"))
    assert b"<script" not in odd.body
