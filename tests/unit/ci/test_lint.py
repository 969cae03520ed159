"""Each house rule fails where it should, and only there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_lint", ROOT / ".ci" / "lint.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ci_lint"] = module
    spec.loader.exec_module(module)
    return module


lint = _load()


def _rules(tmp_path: Path, path: str, text: str, *others: str) -> list[str]:
    """The rules that one file (and empty others) break."""
    for name, content in [(path, text), *((other, "") for other in others)]:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    return [breach.rule for breach in lint.check(tmp_path, sorted({path, *others}))]


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio\nasyncio.create_task(work())\n",
        "loop.create_task(work())\n",
        "self.loop.create_task(work())\n",
        "asyncio.get_running_loop().create_task(work())\n",
        "asyncio.ensure_future(work())\n",
        "from asyncio import create_task\n",
        "from asyncio import ensure_future as later\n",
    ],
)
def test_a_raw_task_is_refused(tmp_path: Path, text: str) -> None:
    assert _rules(tmp_path, "router/feed.py", text, "router/README.md") == ["task"]


def test_a_task_of_a_task_group_is_allowed_and_its_neighbours_are_not(tmp_path: Path) -> None:
    text = "async def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(work())\n"
    assert _rules(tmp_path, "router/feed.py", text, "router/README.md") == []
    assert _rules(tmp_path, "router/feed.py", text + "loop.create_task(w())\n", "router/README.md") == ["task"]


def test_only_kernel_tasks_may_make_a_task(tmp_path: Path) -> None:
    assert _rules(tmp_path, "kernel/tasks.py", "loop.create_task(work())\n", "kernel/README.md") == []


@pytest.mark.parametrize(
    "text", ["import os\nos.environ['A']\n", "import os\nos.getenv('A')\n", "from os import environ\n", "os.environb\n"]
)
def test_the_environment_is_read_in_one_place(tmp_path: Path, text: str) -> None:
    assert _rules(tmp_path, "router/x.py", text, "router/README.md") == ["environ"]
    assert _rules(tmp_path, "kernel/settings.py", text, "kernel/README.md") == []


def test_a_file_may_give_its_reason_to_read_the_environment(tmp_path: Path) -> None:
    text = "# environ: runs alone inside the sandbox\nimport os\nos.environ['A']\n"
    assert _rules(tmp_path, "orchestrator/x.py", text, "orchestrator/README.md") == []
    assert _rules(
        tmp_path, "orchestrator/x.py", text.replace("runs alone inside the sandbox", ""), "orchestrator/README.md"
    ) == ["environ"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("requirements.txt", "--index-url https://mirror.example/simple"),
        ("requirements.txt", "-i https://mirror.example/simple"),
        ("requirements.txt", "x @ https://files.pythonhosted.org/x.whl"),
        ("requirements.txt", "x @ file:///opt/x.whl"),
        ("examples/a/package-lock.json", '      "resolved": "https://r.example/a.tgz",'),
        ("examples/a/.npmrc", "registry=https://r.example/"),
        ("examples/a/.npmrc", "@scope:registry = https://r.example/"),
        ("pyproject.toml", 'url = "https://pypi.org/simple"'),
        ("Makefile", "\t/home/someone/.venv/bin/python x"),
        ("helm/values.yaml", "path: /work/main"),
    ],
)
def test_hosts_and_machine_paths_stay_out_of_config(tmp_path: Path, path: str, line: str) -> None:
    assert _rules(tmp_path, path, line + "\n", "examples/a/README.md") == ["host"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("examples/a/package-lock.json", '      "funding": {"url": "https://opencollective.com/x"},'),
        ("examples/a/.npmrc", "omit-lockfile-registry-resolved=true"),
        ("Makefile", "\t$(HOME)/work/x ./home/y"),
        ("docs/x.md", "see https://pypi.org/project/x"),
    ],
)
def test_what_only_looks_like_a_host_is_allowed(tmp_path: Path, path: str, line: str) -> None:
    assert _rules(tmp_path, path, line + "\n", "examples/a/README.md") == []


def test_a_folder_of_code_needs_a_readme(tmp_path: Path) -> None:
    assert _rules(tmp_path, "router/core/head.py", "") == ["readme"]
    assert _rules(tmp_path, "examples/a/index.html", "") == ["readme"]
    assert _rules(tmp_path, "tests/unit/router/test_x.py", "", "tests/README.md") == ["readme"]
    assert _rules(tmp_path, "proto/auth/v1/auth_pb2.py", "") == []


def test_a_long_module_says_why(tmp_path: Path) -> None:
    body = "x = 1\n" * 401
    assert _rules(tmp_path, "router/x.py", body, "router/README.md") == ["length"]
    assert (
        _rules(tmp_path, "router/x.py", '"""X.\n\nLong because the table is one.\n"""\n' + body, "router/README.md")
        == []
    )
    assert _rules(tmp_path, "router/x.py", "x = 1\n" * 400, "router/README.md") == []


def test_the_command_names_each_breach_and_fails(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.py").write_text("loop.create_task(w())\n")
    command = [sys.executable, str(ROOT / ".ci" / "lint.py"), str(tmp_path)]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "a/x.py:1: task: create_task: use kernel.tasks.spawn" in failed.stdout
    assert "a/README.md:1: readme:" in failed.stdout
    (tmp_path / "a" / "x.py").write_text("")
    (tmp_path / "a" / "README.md").write_text("a\n")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
