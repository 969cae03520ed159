"""Instances in the local driver's sandbox: what the contract (tests/contract/driver) leaves to each driver."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from kernel.tasks import spawn
from orchestrator.drivers.base import INSTANCE_LIMITS, ExitInfo
from orchestrator.drivers.local.directories import ABANDONED_S
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.layout import LocalConfig
from tests.integration.orchestrator.workshop import SERVER, Workshop, dial, dismantle, get, tightened, until

RUN = "exec python3 server.py"


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


async def next_exit(workshop: Workshop) -> ExitInfo:
    async with asyncio.timeout(20):
        return await anext(workshop.driver.watch())


async def test_an_instance_is_served_through_its_dialer(workshop: Workshop) -> None:
    info = await workshop.start(RUN)
    assert b"hello from the sandbox" in await get(info.address)
    assert "served /" in await workshop.output(info.instance_id, "served")


async def test_an_app_that_listens_on_ipv6_only_is_dialled_too(workshop: Workshop) -> None:
    server = SERVER.replace('("127.0.0.1", ', '("::1", ').replace(
        "http.server.ThreadingHTTPServer(", "type('S', (http.server.ThreadingHTTPServer,), {'address_family': 10})("
    )
    info = await workshop.start(RUN, {"server.py": server})
    assert b"hello" in await get(info.address)


async def test_a_dial_reaches_the_instance_that_it_names_and_no_other(workshop: Workshop) -> None:
    info = await workshop.start(RUN)
    await get(info.address)
    for named in (info.instance_id, ""):  # a router of before names none
        (await asyncio.to_thread(dial, info.address, named)).close()
    for named in ("ins_other", info.instance_id + "x", info.instance_id[:-1]):
        with pytest.raises(ConnectionRefusedError, match="another instance"):
            await asyncio.to_thread(dial, info.address, named)


async def test_an_ended_instance_is_forgotten_when_removed(workshop: Workshop) -> None:
    info = await workshop.start("echo x > /app/written; exit 0")
    await workshop.driver.stop(info.instance_id, 0)
    await workshop.driver.remove(info.instance_id)
    assert await workshop.driver.list() == []
    assert list(workshop.config.instances.iterdir()) == []
    with pytest.raises(ShipoffError, match="INSTANCE_UNKNOWN"):
        await workshop.driver.logs(info.instance_id)


async def test_who_dies_while_deleting_leaves_nothing_that_looks_like_an_instance(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = await workshop.start("echo x > /app/written; exit 0")
    await workshop.driver.stop(info.instance_id, 0)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)  # dead before the first file
        await workshop.driver.remove(info.instance_id)
    assert list(workshop.config.instances.iterdir()) == []
    assert list(workshop.config.discarded.iterdir()) != []
    await workshop.driver.prune(set())
    assert list(workshop.config.discarded.iterdir()) == []


async def test_a_start_that_somebody_died_over_is_cleared_away(workshop: Workshop) -> None:
    info = await workshop.start(RUN)
    left = workshop.config.instances / "ins_left"
    (left / "upper").mkdir(parents=True)
    await workshop.driver.prune(set())
    assert left.exists()  # somebody may be at it yet
    long_ago = time.time() - 2 * ABANDONED_S
    os.utime(left, (long_ago, long_ago))
    await workshop.driver.prune(set())
    assert [path.name for path in workshop.config.instances.iterdir()] == [info.instance_id]


async def test_what_one_instance_writes_no_other_sees(workshop: Workshop) -> None:
    spec = workshop.spec("ls /app; echo mine > /app/new; echo changed > /app/server.py; sleep 60")
    first = await workshop.driver.start(spec)
    assert await workshop.output(first.instance_id, "server.py") == ["server.py"]
    second = await workshop.start("ls /app; cat /app/server.py; echo end; sleep 60")
    assert "new" not in await workshop.output(second.instance_id, "end")
    assert "changed" not in await workshop.output(second.instance_id, "end")


async def test_slugs_are_shared_and_not_copied_where_overlays_can_be_made(workshop: Workshop) -> None:
    if not workshop.driver._instances._overlay:
        pytest.skip("this file system is no ground for overlays")
    info = await workshop.start("grep ' /app ' /proc/self/mounts; sleep 60")
    (line,) = await workshop.output(info.instance_id, "/app")
    assert line.split()[2] == "overlay"


async def test_where_overlays_cannot_be_made_each_instance_gets_a_copy(workshop: Workshop) -> None:
    workshop.driver._instances._overlay = False
    spec = workshop.spec("echo mine > /app/new; ls /app; sleep 60")
    first = await workshop.driver.start(spec)
    assert await workshop.output(first.instance_id, "server.py") == ["new", "server.py"]
    second = await workshop.start("ls /app; echo end; sleep 60")
    assert await workshop.output(second.instance_id, "end") == ["server.py", "end"]


async def test_a_flood_of_output_is_bounded_on_disk(workshop: Workshop) -> None:
    limits = tightened(INSTANCE_LIMITS, log_bytes=200_000)
    exits = spawn(next_exit(workshop), "exit")
    await asyncio.sleep(0)
    info = await workshop.start("yes 0123456789 | head -n 300000; exit 0", limits=limits)
    await exits
    kept = sum(path.stat().st_size for path in (workshop.config.instances / info.instance_id).glob("log.*"))
    assert 0 < kept <= 300_000
    assert (await workshop.driver.logs(info.instance_id)).lines


async def test_a_command_that_does_not_exist_is_an_exit_with_a_reason(workshop: Workshop) -> None:
    exits = spawn(next_exit(workshop), "exit")
    await asyncio.sleep(0)
    await workshop.start("exec no-such-server")
    ended = await exits
    assert ended.exit_status == 127
    assert "not found" in ended.last_lines[-1]


STARTER = """
import asyncio, dataclasses, json, os, sys
from pathlib import Path
from orchestrator.drivers.base import InstanceSpec
from orchestrator.drivers.local.directories import ABANDONED_S
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.layout import LocalConfig

async def main():
    work, run, owner, digest, packed = sys.argv[1:]
    driver = LocalDriver(LocalConfig(Path(work), Path(run), owner_pid=int(owner)))
    await driver.open()
    async def fetch():
        return Path(packed)
    spec = InstanceSpec("ins_0192f0c1a8b27c3d9e4f5a6b7c8d9e0f", "prj_1", "rel_1", digest, fetch,
                        "exec python3 server.py", "python")
    info = await driver.start(spec)
    print(json.dumps(dataclasses.asdict(info)), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def orchestrator(workshop: Workshop, config: LocalConfig, owner: int) -> tuple[subprocess.Popen[str], str, int]:
    """Another process with a driver, which starts one instance."""
    spec = workshop.spec(RUN)
    arguments = [str(config.work_dir), str(config.run_dir), str(owner), spec.slug_digest, str(await spec.slug())]
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-c", STARTER, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    told = __import__("json").loads(await asyncio.to_thread(process.stdout.readline))
    return process, told["address"], told["pid"]


async def test_an_instance_outlives_its_orchestrator_and_is_adopted_by_the_next(workshop: Workshop) -> None:
    config = LocalConfig(workshop.scratch / "w2", workshop.scratch / "r2", owner_pid=os.getpid())
    process, address, keeper = await orchestrator(workshop, config, os.getpid())
    process.kill()
    process.wait()
    assert b"hello" in await get(address)
    adopting = LocalDriver(config)
    await adopting.open()
    try:
        (info,) = await adopting.list()
        assert (info.address, info.pid, info.exit) == (address, keeper, None)
        assert b"hello" in await get(info.address)
        assert (await adopting.stop(info.instance_id, 5)).reason == "stopped"
        await until(lambda: not alive(keeper))
    finally:
        await dismantle(adopting, config)


async def test_an_exit_that_nobody_saw_is_found_in_the_list(workshop: Workshop) -> None:
    config = LocalConfig(workshop.scratch / "w2", workshop.scratch / "r2", owner_pid=os.getpid())
    process, _, keeper = await orchestrator(workshop, config, os.getpid())
    process.kill()
    process.wait()
    os.kill(keeper, signal.SIGTERM)
    await until(lambda: not alive(keeper))
    adopting = LocalDriver(config)
    await adopting.open()
    try:
        (info,) = await adopting.list()
        assert info.exit is not None
        assert info.exit.reason == "stopped"
    finally:
        await dismantle(adopting, config)


async def test_everything_dies_with_the_owner(workshop: Workshop) -> None:
    owner = await asyncio.to_thread(subprocess.Popen, ["sleep", "600"])
    config = LocalConfig(workshop.scratch / "w3", workshop.scratch / "r3", owner_pid=owner.pid)
    process, address, keeper = await orchestrator(workshop, config, owner.pid)
    process.kill()
    process.wait()
    assert b"hello" in await get(address)
    owner.kill()
    owner.wait()
    await until(lambda: not alive(keeper))
    with pytest.raises(OSError, match=r"."):
        await asyncio.to_thread(dial, address)
    await until(lambda: not _serves(config.egress / "control"))


def _serves(path: Path) -> bool:
    import socket

    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


async def test_an_instance_dies_with_its_keeper_and_counts_as_lost(workshop: Workshop) -> None:
    exits = spawn(next_exit(workshop), "exit")
    await asyncio.sleep(0)
    info = await workshop.start(RUN)
    await get(info.address)
    os.kill(info.pid, signal.SIGKILL)
    ended = await exits
    assert (ended.instance_id, ended.reason, ended.exit_status) == (info.instance_id, "lost", -9)
    with pytest.raises(OSError, match=r"."):
        await asyncio.to_thread(dial, info.address)


async def test_slugs_are_pruned_unless_something_runs_on_them(workshop: Workshop) -> None:
    used = workshop.spec("sleep 60", {"a": "1"})
    unused = workshop.spec("exit 0", {"b": "2"})
    await workshop.driver.start(used)
    done = await workshop.driver.start(unused)
    await workshop.driver.stop(done.instance_id, 0)
    await workshop.driver.prune(set())
    assert [path.name.split(".")[0] for path in workshop.config.slugs.iterdir()] == [used.slug_digest]
