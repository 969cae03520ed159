"""Who may do what: the platform's one matrix of permissions, and the function that decides by it. Pure.

A permission is `SCOPE:ACTION`. Somebody has a role on a team, and may have another one on a project of it, which adds
to the first. An API token has no role of its own: it may do what its account may, cut down to the token's scopes.
Whoever asks gets a `Decision`, which names the rule that allowed or refused, so that a refusal can be explained.
"""

# ruff: noqa: S105 - names of permissions, not passwords
from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kernel.authority.principal import Kind, Principal


class Role(StrEnum):
    """What a member is; each may do what those behind it may."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    DEVELOPER = "DEVELOPER"
    VIEWER = "VIEWER"

    @property
    def rank(self) -> int:
        """Grows with what the role may do."""
        return _RANKS[self]


class Permission(StrEnum):
    """Every permission there is."""

    TEAM_READ = "TEAM:READ"
    TEAM_UPDATE = "TEAM:UPDATE"
    TEAM_DELETE = "TEAM:DELETE"
    TEAM_TRANSFER_OWNERSHIP = "TEAM:TRANSFER_OWNERSHIP"
    TEAM_MEMBER_READ = "TEAM_MEMBER:READ"
    TEAM_MEMBER_CREATE = "TEAM_MEMBER:CREATE"
    TEAM_MEMBER_UPDATE = "TEAM_MEMBER:UPDATE"
    TEAM_MEMBER_DELETE = "TEAM_MEMBER:DELETE"
    TEAM_MEMBER_SELF_UPDATE = "TEAM_MEMBER:SELF_UPDATE"
    TEAM_MEMBER_SELF_DELETE = "TEAM_MEMBER:SELF_DELETE"
    PROJECT_READ = "PROJECT:READ"
    PROJECT_CREATE = "PROJECT:CREATE"
    PROJECT_UPDATE = "PROJECT:UPDATE"
    PROJECT_DELETE = "PROJECT:DELETE"
    PROJECT_TRANSFER_OWNERSHIP = "PROJECT:TRANSFER_OWNERSHIP"
    PROJECT_MEMBER_READ = "PROJECT_MEMBER:READ"
    PROJECT_MEMBER_CREATE = "PROJECT_MEMBER:CREATE"
    PROJECT_MEMBER_UPDATE = "PROJECT_MEMBER:UPDATE"
    PROJECT_MEMBER_DELETE = "PROJECT_MEMBER:DELETE"
    PROJECT_MEMBER_SELF_UPDATE = "PROJECT_MEMBER:SELF_UPDATE"
    PROJECT_MEMBER_SELF_DELETE = "PROJECT_MEMBER:SELF_DELETE"
    DEPLOYMENT_READ = "DEPLOYMENT:READ"
    DEPLOYMENT_CREATE = "DEPLOYMENT:CREATE"
    DEPLOYMENT_UPDATE = "DEPLOYMENT:UPDATE"
    DEPLOYMENT_DELETE = "DEPLOYMENT:DELETE"
    REPOSITORY_READ = "REPOSITORY:READ"
    REPOSITORY_CREATE = "REPOSITORY:CREATE"
    REPOSITORY_UPDATE = "REPOSITORY:UPDATE"
    REPOSITORY_DELETE = "REPOSITORY:DELETE"
    DOMAIN_READ = "DOMAIN:READ"
    DOMAIN_CREATE = "DOMAIN:CREATE"
    DOMAIN_UPDATE = "DOMAIN:UPDATE"
    DOMAIN_DELETE = "DOMAIN:DELETE"
    ENV_READ = "ENV:READ"
    ENV_CREATE = "ENV:CREATE"
    ENV_UPDATE = "ENV:UPDATE"
    ENV_DELETE = "ENV:DELETE"
    LOGS_READ = "LOGS:READ"
    TOKEN_READ = "TOKEN:READ"
    TOKEN_CREATE = "TOKEN:CREATE"
    TOKEN_UPDATE = "TOKEN:UPDATE"
    TOKEN_DELETE = "TOKEN:DELETE"


_P = Permission
# The matrix: the least role that each permission needs. What a role may do is this column and all below it.
LEAST: Final[dict[Permission, Role]] = {
    # --- anybody in the team ---
    _P.TEAM_READ: Role.VIEWER,
    _P.TEAM_MEMBER_READ: Role.VIEWER,
    _P.TEAM_MEMBER_SELF_UPDATE: Role.VIEWER,
    _P.TEAM_MEMBER_SELF_DELETE: Role.VIEWER,
    _P.PROJECT_READ: Role.VIEWER,
    _P.PROJECT_MEMBER_READ: Role.VIEWER,
    _P.PROJECT_MEMBER_SELF_UPDATE: Role.VIEWER,
    _P.PROJECT_MEMBER_SELF_DELETE: Role.VIEWER,
    _P.DEPLOYMENT_READ: Role.VIEWER,
    _P.REPOSITORY_READ: Role.VIEWER,
    _P.DOMAIN_READ: Role.VIEWER,
    _P.LOGS_READ: Role.VIEWER,
    # --- who builds and runs apps ---
    _P.PROJECT_CREATE: Role.DEVELOPER,
    _P.PROJECT_UPDATE: Role.DEVELOPER,
    _P.DEPLOYMENT_CREATE: Role.DEVELOPER,
    _P.DEPLOYMENT_UPDATE: Role.DEVELOPER,
    _P.DEPLOYMENT_DELETE: Role.DEVELOPER,
    _P.ENV_READ: Role.DEVELOPER,  # values are secrets more often than not
    _P.ENV_CREATE: Role.DEVELOPER,
    _P.ENV_UPDATE: Role.DEVELOPER,
    _P.ENV_DELETE: Role.DEVELOPER,
    # --- who decides about people, names and where code comes from ---
    _P.TEAM_UPDATE: Role.ADMIN,
    _P.TEAM_MEMBER_CREATE: Role.ADMIN,
    _P.TEAM_MEMBER_UPDATE: Role.ADMIN,
    _P.TEAM_MEMBER_DELETE: Role.ADMIN,
    _P.PROJECT_DELETE: Role.ADMIN,
    _P.PROJECT_MEMBER_CREATE: Role.ADMIN,
    _P.PROJECT_MEMBER_UPDATE: Role.ADMIN,
    _P.PROJECT_MEMBER_DELETE: Role.ADMIN,
    _P.REPOSITORY_CREATE: Role.ADMIN,
    _P.REPOSITORY_UPDATE: Role.ADMIN,
    _P.REPOSITORY_DELETE: Role.ADMIN,
    _P.DOMAIN_CREATE: Role.ADMIN,
    _P.DOMAIN_UPDATE: Role.ADMIN,
    _P.DOMAIN_DELETE: Role.ADMIN,
    _P.TOKEN_READ: Role.ADMIN,
    _P.TOKEN_CREATE: Role.ADMIN,
    _P.TOKEN_UPDATE: Role.ADMIN,
    _P.TOKEN_DELETE: Role.ADMIN,
    # --- whose it is ---
    _P.TEAM_DELETE: Role.OWNER,
    _P.TEAM_TRANSFER_OWNERSHIP: Role.OWNER,
    _P.PROJECT_TRANSFER_OWNERSHIP: Role.OWNER,
}
_RANKS: Final = {role: rank for rank, role in enumerate(reversed(Role))}


@dataclass(frozen=True, slots=True)
class Resource:
    """What a permission is asked for.

    Attributes:
        team_id: the team that owns it.
        project_id: the project, "" for what belongs to the team as a whole.
    """

    team_id: str
    project_id: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer.

    Attributes:
        allowed: whether it may be done.
        rule: why, in words for a person.
    """

    allowed: bool
    rule: str

    def __bool__(self) -> bool:
        return self.allowed


def decide(who: Principal, permission: Permission, on: Resource) -> Decision:
    """Whether somebody may do something, and by which rule."""
    if who.kind is Kind.PLATFORM:
        return Decision(True, f"the platform's own call ({who.name})")
    if who.kind is Kind.NOBODY:
        return Decision(False, "nobody is signed in")
    if refusal := _token_refuses(who, permission, on):
        return Decision(False, refusal)
    role, whence = role_on(who, on)
    if role is None:
        return Decision(False, "no member of the team or of the project")
    least = LEAST[permission]
    if role.rank >= least.rank:
        return Decision(True, f"{permission} needs {least}; {role} {whence}")
    return Decision(False, f"{permission} needs {least}, and is {role} {whence}")


def role_on(who: Principal, on: Resource) -> tuple[Role | None, str]:
    """The greater of somebody's role on the team and on the project, and where it comes from."""
    held = ((who.teams.get(on.team_id), "on the team"), (who.projects.get(on.project_id), "on the project"))
    found = [(Role(role), whence) for role, whence in held if role]
    return max(found, key=lambda one: one[0].rank, default=(None, ""))


def _token_refuses(who: Principal, permission: Permission, on: Resource) -> str:
    if who.only_project and who.only_project != on.project_id:
        return "the token is for another project"
    if who.scopes is not None and permission not in who.scopes:
        return f"the token's scopes do not have {permission}"
    return ""
