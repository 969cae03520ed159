"""Every HTTP route of the platform's door, in one table."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Final

from control.gateway.handler import Handler
from control.gateway.needs import ACCOUNT, PUBLIC, Needs, OnTeam
from control.gateway.views import (
    account,
    audit,
    auth,
    cli_login,
    deployments,
    device_page,
    devices,
    domains,
    env,
    environments,
    explain,
    frameworks,
    git,
    hooks,
    installations,
    instances,
    invitations,
    keys,
    limits,
    links,
    login,
    logs,
    members,
    oauth,
    pages,
    permissions,
    previews,
    processes,
    project_invitations,
    project_members,
    project_tokens,
    projects,
    reference,
    releases,
    repository,
    requests,
    rules,
    sessions,
    shell,
    team_hooks,
    teams,
    tokens,
    two_factor,
    webhooks,
)
from kernel.authority import Permission


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        method: GET also answers HEAD.
        path: aiohttp's pattern. `{project}` and `{team}` are found by the frame.
        handler: what answers; its annotations say what it takes and gives (handler.py).
        needs: a permission on the path's project, `OnTeam` for one on a team, ACCOUNT, or PUBLIC.
        status: of a success.
        secret: whether the answer holds secrets, which nobody on the way may keep.
        refuses: statuses that the owning service refuses with beside the usual ones (openapi/operation.py).
        gives: media types of a handler that makes its answer itself.
        streams: whether a handler that makes its answer itself may take as long as it likes.
    """

    method: str
    path: str
    handler: Handler
    _: KW_ONLY
    needs: Needs
    status: int = 200
    secret: bool = False
    refuses: tuple[int, ...] = ()
    gives: tuple[str, ...] = ()
    streams: bool = False


_P = Permission
PROJECT: Final = "/v1/projects/{project}"
TEAM: Final = "/v1/teams/{team}"
INVITATION: Final = "/invitations/{invitation}"
INVITES: Final = OnTeam(_P.TEAM_MEMBER_CREATE)
HOOK: Final = "/hooks/{hook}"
TOLD: Final = HOOK + "/deliveries"
TEAM_ADMIN: Final = OnTeam(_P.TEAM_UPDATE)
UNSIGNED: Final = (401, 413)
JSON: Final = ("application/json",)
ROUTES: Final = (
    Route("GET", "/", pages.landing, needs=PUBLIC),
    Route("GET", "/docs", reference.page, needs=PUBLIC),
    Route("GET", "/v1/openapi.json", reference.document, needs=PUBLIC, gives=JSON),
    Route("GET", "/.well-known/jwks.json", keys.show, needs=PUBLIC),
    Route("GET", "/verify", links.verify_page, needs=PUBLIC),
    Route("POST", "/verify", links.verify, needs=PUBLIC),
    Route("GET", "/reset", links.reset_page, needs=PUBLIC),
    Route("POST", "/reset", links.reset, needs=PUBLIC),
    Route("GET", "/invitations/accept", links.accept_page, needs=PUBLIC),
    Route("POST", "/v1/auth/register", auth.register, needs=PUBLIC, status=202),
    Route("POST", "/v1/auth/verify", auth.verify, needs=PUBLIC, refuses=(410,)),
    Route("POST", "/v1/auth/verify/resend", auth.resend, needs=PUBLIC, status=202),
    Route("POST", "/v1/auth/login", auth.login, needs=PUBLIC, secret=True, refuses=(401, 403)),
    Route("POST", "/v1/auth/login/two-factor", auth.login_two_factor, needs=PUBLIC, secret=True, refuses=(401,)),
    Route("POST", "/v1/auth/refresh", auth.refresh, needs=PUBLIC, secret=True, refuses=(401,)),
    Route("POST", "/v1/auth/logout", auth.logout, needs=ACCOUNT, status=204),
    Route("POST", "/v1/auth/password/forgot", auth.forgot, needs=PUBLIC, status=202),
    Route("POST", "/v1/auth/password/reset", auth.reset, needs=PUBLIC, status=204, refuses=(410,)),
    Route("GET", "/v1/auth/providers", oauth.providers, needs=PUBLIC),
    Route("GET", "/v1/auth/oauth/{provider}/start", oauth.start, needs=PUBLIC, status=303, refuses=(422, 502)),
    Route("GET", "/v1/auth/oauth/{provider}/callback", oauth.callback, needs=PUBLIC, status=303),
    Route("POST", "/v1/auth/oauth/token", oauth.exchange, needs=PUBLIC, secret=True, refuses=(401, 403)),
    Route("POST", "/v1/auth/device", devices.create, needs=PUBLIC, status=201, secret=True),
    Route("POST", "/v1/auth/device/token", devices.exchange, needs=PUBLIC, secret=True),
    Route("GET", "/login", login.page, needs=PUBLIC),
    Route("POST", "/login", login.sign_in, needs=PUBLIC),
    Route("POST", "/login/code", login.second_factor, needs=PUBLIC),
    Route("GET", "/login/with/{provider}", login.go, needs=PUBLIC, status=303),
    Route("GET", "/login/return", login.back, needs=PUBLIC),
    Route("GET", "/login/cli", cli_login.page, needs=PUBLIC),
    Route("POST", "/login/cli", cli_login.answer, needs=PUBLIC),
    Route("GET", "/device", device_page.page, needs=PUBLIC),
    Route("POST", "/device", device_page.answer, needs=PUBLIC),
    Route("GET", "/v1/me", account.show, needs=ACCOUNT),
    Route("PATCH", "/v1/me", account.update, needs=ACCOUNT),
    Route("DELETE", "/v1/me", account.delete, needs=ACCOUNT, status=204),
    Route("PUT", "/v1/me/password", account.change_password, needs=ACCOUNT, status=204),
    Route("PUT", "/v1/me/email", account.change_email, needs=ACCOUNT, status=202),
    Route("GET", "/v1/me/sessions", sessions.index, needs=ACCOUNT),
    Route("DELETE", "/v1/me/sessions", sessions.delete_others, needs=ACCOUNT),
    Route("DELETE", "/v1/me/sessions/{session}", sessions.delete, needs=ACCOUNT, status=204),
    Route("GET", "/v1/me/two-factor", two_factor.show, needs=ACCOUNT),
    Route("POST", "/v1/me/two-factor", two_factor.begin, needs=ACCOUNT, status=201, secret=True),
    Route("PUT", "/v1/me/two-factor", two_factor.confirm, needs=ACCOUNT, secret=True),
    Route("DELETE", "/v1/me/two-factor", two_factor.disable, needs=ACCOUNT, status=204),
    Route("POST", "/v1/me/recovery-codes", two_factor.renew, needs=ACCOUNT, status=201, secret=True),
    Route("GET", "/v1/me/permissions", permissions.index, needs=ACCOUNT, refuses=(404,)),
    Route("GET", "/v1/me/tokens", tokens.index, needs=ACCOUNT),
    Route("POST", "/v1/me/tokens", tokens.create, needs=ACCOUNT, status=201, secret=True, refuses=(404,)),
    Route("DELETE", "/v1/me/tokens/{token}", tokens.delete, needs=ACCOUNT, status=204),
    Route("GET", "/v1/teams", teams.index, needs=ACCOUNT),
    Route("POST", "/v1/teams", teams.create, needs=ACCOUNT, status=201),
    Route("GET", TEAM, teams.show, needs=OnTeam(_P.TEAM_READ)),
    Route("PATCH", TEAM, teams.update, needs=OnTeam(_P.TEAM_UPDATE)),
    Route("DELETE", TEAM, teams.delete, needs=OnTeam(_P.TEAM_DELETE), status=204),
    Route("POST", TEAM + "/transfer", teams.transfer, needs=OnTeam(_P.TEAM_TRANSFER_OWNERSHIP)),
    Route("POST", TEAM + "/leave", teams.leave, needs=OnTeam(_P.TEAM_MEMBER_SELF_DELETE), status=204),
    Route("GET", TEAM + "/members", members.index, needs=OnTeam(_P.TEAM_MEMBER_READ)),
    Route("PATCH", TEAM + "/members/{account}", members.update, needs=OnTeam(_P.TEAM_MEMBER_UPDATE)),
    Route("DELETE", TEAM + "/members/{account}", members.delete, needs=OnTeam(_P.TEAM_MEMBER_DELETE), status=204),
    Route("GET", TEAM + "/invitations", invitations.index, needs=INVITES),
    Route("POST", TEAM + "/invitations", invitations.create, needs=INVITES, status=201, secret=True),
    Route("POST", TEAM + INVITATION + "/resend", invitations.resend, needs=INVITES, secret=True),
    Route("DELETE", TEAM + INVITATION, invitations.delete, needs=INVITES, status=204),
    Route("POST", "/v1/invitations/accept", invitations.accept, needs=ACCOUNT, refuses=(404,)),
    Route("GET", TEAM + "/audit", audit.index, needs=OnTeam(_P.TEAM_UPDATE), refuses=(422,)),
    Route("GET", "/v1/me/identities", oauth.identities, needs=ACCOUNT),
    Route("POST", "/v1/me/identities", oauth.link, needs=ACCOUNT),
    Route("DELETE", "/v1/me/identities/{identity}", oauth.unlink, needs=ACCOUNT, status=204),
    Route("GET", "/v1/frameworks", frameworks.index, needs=PUBLIC),
    Route("POST", "/v1/projects", projects.create, needs=OnTeam(_P.PROJECT_CREATE), status=201, refuses=(402,)),
    Route("GET", "/v1/projects", projects.index, needs=ACCOUNT),
    Route("GET", PROJECT, projects.show, needs=_P.PROJECT_READ),
    Route("PATCH", PROJECT, projects.update, needs=_P.PROJECT_UPDATE),
    Route("POST", PROJECT + "/transfer", projects.transfer, needs=_P.PROJECT_TRANSFER_OWNERSHIP, refuses=(402,)),
    Route("DELETE", PROJECT, projects.delete, needs=_P.PROJECT_DELETE, status=204),
    Route("GET", PROJECT + "/members", project_members.index, needs=_P.PROJECT_MEMBER_READ),
    Route("POST", PROJECT + "/members", project_members.create, needs=_P.PROJECT_MEMBER_CREATE, status=201),
    Route("PATCH", PROJECT + "/members/{account}", project_members.update, needs=_P.PROJECT_MEMBER_UPDATE),
    Route("DELETE", PROJECT + "/members/{account}", project_members.delete, needs=_P.PROJECT_MEMBER_DELETE, status=204),
    Route("POST", PROJECT + "/leave", project_members.leave, needs=_P.PROJECT_MEMBER_SELF_DELETE, status=204),
    Route("GET", PROJECT + "/invitations", project_invitations.index, needs=_P.PROJECT_MEMBER_CREATE),
    Route(
        "POST",
        PROJECT + "/invitations",
        project_invitations.create,
        needs=_P.PROJECT_MEMBER_CREATE,
        status=201,
        secret=True,
    ),
    Route(
        "POST",
        PROJECT + INVITATION + "/resend",
        project_invitations.resend,
        needs=_P.PROJECT_MEMBER_CREATE,
        secret=True,
    ),
    Route("DELETE", PROJECT + INVITATION, project_invitations.delete, needs=_P.PROJECT_MEMBER_CREATE, status=204),
    Route("GET", PROJECT + "/tokens", project_tokens.index, needs=_P.TOKEN_READ),
    Route("POST", PROJECT + "/tokens", project_tokens.create, needs=_P.TOKEN_CREATE, status=201, secret=True),
    Route("DELETE", PROJECT + "/tokens/{token}", project_tokens.delete, needs=_P.TOKEN_DELETE, status=204),
    Route("GET", PROJECT + "/previews", previews.index, needs=_P.DEPLOYMENT_READ),
    Route("DELETE", PROJECT + "/previews/{name:.+}", previews.delete, needs=_P.DEPLOYMENT_DELETE, status=204),
    Route("GET", PROJECT + "/env", env.show, needs=_P.ENV_READ, secret=True),
    Route("PUT", PROJECT + "/env", env.change, needs=_P.ENV_UPDATE, secret=True),
    Route("POST", PROJECT + "/env/import", env.read_file, needs=_P.ENV_UPDATE),
    Route("GET", PROJECT + "/env/export", env.write_file, needs=_P.ENV_READ, secret=True),
    Route("GET", PROJECT + "/environments", environments.index, needs=_P.DEPLOYMENT_READ),
    Route("GET", PROJECT + "/environments/{name:.+}", environments.show, needs=_P.DEPLOYMENT_READ, secret=True),
    Route("GET", PROJECT + "/domains", domains.index, needs=_P.DOMAIN_READ),
    Route("POST", PROJECT + "/domains", domains.create, needs=_P.DOMAIN_CREATE, status=201, refuses=(402,)),
    Route("GET", PROJECT + "/domains/{domain}", domains.show, needs=_P.DOMAIN_READ),
    Route("PATCH", PROJECT + "/domains/{domain}", domains.update, needs=_P.DOMAIN_UPDATE),
    Route("DELETE", PROJECT + "/domains/{domain}", domains.delete, needs=_P.DOMAIN_DELETE, status=204),
    Route("POST", PROJECT + "/domains/{domain}/check", domains.check, needs=_P.DOMAIN_UPDATE),
    Route("GET", PROJECT + "/rules", rules.show, needs=_P.PROJECT_READ, secret=True),
    Route("PUT", PROJECT + "/rules", rules.change, needs=_P.PROJECT_UPDATE, secret=True),
    Route("GET", PROJECT + "/deployments", deployments.index, needs=_P.DEPLOYMENT_READ),
    Route("POST", PROJECT + "/deployments", deployments.create, needs=_P.DEPLOYMENT_CREATE, status=201, refuses=(402,)),
    Route("GET", PROJECT + "/deployments/{id}", deployments.show, needs=_P.DEPLOYMENT_READ),
    Route(
        "POST",
        PROJECT + "/deployments/{id}/redeploy",
        deployments.redeploy,
        needs=_P.DEPLOYMENT_CREATE,
        status=201,
        refuses=(402,),
    ),
    Route("POST", PROJECT + "/deployments/{id}/cancel", deployments.cancel, needs=_P.DEPLOYMENT_UPDATE, status=202),
    Route("POST", PROJECT + "/deployments/{id}/canary", deployments.steer, needs=_P.DEPLOYMENT_UPDATE),
    Route("GET", PROJECT + "/deployments/{id}/events", deployments.events, needs=_P.DEPLOYMENT_READ),
    Route("GET", PROJECT + "/releases", releases.index, needs=_P.DEPLOYMENT_READ),
    Route("GET", PROJECT + "/instances", instances.index, needs=_P.DEPLOYMENT_READ),
    Route("GET", PROJECT + "/processes", processes.index, needs=_P.DEPLOYMENT_READ),
    Route("POST", PROJECT + "/scale", processes.scale, needs=_P.DEPLOYMENT_UPDATE, refuses=(402,)),
    Route("POST", PROJECT + "/restart", processes.restart, needs=_P.DEPLOYMENT_UPDATE, status=202),
    Route("GET", PROJECT + "/crons", processes.crons, needs=_P.DEPLOYMENT_READ),
    Route("GET", PROJECT + "/exec", shell.run, needs=_P.DEPLOYMENT_UPDATE, status=101, streams=True),
    Route("GET", PROJECT + "/logs", logs.show, needs=_P.LOGS_READ),
    Route("GET", PROJECT + "/requests", requests.index, needs=_P.LOGS_READ),
    Route("GET", PROJECT + "/explain", explain.show, needs=_P.LOGS_READ),
    Route("GET", PROJECT + "/hooks", hooks.index, needs=_P.PROJECT_UPDATE, secret=True),
    Route("POST", PROJECT + "/hooks", hooks.create, needs=_P.PROJECT_UPDATE, status=201, secret=True),
    Route("GET", PROJECT + HOOK, hooks.show, needs=_P.PROJECT_UPDATE, secret=True),
    Route("PATCH", PROJECT + HOOK, hooks.update, needs=_P.PROJECT_UPDATE, secret=True),
    Route("DELETE", PROJECT + HOOK, hooks.delete, needs=_P.PROJECT_UPDATE, status=204),
    Route("POST", PROJECT + HOOK + "/rotate", hooks.rotate, needs=_P.PROJECT_UPDATE, secret=True),
    Route("POST", PROJECT + HOOK + "/ping", hooks.ping, needs=_P.PROJECT_UPDATE, status=202),
    Route("GET", PROJECT + TOLD, hooks.deliveries, needs=_P.PROJECT_UPDATE),
    Route("GET", PROJECT + TOLD + "/{delivery}", hooks.delivery, needs=_P.PROJECT_UPDATE, secret=True),
    Route(
        "POST",
        PROJECT + TOLD + "/{delivery}/redeliver",
        hooks.redeliver,
        needs=_P.PROJECT_UPDATE,
        status=202,
    ),
    Route("GET", TEAM + "/limits", limits.show, needs=OnTeam(_P.TEAM_READ)),
    Route("GET", TEAM + "/hooks", team_hooks.index, needs=TEAM_ADMIN, secret=True),
    Route("POST", TEAM + "/hooks", team_hooks.create, needs=TEAM_ADMIN, status=201, secret=True),
    Route("GET", TEAM + HOOK, team_hooks.show, needs=TEAM_ADMIN, secret=True),
    Route("PATCH", TEAM + HOOK, team_hooks.update, needs=TEAM_ADMIN, secret=True),
    Route("DELETE", TEAM + HOOK, team_hooks.delete, needs=TEAM_ADMIN, status=204),
    Route("POST", TEAM + HOOK + "/rotate", team_hooks.rotate, needs=TEAM_ADMIN, secret=True),
    Route("POST", TEAM + HOOK + "/ping", team_hooks.ping, needs=TEAM_ADMIN, status=202),
    Route("GET", TEAM + TOLD, team_hooks.deliveries, needs=TEAM_ADMIN),
    Route("GET", TEAM + TOLD + "/{delivery}", team_hooks.delivery, needs=TEAM_ADMIN, secret=True),
    Route(
        "POST",
        TEAM + TOLD + "/{delivery}/redeliver",
        team_hooks.redeliver,
        needs=TEAM_ADMIN,
        status=202,
    ),
    Route("GET", PROJECT + "/repository", repository.show, needs=_P.REPOSITORY_READ),
    Route("PUT", PROJECT + "/repository", repository.link, needs=_P.REPOSITORY_CREATE, secret=True),
    Route("PATCH", PROJECT + "/repository", repository.update, needs=_P.REPOSITORY_UPDATE),
    Route("DELETE", PROJECT + "/repository", repository.unlink, needs=_P.REPOSITORY_DELETE, status=204),
    Route("GET", PROJECT + "/repository/deliveries", repository.deliveries, needs=_P.REPOSITORY_READ),
    Route(
        "POST",
        PROJECT + "/repository/deliveries/{delivery}/redeliver",
        repository.redeliver,
        needs=_P.DEPLOYMENT_CREATE,
        status=202,
    ),
    Route("GET", TEAM + "/installations", installations.index, needs=OnTeam(_P.REPOSITORY_READ)),
    Route("POST", TEAM + "/installations", installations.begin, needs=OnTeam(_P.REPOSITORY_CREATE), secret=True),
    Route("GET", "/v1/github/setup", installations.setup, needs=ACCOUNT, refuses=(409, 422)),
    Route("GET", "/github/setup", installations.page, needs=PUBLIC, gives=("text/html",)),
    Route("POST", "/v1/webhooks/github", webhooks.github, needs=PUBLIC, status=202, refuses=UNSIGNED, gives=JSON),
    Route(
        "POST",
        "/v1/webhooks/{provider:gitlab|gitea|bitbucket|generic}/{link}",
        webhooks.link,
        needs=PUBLIC,
        status=202,
        refuses=UNSIGNED,
        gives=JSON,
    ),
    Route("GET", "/git/{project}/info/refs", git.advertise, needs=PUBLIC, streams=True),
    Route("POST", "/git/{project}/{service:git-(?:upload|receive)-pack}", git.exchange, needs=PUBLIC, streams=True),
)
