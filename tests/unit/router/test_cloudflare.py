"""Cloudflare's ranges: the file that ships, and what a refresh takes and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from router.cloudflare import SHIPPED, main, parse, refresh, trust_of
from router.core.fields import CLOUDFLARE, NOBODY
from router.settings import RouterSettings

LIST = "172.64.0.0/13\n131.0.72.0/22\n\n2400:cb00::/32\n"


def test_the_shipped_file_is_good_and_says_of_when_it_is() -> None:
    text = SHIPPED.read_text()
    assert re.search(r"^# As of \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert len(parse(text)) == 22
    trust = trust_of(RouterSettings(cloudflare="ranges"))
    assert trust.of("172.64.0.1") == trust.of("2400:cb00::1") == CLOUDFLARE
    assert trust.of("9.9.9.9") == trust_of(RouterSettings()).of("172.64.0.1") == NOBODY


def test_a_refresh_replaces_the_file_and_tells_what_changed(tmp_path: Path) -> None:
    path = tmp_path / "ranges.txt"
    assert refresh([LIST], path) == (3, 0)
    api = {"result": {"ipv4_cidrs": ["172.64.0.0/13"], "ipv6_cidrs": ["2400:cb00::/32", "2606:4700::/32"]}}
    assert refresh([json.dumps(api)], path) == (1, 1)
    assert parse(path.read_text()) == ["172.64.0.0/13", "2400:cb00::/32", "2606:4700::/32"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["ranges.txt"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "<html>",
        "172.64.0.1/13\n2400:cb00::/32",
        "172.64.0.0/13",
        "0.0.0.0/0\n2400:cb00::/32",
        "::/0\n172.64.0.0/13",
        "10.0.0.0/8\n2400:cb00::/32",
        '{"success": false, "result": null}',
        "1.1.1.0/24\n2400:cb00::/32",
    ],
)
def test_a_list_that_cannot_be_right_changes_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ranges.txt"
    path.write_text(SHIPPED.read_text())
    with pytest.raises(ShipoffError, match="CLOUDFLARE_RANGES_INVALID"):
        refresh([text], path)
    assert path.read_text() == SHIPPED.read_text()


def test_the_command_reads_files_and_fails_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, path = tmp_path / "list", tmp_path / "ranges.txt"
    source.write_text(LIST)
    main(["--from", str(source), "--to", str(path)])
    assert "3 ranges are new" in capsys.readouterr().err
    source.write_text("nonsense")
    with pytest.raises(SystemExit):
        main(["--from", str(source), "--to", str(path)])
    assert "stays as it was" in capsys.readouterr().err
    assert len(parse(path.read_text())) == 3
