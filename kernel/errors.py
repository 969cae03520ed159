"""One error type for the whole platform, and the registry of its codes.

A module declares the kinds of error that it can raise as constants (`NO_ROUTE = define("NO_ROUTE", ...)`) and raises
them by calling them (`raise NO_ROUTE("no route for example.org")`). A code declared twice fails at import, so a code
always means one thing. Library errors are translated into these at the boundary where they appear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Source = Literal["client", "upstream", "platform"]


class ShipoffError(Exception):
    """Something that a person will read: what happened, whose fault it is, and what to do.

    Attributes:
        code: stable upper-case name, documented in docs/errors.md.
        detail: what happened this time, one sentence.
        source: who has to act: the client that asked, the upstream (a user's app), or the platform.
        retryable: whether the same request may succeed later without a change.
        status: the HTTP status that a REST answer carries.
        hint: the next step for the reader, possibly empty.
        retry_after_s: seconds until the same request may succeed, where that is known; 0 where it is not.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        source: Source,
        retryable: bool,
        status: int,
        hint: str = "",
        retry_after_s: int = 0,
    ) -> None:
        super().__init__(f"{code}: {detail}" + (f" ({hint})" if hint else ""))
        self.code = code
        self.detail = detail
        self.source: Source = source
        self.retryable = retryable
        self.status = status
        self.hint = hint
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """A declared kind of error; calling it makes the exception to raise."""

    code: str
    source: Source
    status: int
    retryable: bool
    hint: str

    def __call__(self, detail: str, *, hint: str | None = None, retry_after_s: int = 0) -> ShipoffError:
        return ShipoffError(
            self.code,
            detail,
            source=self.source,
            retryable=self.retryable,
            status=self.status,
            hint=self.hint if hint is None else hint,
            retry_after_s=retry_after_s,
        )


KINDS: Final[dict[str, ErrorKind]] = {}


def define(
    code: str, *, source: Source = "platform", status: int = 500, retryable: bool = False, hint: str = ""
) -> ErrorKind:
    """Declares a kind of error.

    Raises:
        ValueError: the code is not upper case or was declared before.
    """
    if code in KINDS or code != code.upper():
        raise ValueError(f"error code {code!r} is declared twice or not upper case")
    kind = KINDS[code] = ErrorKind(code, source, status, retryable, hint)
    return kind


INTERNAL = define("INTERNAL", hint="this is a fault of the platform; its log has the request id")
UNAVAILABLE = define("UNAVAILABLE", status=503, retryable=True, hint="try again in a moment")
DEADLINE_EXCEEDED = define("DEADLINE_EXCEEDED", status=504, retryable=True, hint="try again in a moment")
INVALID_ARGUMENT = define("INVALID_ARGUMENT", source="client", status=400)
UNAUTHENTICATED = define("UNAUTHENTICATED", source="client", status=401)
FORBIDDEN = define("FORBIDDEN", source="client", status=403)
NOT_FOUND = define("NOT_FOUND", source="client", status=404)
CONFLICT = define("CONFLICT", source="client", status=409)


def reason_of(error: Exception, most: int = 500) -> str:
    """What may be kept and shown of a failure: one of ours in its words, any other by its type, since its text may hold
    anything.

    Args:
        most: characters.
    """
    return str(error)[:most] if isinstance(error, ShipoffError) else type(error).__name__
