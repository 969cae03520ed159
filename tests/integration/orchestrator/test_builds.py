"""Builds in the real sandbox: how they end, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import re
import secrets
import signal

import pytest

from kernel.tasks import spawn
from orchestrator.build.plan import BuildPlan
from orchestrator.drivers.base import BUILD_LIMITS, BuildJob
from tests.integration.orchestrator.workshop import PROJECT, Workshop, processes_with, tightened, until


async def test_a_build_leaves_its_files_and_streams_its_lines(workshop: Workshop) -> None:
    job = workshop.job("echo one; echo two >&2; mkdir out; cat in.txt > out/copy.txt", {"in.txt": "content\n"})
    result = await workshop.build(job)
    assert result.ok
    assert (job.source_dir / "out/copy.txt").read_text() == "content\n"
    assert ("stdout", "one") in workshop.lines
    assert ("stderr", "two") in workshop.lines
    assert set(result.timings_ms) == {"build"}


async def test_the_exit_status_of_a_failed_build_is_told_with_its_last_lines(workshop: Workshop) -> None:
    result = await workshop.build(workshop.job("echo before; echo why >&2; exit 7"))
    assert (result.ok, result.failed_step, result.reason, result.exit_status) == (False, "build", "exit", 7)
    assert set(result.last_lines) == {"before", "why"}


async def test_a_status_above_128_is_no_signal(workshop: Workshop) -> None:
    result = await workshop.build(workshop.job("exit 139"))
    assert (result.reason, result.exit_status) == ("exit", 139)


async def test_the_signal_that_ended_a_build_is_told(workshop: Workshop) -> None:
    result = await workshop.build(workshop.job("kill -SEGV $$"))
    assert (result.reason, result.exit_status) == ("signal", -11)


async def test_a_failed_install_stops_the_build(workshop: Workshop) -> None:
    plan = BuildPlan("custom", "dynamic", install="exit 3", build="echo never")
    result = await workshop.build(BuildJob("bld_x", PROJECT, plan, workshop.tree({})))
    assert (result.failed_step, result.exit_status) == ("install", 3)
    assert workshop.said() == []


async def test_an_unknown_command_is_the_shells_status(workshop: Workshop) -> None:
    result = await workshop.build(workshop.job("no-such-program"))
    assert result.exit_status == 127
    assert "not found" in result.last_lines[-1]


async def test_the_projects_variables_reach_the_build_and_no_command_line(workshop: Workshop) -> None:
    secret = secrets.token_hex(16)
    job = workshop.job('echo "got $TOKEN"; echo ready; sleep 60', env={"TOKEN": secret})
    task = spawn(workshop.build(job), "build")
    await until(lambda: "ready" in workshop.said())
    assert f"got {secret}" in workshop.said()
    assert processes_with(secret) == []
    task.cancel()
    await asyncio.wait([task])


async def test_cancelling_a_build_kills_its_whole_tree(workshop: Workshop) -> None:
    marker = f"9{secrets.randbelow(10**9)}"
    job = workshop.job(f"setsid sleep {marker} & (sleep {marker} &) ; echo ready; sleep {marker}")
    task = spawn(workshop.build(job), "build")
    await until(lambda: "ready" in workshop.said())
    assert processes_with(marker)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await until(lambda: not processes_with(marker))


async def test_what_a_build_left_in_the_background_ends_with_it(workshop: Workshop) -> None:
    marker = f"8{secrets.randbelow(10**9)}"
    result = await workshop.build(workshop.job(f"setsid sleep {marker} > /dev/null 2>&1 & echo done"))
    assert result.ok
    await until(lambda: not processes_with(marker))


async def test_a_build_ends_at_its_deadline(workshop: Workshop) -> None:
    result = await workshop.build(workshop.job("sleep 600", limits=tightened(BUILD_LIMITS, deadline_s=0.5)))
    assert (result.reason, result.exit_status) == ("deadline", -9)


async def test_one_file_may_not_pass_the_disk_limit(workshop: Workshop) -> None:
    limits = tightened(BUILD_LIMITS, disk_bytes=1 << 20)
    result = await workshop.build(workshop.job("exec head -c 4194304 /dev/zero > big", limits=limits))
    assert (result.ok, result.reason, result.exit_status) == (False, "signal", -signal.SIGXFSZ)


async def test_many_files_together_may_not_pass_the_disk_limit(workshop: Workshop) -> None:
    limits = tightened(BUILD_LIMITS, disk_bytes=1 << 20)
    command = "for i in 1 2 3 4; do head -c 500000 /dev/zero > f$i; done"
    result = await workshop.build(workshop.job(command, limits=limits))
    assert (result.ok, result.reason) == (False, "disk")


async def test_processes_are_bounded(workshop: Workshop) -> None:
    script = """
import os, time
count = 0
try:
    while count < 2000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1
except OSError as error:
    print("stopped by", error.strerror, "at", count)
"""
    limits = tightened(BUILD_LIMITS, processes=50)
    result = await workshop.build(workshop.job("python3 bomb.py", {"bomb.py": script}, runtime="python", limits=limits))
    assert result.ok
    (line,) = workshop.said()
    assert line.startswith("stopped by Resource temporarily unavailable")
    assert int(line.rsplit(" ", 1)[1]) <= 50


async def test_memory_is_bounded_where_there_are_control_groups(workshop: Workshop) -> None:
    if not workshop.driver._ground.cgroups.available:  # what the machine can, the driver knows
        pytest.skip("this machine gives us no control groups")
    limits = tightened(BUILD_LIMITS, memory_bytes=64 << 20)
    command = "python3 -c 'x = bytearray(400 << 20); print(len(x))'"
    result = await workshop.build(workshop.job(command, runtime="python", limits=limits))
    assert (result.ok, result.reason) == (False, "memory")


async def test_of_a_flood_of_output_the_beginning_and_the_end_are_kept(workshop: Workshop) -> None:
    limits = tightened(BUILD_LIMITS, log_bytes=10_000)
    result = await workshop.build(workshop.job("seq 1 200000; echo the end >&2", limits=limits))
    assert result.ok
    said = workshop.said()
    assert said[:3] == ["1", "2", "3"]
    assert {"199999", "200000", "the end"} <= set(said[-52:])
    assert len(said) < 500
    notes = [text for stream, text in workshop.lines if stream == "platform" and text.startswith("…")]
    assert notes == ["… 1.2 MiB of output are left out here: the log keeps 9 KiB …"]


async def test_how_each_step_ended_and_how_long_it_took_stands_in_the_log(workshop: Workshop) -> None:
    plan = BuildPlan("custom", "dynamic", install="true", build="exit 4")
    await workshop.build(BuildJob("bld_t", PROJECT, plan, workshop.tree({})))
    notes = [text.rsplit(" after ", 1) for stream, text in workshop.lines if stream == "platform"]
    assert [note[0] for note in notes] == ["$ true", "install done", "$ exit 4", "build failed with status 4"]
    assert all(re.fullmatch(r"\d+\.\d s", took) for _, *rest in notes for took in rest)


async def test_a_real_time_signal_has_its_number(workshop: Workshop) -> None:
    result = await workshop.build(workshop.job("kill -35 $$"))
    assert (result.reason, result.exit_status) == ("signal", -35)
    assert "build was ended by signal 35" in workshop.lines[-1][1]


async def test_a_very_long_line_is_cut(workshop: Workshop) -> None:
    limits = tightened(BUILD_LIMITS, line_bytes=100)
    result = await workshop.build(
        workshop.job("head -c 300000 /dev/zero | tr '\\0' x; echo; echo after", limits=limits)
    )
    assert result.ok
    assert workshop.said() == ["x" * 100 + " … (line cut)", "after"]


async def test_commands_run_in_the_root_dir(workshop: Workshop) -> None:
    plan = BuildPlan("custom", "dynamic", root_dir="apps/web", build="pwd")
    tree = workshop.tree({"apps/web/x": ""})
    assert (await workshop.build(BuildJob("bld_y", PROJECT, plan, tree))).ok
    assert workshop.said() == ["/app/apps/web"]


async def test_a_projects_cache_lasts_from_build_to_build(workshop: Workshop) -> None:
    await workshop.build(workshop.job("echo kept > $XDG_CACHE_HOME/file"))
    await workshop.build(workshop.job("cat $XDG_CACHE_HOME/file"))
    assert workshop.said() == ["kept"]


async def test_python_and_node_install_through_the_egress_proxy(workshop: Workshop) -> None:
    python = workshop.job(
        "uv venv -q .venv && uv pip install -q iniconfig && python -c 'import iniconfig as i; print(i.__name__)'",
        runtime="python",
    )
    assert (await workshop.build(python)).ok, workshop.lines
    node = workshop.job(
        "npm install --no-save is-number && node -e 'console.log(require(\"is-number\")(5))'",
        {"package.json": "{}"},
        runtime="node",
    )
    assert (await workshop.build(node)).ok, workshop.lines
    assert "iniconfig" in workshop.said()
    assert "true" in workshop.said()
