"""How a command fails: a code, two readable lines on stderr, and an exit status that a script can tell apart."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Exit(IntEnum):
    """Exit statuses of the developer's commands; 2 is also what Typer gives to a wrong command line."""

    OK = 0
    FAILED = 1  # a deployment failed, or something that has no status of its own
    USAGE = 2  # the command line or a value in it is wrong
    AUTH = 3  # not logged in, or the token is refused
    NOT_FOUND = 4  # the project, or what was asked of it, does not exist
    UNREACHABLE = 5  # the platform does not answer


class Failure(Exception):
    """A command cannot go on.

    Attributes:
        code: stable upper-case name, the platform's own where it has spoken.
        detail: one sentence.
        hint: the next step.
        status: of the process.
    """

    def __init__(self, code: str, detail: str, hint: str = "", status: Exit = Exit.FAILED) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.hint, self.status = code, detail, hint, status


_BY_HTTP = {400: Exit.USAGE, 401: Exit.AUTH, 403: Exit.AUTH, 404: Exit.NOT_FOUND, 409: Exit.USAGE, 422: Exit.USAGE}


def of_problem(status: int, problem: dict[str, object]) -> Failure:
    """The failure that a problem+json answer stands for."""
    code, hint = str(problem.get("code", f"HTTP_{status}")), str(problem.get("hint", ""))
    detail = str(problem.get("detail", "the platform refused"))
    if status >= 500 and (request := problem.get("request_id")):
        detail += f" (request {request})"
    fallback = Exit.UNREACHABLE if status in (502, 503, 504) else Exit.FAILED
    return Failure(code, detail, hint, _BY_HTTP.get(status, fallback))


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose failure is printed and becomes the exit status."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Failure as failure:
            print(f"error: {failure.detail} [{failure.code}]", file=sys.stderr)
            if failure.hint:
                print(f"hint: {failure.hint}", file=sys.stderr)
            sys.exit(failure.status)
        except KeyboardInterrupt:
            sys.exit(130)

    return run
