"""A domain's name has one form, which the router takes, and what nobody can own is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.projects.domains.names import base_of, covering, is_wildcard, normalise, unicode_of
from kernel.errors import ShipoffError
from router.core.records import Route

PLATFORM = ("apps.acme.com", "localhost")


def form(text: str) -> str:
    return normalise(text, PLATFORM)


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        (" WWW.Example.org. ", "www.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("*.Bücher.example", "*.xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),  # IDNA 2008; 2003 made it fass
        ("ＥＸＡＭＰＬＥ。org", "example.org"),
        ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"),
        ("acme.com", "acme.com"),
        ("apps.acme.com.evil.example", "apps.acme.com.evil.example"),
    ],
)
def test_a_name_has_one_form(typed: str, normal: str) -> None:
    assert form(typed) == normal


@pytest.mark.parametrize(
    "typed",
    [
        "", ".", "*", "*.", "org", "*.org", "a..b", ".example.org", "www.example.org..", "-a.org", "a-.org", "a_b.org",
        "a b.org", "a\nb.org", "a\0.org", "https://example.org", "example.org/x", "example.org:80", "u@example.org",
        "1.2.3.4", "0x7f.1", "example.123", "a.0x1", "[::1]", "::1", "*.1.2.3.4", "a*.org", "*.*.org", "www.*.org",
        "xn--a.org", "☃.net", "\ud800.org", f"{'a' * 64}.org", ".".join(["a" * 60] * 5), "x" * 5000, "ab--cd.org",
    ],
)  # fmt: skip
def test_what_is_no_public_host_is_refused(typed: str) -> None:
    with pytest.raises(ShipoffError) as caught:
        form(typed)
    assert caught.value.code == "DOMAIN_INVALID"
    assert len(caught.value.detail) < 400
    assert caught.value.hint


@pytest.mark.parametrize(
    "typed",
    [
        "apps.acme.com", "Shop.Apps.Acme.com", "*.apps.acme.com", "*.acme.com", "a.b.apps.acme.com.", "ａpps.acme.com",
        "x.localhost", "db.internal", "printer.local", "1.0.0.127.in-addr.arpa",
    ],
)  # fmt: skip
def test_what_is_the_platforms_or_of_special_use_is_refused(typed: str) -> None:
    with pytest.raises(ShipoffError) as caught:
        form(typed)
    assert caught.value.code == "DOMAIN_RESERVED"


def test_the_txt_record_of_the_longest_name_still_fits() -> None:
    longest = ".".join(["a" * 60] * 4)
    assert len(f"_shipoff.{form(longest)}") == 252
    with pytest.raises(ShipoffError):
        form(f"ab.{longest}")


def test_the_wildcards_above_a_name_begin_with_the_nearest() -> None:
    assert covering("a.b.example.org") == ["*.b.example.org", "*.example.org"]
    assert covering("*.b.example.org") == ["*.example.org"]
    assert covering("example.org") == []


NAMES = st.one_of(
    st.text(max_size=60),
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=4).map(".".join),
    st.from_regex(r"(\*\.)?([A-Za-z0-9äöüßéñ一二三-]{1,12}\.){1,3}[a-z]{2,6}\.?", fullmatch=True),
)


@given(NAMES)
def test_what_passes_is_stable_reads_back_and_is_a_host_of_the_routers_table(typed: str) -> None:
    try:
        name = form(typed)
    except ShipoffError:
        return
    assert form(name) == name == name.lower()
    assert form(unicode_of(name)) == name
    assert form(name.upper() + ".") == name
    assert name.isascii()
    assert len(base_of(name).split(".")) >= 2
    assert is_wildcard(name) == name.startswith("*.")
    record = {"host": name, "path": "/", "kind": "redirect", "location": "https://example.org/"}
    assert Route(record).host == name.encode()
