"""Plans are kept with releases for ever: what was written must load, by whatever version."""

from __future__ import annotations

import orjson

from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import AppLimits, Cron, Health, Process, Scaling

FULL = BuildPlan(
    "flask",
    "dynamic",
    "python",
    root_dir="api",
    install="uv sync",
    run="exec gunicorn app:app",
    health=Health(path="/up", strict=True, interval_s=2.0),
    workers=(Process("mails", "python mails.py", instances=2),),
    crons=(Cron("nightly", "0 3 * * *", "python clean.py", timezone="Europe/Berlin"),),
    release_command="python migrate.py",
    scaling=Scaling(min=0, max=4, target=10.0, idle_s=60.0),
    limits=AppLimits(memory_bytes=256 << 20, cpus=0.5),
    rules={"max_body": 1024},
    run_env={"A": "1"},
)


def test_a_plan_survives_the_way_through_its_row() -> None:
    assert BuildPlan.from_json(orjson.loads(orjson.dumps(FULL.to_json()))) == FULL


def test_a_row_of_before_there_were_processes_loads_with_defaults() -> None:
    row: dict[str, object] = {
        "framework": "node",
        "kind": "dynamic",
        "runtime": "node",
        "root_dir": "",
        "install": "npm ci",
        "build": "",
    }
    row |= {"run": "node x.js", "output_dir": "", "spa": False, "health_path": "/ok", "build_env": {}, "run_env": {}}
    assert BuildPlan.from_json(row) == BuildPlan(
        "node", "dynamic", "node", install="npm ci", run="node x.js", health=Health(path="/ok")
    )


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert BuildPlan.from_json(FULL.to_json() | {"colour": "red"}) == FULL


def test_the_web_process_comes_first_and_a_static_site_has_none() -> None:
    assert [(process.name, process.kind) for process in FULL.processes] == [("web", "web"), ("mails", "worker")]
    assert BuildPlan("static", "static").processes == ()
