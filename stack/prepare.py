"""Makes each service's role and database and brings its schema up to date: `python -m stack.prepare`.

A process of its own, because the drivers that it needs are not needed again. Prints one JSON object per service.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import orjson
from pydantic import BaseModel

from kernel.errors import ShipoffError
from kernel.objects import ObjectStore, StoreSettings
from kernel.settings import Settings


class DatabaseOf(BaseModel):
    """What one service gets.

    Attributes:
        package: whose migrations are applied.
        database: its name.
        role: who owns it.
        password: of the role.
        url: of the database, as the role.
    """

    package: str
    database: str
    role: str
    password: str
    url: str


class PrepareSettings(Settings):
    """Read from SHIPOFF_PREPARE_….

    Attributes:
        admin_url: a Postgres role that may create roles and databases.
        databases: JSON list of DatabaseOf.
        bucket: "1" to make the bucket of the settings SHIPOFF_S3_… too.
    """

    admin_url: str
    databases: str
    bucket: str = ""


def fingerprint(packages: Iterable[str]) -> str:
    """A digest of the packages' migrations and of kernel's, made without importing them: equal means nothing is new."""
    digest = sha256()
    for package in ("kernel.streams", *packages):
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for file in sorted((Path(folder) / "migrations").glob("*.sql")):
                digest.update(f"{package}/{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def make_databases(admin_url: str, wanted: list[DatabaseOf]) -> None:
    """Creates what is missing, and sets the roles' passwords to ours.

    The server gets only the passwords' SCRAM verifiers, so that its log can never show one.
    """
    import psycopg
    from psycopg import sql

    with psycopg.connect(admin_url, autocommit=True, connect_timeout=20) as connection:
        roles = {row[0] for row in connection.execute("select rolname from pg_roles")}
        databases = {row[0] for row in connection.execute("select datname from pg_database")}
        for one in wanted:
            role, database = sql.Identifier(one.role), sql.Identifier(one.database)
            verifier = connection.pgconn.encrypt_password(
                one.password.encode(), one.role.encode(), b"scram-sha-256"
            ).decode()
            verb = sql.SQL("alter" if one.role in roles else "create")
            connection.execute(sql.SQL("{} role {} login password {}").format(verb, role, sql.Literal(verifier)))
            if one.database not in databases:
                # Needed where we are no superuser: only a member of a role may give it a database.
                connection.execute(sql.SQL("grant {} to current_user").format(role))
                connection.execute(sql.SQL("create database {} owner {} template template0").format(database, role))
                connection.execute(sql.SQL("revoke connect on database {} from public").format(database))


def main() -> None:
    """Does it all, or says in one line why not."""
    from kernel.database.migrate import migrate

    settings = PrepareSettings.from_process("prepare")
    wanted = [DatabaseOf.model_validate(item) for item in orjson.loads(settings.databases)]
    try:
        make_databases(settings.admin_url, wanted)
        for one in wanted:
            applied = migrate(one.url, one.package)
            sys.stdout.write(orjson.dumps({"package": one.package, "applied": applied}).decode() + "\n")
        if settings.bucket:
            asyncio.run(_make_bucket())
    except ShipoffError as error:
        sys.exit(str(error))


async def _make_bucket() -> None:
    store = ObjectStore(StoreSettings.from_process(""))
    try:
        await store.ensure_bucket()
    finally:
        await store.close()


if __name__ == "__main__":
    main()
