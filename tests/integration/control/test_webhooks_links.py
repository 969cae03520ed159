"""Links that follow their repository and installation, and what a build of their commits is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernel.errors import ShipoffError
from kernel.events import DeploymentRequested
from orchestrator.build.elsewhere import Elsewhere
from proto.projects.v1 import projects_pb2
from proto.projects.v1 import repositories_pb2 as pb
from tests.integration.control.yard import NEW, NO_CONTEXT, TEAM, Yard


async def test_links_follow_their_installation_and_repository(yard: Yard) -> None:
    shop = await yard.on_github()

    async def happens(event: str, **payload: Any) -> pb.Link:
        await yard.send(event, {"installation": {"id": yard.installation.id}, **payload})
        await yard.work()
        return await yard.links.GetLink(pb.LinkRequest(project_id=shop.id), NO_CONTEXT)

    assert (await happens("installation", action="suspend")).state == "suspended"
    await yard.send("push", yard.push())
    await yard.work()
    assert (await yard.outcome(shop.id)).reason == "the installation is suspended"
    assert (await happens("installation", action="unsuspend")).state == "active"
    gone = {"action": "removed", "repositories_removed": [{"id": 11}], "repositories_added": []}
    assert (await happens("installation_repositories", **gone)).state == "detached"
    back = {"action": "added", "repositories_removed": [], "repositories_added": [{"id": 11}]}
    assert (await happens("installation_repositories", **back)).state == "active"
    renamed = yard.repository("store")
    link = await happens("repository", action="renamed", repository=renamed)
    assert (link.full_name, link.clone_url) == ("octo-org/store", renamed["clone_url"])
    moved = renamed | {"full_name": "new-org/store", "clone_url": f"{yard.github.url}/git/new-org/store.git"}
    assert (await happens("repository", action="transferred", repository=moved)).full_name == "new-org/store"
    assert (await happens("repository", action="privatized", repository=moved)).state == "active"
    link = await happens("repository", action="deleted", repository=moved)
    assert (link.state, link.reason) == ("detached", "the repository is deleted")


async def test_an_app_that_is_uninstalled_takes_its_claim_along_and_a_new_claim_brings_the_links_back(
    yard: Yard,
) -> None:
    shop = await yard.on_github()
    payload = {"action": "deleted", "installation": {"id": yard.installation.id}}
    await yard.send("installation", payload)
    await yard.work()
    link = await yard.links.GetLink(pb.LinkRequest(project_id=shop.id), NO_CONTEXT)
    assert link.state == "detached"
    listed = await yard.links.ListInstallations(pb.ListInstallationsRequest(team_id=TEAM), NO_CONTEXT)
    assert not listed.installations
    await yard.send("push", yard.push())
    await yard.work()
    assert await yard.deployments(shop.id) == []
    await yard.on_github("another")  # claims the installation for the team again
    link = await yard.links.GetLink(pb.LinkRequest(project_id=shop.id), NO_CONTEXT)
    assert link.state == "active"


async def test_a_project_that_went_to_another_team_is_not_deployed_by_the_first_teams_installation(yard: Yard) -> None:
    shop = await yard.on_github()
    await yard.send("push", yard.push())
    await yard.database.execute("update projects set team_id = 'tem_x' where id = $1", shop.id)
    await yard.work()
    assert await yard.deployments(shop.id) == []


async def test_a_build_is_told_where_its_commit_is_and_given_what_opens_it(yard: Yard) -> None:
    await yard.on_github()
    other, _ = await yard.elsewhere("gitlab", "other", access_token="glpat-1")
    await yard.send("push", yard.push())
    await yard.work()
    (told,) = await yard.told()
    assert isinstance(told, DeploymentRequested)
    spec = await yard.projects.GetDeploymentSpec(
        projects_pb2.GetDeploymentRequest(deployment_id=told.deployment_id), NO_CONTEXT
    )
    source = spec.source
    assert (source.clone_url, source.commit) == (f"{yard.github.url}/git/octo-org/shop.git", NEW)
    assert source.username == "x-access-token"
    token = yard.github.tokens[source.password]
    assert (token.repositories, token.permissions) == (frozenset({11}), {"contents": "read", "metadata": "read"})
    made = projects_pb2.CreateDeploymentRequest(
        deployment_id="dep_" + "0" * 32, project_id=other.id, commit=NEW, ref="refs/heads/main"
    )
    await yard.projects.CreateDeployment(made, NO_CONTEXT)
    wanted = projects_pb2.GetDeploymentRequest(deployment_id=made.deployment_id)
    source = (await yard.projects.GetDeploymentSpec(wanted, NO_CONTEXT)).source
    assert (source.username, source.password) == ("oauth2", "glpat-1")
    own = projects_pb2.CreateDeploymentRequest(
        deployment_id="dep_" + "1" * 32, project_id=other.id, commit=NEW, ref="refs/deployments/dep_1"
    )
    await yard.projects.CreateDeployment(own, NO_CONTEXT)
    wanted = projects_pb2.GetDeploymentRequest(deployment_id=own.deployment_id)
    assert not (await yard.projects.GetDeploymentSpec(wanted, NO_CONTEXT)).HasField("source")


async def test_a_push_ends_in_a_real_fetch_from_githubs_server(yard: Yard, tmp_path: Path) -> None:
    await yard.on_github(root_dir="apps/web")
    yard.github.repository("octo-org/shop")
    commit = yard.github.commit("octo-org/shop", "refs/heads/main", {"apps/web/index.html": "hello"})
    yard.github.commit("octo-org/shop", "refs/heads/main", {"apps/web/index.html": "newer"})
    await yard.send("push", yard.push(after=commit))
    await yard.work()
    (told,) = await yard.told()
    assert isinstance(told, DeploymentRequested)
    wanted = projects_pb2.GetDeploymentRequest(deployment_id=told.deployment_id)
    spec = await yard.projects.GetDeploymentSpec(wanted, NO_CONTEXT)
    source = await Elsewhere(private=True).fetch(spec.source, tmp_path / "out")
    assert (source.commit, (tmp_path / "out/apps/web/index.html").read_text()) == (commit, "hello")
    assert set(yard.github.git_users) == {"x-access-token"}
    # Neither with another repository's token, nor when the App has lost the repository.
    stranger = await yard.access.tokens.get(yard.installation.id, "12", "clone")
    spec.source.password = stranger
    with pytest.raises(ShipoffError, match="SOURCE_REFUSED"):
        await Elsewhere(private=True).fetch(spec.source, tmp_path / "not")
    gone = {"action": "removed", "repositories_removed": [{"id": 11}], "repositories_added": []}
    await yard.send("installation_repositories", gone | {"installation": {"id": yard.installation.id}})
    await yard.work()
    with pytest.raises(ShipoffError, match="REPOSITORY_DETACHED"):
        await yard.projects.GetDeploymentSpec(wanted, NO_CONTEXT)
