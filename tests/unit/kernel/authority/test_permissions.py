"""The whole matrix: each role against each permission, on a team and on a project, by account and by token."""

import itertools

import pytest

from kernel.authority.permissions import LEAST, Permission, Resource, Role, decide
from kernel.authority.principal import NOBODY, Kind, Principal, platform

TEAM, PROJECT = "tem_1", "prj_1"
ON = Resource(TEAM, PROJECT)


def member(team: Role | None = None, project: Role | None = None, **more: object) -> Principal:
    return Principal(
        Kind.SESSION,
        account_id="acc_1",
        teams={TEAM: team} if team else {},
        projects={PROJECT: project} if project else {},
        **more,  # type: ignore[arg-type]
    )


def test_every_permission_is_in_the_matrix() -> None:
    assert set(LEAST) == set(Permission)


@pytest.mark.parametrize(("role", "permission"), list(itertools.product(Role, Permission)))
def test_a_role_may_do_what_its_rank_says(role: Role, permission: Permission) -> None:
    decision = decide(member(role), permission, ON)
    assert decision.allowed is (list(Role).index(role) <= list(Role).index(LEAST[permission]))
    assert LEAST[permission] in decision.rule
    assert role in decision.rule


@pytest.mark.parametrize(("team", "project"), list(itertools.product(Role, Role)))
def test_a_projects_role_adds_to_the_teams(team: Role, project: Role) -> None:
    greater = min(team, project, key=list(Role).index)
    for permission in Permission:
        assert decide(member(team, project), permission, ON).allowed is decide(member(greater), permission, ON).allowed
        assert decide(member(team, project), permission, Resource(TEAM)).allowed is (
            decide(member(team), permission, ON).allowed
        )


@pytest.mark.parametrize("permission", Permission)
def test_strangers_and_nobody_may_nothing(permission: Permission) -> None:
    assert not decide(NOBODY, permission, ON)
    assert not decide(Principal(Kind.SESSION, account_id="acc_2"), permission, ON)
    assert not decide(member(Role.OWNER), permission, Resource("tem_2", "prj_2"))
    assert not decide(member(project=Role.OWNER), permission, Resource(TEAM, "prj_2"))
    assert decide(platform("orchestrator"), permission, ON)


@pytest.mark.parametrize("permission", Permission)
def test_a_token_is_cut_down_to_its_scopes_and_its_project(permission: Permission) -> None:
    others = frozenset(Permission) - {permission}
    assert not decide(member(Role.OWNER, scopes=others), permission, ON)
    assert decide(member(Role.OWNER, scopes=frozenset({permission})), permission, ON)
    assert not decide(member(Role.OWNER, only_project="prj_2"), permission, ON)
    assert not decide(member(Role.OWNER, only_project=PROJECT), permission, Resource(TEAM))
    assert decide(member(Role.OWNER, only_project=PROJECT), permission, ON)
    least = LEAST[permission]
    if least is not Role.VIEWER:
        assert not decide(member(Role.VIEWER, scopes=frozenset({permission})), permission, ON)


def test_nothing_but_a_known_role_counts() -> None:
    with pytest.raises(ValueError, match="GOD"):
        decide(Principal(Kind.SESSION, teams={TEAM: "GOD"}), Permission.TEAM_READ, ON)
