"""The pages in a real browser: its rules for cookies, forms, redirects and content are the ones that count."""

from __future__ import annotations

import secrets

import pytest

from tests.integration.control.auth.rig import PASSWORD
from tests.integration.control.auth.test_rest_people import Person
from tests.integration.control.driver import Plane
from tests.integration.control.oauth import chromium
from tests.integration.control.oauth.test_cli_login import begun, cli
from tests.integration.control.test_cli import Cli

__all__ = ["cli"]  # a fixture

pytestmark = pytest.mark.skipif(not chromium.PROGRAM, reason="there is no chromium")


async def test_the_command_line_is_signed_in_by_a_password(cli: Cli, person: Person) -> None:
    login = await begun(cli, "--browser")
    async with chromium.opened(await login.page()) as tab:
        await tab.at("Sign in to Shipoff")
        assert (
            await tab.value("getComputedStyle(document.querySelector('main')).width") == "384px"
        )  # the style is let in
        await tab.fill(email=person.email, password=PASSWORD)
        await tab.press("Sign in")
        await tab.at("Sign in the command line?")
        await tab.press("Yes, sign it in")
        await tab.at("You are signed in.")
        assert await tab.value("document.cookie") == ""
        assert [one for one in tab.complaints if "Content Security Policy" in one] == []
    status, out = await login.end()
    assert (status, person.email in out) == (0, True), out


async def test_the_command_line_is_signed_in_by_a_provider(cli: Cli, doors: Plane) -> None:
    login, sub = await begun(cli, "--browser"), secrets.token_hex(5)
    async with chromium.opened(await login.page()) as tab:
        await tab.at("Sign in to Shipoff")
        await tab.press("Sign in with Acme & Co")
        await tab.at("Provider's form")
        await tab.fill(sub=sub, email=f"{sub}@example.net", email_verified="true")
        await tab.press("Go on")
        await tab.at(f"{sub}@example.net")
        await tab.press("Yes, sign it in")
        await tab.at("You are signed in.")
        assert [one for one in tab.complaints if "Content Security Policy" in one] == []
    status, out = await login.end()
    assert (status, sub in out) == (0, True), out
