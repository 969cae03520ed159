"""`shipoff plan`: a folder, and what a deployment would make of it."""

import json
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from stack.cli.main import build

FLASK = "from flask import Flask\napp = Flask(__name__)\n"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    build()(["plan", *arguments], standalone_mode=False)
    return capsys.readouterr().out


def test_a_folder_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api/app.py").write_text(FLASK)
    (tmp_path / "api/shipoff.toml").write_text(
        "[processes]\nmails = 'python mails.py'\n[scaling]\nmax = 3\n[limits]\nmemory = '256M'\n"
        "[[cron]]\nname = 'clean'\nschedule = '@daily'\ncommand = 'python clean.py'\n[release]\ncommand = 'migrate'\n"
    )
    lines = [line.strip() for line in shown(capsys, str(tmp_path), "--root-dir", "api").splitlines()]
    assert lines[0] == "framework flask"
    assert "in       api" in lines
    assert "mails    python mails.py" in lines
    assert "release  migrate" in lines
    assert "cron     clean at @daily UTC: python clean.py" in lines
    assert "scaling  1 to 3 instances" in lines
    assert "limits   256 MiB" in lines


def test_json_is_the_plan_that_a_release_keeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "index.html").write_text("hi")
    assert json.loads(shown(capsys, str(tmp_path), "--json"))["kind"] == "static"


def test_faults_of_the_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("hi")
    (tmp_path / "shipoff.toml").write_text("[biuld]\n")
    with pytest.raises(ShipoffError, match=r"biuld: there is no such field .is it build"):
        build()(["plan", str(tmp_path)], standalone_mode=False)
