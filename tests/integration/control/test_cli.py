"""The developer's commands against a real control plane."""

# environ: the command inherits what pytest runs in, with a home of its own
from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from kernel import ids, tasks
from tests.integration.control.driver import Driver, Plane, Ran, Work


class Cli:
    """Runs `shipoff` as a person with a home of his own would."""

    def __init__(self, plane: Plane, home: Path) -> None:
        self.home, self.plane = home, plane
        home.mkdir(exist_ok=True)
        kept = {name: plane.environment[name] for name in ("PATH",)}
        root = str(Path(__file__).parents[3])
        self.variables = {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "cfg"), "PYTHONPATH": root}

    async def run(self, *args: str, folder: Path | None = None, stdin: str = "", **variables: str) -> Ran:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "stack.cli.main",
            *args,
            cwd=folder or self.home,
            env={**self.variables, **variables},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate(stdin.encode())
        return Ran(process.returncode or 0, out.decode())

    async def ok(self, *args: str, folder: Path | None = None, stdin: str = "") -> str:
        ran = await self.run(*args, folder=folder, stdin=stdin)
        assert ran.status == 0, ran.out
        return ran.out


@pytest.fixture
async def cli(plane: Plane, tmp_path: Path) -> Cli:
    """A person who is logged in."""
    made = Cli(plane, tmp_path / "home")
    await made.ok("login", "--url", plane.url, "--token-stdin", stdin=plane.token + "\n")
    return made


async def test_login_keeps_the_token_for_its_owner_alone(plane: Plane, cli: Cli) -> None:
    file = cli.home / "cfg" / "shipoff" / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["token"] == plane.token


async def test_a_wrong_token_a_missing_one_and_a_dead_platform_differ(plane: Plane, cli: Cli, tmp_path: Path) -> None:
    wrong = await cli.run("login", "--url", plane.url, "--token-stdin", stdin="shp_wrong\n")
    assert (wrong.status, "TOKEN_INVALID" in wrong.out) == (3, True)
    assert plane.token not in wrong.out
    stranger = await Cli(plane, tmp_path / "other").run("projects", "list")
    assert (stranger.status, "NOT_LOGGED_IN" in stranger.out) == (3, True)
    dead = await cli.run("projects", "list", SHIPOFF_URL="http://127.0.0.1:9", SHIPOFF_TOKEN="x")
    assert (dead.status, "PLATFORM_UNREACHABLE" in dead.out) == (5, True)
    elsewhere = await cli.run("projects", "list", SHIPOFF_URL="http://127.0.0.1:9")
    assert (elsewhere.status, "NOT_LOGGED_IN" in elsewhere.out) == (3, True)  # the token goes to no other platform


async def test_projects_are_made_listed_and_refused_clearly(cli: Cli) -> None:
    name = f"c{ids.new('prj')[-10:]}"
    assert "git push" in await cli.ok("projects", "create", name)
    listed = json.loads(await cli.ok("projects", "list", "--json"))["projects"]
    assert name in [one["name"] for one in listed]
    assert name in await cli.ok("projects", "list")
    for bad, code in (
        (name, "PROJECT_NAME_TAKEN"),
        ("Bad_Name", "PROJECT_NAME_INVALID"),
        ("www", "PROJECT_NAME_RESERVED"),
    ):
        refused = await cli.run("projects", "create", bad)
        assert (refused.status, code in refused.out, "hint:" in refused.out) == (2, True, True)
    missing = await cli.run("deployments", "nobody-has-this")
    assert (missing.status, "PROJECT_NOT_FOUND" in missing.out) == (4, True)
    unlinked = await cli.run("deployments")
    assert (unlinked.status, "shipoff link" in unlinked.out) == (2, True)


async def test_deploy_takes_a_plain_folder(plane: Plane, driver: Driver, cli: Cli, tmp_path: Path) -> None:
    project, site = await driver.project(), tmp_path / "site"
    (site / "node_modules").mkdir(parents=True)
    (site / "node_modules" / "x.js").write_text("x")
    (site / "index.html").write_text("<h1>plain</h1>")
    await cli.ok("link", project["name"], folder=site)
    deploying = tasks.spawn(cli.run("deploy", folder=site), "shipoff deploy")
    event = await driver.requested(project["id"])
    fetched = Work.begin(tmp_path / "fetched", plane)
    fetched.ok("fetch", "--quiet", plane.service_url(project["id"]), f"refs/uploads/{event.deployment_id}")
    assert fetched.ok("ls-tree", "-r", "--name-only", "FETCH_HEAD").split() == ["index.html"]
    await driver.live(event)
    done = await deploying
    assert done.status == 0, done.out
    assert "live at http://app.localhost:8080" in done.out
    assert "remote:" not in done.out
    assert plane.token not in done.out


async def test_deploy_takes_what_is_not_committed_and_touches_nothing(
    plane: Plane, driver: Driver, cli: Cli, tmp_path: Path
) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    work.commit(".gitignore", "secret\n", "Ignore")
    (work.folder / "secret").write_text("s")
    (work.folder / "new.html").write_text("new")
    (work.folder / "index.html").write_text("changed")
    before = work.ok("status", "--porcelain"), work.ok("rev-parse", "HEAD"), work.ok("count-objects")
    deploying = tasks.spawn(cli.run("deploy", "-p", project["name"], folder=work.folder), "shipoff deploy")
    event = await driver.requested(project["id"])
    assert (work.ok("status", "--porcelain"), work.ok("rev-parse", "HEAD"), work.ok("count-objects")) == before
    work.ok("fetch", "--quiet", plane.service_url(project["id"]), f"refs/uploads/{event.deployment_id}")
    assert work.ok("show", "FETCH_HEAD:index.html") == "changed"
    assert work.ok("ls-tree", "-r", "--name-only", "FETCH_HEAD").split() == [".gitignore", "index.html", "new.html"]
    assert work.ok("rev-parse", "FETCH_HEAD^") == before[1]
    await driver.report(event, "FAILED", stage="build", reason="BUILD_FAILED", exit_status=1, hint="look above")
    done = await deploying
    assert done.status == 1
    assert "BUILD_FAILED" in done.out


async def test_deploy_of_a_folder_further_down_sends_that_folder(
    plane: Plane, driver: Driver, cli: Cli, tmp_path: Path
) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    (work.folder / "apps" / "web").mkdir(parents=True)
    (work.folder / "apps" / "web" / "index.html").write_text("web")
    args = ("deploy", "-p", project["name"], "--json")
    deploying = tasks.spawn(cli.run(*args, folder=work.folder / "apps" / "web"), "shipoff deploy")
    event = await driver.requested(project["id"])
    work.ok("fetch", "--quiet", plane.service_url(project["id"]), f"refs/uploads/{event.deployment_id}")
    assert work.ok("ls-tree", "-r", "--name-only", "FETCH_HEAD").split() == ["index.html"]
    await driver.live(event)
    done = await deploying
    assert done.status == 0, done.out
    assert event.deployment_id in done.out
    shown = json.loads(await cli.ok("deployments", project["name"], "--json"))["deployments"]
    assert [one["id"] for one in shown] == [event.deployment_id]
    assert "http" in await cli.ok("open", "--print", project["name"])


async def test_env_is_set_listed_hidden_and_removed(driver: Driver, cli: Cli, tmp_path: Path) -> None:
    project = await driver.project()
    file = tmp_path / ".env"
    file.write_text("# settings\nexport A=1\nB='two words'\n")
    await cli.ok("env", "set", "-p", project["name"], "KEY=value=with=equals", "-f", str(file))
    await cli.ok("env", "set", "-p", project["name"], "TYPED", stdin="from stdin\n")
    hidden = await cli.ok("env", "list", "-p", project["name"])
    assert "KEY" in hidden
    assert "value=with=equals" not in hidden
    shown = json.loads(await cli.ok("env", "list", "-p", project["name"], "--json"))["env"]
    assert {one["name"]: one["value"] for one in shown} == {
        "A": "1",
        "B": "two words",
        "KEY": "value=with=equals",
        "TYPED": "from stdin",
    }
    await cli.ok("env", "unset", "-p", project["name"], "A", "B")
    assert len(json.loads(await cli.ok("env", "list", "-p", project["name"], "--json"))["env"]) == 2
    refused = await cli.run("env", "set", "-p", project["name"], "PORT=80")
    assert (refused.status, "listen on $PORT" in refused.out) == (2, True)


async def test_logs_show_lines_and_follow(driver: Driver, cli: Cli, plane: Plane, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushing = tasks.spawn(work.run("push", plane.git_url(project["name"]), "main"), "git push")
    event = await driver.requested(project["id"])
    await driver.log(event, "first", "second")
    await driver.live(event)
    await pushing
    assert [line.split()[-1] for line in (await cli.ok("logs", project["name"])).splitlines()] == ["first", "second"]
    assert json.loads(await cli.ok("logs", project["name"], "-n", "1", "--json"))["text"] == "second"


async def test_logs_show_what_the_router_answered(driver: Driver, cli: Cli) -> None:
    project = await driver.project()
    assert await cli.ok("logs", "--requests", project["name"]) == ""
    await driver.answered(project["id"], 200, 404, 503)
    lines = (await cli.ok("logs", "--requests", project["name"])).splitlines()
    assert [line.split()[1] for line in lines] == ["200", "404", "503"]  # oldest first, as log lines
    assert "1.5 ms" in lines[0]
    assert "GET app.test/2 UPSTREAM_REFUSED id=req-2" in lines[2]
    failed = (await cli.ok("logs", project["name"], "--status", "5xx")).splitlines()
    assert [line.split()[1] for line in failed] == ["503"]
    newest = json.loads(await cli.ok("logs", "--requests", project["name"], "-n", "1", "--json"))
    assert (newest["status"], newest["target"]) == (503, "/2")


async def test_git_push_works_in_a_linked_repository(plane: Plane, driver: Driver, cli: Cli, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    await cli.ok("link", project["name"], folder=work.folder)
    assert plane.token not in work.ok("config", "--list")
    assert "credential" in work.ok("config", "--list")
    asked = "protocol=http\nhost={}\n\n"
    mine = await cli.run("git-credential", "get", stdin=asked.format(plane.url.removeprefix("http://")))
    assert f"password={plane.token}" in mine.out
    other = await cli.run("git-credential", "get", stdin=asked.format("evil.example"))
    assert (other.status, other.out) == (0, "")
