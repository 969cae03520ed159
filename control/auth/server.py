"""The gRPC face of auth (proto/auth/v1): turns messages into calls of the domain and back."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

import json
from typing import Any, Final

from control.auth.accounts.service import Account, Accounts, claim_owner
from control.auth.authenticate import Authenticator
from control.auth.keys.service import Keys
from control.auth.tokens.rules import Wanted
from control.auth.tokens.service import Tokens, issue
from kernel.authority import require_platform
from kernel.database import Database
from proto.auth.v1 import auth_pb2 as pb
from proto.auth.v1.auth_pb2_grpc import AuthServicer

DEFAULT_EMAIL: Final = "owner@localhost"
NAME_OF_FIRST: Final = "first token"
NAME_OF_FURTHER: Final = "token"


class AuthServer(AuthServicer):
    """Answers the calls of auth.proto."""

    def __init__(self, database: Database, keys: Keys, tokens: Tokens) -> None:
        self._database, self._keys, self._tokens = database, keys, tokens
        self._authenticator = Authenticator(database, keys)
        self._accounts = Accounts(database)

    async def Bootstrap(self, request: pb.BootstrapRequest, context: Any) -> pb.BootstrapResponse:
        """The owner and the first token in one transaction, so that neither exists without the other."""
        require_platform()
        async with self._database.transaction() as tx:
            account, created = await claim_owner(tx, request.email or DEFAULT_EMAIL)
            secret = (await issue(tx, account.id, Wanted(NAME_OF_FIRST))).secret if created else ""
        return pb.BootstrapResponse(created=created, account=_message(account), token=secret)

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Any) -> pb.CreateTokenResponse:
        """A further token for an account, or for the owner; people make theirs by the service Tokens."""
        require_platform()
        wanted = request.account_id
        account = await (self._accounts.get(wanted) if wanted else self._accounts.owner())
        made = await self._tokens.create(account.id, Wanted(request.name or NAME_OF_FURTHER))
        return pb.CreateTokenResponse(token_id=made.token.id, token=made.secret)

    async def Authenticate(self, request: pb.AuthenticateRequest, context: Any) -> pb.AuthenticateResponse:
        """Who shows a credential."""
        found = await self._authenticator.identify(request.credential, request.address)
        return pb.AuthenticateResponse(
            passport=found.passport, account=None if found.account is None else _message(found.account)
        )

    async def ListKeys(self, request: pb.ListKeysRequest, context: Any) -> pb.ListKeysResponse:
        """Public."""
        return pb.ListKeysResponse(jwks=json.dumps(await self._keys.jwks()))


def _message(account: Account) -> pb.Account:
    return pb.Account(id=account.id, email=account.email, name=account.name)
