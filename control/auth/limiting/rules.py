"""What is limited, and how often. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Rule:
    """So many times in so long, by a moving window: each try is forgotten after the window.

    Attributes:
        name: of what is limited.
        times: within the window.
        window_s: whole seconds.
    """

    name: str
    times: int
    window_s: int


@dataclass(frozen=True, slots=True)
class Rules:
    """All of them; an operator may set some.

    Attributes:
        account: failed sign-ins to one account, or to an address that has none.
        address: sign-ins from one client address, which a whole office may share.
        lockout_s: the window of both.
        mails: registrations, and requests for mails, from one client in an hour.
    """

    account: int = 10
    address: int = 100
    lockout_s: int = 900
    mails: int = 30

    @property
    def login_account(self) -> Rule:
        """Passwords for one account."""
        return Rule("login-account", self.account, self.lockout_s)

    @property
    def login_address(self) -> Rule:
        """Passwords from one client."""
        return Rule("login-address", self.address, self.lockout_s)

    @property
    def confirm(self) -> Rule:
        """Passwords and codes from inside a session, so that a stolen one does not help to find them."""
        return Rule("confirm", self.account, self.lockout_s)

    @property
    def second_factor(self) -> Rule:
        """Codes for one account, over all its challenges: a million codes are few for who has the password."""
        return Rule("second-factor", self.account, self.lockout_s)

    @property
    def lockout_mail(self) -> Rule:
        """Mails that tell an owner of a lockout."""
        return Rule("lockout-mail", 1, HOUR_S)

    @property
    def register(self) -> Rule:
        """Registrations from one client."""
        return Rule("register", self.mails, HOUR_S)

    @property
    def mail_request(self) -> Rule:
        """Requests for mails (forgotten password, verification) from one client."""
        return Rule("mail-request", self.mails, HOUR_S)

    @property
    def mail_to(self) -> Rule:
        """Mails to one recipient that anybody can cause."""
        return Rule("mail-to", 5, HOUR_S)


def network(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that a household has; nonsense counts as itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
