"""Where the platform is, and the token for it: in a file that only its owner reads, or in the environment.

`SHIPOFF_URL` and `SHIPOFF_TOKEN` go before the file, for scripts that never log in.
"""

# environ: a command reads its user's home and token; no service does
from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stack.cli.client.failures import Exit, Failure

DEFAULT_URL: Final = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Credentials:
    """One platform and a token of ours there; the token has no repr."""

    url: str
    token: str = field(repr=False)


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
    """What to log in with.

    Raises:
        Failure: NOT_LOGGED_IN. A stored token is never sent to another platform than the one that gave it.
    """
    url, stored = known_url(), _stored()
    token = environment_token() or (stored.get("token", "") if stored.get("url") == url else "")
    if not token:
        hint = f"shipoff login --url {url}, or set SHIPOFF_TOKEN"
        raise Failure("NOT_LOGGED_IN", f"there is no token for {url}", hint, Exit.AUTH)
    return Credentials(url, token)


def save(credentials: Credentials) -> Path:
    """Keeps the token, readable by its owner alone from the first byte on."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"url": credentials.url, "token": credentials.token}, file)
    draft.replace(target)
    return target


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
