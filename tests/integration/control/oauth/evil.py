"""An OpenID provider that answers what a correct one never would; each test says what."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

CLIENT: Final = "shipoff"
Change = Callable[["Evil"], str]


class Evil:
    """Answers as a correct provider, but for what is changed.

    Attributes:
        claims: instead of those of a correct ID token; None leaves one out.
        make: makes the ID token in another way.
        document: instead of those of a correct document.
        token_answer: makes the token endpoint's answer itself.
    """

    def __init__(self) -> None:
        self.issuer = ""
        self.key = generate_private_key(65537, 2048)
        self.kid = "evil-1"
        self.claims: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.make: Change | None = None
        self.token_answer: Callable[[web.Request], Any] | None = None
        self.userinfo: dict[str, Any] = {}
        self.asked: list[str] = []
        self.nonce = self.challenge = ""

    @property
    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def payload(self) -> dict[str, Any]:
        """The claims of the ID token."""
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "sub": "evil-ada",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "email": "ada@evil.example",
            "email_verified": True,
            "name": "Ada",
            "at_hash": half_hash("the access token"),
        }
        return {name: value for name, value in {**right, **self.claims}.items() if value is not None}

    def sign(self, key: RSAPrivateKey | None = None, kid: str | None = None) -> str:
        head = {"kid": self.kid if kid is None else kid}
        return jwt.encode(self.payload(), key or self.key, algorithm="RS256", headers=head)

    def visited(self, url: str) -> dict[str, str]:
        """Takes a browser, as the authorization endpoint would; returns what came in the address."""
        given = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.nonce, self.challenge = given["nonce"], given["code_challenge"]
        return given

    async def _document(self, request: web.Request) -> web.Response:
        self.asked.append("document")
        right = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/me",
            "jwks_uri": f"{self.issuer}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }
        return web.json_response({**right, **self.document})

    async def _jwks(self, request: web.Request) -> web.Response:
        self.asked.append("jwks")
        jwk = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return web.json_response({"keys": [{**jwk, "kid": self.kid, "use": "sig"}]})

    async def _me(self, request: web.Request) -> web.Response:
        return web.json_response(self.userinfo)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        self.asked.append("token")
        if self.token_answer is not None:
            answer: web.StreamResponse = await self.token_answer(request)
            return answer
        given = await request.post()
        verifier = hashlib.sha256(str(given.get("code_verifier", "")).encode()).digest()
        if base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() != self.challenge:
            return web.json_response({"error": "invalid_grant"}, status=400)
        signed = self.make(self) if self.make is not None else self.sign()
        return web.json_response({"access_token": "the access token", "token_type": "Bearer", "id_token": signed})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Evil]:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._document)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_get("/me", self._me)
        app.router.add_post("/token", self._token)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def half_hash(text: str) -> str:
    """at_hash (OpenID Connect Core 1.0, section 3.1.3.6) for RS256."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


def forged(evil: Evil, head: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token made by hand."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, evil.payload())]
    body = b".".join(parts)
    return (body + b"." + base64.urlsafe_b64encode(sign(body)).rstrip(b"=")).decode()


async def never(request: web.Request) -> web.StreamResponse:
    """An answer that does not come."""
    await asyncio.sleep(60)
    return web.Response()


async def dripping(request: web.Request) -> web.StreamResponse:
    """An answer that comes byte by byte, for ever."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


async def huge(request: web.Request) -> web.StreamResponse:
    """An answer without an end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def bomb(request: web.Request) -> web.StreamResponse:
    """An answer that is small until it is opened."""
    import zlib

    return web.Response(
        body=zlib.compress(b" " * 50_000_000),
        headers={"Content-Encoding": "deflate", "Content-Type": "application/json"},
    )
