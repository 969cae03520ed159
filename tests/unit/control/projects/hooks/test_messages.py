from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from control.projects.hooks.messages import Message, mail_text, slack_body, webhook_body
from control.projects.hooks.rules import EVENTS

AT = datetime(2026, 11, 28, 12, 0, 0, 123000, tzinfo=UTC)
DEPLOYMENT = {
    "id": "dep_1", "state": "FAILED", "stage": "build", "reason": "BUILD_FAILED", "hint": "see <the> log & fix it",
    "commit": "a" * 40, "message": "Break <everything> | now", "url": "https://x.example/?a|b>",
}  # fmt: skip


def message(of_type: str, **data: Any) -> Message:
    whole = {"team": {"id": "tem_1"}, "project": {"id": "prj_1", "name": "blog"}, "environment": "production", **data}
    return Message("dlv_1", of_type, AT, whole)


def test_a_webhook_s_body_has_type_time_and_data() -> None:
    said = orjson.loads(webhook_body(message("deployment.live", deployment=DEPLOYMENT)))
    assert said["type"] == "deployment.live"
    assert said["timestamp"] == "2026-11-28T12:00:00.123Z"
    assert said["data"]["deployment"]["id"] == "dep_1"


def test_slack_gets_blocks_and_a_text_in_which_nothing_of_the_user_s_is_markup() -> None:
    said = orjson.loads(slack_body(message("deployment.failed", deployment=DEPLOYMENT)))
    assert said["text"] == "❌ blog (production) failed"
    assert said["blocks"][0] == {"type": "section", "text": {"type": "mrkdwn", "text": "❌ *blog (production) failed*"}}
    assert [line["text"] for line in said["blocks"][1]["elements"]] == [
        "BUILD_FAILED in the stage build",
        "see &lt;the&gt; log &amp; fix it",
        "aaaaaaaaaaaa Break &lt;everything&gt; | now",
    ]


def test_a_link_of_slack_s_cannot_be_broken_out_of() -> None:
    said = orjson.loads(slack_body(message("deployment.live", deployment=DEPLOYMENT)))
    assert said["blocks"][0]["text"]["text"].endswith("\n<https://x.example/?a%7Cb%3E>")


def test_a_mail_s_subject_is_one_line() -> None:
    broken = {**DEPLOYMENT, "message": "one\r\nBcc: two", "hint": "x\ny"}
    subject, text = mail_text(message("deployment.failed", deployment=broken))
    assert subject == "blog (production) failed"
    assert "\r" not in text
    assert "aaaaaaaaaaaa one Bcc: two" in text


def test_every_event_can_be_said_in_every_way() -> None:
    whole = {
        "deployment": DEPLOYMENT,
        "domain": {"name": "example.org", "hint": "set a CNAME"},
        "limit": {"detail": "80 % of 100 build minutes are used", "hint": "wait or change the plan"},
    }
    for event in (*EVENTS, "ping"):
        one = message(event, **whole)
        subject, _ = mail_text(one)
        assert subject
        assert "\n" not in subject
        assert orjson.loads(slack_body(one))["text"].endswith(subject)


def test_a_ping_of_a_team_s_hook_has_no_project() -> None:
    subject, _ = mail_text(Message("dlv_1", "ping", AT, {"team": {"id": "tem_1"}, "hook": {"id": "hok_1"}}))
    assert subject == "tem_1: a test of this hook"
