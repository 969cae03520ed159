"""What the control plane asks for becomes rows: once, latest wins, in any order, and never backwards."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from kernel.database import Database
from kernel.deployments import State
from kernel.events import DeploymentCanceled, DeploymentRequested, Envelope, Event
from orchestrator.consumer import Intake
from orchestrator.environments import Environments, Work
from orchestrator.leases import Leases
from orchestrator.moves import Note, move
from orchestrator.routes import RouteTable
from orchestrator.turns import Turns


class Deployments:
    """An orchestrator whose deployer only waits: what is tested is who works on what, and who is ended."""

    def __init__(self, database: Database, *, queue_limit: int = 50, builds: int = 10, queue_s: float = 60.0) -> None:
        self.database = database
        self.working: list[str] = []
        self.ended: list[str] = []
        self.finish = asyncio.Event()
        leases = Leases(database, "worker", 30.0)
        self.environments = Environments(database, leases, Turns(builds, queue_s), self._deploy)
        self.intake = Intake(database, RouteTable(), queue_limit)

    async def _deploy(self, work: Work) -> None:
        name = work.row["id"]
        self.working.append(name)
        try:
            await self.finish.wait()
            async with work.lease.transaction() as tx:
                await tx.execute("update deployments set flipped = false where id = $1", name)
                await move(tx, name, State.FAILED, Note(reason="TEST"))
        except asyncio.CancelledError:
            self.ended.append(name)
            raise

    async def request(self, number: int, project: str = "prj_1", owner: str = "acc_1", kind: str = "build") -> Envelope:
        return await self.hand(DeploymentRequested(f"dep_{number}", project, "production", owner, kind, ordinal=number))

    async def cancel(self, number: int) -> Envelope:
        return await self.hand(DeploymentCanceled(f"dep_{number}", "prj_1", "production"))

    async def hand(self, event: Event) -> Envelope:
        envelope = Envelope(event, key="prj_1/production")
        await self.intake.handle(envelope)
        return envelope

    async def states(self) -> dict[str, str]:
        return {row["id"]: row["state"] for row in await self.database.fetch("select id, state from deployments")}

    async def until(self, **expected: object) -> None:
        async with asyncio.timeout(10):
            while any(getattr(self, name) != value for name, value in expected.items()):
                await asyncio.sleep(0.01)


@pytest.fixture
async def deployments(database: Database) -> AsyncIterator[Deployments]:
    made = Deployments(database)
    made.environments.start()
    yield made
    await made.environments.stop()


async def test_a_newer_deployment_ends_the_one_that_is_worked_on(deployments: Deployments) -> None:
    await deployments.request(1)
    await deployments.until(working=["dep_1"])
    await deployments.request(2)
    await deployments.until(working=["dep_1", "dep_2"], ended=["dep_1"])
    assert await deployments.states() == {"dep_1": "SUPERSEDED", "dep_2": "QUEUED"}


async def test_other_projects_go_on(deployments: Deployments) -> None:
    await deployments.request(1, "prj_1")
    await deployments.request(2, "prj_2")
    async with asyncio.timeout(10):
        while set(deployments.working) != {"dep_1", "dep_2"}:
            await asyncio.sleep(0.01)
    assert deployments.ended == []


async def test_an_event_that_comes_twice_or_late_changes_nothing(deployments: Deployments) -> None:
    first = await deployments.request(1)
    await deployments.until(working=["dep_1"])
    await deployments.request(2)
    await deployments.until(working=["dep_1", "dep_2"])
    await deployments.intake.handle(first)
    # The same wish under another event id, as a producer that lost its outbox would send it.
    await deployments.request(1)
    assert await deployments.states() == {"dep_1": "SUPERSEDED", "dep_2": "QUEUED"}


@pytest.mark.parametrize("order", list(itertools.permutations(["request 1", "request 2", "cancel 1"])))
async def test_the_latest_wins_in_whatever_order_consumers_get_to_the_events(
    order: tuple[str, ...], database: Database
) -> None:
    deployments = Deployments(database)
    for step in order:
        what, number = step.split()
        await getattr(deployments, what)(int(number))
    states = await deployments.states()
    assert states["dep_2"] == "QUEUED"
    assert states["dep_1"] in ("CANCELED", "SUPERSEDED")


async def test_a_change_of_variables_waits_for_the_build_before_it(deployments: Deployments) -> None:
    await deployments.request(1)
    await deployments.until(working=["dep_1"])
    await deployments.request(2, kind="config")
    await deployments.request(3, kind="config")
    assert await deployments.states() == {"dep_1": "QUEUED", "dep_2": "SUPERSEDED", "dep_3": "QUEUED"}
    deployments.finish.set()
    await deployments.until(working=["dep_1", "dep_3"], ended=[])


async def test_what_has_flipped_the_routes_is_finished_first(deployments: Deployments, database: Database) -> None:
    await deployments.request(1)
    await deployments.until(working=["dep_1"])
    await database.execute("update deployments set state = 'PROVISIONING', flipped = true where id = 'dep_1'")
    await deployments.request(2)
    await deployments.cancel(1)
    await asyncio.sleep(0.05)
    assert deployments.ended == []
    assert await deployments.states() == {"dep_1": "PROVISIONING", "dep_2": "QUEUED"}
    deployments.finish.set()
    await deployments.until(working=["dep_1", "dep_2"])


async def test_a_canceled_deployment_is_ended_and_its_event_published(
    deployments: Deployments, database: Database
) -> None:
    await deployments.request(1)
    await deployments.until(working=["dep_1"])
    await deployments.cancel(1)
    await deployments.until(ended=["dep_1"])
    assert await deployments.states() == {"dep_1": "CANCELED"}
    assert await database.fetchval("select count(*) from outbox where stream = 'lifecycle'") == 1


async def test_what_was_left_unfinished_is_taken_up_again(database: Database) -> None:
    await database.execute(
        "insert into deployments (id, project_id, environment, state)"
        " values ('dep_9', 'prj_1', 'production', 'BUILDING')"
    )
    deployments = Deployments(database)
    deployments.environments.start()
    await deployments.until(working=["dep_9"])
    await deployments.environments.stop()


async def test_a_fault_outside_the_stages_is_tried_again(database: Database) -> None:
    tried: list[str] = []

    async def deploy(work: Work) -> None:
        tried.append(work.row["id"])
        if len(tried) < 3:
            raise RuntimeError("a fault of ours")
        async with work.lease.transaction() as tx:
            await move(tx, work.row["id"], State.FAILED)

    environments = Environments(database, Leases(database, "worker", 30.0), Turns(1, 60.0), deploy)
    environments.start()
    await Intake(database, RouteTable(), 50).handle(
        Envelope(DeploymentRequested("dep_1", "prj_1", "production"), key="prj_1/production")
    )
    async with asyncio.timeout(10):
        while len(tried) < 3:
            await asyncio.sleep(0.01)
    await environments.stop()


async def test_a_tenant_queues_so_much_and_what_is_more_ends_nothing(database: Database) -> None:
    deployments = Deployments(database, queue_limit=2)
    await deployments.request(1, "prj_1")
    await deployments.request(2, "prj_2")
    await deployments.request(3, "prj_3")
    await deployments.request(4, "prj_4", owner="acc_2")
    await deployments.request(5, "prj_1")  # takes the place of the one before it
    assert await deployments.states() == {
        "dep_1": "SUPERSEDED", "dep_2": "QUEUED", "dep_3": "FAILED", "dep_4": "QUEUED", "dep_5": "QUEUED",
    }  # fmt: skip
    refused = await database.fetchrow("select stage, reason, hint from deployments where id = 'dep_3'")
    assert refused is not None
    assert (refused["stage"], refused["reason"]) == ("queue", "DEPLOYMENT_QUEUE_FULL")
    assert "wait" in refused["hint"]


async def test_who_waits_too_long_for_a_turn_is_told_so(database: Database) -> None:
    deployments = Deployments(database, builds=1, queue_s=0.05)
    deployments.environments.start()
    await deployments.request(1, "prj_1")
    await deployments.until(working=["dep_1"])
    await deployments.request(2, "prj_2")
    async with asyncio.timeout(10):
        while (await deployments.states())["dep_2"] != "FAILED":
            await asyncio.sleep(0.01)
    assert await database.fetchval("select reason from deployments where id = 'dep_2'") == "QUEUE_TIMED_OUT"
    await deployments.environments.stop()


async def test_a_move_that_is_not_legal_is_not_made(deployments: Deployments, database: Database) -> None:
    await deployments.request(1)
    async with database.transaction() as tx:
        assert await move(tx, "dep_1", State.LIVE) is None
        assert await move(tx, "dep_1", State.PROVISIONING) is None  # a build is built first
        assert await move(tx, "dep_1", State.FAILED) is not None
        assert await move(tx, "dep_1", State.BUILDING) is None
    assert await deployments.states() == {"dep_1": "FAILED"}
