"""The file of settings: what it may say, and what a running router makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from router.settings import LIVE, RouterSettings
from router.settings_file import compare, read


def test_lines_and_json_say_the_same(tmp_path: Path) -> None:
    lines, values = tmp_path / "lines", tmp_path / "values"
    lines.write_text("# a comment\n\nHEAD_S = 3\nSHIPOFF_ROUTER_TRUSTED='10.0.0.0/8, fd00::/8'\nserver_timing=False\n")
    values.write_text('{"head_s": 3, "Trusted": "10.0.0.0/8, fd00::/8", "SHIPOFF_ROUTER_SERVER_TIMING": false}')
    for path in (lines, values):
        settings = RouterSettings.load("router", read(path))
        assert (settings.head_s, settings.trusted, settings.server_timing) == (3, "10.0.0.0/8, fd00::/8", False)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("head_s", "line 1"),
        ("\nhead=3", "line 2: head is not a setting"),
        ("settings=x", "line 1: settings is not a setting"),
        ("head_s=1\nHEAD_S=2", "line 2: HEAD_S is set twice"),
        ("[1]", "line 1"),
        ('{"head_s": null}', "head_s is neither"),
        ("{", "JSON|unexpected|EOF"),
        ("\udcff", "codec"),
    ],
)
def test_a_wrong_file_is_not_taken_and_the_place_is_named(tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "settings"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ShipoffError, match=f"(?s)SETTINGS_FILE_INVALID.*(?:{where})"):
        read(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ShipoffError, match="SETTINGS_FILE_INVALID"):
        read(tmp_path / "nothing")


def test_only_what_can_change_live_changes() -> None:
    old, new = RouterSettings(), RouterSettings(head_s=1, trusted="10.0.0.0/8", workers=9, cache_bytes=1)
    now, live, waiting = compare(old, new)
    assert (now.head_s, now.trusted, now.workers) == (1, "10.0.0.0/8", old.workers)
    assert (live, waiting) == (["trusted", "head_s"], ["cache_bytes", "workers"])
    assert compare(old, old) == (old, [], [])


def test_every_live_setting_is_one() -> None:
    assert set(RouterSettings.model_fields) >= LIVE
