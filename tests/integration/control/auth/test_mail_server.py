"""Mails that other services want sent: to verified members of the team, once for each id."""

from __future__ import annotations

from typing import Any

import pytest

from control.auth.mail.server import MailServer
from kernel.authority import Kind, Principal, acting_as, platform
from kernel.errors import ShipoffError
from proto.auth.v1.mail_pb2 import SendMailRequest
from tests.integration.control.auth.conftest import MakeRig
from tests.integration.control.auth.rig import EMAIL, Rig

NO_CONTEXT: Any = None
BOB = "Bob@example.org"


@pytest.fixture
async def rig(make_rig: MakeRig) -> Rig:
    """Ada and Bob, who is a viewer of Ada's team."""
    made = await make_rig()
    await made.join()
    await made.join(BOB)
    await made.register("carol@example.org")  # not verified
    await made.mails()
    team = await team_of(made)
    for email in ("bob@example.org", "carol@example.org"):
        await made.database.execute(
            "insert into team_members (team_id, account_id, role) select $1, id, 'VIEWER' from accounts"
            " where lower(email) = $2", team, email,
        )  # fmt: skip
    return made


async def team_of(rig: Rig) -> str:
    return str(await rig.database.fetchval(
        "select t.id from teams t join accounts a on a.id = t.personal_of where a.email = $1", EMAIL
    ))  # fmt: skip


async def send(rig: Rig, mail_id: str, to: str = "", team: str = "", **said: str) -> None:
    server = MailServer(rig.database, rig.people.mails)
    values = {"subject": "Something", "text": "It <b>happened</b>.\n\nhttps://x.example/?a=1&b=2", **said}
    request = SendMailRequest(id=mail_id, team_id=team or await team_of(rig), to=to, **values)
    with acting_as(platform("projects")):
        await server.SendMail(request, NO_CONTEXT)


async def test_owners_and_named_members_get_a_mail_once_for_each_id(rig: Rig) -> None:
    for _ in range(2):
        await send(rig, "a")
    await send(rig, "b", BOB.upper())
    sent = [(to.lower(), subject) for to, subject in await rig.mails()]
    assert sorted(sent) == [(EMAIL, "Something"), (BOB.lower(), "Something")]


async def test_strangers_and_unverified_members_get_none(rig: Rig) -> None:
    for to in ("stranger@example.org", "carol@example.org", f"{EMAIL}, stranger@example.org"):
        with pytest.raises(ShipoffError, match="MAIL_RECIPIENT_UNKNOWN"):
            await send(rig, "c", to)
    with pytest.raises(ShipoffError, match="MAIL_RECIPIENT_UNKNOWN"):
        await send(rig, "d", EMAIL, team="tem_another")
    await send(rig, "e", team="tem_another")  # has no owners
    assert await rig.mails() == []


async def test_a_subject_is_one_line_and_text_is_no_markup(rig: Rig) -> None:
    await send(rig, "f", subject="One\r\nBcc: two@example.org\n{{ public_url }}")
    ((to, subject),) = await rig.mails()
    assert (to, subject) == (EMAIL, "One Bcc: two@example.org {{ public_url }}")
    message = rig.last[0]
    assert message["Bcc"] is None
    html = message.get_body(("html",))
    assert html is not None
    assert "&lt;b&gt;" in html.get_content()


async def test_only_the_platform_may_send(rig: Rig) -> None:
    owner = Principal(Kind.SESSION, account_id="acc_1", teams={await team_of(rig): "OWNER"})
    server = MailServer(rig.database, rig.people.mails)
    with acting_as(owner), pytest.raises(ShipoffError, match=r"FORBIDDEN|PERMISSION_DENIED"):
        await server.SendMail(SendMailRequest(id="g", team_id=await team_of(rig)), NO_CONTEXT)
    assert await rig.mails() == []
