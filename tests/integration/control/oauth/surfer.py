"""A browser as far as pages without scripts need one: cookies, forms, redirects, and the origin that it sends along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp


@dataclass
class Shown:
    """What the browser shows.

    Attributes:
        url: where it is; of a redirect to another origin, where it would have gone.
        fields: of the page's form, as they are filled in.
    """

    url: str
    status: int
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self, shown: Shown) -> None:
        super().__init__()
        self._shown = shown

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._shown.action = found["action"]
        elif tag == "input":
            self._shown.fields[found["name"]] = found.get("value", "")
        elif tag == "a":
            self._shown.links.append(found["href"])


class Surfer:
    """A browser with a cookie jar, which does not go to other origins by itself."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.at = Shown("", 0)

    async def go(self, url: str) -> Shown:
        """Opens an address and follows redirects within the origin."""
        return await self._request("GET", url, None, {})

    async def send(self, headers: Mapping[str, str] | None = None, /, **filled: str) -> Shown:
        """Sends the form that is shown."""
        said = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return await self._request("POST", self.at.action, {**self.at.fields, **filled}, said)

    async def _request(self, method: str, url: str, data: dict[str, str] | None, headers: dict[str, str]) -> Shown:
        url = urljoin(self.at.url or self.origin, url)
        while True:
            shown = {"Accept": "text/html,application/xhtml+xml", **headers}
            async with self.http.request(method, url, data=data, headers=shown, allow_redirects=False) as answer:
                location = answer.headers.get("Location")
                self.at = Shown(url, answer.status, await answer.text(), dict(answer.headers))
            if location is None:
                _Reader(self.at).feed(self.at.text)
                return self.at
            url, method, data = urljoin(url, location), "GET", None
            if f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" != self.origin:
                self.at.url = url
                return self.at

    def cookies(self) -> dict[str, str]:
        """By name."""
        return {morsel.key: morsel.value for morsel in self.http.cookie_jar}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
