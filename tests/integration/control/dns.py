"""A name server on a loopback port whose zone a test writes as it goes: answers, gaps, faults, silence, chains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from dnslib import CNAME, QTYPE, RCODE, RR, TXT, DNSError, DNSRecord  # type: ignore[import-untyped]
from dnslib.server import DNSLogger, DNSServer  # type: ignore[import-untyped]

SERVFAIL: Final = "servfail"
REFUSED: Final = "refused"
SILENT: Final = "silent"
FINE: Final = "fine"  # below a name that fails
_FAULTS: Final = {SERVFAIL: RCODE.SERVFAIL, REFUSED: RCODE.REFUSED}


class Names:
    """The zone; what is not written down is NXDOMAIN, and a name with other records only has no data.

    Attributes:
        asked: "TXT name" for each question that came.
    """

    def __init__(self) -> None:
        self.texts: dict[str, list[str | list[str]]] = {}
        self.aliases: dict[str, str] = {}
        self.faults: dict[str, str] = {}
        self.asked: list[str] = []
        self.server = ""

    def txt(self, name: str, *values: str | list[str]) -> None:
        """One record for each value; a list is one record of several strings."""
        self.texts[name] = list(values)

    def cname(self, name: str, target: str) -> None:
        """An alias."""
        self.aliases[name] = target

    def fail(self, name: str, how: str) -> None:
        """From now on questions for the name, and for all below it, are answered by a fault, or not at all."""
        self.faults[name] = how

    def forget(self, *names: str) -> None:
        """Takes names out of the zone, and their faults."""
        for name in names:
            for kept in (self.texts, self.aliases, self.faults):
                kept.pop(name, None)

    def resolve(self, request: DNSRecord, _: Any) -> DNSRecord:
        """The answer, as dnslib's server asks for it."""
        name = str(request.q.qname).removesuffix(".").lower()
        kind = QTYPE[request.q.qtype]
        self.asked.append(f"{kind} {name}")
        reply = request.reply()
        how = self._fault(name)
        if how == SILENT:
            raise DNSError("nobody is there")
        if how != FINE:
            reply.header.rcode = _FAULTS[how]
            return reply
        if kind == "TXT":
            for value in self.texts.get(name, ()):
                reply.add_answer(RR(name, QTYPE.TXT, rdata=TXT(value), ttl=1))
        elif kind == "CNAME" and name in self.aliases:
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(self.aliases[name]), ttl=1))
        if name not in self.texts and name not in self.aliases:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply

    def _fault(self, name: str) -> str:
        """Of the nearest name above that has one."""
        labels = name.split(".")
        above = [".".join(labels[at:]) for at in range(len(labels))]
        return next((self.faults[one] for one in above if one in self.faults), FINE)


@contextmanager
def served() -> Iterator[Names]:
    """An empty zone, served while the block runs; its `server` is what `dns_servers` takes."""
    names = Names()
    quiet = DNSLogger(log="-request,-reply,-truncated,-error,-recv,-send,-data", prefix=False)
    server = DNSServer(names, address="127.0.0.1", port=0, logger=quiet)
    names.server = f"127.0.0.1:{server.server.server_address[1]}"
    server.start_thread()
    try:
        yield names
    finally:
        server.stop()
        server.server.server_close()
        server.thread.join(5)
