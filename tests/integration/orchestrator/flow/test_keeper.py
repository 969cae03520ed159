"""What should run runs, as often as is wanted, and nothing else; whatever ends, crashes or forgets."""

import asyncio
import json
import os
import signal
from dataclasses import replace
from itertools import pairwise

import pytest

from kernel import ids
from kernel.errors import ShipoffError
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import Health, Process, Scaling
from orchestrator.drivers.base import INSTANCE_LIMITS
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.instances import Instances
from orchestrator.keeper import TASK
from orchestrator.leases import Leases
from orchestrator.liveness import MISSES
from orchestrator.scaling import set_bounds, set_desired
from tests.integration.orchestrator.flow.shop import ENVIRONMENT, PROJECT, SERVE, Shop, until
from tests.integration.orchestrator.workshop import get

RUN = "exec python3 serve.py"
FILES = {"serve.py": SERVE}


def plan(run: str = RUN, scaling: Scaling | None = None, *workers: Process) -> BuildPlan:
    return BuildPlan("custom", "dynamic", "python", run=run, scaling=scaling or Scaling(), workers=workers)


async def want(shop: Shop, count: int) -> None:
    async with shop.database.transaction() as tx:
        await set_desired(tx, PROJECT, ENVIRONMENT, count, "autoscaler")
    shop.keeper.look()


async def test_as_many_run_as_are_wanted_and_the_routers_hear_of_exactly_these(shop: Shop) -> None:
    release = await shop.release(plan(scaling=Scaling(min=1, max=3)), FILES)
    first = await shop.runs(release, 1)
    await want(shop, 3)
    three = await shop.runs(release, 3)
    assert first < three
    addresses = [row["address"] for row in await shop.rows(release, "ready")]
    answers = [await get(address) for address in addresses]
    assert {answer.rsplit(b"\r\n", 1)[1].decode() for answer in answers} == three
    await want(shop, 2)
    two = await shop.runs(release, 2)
    assert first < two < three

    async def gone() -> bool:
        return [(row["id"], row["reason"]) for row in await shop.rows(release, "stopped")] == [
            ((three - two).pop(), "stopped")
        ]

    await until(gone)


async def test_an_app_that_may_sleep_is_asleep_with_none_and_wakes(shop: Shop) -> None:
    release = await shop.release(plan(scaling=Scaling(min=0, max=3)), FILES)
    await shop.runs(release, 1)
    await want(shop, 0)
    await shop.runs(release, 0)
    assert await shop.state(release) == "asleep"
    await want(shop, 1)

    async def waking() -> bool:
        return await shop.state(release) in ("waking", "running")

    await until(waking)
    await shop.runs(release, 1)
    assert await shop.state(release) == "running"


async def test_what_was_switched_off_by_hand_does_not_sleep(shop: Shop) -> None:
    release = await shop.release(plan(scaling=Scaling(min=0, max=3)), FILES)
    await shop.runs(release, 1)
    async with shop.database.transaction() as tx:
        await set_bounds(tx, PROJECT, ENVIRONMENT, "web", (0, 0), "acc_1")
    shop.keeper.look()
    await shop.runs(release, 0)
    assert await shop.state(release) == "running"


async def test_one_that_is_killed_leaves_the_table_and_is_replaced_while_others_serve(shop: Shop) -> None:
    release = await shop.release(plan(scaling=Scaling(min=2, max=2)), FILES)
    two = await shop.runs(release, 2)
    victim = next(info for info in await shop.instances.running() if info.instance_id in two)
    os.kill(victim.pid, signal.SIGKILL)

    async def replaced() -> bool:
        served = await shop.served(release)
        assert served & two, "the other one serves all the while"
        return len(served) == 2 and victim.instance_id not in served

    await until(replaced)
    (crash,) = await shop.rows(release, "crashed")
    assert (crash["id"], crash["reason"]) == (victim.instance_id, "lost")


async def test_a_crash_keeps_its_status_and_last_lines_and_a_loop_is_told(shop: Shop) -> None:
    run = "if [ -n \"$FAIL\" ]; then echo 'no database'; exit 3; fi; " + RUN
    release = await shop.release(plan(run), FILES, {"FAIL": "1"})

    async def loops() -> bool:
        return bool(await shop.database.fetchval("select crashes from crashes_in_a_row") == 3)

    await until(loops)
    crashes = await shop.rows(release, "crashed")
    assert {(row["exit_status"], row["reason"], tuple(row["last_lines"])) for row in crashes} == {
        (3, "exit", ("no database",))
    }
    pauses = [(b["started_at"] - a["ended_at"]).total_seconds() for a, b in pairwise(crashes)]
    assert pauses[1] >= 1.0, "the second restart waits"
    assert await shop.served(release) == set()


async def test_an_app_that_accepts_and_never_answers_counts_as_crashed(shop: Shop) -> None:
    mute = (
        "import os, socket, time\ns = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\ntime.sleep(600)\n"
    )
    shop.settings = shop.settings.model_copy(update={"start_s": 0.5})
    await shop.close()
    await shop.open()
    release = await shop.release(plan("exec python3 mute.py"), {"mute.py": mute})

    async def told() -> bool:
        return bool(await shop.rows(release, "crashed"))

    await until(told)
    row = (await shop.rows(release, "crashed"))[0]
    assert row["reason"] == "unhealthy"
    assert await shop.served(release) == set()


MOODY = """
import time
FAULTS = {"/hang": lambda: FAULTS.update({"/": lambda: time.sleep(600)})}
""" + SERVE.replace("self.send_response(200)", "FAULTS.get(self.path, lambda: None)(); self.send_response(500)")


async def test_one_that_answers_nothing_any_more_is_replaced_and_one_that_answers_errors_is_not(shop: Shop) -> None:
    async def rounds(health: Health) -> None:
        await shop.database.execute("update releases set plan = $1", replace(started, health=health).to_json())
        for _ in range(MISSES):
            await shop.keeper.liveness.round()
        await shop.database.execute("update releases set plan = $1", started.to_json())

    started = replace(plan(scaling=Scaling(min=2, max=2)), health=Health(kind="tcp"))  # it answers nothing but errors
    release = await shop.release(started, {"serve.py": MOODY})
    two = await shop.runs(release, 2)
    await rounds(Health(timeout_s=5.0))
    assert shop.keeper.liveness.ill == frozenset()
    victim = (await shop.rows(release, "ready"))[0]
    await get(victim["address"], "/hang")
    await rounds(Health(timeout_s=0.2))

    async def replaced() -> bool:
        served = await shop.served(release)
        assert len(served) >= 2
        return len(served & two) == 1 and victim["id"] not in served

    await until(replaced)


async def test_one_that_ignores_sigterm_is_killed_after_its_grace(shop: Shop) -> None:
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE
    release = await shop.release(plan(scaling=Scaling(min=0, max=1)), {"serve.py": stubborn})
    await shop.runs(release, 1)
    await want(shop, 0)
    await shop.runs(release, 0)

    async def ended() -> bool:
        return [row["exit_status"] for row in await shop.rows(release, "stopped")] == [-signal.SIGKILL]

    await until(ended)


async def test_who_is_woken_does_not_wait_for_the_old_instance_to_end(shop: Shop) -> None:
    await shop.close()
    shop.settings = shop.settings.model_copy(update={"grace_s": 25.0})
    await shop.open()
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE
    release = await shop.release(plan(scaling=Scaling(min=0, max=1)), {"serve.py": stubborn})
    old = await shop.runs(release, 1)
    await want(shop, 0)
    await shop.runs(release, 0)
    await want(shop, 1)
    assert await shop.runs(release, 1) != old
    assert {row["id"] for row in await shop.rows(release, "draining")} == old


async def test_workers_run_beside_the_web_process_and_end_with_their_release(shop: Shop) -> None:
    worker = Process("mail", "echo at work as $SHIPOFF_PROCESS without ${PORT:-a port}; exec sleep 600", instances=2)
    first = await shop.release(plan(RUN, None, worker), FILES)
    await shop.runs(first, 1)

    async def at_work() -> bool:
        rows = [row for row in await shop.rows(first, "ready") if row["process"] == "mail"]
        return len(rows) == 2 and all(row["address"] == "" for row in rows)

    await until(at_work)
    second = await shop.release(plan(), FILES)
    await shop.runs(second, 1)

    async def alone() -> bool:
        running = {info.release_id for info in await shop.instances.running()}
        return running == {second.id} and {row["state"] for row in await shop.rows(first)} == {"stopped"}

    await until(alone)

    async def told() -> bool:
        return shop.sink.lines.count("at work as mail without a port") == 2

    await until(told)


async def test_a_restart_replaces_all_and_never_serves_with_fewer(shop: Shop) -> None:
    release = await shop.release(plan(scaling=Scaling(min=2, max=2)), FILES)
    old = await shop.runs(release, 2)
    await shop.database.execute(
        "insert into restarts (project_id, environment, asked_by) values ($1, $2, 'acc_1')", PROJECT, ENVIRONMENT
    )
    shop.keeper.look()

    async def fresh() -> bool:
        served = await shop.served(release)
        assert len(served) >= 2
        return len(served) == 2 and not served & old

    await until(fresh)
    await shop.runs(release, 2)


async def test_no_instance_is_orphaned_and_no_row_is(shop: Shop) -> None:
    release = await shop.release(plan(), FILES)
    (kept,) = await shop.runs(release, 1)
    ghost = ids.new("ins")
    with shop.instances.pending(1) as (orphan,):
        await shop.instances.start(release, plan().processes[0], orphan)
        await shop.database.execute("delete from instances where id = $1", orphan)
    await shop.database.execute(
        "insert into instances (id, release_id, project_id, state) values ($1, $2, $3, 'ready')",
        ghost, release.id, PROJECT,
    )  # fmt: skip
    shop.keeper.look()

    async def agree() -> bool:
        rows = {row["id"]: row["state"] for row in await shop.rows(release)}
        running = {info.instance_id for info in await shop.instances.running()}
        return (rows.get(ghost), running) == ("crashed", {kept})

    await until(agree)


async def test_who_was_paused_does_not_end_what_is_wanted_again(shop: Shop) -> None:
    """A keeper has seen a release that nothing serves; when it acts on that, a rollback has brought it back."""
    release = await shop.release(plan(), FILES)
    (serving,) = await shop.runs(release, 1)
    await shop.drain.retire(shop.database.transaction, release.id, [serving])
    assert await shop.served(release) == {serving}
    assert [row["state"] for row in await shop.rows(release)] == ["ready"]
    await shop.keeper.stop()  # which would see it too
    await shop.database.execute("update deployments set state = 'INACTIVE'")
    await shop.drain.retire(shop.database.transaction, release.id, [serving])
    assert await shop.served(release) == set()
    assert [row["state"] for row in await shop.rows(release)] == ["stopped"]


async def test_a_keeper_that_lost_its_lease_takes_nothing_out(shop: Shop) -> None:
    """It was paused between its look and its act, and another keeps since."""
    release = await shop.release(plan(), FILES)
    (serving,) = await shop.runs(release, 1)
    await shop.keeper.stop()
    paused = await Leases(shop.database, "paused", 60).acquire(*TASK)
    assert paused is not None
    await Leases(shop.database, "paused", 60).release(paused)
    assert await Leases(shop.database, "another", 60).acquire(*TASK) is not None
    for act in (
        shop.drain.take_out(paused.transaction, release.id, [serving], "running"),
        shop.drain.retire(paused.transaction, release.id, [serving]),
    ):
        with pytest.raises(ShipoffError, match="LEASE_LOST"):
            await act
    assert await shop.served(release) == {serving}
    assert [row["state"] for row in await shop.rows(release)] == ["ready"]


async def test_an_orchestrator_that_ends_leaves_apps_running_and_the_next_goes_on(shop: Shop) -> None:
    release = await shop.release(plan(scaling=Scaling(min=2, max=2)), FILES)
    two = await shop.runs(release, 2)
    await shop.close()
    victim = (await shop.rows(release, "ready"))[0]
    keeper = next(path for path in shop.config.instances.iterdir() if path.name == victim["id"])
    os.kill(json.loads((keeper / "keeper.json").read_text())["pid"], signal.SIGKILL)
    await asyncio.sleep(0.1)
    await shop.open()

    async def one_new() -> bool:
        served = await shop.served(release)
        return len(served) == 2 and len(served & two) == 1

    await until(one_new)
    await shop.runs(release, 2)


@pytest.mark.parametrize("state", ["starting", "draining"])
async def test_what_a_killed_orchestrator_had_begun_is_ended(state: str, shop: Shop) -> None:
    release = await shop.release(plan(), FILES)
    (kept,) = await shop.runs(release, 1)
    with shop.instances.pending(1) as (begun,):
        await shop.instances.start(release, plan().processes[0], begun)
        await shop.database.execute("update instances set state = $2 where id = $1", begun, state)
    shop.keeper.look()

    async def ended() -> bool:
        rows = {row["id"]: row["state"] for row in await shop.rows(release)}
        return (rows[begun], rows[kept]) == ("stopped", "ready")

    await until(ended)


async def test_of_several_orchestrators_one_keeps_and_the_next_when_it_ends(shop: Shop) -> None:
    await shop.keeper.stop()
    other = Leases(shop.database, "other", 30.0)
    lease = await other.acquire("", "keeper")
    assert lease is not None
    shop.keeper.start()
    release = await shop.release(plan(), FILES)
    shop.keeper.look()
    await asyncio.sleep(0.3)
    assert await shop.rows(release, "starting") == await shop.rows(release, "ready") == []
    await other.release(lease)
    shop.keeper.look()
    await shop.runs(release, 1)


async def test_an_orchestrator_that_does_not_keep_takes_no_line_and_no_log_from_the_one_that_does(shop: Shop) -> None:
    driver = LocalDriver(shop.config)
    await driver.open()
    beside = Instances(shop.database, driver, shop.artifacts, shop.logs, INSTANCE_LIMITS)
    await beside.open()
    release = await shop.release(plan("echo last words; exit 5"), FILES)

    async def crashed() -> bool:
        await beside.running()  # as its deployments do
        return len(await shop.rows(release, "crashed")) == 2

    await until(crashed)

    async def said() -> bool:
        return shop.sink.lines.count("last words") >= 2

    await until(said)
    ended = await shop.rows(release, "crashed")
    assert {(row["exit_status"], *row["last_lines"]) for row in ended} == {(5, "last words")}
    assert shop.sink.lines.count("last words") <= len(await shop.rows(release))
    await beside.close()
    await driver.close()
