"""What an instance promises: it is dialled, said what it says, watched to its end, and found again by every driver."""

import asyncio
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kernel import tasks
from kernel.errors import ShipoffError
from orchestrator.drivers.base import INSTANCE_LIMITS, ExitInfo, LogLine
from tests.contract.driver.bench import SERVE, Bench, tightened

ENDLESS = "echo ready; while :; do sleep 0.1; done"


async def next_exit(bench: Bench) -> ExitInfo:
    async with asyncio.timeout(20):
        return await anext(bench.driver.watch())


async def test_its_address_reaches_the_app(bench: Bench) -> None:
    info = await bench.start(SERVE)
    assert (await bench.get(info.address)).endswith(b"hello")
    assert await bench.driver.list() == [info]
    assert (info.exit, info.started_at_ms > 0) == (None, True)


async def test_one_that_is_over_before_its_start_was_noticed_is_told_all_the_same(bench: Bench) -> None:
    ends = bench.driver.watch()
    starting = tasks.spawn(bench.start("exit 3"), "test.start")
    while not starting.done():
        time.sleep(0.3)  # we are paused now and then, so that all that can happen has happened
        await asyncio.sleep(0)
    info = await starting
    async with asyncio.timeout(20):
        end = await anext(ends)
    assert (end.instance_id, end.reason, end.exit_status) == (info.instance_id, "exit", 3)
    assert [one.exit for one in await bench.driver.list()] == [end]


async def test_one_that_does_not_listen_refuses_dials(bench: Bench) -> None:
    info = await bench.start("sleep 60")
    with pytest.raises(ConnectionError):
        await asyncio.to_thread(bench.rig.connect, info.address)


async def test_it_has_its_variables_its_port_and_its_root_dir(bench: Bench) -> None:
    spec = bench.spec("pwd; echo $COLOR $PORT; sleep 60", {"apps/web/x": ""}, env={"COLOR": "red"}, port=4000)
    info = await bench.driver.start(replace(spec, root_dir="apps/web"))
    assert (await bench.output(info.instance_id, "4000"))[1:] == ["red 4000"]
    assert (await bench.output(info.instance_id, "web"))[0].endswith("/apps/web")


async def test_without_a_port_it_has_no_address(bench: Bench) -> None:
    info = await bench.start("echo at work ${PORT:-without}; sleep 60", port=0)
    assert info.address == ""
    assert await bench.output(info.instance_id, "work") == ["at work without"]
    assert await bench.driver.connections(info.instance_id) == 0


@pytest.mark.parametrize(
    ("run", "reason", "status"),
    [("exit 4", "exit", 4), ("exit 0", "exit", 0), ("kill -ABRT $$", "signal", -signal.SIGABRT)],
)
async def test_its_own_end_is_told_once_with_its_last_lines(bench: Bench, run: str, reason: str, status: int) -> None:
    exits = tasks.spawn(next_exit(bench), "exit")
    await asyncio.sleep(0)
    info = await bench.start(f"echo going; echo down >&2; {run}")
    end = await exits
    assert (end.instance_id, end.reason, end.exit_status) == (info.instance_id, reason, status)
    assert set(end.last_lines) == {"going", "down"}
    assert [known.exit for known in await bench.driver.list()] == [end]


async def test_too_much_memory_ends_it(bench: Bench) -> None:
    if not bench.rig.bounds_memory():
        pytest.skip("this ground does not bound memory")
    limits = tightened(INSTANCE_LIMITS, memory_bytes=64 << 20)
    info = await bench.start("exec python3 -c 'x = bytearray(400 << 20)'", limits=limits)
    assert (await bench.ended(info.instance_id)).reason == "memory"


async def test_stop_lets_it_finish_within_its_grace(bench: Bench) -> None:
    info = await bench.start("trap 'echo finishing; exit 0' TERM; " + ENDLESS)
    await bench.output(info.instance_id, "ready")
    end = await bench.driver.stop(info.instance_id, 10)
    assert (end.reason, end.exit_status, end.last_lines[-1]) == ("stopped", 0, "finishing")
    assert await bench.driver.stop(info.instance_id, 10) == end


async def test_stop_kills_what_ignores_sigterm(bench: Bench) -> None:
    info = await bench.start("trap '' TERM; " + ENDLESS)
    await bench.output(info.instance_id, "ready")
    end = await bench.driver.stop(info.instance_id, 0.2)
    assert (end.reason, end.exit_status) == ("stopped", -9)


async def test_its_log_is_read_in_pages(bench: Bench) -> None:
    info = await bench.start("seq 2500; echo end >&2; sleep 60")
    async with asyncio.timeout(20):
        lines: list[LogLine] = []
        offset = 0
        while not lines or lines[-1].text != "end":
            page = await bench.driver.logs(info.instance_id, offset)
            assert len(page.lines) <= 1000
            lines, offset = lines + list(page.lines), page.next
    said = [line.text for line in lines if line.stream == "stdout"]
    assert said == [str(number) for number in range(1, 2501)]
    assert [line.text for line in lines if line.stream == "stderr"] == ["end"]
    assert all(line.at_ms >= info.started_at_ms for line in lines)
    assert (await bench.driver.logs(info.instance_id, offset)).lines == []


async def test_its_connections_are_counted(bench: Bench) -> None:
    info = await bench.start(SERVE)
    await bench.get(info.address)
    connections = [bench.rig.connect(info.address) for _ in range(2)]
    assert await bench.driver.connections(info.instance_id) == 2
    for connection in connections:
        connection.close()
    async with asyncio.timeout(10):
        while await bench.driver.connections(info.instance_id):
            await asyncio.sleep(0.02)


async def test_what_it_uses_is_told(bench: Bench) -> None:
    busy = "python3 -c 'x = bytearray(50 << 20)\nwhile True: pass' & python3 -c 'import time; time.sleep(60)' & wait"
    info = await bench.start(busy)
    async with asyncio.timeout(20):
        while True:
            usage = (await bench.driver.usage()).get(info.instance_id)
            if usage is not None and usage.cpu_s > 0.2 and usage.memory_bytes > 50 << 20:
                break
            await asyncio.sleep(0.05)
    assert usage.processes >= 3
    await bench.driver.stop(info.instance_id, 0)
    assert info.instance_id not in await bench.driver.usage()


async def test_a_removed_one_is_forgotten(bench: Bench) -> None:
    info = await bench.start("exit 0")
    await bench.ended(info.instance_id)
    await bench.driver.remove(info.instance_id)
    assert await bench.driver.list() == []
    for ask in (bench.driver.logs(info.instance_id), bench.driver.stop(info.instance_id, 0)):
        with pytest.raises(ShipoffError, match="INSTANCE_UNKNOWN"):
            await ask
    await bench.driver.remove(info.instance_id)


async def test_a_driver_that_closes_leaves_it_running_for_the_next(bench: Bench) -> None:
    info = await bench.start(SERVE)
    await bench.get(info.address)
    await bench.driver.close()
    bench.driver = await bench.rig.driver()
    (found,) = await bench.driver.list()
    assert found == info
    exits = tasks.spawn(next_exit(bench), "exit")
    await asyncio.sleep(0)
    assert (await bench.driver.stop(info.instance_id, 5)).reason == "stopped"
    assert (await exits).instance_id == info.instance_id


async def test_a_driver_beside_sees_what_the_first_starts_and_how_it_ends(bench: Bench) -> None:
    other = await bench.rig.driver()
    info = await bench.start(SERVE)
    assert await other.list() == [info]
    await bench.driver.stop(info.instance_id, 5)
    assert (await bench.ended(info.instance_id, other)).reason == "stopped"


async def test_an_end_that_nobody_saw_is_in_the_list(bench: Bench) -> None:
    info = await bench.start("echo last words; sleep 0.3; exit 6")
    await bench.driver.close()
    await asyncio.sleep(0.6)
    bench.driver = await bench.rig.driver()
    end = await bench.ended(info.instance_id)
    assert (end.reason, end.exit_status, list(end.last_lines)) == ("exit", 6, ["last words"])


async def test_a_seeded_tree_starts_without_its_slug(bench: Bench) -> None:
    spec = bench.spec("cat told; sleep 60", {"told": "from the seed\n"})

    async def never() -> Path:
        raise AssertionError("the slug was fetched")

    await bench.driver.seed(spec.project_id, spec.slug_digest, bench.tree({"told": "from the seed\n"}))
    info = await bench.driver.start(replace(spec, slug=never))
    assert await bench.output(info.instance_id, "seed") == ["from the seed"]


async def test_pruning_spares_what_is_kept_and_what_runs(bench: Bench) -> None:
    running = bench.spec("sleep 60", {"a": "1"})
    await bench.driver.start(running)
    await bench.driver.prune(set())
    assert (await bench.driver.list())[0].exit is None
    info = await bench.driver.start(replace(bench.spec("ls; sleep 60", {"a": "1"}), slug_digest=running.slug_digest))
    assert await bench.output(info.instance_id, "a") == ["a"]
