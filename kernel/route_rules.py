"""The rules of routes that people may ask for, checked when they do rather than by a router afterwards.

The router is the judge (router/core/rules.py): a record with a rule that it does not understand is refused and the old
one stays, which would leave a release that nobody can reach. So what passes here must pass there; a test holds both
against each other. `RouteRules` is what a repository may say. Who may come in at all (`OwnerRules`: passwords,
addresses, maintenance) is said by the owner of a project, beside the repository.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from kernel.errors import define

RULES_INVALID = define(
    "RULES_INVALID", source="client", status=422, hint='each rule is described in ARCHITECTURE.md, "Rules"'
)

_OURS: Final = re.compile(
    r"(?i)host|content[-_]length|transfer[-_]encoding|connection|te|trailer|upgrade|expect|keep[-_]alive|http2[-_]settings"
    r"|proxy([-_].*)?|x[-_]forwarded[-_].*|forwarded|x[-_]request[-_]id|x[-_]real[-_]ip|cf[-_]connecting[-_]ip"
    r"|true[-_]client[-_]ip|traceparent|via|date|x[-_]shipoff[-_]error"
)


def _touchable(name: str) -> str:
    if _OURS.fullmatch(name):
        raise ValueError("no header that a rule may touch")
    return name


def _plain(path: str) -> str:
    if "//" in path or "/./" in f"{path}/" or "/../" in f"{path}/" or "%" in path or "?" in path:
        raise ValueError("a plain path: decoded, without //, dots or a query")
    return path


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


def _stored(password: str) -> str:
    """A password as it may rest: what is no hash yet becomes one."""
    if _HASHED.fullmatch(password):
        return password
    if password.startswith("$") or len(password) < SHORTEST:
        raise ValueError(
            f"a password has {SHORTEST} characters or more, or is $scrypt$… or $sha256$… (router/core/passwords.py)"
        )
    salt = os.urandom(16)
    made = hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1, dklen=32)
    return f"$scrypt$ln=12,r=8,p=1${_base64(salt)}${_base64(made)}"


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=")


SHORTEST: Final = 8
# Of both forms only what is within the router's bound of memory, at the cost that is usual or less.
_HASHED: Final = re.compile(
    r"\$scrypt\$ln=(?:[1-9]|1[0-4]),r=[1-8],p=[1-4]\$[A-Za-z0-9+/]{8,86}\$[A-Za-z0-9+/]{22,86}"
    r"|\$sha256\$[A-Za-z0-9+/]{8,86}\$[A-Za-z0-9+/]{43}"
)
Network = Annotated[str, AfterValidator(_network)]
UserName = Annotated[str, Field(pattern=r"^[^:\x00-\x1f]{1,100}$")]
Password = Annotated[str, Field(max_length=1000), AfterValidator(_stored)]
Header = Annotated[str, Field(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$"), AfterValidator(_touchable)]
Value = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,4096}$")]
Seconds = Annotated[float, Field(ge=0.1, le=86_400)]
PlainPath = Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$", max_length=1024), AfterValidator(_plain)]
Target = Annotated[
    str, Field(pattern=r"^((https?://[A-Za-z0-9\[]|/[\x21-\x2e\x30-\x7e])[\x21-\x7e]*|/)$", max_length=2048)
]


class Rule(BaseModel):
    """One rule; unknown fields are refused, as the router refuses them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Https(Rule):
    """`https`."""

    redirect: bool = True
    hsts_s: int = Field(0, ge=0, le=315_360_000)
    subdomains: bool = False
    preload: bool = False


class Redirect(Rule):
    """One of `redirects`; an exact path, or everything under one."""

    from_: PlainPath = Field(alias="from")
    to: Target
    status: Literal[301, 302, 303, 307, 308] = 308
    prefix: bool = False

    @model_validator(mode="after")
    def _has_room_for_the_rest(self) -> Redirect:
        if self.prefix and ("?" in self.to or "#" in self.to):
            raise ValueError("a prefix goes to an address without ? and #, because the rest of the path is appended")
        return self


class Headers(Rule):
    """`request_headers` and `response_headers`."""

    set: dict[Header, Value] = {}
    remove: list[Header] = []


class RateLimit(Rule):
    """`rate_limit`."""

    requests: float = Field(ge=0.001, le=1e9)
    per_s: float = Field(1, ge=0.001, le=86_400)
    burst: float | None = Field(None, ge=1, le=1e9)
    by: Annotated[str, Field(pattern=r"^(address|header:[A-Za-z0-9-]{1,64})$")] = "address"


class Timeouts(Rule):
    """`timeouts`, in seconds."""

    answer_s: Seconds | None = None
    body_s: Seconds | None = None
    stream_s: Seconds | None = None


class Concurrency(Rule):
    """`concurrency`: requests at once per instance and worker."""

    limit: int = Field(ge=1, le=1_000_000)
    queue: int = Field(100, ge=0, le=100_000)
    queue_s: float = Field(10, ge=0.05, le=3600)


class Hold(Rule):
    """`hold`: how long requests wait for a release that sleeps or changes."""

    wait_s: float | None = Field(None, ge=0, le=600)
    switch_s: float | None = Field(None, ge=0, le=600)
    page_s: float | None = Field(None, ge=0, le=600)
    queue: int | None = Field(None, ge=0, le=100_000)


class Cache(Rule):
    """`cache`: the part of the rule that a repository needs."""

    default_s: int = Field(0, ge=0, le=86_400)
    stale_while_revalidate_s: int = Field(0, ge=0, le=86_400)
    stale_if_error_s: int = Field(0, ge=0, le=86_400)


class RouteRules(Rule):
    """[rules] of shipoff.toml."""

    https: Https | None = None
    redirects: list[Redirect] = Field(default=[], max_length=500)
    request_headers: Headers | None = None
    response_headers: Headers | None = None
    max_body: int | None = Field(None, ge=0, le=2**53)
    rate_limit: RateLimit | None = None
    timeouts: Timeouts | None = None
    concurrency: Concurrency | None = None
    hold: Hold | None = None
    cache: Cache | None = None

    def as_record(self) -> dict[str, Any]:
        """What was said, in the shape of a route record's `rules`."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class Maintenance(Rule):
    """`maintenance`: closed but for some addresses."""

    message: Annotated[str, Field(min_length=1, max_length=1000)] = "this site is under maintenance"
    retry_after_s: int = Field(300, ge=1, le=31_536_000)
    allow: list[Network] = Field(default=[], max_length=1000)


class BasicAuth(Rule):
    """`basic_auth`: names and passwords; those in clear are stored as hashes."""

    realm: Annotated[str, Field(pattern=r'^[^"\\\x00-\x1f]{1,100}$')] = "restricted"
    users: dict[UserName, Password] = Field(min_length=1, max_length=1000)


class OwnerRules(RouteRules):
    """What the owner of a project may say; it goes before what the repository says of the same rule."""

    allow: list[Network] = Field(default=[], max_length=10_000)
    deny: list[Network] = Field(default=[], max_length=10_000)
    maintenance: Maintenance | None = None
    basic_auth: BasicAuth | None = None


def owner_rules(said: Mapping[str, Any]) -> dict[str, Any]:
    """The rules in the shape of a route record's, passwords hashed; what is null is as if it were not there.

    Raises:
        ShipoffError: RULES_INVALID, with all faults; never shows a password.
    """
    try:
        return OwnerRules.model_validate({name: rule for name, rule in said.items() if rule is not None}).as_record()
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise RULES_INVALID("; ".join(faults[:20])) from None
