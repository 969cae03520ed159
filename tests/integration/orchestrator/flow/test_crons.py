"""Cron jobs on real servers and the real sandbox: once, not beside themselves, told how they ended."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from kernel.database.pool import Row
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import Cron
from orchestrator.cron.runner import Crons
from orchestrator.cron.story import CronStory
from orchestrator.release.release import Release
from orchestrator.starter import Starter
from tests.integration.orchestrator.flow.shop import ENVIRONMENT, PROJECT, Shop, until


def runner(shop: Shop) -> Crons:
    starter = Starter(shop.database, shop.instances, shop.settings.start_s)
    return Crons(shop.database, shop.instances, starter, shop.sealer, 0.5)


@pytest.fixture
async def crons(shop: Shop) -> AsyncIterator[Crons]:
    made = runner(shop)
    yield made
    await made.stop()


async def live(shop: Shop, *jobs: Cron) -> Release:
    """A release whose deployment was asked for a week ago, so that its last times are due."""
    plan = BuildPlan("custom", "dynamic", "python", workers=(), crons=jobs)
    release = await shop.release(plan, {"told": "the app's files\n"}, {"COLOR": "red"})
    await shop.database.execute("update deployments set created_at = now() - interval '7 days'")
    return release


def lately() -> str:
    """A schedule whose last time is this minute's beginning, and stays so however long the test takes."""
    return f"{datetime.now(UTC):%M %H} * * *"


def earlier() -> str:
    """A schedule whose last time was more than an hour ago."""
    return f"0 {(datetime.now(UTC) - timedelta(hours=2)).hour} * * *"


async def runs(shop: Shop) -> list[Row]:
    return await shop.database.fetch("select * from cron_runs order by due_at desc, name")


async def looked(shop: Shop, crons: Crons, *states: str) -> list[Row]:
    """Looks until the runs' states are these, newest first."""

    async def so() -> bool:
        await crons.look()
        return tuple(row["state"] for row in await runs(shop)) == states

    await until(so)
    return await runs(shop)


async def test_a_job_runs_with_the_apps_files_and_variables(shop: Shop, crons: Crons) -> None:
    await live(shop, Cron("tell", lately(), "cat told; echo $COLOR $SHIPOFF_PROCESS ${PORT:-no port}"))
    (run,) = await looked(shop, crons, "done")
    assert (run["name"], run["exit_status"], run["detail"]) == ("tell", 0, "")
    assert run["due_at"].second == 0
    assert datetime.now(UTC) - run["due_at"] < timedelta(minutes=2)

    async def said() -> bool:
        return {"the app's files", "red cron:tell no port"} <= set(shop.sink.lines)

    await until(said)
    row = await shop.database.fetchrow("select * from instances where id = $1", run["instance_id"])
    assert row is not None
    assert (row["state"], row["process"]) == ("stopped", "cron:tell")


async def test_however_many_look_it_runs_once(shop: Shop, crons: Crons) -> None:
    await live(shop, Cron("once", earlier(), "true"), Cron("also", lately(), "echo ran"))
    others = [crons, *(runner(shop) for _ in range(4))]
    await asyncio.gather(*(one.look() for one in others))
    found = await looked(shop, crons, "done", "missed")
    assert [row["name"] for row in found] == ["also", "once"]
    assert await shop.database.fetchval("select count(*) from instances where process like 'cron:%'") == 1


async def test_how_it_failed_is_told(shop: Shop, crons: Crons) -> None:
    await live(shop, Cron("bad", lately(), "exit 3"))
    (run,) = await looked(shop, crons, "failed")
    assert (run["exit_status"], run["detail"]) == (3, "")


async def test_over_its_deadline_it_is_ended(shop: Shop, crons: Crons) -> None:
    await live(shop, Cron("slow", lately(), "trap '' TERM; while :; do sleep 0.1; done", deadline_s=0.3))
    (run,) = await looked(shop, crons, "failed")
    assert "deadline" in run["detail"]
    assert await shop.instances.running() == []


async def test_it_does_not_run_beside_itself(shop: Shop, crons: Crons) -> None:
    release = await live(shop, Cron("long", lately(), "true"))
    await shop.database.execute(
        "insert into cron_runs (project_id, environment, name, due_at, release_id, state, deadline_at)"
        " values ($1, $2, 'long', now() - interval '2 minutes', $3, 'running', now() + interval '1 hour')",
        PROJECT, ENVIRONMENT, release.id,
    )  # fmt: skip
    await looked(shop, crons, "skipped", "running")


async def test_what_nobody_was_there_for_is_noted_and_not_run(shop: Shop, crons: Crons) -> None:
    await live(shop, Cron("nightly", earlier(), "echo too late"))
    (run,) = await looked(shop, crons, "missed")
    assert run["instance_id"] is None
    await crons.look()
    assert len(await runs(shop)) == 1


async def test_what_was_due_before_the_deployment_is_not_made_up(shop: Shop, crons: Crons) -> None:
    await live(shop, Cron("hourly", "@hourly", "true"))
    await shop.database.execute("update deployments set created_at = now()")
    await crons.look()
    assert await runs(shop) == []


async def test_only_the_live_releases_jobs_run_and_one_that_runs_may_end(shop: Shop, crons: Crons) -> None:
    await live(shop, Cron("old", lately(), "echo begun; sleep 1.5"))
    await looked(shop, crons, "running")
    await live(shop, Cron("new", "0 0 1 1 *", "true"))
    assert [row["name"] for row in await looked(shop, crons, "done")] == ["old"]


async def test_the_next_orchestrator_follows_a_run_to_its_end(shop: Shop, crons: Crons) -> None:
    await live(shop, Cron("kept", lately(), "sleep 1; exit 5"))

    async def begun() -> bool:
        await crons.look()
        return bool(await shop.database.fetchval("select true from cron_runs where instance_id is not null"))

    await until(begun)
    await crons.stop()
    await shop.close()
    await shop.open()
    next_one = runner(shop)
    (run,) = await looked(shop, next_one, "failed")
    assert run["exit_status"] == 5


async def test_the_story_has_jobs_runs_and_the_time(shop: Shop, crons: Crons) -> None:
    await live(shop, Cron("tell", lately(), "true"))
    await looked(shop, crons, "done")
    jobs, told, now = await CronStory(shop.database).read(PROJECT, ENVIRONMENT)
    assert [job.name for job in jobs] == ["tell"]
    assert [(run["name"], run["state"]) for run in told] == [("tell", "done")]
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)
