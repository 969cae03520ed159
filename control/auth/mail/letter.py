"""Makes a message of a template: plain text, and the same as simple HTML."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jinja2 import Environment, Template

LAYOUT: Final = "layout.html"


def compose(sender: str, to: str, template: str, values: Mapping[str, str]) -> EmailMessage:
    """The message.

    Args:
        sender: "Name <address>".
        to: one address.
        template: name of a file in templates/, without its ending.
        values: what it names, `public_url` among them; a name that is missing is a fault.

    Raises:
        ValueError: a header would contain a line break.
    """
    text = _template(f"{template}.txt").render(values)
    subject, _, body = text.partition("\n")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject.strip()
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].rstrip("> ") or "localhost")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notes, please
    message.set_content(body.strip() + "\n")
    paragraphs = [part.strip() for part in body.split("\n\n") if part.strip()]
    page = {"subject": subject.strip(), "paragraphs": paragraphs, "base": values["public_url"]}
    message.add_alternative(_template(LAYOUT).render(page), subtype="html")
    return message


@cache
def _environment() -> Environment:
    # Imported here: a process that sends no mail need not have it.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("control.auth.mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
    )


def _template(name: str) -> Template:
    return _environment().get_template(name)
