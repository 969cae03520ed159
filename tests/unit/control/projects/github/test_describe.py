"""What GitHub is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from control.projects.github import describe
from control.projects.github.describe import MARK, Preview
from kernel.deployments import State

AT = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("state", State)
def test_every_state_has_words_for_github(state: State) -> None:
    told = describe.deployment_status(state, "", "https://shop.example.com")
    assert told["state"] in {"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}
    assert told["environment_url"] == "https://shop.example.com"
    status = describe.commit_status("shop", "production", state, "", "")
    if state is State.INACTIVE:
        assert status is None
    else:
        assert status is not None
        assert status["state"] in {"error", "failure", "pending", "success"}
        assert "target_url" not in status


def test_descriptions_keep_githubs_limits() -> None:
    status = describe.commit_status("shop", f"preview/{'x' * 200}", "FAILED", "R" * 300, "")
    assert status is not None
    assert status["context"] == "shipoff/shop (preview)"
    assert len(status["description"]) == 140
    made = describe.deployment("shop", f"preview/{'x' * 300}", "a" * 40)
    assert (len(made["environment"]), len(made["description"])) == (255, 140)


def test_the_comment_is_a_table_that_nothing_breaks_out_of() -> None:
    ready = Preview("shop", "LIVE", "", "http://shop--pr-7.example.com", "b" * 40, AT, over=False)
    failed = Preview("admin", "FAILED", "BUILD|FAILED", "", "b" * 40, AT, over=False)
    over = Preview("old", "INACTIVE", "", "http://gone.example.com", "b" * 40, AT, over=True)
    lines = describe.comment([ready, over, failed]).splitlines()
    assert lines[0] == MARK
    assert lines[5:] == [
        "| admin | Failed: BUILD/FAILED |  | `bbbbbbb` | 2026-11-28 12:30 |",
        "| old | Ended |  | `bbbbbbb` | 2026-11-28 12:30 |",
        "| shop | Ready | <http://shop--pr-7.example.com> | `bbbbbbb` | 2026-11-28 12:30 |",
    ]
