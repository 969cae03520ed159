"""shipoff.toml: what it says reaches the plan, what is wrong in it is told at once."""

from __future__ import annotations

import textwrap

import pytest

from kernel.errors import ShipoffError
from orchestrator.build.detect import plan
from orchestrator.build.plan import BuildPlan, BuildSettings
from orchestrator.build.project_file import ProjectFile
from orchestrator.build.running import AppLimits, Cron, Health, Process, Scaling
from orchestrator.build.schedule import check_schedule
from orchestrator.build.tree import SourceTree

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FULL = """
[build]
install = "make deps"
command = "make"
env = { CI = "1" }
[run]
command = "exec ./serve"
env = { MODE = "fast" }
[processes]
mails = "python mails.py"
video = { command = "python video.py", instances = 2 }
[[cron]]
name = "nightly"
schedule = "*/5 0-6 * * 1,3"
command = "python clean.py"
timezone = "Europe/Berlin"
[release]
command = "python migrate.py"
[health]
path = "/up"
timeout_s = 2
[scaling]
min = 0
max = 3
idle_s = 60
[limits]
memory = "256M"
cpus = 0.5
[rules]
max_body = 1024
"""


def planned(toml: str, settings: BuildSettings | None = None) -> BuildPlan:
    tree = SourceTree.of_texts({"app.py": FLASK, "shipoff.toml": textwrap.dedent(toml)})
    return plan(tree, settings or BuildSettings())


def refusal(toml: str) -> str:
    with pytest.raises(ShipoffError) as caught:
        planned(toml)
    assert caught.value.code == "SHIPOFF_TOML_INVALID"
    return caught.value.detail


def test_every_field_reaches_the_plan() -> None:
    found = planned(FULL)
    assert (found.framework, found.build, found.run) == ("flask", "make", "exec ./serve")
    assert found.install.endswith("&& make deps")
    assert (found.build_env["CI"], found.run_env["MODE"]) == ("1", "fast")
    assert found.workers == (Process("mails", "python mails.py"), Process("video", "python video.py", instances=2))
    assert found.crons == (Cron("nightly", "*/5 0-6 * * 1,3", "python clean.py", "Europe/Berlin"),)
    assert found.release_command == "python migrate.py"
    assert found.health == Health(path="/up", strict=True, timeout_s=2)
    assert found.scaling == Scaling(min=0, max=3, idle_s=60)
    assert found.limits == AppLimits(memory_bytes=256 << 20, cpus=0.5)
    assert found.rules == {"max_body": 1024}


def test_the_file_wins_over_settings_and_these_over_what_is_found() -> None:
    settings = BuildSettings(build_command="from settings", run_command="settings run", health_path="/settings")
    found = planned('[build]\ncommand = "from file"', settings)
    assert (found.build, found.run) == ("from file", "settings run")
    assert found.health == Health(path="/settings", strict=True)


def test_without_a_file_nothing_changes() -> None:
    assert planned("") == plan(SourceTree.of_texts({"app.py": FLASK}), BuildSettings())


def test_more_instances_than_one_need_no_maximum() -> None:
    assert planned("[scaling]\nmin = 3").scaling == Scaling(min=3, max=3)
    assert planned("[scaling]\nmin = 0").scaling == Scaling(min=0, max=1)


def test_tcp_asks_no_path() -> None:
    assert planned("[health]\ntcp = true").health == Health("tcp")


def test_all_faults_are_told_at_once_with_where_they_are() -> None:
    said = refusal("""
        [build]
        comand = "make"
        env = { PORT = "1" }
        [[cron]]
        name = "a"
        schedule = "61 * * * *"
        command = "x"
        [limits]
        memory = "lots"
        [rules.response_headers]
        remove = ["Host"]
        """)
    assert "build.comand: there is no such field (is it command?)" in said
    assert "build.env: PORT is set by the platform" in said
    assert "cron[1].schedule: '61 * * * *' is no schedule (Bad minute)" in said
    assert 'limits.memory: a size such as "512M"' in said
    assert "rules.response_headers.remove[1]: no header that a rule may touch" in said


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[build", "is no TOML"),
        ("[health]\ntcp = true\npath = '/x'", "either tcp or a path"),
        ("[scaling]\nmin = 3\nmax = 2", "max is less than min"),
        ("[processes]\nweb = 'x'", "[run] command"),
        ("[processes]\n'../x' = 'x'", "processes"),
        ("[run]\ncommand = 5", "run.command"),
        ("[[cron]]\nname='a'\nschedule='@daily'\ncommand='x'\ntimezone='Mars/Base'", "no time zone"),
        ("[[cron]]\nname='a'\nschedule='@daily'\ncommand='x'\n" * 2, "a is there twice"),
    ],
)
def test_what_is_wrong_is_named(toml: str, says: str) -> None:
    assert says in refusal(toml)


def test_a_static_site_has_no_processes() -> None:
    tree = SourceTree.of_texts({"index.html": "", "shipoff.toml": "[processes]\na = 'x'\n[health]\npath = '/'"})
    with pytest.raises(ShipoffError, match=r"no \[processes\], \[health\]"):
        plan(tree, BuildSettings())


def test_a_static_site_may_be_one_page_for_all_paths_and_have_rules() -> None:
    tree = SourceTree.of_texts({"index.html": "", "shipoff.toml": "[build]\nspa = true\n[rules]\nmax_body = 1"})
    found = plan(tree, BuildSettings())
    assert (found.spa, found.rules) == (True, {"max_body": 1})


def test_many_faults_are_cut() -> None:
    fields = "\n".join(f"x{number} = 1" for number in range(30))
    assert refusal(fields).endswith("and 10 more")


@pytest.mark.parametrize("schedule", ["* * * * *", "*/15 0-6,8 1 1-12/2 0", "@hourly"])
def test_schedules_that_can_be_read(schedule: str) -> None:
    assert check_schedule(schedule) == schedule


@pytest.mark.parametrize(
    "schedule", ["", "* * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "a * * * *", "@never", "0 0 30 2 *"]
)
def test_schedules_that_cannot(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"schedule"):
        check_schedule(schedule)


def test_an_empty_file_is_the_default() -> None:
    assert ProjectFile.read("") == ProjectFile()
