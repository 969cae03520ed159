"""Which certificate a host gets, and what may be asked for on its connection."""

from __future__ import annotations

import pytest

from router.core.certificates import Certificate, Certificates, Served


def certificate(*names: str, client_ca: str = "", since: float = 0) -> Certificate:
    return Certificate("/x", frozenset(name.encode() for name in names), since, client_ca, None)


APP = certificate("app.test", "127.0.0.1")
WILD = certificate("*.wild.test")
OWN = certificate("own.wild.test", client_ca="ca")
BOTH = certificate("both.test", "secret.test")
SECRET = certificate("secret.test", client_ca="ca", since=1)
OTHER_SECRET = certificate("vault.test", client_ca="other")
DEFAULT = certificate("default.test")
ALL = Certificates((APP, WILD, OWN, BOTH, SECRET, OTHER_SECRET), DEFAULT)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        (b"app.test", APP),
        (b"a.wild.test", WILD),
        (b"own.wild.test", OWN),
        (b"a.b.wild.test", DEFAULT),
        (b"wild.test", DEFAULT),
        (b".wild.test", DEFAULT),
        (b"secret.test", SECRET),
        (b"", DEFAULT),
    ],
)
def test_a_host_gets_the_closest_and_youngest(host: bytes, found: Certificate) -> None:
    assert ALL.find(host) is found
    assert Certificates((APP,)).find(b"no.test") is None


@pytest.mark.parametrize(
    ("served", "host", "admitted"),
    [
        (APP, b"app.test", True),
        (APP, b"app.test:8443", True),
        (APP, b"127.0.0.1", True),
        (APP, b"no.test", False),
        (APP, b"a.wild.test", False),
        (APP, b"not a host", True),  # refused by another rule, with its own code
        (WILD, b"a.wild.test", True),
        (WILD, b"own.wild.test", False),  # covered by the name, but that host asks for a client's certificate
        (BOTH, b"both.test", True),
        (BOTH, b"secret.test", False),
        (SECRET, b"secret.test", True),
        (SECRET, b"own.wild.test", False),
        (OTHER_SECRET, b"secret.test", False),
    ],
)
def test_a_connection_is_good_for_what_its_certificate_covers(served: Certificate, host: bytes, admitted: bool) -> None:
    one = Served(served, fallback=False)
    for _ in range(2):
        assert one.admits(host, ALL) is admitted


@pytest.mark.parametrize(("host", "admitted"), [(b"app.test", True), (b"no.test", True), (b"secret.test", False)])
def test_the_default_is_nobodys_name_and_no_way_past_a_client_certificate(host: bytes, admitted: bool) -> None:
    assert Served(DEFAULT, fallback=True).admits(host, ALL) is admitted


def test_a_host_that_asks_for_a_client_certificate_from_now_on_is_closed_to_connections_of_before() -> None:
    served = Served(APP, fallback=False)
    assert served.admits(b"app.test", ALL)
    assert not served.admits(b"app.test", Certificates((certificate("app.test", client_ca="ca"),)))
