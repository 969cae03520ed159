"""Env vars on a real database: what counts where, secrets that never leave, files in and out, versions, permissions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from control.projects.deployments.lifecycle import Lifecycle
from control.projects.env.server import EnvServer
from control.projects.environments.server import EnvironmentsServer
from control.projects.server import ProjectsServer
from kernel import ids
from kernel.authority import Kind, Permission, Principal, Role, acting_as
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.events import AuditRecorded, DeploymentRequested, DeploymentStateChanged, Envelope, Event, decode
from proto.projects.v1 import env_pb2 as pb
from proto.projects.v1 import environments_pb2, projects_pb2

NO_CONTEXT: Any = None
TEAM = "tem_a"


@pytest.fixture
async def project(server: ProjectsServer) -> projects_pb2.Project:
    return await server.CreateProject(projects_pb2.CreateProjectRequest(name="blog", team_id=TEAM), NO_CONTEXT)


class Vars:
    """A project's variables, in a few words."""

    def __init__(self, server: ProjectsServer, env: EnvServer, project_id: str) -> None:
        self.server, self.env, self.project_id = server, env, project_id

    async def set(self, environment: str = "all", **fields: Any) -> pb.ListEnvResponse:
        wanted = pb.SetEnvRequest(project_id=self.project_id, environment=environment, **fields)
        return await self.env.SetEnv(wanted, NO_CONTEXT)

    async def list(self, environment: str = "") -> list[pb.EnvVar]:
        wanted = pb.ListEnvRequest(project_id=self.project_id, environment=environment)
        return list((await self.env.ListEnv(wanted, NO_CONTEXT)).vars)

    async def load(self, text: str, **fields: Any) -> pb.ImportEnvResponse:
        return await self.env.ImportEnv(
            pb.ImportEnvRequest(project_id=self.project_id, text=text, **fields), NO_CONTEXT
        )

    async def deployment(self, environment: str) -> projects_pb2.Deployment:
        wanted = projects_pb2.CreateDeploymentRequest(
            deployment_id=ids.new("dep"), project_id=self.project_id, environment=environment,
            commit="a" * 40, ref="refs/deployments/x",
        )  # fmt: skip
        return await self.server.CreateDeployment(wanted, NO_CONTEXT)

    async def given(self, environment: str) -> tuple[dict[str, str], dict[str, str]]:
        """What a build there and what runs there gets."""
        made = await self.deployment(environment)
        wanted = projects_pb2.GetDeploymentRequest(deployment_id=made.id)
        spec = await self.server.GetDeploymentSpec(wanted, NO_CONTEXT)
        return dict(spec.build_env), dict(spec.env)


@pytest.fixture
def variables(server: ProjectsServer, env_server: EnvServer, project: projects_pb2.Project) -> Vars:
    return Vars(server, env_server, project.id)


async def told(database: Database, stream: str) -> list[Event]:
    rows = await database.fetch("select envelope from outbox where stream = $1 order by position", stream)
    return [decode(row["envelope"]).data for row in rows]


async def live(database: Database, deployment: projects_pb2.Deployment) -> None:
    for state in ("BUILDING", "PROVISIONING", "LIVE"):
        change = DeploymentStateChanged(
            deployment.id, deployment.project_id, deployment.environment, state,
            release_id=f"rel_{deployment.id}", url=f"http://{deployment.environment.replace('/', '-')}",
        )  # fmt: skip
        await Lifecycle(database).apply(Envelope(data=change, key="k"))


async def code(wish: Any) -> str:
    with pytest.raises(ShipoffError) as caught:
        await wish
    return caught.value.code


def developer(*scopes: Permission) -> Principal:
    kind = Kind.TOKEN if scopes else Kind.SESSION
    return Principal(kind, account_id="acc_d", teams={TEAM: Role.DEVELOPER}, scopes=frozenset(scopes) or None)


async def test_each_environment_gets_the_most_telling_value(variables: Vars) -> None:
    await variables.set(set={"A": "all", "B": "all", "C": "all"})
    await variables.set("production", set={"A": "production"})
    await variables.set("preview", set={"A": "previews", "B": "previews"})
    await variables.set("preview/fix/x", set={"A": "x"}, scope="run")
    production = {"A": "production", "B": "all", "C": "all"}
    assert await variables.given("production") == (production, production)
    previews = {"A": "previews", "B": "previews", "C": "all"}
    assert await variables.given("preview/other") == (previews, previews)
    assert await variables.given("preview/fix/x") == (previews, previews | {"A": "x"})
    await variables.set("preview", unset=["A"])
    assert (await variables.given("preview/other"))[1]["A"] == "all"


@pytest.mark.parametrize("environment", ["staging", "preview/", "previews", "production/x", "preview/\n", "ALL"])
async def test_what_is_no_environment_is_refused(variables: Vars, environment: str) -> None:
    assert await code(variables.set(environment, set={"A": "1"})) == "ENV_ENVIRONMENT_INVALID"
    assert await code(variables.list(environment)) == "ENV_ENVIRONMENT_INVALID"
    assert await code(variables.load("A=1", environment=environment)) == "ENV_ENVIRONMENT_INVALID"


async def test_a_secret_never_leaves_but_for_what_runs(
    variables: Vars, environments_server: EnvironmentsServer
) -> None:
    await variables.set(set={"TOKEN": "hunter2-hunter2"}, secret=True)
    answers = [
        await variables.set(set={"PLAIN": "1"}),
        await variables.env.ListEnv(pb.ListEnvRequest(project_id=variables.project_id), NO_CONTEXT),
        await variables.env.ExportEnv(pb.ListEnvRequest(project_id=variables.project_id), NO_CONTEXT),
        await variables.load("TOKEN=hunter2-hunter2", dry_run=True),
        await environments_server.GetEnvironment(
            environments_pb2.GetEnvironmentRequest(project_id=variables.project_id), NO_CONTEXT
        ),
    ]
    assert "hunter2" not in "".join(map(str, answers))
    shown = {one.name: one for one in await variables.list()}
    assert (shown["TOKEN"].secret, shown["TOKEN"].HasField("value"), shown["PLAIN"].value) == (True, False, "1")
    assert (await variables.given("production"))[1] == {"TOKEN": "hunter2-hunter2", "PLAIN": "1"}


async def test_a_secret_stays_one_and_becomes_plain_only_with_a_value(variables: Vars) -> None:
    await variables.set(set={"TOKEN": "one"}, secret=True)
    await variables.set(set={"TOKEN": "two"})
    assert [(one.secret, one.HasField("value")) for one in await variables.list()] == [(True, False)]
    await variables.set(set={"TOKEN": "three"}, secret=False)
    assert [(one.secret, one.value) for one in await variables.list()] == [(False, "three")]
    await variables.set("production", set={"TOKEN": "four"}, secret=True)
    assert [(one.environment, one.secret) for one in await variables.list()] == [("all", False), ("production", True)]


async def test_a_row_that_says_it_is_no_secret_any_more_does_not_open(variables: Vars, database: Database) -> None:
    await variables.set(set={"TOKEN": "hunter2-hunter2"}, secret=True)
    await database.execute("update env_vars set secret = false")
    assert await code(variables.list()) == "SEAL_BROKEN"
    await database.execute("update env_vars set secret = true, environment = 'production'")
    assert await code(variables.list()) == "SEAL_BROKEN"


async def test_a_change_goes_live_where_it_counts(variables: Vars, database: Database) -> None:
    for environment in ("production", "preview/a"):
        await live(database, await variables.deployment(environment))

    async def deployed(environment: str, **fields: Any) -> str:
        made = (await variables.set(environment, set={"A": ids.new("evt")}, deploy=True, **fields)).deployment_id
        wishes = [one for one in await told(database, "deployments") if isinstance(one, DeploymentRequested)]
        return next((f"{one.kind} {one.environment}" for one in wishes if one.deployment_id == made), "")

    assert await deployed("all") == "config production"
    assert await deployed("production") == "config production"
    assert await deployed("preview/a") == "config preview/a"
    assert await deployed("preview/none-of-this-name") == ""
    assert await deployed("preview") == ""
    assert await deployed("production", scope="build") == ""


async def test_a_file_is_compared_then_imported(variables: Vars) -> None:
    await variables.set(set={"SAME": "1", "OTHER": "1", "GONE": "1"})
    await variables.set(set={"TOKEN": "hunter2"}, secret=True)
    await variables.set("production", set={"SAME": "elsewhere"})
    text = "# ours\nSAME=1\nOTHER='two words'\nNEW=\"a\\nb\"\n"
    tried = await variables.load(text, dry_run=True, replace=True)
    lists = (list(tried.added), list(tried.changed), list(tried.unchanged), list(tried.removed))
    assert lists == (["NEW"], ["OTHER"], ["SAME"], ["GONE"])
    assert len(await variables.list()) == 5, "a dry run changes nothing"
    done = await variables.load(text, replace=True)
    assert (list(done.added), list(done.removed), done.version) == (["NEW"], ["GONE"], tried.version + 1)
    values = {one.name: one.value for one in await variables.list("all")}
    assert values == {"SAME": "1", "OTHER": "two words", "NEW": "a\nb", "TOKEN": ""}
    again = await variables.load(text)
    assert (list(again.unchanged), again.version) == (["NEW", "OTHER", "SAME"], done.version)


async def test_a_file_with_a_fault_changes_nothing(variables: Vars) -> None:
    with pytest.raises(ShipoffError, match=r"line 2: PORT .*; line 3: ") as caught:
        await variables.load("GOOD=1\nPORT=hunter2\nnothing\n")
    assert caught.value.code == "ENV_FILE_INVALID"
    assert "hunter2" not in str(caught.value)
    assert await variables.list() == []


async def test_what_is_exported_comes_back_the_same(variables: Vars) -> None:
    values = {"A": "plain", "B": "two\nlines\\", "C": 'it\'s "quoted"', "D": " ü€ ", "E": "", "F": "$HOME #x"}
    await variables.set("production", set=values)
    await variables.set("production", set={"TOKEN": "hunter2"}, secret=True)
    wanted = pb.ListEnvRequest(project_id=variables.project_id, environment="production")
    file = await variables.env.ExportEnv(wanted, NO_CONTEXT)
    assert list(file.secrets) == ["TOKEN"]
    found = await variables.load(file.text, environment="production", replace=True)
    assert (sorted(found.unchanged), list(found.added), list(found.changed), list(found.removed)) == (
        sorted(values), [], [], [],
    )  # fmt: skip
    await variables.load(file.text, environment="preview/copy")
    assert {one.name: one.value for one in await variables.list("preview/copy")} == values


async def test_of_many_changes_for_one_version_one_is_made(variables: Vars) -> None:
    version = (await variables.set(set={"A": "0"})).version

    async def change(number: int) -> str:
        try:
            await variables.set(set={"A": str(number)}, expect_version=version)
        except ShipoffError as error:
            return error.code
        return "done"

    outcomes = await asyncio.gather(*(change(number) for number in range(1, 9)))
    assert sorted(outcomes) == ["PROJECT_VERSION_CONFLICT"] * 7 + ["done"]
    assert [one.value for one in await variables.list()] == [str(outcomes.index("done") + 1)]
    assert (await variables.set(set={"A": "9"})).version == version + 2, "who does not look is not refused"


async def test_a_token_may_what_its_scopes_say_and_sees_no_more(variables: Vars) -> None:
    await variables.set(set={"OLD": "hunter2"})
    with acting_as(developer(Permission.ENV_UPDATE, Permission.PROJECT_READ)):
        changed = await variables.set(set={"OLD": "2"})
        assert [one.HasField("value") for one in changed.vars] == [False], "it may set, and not read"
        assert await code(variables.set(set={"NEW": "1"})) == "PERMISSION_DENIED"
        assert await code(variables.set(unset=["OLD"])) == "PERMISSION_DENIED"
        assert await code(variables.list()) == "PERMISSION_DENIED"
        assert await code(variables.load("OLD=3")) == "PERMISSION_DENIED"
    with acting_as(developer(Permission.ENV_READ, Permission.PROJECT_READ)):
        assert [one.value for one in await variables.list()] == ["2"]
        assert list((await variables.load("OLD=3", dry_run=True)).changed) == ["OLD"]
        assert await code(variables.load("OLD=3")) == "PERMISSION_DENIED"
    with acting_as(developer()):
        assert (await variables.set(set={"NEW": "1"}, unset=["OLD"])).vars[0].value == "1"


async def test_viewers_see_environments_without_variables(
    variables: Vars, environments_server: EnvironmentsServer
) -> None:
    await variables.set(set={"A": "1"})
    wanted = environments_pb2.GetEnvironmentRequest(project_id=variables.project_id, environment="production")
    with acting_as(Principal(Kind.SESSION, account_id="acc_v", teams={TEAM: Role.VIEWER})):
        shown = await environments_server.GetEnvironment(wanted, NO_CONTEXT)
        assert (shown.vars_readable, list(shown.vars)) == (False, [])
        assert await code(variables.list()) == "PERMISSION_DENIED"
    shown = await environments_server.GetEnvironment(wanted, NO_CONTEXT)
    assert (shown.vars_readable, [one.value for one in shown.vars]) == (True, ["1"])


async def test_changes_are_told_by_name_and_never_by_value(variables: Vars, database: Database) -> None:
    with acting_as(developer()):
        await variables.set("production", set={"A": "hunter2", "B": "hunter2"})
        await variables.set("production", set={"A": "hunter3"}, unset=["B", "NEVER_SET"])
    found = [one for one in await told(database, "audit") if isinstance(one, AuditRecorded)]
    changes = [one for one in found if one.action == "env.change"]
    assert [one.after for one in changes] == [
        {"environment": "production", "added": ["A", "B"]},
        {"environment": "production", "changed": ["A"], "removed": ["B"]},
    ]
    assert {(one.team_id, one.project_id, one.actor_id) for one in changes} == {(TEAM, variables.project_id, "acc_d")}
    assert "hunter" not in str(found)


async def test_environments_are_listed_with_what_is_live(
    variables: Vars, environments_server: EnvironmentsServer, database: Database
) -> None:
    listing = environments_pb2.ListEnvironmentsRequest(project_id=variables.project_id)
    before = (await environments_server.ListEnvironments(listing, NO_CONTEXT)).environments
    assert [(one.name, one.branch, one.live_deployment_id, one.deployed_at_ms) for one in before] == [
        ("production", "main", "", 0)
    ]
    preview = await variables.deployment("preview/fix/a")
    await live(database, preview)
    await variables.deployment("preview/b")
    found = (await environments_server.ListEnvironments(listing, NO_CONTEXT)).environments
    assert [(one.name, one.branch, one.live_deployment_id, one.url) for one in found] == [
        ("production", "main", "", ""),
        ("preview/b", "b", "", ""),
        ("preview/fix/a", "fix/a", preview.id, "http://preview-fix-a"),
    ]
    assert all(one.expires_at_ms > one.deployed_at_ms > 0 for one in found[1:])
    missing = environments_pb2.GetEnvironmentRequest(project_id=variables.project_id, environment="preview/none")
    assert await code(environments_server.GetEnvironment(missing, NO_CONTEXT)) == "ENVIRONMENT_NOT_FOUND"
