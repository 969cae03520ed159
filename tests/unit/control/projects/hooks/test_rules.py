from __future__ import annotations

import pytest

from control.projects.hooks.rules import (
    HookKind,
    TargetRules,
    check_filters,
    check_kind,
    check_name,
    check_target,
    ports_of,
)
from kernel.errors import ShipoffError

STRICT = TargetRules()


def test_a_url_is_brought_to_one_form_and_its_host_may_be_shown() -> None:
    url, host = check_target(HookKind.SLACK, "https://Hooks.Slack.com/services/T/B/x", STRICT)
    assert (url, host) == ("https://hooks.slack.com/services/T/B/x", "hooks.slack.com")


@pytest.mark.parametrize("url", ["http://example.org/", "https://example.org:6379/", "https://a:b@example.org/", "x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ShipoffError, match="URL_INVALID"):
        check_target(HookKind.WEBHOOK, url, STRICT)


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "@example.org", "a b@example.org", "a@b@c", "a@x.org\r\nBcc: b@x.org",
             "a@x.org,b@x.org", '"a"@x.org', "a@x.org>"]
)  # fmt: skip
def test_what_is_not_one_mail_address_is_refused(text: str) -> None:
    with pytest.raises(ShipoffError, match="HOOK_INVALID"):
        check_target(HookKind.EMAIL, text, STRICT)


def test_a_mail_address_shows_its_domain() -> None:
    assert check_target(HookKind.EMAIL, "Ada@Example.org", STRICT) == ("Ada@Example.org", "example.org")


def test_filters_name_known_events_and_environments() -> None:
    check_filters(["deployment.live", "limit.reached"], ["production", "preview", "preview/a branch"])
    for events, environments in ((["deployment.exploded"], []), (["ping"], []), ([], ["staging"]), ([], ["preview/"])):
        with pytest.raises(ShipoffError, match="HOOK_INVALID"):
            check_filters(events, environments)
    with pytest.raises(ShipoffError, match="at most"):
        check_filters([], ["production"] * 33)


def test_names_and_kinds() -> None:
    assert check_name("To the team") == "To the team"
    assert check_kind("slack") is HookKind.SLACK
    for refused in ("a\nb", "x" * 81):
        with pytest.raises(ShipoffError, match="HOOK_INVALID"):
            check_name(refused)
    with pytest.raises(ShipoffError, match="webhook, slack, email"):
        check_kind("pager")


def test_ports_are_numbers_or_any() -> None:
    assert 8443 in ports_of("443 8443")
    assert 80 not in ports_of("443 8443")
    assert 1 in ports_of("any")
    assert 0 not in ports_of("any")
    with pytest.raises(ValueError, match="https"):
        ports_of("https")
