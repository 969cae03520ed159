"""Builds that mean harm: each is contained, comes to an end, and its end is told to whoever pushed it."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from kernel.tasks import spawn
from orchestrator.build.failure import failure
from orchestrator.build.slug import pack, unpack
from orchestrator.build.static_files import StaticLimits, collect
from orchestrator.drivers.base import BUILD_LIMITS, BuildJob, BuildResult, Limits
from orchestrator.drivers.local.cgroups import Cgroups
from tests.integration.orchestrator.workshop import Workshop, processes_with, tightened, until

SHORT = tightened(BUILD_LIMITS, deadline_s=20.0)


async def ended(workshop: Workshop, command: str, limits: Limits = SHORT, **files: str) -> tuple[BuildJob, BuildResult]:
    """A Python build that runs to its end."""
    named = {name.replace("_py", ".py"): textwrap.dedent(text) for name, text in files.items()}
    job = workshop.job(command, named, runtime="python", limits=limits)
    return job, await workshop.build(job)


def told(job: BuildJob, result: BuildResult) -> str:
    """The code of the error that the pusher gets."""
    return failure(job, result).code


def packed(job: BuildJob, scratch: Path) -> ShipoffError:
    """The refusal of what a build left."""
    with pytest.raises(ShipoffError) as caught:
        pack(job.source_dir, scratch / "x.tar.zst", epoch_s=1, max_bytes=1 << 28)
    return caught.value


# --- taking what the machine has --------------------------------------------------------------------------------------


async def test_a_fork_bomb_ends_at_its_deadline_with_all_its_children(workshop: Workshop) -> None:
    marker = f"7{secrets.randbelow(10**9)}"
    limits = tightened(BUILD_LIMITS, processes=60, deadline_s=2.0)
    bomb = f"bomb() {{ sleep {marker} & bomb | bomb & }}; bomb; wait; sleep {marker}"
    job, result = await ended(workshop, bomb, limits)
    assert (result.ok, told(job, result)) == (
        False,
        "BUILD_TIMED_OUT" if result.reason == "deadline" else "BUILD_FAILED",
    )
    await until(lambda: not processes_with(marker))
    assert (await workshop.build(workshop.job("echo next"))).ok


async def test_a_memory_hog_is_ended_by_its_group(workshop: Workshop) -> None:
    if not workshop.driver._ground.cgroups.available:
        pytest.skip("this machine gives us no control groups")
    limits = tightened(SHORT, memory_bytes=64 << 20)
    job, result = await ended(
        workshop, "exec python3 hog.py", limits, hog_py="x = []\nwhile True: x.append(bytearray(b'x' * (1 << 20)))\n"
    )
    assert told(job, result) == "BUILD_OUT_OF_MEMORY"


async def test_without_control_groups_a_memory_hog_is_ended_by_looking(workshop: Workshop, tmp_path: Path) -> None:
    workshop.driver._ground.cgroups = Cgroups("none", tmp_path / "none")
    limits = tightened(SHORT, memory_bytes=64 << 20)
    hog = "import os, time\nif os.fork() == 0:\n    x = bytearray(os.urandom(1 << 20) * 200)\ntime.sleep(60)\n"
    job, result = await ended(workshop, "exec python3 hog.py", limits, hog_py=hog)
    assert told(job, result) == "BUILD_OUT_OF_MEMORY"


async def test_a_disk_filler_is_stopped_while_it_writes(workshop: Workshop) -> None:
    limits = tightened(SHORT, disk_bytes=32 << 20)
    filler = "n=0; while true; do n=$((n+1)); head -c 8388608 /dev/zero > f$n; done"
    job, result = await ended(workshop, filler, limits)
    assert told(job, result) == "BUILD_OUT_OF_DISK"
    # Stopped soon, not when the disk was full: what it wrote is of the order of its limit.
    assert sum(file.stat().st_size for file in job.source_dir.iterdir()) < 4 << 30


async def test_a_build_that_fills_its_cache_is_stopped(workshop: Workshop) -> None:
    workshop.driver._ground.config = type(workshop.config)(
        workshop.config.work_dir, workshop.config.run_dir, owner_pid=os.getpid(), cache_bytes=1 << 20
    )
    limits = tightened(SHORT, disk_bytes=16 << 20)
    job, result = await ended(
        workshop, "while true; do head -c 8388608 /dev/zero > /cache/$RANDOM$(date +%N); done", limits
    )
    assert told(job, result) == "BUILD_OUT_OF_DISK"


async def test_files_without_number_are_stopped(workshop: Workshop) -> None:
    limits = tightened(SHORT, entries=2000)
    many = """
        import os
        for number in range(200_000):
            open(f"f{number}", "w").close()
        """
    job, result = await ended(workshop, "exec python3 many.py", limits, many_py=many)
    assert told(job, result) == "BUILD_OUT_OF_DISK"


async def test_temporary_files_are_bounded_by_themselves(workshop: Workshop) -> None:
    limits = tightened(SHORT, tmp_bytes=1 << 20)
    job, result = await ended(workshop, "head -c 4194304 /dev/zero > /tmp/big", limits)
    assert told(job, result) == "BUILD_FAILED"
    assert any("No space left" in line for line in workshop.said())


async def test_a_log_without_end_ends_the_build(workshop: Workshop) -> None:
    limits = tightened(BUILD_LIMITS, deadline_s=120.0, output_bytes=256 << 20, log_bytes=100_000)
    job, result = await ended(workshop, "echo first; exec yes 'all work and no play'", limits)
    assert told(job, result) == "BUILD_OUTPUT_TOO_LARGE"
    assert workshop.said()[0] == "first"
    assert len(workshop.said()) < 5000
    assert any("MiB of output are left out here" in text for _, text in workshop.lines)


async def test_a_line_without_end_is_cut_and_costs_no_memory(workshop: Workshop) -> None:
    limits = tightened(BUILD_LIMITS, deadline_s=120.0, output_bytes=128 << 20)
    job, result = await ended(workshop, "exec cat /dev/zero", limits)
    assert told(job, result) == "BUILD_OUTPUT_TOO_LARGE"
    assert [text.endswith("(line cut)") for text in workshop.said()] == [True]


async def test_builds_stand_back_behind_what_runs(workshop: Workshop) -> None:
    job = workshop.job("nice; ionice; echo ready; sleep 60")
    task = spawn(workshop.build(job), "build")
    await until(lambda: "ready" in workshop.said())
    assert workshop.said()[:2] == ["10", "best-effort: prio 7"]
    weights = {
        Path(group, file).read_text().strip()
        for group in workshop.driver._ground.cgroups.directories(f"{job.build_id}-build")
        for file in ("cpu.weight", "cpu.shares")
        if Path(group, file).exists()
    }
    assert weights <= {"12", str(12 * 1024 // 100)}
    assert weights or not workshop.driver._ground.cgroups.available
    task.cancel()
    await asyncio.wait([task])


# --- staying on -------------------------------------------------------------------------------------------------------


async def test_daemons_end_with_the_build_that_left_them(workshop: Workshop) -> None:
    marker = f"6{secrets.randbelow(10**9)}"
    daemon = f"""
        import os, signal, sys, time
        for number in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    for ignored in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                        signal.signal(ignored, signal.SIG_IGN)
                    for descriptor in range(3):
                        os.close(descriptor)
                    os.execvp("sleep", ["sleep", "{marker}"])
                os._exit(0)
        time.sleep(0.2)
        """
    _, result = await ended(workshop, "python3 daemon.py", daemon_py=daemon)
    assert result.ok
    await until(lambda: not processes_with(marker))


async def test_a_build_that_kills_all_it_can_harms_itself_alone(workshop: Workshop) -> None:
    job, result = await ended(workshop, "kill -9 -1; exit 3")
    assert told(job, result) == "BUILD_FAILED"
    assert (await workshop.build(workshop.job("echo next"))).ok


# --- what it leaves ---------------------------------------------------------------------------------------------------


async def test_device_files_cannot_be_made(workshop: Workshop) -> None:
    _, result = await ended(workshop, "mknod disk b 8 0 || exit 9")
    assert (result.reason, result.exit_status) == ("exit", 9)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("mkfifo pipe", "ARTIFACT_REFUSED"),
        ("python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('s')\"", "ARTIFACT_REFUSED"),
        ("truncate -s 1G sparse", "ARTIFACT_TOO_LARGE"),
    ],
)
async def test_what_is_no_file_or_too_large_is_refused(
    workshop: Workshop, tmp_path: Path, command: str, code: str
) -> None:
    job, result = await ended(workshop, command)
    assert result.ok, workshop.lines
    assert packed(job, tmp_path).code == code
    with pytest.raises(ShipoffError) as caught:
        collect(job.source_dir, job.source_dir, StaticLimits(total_bytes=1 << 28))
    assert caught.value.code == code


async def test_a_path_that_is_too_long_is_refused_and_can_be_removed(workshop: Workshop, tmp_path: Path) -> None:
    deep = """
        import os
        for _ in range(60):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        open("end", "w").close()
        """
    job, result = await ended(workshop, "python3 deep.py", deep_py=deep)
    assert result.ok
    assert packed(job, tmp_path).code == "ARTIFACT_REFUSED"
    with pytest.raises(ShipoffError, match="ARTIFACT_REFUSED"):
        collect(job.source_dir, job.source_dir, StaticLimits())


async def test_odd_names_keep_their_bytes(workshop: Workshop, tmp_path: Path) -> None:
    odd = """
        import os
        for name in (b"new\\nline", b"\\xff\\xfe", b"-rf", b" ", "\\u202etxt.exe".encode()):
            open(name, "w").close()
        """
    job, result = await ended(workshop, "python3 odd.py && rm odd.py", odd_py=odd)
    assert result.ok
    names = {os.fsencode(path.name) for path in job.source_dir.iterdir()}
    slug = pack(job.source_dir, tmp_path / "x.tar.zst", epoch_s=1, max_bytes=1 << 20)
    unpack(tmp_path / "x.tar.zst", tmp_path / "out", slug.digest)
    assert {os.fsencode(path.name) for path in (tmp_path / "out").iterdir()} == names
    with pytest.raises(ShipoffError, match="ARTIFACT_REFUSED"):  # no request could ask for such a name
        collect(job.source_dir, job.source_dir, StaticLimits())


@pytest.mark.parametrize(
    "trick",
    [
        "ln -s /etc/passwd dist/passwd",
        "ln -s ../../../../../../../../etc dist/etc",
        "rmdir dist && ln -s /etc dist",
        "rmdir dist && ln -s .. dist",
        "ln -s dist/loop dist/loop",
        "ln -s /proc/self/environ dist/environ",
    ],
)
async def test_no_link_leads_out_of_a_site(workshop: Workshop, trick: str) -> None:
    job, result = await ended(workshop, f"mkdir dist && echo hi > dist/index.html && rm dist/index.html && {trick}")
    assert result.ok, workshop.lines
    with pytest.raises(ShipoffError) as caught:
        collect(job.source_dir / "dist", job.source_dir, StaticLimits())
    assert caught.value.code in ("ARTIFACT_REFUSED", "OUTPUT_MISSING")


async def test_links_in_a_slug_are_kept_as_links_and_never_followed(workshop: Workshop, tmp_path: Path) -> None:
    job, result = await ended(workshop, "ln -s /etc/shadow shadow && ln -s / root && mkdir d && ln -s ../../.. d/up")
    assert result.ok
    pack(job.source_dir, tmp_path / "x.tar.zst", epoch_s=1, max_bytes=1 << 20)
    listed = subprocess.run(
        ["tar", "--zstd", "-tvf", tmp_path / "x.tar.zst"], check=False, capture_output=True, text=True
    ).stdout
    assert "shadow -> /etc/shadow" in listed or not listed  # where tar has no zstd, the next line alone proves it
    assert (tmp_path / "x.tar.zst").stat().st_size < 2000


# --- a disk that is full already --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(scratch: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    mounted = scratch / "disk"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", mounted], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("file systems can't be mounted here")
    yield mounted
    subprocess.run(["umount", "-l", mounted], check=True)


async def test_a_full_disk_fails_the_build_and_says_so(workshop: Workshop, small_disk: Path) -> None:
    job = workshop.job("head -c 33554432 /dev/zero > big", limits=SHORT)
    job = BuildJob(job.build_id, job.project_id, job.plan, small_disk, limits=SHORT)
    result = await workshop.build(job)
    assert not result.ok
    assert told(job, result) in ("BUILD_OUT_OF_DISK", "BUILD_FAILED")


def test_a_slug_that_finds_no_room_is_the_platforms_fault_and_tried_again(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(40 << 20))
    with pytest.raises(ShipoffError) as caught:
        pack(tmp_path, small_disk / "x.tar.zst", epoch_s=1, max_bytes=1 << 30)
    assert (caught.value.code, caught.value.retryable) == ("DISK_FULL", True)
