"""ETags are strong and of the bytes; `If-Match` never matches what it does not surely name."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from control.gateway.frame.conditional import fresh, matches, tag_of
from kernel.errors import ShipoffError

TAG = tag_of(b"{}\n")


def answered(shown: str, method: str = "GET") -> web.Response:
    request = make_mocked_request(method, "/", headers={"If-None-Match": shown} if shown else {})
    return fresh(request, web.Response(body=b"{}\n", headers={"X-Extra": "1"}))


@pytest.mark.parametrize("shown", [TAG, f"W/{TAG}", f'"other", {TAG}', "*"])
def test_what_the_client_has_is_not_sent_again(shown: str) -> None:
    response = answered(shown)
    assert (response.status, response.body, response.headers["ETag"]) == (304, None, TAG)
    assert "X-Extra" not in response.headers


@pytest.mark.parametrize("shown", ["", '"other"', TAG.strip('"'), "W/", '"'])
def test_what_it_has_not_is_sent(shown: str) -> None:
    response = answered(shown)
    assert (response.status, response.headers["ETag"]) == (200, TAG)


def test_a_change_has_no_etag() -> None:
    assert "ETag" not in answered(TAG, "POST").headers


@pytest.mark.parametrize(
    ("shown", "found"),
    [("*", True), (TAG, True), (f'"other" , {TAG}', True), (f"W/{TAG}", False), ('"other"', False), ('""', False)],
)
def test_if_match_compares_strongly(shown: str, found: bool) -> None:
    assert matches(shown, TAG) is found


@pytest.mark.parametrize("shown", ["", TAG.strip('"'), f"{TAG}, ", f'{TAG} "x"', '"a b"'])
def test_a_malformed_if_match_changes_nothing(shown: str) -> None:
    with pytest.raises(ShipoffError, match="PRECONDITION_FAILED"):
        matches(shown, TAG)
