"""Load goes to this machine, or to what its owner names as theirs."""

from __future__ import annotations

import pytest

from bench.load.scenario import Refused
from bench.load.target import Target, find


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:80/", "http://localhost:1"])
def test_this_machine_may_be_loaded(url: str) -> None:
    assert find(url).url.startswith("http://")


@pytest.mark.parametrize("url", ["http://192.0.2.1", "https://10.0.0.1:8443", "http://0.0.0.1", "http://[2001:db8::1]"])
def test_another_machine_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="--i-own"):
        find(url)


def test_the_statement_must_name_the_very_host() -> None:
    with pytest.raises(Refused, match="--i-own 192"):
        find("http://192.0.2.1", owned="192.0.2.2")
    assert find("http://192.0.2.1", owned="192.0.2.1") == Target("192.0.2.1", 80, "192.0.2.1")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://127.0.0.1/path", "http://127.0.0.1:99999"])
def test_what_is_no_target_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        find(url)


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (Target("127.0.0.1", 80, "a.test"), "a.test"),
        (Target("127.0.0.1", 8080, "a.test"), "a.test:8080"),
        (Target("127.0.0.1", 443, "a.test", tls=True), "a.test"),
        (Target("::1", 8080, "::1"), "[::1]:8080"),
    ],
)
def test_the_host_header_names_the_port_where_it_must(target: Target, host: str) -> None:
    assert target.host == host
