"""Makes a message of a template: plain text, and the same as simple HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    _add(message.set_content, body.strip() + "\n", subtype="plain")
    paragraphs = [part.strip() for part in body.split("\n\n") if part.strip()]
    page = {"subject": subject.strip(), "paragraphs": paragraphs, "base": values["public_url"]}
    _add(message.add_alternative, _template(LAYOUT).render(page), subtype="html")
    return message


def _add(add: Callable[..., None], text: str, *, subtype: str) -> None:
    """Adds a part so that its links stay whole: quoted-printable, the default for long lines, would break them."""
    if text.isascii():
        add(text, subtype=subtype, cte="7bit")
    else:
        add(text, subtype=subtype)


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
