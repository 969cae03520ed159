"""What a route's rules would do to a request, told in words, for whoever asks at night why a site does what it does.

The order is that of edge/policing.py, and the rules judge themselves here as there. Nothing is counted and nothing is
taken from a bucket: asking changes nothing.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from router.core.records import Route
from router.core.rules import Policy
from router.core.target import path_of

Json = dict[str, Any]
_HIDDEN: Final = "(hidden)"


class Asked(NamedTuple):
    """The request that is asked about.

    Attributes:
        ip: the client's address; "" leaves rules about addresses undecided.
    """

    host: bytes
    target: bytes
    method: str
    scheme: str
    ip: str


def explain(policy: Policy | None, asked: Asked) -> list[Json]:
    """The rules of a route that the request would meet, in order; the first that answers it is marked and the last."""
    told: list[Json] = []
    if policy is None:
        return told
    for rule in _RULES:
        said = rule(policy, asked)
        if said is not None:
            told.append(said)
            if said.get("answers"):
                break
    return told


def shown(route: Route) -> Json:
    """A route's record without what a password could be guessed from."""
    record = route.record()
    rules = record.get("rules")
    if isinstance(rules, dict) and isinstance(rules.get("basic_auth"), dict):
        users = dict.fromkeys(rules["basic_auth"].get("users") or {}, _HIDDEN)
        record["rules"] = {**rules, "basic_auth": {**rules["basic_auth"], "users": users}}
    return record


def _address(policy: Policy, asked: Asked) -> Json | None:
    if not policy.allow and not policy.deny:
        return None
    said: Json = {"rule": "address", "allow": list(policy.allow.texts), "deny": list(policy.deny.texts)}
    if not asked.ip:
        return said | {"effect": "depends on the client's address; ask with ip="}
    if (policy.allow and asked.ip not in policy.allow) or asked.ip in policy.deny:
        return said | {"answers": 403, "effect": "ADDRESS_REFUSED"}
    return said | {"effect": "let in"}


def _https(policy: Policy, asked: Asked) -> Json | None:
    if policy.https is None:
        return None
    if asked.scheme == "https" or not policy.https.redirect:
        return {"rule": "https", "effect": "passes", "hsts": policy.https.hsts.decode().strip()}
    return {"rule": "https", "answers": 308, "effect": "sent to https (challenges of ACME are not)"}


def _maintenance(policy: Policy, asked: Asked) -> Json | None:
    rule = policy.maintenance
    if rule is None:
        return None
    said = {"rule": "maintenance", "allow": list(rule.allow.texts)}
    if asked.ip and asked.ip in rule.allow:
        return said | {"effect": "let in"}
    return said | {"answers": 503, "effect": "MAINTENANCE"}


def _rate(policy: Policy, asked: Asked) -> Json | None:
    rule = policy.rate
    if rule is None:
        return None
    by = f"header {rule.header.decode()}" if rule.header else "address"
    return {"rule": "rate_limit", "effect": "429 above it", "per_s": rule.rate, "burst": rule.burst, "by": by}


def _size(policy: Policy, asked: Asked) -> Json | None:
    return None if policy.max_body < 0 else {"rule": "max_body", "effect": "413 above it", "bytes": policy.max_body}


def _password(policy: Policy, asked: Asked) -> Json | None:
    return None if policy.auth is None else {"rule": "basic_auth", "effect": "401 without a good name and password"}


def _redirects(policy: Policy, asked: Asked) -> Json | None:
    path, query = path_of(asked.target), asked.target.partition(b"?")[2]
    for rule in policy.redirects:
        if location := rule.location(path, query):
            return {"rule": "redirects", "answers": rule.status, "effect": location.decode("latin-1")}
    return None


def _others(policy: Policy, asked: Asked) -> Json | None:
    """What changes a request and never answers it; its values stand in the record."""
    names = {
        "request_headers": policy.request_edit,
        "response_headers": policy.response_edit,
        "timeouts": policy.timeouts,
        "canary": policy.split,
        "concurrency": policy.lanes,
        "health": policy.health,
        "hold": policy.hold,
        "cache": policy.cache,
    }
    found = [name for name, rule in names.items() if rule is not None]
    return {"rule": ", ".join(found), "effect": "as the record says"} if found else None


_RULES: Final = (_address, _https, _maintenance, _rate, _size, _password, _redirects, _others)
