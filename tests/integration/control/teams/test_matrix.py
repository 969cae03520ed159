"""Generated: each role against each call of auth's services, and another team's ids in every position."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from kernel.authority import Kind, Permission, Principal, Resource, Role, decide
from kernel.errors import ShipoffError
from tests.integration.control.teams.conftest import Person, World

P = Permission
NOBODY_ID = "acc_" + "0" * 32
NO_TOKEN = "tok_" + "0" * 32


@dataclass(frozen=True)
class Call:
    """A call that changes nothing when it is allowed, so that it can be made by everybody in turn."""

    service: str
    method: str
    permission: Permission
    on_project: bool = False
    more: tuple[tuple[str, Any], ...] = ()

    def fields(self, team: str, project: str) -> dict[str, Any]:
        where = {"team": team} if self.method == "GetTeam" else {"team_id": team}
        return where | ({"project_id": project} if self.on_project else {}) | dict(self.more)


SOMEBODY = (("account_id", NOBODY_ID),)
A_ROLE = (*SOMEBODY, ("role", "VIEWER"))
CALLS = [
    Call("Teams", "GetTeam", P.TEAM_READ),
    Call("Teams", "UpdateTeam", P.TEAM_UPDATE),
    Call("Teams", "DeleteTeam", P.TEAM_DELETE),  # it owns a project
    Call("Teams", "TransferTeam", P.TEAM_TRANSFER_OWNERSHIP, more=SOMEBODY),
    Call("Members", "ListMembers", P.TEAM_MEMBER_READ),
    Call("Members", "ChangeMember", P.TEAM_MEMBER_UPDATE, more=A_ROLE),
    Call("Members", "RemoveMember", P.TEAM_MEMBER_DELETE, more=SOMEBODY),
    Call("ProjectMembers", "ListProjectMembers", P.PROJECT_MEMBER_READ, True),
    Call("ProjectMembers", "AddProjectMember", P.PROJECT_MEMBER_CREATE, True, A_ROLE),
    Call("ProjectMembers", "ChangeProjectMember", P.PROJECT_MEMBER_UPDATE, True, A_ROLE),
    Call("ProjectMembers", "RemoveProjectMember", P.PROJECT_MEMBER_DELETE, True, SOMEBODY),
    Call("Invitations", "Invite", P.TEAM_MEMBER_CREATE, more=(("role", "VIEWER"), ("email", "x"))),
    Call("Invitations", "ListInvitations", P.TEAM_MEMBER_CREATE),
    Call("Invitations", "ListInvitations", P.PROJECT_MEMBER_CREATE, True),
    Call("Audit", "ListAuditEvents", P.TEAM_UPDATE),
    Call("Tokens", "CreateProjectToken", P.TOKEN_CREATE, True, (("role", "VIEWER"), ("name", ""))),
    Call("Tokens", "ListProjectTokens", P.TOKEN_READ, True),
    Call("Tokens", "RevokeProjectToken", P.TOKEN_DELETE, True, (("token_id", NO_TOKEN),)),
]
# What a call ends with that was allowed and had nothing to do.
IDLE = {
    "", "EMAIL_INVALID", "TEAM_HAS_PROJECTS", "MEMBER_NOT_FOUND", "MEMBER_UNKNOWN", "TOKEN_NAME_INVALID",
    "TOKEN_NOT_FOUND",
}  # fmt: skip
ABSENT = {"TEAM_NOT_FOUND", "PROJECT_NOT_FOUND"}


async def outcome(world: World, who: Person | str, call: Call, team: str, project: str) -> str:
    try:
        await world.ask(who, call.service, call.method, **call.fields(team, project))
    except ShipoffError as error:
        return error.code
    return ""


async def test_each_role_may_call_what_the_matrix_says(world: World) -> None:
    people = {role: await world.person(role.lower()) for role in Role}
    team = await world.team(people[Role.OWNER], **{role: people[role] for role in Role if role is not Role.OWNER})
    project = await world.project(people[Role.OWNER], team)
    tried = 0
    for role, call in itertools.product(Role, CALLS):
        on = Resource(team, project if call.on_project else "")
        allowed = decide(Principal(Kind.TOKEN, "acc_1", teams={team: role}), call.permission, on).allowed
        code = await outcome(world, await world.passport(people[role]), call, team, project)
        assert (code in IDLE) if allowed else code == "PERMISSION_DENIED", (role, call.method, code)
        tried += 1
    assert tried == len(Role) * len(CALLS)


async def test_each_permission_is_a_scope_that_opens_its_calls_alone(world: World) -> None:
    ada = await world.person("ada")
    team = await world.team(ada)
    project = await world.project(ada, team)
    for permission in {call.permission for call in CALLS}:
        scopes = {"names": [permission]}
        made = await world.ask(ada, "Tokens", "CreateAccountToken", name=permission, scopes=scopes)
        passport = await world.passport(made.secret)
        for call in CALLS:
            code = await outcome(world, passport, call, team, project)
            refused = {"PERMISSION_DENIED", *ABSENT}
            assert code in (IDLE if call.permission is permission else refused), (permission, call.method, code)


async def test_to_a_stranger_nothing_of_a_team_exists(world: World) -> None:
    ada, eve = await world.person("ada"), await world.person("eve")
    theirs, mine = await world.team(ada), await world.team(eve)
    their_project, my_project = await world.project(ada, theirs), await world.project(eve, mine)
    passport = await world.passport(eve)
    for call in CALLS:
        assert await outcome(world, passport, call, theirs, their_project) in ABSENT, call.method
        if call.on_project:
            # Her team does not own it: what is there is not shown, and what is not there is all that is found.
            wrong = await outcome(world, passport, call, mine, their_project)
            assert wrong in ABSENT | IDLE, (call.method, wrong)
            assert await outcome(world, passport, call, theirs, my_project) in ABSENT | IDLE, call.method
    inv = await world.ask(ada, "Invitations", "Invite", team_id=theirs, email="x@example.org", role="VIEWER")
    invitation = {"invitation_id": inv.invitation.id}
    for method in ("ResendInvitation", "RevokeInvitation"):
        for team in (mine, theirs):
            code = await world.refused(eve, "Invitations", method, team_id=team, **invitation)
            assert code in {"INVITATION_NOT_FOUND", "TEAM_NOT_FOUND"}
    before = len(await world.records(theirs))
    of_hers = {"team_id": mine, "project_id": my_project}
    made = await world.ask(
        ada, "Tokens", "CreateProjectToken", team_id=theirs, project_id=their_project, name="x", role="VIEWER"
    )
    token = {"token_id": made.token.id}
    for where in (
        of_hers,
        {"team_id": mine, "project_id": their_project},
        {"team_id": theirs, "project_id": my_project},
    ):
        code = await world.refused(eve, "Tokens", "RevokeProjectToken", **where, **token)
        assert code in {"TOKEN_NOT_FOUND", *ABSENT}
    for service, method in (("Members", "RemoveMember"), ("ProjectMembers", "RemoveProjectMember")):
        fields = {"team_id": mine, "account_id": ada.id}
        fields |= {"project_id": their_project} if service == "ProjectMembers" else {}
        assert await world.refused(eve, service, method, **fields) == "MEMBER_NOT_FOUND"
    assert len(await world.records(theirs)) == before + 1


async def test_nobody_is_let_in(world: World) -> None:
    for call in CALLS:
        assert await outcome(world, "", call, "tem_x", "prj_x") in ABSENT, call.method
    for method in ("CreateAccountToken", "ListAccountTokens", "RevokeAccountToken"):
        assert await world.refused("", "Tokens", method) == "ACCOUNT_REQUIRED"
    assert await world.refused("", "Teams", "CreateTeam", name="x", slug="xx") == "ACCOUNT_REQUIRED"
    assert not (await world.ask("", "Teams", "ListTeams")).teams
