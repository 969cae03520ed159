"""Plain-SQL migrations, applied by yoyo in file-name order under its lock.

Each service keeps its own in `<package>/migrations/0001_name.sql`; the tables that kernel's streams need come from
`kernel/streams/migrations` and are applied before. `python -m kernel.database.migrate control.auth …` migrates the
services named, each by its own DATABASE_URL.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from kernel.settings import Settings

SHARED: Final = "kernel.streams"


class MigrationSettings(Settings):
    """Where a service's database is.

    Attributes:
        database_url: libpq style.
    """

    database_url: str


def migrate(url: str, package: str) -> int:
    """Brings a database to the newest schema of a package.

    Args:
        url: libpq style, of a role that owns the database.
        package: e.g. "control.auth".

    Returns:
        How many migrations were applied; 0 when it was up to date.
    """
    # Imported here: a running service never migrates, and yoyo with its driver costs it 15 MB.
    from yoyo import get_backend, read_migrations

    backend = get_backend(urlunsplit(urlsplit(url)._replace(scheme="postgresql+psycopg")))
    try:
        sources = [str(files(name).joinpath("migrations")) for name in (SHARED, package)]
        with backend.lock():
            pending = backend.to_apply(read_migrations(*sources))
            backend.apply_migrations(pending)
            return len(pending)
    finally:
        backend.connection.close()


def main() -> None:
    """The command line: migrates every package named."""
    for package in sys.argv[1:]:
        settings = MigrationSettings.from_process(package.rpartition(".")[2])
        print(f"{package}: {migrate(settings.database_url, package)} migrations applied")


if __name__ == "__main__":
    main()
