"""What a tree of processes uses, from /proc and from control groups."""

from pathlib import Path

import pytest

from orchestrator.drivers.base import Usage
from orchestrator.drivers.local.usage import PAGE, TICKS, Processes


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    root = tmp_path / "proc"
    for pid, parent, name, ticks, pages in (
        (1, 0, "init", 900, 900), (10, 1, "agent) (x", 10, 5), (11, 10, "app", 200, 50), (12, 11, "helper", 30, 7),
        (20, 1, "stranger", 500, 500),
    ):  # fmt: skip
        (root / str(pid)).mkdir(parents=True)
        fields = ["S", str(parent), *["0"] * 9, str(ticks), str(ticks), "5", "5", *["0"] * 6, str(pages), "0"]
        (root / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    (root / "self").mkdir()
    (root / "99").mkdir()  # it has just ended
    return root


def group(path: Path, **files: str) -> str:
    path.mkdir()
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)
    return str(path)


def test_a_tree_is_a_process_and_all_below_it(proc: Path) -> None:
    ticks = 2 * (10 + 200 + 30) + 3 * 10
    assert Processes(proc).usage(10) == Usage(ticks / TICKS, 62 * PAGE, 3)


def test_a_tree_that_has_ended_uses_nothing(proc: Path) -> None:
    assert Processes(proc).usage(77) == Usage(0.0, 0, 0)


def test_a_group_of_version_2_knows_better(proc: Path, tmp_path: Path) -> None:
    directory = group(
        tmp_path / "v2",
        memory__current="5000\n",
        memory__stat="anon 3000\ninactive_file 1500\n",
        cpu__stat="usage_usec 2500000\nuser_usec 1\n",
    )
    assert Processes(proc).usage(10, [directory]) == Usage(2.5, 3500, 3)


def test_groups_of_version_1_are_asked_for_what_each_knows(proc: Path, tmp_path: Path) -> None:
    memory = group(tmp_path / "m", memory__usage_in_bytes="5000\n", memory__stat="total_inactive_file 1000\n")
    cpu = group(tmp_path / "c", cpuacct__usage="1500000000\n", cpu__stat="nr_periods 0\n")
    assert Processes(proc).usage(10, [memory, str(tmp_path / "pids"), cpu]) == Usage(1.5, 4000, 3)
