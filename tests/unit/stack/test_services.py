"""Each service is told what it needs, and no secret that it does not need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stack.services import AFTER, MODULES, OWN_DATABASE, Plan, Service
from stack.state import _PORTS


@pytest.fixture
def plan() -> Plan:
    return Plan(
        state=Path("/state"),
        run_dir=Path("/run/x"),
        host="0.0.0.0",
        ports=_PORTS,
        databases={name: f"postgresql://{name}:secret-of-{name}@/x" for name in OWN_DATABASE},
        redis_url="unix:///x?password=p",
        s3={"SHIPOFF_S3_SECRET_KEY": "s3-secret"},
        service_token="service-token",
        env_key="env-key",
        workers=2,
        owner=1,
        log_level="INFO",
        runtimes="/cache",
    )


@pytest.mark.parametrize("name", MODULES)
def test_a_service_sees_its_own_database_only(plan: Plan, name: str) -> None:
    text = str(plan.environment(name))
    for other in OWN_DATABASE:
        assert (f"secret-of-{other}" in text) == (name == other)


def test_the_router_gets_neither_the_service_token_nor_the_key_of_env_vars(plan: Plan) -> None:
    text = str(plan.environment("router"))
    assert "service-token" not in text
    assert "env-key" not in text


def test_the_router_holds_a_token_that_only_logsink_knows(plan: Plan) -> None:
    holders = {name for name in MODULES if plan.requests_token in str(plan.environment(name))}
    assert holders == {"router", "logsink"}
    assert plan.environment("router")["SHIPOFF_LOGSINK_ADDRESS"] == f"127.0.0.1:{plan.ports['logsink']}"


def test_only_those_that_read_objects_hold_the_store_s_secret(plan: Plan) -> None:
    holders = {name for name in MODULES if "s3-secret" in str(plan.environment(name))}
    assert holders == {"orchestrator", "router"}


def test_only_router_and_gateway_listen_beyond_loopback(plan: Plan) -> None:
    for name in MODULES:
        listen = plan.environment(name)[f"SHIPOFF_{name.upper()}_LISTEN"]
        assert listen.startswith("0.0.0.0:" if name in ("router", "gateway") else "127.0.0.1:")
    assert plan.gateway_url == "http://127.0.0.1:8000"


def test_what_people_are_told_is_the_address_of_what_stands_before_the_gateway(plan: Plan) -> None:
    assert plan.environment("auth")["SHIPOFF_AUTH_PUBLIC_URL"] == plan.gateway_url
    fronted = replace(plan, public_url="https://ship.example.org")
    for name in ("auth", "gateway"):
        assert fronted.environment(name)[f"SHIPOFF_{name.upper()}_PUBLIC_URL"] == "https://ship.example.org"
    assert fronted.environment("orchestrator")["SHIPOFF_GATEWAY_URL"] == plan.gateway_url


def test_a_command_carries_no_secret_in_its_arguments(plan: Plan) -> None:
    for name in MODULES:
        assert list(Service(name, plan, {}).command().argv)[1:] == ["-m", MODULES[name]]


def test_every_service_comes_after_what_it_needs() -> None:
    order = ["postgres", "valkey", "seaweed", "databases", *MODULES]
    for name, needs in AFTER.items():
        assert all(order.index(other) < order.index(name) for other in needs)
