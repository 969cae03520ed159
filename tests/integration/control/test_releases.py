"""What the projects service makes of wishes that build nothing, and of previews, on a real database."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from control.projects.deployments.lifecycle import Lifecycle
from control.projects.env.server import EnvServer
from control.projects.previews.expiry import Expiry
from control.projects.previews.service import Previews
from control.projects.server import ProjectsServer
from kernel import ids
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.events import DeploymentStateChanged, Envelope, EnvironmentDeleted, ProjectDeleted, decode
from proto.projects.v1 import env_pb2 as env_pb
from proto.projects.v1 import projects_pb2 as pb

NO_CONTEXT: Any = None


@pytest.fixture
async def project(server: ProjectsServer) -> pb.Project:
    return await server.CreateProject(pb.CreateProjectRequest(name="blog", team_id="tem_a"), NO_CONTEXT)


async def ask(server: ProjectsServer, project: pb.Project, environment: str = "", **fields: str) -> pb.Deployment:
    source = {} if fields else {"commit": "a" * 40, "ref": "refs/deployments/x", "message": "first"}
    wanted = pb.CreateDeploymentRequest(
        deployment_id=ids.new("dep"), project_id=project.id, environment=environment, **{**source, **fields}
    )
    return await server.CreateDeployment(wanted, NO_CONTEXT)


async def go_live(database: Database, deployment: pb.Deployment, release: str) -> None:
    for state in ("BUILDING", "PROVISIONING", "LIVE"):
        data = DeploymentStateChanged(
            deployment.id, deployment.project_id, deployment.environment, state, release_id=release
        )
        await Lifecycle(database).apply(Envelope(data=data, key="k"))


async def events(database: Database) -> list[Any]:
    rows = await database.fetch("select envelope from outbox where stream = 'deployments' order by position")
    return [decode(row["envelope"]).data for row in rows]


async def code(wish: Any) -> str:
    with pytest.raises(ShipoffError) as caught:
        await wish
    return caught.value.code


async def test_a_rollback_carries_its_release_and_shows_the_commit_it_was_built_from(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    await go_live(database, await ask(server, project), "rel_1")
    back = await ask(server, project, kind="rollback", release_id="rel_1")
    assert (back.kind, back.commit, back.message) == ("rollback", "a" * 40, "first")
    event = (await events(database))[-1]
    assert (event.kind, event.release_id, event.deployment_id) == ("rollback", "rel_1", back.id)
    assert await code(ask(server, project, kind="rollback", release_id="rel_2")) == "RELEASE_UNKNOWN"
    assert await code(ask(server, project, kind="undo")) == "DEPLOYMENT_INVALID"


async def test_variables_make_a_deployment_once_something_is_live_unless_they_are_not_to(
    server: ProjectsServer, env_server: EnvServer, project: pb.Project, database: Database
) -> None:
    change = env_pb.SetEnvRequest(project_id=project.id, set={"A": "1"}, deploy=True)
    assert (await env_server.SetEnv(change, NO_CONTEXT)).deployment_id == ""
    assert await code(ask(server, project, kind="config")) == "NOTHING_DEPLOYED"
    await go_live(database, await ask(server, project), "rel_1")
    made = (await env_server.SetEnv(change, NO_CONTEXT)).deployment_id
    found = await server.GetDeployment(pb.GetDeploymentRequest(deployment_id=made), NO_CONTEXT)
    assert (found.kind, found.state) == ("config", "QUEUED")
    quiet = env_pb.SetEnvRequest(project_id=project.id, set={"A": "2"})
    assert (await env_server.SetEnv(quiet, NO_CONTEXT)).deployment_id == ""


async def test_rules_are_replaced_as_a_whole_and_go_live_as_variables_do(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    wanted = pb.SetRulesRequest(project_id=project.id, rules='{"deny": ["192.0.2.0/24"], "cache": null}', deploy=True)
    told = await server.SetRules(wanted, NO_CONTEXT)
    assert (json.loads(told.rules), told.deployment_id) == ({"deny": ["192.0.2.0/24"]}, "")
    await go_live(database, await ask(server, project), "rel_1")
    made = (await server.SetRules(wanted, NO_CONTEXT)).deployment_id
    spec = await server.GetDeploymentSpec(pb.GetDeploymentRequest(deployment_id=made), NO_CONTEXT)
    assert (spec.deployment.kind, json.loads(spec.rules)) == ("config", {"deny": ["192.0.2.0/24"]})
    for wrong in ("[]", "{", '{"deny": ["192.0.2.1/24"]}'):
        change = pb.SetRulesRequest(project_id=project.id, rules=wrong, deploy=True)
        assert await code(server.SetRules(change, NO_CONTEXT)) == "RULES_INVALID"
    kept = await server.GetRules(pb.GetRulesRequest(project_id=project.id), NO_CONTEXT)
    assert json.loads(kept.rules) == {"deny": ["192.0.2.0/24"]}


async def test_previews_are_limited_expire_and_never_stand_for_the_project(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    await go_live(database, await ask(server, project, "preview/a"), "rel_1")
    await ask(server, project, "preview/b")
    await ask(server, project, "preview/a")
    assert await code(ask(server, project, "preview/c")) == "LIMIT_PREVIEWS"
    shown = await server.GetProject(pb.GetProjectRequest(project=project.id), NO_CONTEXT)
    assert shown.live_deployment_id == "", "what a project's address shows is production"
    await database.execute("update previews set expires_at = now() where environment = 'preview/a'")
    assert await Expiry(Previews(database)).sweep() == 1
    assert (await events(database))[-1] == EnvironmentDeleted(project.id, "preview/a")
    left = await server.ListPreviews(pb.ListPreviewsRequest(project_id=project.id), NO_CONTEXT)
    assert [one.environment for one in left.previews] == ["preview/b"]
    gone = pb.DeletePreviewRequest(project_id=project.id, environment="preview/a")
    assert await code(server.DeletePreview(gone, NO_CONTEXT)) == "PREVIEW_NOT_FOUND"


async def test_a_deleted_project_is_told_once_and_its_name_is_free(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    await ask(server, project)
    asked = (server.DeleteProject(pb.DeleteProjectRequest(project_id=project.id), NO_CONTEXT) for _ in range(4))
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(answer, pb.DeleteProjectResponse) or "PROJECT_NOT_FOUND" in str(answer)
    assert [one for one in await events(database) if isinstance(one, ProjectDeleted)] == [ProjectDeleted(project.id)]
    again = await server.CreateProject(pb.CreateProjectRequest(name="blog", team_id="tem_b"), NO_CONTEXT)
    assert again.id != project.id
