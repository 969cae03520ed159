"""npm `oidc-provider` as a process: a real OpenID provider on a free port of loopback."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import aiohttp

from tests.npm.modules import HERE, NODE, modules


@contextmanager
def running(clients: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The issuer; the process ends with the block."""
    modules()
    process = subprocess.Popen(
        [NODE, "oidc.mjs", json.dumps({"clients": clients})],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://127.0.0.1:"), issuer
        yield issuer
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


async def sign_in(http: aiohttp.ClientSession, url: str, callback: str, **claims: str) -> str:
    """Does at the provider what a person would who is called `claims`; with `refuse` they say no.

    Args:
        http: a browser that follows nothing by itself.
        url: where it was sent.
        callback: what the provider's last answer goes back to begins with this.

    Returns:
        The address that the provider sends the browser back to.
    """
    async with asyncio.timeout(20):
        while True:
            async with http.get(url, allow_redirects=False) as answer:
                assert answer.status in (200, 302, 303), (answer.status, await answer.text())
                location = answer.headers.get("Location", "")
            if not location:  # the form that asks who it is
                async with http.post(url, data=claims, allow_redirects=False) as answer:
                    assert answer.status in (302, 303), await answer.text()
                    location = answer.headers["Location"]
            url = urljoin(url, location)
            if url.startswith(callback):
                return url
