"""The outbox of mails, against a real SMTP server that takes, refuses, or is not there."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from control.auth.mail.letter import compose
from control.auth.mail.sender import Sender
from control.auth.mail.service import Mails, Template
from control.auth.mail.transport import FolderTransport, SmtpTransport
from kernel.errors import ShipoffError
from kernel.sealing import Sealer
from stack.ports import free_ports
from tests.integration.control.auth.rig import EMAIL, Letters, Rig, link_token


class Mailbox:
    """What a server does with recipients, and what it has taken."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, EmailMessage]] = []
        self.answers: list[str] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.taken.append((envelope.rcpt_tos[0], message))
        return "250 OK"


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp(box: Mailbox) -> Iterator[str]:
    controller = Controller(box, hostname="127.0.0.1", port=free_ports(1)[0])
    controller.start()
    yield f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


def sender(rig: Rig, transport: Any, retry_s: tuple[float, ...] = (0.0, 0.0)) -> Sender:
    sealer = Sealer(rig.settings.seal_key)
    return Sender(rig.database, sealer, transport, "Shipoff <no-reply@example.org>", retry_s=retry_s)


async def waiting(rig: Rig) -> list[tuple[int, str, bool]]:
    """Attempts, error, and whether it is given up, of what has not gone."""
    rows = await rig.database.fetch("select attempts, error, next_at is null as given_up from mails")
    return [tuple(row) for row in rows]


async def test_a_mail_reaches_a_server_with_text_and_html_and_a_whole_link(rig: Rig, box: Mailbox, smtp: str) -> None:
    await rig.register()
    assert await sender(rig, SmtpTransport(smtp)).send_due() == 1
    ((to, message),) = box.taken
    assert (to, message["To"], message["From"]) == (EMAIL, EMAIL, "Shipoff <no-reply@example.org>")
    assert message["Subject"] == "Confirm your e-mail address"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.org>")
    token = link_token(message)
    page = message.get_body(("html",))
    assert page is not None
    assert f'href="{rig.settings.public_url}/verify?token={token}"' in page.get_content()
    await rig.verify(token)
    assert await waiting(rig) == []


async def test_a_mail_that_is_refused_for_now_goes_later(rig: Rig, box: Mailbox, smtp: str) -> None:
    box.answers = ["451 come back later", "421 busy"]
    await rig.register()
    sending = sender(rig, SmtpTransport(smtp), (0.0, 0.0, 0.0))
    while await waiting(rig):
        await sending.send_due()
    assert [to for to, _ in box.taken] == [EMAIL]


async def test_a_mail_that_is_refused_for_good_is_given_up_without_its_content(
    rig: Rig, box: Mailbox, smtp: str
) -> None:
    box.answers = ["550 no such mailbox"]
    await rig.register()
    assert await sender(rig, SmtpTransport(smtp)).send_due() == 0
    ((attempts, error, given_up),) = await waiting(rig)
    assert (attempts, given_up) == (1, True)
    assert error.startswith("MAIL_REFUSED")
    assert await rig.database.fetchval("select sealed from mails") is None
    assert await sender(rig, SmtpTransport(smtp)).send_due() == 0


async def test_a_server_that_is_away_is_tried_so_often(rig: Rig) -> None:
    await rig.register()
    sending = sender(rig, SmtpTransport(f"smtp://127.0.0.1:{free_ports(1)[0]}"), (0.0, 0.0))
    while not (await waiting(rig))[0][2]:
        await sending.send_due()
    ((attempts, error, _),) = await waiting(rig)
    assert attempts == 3
    assert error.startswith("MAIL_NOT_SENT")


async def test_one_bad_mail_does_not_hold_the_others(rig: Rig) -> None:
    await rig.register()
    await rig.database.execute("update mails set sealed = 'nonsense'")
    await rig.register("eve@example.org")
    letters = Letters()
    assert await sender(rig, letters, (60.0,)).send_due() == 1
    assert [str(one["To"]) for one in letters.all] == ["eve@example.org"]


async def test_of_several_senders_one_sends_each_mail(rig: Rig) -> None:
    for number in range(12):
        await rig.register(f"ada{number}@example.org")
    letters = Letters()
    await asyncio.gather(*(sender(rig, letters).send_due() for _ in range(4)))
    assert sorted(str(one["To"]) for one in letters.all) == sorted(f"ada{number}@example.org" for number in range(12))


async def test_a_mail_whose_sender_died_is_sent_by_another_after_the_lease(rig: Rig) -> None:
    class Dies:
        async def deliver(self, message: EmailMessage) -> None:
            raise asyncio.CancelledError

    await rig.register()
    with pytest.raises(asyncio.CancelledError):
        await sender(rig, Dies()).send_due()
    letters = Letters()
    assert await sender(rig, letters).send_due() == 0
    await rig.database.execute("update mails set next_at = now()")
    assert await sender(rig, letters).send_due() == 1


async def test_a_server_with_tls_and_a_password(rig: Rig, box: Mailbox, tmp_path: Path, monkeypatch: Any) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *more], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    seen: list[tuple[bytes, bytes]] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == b"p:ss word")

    port = free_ports(1)[0]
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        server_hostname="localhost",
        tls_context=context,
        require_starttls=True,
        authenticator=check,
        auth_required=True,
    )
    controller.start()
    try:
        await rig.register()
        url = f"smtp://post:p%3Ass%20word@localhost:{port}?starttls=1"
        assert await sender(rig, SmtpTransport(url), (60.0,)).send_due() == 0  # nobody vouches for its certificate
        assert seen == []
        await rig.database.execute("update mails set next_at = now()")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert await sender(rig, SmtpTransport(url)).send_due() == 1
    finally:
        controller.stop()
    assert (seen, len(box.taken)) == ([(b"post", b"p:ss word")], 1)


async def test_without_tls_nothing_is_sent_where_tls_is_insisted_on(rig: Rig, box: Mailbox, smtp: str) -> None:
    await rig.register()
    await sender(rig, SmtpTransport(smtp + "?starttls=1"), (60.0,)).send_due()
    assert box.taken == []
    assert (await waiting(rig))[0][1].startswith("MAIL_NOT_SENT")


async def test_mails_in_a_folder_are_readable_by_people_and_by_nobody_else(rig: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "mails"
    await rig.register()
    assert await sender(rig, FolderTransport(folder)).send_due() == 1
    (file,) = folder.iterdir()
    assert file.suffix == ".eml"
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    text = file.read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("http")]
    token = link_token(email.message_from_string(text, policy=email.policy.default))
    assert line.endswith(token)
    await rig.verify(token)


@pytest.mark.parametrize("template", list(Template))
async def test_every_template_has_all_it_names_and_plain_subjects(template: Template) -> None:
    values = {
        "public_url": "https://shipoff.example.org", "at": "2026-01-01 00:00 UTC", "address": "192.0.2.1",
        "link": "https://shipoff.example.org/verify?token=x", "left": "3",
        "subject": "A hook was switched off", "text": "It answered 410.", "team": "tem_1", "provider": "GitHub",
        "days": "7",
    }  # fmt: skip
    message = compose("S <s@example.org>", EMAIL, template, values)
    assert 10 < len(message["Subject"]) < 60
    text = message.get_body(("plain",))
    assert text is not None and "{{" not in text.get_content()


async def test_nothing_makes_a_header_of_its_own(rig: Rig) -> None:
    values = {"public_url": "https://x", "link": "https://x"}
    with pytest.raises(ValueError, match="linefeed"):
        compose("S <s@example.org>", "a@example.org\r\nBcc: all@example.org", "verify", values)
    message = compose("S <s@example.org>", EMAIL, "reset", {**values, "link": "https://x/<script>&"})
    page = message.get_body(("html",))
    assert page is not None and "<script>" not in page.get_content()


@pytest.mark.parametrize("url", ["", "http://x", "smtp://", "localhost:25"])
def test_a_url_that_is_no_mail_servers_is_refused(url: str) -> None:
    with pytest.raises(ShipoffError, match="SETTINGS_INVALID"):
        SmtpTransport(url)


async def test_links_begin_with_the_public_address() -> None:
    mails = Mails(Sealer("A" * 43 + "="), "https://shipoff.example.org/")
    assert mails.link("/reset", "a-b_c") == "https://shipoff.example.org/reset?token=a-b_c"
