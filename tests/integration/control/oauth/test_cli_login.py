"""`shipoff login` with a browser and without one, and the session that it keeps, used by several commands at once."""

# environ: the command is given a browser of the test's
from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import asyncpg
import pytest

from kernel import ids
from tests.integration.control.auth.rig import PASSWORD
from tests.integration.control.auth.test_rest_people import Person
from tests.integration.control.driver import Plane
from tests.integration.control.oauth.surfer import Surfer
from tests.integration.control.test_cli import Cli


class Login:
    """`shipoff login` while it waits for a person."""

    def __init__(self, cli: Cli, process: asyncio.subprocess.Process, opened: Path) -> None:
        self.cli, self.process, self._opened = cli, process, opened

    async def page(self) -> str:
        """What it opened in the browser."""
        async with asyncio.timeout(20):
            while not self._opened.exists() or not (text := self._opened.read_text().strip()):
                await asyncio.sleep(0.05)
        return text

    async def said(self, pattern: str) -> str:
        """Waits for something that it says."""
        assert self.process.stdout is not None
        text = ""
        async with asyncio.timeout(20):
            while not (found := re.search(pattern, text)):
                line = await self.process.stdout.readline()
                assert line, text
                text += line.decode()
        return found[1]

    async def end(self) -> tuple[int, str]:
        async with asyncio.timeout(30):
            out, _ = await self.process.communicate()
        return self.process.returncode or 0, out.decode()


@pytest.fixture
def cli(doors: Plane, tmp_path: Path) -> Cli:
    return Cli(doors, tmp_path / "home")


async def begun(cli: Cli, *args: str) -> Login:
    opened, script = cli.home / "opened", cli.home / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    script.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stack.cli.main", "login", "--url", cli.plane.url, *args,
        cwd=cli.home, env={**cli.variables, "BROWSER": f"{script} %s"}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    return Login(cli, process, opened)


def stored(cli: Cli) -> dict[str, Any]:
    file = cli.home / "cfg" / "shipoff" / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    found: dict[str, Any] = json.loads(file.read_text())
    return found


async def approve(surfer: Surfer, person: Person, page: str, answer: str = "yes") -> str:
    """Signs in, answers, and is sent to the program's port; what the page there says."""
    await surfer.go(page)
    await surfer.send(email=person.email, password=PASSWORD)
    back = await surfer.send(answer=answer)
    assert back.url.startswith("http://127.0.0.1:")
    async with surfer.http.get(back.url) as got:
        return await got.text()


async def logged_in(cli: Cli, surfer: Surfer, person: Person) -> None:
    login = await begun(cli, "--browser")
    assert "You are signed in" in await approve(surfer, person, await login.page())
    status, out = await login.end()
    assert (status, f"as {person.email}" in out) == (0, True), out


async def test_the_browser_brings_a_session(cli: Cli, surfer: Surfer, person: Person) -> None:
    await logged_in(cli, surfer, person)
    kept = stored(cli)
    assert kept["refresh_token"].startswith("shr_")
    assert "[]" in (await cli.ok("projects", "list", "--json")).replace("\n", "").replace(" ", "")
    [row] = await session_rows(cli.plane, person)
    assert row["amr"] == ["pwd"]


async def session_rows(doors: Plane, person: Person) -> list[Any]:
    connection = await asyncpg.connect(doors.environment["SHIPOFF_AUTH_DATABASE_URL"])
    try:
        return list(
            await connection.fetch(
                "select s.* from sessions s join accounts a on a.id = s.account_id"
                " where a.email = $1 and revoked_at is null order by s.created_at",
                person.email,
            )
        )
    finally:
        await connection.close()


async def test_what_others_send_to_the_port_is_not_taken(cli: Cli, surfer: Surfer, person: Person) -> None:
    login = await begun(cli, "--browser")
    page = await login.page()
    port = parse_qs(urlsplit(page).query)["port"][0]
    wrong = {
        "/callback?code=x&state=" + "y" * 43: 400,
        "/callback?code=x": 400,
        "/callback?error=access_denied": 400,
        "/": 404,
        "/callback/../x": 404,
    }
    async with aiohttp.ClientSession() as http:
        for path, status in wrong.items():
            async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == status
    _, writer = await asyncio.open_connection("127.0.0.1", int(port))  # of which nothing comes, as browsers do
    assert "You are signed in" in await approve(surfer, person, page)
    writer.close()
    assert (await login.end())[0] == 0


async def test_a_no_in_the_browser_is_told(cli: Cli, surfer: Surfer, person: Person) -> None:
    login = await begun(cli, "--browser")
    assert "You are not signed in" in await approve(surfer, person, await login.page(), "no")
    status, out = await login.end()
    assert (status, "LOGIN_REFUSED" in out) == (3, True)


async def test_a_code_that_is_typed_elsewhere_brings_a_session(cli: Cli, surfer: Surfer, person: Person) -> None:
    login = await begun(cli, "--no-browser")
    code = await login.said(r"(?m)^\s+([A-Z]{4}-[A-Z]{4})$")
    await surfer.go("/device")
    await surfer.send(email=person.email, password=PASSWORD)
    shown = await surfer.send(code=code.lower(), answer="look")
    assert "shipoff on " in shown.text
    await surfer.send(answer="yes")
    status, out = await login.end()
    assert (status, f"as {person.email}" in out) == (0, True), out
    assert stored(cli)["refresh_token"].startswith("shr_")


async def test_nobody_at_the_terminal_is_asked_to_sign_in(cli: Cli) -> None:
    status, out = await (await begun(cli)).end()
    assert (status, "TOKEN_MISSING" in out) == (2, True)


async def test_an_api_token_can_be_kept_as_before(cli: Cli, doors: Plane) -> None:
    await cli.ok("login", "--url", doors.url, "--token-stdin", stdin=doors.token + "\n")
    assert stored(cli) == {"url": doors.url, "token": doors.token}


def outdated(cli: Cli) -> None:
    """Makes the access token seem to have run out."""
    file = cli.home / "cfg" / "shipoff" / "credentials.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "expires_at": str(int(time.time()) - 1)}))


async def test_commands_at_once_use_a_refresh_token_up_once(cli: Cli, surfer: Surfer, person: Person) -> None:
    await logged_in(cli, surfer, person)
    before = stored(cli)
    for _ in range(2):
        outdated(cli)
        await asyncio.gather(*(cli.ok("projects", "list") for _ in range(5)))
    after = stored(cli)
    assert after["refresh_token"] != before["refresh_token"]
    connection = await asyncpg.connect(cli.plane.environment["SHIPOFF_AUTH_DATABASE_URL"])
    try:
        [row] = await session_rows(cli.plane, person)
        used = await connection.fetchval("select count(*) from refresh_tokens where session_id = $1", row["id"])
    finally:
        await connection.close()
    assert used == 3  # the first one, and one for each time that it had run out


async def test_a_session_that_was_ended_elsewhere_is_told(cli: Cli, surfer: Surfer, person: Person) -> None:
    await logged_in(cli, surfer, person)
    await person.login()
    await person.call("DELETE", "/v1/me/sessions")
    ran = await cli.run("projects", "list")
    assert (ran.status, "SESSION_ENDED" in ran.out) == (3, True)
    outdated(cli)
    ran = await cli.run("projects", "list")
    assert (ran.status, "shipoff login --url" in ran.out) == (3, True)


async def test_git_is_told_a_token_that_is_good(cli: Cli, surfer: Surfer, person: Person, doors: Plane) -> None:
    await logged_in(cli, surfer, person)
    outdated(cli)
    where = urlsplit(doors.url)
    out = await cli.ok("git-credential", "get", stdin=f"protocol={where.scheme}\nhost={where.netloc}\n")
    password = dict(line.split("=", 1) for line in out.split())["password"]
    assert password == stored(cli)["token"]
    name = f"c{ids.new('prj')[-10:]}"
    await cli.ok("projects", "create", name)
    async with aiohttp.ClientSession() as http:
        shown = {"Authorization": aiohttp.encode_basic_auth("shipoff", password)}
        async with http.get(f"{doors.url}/git/{name}.git/info/refs?service=git-upload-pack", headers=shown) as answer:
            assert answer.status == 200, await answer.text()


async def test_logout_ends_the_session_and_forgets_it(cli: Cli, surfer: Surfer, person: Person) -> None:
    await logged_in(cli, surfer, person)
    token = stored(cli)["token"]
    assert "logged out" in await cli.ok("logout")
    assert await session_rows(cli.plane, person) == []
    assert (await person.call("GET", "/v1/me", token=token))[0] == 401
    ran = await cli.run("projects", "list", SHIPOFF_URL=cli.plane.url)
    assert (ran.status, "NOT_LOGGED_IN" in ran.out) == (3, True)
    assert "nobody" in await cli.ok("logout")


async def test_a_session_is_never_shown_to_another_platform(cli: Cli, surfer: Surfer, person: Person) -> None:
    await logged_in(cli, surfer, person)
    ran = await cli.run("projects", "list", SHIPOFF_URL="http://127.0.0.1:9")
    assert (ran.status, "NOT_LOGGED_IN" in ran.out) == (3, True)
