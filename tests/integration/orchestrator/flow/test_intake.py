"""What the control plane asks for becomes rows: once, latest wins, and never backwards."""

import asyncio
from typing import Any

import pytest

from kernel.database import Database
from kernel.database.pool import Row
from kernel.deployments import State
from kernel.events import DeploymentCanceled, DeploymentRequested, Envelope
from orchestrator.consumer import Intake
from orchestrator.environments import Environments
from orchestrator.moves import Note, move_alone


class Deployments:
    """An intake whose deployer only waits: what is tested is who works on what, and who is ended."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.working: list[str] = []
        self.ended: list[str] = []
        self.finish = asyncio.Event()
        self.environments = Environments(database, self._deploy)
        self.intake = Intake(database, self.environments)

    async def _deploy(self, row: Row) -> None:
        self.working.append(row["id"])
        try:
            await self.finish.wait()
            await self.database.execute("update deployments set flipped = false where id = $1", row["id"])
            await move_alone(self.database, row["id"], State.FAILED, Note(reason="TEST"))
        except asyncio.CancelledError:
            self.ended.append(row["id"])
            raise

    async def request(self, number: int, project: str = "prj_1") -> Envelope:
        envelope = Envelope(DeploymentRequested(f"dep_{number}", project, "production"), key=f"{project}/production")
        await self.intake.handle(envelope)
        return envelope

    async def states(self) -> dict[str, str]:
        return {row["id"]: row["state"] for row in await self.database.fetch("select id, state from deployments")}

    async def until(self, **expected: Any) -> None:
        async with asyncio.timeout(10):
            while any(getattr(self, name) != value for name, value in expected.items()):
                await asyncio.sleep(0.01)


@pytest.fixture
async def deployments(database: Database) -> Any:
    made = Deployments(database)
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


async def test_what_has_flipped_the_routes_is_finished_first(deployments: Deployments, database: Database) -> None:
    await deployments.request(1)
    await deployments.until(working=["dep_1"])
    await database.execute("update deployments set state = 'PROVISIONING', flipped = true where id = 'dep_1'")
    await deployments.request(2)
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
    event = DeploymentCanceled("dep_1", "prj_1", "production")
    await deployments.intake.handle(Envelope(event, key="prj_1/production"))
    await deployments.until(ended=["dep_1"])
    assert await deployments.states() == {"dep_1": "CANCELED"}
    assert await database.fetchval("select count(*) from outbox where stream = 'lifecycle'") == 1


async def test_what_was_left_unfinished_is_taken_up_again(deployments: Deployments, database: Database) -> None:
    await database.execute(
        "insert into deployments (id, project_id, environment, state)"
        " values ('dep_9', 'prj_1', 'production', 'BUILDING')"
    )
    await deployments.environments.resume()
    await deployments.until(working=["dep_9"])


async def test_a_fault_outside_the_stages_is_tried_again(database: Database) -> None:
    tried: list[str] = []

    async def deploy(row: Row) -> None:
        tried.append(row["id"])
        if len(tried) < 3:
            raise RuntimeError("a fault of ours")
        await move_alone(database, row["id"], State.FAILED)

    environments = Environments(database, deploy)
    await Intake(database, environments).handle(
        Envelope(DeploymentRequested("dep_1", "prj_1", "production"), key="prj_1/production")
    )
    async with asyncio.timeout(10):
        while len(tried) < 3:
            await asyncio.sleep(0.01)
    await environments.stop()


async def test_a_move_that_is_not_legal_is_not_made(deployments: Deployments, database: Database) -> None:
    await deployments.request(1)
    assert await move_alone(database, "dep_1", State.LIVE) is None
    assert await move_alone(database, "dep_1", State.FAILED) is not None
    assert await move_alone(database, "dep_1", State.BUILDING) is None
    assert await deployments.states() == {"dep_1": "FAILED"}
