"""Settings into nginx's configuration."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import orjson
from jinja2 import Environment, StrictUndefined

from control.gateway.nginx.settings import NginxSettings
from control.gateway.problems import BODY_TOO_LARGE, TYPE
from kernel.errors import UNAVAILABLE, ErrorKind

TEMPLATE: Final = files("control.gateway").joinpath("nginx/nginx.conf.j2").read_text()


def render(settings: NginxSettings) -> str:
    """The whole configuration file."""
    environment = Environment(
        autoescape=False,  # noqa: S701 - it is no HTML; the settings refuse what nginx gives a meaning
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    refusals = {
        "too_large": _problem(BODY_TOO_LARGE, "the request's body is too large"),
        "away": _problem(UNAVAILABLE, "the gateway does not answer"),
    }
    return environment.from_string(TEMPLATE).render(**settings.model_dump(), **refusals)


def _problem(kind: ErrorKind, detail: str) -> str:
    """As `../problems.py` writes it; `$request_id` is nginx's."""
    fields = {
        "type": TYPE + kind.code,
        "title": kind.code.replace("_", " ").capitalize(),
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "hint": kind.hint,
        "retryable": kind.retryable,
        "request_id": "$named",
    }
    return orjson.dumps(fields).decode().replace("'", "\\u0027")
