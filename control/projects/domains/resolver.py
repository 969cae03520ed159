"""Asks the DNS, within bounds, whether a record is there.

The answers are a resolver's (the system's, or those of the setting `dns_servers`), which follows CNAMEs itself when it
is asked for texts. A chain of CNAMEs towards a project's host is followed here, name by name, so that it may pass
through others' names; it ends at the first name that is the right one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from control.projects.domains.records import TXT, Record
from control.projects.domains.sight import UNKNOWN, Answer, Look, Sight
from kernel.errors import define

if TYPE_CHECKING:
    import dns.asyncresolver
    import dns.resolver

DNS_SERVERS_INVALID = define(
    "DNS_SERVERS_INVALID", source="client", status=500, hint="SHIPOFF_PROJECTS_DNS_SERVERS is e.g. 10.0.0.2 [::1]:5353"
)
DNS_BUSY = define("DNS_BUSY", status=503, retryable=True, hint="many domains are being checked; try again in a moment")
SERVER_S: Final = 1.5  # until the next server is asked, or the same one again
QUESTION_S: Final = 4.0  # until a question counts as not answered
LOOK_S: Final = 10.0  # a whole look, chains included
HOPS: Final = 8  # of CNAMEs; resolvers give up at 8 to 16 (BIND's max-query-count is 11)
AT_ONCE: Final = 8  # looks at a time
WAITING: Final = 64  # looks that wait for their turn


class Resolver:
    """Looks records up.

    Args:
        servers: "address" or "address:port" ("[address]:port" for IPv6), separated by spaces; "" is the system's.

    Raises:
        ShipoffError: DNS_SERVERS_INVALID.
    """

    def __init__(self, servers: str) -> None:
        self._servers = [_server(text) for text in servers.split()]
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def look(self, records: Sequence[Record]) -> Sight:
        """Whether each of the records that prove something is there.

        Raises:
            ShipoffError: DNS_BUSY.
        """
        if self._waiting >= WAITING:
            raise DNS_BUSY(f"{self._waiting} looks at domains are waiting")
        self._waiting += 1
        try:
            async with self._places:
                asked = [self._one(record) for record in records if record.proves]
                return Sight(tuple(await asyncio.gather(*asked)))
        finally:
            self._waiting -= 1

    async def _one(self, record: Record) -> Look:
        try:
            async with asyncio.timeout(LOOK_S):
                return await (self._texts(record) if record.type == TXT else self._chain(record))
        except TimeoutError:
            return Look(record, Answer.SILENT)

    async def _texts(self, record: Record) -> Look:
        answer, values = await self._ask(record.name, TXT)
        # Some forms at registrars put quotes into the text itself.
        return Look(record, answer, tuple(values), any(value.strip().strip('"') == record.value for value in values))

    async def _chain(self, record: Record) -> Look:
        way: list[str] = []
        name, answer = record.name, Answer.NO_RECORD
        while len(way) < HOPS:
            answer, targets = await self._ask(name, record.type)
            if answer is not Answer.FOUND:
                break
            name = targets[0].lower()
            if name in way or name == record.name:
                return Look(record, Answer.LOOP, (*way, name))
            way.append(name)
            if name == record.value:
                return Look(record, Answer.FOUND, tuple(way), matches=True)
        else:
            return Look(record, Answer.LOOP, tuple(way))
        if way and answer not in UNKNOWN:
            answer = Answer.FOUND  # the name has a CNAME, if only to elsewhere; whether that exists is not the question
        return Look(record, answer, tuple(way))

    async def _ask(self, name: str, kind: str) -> tuple[Answer, list[str]]:
        import dns.exception
        import dns.resolver

        try:
            found = await self._resolver().resolve(name, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return Answer.NO_NAME, []
        except dns.exception.Timeout:
            return Answer.SILENT, []
        except (dns.exception.DNSException, OSError):
            return Answer.FAILED, []
        values = [_value(data, kind) for data in found.rrset or ()]
        return (Answer.FOUND if values else Answer.NO_RECORD), values

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """A new one for each question: the system's may change, and nothing is remembered in between."""
        import dns.asyncresolver
        import dns.nameserver

        made = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            made.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in self._servers]
        made.timeout, made.lifetime = SERVER_S, QUESTION_S
        made.cache = None
        return made


def _value(data: object, kind: str) -> str:
    if kind == TXT:
        # RFC 7208, section 3.3, as everybody reads them: the strings of one record are one text.
        return b"".join(data.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]
    return str(data.target).removesuffix(".")  # type: ignore[attr-defined]


def _server(text: str) -> tuple[str, int]:
    import ipaddress

    bare, _, port = text.rpartition(":") if text.startswith("[") or text.count(":") == 1 else (text, "", "53")
    if text.startswith("[") and text.endswith("]"):
        bare, port = text, "53"
    address = bare.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(address)
        number = int(port)
    except ValueError as error:
        raise DNS_SERVERS_INVALID(f"{text[:80]!r} is not the address of a name server") from error
    if not 0 < number < 65536:
        raise DNS_SERVERS_INVALID(f"{text[:80]!r} is not the address of a name server")
    return address, number
