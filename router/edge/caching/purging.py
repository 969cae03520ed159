"""What an operator or the control plane wants forgotten, as groups of stored answers.

A question has `project` with or without `tags`, `hosts`, `urls`; each that is there is purged. Tags belong to a
project, so that no tenant's tag empties another's pages.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from kernel.errors import define
from router.core.caching.keys import url_of
from router.core.caching.rule import CacheRule
from router.core.host import canonical
from router.core.reading import Reader
from router.core.table import Table

PURGE_INVALID = define(
    "PURGE_INVALID", source="client", status=400, hint="name a project (and tags), hosts or urls, as texts and lists"
)
_FIELDS: Final = frozenset(("ask", "project", "tags", "hosts", "urls"))
_MOST: Final = 1000


def groups(question: dict[str, Any], table: Table) -> list[bytes]:
    """The groups that a question names.

    Raises:
        ShipoffError: PURGE_INVALID.
    """
    project, tags = question.get("project"), _texts(question, "tags")
    if not (isinstance(project, str) or project is None) or not _FIELDS.issuperset(question):
        raise PURGE_INVALID("project is not a text, or there is a field that means nothing")
    found = [b"t" + (project or "").encode() + b"\0" + tag.lower().encode() for tag in tags]
    if project is not None and not tags:
        found.append(b"p" + project.encode())
    found += [b"h" + _host(host) for host in _texts(question, "hosts")]
    found += [_url(url, table) for url in _texts(question, "urls")]
    if not found or len(found) > _MOST:
        raise PURGE_INVALID(f"nothing is named, or more than {_MOST} things")
    return found


def _texts(question: dict[str, Any], field: str) -> list[str]:
    values = question.get(field, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise PURGE_INVALID(f"{field} is not a list of texts")
    return values


def _host(text: str) -> bytes:
    host = canonical(text.lower().encode())
    if host is None:
        raise PURGE_INVALID(f"{text!r} is not a host")
    return host


def _url(text: str, table: Table) -> bytes:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise PURGE_INVALID(f"{text!r} is not a URL") from None
    host, target = _host(parts.netloc), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    route = table.find(host, target.encode())
    rule = route.policy.cache if route is not None and route.policy is not None else None
    return b"u" + url_of(host, target.encode(), rule or CacheRule(Reader({}, "cache")))
