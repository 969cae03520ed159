"""The key that seals secrets is replaced on a platform of its own, step by step, as docs/env.md says."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stack.stacks import Stack, shipoff

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path / "stack")
    yield made
    made.down()


class Person:
    """Somebody who is logged in to a stack."""

    def __init__(self, stack: Stack, token: str) -> None:
        self._more = {"SHIPOFF_URL": stack.status()["urls"]["gateway"], "SHIPOFF_TOKEN": token}

    def ok(self, *args: str) -> str:
        done = shipoff(*args, **self._more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def env(self, project: str) -> dict[str, Any]:
        listed = json.loads(self.ok("env", "list", "-p", project, "--json"))["env"]
        return {one["name"]: one["value"] for one in listed}


def rotate(stack: Stack, *options: str) -> tuple[int, str]:
    done = shipoff("rotate-keys", "--dir", str(stack.directory), *options)
    return done.returncode, done.stdout + done.stderr


def secrets(stack: Stack) -> dict[str, str]:
    found: dict[str, str] = json.loads((stack.directory / "secrets.json").read_text())
    return found


def test_a_key_is_replaced_and_nothing_is_lost(stack: Stack) -> None:
    token = re.search(r"\bshp_[A-Za-z0-9_-]+", stack.up())
    assert token is not None, stack.output
    person = Person(stack, token[0])
    person.ok("projects", "create", "blog")
    person.ok("env", "set", "-p", "blog", "A=1")
    person.ok("env", "set", "-p", "blog", "TOKEN=hunter2", "--secret", "-e", "production")
    first = secrets(stack)["env_key"]

    status, said = rotate(stack, "--add")
    assert (status, "restart" in said) == (0, True)
    person.ok("env", "set", "-p", "blog", "B=2")  # still under the old one
    status, said = rotate(stack)
    assert (status, "KEYS_NOT_IN_USE" in said) == (1, True), said
    stack.down()
    stack.up()
    person.ok("env", "set", "-p", "blog", "C=3")
    assert person.env("blog") == {"A": "1", "B": "2", "C": "3", "TOKEN": None}
    assert "KEYS_STILL_NEEDED" in rotate(stack, "--drop")[1]

    status, said = rotate(stack)
    assert status == 0, said
    assert "projects: env_vars.sealed: 3 sealed anew, 0 changed meanwhile" in said
    assert "auth: signing_keys.private_sealed: " in said
    assert "orchestrator: releases.sealed_env: " in said
    assert "no key opens" not in said
    assert "env_vars.sealed: 0 sealed anew" in rotate(stack)[1]
    assert "forgotten: first" in rotate(stack, "--drop")[1]
    stack.down()
    stack.up()
    assert secrets(stack)["env_key"] != first
    assert len(base64.b64decode(secrets(stack)["env_key"])) == 32
    assert person.env("blog") == {"A": "1", "B": "2", "C": "3", "TOKEN": None}
    person.ok("env", "set", "-p", "blog", "A=4")
    assert person.env("blog")["A"] == "4"
