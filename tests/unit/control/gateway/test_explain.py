"""Every code has its reason, and what is said of a request names what matters."""

from __future__ import annotations

from typing import Any

import pytest

from control.gateway.explain import of_address, of_request
from control.gateway.reasons import REASONS, reason
from kernel.errors import ErrorKind
from router.core import errors

ROUTE: dict[str, Any] = {
    "host": "*.example.org", "path": "/", "kind": "dynamic", "release": "rel_1", "rules": {"deny": []}, "version": 7,
}  # fmt: skip
CURRENT = [{"id": "n-1", "version": 9, "current": True}]


def request(**more: Any) -> dict[str, Any]:
    return {
        "method": "GET", "host": "a.example.org", "target": "/x?y=1", "at": "2026-01-01T00:00:00Z", "status": 200,
        "error": "", "kind": "app", "whole": True, "release_id": "rel_1", "environment": "production",
        "instance_id": "ins_1", "attempts": 1, "queue_ms": 0.0, "connect_ms": 0.0, "first_byte_ms": 20.0,
        "body_ms": 1.0, **more,
    }  # fmt: skip


def test_every_code_of_the_router_has_a_reason() -> None:
    codes = {one.code for one in vars(errors).values() if isinstance(one, ErrorKind)}
    assert set(REASONS) == codes
    assert reason("FROM_THE_FUTURE") == "the router says FROM_THE_FUTURE"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {},
            ["The app answered 200.", "release rel_1 of production, instance ins_1", "20.0 ms until the answer began"],
        ),
        ({"kind": "woken", "queue_ms": 900.0}, ["had to be woken", "900.0 ms waiting for the app's cold start"]),
        ({"status": 502, "error": "UPSTREAM_REFUSED", "attempts": 3}, ["502 UPSTREAM_REFUSED: no instance", "3 times"]),
        ({"status": 0, "whole": False}, ["The client went away"]),
        ({"whole": False}, ["broke off before its end"]),
        ({"kind": "router", "status": 308, "release_id": ""}, ["The router itself answered 308."]),
    ],
)
def test_what_is_said_of_a_request(more: dict[str, Any], expected: list[str]) -> None:
    said = "\n".join(of_request(request(**more)))
    assert all(one in said for one in expected), said


@pytest.mark.parametrize(
    ("route", "releases", "expected"),
    [
        (None, [], ["404 NO_ROUTE"]),
        (ROUTE, [("running", ["ins_1", "ins_2"])], ["route *.example.org/", "asked first: deny", "2 instances"]),
        (ROUTE, [("asleep", [])], ["sleeps, the first request wakes it"]),
        (ROUTE, [("waking", [])], ["is being woken"]),
        (ROUTE, [("running", [])], ["503 NO_INSTANCE"]),
        (ROUTE, [("", [])], ["503 NO_INSTANCE"]),
        (ROUTE, [("running", ["ins_1"]), ("running", ["ins_2"])], ["a share of 50 in weight"]),
        ({**ROUTE, "kind": "static"}, [], ["Files come from release rel_1"]),
    ],
)
def test_what_is_said_of_an_address(
    route: dict[str, Any] | None, releases: list[tuple[str, list[str]]], expected: list[str]
) -> None:
    told = [{"id": f"rel_{n}", "share": 50, "state": s, "instances": i} for n, (s, i) in enumerate(releases)]
    said = "\n".join(of_address("a.example.org/x", route, told, CURRENT))
    assert all(one in said for one in expected), said
    assert "All 1 router workers serve that." in said


def test_what_a_router_says_itself_is_told() -> None:
    rules = [{"rule": "rate_limit", "effect": "429 above it"}, {"rule": "https", "answers": 308, "effect": "sent on"}]
    aside = {"instance": "ins_2", "aside_s": 8.2, "aside_why": "5 failures in a row"}
    instances = [{"instance": "ins_1", "aside_s": 0.0, "aside_why": ""}, aside]
    release = {"id": "rel_1", "share": 1, "state": "running", "instances": ["ins_1", "ins_2"]}
    router = {"rules": rules, "waiting": 3, "instances": instances}
    said = of_address("a.example.org/x", ROUTE, [release], CURRENT, router)
    assert said[1:] == [
        "Rule rate_limit: 429 above it.",
        "Rule https: 308: sent on.",
        "Release rel_1 gets all: it runs on 2 instances (ins_1, ins_2).",
        "A router has set instance ins_2 aside, for 8 s more: 5 failures in a row.",
        "In a router 3 requests wait for an instance.",
        "All 1 router workers serve that.",
    ]


def test_a_site_that_is_tried_or_was_replaced_is_told() -> None:
    site = {**ROUTE, "kind": "static", "rules": {}}
    tried = of_address("a/", {**site, "weights": [["rel_1", 90], ["rel_2", 10]]}, [], CURRENT)
    assert "rel_1 (a share of 90 in weight), rel_2 (a share of 10 in weight)" in tried[1]
    replaced = of_address("a/", {**site, "previous": "releases/rel_0/manifest.json"}, [], CURRENT)
    assert "also served from the release before" in replaced[2]


def test_a_router_that_is_behind_is_named() -> None:
    assert of_address("a/", None, [], [])[-1].startswith("No router")
    behind = of_address("a/", None, [], [*CURRENT, {"id": "n-2", "version": 3, "current": False}])
    assert "n-2 would still answer as before" in behind[-1]
