"""A real browser, by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/)."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = shutil.which("chromium") or ""
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0")


class Tab:
    """One page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self.complaints: list[str] = []

    async def do(self, method: str, **params: object) -> Any:
        """A command, and what comes of it."""
        number = next(self._numbers)
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(await self._socket.receive_str(timeout=20))
            if said.get("method") == "Log.entryAdded":
                self.complaints.append(said["params"]["entry"]["text"])
            if said.get("id") == number:
                return said["result"]

    async def value(self, expression: str) -> Any:
        """What a script says."""
        return (await self.do("Runtime.evaluate", expression=expression))["result"].get("value")

    async def at(self, text: str) -> None:
        """Waits until the page says something."""
        give_up, shown = time.monotonic() + 20, ""
        while text not in shown:
            assert time.monotonic() < give_up, (text, shown, self.complaints)
            await asyncio.sleep(0.05)
            shown = str(await self.value("document.body && location.href + ' ' + document.body.innerText") or "")

    async def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            await self.value(f"document.getElementsByName({json.dumps(name)})[0].value = {json.dumps(value)}")

    async def press(self, text: str) -> None:
        """Clicks a button or a link, as a person would."""
        found = f"[...document.querySelectorAll('button,a')].find(one => one.innerText === {json.dumps(text)})"
        place = await self.value(
            f"(b => JSON.stringify([b.x + b.width / 2, b.y + b.height / 2]))({found}.getBoundingClientRect())"
        )
        x, y = json.loads(place)
        for kind in ("mousePressed", "mouseReleased"):
            await self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Tab]:
    """A browser of the test's own with a page; it ends with the block."""
    folder = tempfile.mkdtemp(prefix="shipoff-chromium-")
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *ARGUMENTS, f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        told = Path(folder, "DevToolsActivePort")
        async with asyncio.timeout(30):
            while not told.exists() or "\n" not in told.read_text():
                await asyncio.sleep(0.05)
        port = told.read_text().split("\n")[0]
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/json") as answer:
                pages = [one for one in await answer.json(content_type=None) if one["type"] == "page"]
            async with http.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=2**24) as socket:
                tab = Tab(socket)
                await tab.do("Log.enable")
                await tab.do("Page.navigate", url=url)
                yield tab
    finally:
        process.kill()
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)
