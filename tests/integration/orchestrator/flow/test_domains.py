"""Custom hosts have the routes of their environment, whatever is done to it, and are one environment's at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import ids
from kernel.database import Database, migrate
from kernel.database.pool import Row
from kernel.deployments import State
from kernel.errors import INTERNAL
from kernel.events import DomainsChanged, Envelope, EnvironmentDeleted, Event, ProjectDeleted
from kernel.rpc import RpcClient, RpcServer
from orchestrator.attempt import Attempt
from orchestrator.build.plan import BuildPlan
from orchestrator.consumer import Intake
from orchestrator.deadlines import Deadlines
from orchestrator.domains.reconcile import Reconcile
from orchestrator.environments import SQL, Work
from orchestrator.failpoints import Failpoints, Write
from orchestrator.leases import Leases
from orchestrator.logs import BuildLog
from orchestrator.moves import move
from orchestrator.patience import Patience
from orchestrator.release.canary import Canary, _Trial, withdraw
from orchestrator.release.canary_plan import read_plan
from orchestrator.release.release import Release, save
from orchestrator.routes import TABLE, RouteTable
from orchestrator.stages.switch import Switch
from orchestrator.turns import NO_TURN
from proto.projects.v1 import domains_pb2 as pb
from proto.projects.v1.domains_pb2_grpc import DomainsServicer, add_DomainsServicer_to_server
from router.core.records import Route, parse
from router.core.table import Table
from tests.integration.orchestrator.flow.shop import Shop

UNREACHED = cast("Any", None)
HOST = "blog.localhost"
PROJECT = "prj_1"


class Silence:
    """The log of an attempt at which nobody looks."""

    def masked(self, text: str) -> str:
        return text

    async def say(self, text: str) -> None:
        pass


@dataclass
class Stage:
    """An orchestrator as far as routes go: deployments flip and fail, the control plane's lists come in."""

    shop: Shop

    def __post_init__(self) -> None:
        self.database, self.table = self.shop.database, RouteTable()
        self.intake = Intake(self.database, self.table, 50)
        self.ordinals = itertools.count(1)
        patience = Patience(0.0)
        acknowledgements = self.shop.drain._acknowledgements
        self.switch = Switch(self.shop.settings, self.table, acknowledgements, self.shop.keeper, patience)
        self.canary = Canary(
            self.database, self.table, self.shop.keeper, acknowledgements, UNREACHED, patience, 5.0
        )  # fmt: skip

    async def lists(
        self, *hosts: str | tuple[str, str], project: str = PROJECT, environment: str = "production"
    ) -> None:
        """A list of the control plane's; a pair is a host and where it redirects."""
        pairs = [(one, "") if isinstance(one, str) else one for one in hosts]
        listed = [{"host": host, "location": location, "status": 308} for host, location in pairs]
        await self.hand(DomainsChanged(project, environment, next(self.ordinals), listed))

    async def hand(self, event: Event) -> None:
        await self.intake.handle(Envelope(event, key="x"))

    async def begun(
        self, manifest: str, project: str = PROJECT, environment: str = "production", host: str = HOST
    ) -> tuple[Attempt, Release]:
        """A deployment of a static site that is about to flip."""
        release = Release(
            ids.new("rel"), ids.new("dep"), project, environment, "static", manifest, BuildPlan("static", "static"),
            False, {}, {"basic_auth": {"users": {"ann": "$sha256$c2FsdHNhbHQ$" + "A" * 43}}},
        )  # fmt: skip
        async with self.database.transaction() as tx:
            await tx.execute(
                "insert into deployments (id, project_id, environment, state, release_id, host, ordinal)"
                " values ($1, $2, $3, 'PROVISIONING', $4, $5, 1)",
                release.deployment_id, project, environment, release.id, host,
            )  # fmt: skip
            await save(tx, release, self.shop.sealer)
        lease = await Leases(self.database, "one", 3600.0).acquire(project, environment)
        assert lease is not None
        row = await self.database.fetchrow(SQL["get_deployment"], release.deployment_id)
        work = Work(cast("Row", row), lease, NO_TURN)
        return Attempt(work, cast("BuildLog", Silence()), Deadlines(self.shop.settings), Failpoints("")), release

    async def deploy(self, manifest: str, **place: str) -> Release:
        """Brings a static site live; what was live is INACTIVE then."""
        attempt, release = await self.begun(manifest, **place)
        row = await self.switch.flip(attempt, release, [])
        await self.switch.confirm(attempt, release, row)
        return release

    async def fail(self, attempt: Attempt) -> None:
        async with attempt.writing(Write.FAIL) as tx:
            await self.switch.undo(tx, attempt)
            await move(tx, attempt.id, State.FAILED, attempt.failed(INTERNAL("it failed")))

    async def routes(self) -> dict[str, dict[str, Any]]:
        """What the routers are told now, by host; they have nothing else."""
        rows = await self.database.fetch("select host, record from routes")
        truth = {row["host"]: row["record"] for row in rows}
        async with asyncio.timeout(10):
            while await self.database.fetchval("select count(*) from outbox where stream = 'routes'"):
                await asyncio.sleep(0.01)
        raw: Any = await self.shop.redis.hgetall(TABLE)
        copy = {field.decode(): orjson.loads(record) for field, record in raw.items()}
        assert {f"r:{host}/": record for host, record in truth.items()} == copy
        return truth

    async def releases(self) -> dict[str, str]:
        """Host to release, "" for a redirect."""
        return {host: record.get("release", "") for host, record in (await self.routes()).items()}


@pytest.fixture
async def stage(shop: Shop) -> Stage:
    return Stage(shop)


def same(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in ("host", "version")}


async def test_a_host_is_served_at_once_and_moves_with_deployments_rollbacks_and_failures(stage: Stage) -> None:
    await stage.lists("www.shop.test", "*.shop.test")
    assert await stage.routes() == {}  # nothing is live yet
    one = await stage.deploy("m1")
    everywhere = (HOST, "www.shop.test", "*.shop.test")
    assert await stage.releases() == dict.fromkeys(everywhere, one.id)
    two = await stage.deploy("m2")
    routes = await stage.routes()
    assert [same(routes[host]) for host in everywhere] == [same(routes[HOST])] * 3
    assert (routes["www.shop.test"]["manifest"], routes["www.shop.test"]["previous"]) == ("m2", "m1")
    assert "basic_auth" in routes["*.shop.test"]["rules"]
    attempt, three = await stage.begun("m3")
    await stage.switch.flip(attempt, three, [])
    assert await stage.releases() == dict.fromkeys(everywhere, three.id)
    await stage.lists("www.shop.test", "new.shop.test")  # while it is not confirmed
    assert await stage.releases() == dict.fromkeys((HOST, "www.shop.test", "new.shop.test"), three.id)
    await stage.fail(attempt)
    assert await stage.releases() == dict.fromkeys((HOST, "www.shop.test", "new.shop.test"), two.id)
    await stage.lists("new.shop.test")
    assert await stage.releases() == dict.fromkeys((HOST, "new.shop.test"), two.id)
    await stage.lists()
    assert await stage.releases() == {HOST: two.id}


async def test_the_first_deployment_that_fails_leaves_no_host_behind(stage: Stage) -> None:
    await stage.lists("www.shop.test")
    attempt, release = await stage.begun("m1")
    await stage.switch.flip(attempt, release, [])
    assert set(await stage.routes()) == {HOST, "www.shop.test"}
    await stage.fail(attempt)
    assert await stage.routes() == {}


async def test_a_flip_is_confirmed_when_the_routers_have_all_hosts(stage: Stage) -> None:
    await stage.lists(*(f"n{number}.shop.test" for number in range(20)))
    attempt, release = await stage.begun("m1")
    row = await stage.switch.flip(attempt, release, [])
    assert row["routes_version"] == max(record["version"] for record in (await stage.routes()).values())


async def test_a_redirect_keeps_path_and_query(stage: Stage) -> None:
    await stage.lists("www.shop.test", ("shop.test", "https://www.shop.test"))
    await stage.deploy("m1")
    record = (await stage.routes())["shop.test"]
    assert (record["kind"], record["project"]) == ("redirect", PROJECT)
    route = parse(record)
    assert isinstance(route, Route)
    assert route.policy is not None
    where = [route.policy.redirects[0].location(path, query) for path, query in ((b"/", b""), (b"/a b", b"c=d"))]
    assert where == [b"https://www.shop.test/", b"https://www.shop.test/a%20b?c=d"]
    await stage.lists("www.shop.test", "shop.test")
    assert (await stage.routes())["shop.test"]["kind"] == "static"


async def test_routers_find_the_nearest_of_the_hosts(stage: Stage) -> None:
    await stage.lists("*.shop.test", "xn--bcher-kva.shop.test")
    await stage.lists("api.shop.test", project="prj_2")
    ours = await stage.deploy("m1")
    theirs = await stage.deploy("m2", project="prj_2", host="two.localhost")
    table = Table()
    for record in (await stage.routes()).values():
        table.put(record)

    def found(host: str) -> str:
        route = table.find(host.encode(), b"/")
        return route.release if route else ""

    assert found("api.shop.test") == theirs.id
    assert found("xn--bcher-kva.shop.test") == found("deep.api.shop.test") == found("www.shop.test:443") == ours.id
    assert found("shop.test") == ""


async def test_a_canarys_share_is_that_of_every_host(stage: Stage) -> None:
    await stage.lists("www.shop.test")
    one = await stage.deploy("m1")
    attempt, two = await stage.begun("m2")
    trial = _Trial(read_plan({"steps": [10]}), (await stage.routes())[HOST], two)
    await stage.canary._shift(attempt, trial, 0, [])
    routes = await stage.routes()
    assert routes["www.shop.test"]["weights"] == [[one.id, 90], [two.id, 10]]
    assert same(routes["www.shop.test"]) == same(routes[HOST])
    await stage.lists("www.shop.test", "late.shop.test")
    assert (await stage.routes())["late.shop.test"]["weights"] == [[one.id, 90], [two.id, 10]]
    async with stage.database.transaction() as tx:
        await withdraw(tx, stage.table, attempt.id)
    assert not any("weights" in record for record in (await stage.routes()).values())


async def test_hosts_belong_to_their_environment_and_go_and_come_with_it(stage: Stage) -> None:
    preview = {"environment": "preview/next", "host": "blog--next.localhost"}
    await stage.lists("www.shop.test")
    await stage.lists("next.shop.test", environment="preview/next")
    live = await stage.deploy("m1")
    await stage.deploy("m2", **preview)
    await stage.hand(EnvironmentDeleted(PROJECT, "preview/next"))
    assert await stage.releases() == dict.fromkeys((HOST, "www.shop.test"), live.id)
    again = await stage.deploy("m3", **preview)  # the branch is back, and so is its domain
    assert (await stage.releases())["next.shop.test"] == again.id
    await stage.lists("next.shop.test", "www.shop.test")  # who gets it is told first: it is never nobody's
    await stage.lists(environment="preview/next")
    assert await stage.releases() == {
        **dict.fromkeys((HOST, "www.shop.test", "next.shop.test"), live.id),
        "blog--next.localhost": again.id,
    }
    await stage.hand(ProjectDeleted(PROJECT))
    assert await stage.routes() == {}
    await stage.lists()
    assert await stage.database.fetchval("select count(*) from hosts where project_id <> ''") == 0


async def test_a_host_that_another_project_gets_shows_nothing_of_the_one_before(stage: Stage) -> None:
    await stage.lists("www.shop.test")
    await stage.deploy("m1")
    await stage.lists("www.shop.test", project="prj_2")
    assert set(await stage.routes()) == {HOST}  # the new owner has deployed nothing yet
    await stage.deploy("m2")
    assert set(await stage.routes()) == {HOST}
    theirs = await stage.deploy("m3", project="prj_2", host="two.localhost")
    assert (await stage.releases())["www.shop.test"] == theirs.id
    await stage.hand(EnvironmentDeleted(PROJECT, "production"))
    assert set(await stage.routes()) == {"two.localhost", "www.shop.test"}


async def test_flips_and_lists_at_the_same_time_end_in_what_was_said_last(stage: Stage) -> None:
    async def flips(project: str, host: str) -> str:
        release = None
        for number in range(4):
            release = await stage.deploy(f"m{number}", project=project, host=host)
        assert release is not None
        return release.id

    async def moves() -> None:
        for _ in range(6):
            await stage.lists("a.test", "b.test", "own.test")
            await stage.lists("a.test", "b.test", project="prj_2")
            await stage.lists("own.test")

    one, two, _ = await asyncio.gather(flips(PROJECT, HOST), flips("prj_2", "two.localhost"), moves())
    assert await stage.releases() == {HOST: one, "own.test": one, "two.localhost": two, "a.test": two, "b.test": two}


class Lists(DomainsServicer):
    """A control plane that has lists."""

    def __init__(self, *lists: pb.HostList) -> None:
        self.lists = sorted(lists, key=lambda one: (one.project_id, one.environment))

    async def ListHosts(self, request: pb.ListHostsRequest, context: Any) -> pb.ListHostsResponse:  # noqa: N802
        after = (request.after_project_id, request.after_environment)
        return pb.ListHostsResponse(lists=[one for one in self.lists if (one.project_id, one.environment) > after][:1])


@pytest.fixture
async def control() -> AsyncIterator[Callable[[Lists], Awaitable[RpcClient]]]:
    opened: list[Any] = []

    async def serve(lists: Lists) -> RpcClient:
        server = RpcServer("127.0.0.1:0", "t")
        server.add(add_DomainsServicer_to_server, lists)
        client = RpcClient(f"127.0.0.1:{await server.start()}", "t")
        opened.extend((server, client))
        return client

    yield serve
    for server, client in zip(opened[::2], opened[1::2], strict=True):
        await client.close()
        await server.stop(0)


async def test_what_no_event_told_is_found_by_asking(
    stage: Stage, control: Callable[[Lists], Awaitable[RpcClient]]
) -> None:
    await stage.lists("a.test")  # 1
    await stage.lists("b.test", environment="preview/x")  # 2
    live = await stage.deploy("m1")
    hosts = [pb.Host(host="a.test", status=308), pb.Host(host="c.test", status=308)]
    lists = Lists(  # type: ignore[abstract]  # only what an orchestrator calls
        pb.HostList(project_id=PROJECT, environment="production", ordinal=5, hosts=hosts),
        pb.HostList(project_id=PROJECT, environment="preview/x", ordinal=2),  # as old as what is known
        pb.HostList(project_id="prj_2", environment="production", ordinal=4, hosts=hosts[:1]),
    )
    reconcile = Reconcile(stage.database, await control(lists), stage.table)
    assert await reconcile.sweep() == 2
    assert await stage.releases() == dict.fromkeys((HOST, "a.test", "c.test"), live.id)
    assert await reconcile.sweep() == 0
    assert await stage.database.fetchval("select project_id from hosts where host = 'b.test'") == PROJECT


# --- any order --------------------------------------------------------------------------------------------------------

PLACES = (("prj_1", "production"), ("prj_1", "preview/x"), ("prj_2", "production"))
NAMES = ("a.test", "b.test", "*.c.test")


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[DomainsChanged], dict[str, tuple[str, str]]]:
    """What a control plane told, in its order, and who has what at the end; a name has one holder at a time."""
    holders: dict[str, tuple[str, str]] = {}
    told = []
    for ordinal in range(1, draw(st.integers(1, 12)) + 1):
        place = draw(st.sampled_from(PLACES))
        free = [name for name in NAMES if holders.get(name, place) == place]
        mine = set(draw(st.lists(st.sampled_from(free), unique=True))) if free else set()
        holders = {name: holder for name, holder in holders.items() if holder != place} | dict.fromkeys(mine, place)
        hosts = [{"host": name, "location": "", "status": 308} for name in sorted(mine)]
        told.append(DomainsChanged(*place, ordinal, hosts))
    return told, holders


@pytest.fixture
def place(database_url: str) -> Iterator[tuple[asyncio.Runner, Database]]:
    migrate(database_url, "orchestrator")
    with asyncio.Runner() as runner:
        database = runner.run(Database.connect(database_url))
        yield runner, database
        runner.run(database.close())


def test_lists_in_any_order_and_twice_end_in_the_truth(place: tuple[asyncio.Runner, Database]) -> None:
    runner, database = place
    intake = Intake(database, RouteTable(), 50)

    async def play(order: list[DomainsChanged], truth: dict[str, tuple[str, str]]) -> None:
        await database.execute("truncate hosts, host_lists, routes, consumed_events, outbox")
        ordinals: dict[str, int] = {}
        for event in order:
            await intake.handle(Envelope(event, key="x"))
            for row in await database.fetch("select host, ordinal from hosts"):
                assert row["ordinal"] >= ordinals.get(row["host"], 0)
                ordinals[row["host"]] = row["ordinal"]
        rows = await database.fetch("select * from hosts where project_id <> ''")
        assert {row["host"]: (row["project_id"], row["environment"]) for row in rows} == truth

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(histories(), st.data())
    def check(history: tuple[list[DomainsChanged], dict[str, tuple[str, str]]], data: st.DataObject) -> None:
        told, truth = history
        again = data.draw(st.lists(st.sampled_from(told), max_size=4))
        order = data.draw(st.permutations(told + again))
        runner.run(play(order, truth))

    check()
