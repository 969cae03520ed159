"""Where the platform is, and the token for it: in a file that only its owner reads, or in the environment.

`SHIPOFF_URL` and `SHIPOFF_TOKEN` go before the file, for scripts that never log in.
"""

# environ: a command reads its user's home and token; no service does
from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stack.cli.client.failures import Exit, Failure

DEFAULT_URL: Final = "http://127.0.0.1:8000"
LOCK_S: Final = 70.0  # longer than whoever refreshes waits for the platform, twice


@dataclass(frozen=True, slots=True)
class Credentials:
    """One platform and a token of ours there; tokens have no repr.

    Attributes:
        url: of the platform.
        token: an API token, or a session's access token.
        refresh_token: of a session, "" for an API token.
        expires_at: of the access token, unix seconds.
    """

    url: str
    token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_at: float = 0.0


def path() -> Path:
    """$XDG_CONFIG_HOME/shipoff/credentials.json (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".config"
    return home / "shipoff" / "credentials.json"


def environment_token() -> str:
    """SHIPOFF_TOKEN, or ""."""
    return os.environ.get("SHIPOFF_TOKEN", "").strip()


def known_url() -> str:
    """The platform to talk to, logged in or not."""
    return os.environ.get("SHIPOFF_URL", "").rstrip("/") or _stored().get("url", "") or DEFAULT_URL


def load() -> Credentials:
    """What to log in with; a session's token may have run out (session.py).

    Raises:
        Failure: NOT_LOGGED_IN. A stored token is never sent to another platform than the one that gave it.
    """
    url = known_url()
    if token := environment_token():
        return Credentials(url, token)
    found = stored_for(url)
    if found is None:
        hint = f"shipoff login --url {url}, or set SHIPOFF_TOKEN"
        raise Failure("NOT_LOGGED_IN", f"there is no token for {url}", hint, Exit.AUTH)
    return found


def stored_for(url: str) -> Credentials | None:
    """What is stored for a platform."""
    stored = _stored()
    if stored.get("url") != url or not stored.get("token"):
        return None
    try:
        expires_at = float(stored.get("expires_at", "0"))
    except ValueError:
        expires_at = 0.0
    return Credentials(url, stored["token"], stored.get("refresh_token", ""), expires_at)


def save(credentials: Credentials) -> Path:
    """Keeps tokens, readable by their owner alone from the first byte on; the caller holds the lock."""
    target = path()
    _make_folder(target)
    kept = {"url": credentials.url, "token": credentials.token}
    if credentials.refresh_token:
        kept |= {"refresh_token": credentials.refresh_token, "expires_at": f"{credentials.expires_at:.0f}"}
    draft = target.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(kept, file)
        file.flush()
        os.fsync(file.fileno())  # the refresh token before this one is used up: without this one we would be nobody
    draft.replace(target)
    return target


def forget() -> None:
    """Removes what is stored; the caller holds the lock."""
    path().unlink(missing_ok=True)


@contextmanager
def locked() -> Iterator[None]:
    """Lets one command at a time change what is stored (flock(2), which ends with the process).

    Raises:
        Failure: CREDENTIALS_BUSY.
    """
    target = path().with_suffix(".lock")
    _make_folder(target)
    with os.fdopen(os.open(target, os.O_RDWR | os.O_CREAT, 0o600)) as file:
        give_up = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > give_up:
                    hint = "another shipoff command is signing in; try again when it has ended"
                    raise Failure("CREDENTIALS_BUSY", f"{target} is locked", hint) from error
                time.sleep(0.05)
        yield


def _make_folder(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def _stored() -> dict[str, str]:
    try:
        value = json.loads(path().read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Failure(
            "CREDENTIALS_UNREADABLE", f"cannot read {path()}: {error}", "shipoff login writes it anew"
        ) from error
    return {key: str(text) for key, text in value.items()} if isinstance(value, dict) else {}
