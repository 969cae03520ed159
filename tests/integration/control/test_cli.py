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


async def test_env_is_set_listed_hidden_and_removed(driver: Driver, cli: Cli) -> None:
    project = await driver.project()
    on = ("-p", project["name"])
    await cli.ok("env", "set", *on, "KEY=value=with=equals", "A=1", "B=two words")
    await cli.ok("env", "set", *on, "TYPED", stdin="from stdin\n")
    await cli.ok("env", "set", *on, "TOKEN=hunter2", "--secret", "-e", "production")
    hidden = await cli.ok("env", "list", *on)
    assert "KEY" in hidden
    assert "value=with=equals" not in hidden
    revealed = await cli.ok("env", "list", *on, "--reveal", "-e", "production")
    assert "(secret)" in revealed
    assert "hunter2" not in revealed
    assert "KEY" not in revealed
    shown = json.loads(await cli.ok("env", "list", *on, "--json"))["env"]
    assert {one["name"]: one["value"] for one in shown} == {
        "A": "1",
        "B": "two words",
        "KEY": "value=with=equals",
        "TOKEN": None,
        "TYPED": "from stdin",
    }
    await cli.ok("env", "unset", *on, "A", "B")
    await cli.ok("env", "unset", *on, "TOKEN")
    names = [one["name"] for one in json.loads(await cli.ok("env", "list", *on, "--json"))["env"]]
    assert names == ["KEY", "TOKEN", "TYPED"], "TOKEN is production's, and what is for all was removed"
    refused = await cli.run("env", "set", *on, "PORT=80")
    assert (refused.status, "listen on $PORT" in refused.out) == (2, True)


async def test_env_files_go_in_and_come_out(driver: Driver, cli: Cli, tmp_path: Path) -> None:
    on, file = ("-p", (await driver.project())["name"]), tmp_path / ".env"
    file.write_bytes("# settings\nexport A=1\nB='two\nlines \"$HOME\"'\nC=ü\r\n".encode())
    tried = await cli.ok("env", "import", *on, str(file), "--dry-run")
    assert "would have added A, B, C (0 unchanged)" in tried
    assert "no variables" in await cli.ok("env", "list", *on)
    await cli.ok("env", "import", *on, str(file), "-e", "production")
    await cli.ok("env", "set", *on, "TOKEN=hunter2", "--secret", "-e", "production")
    out = tmp_path / "out.env"
    assert "without the values of secrets: TOKEN" in await cli.ok(
        "env", "export", *on, "-e", "production", "-o", str(out)
    )
    assert out.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in out.read_text()
    assert "nothing to change" in await cli.ok("env", "import", *on, str(out), "-e", "production", "--replace")
    again = json.loads(await cli.ok("env", "import", *on, "-", "--json", stdin="A=2\n"))
    assert (again["added"], again["dry_run"]) == (["A"], False)
    values = json.loads(await cli.ok("env", "list", *on, "-e", "production", "--json"))["env"]
    assert [one["value"] for one in values] == ["1", 'two\nlines "$HOME"', "ü", None]
    file.write_text("GOOD=1\nnonsense\n\nPATH=hunter2\n")
    refused = await cli.run("env", "import", *on, str(file))
    assert (refused.status, "line 2: " in refused.out, "line 4: PATH" in refused.out) == (2, True, True)
    assert "hunter2" not in refused.out
    assert (await cli.run("env", "import", *on, str(tmp_path / "none"))).status == 2


async def test_projects_are_changed_and_environments_shown(driver: Driver, cli: Cli) -> None:
    project = await driver.project()
    name = project["name"]
    changed = json.loads(await cli.ok("projects", "update", name, "--build", "make", "--framework", "flask", "--json"))
    assert (changed["build_command"], changed["framework"], changed["version"]) == ("make", "flask", 2)
    stale = await cli.run("projects", "update", name, "--build", "x", "--expect-version", "1")
    assert (stale.status, "PROJECT_VERSION_CONFLICT" in stale.out) == (2, True)
    assert (await cli.run("projects", "update", name)).status == 2
    unknown = await cli.run("projects", "update", name, "--framework", "rails")
    assert (unknown.status, "BUILD_SETTINGS_INVALID" in unknown.out) == (2, True)
    refused = await cli.run("projects", "transfer", name, "tem_" + "0" * 32)
    assert (refused.status, "PERMISSION_DENIED" in refused.out) == (3, True)
    await cli.ok("env", "set", "-p", name, "A=1")
    assert "production" in await cli.ok("environments", "-p", name)
    shown = json.loads(await cli.ok("environments", "production", "-p", name, "--json"))
    assert (shown["branch"], [one["name"] for one in shown["env"]]) == ("main", ["A"])
    missing = await cli.run("environments", "preview/none/such", "-p", name)
    assert (missing.status, "ENVIRONMENT_NOT_FOUND" in missing.out) == (4, True)
    listed = json.loads(await cli.ok("frameworks", "--json"))["frameworks"]
    assert {"laravel", "hugo", "angular", "custom"} <= {one["id"] for one in listed}


async def test_a_commit_is_built_again(plane: Plane, driver: Driver, cli: Cli, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    nothing = await cli.run("redeploy", "-p", project["name"])
    assert (nothing.status, "NOTHING_DEPLOYED" in nothing.out) == (4, True)
    pushing = tasks.spawn(work.run("push", plane.git_url(project["name"]), "main"), "git push")
    first = await driver.requested(project["id"])
    await driver.live(first)
    await pushing
    building = tasks.spawn(cli.run("redeploy", "-p", project["name"]), "shipoff redeploy")
    again = await driver.requested(project["id"])
    await driver.live(again)
    done = await building
    assert (done.status, "live at" in done.out) == (0, True), done.out
    found = json.loads(await cli.ok("deployments", project["name"], "--json", "-e", "production"))["deployments"]
    assert [(one["id"], one["kind"], one["redeploy_of"]) for one in found] == [
        (again.deployment_id, "build", first.deployment_id),
        (first.deployment_id, "build", None),
    ]
    assert found[0]["commit"] == found[1]["commit"]
    assert "redeploy" in await cli.ok("deployments", project["name"], "--state", "queued,live,inactive")
    none = json.loads(await cli.ok("deployments", project["name"], "--kind", "rollback", "--json"))
    assert none["deployments"] == []
    wrong = await cli.run("deployments", project["name"], "--state", "alive")
    assert (wrong.status, "DEPLOYMENT_INVALID" in wrong.out) == (2, True)


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


async def test_a_folder_becomes_a_project_of_a_team(plane: Plane, driver: Driver, cli: Cli, tmp_path: Path) -> None:
    slug = f"crew-{ids.new('tem')[-12:]}"
    team = await driver.call("POST", "/v1/teams", {"name": "Crew", "slug": slug}, 201)
    work = Work.begin(tmp_path / f"My Shop_{slug[-4:]}", plane)
    made = json.loads(await cli.ok("init", "--team", slug, "--json", folder=work.folder))
    assert (made["name"], made["team_id"]) == (f"my-shop-{slug[-4:]}", team["id"])
    assert made["name"] in (work.folder / ".shipoff.toml").read_text()
    assert work.ok("remote", "get-url", "shipoff").endswith(f"/git/{made['name']}.git")
    again = await cli.run("init", folder=work.folder)
    assert (again.status, "ALREADY_LINKED" in again.out) == (2, True)
    other = json.loads(await cli.ok("projects", "create", f"p{slug[-10:]}", "--team", team["id"], "--json"))
    assert other["team_id"] == team["id"]
