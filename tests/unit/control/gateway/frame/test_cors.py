"""Browsers may call the API from the dashboard and from nowhere else."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from control.gateway.frame.cors import Cors

DASHBOARD = "https://dashboard.example.org"
CORS = Cors(f"{DASHBOARD}/, http://localhost:3000")
OTHERS = [
    "https://evil.example",
    "null",
    "https://dashboard.example.org.evil.example",
    "http://dashboard.example.org",
    "",
]


@pytest.mark.parametrize("origin", [DASHBOARD, "http://localhost:3000"])
def test_the_dashboard_may_ask_and_read(origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
    answer = CORS.preflight(make_mocked_request("OPTIONS", "/v1/me", headers=headers))
    assert answer is not None
    assert (answer.status, answer.headers["Access-Control-Allow-Methods"].split(", ")[-2]) == (204, "PATCH")
    marked: CIMultiDict[str] = CIMultiDict()
    CORS.mark(make_mocked_request("GET", "/v1/me", headers={"Origin": origin}), marked)
    assert (marked["Access-Control-Allow-Origin"], marked["Vary"]) == (origin, "Origin")
    assert "Access-Control-Allow-Credentials" not in marked


@pytest.mark.parametrize("origin", OTHERS)
def test_other_sites_may_not(origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    request = make_mocked_request("OPTIONS", "/v1/me", headers=headers)
    answer = CORS.preflight(request)
    assert answer is not None
    assert "Access-Control-Allow-Methods" not in answer.headers
    marked = CIMultiDict({"Vary": "Accept"})
    CORS.mark(request, marked)
    assert dict(marked) == {"Vary": "Accept, Origin"}


def test_without_a_dashboard_nothing_is_said() -> None:
    marked: CIMultiDict[str] = CIMultiDict()
    Cors("").mark(make_mocked_request("GET", "/", headers={"Origin": DASHBOARD}), marked)
    assert not marked


def test_what_is_no_preflight_is_left_alone() -> None:
    assert CORS.preflight(make_mocked_request("OPTIONS", "/v1/me")) is None
    assert CORS.preflight(make_mocked_request("GET", "/v1/me")) is None
