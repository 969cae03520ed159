"""What a URL may look like that the platform connects to on a tenant's word."""

from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
from kernel.net_url import check_url


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "https:///path", "http://example.org/", "ftp://example.org/", "file:///etc/passwd",
        "gopher://example.org/", "HTTPS", "//example.org/", "https:example.org", "https://user@example.org/",
        "https://user:pass@example.org/", "https://example.org@evil.example/", "https://@example.org/",
        "https://example.org/#part", "https://example.org#", "https://example.org/a b", " https://example.org/",
        "https://example.org/\r\nX-Evil: 1", "https://example.org/\n", "https://example.org/\t", "https://exam\0ple.org/",
        "https://example.org\\@evil.example/", "https://example.org:22/", "https://example.org:6379/",
        "https://example.org:0/", "https://example.org:99999/", "https://example.org:http/", "https://127.1/",
        "https://0x7f.1/", "https://0x7f000001/", "https://2130706433/", "https://0177.0.0.1/", "https://1.2.3.4.5/",
        "https://256.1.1.1/", "https://[::1%25lo]/", "https://[fe80::1%lo]/", "https://[::1/", "https://::1/",
        "https://[127.0.0.1]/", "https://-bad.example/", "https://bad-.example/", "https://a..example/",
        "https://.example/", "https://ex*mple.org/", "https://exa mple.org/", "https://xn--/",
        "https://" + "a" * 64 + ".org/", "https://example.org/\u00fc",
        "https://" + "a." * 130 + "org/", "https://example.org/" + "a" * 2048, "https://xn--a.example/\u2028",
        "https://example.org../", "https://1.2.3.0x/",
    ],
)  # fmt: skip
def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    with pytest.raises(ShipoffError, match="URL_INVALID"):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "host", "port", "said"),
    [
        ("https://example.org", "example.org", 443, "https://example.org/"),
        ("https://Example.ORG/A?b=c", "example.org", 443, "https://example.org/A?b=c"),
        ("https://example.org./x", "example.org", 443, "https://example.org/x"),
        ("https://example.org:8443/x", "example.org", 8443, "https://example.org:8443/x"),
        ("https://example.org:443/x", "example.org", 443, "https://example.org/x"),
        ("https://bücher.example/", "xn--bcher-kva.example", 443, "https://xn--bcher-kva.example/"),
        ("https://１２７.0.0.1/", "127.0.0.1", 443, "https://127.0.0.1/"),
        ("https://example。org/", "example.org", 443, "https://example.org/"),
        ("https://1.2.3.4/", "1.2.3.4", 443, "https://1.2.3.4/"),
        ("https://[::FFFF:127.0.0.1]/", "::ffff:7f00:1", 443, "https://[::ffff:7f00:1]/"),
        ("https://[2606:4700::1111]:8443/", "2606:4700::1111", 8443, "https://[2606:4700::1111]:8443/"),
        ("https://my_app.example.org/", "my_app.example.org", 443, "https://my_app.example.org/"),
    ],
)
def test_a_host_has_one_form(url: str, host: str, port: int, said: str) -> None:
    target = check_url(url)
    assert (target.host, target.port, target.url) == (host, port, said)


def test_http_and_other_ports_are_the_operator_s_choice() -> None:
    assert check_url("http://example.org/", insecure=True).port == 80
    assert check_url("https://example.org:9000/", ports={9000}).port == 9000
    with pytest.raises(ShipoffError, match="port 9001"):
        check_url("https://example.org:9001/", ports={9000})
