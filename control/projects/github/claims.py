"""Proves that somebody administers an installation before it is theirs.

The installation's number comes by the browser and proves nothing: anybody can write another one into the address (docs:
"About the setup URL"). So the code that comes with it is traded for a token of that person, and GitHub is asked, as
them, which installations they have; in an organization they must own it, since any member sees it.

The way back is bound to who began it: `state` is sealed for the account and the team, and whoever ends it shows the
same account's credential. So nobody can be led to install the App for a team of somebody else's.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from control.projects.github.client import GITHUB_REFUSED, GitHub, path_of
from control.projects.repositories.installations import Claim
from kernel.errors import ShipoffError, define
from kernel.sealing import Sealer

CLAIM_STATE_INVALID = define(
    "CLAIM_STATE_INVALID",
    source="client",
    status=400,
    hint="begin again, signed in as the same account: shipoff repo install",
)
CLAIM_UNPROVEN = define(
    "CLAIM_UNPROVEN",
    source="client",
    status=403,
    hint="an owner of the GitHub organization, or the account's own user, has to do this",
)
LIFE_S: Final = 3600  # an admin may have to ask somebody in between
PLACE: Final = "github/claim"
PAGES: Final = 10
PAGE: Final = 100


class Claims:
    """Begins and proves claims.

    Args:
        github: the client.
        sealer: of the states.
        clock: unix seconds.
    """

    def __init__(self, github: GitHub, sealer: Sealer, clock: Callable[[], float] = time.time) -> None:
        self._github, self._sealer, self._clock = github, sealer, clock

    def begin(self, team_id: str, account_id: str) -> tuple[str, float]:
        """Where a person installs the App for a team; returns the address and when it expires, unix seconds."""
        expires_at = self._clock() + LIFE_S
        sealed = self._sealer.seal([team_id, account_id, expires_at], PLACE)
        query = urlencode({"state": base64.urlsafe_b64encode(sealed).decode().rstrip("=")})
        app = self._github.app
        # Enterprise Server keeps its Apps at another place than github.com (docs: "Sharing your GitHub App").
        kind = "apps" if app.web_url == "https://github.com" else "github-apps"
        return f"{app.web_url}/{kind}/{app.slug}/installations/new?{query}", expires_at

    def team_of(self, state: str, account_id: str) -> str:
        """The team that a claim was begun for.

        Raises:
            ShipoffError: CLAIM_STATE_INVALID, also when another account began it, or too long ago.
        """
        try:
            sealed = base64.b64decode(state + "=" * (-len(state) % 4), altchars=b"-_", validate=True)
            value: Any = self._sealer.open(sealed, PLACE)
            team_id, began_by, expires_at = value
        except (binascii.Error, ShipoffError, ValueError, TypeError):
            raise CLAIM_STATE_INVALID("the state is not one of this platform's") from None
        if began_by != account_id or not account_id:
            raise CLAIM_STATE_INVALID("another account began this")
        if self._clock() > expires_at:
            raise CLAIM_STATE_INVALID("it was begun too long ago")
        return str(team_id)

    async def prove(self, installation_id: int, code: str) -> Claim:
        """What GitHub says of an installation to who administers it.

        Raises:
            ShipoffError: CLAIM_UNPROVEN, GITHUB_REFUSED, GITHUB_UNAVAILABLE, GITHUB_BUSY.
        """
        token = await self._user_token(code)
        found = await self._installation(token, installation_id)
        account = found["account"]
        login, kind = str(account["login"]), str(found.get("target_type") or account.get("type") or "User")
        if kind == "Organization":
            owns = await self._owns(token, login)
        else:
            user = await self._github.wanted("GET", "/user", token)
            owns = isinstance(user, dict) and user.get("id") == account["id"]
        if not owns:
            raise CLAIM_UNPROVEN(f"that GitHub user does not administer {login[:100]}")
        return Claim(installation_id, login, kind, found.get("suspended_at") is not None)

    async def _user_token(self, code: str) -> str:
        app = self._github.app
        answer = await self._github.exchange(
            {"client_id": app.client_id, "client_secret": app.client_secret, "code": code}
        )
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise GITHUB_REFUSED(f"GitHub does not take the code: {str(answer.get('error', ''))[:80]}")
        return token

    async def _installation(self, token: str, installation_id: int) -> dict[str, Any]:
        for page in range(1, PAGES + 1):
            query = {"per_page": str(PAGE), "page": str(page)}
            answer = await self._github.wanted("GET", "/user/installations", token, query=query)
            listed = answer.get("installations", []) if isinstance(answer, dict) else []
            for one in listed:
                if one.get("id") == installation_id and isinstance(one.get("account"), dict):
                    return dict(one)
            if len(listed) < PAGE:
                break
        raise CLAIM_UNPROVEN(f"that GitHub user has no installation {installation_id}")

    async def _owns(self, token: str, login: str) -> bool:
        answer = await self._github.call("GET", path_of("/user/memberships/orgs/{org}", org=login), token)
        member = answer.body if answer.status == 200 and isinstance(answer.body, dict) else {}
        return member.get("state") == "active" and member.get("role") == "admin"
