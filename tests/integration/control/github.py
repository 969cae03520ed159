"""A GitHub of our own: judges every call by GitHub's published OpenAPI, keeps state, and serves real repositories.

Its answers are the published examples with this server's ids in them. A call that is not documented, or whose
parameters, body, headers or token are not as documented, is answered 400 and remembered: `close` fails by it.
"""

# environ: git, run by a test, needs this process's PATH.
from __future__ import annotations

import asyncio
import base64
import os
import re
import secrets
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import jwt
import orjson
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from control.projects.github.app import App
from tests.integration.control import openapi
from tests.integration.control.openapi import Operation

APP_ID, SLUG = "4711", "shipoff-test"


@dataclass
class Installed:
    """An installation: whose, and which repositories it sees."""

    id: int
    login: str
    account_id: int
    kind: str = "Organization"
    repositories: dict[int, str] = field(default_factory=dict)  # id -> name
    suspended: bool = False


@dataclass
class User:
    """Somebody: what they see, and in which organizations they are what."""

    id: int
    login: str
    installations: list[int] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)


@dataclass
class Token:
    """What a token opens."""

    kind: str  # app, installation, user
    installation: int = 0
    repositories: frozenset[int] = frozenset()
    permissions: dict[str, str] = field(default_factory=dict)
    expires_at: float = 0.0
    user: User | None = None


@dataclass
class Fault:
    """What the next call to a path is answered instead."""

    pattern: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


class GitHubServer:
    """Starts with nothing; tests put in what they need."""

    def __init__(self, root: Path) -> None:
        self.root, self.url = root, ""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
        self.pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none).decode()
        self._public = key.public_key()
        self.installations: dict[int, Installed] = {}
        self.codes: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.statuses: list[dict[str, Any]] = []
        self.deployments: dict[int, dict[str, Any]] = {}
        self.deployment_statuses: list[tuple[int, dict[str, Any]]] = []
        self.comments: dict[int, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.faults: deque[Fault] = deque()
        self.wrong: list[str] = []
        self.git_users: list[str] = []
        self.lifetime_s = 3600.0
        self._next = 1000

    @property
    def app(self) -> App:
        """The App's settings as the platform has them."""
        return App(
            APP_ID, self.pem, "app-webhook-secret", "client-1", "client-secret-1", SLUG, self.url, f"{self.url}/web"
        )

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/web/login/oauth/access_token", self._exchange)
        app.router.add_route("*", "/git/{path:.+}", self._git)
        app.router.add_route("*", "/{path:.*}", self._api)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        assert not self.wrong, self.wrong

    # --- what is there ------------------------------------------------------------------------------------------------

    def installed(self, login: str = "octo-org", **repositories: int) -> Installed:
        """An installation on an organization that sees these repositories, by name and id."""
        self._next += 1
        made = Installed(self._next, login, self._next + 50_000)
        made.repositories = {number: name for name, number in repositories.items()}
        self.installations[made.id] = made
        return made

    def user(self, code: str, login: str = "ada", **fields: Any) -> User:
        """Somebody who was given a code."""
        self._next += 1
        made = self.codes[code] = User(self._next, login, **fields)
        return made

    def repository(self, full_name: str) -> Path:
        """A bare repository that git can fetch."""
        bare = self.root / f"{full_name}.git"
        bare.mkdir(parents=True)
        self._run("init", "-q", "--bare", "-b", "main", str(bare))
        return bare

    def commit(self, full_name: str, ref: str, files: dict[str, str]) -> str:
        """Commits files to a ref of a repository; returns the commit."""
        bare, work = self.root / f"{full_name}.git", self.root / "work" / secrets.token_hex(4)
        work.mkdir(parents=True)
        self._run("init", "-q", "-b", "main", str(work))
        for name, text in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text)
        self._run("-C", str(work), "add", "-A")
        self._run("-C", str(work), "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x")
        self._run("-C", str(work), "push", "-q", str(bare), f"+HEAD:{ref}")
        return self._run("-C", str(work), "rev-parse", "HEAD").strip()

    def _run(self, *arguments: str) -> str:
        env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=env).stdout

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.StreamResponse:
        body, path = await request.read(), request.rel_url.raw_path
        self.calls.append((request.method, path))
        found = openapi.operation(request.method, path)
        if found is None:
            return self._fault(f"{request.method} {path} is not documented")
        wrong = openapi.faults(found, request.query, request.headers, body)
        if wrong:
            return self._fault(f"{request.method} {path}: {wrong}")
        for fault in list(self.faults):
            if re.search(fault.pattern, f"{request.method} {path}"):
                self.faults.remove(fault)
                if fault.drop and request.transport is not None:
                    request.transport.abort()
                return web.json_response({"message": "injected"}, status=fault.status, headers=fault.headers)
        token = self._shown(request.headers.get("Authorization", ""))
        if token is None:
            return web.json_response({"message": "Bad credentials"}, status=401)
        return await asyncio.to_thread(self._answer, found, token, orjson.loads(body) if body else {}, request)

    def _fault(self, text: str) -> web.Response:
        self.wrong.append(text)
        return web.json_response({"message": text}, status=400)

    def _shown(self, header: str) -> Token | None:
        value = header.removeprefix("Bearer ")
        if value.count(".") == 2:
            try:
                claims = jwt.decode(
                    value, self._public, algorithms=["RS256"], options={"require": ["iat", "exp", "iss"]}
                )
            except jwt.PyJWTError:
                return None
            good = claims["iss"] == APP_ID and claims["exp"] - time.time() <= 600 and claims["iat"] <= time.time() - 30
            return Token("app") if good else None
        token = self.tokens.get(value)
        return token if token is not None and token.expires_at > time.time() else None

    def _answer(self, found: Operation, token: Token, body: Any, request: web.Request) -> web.Response:
        answers = {
            ("post", "/app/installations/{installation_id}/access_tokens"): self._new_token,
            ("get", "/repos/{owner}/{repo}"): self._repository,
            ("post", "/repos/{owner}/{repo}/statuses/{sha}"): self._status,
            ("post", "/repos/{owner}/{repo}/deployments"): self._deployment,
            ("post", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses"): self._deployment_status,
            ("get", "/repos/{owner}/{repo}/issues/{issue_number}/comments"): self._comments,
            ("post", "/repos/{owner}/{repo}/issues/{issue_number}/comments"): self._new_comment,
            ("patch", "/repos/{owner}/{repo}/issues/comments/{comment_id}"): self._new_text,
            ("get", "/user/installations"): self._user_installations,
            ("get", "/user/memberships/orgs/{org}"): self._membership,
            ("get", "/user"): self._user,
        }
        answer = answers.get((found.method, found.path))
        if answer is None:
            return self._fault(f"{found.method} {found.path} is nothing that the platform should call")
        status, value = answer(found, token, body, request)
        return web.json_response(value, status=status)

    def _new_token(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        installed = self.installations.get(int(found.values["installation_id"]))
        if token.kind != "app":
            return 401, {"message": "A JSON web token could not be decoded"}
        if installed is None:
            return 404, {"message": "Not Found"}
        if installed.suspended:
            return 403, {"message": "This installation has been suspended"}
        by_name = {name: number for number, name in installed.repositories.items()}
        wanted = set(body.get("repository_ids", [])) | {by_name.get(name, -1) for name in body.get("repositories", [])}
        if not wanted or not wanted <= installed.repositories.keys():
            return 422, {"message": "There is at least one repository that does not exist or is not accessible"}
        value, expires_at = f"ghs_{secrets.token_hex(18)}", time.time() + self.lifetime_s
        self.tokens[value] = Token("installation", installed.id, frozenset(wanted), body["permissions"], expires_at)
        at = datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 201, openapi.example(found, 201, token=value, expires_at=at, permissions=body["permissions"])

    def _may(self, found: Operation, token: Token, permission: str) -> int:
        """The repository that a call is about, 0 when the token does not open it."""
        for number in token.repositories:
            installed = self.installations[token.installation]
            named = (installed.login, installed.repositories.get(number))
            if named == (found.values["owner"], found.values["repo"]) and permission in token.permissions:
                return number
        return 0

    def _repository(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        owner, name = found.values["owner"], found.values["repo"]
        number = self._may(found, token, "metadata")
        if not number:
            return 404, {"message": "Not Found"}
        clone = f"{self.url}/git/{owner}/{name}.git"
        return 200, openapi.example(found, 200, id=number, full_name=f"{owner}/{name}", clone_url=clone)

    def _status(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        if not self._may(found, token, "statuses"):
            return 404, {"message": "Not Found"}
        self.statuses.append({**body, "sha": found.values["sha"]})
        return 201, openapi.example(found, 201, state=body["state"], context=body["context"])

    def _deployment(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        if not self._may(found, token, "deployments"):
            return 404, {"message": "Not Found"}
        self._next += 1
        self.deployments[self._next] = body
        return 201, openapi.example(found, 201, id=self._next, ref=body["ref"], environment=body["environment"])

    def _deployment_status(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        number = int(found.values["deployment_id"])
        if number not in self.deployments or not self._may(found, token, "deployments"):
            return 404, {"message": "Not Found"}
        self.deployment_statuses.append((number, body))
        return 201, openapi.example(found, 201, state=body["state"])

    def _comments(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        if not self._may(found, token, "pull_requests"):
            return 404, {"message": "Not Found"}
        (base,) = openapi.example(found, 200)[:1]
        number, page, size = found.values["issue_number"], int(request.query["page"]), int(request.query["per_page"])
        listed = [
            base
            | {"id": key, "body": one["body"], "performed_via_github_app": {"id": one["app"]} if one["app"] else None}
            for key, one in self.comments.items()
            if one["number"] == number
        ]
        return 200, listed[(page - 1) * size : page * size]

    def _new_comment(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        if not self._may(found, token, "pull_requests"):
            return 404, {"message": "Not Found"}
        self._next += 1
        self.comments[self._next] = {"number": found.values["issue_number"], "body": body["body"], "app": int(APP_ID)}
        return 201, openapi.example(found, 201, id=self._next, body=body["body"])

    def _new_text(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        number = int(found.values["comment_id"])
        if number not in self.comments or not self._may(found, token, "pull_requests"):
            return 404, {"message": "Not Found"}
        self.comments[number]["body"] = body["body"]
        return 200, openapi.example(found, 200, id=number, body=body["body"])

    def _user_installations(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        assert token.user is not None
        whole = openapi.example(found, 200)
        base = whole["installations"][0]
        page, size = int(request.query["page"]), int(request.query["per_page"])
        mine = [self.installations[one] for one in token.user.installations]
        listed = [
            base
            | {
                "id": one.id,
                "account": base["account"] | {"login": one.login, "id": one.account_id},
                "target_type": one.kind,
                "suspended_at": None,
            }
            for one in mine[(page - 1) * size : page * size]
        ]
        return 200, {"total_count": len(mine), "installations": listed}

    def _membership(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        assert token.user is not None
        role = token.user.roles.get(found.values["org"])
        if role is None:
            return 404, {"message": "Not Found"}
        return 200, openapi.example(found, 200, state="active", role=role)

    def _user(self, found: Operation, token: Token, body: Any, request: web.Request) -> tuple[int, Any]:
        assert token.user is not None
        return 200, openapi.example(found, 200, id=token.user.id, login=token.user.login)

    # --- the web, and git ---------------------------------------------------------------------------------------------

    async def _exchange(self, request: web.Request) -> web.Response:
        form = await request.json()
        user = self.codes.pop(form.get("code", ""), None)  # a code works once
        if (form.get("client_id"), form.get("client_secret")) != ("client-1", "client-secret-1") or user is None:
            return web.json_response({"error": "bad_verification_code"})
        value = f"ghu_{secrets.token_hex(18)}"
        self.tokens[value] = Token("user", user=user, expires_at=time.time() + 3600)
        return web.json_response({"access_token": value, "token_type": "bearer", "scope": ""})

    async def _git(self, request: web.Request) -> web.Response:
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        user, _, value = base64.b64decode(shown).decode().partition(":") if scheme == "Basic" else ("", "", "")
        self.git_users.append(user)
        token, path = self.tokens.get(value), request.match_info["path"]
        names = {
            f"{installed.login}/{installed.repositories[number]}.git"
            for installed in [self.installations.get(token.installation)] if installed is not None
            for number in token.repositories
        } if token is not None and "contents" in token.permissions else set()  # fmt: skip
        if not any(path.startswith(f"{name}/") for name in names):
            return web.Response(status=404)
        return await self._backend(request, path)

    async def _backend(self, request: web.Request, path: str) -> web.Response:
        env = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{path}",
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "PATH": os.environ["PATH"],
        }
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate(await request.read())
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return web.Response(status=int(headers.pop("Status", "200")[:3]), body=body, headers=headers)
