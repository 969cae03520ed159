"""What a build promises: its files and lines, its end, its limits, and that nothing of it is left."""

import asyncio

import pytest

from kernel import tasks
from orchestrator.drivers.base import BUILD_LIMITS
from tests.contract.driver.bench import Bench, tightened, until


async def test_it_leaves_its_files_and_streams_its_lines(bench: Bench) -> None:
    result, tree = await bench.build(
        "echo one; echo two >&2; cat in.txt > out.txt; echo $COLOR >> out.txt", {"in.txt": "in\n"}, env={"COLOR": "red"}
    )
    assert result.ok
    assert (tree / "out.txt").read_text() == "in\nred\n"
    assert {("stdout", "one"), ("stderr", "two")} <= set(bench.lines)
    assert set(result.timings_ms) == {"build"}


@pytest.mark.parametrize(("command", "reason", "status"), [("exit 7", "exit", 7), ("kill -SEGV $$", "signal", -11)])
async def test_how_it_failed_is_told_with_its_last_lines(bench: Bench, command: str, reason: str, status: int) -> None:
    result, _ = await bench.build(f"echo why; {command}")
    assert (result.ok, result.failed_step, result.reason, result.exit_status) == (False, "build", reason, status)
    assert list(result.last_lines) == ["why"]


async def test_at_its_deadline_it_is_killed(bench: Bench) -> None:
    result, _ = await bench.build("sleep 600", limits=tightened(BUILD_LIMITS, deadline_s=0.5))
    assert (result.ok, result.reason) == (False, "deadline")


async def test_cancelling_it_kills_all_of_it(bench: Bench) -> None:
    tree = bench.tree({})
    building = tasks.spawn(bench.build("echo begun; (while :; do date +%s%N > beat; sleep 0.05; done) & wait"), "build")

    async def begun() -> bool:
        return ("stdout", "begun") in bench.lines

    await until(begun)
    (beat,) = [path for path in tree.parent.glob("tree-*") if path != tree]
    building.cancel()
    await asyncio.wait([building])

    async def still() -> bool:
        before = (beat / "beat").read_bytes()
        await asyncio.sleep(0.3)
        return (beat / "beat").read_bytes() == before

    await until(still)


async def test_what_it_writes_is_bounded(bench: Bench) -> None:
    command = "for i in 1 2 3 4; do head -c 500000 /dev/zero > f$i; done"
    result, _ = await bench.build(command, limits=tightened(BUILD_LIMITS, disk_bytes=1 << 20))
    assert (result.ok, result.reason) == (False, "disk")


async def test_what_it_says_is_bounded_and_the_cut_is_told(bench: Bench) -> None:
    result, _ = await bench.build("seq 1 100000; echo the end", limits=tightened(BUILD_LIMITS, log_bytes=10_000))
    assert result.ok
    said = [text for stream, text in bench.lines if stream != "platform"]
    assert (said[0], said[-1], len(said) < 1000) == ("1", "the end", True)
    assert any("left out" in text for stream, text in bench.lines if stream == "platform")
