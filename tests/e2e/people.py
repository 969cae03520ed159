"""People who use the platform by its public API alone: they get mails, sign in, and show a second factor."""

from __future__ import annotations

import email
import email.policy
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import pyotp

from tests.e2e.world import Platform

LINK = re.compile(r"[?#&]token=([A-Za-z0-9_-]+)")


@dataclass
class Person:
    """Somebody with a browser, a mailbox and a telephone."""

    platform: Platform
    address: str
    name: str
    password: str = "a long way to Tipperary 1912"
    access: str = ""
    secret: str = ""
    recovery: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """A call as this person; it must have this status."""
        got, answer = self.platform.call(method, path, body, token=self.access or "nobody")
        assert got == status, (method, path, got, answer)
        return answer

    def mailed(self, about: str, within_s: float = 30.0) -> str:
        """The token in the newest mail to this person with these words in its subject."""
        give_up = time.monotonic() + within_s
        while time.monotonic() < give_up:
            for path in sorted((self.platform.directory / "mails").glob("*.eml"), reverse=True):
                mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                body = mail.get_body(("plain",))
                if self.address in str(mail["to"]) and about in str(mail["subject"]).lower() and body is not None:
                    found = LINK.search(body.get_content())
                    assert found is not None, body.get_content()
                    return found[1]
            time.sleep(0.1)
        raise AssertionError(f"no mail about {about} came to {self.address}")

    def join(self) -> None:
        """Registers, confirms the address and signs in."""
        wanted = {"name": self.name, "email": self.address, "password": self.password}
        self.ask("POST", "/v1/auth/register", wanted, 202)
        early = self.ask("POST", "/v1/auth/login", {"email": self.address, "password": self.password}, 401)
        assert early["code"] == "INVALID_CREDENTIALS"
        self.ask("POST", "/v1/auth/verify", {"token": self.mailed("confirm")})
        self.access = self.ask("POST", "/v1/auth/login", {"email": self.address, "password": self.password})[
            "access_token"
        ]
        assert self.ask("GET", "/v1/me")["email"] == self.address

    def enrol(self) -> None:
        """Sets up a second factor, signs in with it, and throws the old session away."""
        self.secret = self.ask("POST", "/v1/me/two-factor", {"password": self.password}, 201)["secret"]
        self.recovery = self.ask("PUT", "/v1/me/two-factor", {"code": self.code()})["recovery_codes"]
        refused = self.ask("POST", "/v1/auth/login", {"email": self.address, "password": self.password}, 401)
        assert refused["code"] == "TWO_FACTOR_REQUIRED"
        answer = {"challenge": refused["challenge"], "code": self.code(ahead_s=30)}  # each step's code is good once
        self.access = self.ask("POST", "/v1/auth/login/two-factor", answer)["access_token"]
        assert self.ask("DELETE", "/v1/me/sessions") == {"ended": 1}
        assert len(self.ask("GET", "/v1/me/sessions")["sessions"]) == 1

    def code(self, ahead_s: float = 0.0) -> str:
        """What the authenticator shows, or will show."""
        return pyotp.TOTP(self.secret).at(int(time.time() + ahead_s))


def encoded(payload: dict[str, Any]) -> bytes:
    """A payload as a git host sends it."""
    return json.dumps(payload).encode()
