"""Lives of deployments under hypothesis: events twice, late, in another order or never; workers that lose their lease.

The rules use the product's own intake, leases, moves and switch on a real Postgres. Whatever they are played in, an
environment never has two LIVE deployments, none goes backwards, the routes point at what is LIVE, and all of them end.
"""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from kernel import ids
from kernel.database import Database, migrate
from kernel.database.pool import Row
from kernel.deployments import MOVES, UNFINISHED, Kind, State
from kernel.errors import INTERNAL, ShipoffError
from kernel.events import DeploymentCanceled, DeploymentRequested, DeploymentStateChanged, Envelope, decode
from kernel.rpc import RpcClient
from kernel.sealing import Sealer
from orchestrator.attempt import Attempt, OvertakenError
from orchestrator.build.plan import BuildPlan
from orchestrator.consumer import Intake
from orchestrator.deadlines import Deadlines
from orchestrator.environments import SQL, Work
from orchestrator.failpoints import Failpoints, Write
from orchestrator.leases import LEASE_LOST, Leases
from orchestrator.logs import BuildLog
from orchestrator.moves import move
from orchestrator.patience import Patience
from orchestrator.release.release import Release, load
from orchestrator.routes import RouteTable
from orchestrator.settings import OrchestratorSettings
from orchestrator.stages.building import Building
from orchestrator.stages.releasing import Releasing
from orchestrator.stages.switch import Switch
from orchestrator.turns import NO_TURN

T = TypeVar("T")
PROJECTS = ("prj_1",)
WORKERS = ("one", "two")
LEGAL = {(rule_.source.value, rule_.to.value) for rule_ in MOVES}
UNREACHED = cast("Any", None)
TABLES = "deployments, releases, leases, outbox, consumed_events, routes, endpoints, instances"
NOWHERE = OrchestratorSettings(
    database_url="", redis_url="", service_token="t", env_key="", projects_address="", logsink_address="",
    gateway_url="", work_dir=Path(), run_dir=Path(),
)  # fmt: skip


class Silence:
    """The log of an attempt at which nobody looks."""

    def masked(self, text: str) -> str:
        return text


@dataclass
class Hand:
    """What a worker believes that it works on."""

    attempt: Attempt
    row: Row


class World:
    """The parts of an orchestrator that write, on a loop of their own."""

    def __init__(self, runner: asyncio.Runner, database: Database) -> None:
        self._runner, self.database = runner, database
        patience, self.sealer = Patience(0.0), Sealer("A" * 43 + "=")
        self.intake = Intake(database, RouteTable(), 50)
        self.leases = {name: Leases(database, name, 3600.0) for name in WORKERS}
        self.releasing = Releasing(self.run(_channel()), self.sealer, patience, "http://{project}.localhost")
        self.building = Building(UNREACHED, patience, self.releasing)
        self.switch = Switch(NOWHERE, RouteTable(), UNREACHED, UNREACHED, patience)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def clear(self) -> None:
        await self.database.execute(f"truncate {TABLES} cascade")

    async def take(self, worker: str, project: str) -> Hand | None:
        """As a runner: the lease, and the deployment that is next."""
        if (lease := await self.leases[worker].acquire(project, "production")) is None:
            return None
        if (row := await self.database.fetchrow(SQL["next_deployment"], project, "production")) is None:
            return None
        log = cast("BuildLog", Silence())
        return Hand(Attempt(Work(row, lease, NO_TURN), log, Deadlines(NOWHERE), Failpoints("")), row)

    async def step(self, hand: Hand) -> bool:
        """The next write, by what the worker saw last; False when it was the last one."""
        row = hand.row
        if row["state"] == State.QUEUED and row["kind"] == Kind.BUILD:
            await self.building._begin(hand.attempt)
        elif row["state"] in (State.QUEUED, State.BUILDING):
            await self.releasing.made(hand.attempt, self._release(row), row["project_id"])
        elif not row["flipped"]:
            await self.switch.flip(hand.attempt, await load(self.database, row["release_id"], self.sealer), [])
        else:
            await self.switch._live(hand.attempt, await load(self.database, row["release_id"], self.sealer), row)
            return False
        hand.row = cast("Row", await self.database.fetchrow("select * from deployments where id = $1", row["id"]))
        return True

    async def fail(self, hand: Hand) -> None:
        async with hand.attempt.writing(Write.FAIL) as tx:
            await self.switch.undo(tx, hand.attempt)
            await move(tx, hand.attempt.id, State.FAILED, hand.attempt.failed(INTERNAL("it failed")))

    def _release(self, row: Row) -> Release:
        plan = BuildPlan("static", "static")
        place = (row["id"], row["project_id"], row["environment"])
        return Release(ids.new("rel"), *place, "static", "manifest", plan, False, {})


async def _channel() -> RpcClient:
    return RpcClient("127.0.0.1:1", "t")


class Lives(RuleBasedStateMachine):
    """What happens, in any order."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world.run(self.world.clear())
        self.events: list[Envelope] = []
        self.handled: set[str] = set()
        self.hands: dict[str, Hand] = {}

    @precondition(lambda self: len(self.events) < 6)
    @rule(project=st.sampled_from(PROJECTS), kind=st.sampled_from(("build", "build", "config")), late=st.booleans())
    def somebody_asks(self, project: str, kind: str, late: bool) -> None:
        number = len(self.events) + 1
        event = DeploymentRequested(f"dep_{number:03}", project, "production", "acc_1", kind, ordinal=number)
        self._send(event, project, late)

    @precondition(lambda self: 0 < len(self.events) < 8)
    @rule(data=st.data(), late=st.booleans())
    def somebody_cancels(self, data: st.DataObject, late: bool) -> None:
        asked = data.draw(st.sampled_from(self.events)).data
        event = DeploymentCanceled(asked.deployment_id, asked.project_id, "production")  # type: ignore[attr-defined]
        self._send(event, event.project_id, late)

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def an_event_comes(self, data: st.DataObject) -> None:
        """Whichever: for the first time or again, in order or not."""
        self._come(data.draw(st.sampled_from(self.events)))

    @rule()
    def leases_run_out(self) -> None:
        self.world.run(self.world.database.execute("update leases set expires_at = clock_timestamp()"))

    @rule(worker=st.sampled_from(WORKERS), project=st.sampled_from(PROJECTS), steps=st.sampled_from((1, 2, 3, 3, 3, 4)))
    def a_worker_goes_on(self, worker: str, project: str, steps: int) -> None:
        if worker not in self.hands and (hand := self.world.run(self.world.take(worker, project))) is not None:
            self.hands[worker] = hand
        for _ in range(steps):
            if worker in self.hands and not self._lets(self.world.step(self.hands[worker])):
                self.hands.pop(worker)

    @precondition(lambda self: self.hands)
    @rule(worker=st.sampled_from(WORKERS))
    def the_work_of_a_worker_fails(self, worker: str) -> None:
        if worker in self.hands:
            self._lets(self.world.fail(self.hands.pop(worker)))

    @invariant()
    def nothing_went_wrong(self) -> None:
        self.world.run(self._check())

    def teardown(self) -> None:
        """Left alone, everything ends, and what was asked for last is what serves."""
        self.leases_run_out()
        for project in PROJECTS:
            while (hand := self.world.run(self.world.take("one", project))) is not None:
                while self._lets(self.world.step(hand)):
                    pass
        self.world.run(self._check())
        assert not [row for row in self._rows() if row["state"] in UNFINISHED]
        for project in PROJECTS:
            self._check_last(project)

    def _send(self, event: DeploymentRequested | DeploymentCanceled, project: str, late: bool) -> None:
        self.events.append(Envelope(event, key=f"{project}/production"))
        if not late:
            self._come(self.events[-1])

    def _come(self, envelope: Envelope) -> None:
        self.world.run(self.world.intake.handle(envelope))
        self.handled.add(envelope.id)

    def _lets(self, work: Coroutine[Any, Any, bool | None]) -> bool:
        """Does a worker's write; False when he is told to stop."""
        try:
            return self.world.run(work) is not False
        except OvertakenError:
            return False
        except ShipoffError as error:
            if error.code != LEASE_LOST.code:
                raise
            return False

    def _check_last(self, project: str) -> None:
        asked = [one.data for one in self.events if one.id in self.handled]
        builds = [
            one.deployment_id
            for one in asked
            if isinstance(one, DeploymentRequested) and one.project_id == project and one.kind == "build"
        ]
        rows = {row["id"]: row for row in self._rows() if row["project_id"] == project}
        if builds:  # nothing that was asked for before it took its place
            assert rows[max(builds)]["state"] != State.SUPERSEDED

    def _rows(self) -> list[Row]:
        return self.world.run(self.world.database.fetch("select * from deployments"))

    async def _check(self) -> None:
        rows = await self.world.database.fetch("select * from deployments")
        routes = {row["host"]: row["record"] for row in await self.world.database.fetch("select * from routes")}
        for project in PROJECTS:
            live = [row for row in rows if row["project_id"] == project and row["state"] == State.LIVE]
            flipped = [row for row in rows if row["project_id"] == project and row["flipped"]]
            pending = [row for row in flipped if row["state"] == State.PROVISIONING]
            assert len(live) <= 1
            assert len(pending) <= 1
            serves = [row["release_id"] for row in pending or live]
            assert [routes[host]["release"] for host in routes if host == f"{project}.localhost"] == serves
        canceled = {
            one.data.deployment_id
            for one in self.events
            if one.id in self.handled and isinstance(one.data, DeploymentCanceled)
        }
        assert canceled <= {row["id"] for row in rows if row["flipped"] or row["state"] not in UNFINISHED}
        for row in rows:
            assert not (row["flipped"] and row["state"] in (State.FAILED, State.CANCELED, State.SUPERSEDED))
        await self._check_paths(rows)

    async def _check_paths(self, rows: list[Row]) -> None:
        """What was told of each deployment is a way through the table, and ends where its row is."""
        told: defaultdict[str, list[str]] = defaultdict(lambda: [State.QUEUED.value])
        for row in await self.world.database.fetch("select envelope from outbox order by position"):
            change = decode(row["envelope"]).data
            if isinstance(change, DeploymentStateChanged):
                told[change.deployment_id].append(change.state)
        for row in rows:
            path = told[row["id"]]
            assert set(pairwise(path)) <= LEGAL, path
            assert path[-1] == row["state"]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    migrate(database_url, "orchestrator")
    with asyncio.Runner() as runner:
        database = runner.run(Database.connect(database_url))
        yield World(runner, database)
        runner.run(database.close())


@pytest.mark.timeout(300)  # a failure is made small first
def test_whatever_happens_in_whatever_order_a_deployment_lives_by_the_rules(world: World) -> None:
    class Played(Lives):
        pass

    Played.world = world
    some = settings(max_examples=120, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Played, settings=some)
