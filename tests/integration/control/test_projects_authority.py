"""The projects service decides by itself who may do what, whatever the gateway has let through."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from control.projects.env.server import EnvServer
from control.projects.environments.server import EnvironmentsServer
from control.projects.server import ProjectsServer
from kernel import ids
from kernel.authority import Kind, Permission, Principal, Resource, Role, acting_as, decide
from kernel.authority.principal import NOBODY
from kernel.errors import ShipoffError
from proto.projects.v1 import env_pb2 as env_pb
from proto.projects.v1 import environments_pb2 as places_pb
from proto.projects.v1 import projects_pb2 as pb

NO_CONTEXT: Any = None
TEAM = "tem_a"
ABSENT = {"PROJECT_NOT_FOUND", "DEPLOYMENT_NOT_FOUND"}


def member(role: Role, **more: Any) -> Principal:
    return Principal(Kind.SESSION, account_id="acc_" + "b" * 32, teams={TEAM: role}, **more)


@pytest.fixture
async def project(server: ProjectsServer) -> pb.Project:
    return await server.CreateProject(pb.CreateProjectRequest(name="blog", team_id=TEAM), NO_CONTEXT)


@pytest.fixture
async def deployment(server: ProjectsServer, project: pb.Project) -> pb.Deployment:
    return await server.CreateDeployment(_wanted(project.id), NO_CONTEXT)


def _wanted(project_id: str) -> pb.CreateDeploymentRequest:
    return pb.CreateDeploymentRequest(
        deployment_id=ids.new("dep"), project_id=project_id, commit="a" * 40, ref="refs/deployments/x"
    )


CALLS: dict[str, tuple[Permission, Any]] = {
    "GetProject": (Permission.PROJECT_READ, lambda p, d: pb.GetProjectRequest(project=p)),
    "ListPreviews": (Permission.DEPLOYMENT_READ, lambda p, d: pb.ListPreviewsRequest(project_id=p)),
    "DeletePreview": (
        Permission.DEPLOYMENT_DELETE,
        lambda p, d: pb.DeletePreviewRequest(project_id=p, environment="preview/x"),
    ),
    "SetEnv": (Permission.ENV_CREATE, lambda p, d: env_pb.SetEnvRequest(project_id=p, set={"A": "1"})),
    "ListEnv": (Permission.ENV_READ, lambda p, d: env_pb.ListEnvRequest(project_id=p)),
    "ImportEnv": (Permission.ENV_READ, lambda p, d: env_pb.ImportEnvRequest(project_id=p, text="A=1")),
    "ExportEnv": (Permission.ENV_READ, lambda p, d: env_pb.ListEnvRequest(project_id=p)),
    "ListEnvironments": (Permission.DEPLOYMENT_READ, lambda p, d: places_pb.ListEnvironmentsRequest(project_id=p)),
    "GetEnvironment": (Permission.DEPLOYMENT_READ, lambda p, d: places_pb.GetEnvironmentRequest(project_id=p)),
    "UpdateProject": (Permission.PROJECT_UPDATE, lambda p, d: pb.UpdateProjectRequest(project_id=p, root_dir="x")),
    "TransferProject": (
        Permission.PROJECT_TRANSFER_OWNERSHIP,
        lambda p, d: pb.TransferProjectRequest(project_id=p, team_id=TEAM),
    ),
    "Redeploy": (
        Permission.DEPLOYMENT_CREATE,
        lambda p, d: pb.RedeployRequest(deployment_id=ids.new("dep"), project_id=p, of=d),
    ),
    "SetRules": (Permission.PROJECT_UPDATE, lambda p, d: pb.SetRulesRequest(project_id=p, rules="{}")),
    "GetRules": (Permission.PROJECT_READ, lambda p, d: pb.GetRulesRequest(project_id=p)),
    "CreateDeployment": (Permission.DEPLOYMENT_CREATE, lambda p, d: _wanted(p)),
    "GetDeployment": (Permission.DEPLOYMENT_READ, lambda p, d: pb.GetDeploymentRequest(deployment_id=d)),
    "CancelDeployment": (
        Permission.DEPLOYMENT_UPDATE,
        lambda p, d: pb.GetDeploymentRequest(deployment_id=d, project_id=p),
    ),
    "ListDeployments": (Permission.DEPLOYMENT_READ, lambda p, d: pb.ListDeploymentsRequest(project_id=p)),
    "DeleteProject": (Permission.PROJECT_DELETE, lambda p, d: pb.DeleteProjectRequest(project_id=p)),
}


Doors = list[Any]


@pytest.fixture
def doors(server: ProjectsServer, env_server: EnvServer, environments_server: EnvironmentsServer) -> Doors:
    """All services of the process that answer calls about projects."""
    return [server, env_server, environments_server]


async def code_of(doors: Doors, who: Principal, call: str, project: str, deployment: str) -> str:
    """What a call is refused with; "" when it is not."""
    # A servicer's base class has every method of its service.
    door = next(one for one in doors if call in vars(type(one)))
    with acting_as(who):
        try:
            await getattr(door, call)(CALLS[call][1](project, deployment), NO_CONTEXT)
        except ShipoffError as error:
            return error.code
    return ""


@pytest.mark.parametrize(("call", "role"), list(itertools.product(CALLS, Role)))
async def test_each_role_may_what_the_matrix_says(
    doors: Doors, project: pb.Project, deployment: pb.Deployment, call: str, role: Role
) -> None:
    who = member(role)
    found = await code_of(doors, who, call, project.id, deployment.id)
    if decide(who, CALLS[call][0], Resource(TEAM, project.id)):
        assert found in ("", "PREVIEW_NOT_FOUND")
    else:
        assert found == "PERMISSION_DENIED"


@pytest.mark.parametrize("call", CALLS)
async def test_for_strangers_there_is_nothing(
    doors: Doors, project: pb.Project, deployment: pb.Deployment, call: str
) -> None:
    strangers = [
        NOBODY,
        Principal(Kind.SESSION, account_id="acc_c", teams={"tem_c": Role.OWNER}),
        Principal(Kind.TOKEN, account_id="acc_b", teams={TEAM: Role.OWNER}, only_project="prj_other"),
        Principal(Kind.TOKEN, projects={"prj_other": Role.OWNER}),
    ]
    for who in strangers:
        assert await code_of(doors, who, call, project.id, deployment.id) in ABSENT


async def test_lists_have_what_one_may_see(server: ProjectsServer, project: pb.Project) -> None:
    other = await server.CreateProject(pb.CreateProjectRequest(name="shop", team_id="tem_b"), NO_CONTEXT)

    async def seen(who: Principal, team: str = "") -> list[str]:
        with acting_as(who):
            found = await server.ListProjects(pb.ListProjectsRequest(team_id=team), NO_CONTEXT)
        return [one.name for one in found.projects]

    assert await seen(member(Role.VIEWER)) == ["blog"]
    assert await seen(member(Role.VIEWER, projects={other.id: Role.VIEWER})) == ["blog", "shop"]
    assert await seen(member(Role.VIEWER, projects={other.id: Role.VIEWER}), "tem_b") == ["shop"]
    assert await seen(member(Role.OWNER, only_project=other.id)) == []
    assert await seen(member(Role.OWNER, scopes=frozenset({Permission.LOGS_READ}))) == []
    assert await seen(NOBODY) == []


async def test_projects_are_made_where_one_may(server: ProjectsServer) -> None:
    def wanted(name: str, team: str = "") -> pb.CreateProjectRequest:
        return pb.CreateProjectRequest(name=name, team_id=team)

    own = Principal(Kind.SESSION, account_id="acc_x", teams={"tem_x": Role.OWNER, TEAM: Role.VIEWER})
    with acting_as(own):
        assert (await server.CreateProject(wanted("mine"), NO_CONTEXT)).team_id == "tem_x"
        for team in (TEAM, "tem_other"):
            with pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
                await server.CreateProject(wanted("theirs", team), NO_CONTEXT)


async def test_secrets_of_builds_are_the_platforms_alone(
    server: ProjectsServer, project: pb.Project, deployment: pb.Deployment
) -> None:
    with acting_as(member(Role.OWNER)), pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
        await server.GetDeploymentSpec(pb.GetDeploymentRequest(deployment_id=deployment.id), NO_CONTEXT)


@pytest.mark.parametrize("change", ["SetEnv", "ImportEnv", "SetRules"])
async def test_a_token_that_may_change_settings_deploys_them_only_if_it_may_deploy(
    server: ProjectsServer, env_server: EnvServer, project: pb.Project, deployment: pb.Deployment, change: str
) -> None:
    made: dict[str, Any] = {
        "SetEnv": lambda deploy: env_server.SetEnv(
            env_pb.SetEnvRequest(project_id=project.id, set={"A": "1"}, deploy=deploy), NO_CONTEXT
        ),
        "ImportEnv": lambda deploy: env_server.ImportEnv(
            env_pb.ImportEnvRequest(project_id=project.id, text="B=1", deploy=deploy), NO_CONTEXT
        ),
        "SetRules": lambda deploy: server.SetRules(
            pb.SetRulesRequest(project_id=project.id, rules="{}", deploy=deploy), NO_CONTEXT
        ),
    }
    scopes = {one for one in Permission if one.startswith(("ENV:", "PROJECT:"))}
    with acting_as(member(Role.OWNER, scopes=frozenset(scopes))):
        with pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
            await made[change](True)
        await made[change](False)
    with acting_as(member(Role.OWNER, scopes=frozenset({*scopes, Permission.DEPLOYMENT_CREATE}))):
        await made[change](True)
