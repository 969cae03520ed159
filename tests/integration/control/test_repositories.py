"""Links, claims and tokens against a GitHub of our own that knows GitHub's OpenAPI."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from control.projects.github.access import GitHubAccess
from control.projects.github.claims import Claims
from control.projects.github.client import GitHub
from control.projects.github.tokens import Tokens
from control.projects.repositories.server import RepositoriesServer
from control.projects.repositories.service import Links
from control.projects.server import ProjectsServer
from kernel.authority import Kind, Principal, acting_as
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.events import AuditRecorded, decode
from kernel.sealing import Sealer
from proto.projects.v1 import projects_pb2
from proto.projects.v1 import repositories_pb2 as pb
from tests.integration.control.github import Fault, GitHubServer

NO_CONTEXT: Any = None
TEAM, OTHER_TEAM = "tem_" + "1" * 32, "tem_" + "2" * 32


def member(role: str = "ADMIN", team: str = TEAM, account: str = "acc_ada") -> Principal:
    return Principal(Kind.SESSION, account, f"{account}@example.org", "ses_1", teams={team: role})


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[GitHubServer]:
    async with GitHubServer(tmp_path / "github") as running:
        yield running


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(base64.b64encode(secrets.token_bytes(32)).decode())


@pytest.fixture
async def access(github: GitHubServer, sealer: Sealer) -> AsyncIterator[GitHubAccess]:
    made = GitHubAccess.of(github.app, sealer)
    yield made
    await made.github.close()


@pytest.fixture
def links(database: Database, sealer: Sealer, access: GitHubAccess) -> RepositoriesServer:
    return RepositoriesServer(database, Links(database, sealer), access, private=True, wake=lambda: None)


async def project(server: ProjectsServer, name: str = "shop", team: str = TEAM) -> projects_pb2.Project:
    return await server.CreateProject(projects_pb2.CreateProjectRequest(name=name, team_id=team), NO_CONTEXT)


async def claimed(
    links: RepositoriesServer, github: GitHubServer, installation: int, team: str = TEAM
) -> pb.Installation:
    """Goes the whole way as an owner of the organization."""
    login = github.installations[installation].login
    github.user("code-1", installations=[installation], roles={login: "admin"})
    with acting_as(member(team=team)):
        begun = await links.BeginClaim(pb.BeginClaimRequest(team_id=team), NO_CONTEXT)
        (state,) = parse_qs(urlsplit(begun.url).query)["state"]
        wanted = pb.CompleteClaimRequest(installation_id=installation, code="code-1", state=state)
        return await links.CompleteClaim(wanted, NO_CONTEXT)


def on_github(project_id: str, installation: int, full_name: str = "octo-org/shop", **more: Any) -> pb.PutLinkRequest:
    values = {"provider": "github", "installation_id": installation, "full_name": full_name, **more}
    return pb.PutLinkRequest(project_id=project_id, **values)


async def test_a_repository_elsewhere_is_linked_and_its_secrets_are_shown_once(
    server: ProjectsServer, links: RepositoriesServer, database: Database
) -> None:
    made = await project(server)
    request = pb.PutLinkRequest(
        project_id=made.id, provider="gitlab", clone_url="https://gitlab.example.com/mike/shop.git",
        access_token="glpat-very-secret", production_branch="trunk", root_dir="apps/web", watch_paths=["apps/web"],
    )  # fmt: skip
    linked = await links.PutLink(request, NO_CONTEXT)
    assert len(linked.secret) == 64
    assert (linked.link.full_name, linked.link.previews, linked.link.has_access_token) == ("mike/shop", "all", True)
    shown = await links.GetLink(pb.LinkRequest(project_id=made.id), NO_CONTEXT)
    assert shown == linked.link
    found = await server.GetProject(projects_pb2.GetProjectRequest(project=made.id), NO_CONTEXT)
    assert (found.production_branch, found.build.root_dir) == ("trunk", "apps/web")
    stored = str([dict(row) for row in await database.fetch("select * from repository_links")])
    told = str([bytes(row["envelope"]) for row in await database.fetch("select envelope from outbox")])
    for secret in (linked.secret, "glpat-very-secret"):
        assert secret not in str(shown) + stored + told
    again = await links.PutLink(request, NO_CONTEXT)
    assert again.link.id != linked.link.id and again.secret != linked.secret


async def test_a_change_leaves_what_it_does_not_name(server: ProjectsServer, links: RepositoriesServer) -> None:
    made = await project(server)
    await links.PutLink(
        pb.PutLinkRequest(
            project_id=made.id, provider="git", clone_url="https://git.example.com/a.git",
            watch_paths=["a"], access_token="t", root_dir="apps",
        ),
        NO_CONTEXT,
    )  # fmt: skip
    changed = await links.UpdateLink(pb.UpdateLinkRequest(project_id=made.id, previews="none"), NO_CONTEXT)
    assert (changed.previews, list(changed.watch_paths), changed.has_access_token) == ("none", ["a"], True)
    wanted = pb.UpdateLinkRequest(
        project_id=made.id, watch_paths=pb.Paths(), access_token="", fork_previews=True, root_dir=""
    )
    changed = await links.UpdateLink(wanted, NO_CONTEXT)
    assert (list(changed.watch_paths), changed.has_access_token, changed.fork_previews) == ([], False, True)
    assert (changed.previews, changed.root_dir) == ("none", "")
    await links.DeleteLink(pb.LinkRequest(project_id=made.id), NO_CONTEXT)
    for call in (links.GetLink, links.DeleteLink):
        with pytest.raises(ShipoffError, match="REPOSITORY_NOT_LINKED"):
            await call(pb.LinkRequest(project_id=made.id), NO_CONTEXT)


@pytest.mark.parametrize(
    "fields",
    [
        {"provider": "sourceforge"},
        {"clone_url": "ssh://git@git.example.com/a.git"},
        {"clone_url": "https://user:password@git.example.com/a.git"},
        {"clone_url": "https://git.example.com/a.git?x=1"},
        {"clone_url": "file:///etc/passwd"},
        {"clone_url": "--upload-pack=touch /tmp/x"},
        {"previews": "some"},
        {"watch_paths": ["../x"]},
        {"watch_paths": ["x"] * 51},
        {"watch_paths": ["x" * 201]},
        {"access_token": "a b"},
        {"access_token": "a\nb"},
        {"production_branch": "-x"},
        {"root_dir": "../x"},
    ],
)
async def test_a_link_that_makes_no_sense_is_refused_whole(
    server: ProjectsServer, links: RepositoriesServer, fields: dict[str, Any]
) -> None:
    made = await project(server)
    values = {"provider": "gitea", "clone_url": "https://git.example.com/a.git", **fields}
    with pytest.raises(ShipoffError, match=r"LINK_INVALID|URL_INVALID|BUILD_SETTINGS_INVALID"):
        await links.PutLink(pb.PutLinkRequest(project_id=made.id, **values), NO_CONTEXT)
    with pytest.raises(ShipoffError, match="REPOSITORY_NOT_LINKED"):
        await links.GetLink(pb.LinkRequest(project_id=made.id), NO_CONTEXT)


async def test_links_are_the_admins_affair_and_strangers_see_no_project(
    server: ProjectsServer, links: RepositoriesServer
) -> None:
    made = await project(server)
    wanted = pb.PutLinkRequest(project_id=made.id, provider="git", clone_url="https://git.example.com/a.git")
    with acting_as(member("DEVELOPER")), pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
        await links.PutLink(wanted, NO_CONTEXT)
    with acting_as(member()):
        await links.PutLink(wanted, NO_CONTEXT)
    with acting_as(member("VIEWER")):
        await links.GetLink(pb.LinkRequest(project_id=made.id), NO_CONTEXT)
        with pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
            await links.DeleteLink(pb.LinkRequest(project_id=made.id), NO_CONTEXT)
    stranger = member("OWNER", OTHER_TEAM)
    with acting_as(stranger):
        calls: list[tuple[Any, Any]] = [
            (links.GetLink, pb.LinkRequest(project_id=made.id)),
            (links.DeleteLink, pb.LinkRequest(project_id=made.id)),
            (links.PutLink, wanted),
            (links.UpdateLink, pb.UpdateLinkRequest(project_id=made.id)),
            (links.ListDeliveries, pb.ListDeliveriesRequest(project_id=made.id)),
            (links.Redeliver, pb.RedeliverRequest(project_id=made.id, delivery_id="dlv_1")),
        ]
        for call, request in calls:
            with pytest.raises(ShipoffError, match="PROJECT_NOT_FOUND"):
                await call(request, NO_CONTEXT)
        with pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
            await links.ListInstallations(pb.ListInstallationsRequest(team_id=TEAM), NO_CONTEXT)


async def test_an_installation_is_claimed_by_who_administers_it(
    links: RepositoriesServer, github: GitHubServer, database: Database, server: ProjectsServer
) -> None:
    installation = github.installed(shop=11).id
    made = await claimed(links, github, installation)
    assert (made.team_id, made.login, made.account_type, made.claimed_by) == (
        TEAM,
        "octo-org",
        "Organization",
        "acc_ada",
    )
    listed = await links.ListInstallations(pb.ListInstallationsRequest(team_id=TEAM), NO_CONTEXT)
    assert [one.id for one in listed.installations] == [installation]
    records = [decode(row["envelope"]).data for row in await database.fetch("select envelope from outbox")]
    assert [one.action for one in records if isinstance(one, AuditRecorded)] == ["installation.claim"]
    with pytest.raises(ShipoffError, match="INSTALLATION_TAKEN"):
        await claimed(links, github, installation, OTHER_TEAM)
    assert (await claimed(links, github, installation)).team_id == TEAM


async def test_who_does_not_administer_an_installation_gets_nothing(
    links: RepositoriesServer, github: GitHubServer, server: ProjectsServer
) -> None:
    organization, personal = github.installed(shop=11), github.installed("bob", site=12)
    personal.kind = "User"
    with acting_as(member()):
        begun = await links.BeginClaim(pb.BeginClaimRequest(team_id=TEAM), NO_CONTEXT)
        (state,) = parse_qs(urlsplit(begun.url).query)["state"]
        github.user("stranger", installations=[])
        github.user("member", installations=[organization.id], roles={"octo-org": "member"})
        github.user("outsider", installations=[organization.id])
        github.user("friend", installations=[personal.id])
        cases = [("stranger", organization), ("member", organization), ("outsider", organization), ("friend", personal)]
        for code, installed in cases:
            wanted = pb.CompleteClaimRequest(installation_id=installed.id, code=code, state=state)
            with pytest.raises(ShipoffError, match="CLAIM_UNPROVEN"):
                await links.CompleteClaim(wanted, NO_CONTEXT)
        wanted = pb.CompleteClaimRequest(installation_id=organization.id, code="member", state=state)
        with pytest.raises(ShipoffError, match="GITHUB_REFUSED"):
            await links.CompleteClaim(wanted, NO_CONTEXT)  # a code works once
        personal.account_id = github.user("bob", "bob", installations=[personal.id]).id
        wanted = pb.CompleteClaimRequest(installation_id=personal.id, code="bob", state=state)
        assert (await links.CompleteClaim(wanted, NO_CONTEXT)).account_type == "User"


async def test_an_installation_on_a_late_page_is_found(links: RepositoriesServer, github: GitHubServer) -> None:
    many = [github.installed(f"org-{number}").id for number in range(250)]
    github.user("code", installations=many, roles={"org-249": "admin"})
    with acting_as(member()):
        begun = await links.BeginClaim(pb.BeginClaimRequest(team_id=TEAM), NO_CONTEXT)
        (state,) = parse_qs(urlsplit(begun.url).query)["state"]
        wanted = pb.CompleteClaimRequest(installation_id=many[-1], code="code", state=state)
        assert (await links.CompleteClaim(wanted, NO_CONTEXT)).login == "org-249"


async def test_a_claim_is_ended_by_who_began_it_in_time_and_for_that_team(
    links: RepositoriesServer, github: GitHubServer, access: GitHubAccess, sealer: Sealer
) -> None:
    installation = github.installed(shop=11).id
    with acting_as(member()):
        begun = await links.BeginClaim(pb.BeginClaimRequest(team_id=TEAM), NO_CONTEXT)
    (state,) = parse_qs(urlsplit(begun.url).query)["state"]
    assert begun.url.startswith(f"{github.url}/web/github-apps/shipoff-test/installations/new?")
    github.user("code", installations=[installation], roles={"octo-org": "admin"})
    late, _ = Claims(access.github, sealer, clock=lambda: 1000.0).begin(TEAM, "acc_ada")
    (expired,) = parse_qs(urlsplit(late).query)["state"]
    flipped = state[:-2] + ("A" if state[-2] != "A" else "B") + state[-1]
    cases = [(member(account="acc_eve"), state), *((member(), bad) for bad in ("", "x", flipped, state + "é", expired))]
    for who, shown in cases:
        wanted = pb.CompleteClaimRequest(installation_id=installation, code="code", state=shown)
        with acting_as(who), pytest.raises(ShipoffError, match="CLAIM_STATE_INVALID"):
            await links.CompleteClaim(wanted, NO_CONTEXT)
    wanted = pb.CompleteClaimRequest(installation_id=installation, code="code", state=state)
    with acting_as(member("DEVELOPER")), pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
        await links.CompleteClaim(wanted, NO_CONTEXT)
    assert "code" in github.codes  # it was asked of GitHub in none of these cases


async def test_a_github_repository_needs_an_installation_of_the_team_that_sees_it(
    server: ProjectsServer, links: RepositoriesServer, github: GitHubServer
) -> None:
    made, others = await project(server), await project(server, "other", OTHER_TEAM)
    installation = github.installed(shop=11).id
    with pytest.raises(ShipoffError, match="INSTALLATION_NOT_FOUND"):
        await links.PutLink(on_github(made.id, installation), NO_CONTEXT)
    await claimed(links, github, installation)
    linked = await links.PutLink(on_github(made.id, installation), NO_CONTEXT)
    assert (linked.secret, linked.link.repository_id, linked.link.full_name) == ("", "11", "octo-org/shop")
    assert linked.link.clone_url == f"{github.url}/git/octo-org/shop.git"
    for wanted, code in (
        (on_github(others.id, installation), "INSTALLATION_NOT_FOUND"),
        (on_github(made.id, installation, "octo-org/unseen"), "REPOSITORY_NOT_VISIBLE"),
        (on_github(made.id, installation, "torvalds/linux"), "REPOSITORY_NOT_VISIBLE"),
        (on_github(made.id, installation, "octo-org/../x"), "LINK_INVALID"),
        (on_github(made.id, installation, "shop"), "LINK_INVALID"),
    ):
        with pytest.raises(ShipoffError, match=code):
            await links.PutLink(wanted, NO_CONTEXT)


async def test_a_role_on_one_project_does_not_open_the_teams_repositories(
    server: ProjectsServer, links: RepositoriesServer, github: GitHubServer
) -> None:
    made, installation = await project(server), github.installed(shop=11).id
    await claimed(links, github, installation)
    guest = Principal(Kind.SESSION, "acc_bob", "bob@example.org", "ses_2", projects={made.id: "ADMIN"})
    with acting_as(guest):
        elsewhere = pb.PutLinkRequest(project_id=made.id, provider="git", clone_url="https://git.example.com/a.git")
        await links.PutLink(elsewhere, NO_CONTEXT)
        with pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
            await links.PutLink(on_github(made.id, installation), NO_CONTEXT)
    with acting_as(member()):
        await links.PutLink(on_github(made.id, installation), NO_CONTEXT)


async def test_a_token_is_fetched_once_narrowed_and_renewed_before_it_ends(github: GitHubServer) -> None:
    installation = github.installed(shop=11, site=12).id
    client = GitHub(github.app)
    tokens = Tokens(client)
    try:
        shown = await asyncio.gather(*(tokens.get(installation, "11", "clone") for _ in range(20)))
        assert len(set(shown)) == 1 and len(github.tokens) == 1
        (token,) = github.tokens.values()
        assert (token.repositories, token.permissions) == (frozenset({11}), {"contents": "read", "metadata": "read"})
        assert await tokens.get(installation, "12", "clone") != shown[0]
        assert await tokens.get(installation, "11", "report") != shown[0]
        tokens.forget(installation)
        assert await tokens.get(installation, "11", "clone") != shown[0]
        github.lifetime_s = 200  # as good as over
        tokens.forget(installation)
        first = await tokens.get(installation, "11", "clone")
        assert await tokens.get(installation, "11", "clone") != first
    finally:
        await client.close()


async def test_githubs_limits_and_faults_say_when_to_come_back(github: GitHubServer) -> None:
    installation = github.installed(shop=11).id
    client = GitHub(github.app)
    tokens = Tokens(client)
    reset = str(int(time.time()) + 120)
    cases: list[tuple[Fault, str, range]] = [
        (Fault("access_tokens", 429, {"Retry-After": "7"}), "GITHUB_BUSY", range(7, 8)),
        (Fault("access_tokens", 403, {"Retry-After": "9"}), "GITHUB_BUSY", range(9, 10)),
        (
            Fault("access_tokens", 403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}),
            "GITHUB_BUSY",
            range(110, 123),
        ),
        (Fault("access_tokens", 429), "GITHUB_BUSY", range(60, 61)),
        (Fault("access_tokens", 502), "GITHUB_UNAVAILABLE", range(1)),
        (Fault("access_tokens", 200, drop=True), "GITHUB_UNAVAILABLE", range(1)),
        (Fault("access_tokens", 403), "GITHUB_REFUSED", range(1)),
    ]
    try:
        for fault, code, wait in cases:
            github.faults.append(fault)
            with pytest.raises(ShipoffError, match=code) as failed:
                await tokens.get(installation, "11", "clone")
            assert failed.value.retry_after_s in wait
            assert failed.value.retryable is (code != "GITHUB_REFUSED")
        assert await tokens.get(installation, "11", "clone")
    finally:
        await client.close()
