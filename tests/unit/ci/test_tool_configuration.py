"""The contracts and bans in pyproject.toml can fail: each is broken on purpose in a copy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = [
    "kernel", "proto", "router", "router/core", "router/edge", "control", "control/auth", "control/projects",
    "control/gateway", "orchestrator", "logsink", "stack",
]  # fmt: skip


def _contracts(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, env={"PYTHONPATH": "."}, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A skeleton of the repository under its real configuration."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "router" / "feed.py").write_text("")
    return tmp_path


def test_the_skeleton_keeps_every_contract(tree: Path) -> None:
    kept = _contracts(tree)
    assert kept.returncode == 0, kept.stdout + kept.stderr


@pytest.mark.parametrize(
    ("module", "text", "breach"),
    [
        ("control/auth/x.py", "import router.core", "control is not allowed to import router"),
        ("logsink/x.py", "import orchestrator", "logsink is not allowed to import orchestrator"),
        ("control/auth/x.py", "import control.projects", "control.auth is not allowed to import control.projects"),
        ("kernel/x.py", "import stack", "kernel is not allowed to import stack"),
        ("kernel/x.py", "import logsink", "kernel is not allowed to import logsink"),
        ("router/x.py", "import stack", "router is not allowed to import stack"),
        ("router/core/x.py", "import asyncio", "router.core is not allowed to import asyncio"),
        ("router/core/x.py", "import socket", "router.core is not allowed to import socket"),
        ("router/core/x.py", "import router.feed", "router.core is not allowed to import router.feed"),
        ("proto/x.py", "import aiohttp", "proto is not allowed to import aiohttp"),
    ],
)
def test_a_forbidden_import_is_found(tree: Path, module: str, text: str, breach: str) -> None:
    (tree / module).write_text(text + "\n")
    broken = _contracts(tree)
    assert broken.returncode == 1
    assert breach in broken.stdout


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("import asyncio\n\nasyncio.create_task(work())\n", "TID251"),
        ("import asyncio\n\nasyncio.ensure_future(work())\n", "TID251"),
        ("import os\n\nHOME = os.getenv('HOME')\n", "TID251"),
        ("try:\n    work()\nexcept Exception:\n    pass\n", "BLE001"),
        ("import subprocess\n\nsubprocess.run('ls', shell=True)\n", "S602"),
        ("import time\n\n\nasync def work() -> None:\n    time.sleep(1)\n", "ASYNC251"),
        ("def work() -> None:\n    pass\n", "D103"),
    ],
)
def test_ruff_refuses_what_we_banned(text: str, rule: str) -> None:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--output-format=concise",
        "--stdin-filename=router/x.py",
        "-",
    ]
    result = subprocess.run(command, input=text, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert rule in result.stdout
