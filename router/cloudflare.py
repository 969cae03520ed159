"""Cloudflare's address ranges: the file that ships with the router, and the command that refreshes it.

    python -m router.cloudflare                                 # asks Cloudflare
    python -m router.cloudflare --from FILE|URL [--from …] [--to FILE]

A list that can't be right (empty, without one of the families, with a range as wide as a continent, or much shorter
than the one before) is refused and the old file stays: whoever stands in this list may say who the client is. A running
router reads the file when it starts and on SIGHUP; it never asks the network.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kernel.errors import ShipoffError, define
from kernel.telemetry import configure_logging
from router.core.ranges import Ranges
from router.core.trust import Trust, networks
from router.settings import RouterSettings

log = logging.getLogger(__name__)
CLOUDFLARE_RANGES_INVALID = define(
    "CLOUDFLARE_RANGES_INVALID", source="client", hint="see https://www.cloudflare.com/ips/ for the list"
)
SHIPPED: Final = Path(__file__).with_name("cloudflare.txt")
PUBLISHED: Final = ("https://www.cloudflare.com/ips-v4", "https://www.cloudflare.com/ips-v6")
_FETCH_S: Final = 20
_WIDEST: Final = {4: 8, 6: 16}
_HEAD: Final = """\
# Cloudflare's address ranges, as published at https://www.cloudflare.com/ips-v4 and https://www.cloudflare.com/ips-v6.
# Refresh with: python -m router.cloudflare
# As of {date:%Y-%m-%d}
"""


def trust_of(settings: RouterSettings) -> Trust:
    """What the settings say about whom to believe.

    Raises:
        ShipoffError: CLOUDFLARE_RANGES_INVALID.
    """
    ranges = Ranges()
    if settings.cloudflare:
        path = Path(settings.cloudflare_ranges) if settings.cloudflare_ranges else SHIPPED
        try:
            ranges = Ranges(parse(path.read_text()))
        except OSError as error:
            raise CLOUDFLARE_RANGES_INVALID(f"{path}: {error.strerror}") from error
    return Trust(networks(settings.trusted), ranges, settings.cloudflare == "pulls", networks(settings.proxy_protocol))


def parse(text: str) -> list[str]:
    """The ranges of a list: one a line with `#` comments, or the JSON of Cloudflare's API (`/client/v4/ips`).

    Raises:
        ShipoffError: CLOUDFLARE_RANGES_INVALID; nothing of the list is to be used.
    """
    try:
        found = _from_json(text) if text.lstrip().startswith("{") else _from_lines(text)
        parsed = [ipaddress.ip_network(item) for item in found]
    except (ValueError, KeyError, TypeError) as error:
        raise CLOUDFLARE_RANGES_INVALID(f"the list is not one of networks: {error}") from error
    if not parsed:
        raise CLOUDFLARE_RANGES_INVALID("the list is empty")
    return [str(network) for network in dict.fromkeys(parsed)]


def refresh(texts: list[str], path: Path) -> tuple[int, int]:
    """Writes what was fetched to the file, at once or not at all.

    Args:
        texts: lists as `parse` takes them.

    Returns:
        How many ranges are new, and how many have gone.

    Raises:
        ShipoffError: CLOUDFLARE_RANGES_INVALID; the file is as it was.
    """
    found = list(dict.fromkeys(item for text in texts for item in parse(text)))
    old = parse(path.read_text()) if path.exists() else []
    parsed = [ipaddress.ip_network(item) for item in found]
    for network in parsed:
        if network.prefixlen < _WIDEST[network.version] or network.is_private:
            raise CLOUDFLARE_RANGES_INVALID(f"{network} can't be a range of Cloudflare")
    if {network.version for network in parsed} != {4, 6}:
        raise CLOUDFLARE_RANGES_INVALID("the list lacks IPv4 or IPv6")
    if len(found) * 2 < len(old):
        raise CLOUDFLARE_RANGES_INVALID(f"the list has {len(found)} ranges where there were {len(old)}")
    written = path.with_name(path.name + ".new")
    written.write_text(_HEAD.format(date=datetime.now(UTC)) + "".join(item + "\n" for item in found))
    written.replace(path)
    return len(set(found) - set(old)), len(set(old) - set(found))


def _from_lines(text: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _from_json(text: str) -> list[str]:
    result = json.loads(text)["result"]
    return [*result["ipv4_cidrs"], *result["ipv6_cidrs"]]


async def _fetch(source: str) -> str:
    import aiohttp  # the command only: a worker reads the file, and is 15 MB smaller without

    if not source.startswith(("http://", "https://")):
        return Path(source).read_text()  # noqa: ASYNC240 - a command of its own, which has nothing else to do
    timeout = aiohttp.ClientTimeout(total=_FETCH_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
            async with session.get(source) as answer:
                return await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CLOUDFLARE_RANGES_INVALID(f"{source} gives no list: {error!r}") from error


async def _fetch_all(sources: list[str]) -> list[str]:
    return list(await asyncio.gather(*(_fetch(source) for source in sources)))


def main(arguments: list[str] | None = None) -> None:
    """Refreshes the file; exits with 1 and one clear line when the new list is not good."""
    parser = argparse.ArgumentParser(prog="python -m router.cloudflare", description="Refreshes Cloudflare's ranges.")
    parser.add_argument(
        "--from", dest="sources", action="append", metavar="FILE|URL", help="instead of Cloudflare's own"
    )
    parser.add_argument("--to", type=Path, default=SHIPPED, metavar="FILE", help="instead of the file that ships")
    given = parser.parse_args(arguments)
    configure_logging("router", "INFO")
    try:
        new, gone = refresh(asyncio.run(_fetch_all(given.sources or list(PUBLISHED))), given.to)
    except (ShipoffError, OSError, UnicodeDecodeError) as error:
        log.critical("%s stays as it was: %s", given.to, error)
        sys.exit(1)
    log.info("%s: %d ranges are new, %d have gone; routers read it on SIGHUP", given.to, new, gone)


if __name__ == "__main__":
    main()
