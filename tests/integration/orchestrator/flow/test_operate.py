"""What people see of running apps and do to them, over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from kernel.authority import Kind, Owners, Principal, Role, become, platform
from kernel.errors import ShipoffError
from kernel.events import AuditRecorded, decode
from kernel.rpc import RpcClient, RpcServer, wire
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import Process, Scaling
from orchestrator.cron.story import CronStory
from orchestrator.operate.door import RunningDoor
from orchestrator.operate.exec import ExecLimits, Execs
from orchestrator.operate.processes import Processes
from orchestrator.operate.usage import Meter
from orchestrator.release.release import Release
from proto.orchestrator.v1 import running_pb2 as pb
from proto.orchestrator.v1.running_pb2_grpc import RunningStub, add_RunningServicer_to_server
from tests.integration.orchestrator.flow.shop import ENVIRONMENT, PROJECT, SERVE, Shop, until

WIDE = ExecLimits(60.0, 60.0, 1 << 20)
WHERE: dict[str, Any] = {"project_id": PROJECT, "environment": ENVIRONMENT}


ROLES = {"owner": Role.OWNER, "viewer": Role.VIEWER}


async def ours(project_id: str) -> str:
    """Whose the shop's project is."""
    return "tem_1"


async def as_said(said: str) -> None:
    """A border for tests: the platform, a role on the team, or a stranger."""
    teams = {"tem_1": ROLES[said]} if said in ROLES else {"tem_2": Role.OWNER}
    become(platform("test") if said.startswith("platform:") else Principal(Kind.SESSION, "acc_1", teams=teams))


@pytest.fixture
async def door(shop: Shop) -> AsyncIterator[Callable[..., Any]]:
    """Makes stubs of a server with some limits."""
    opened: list[Any] = []

    async def make(limits: ExecLimits = WIDE) -> RunningStub:
        owners = Owners(ours)
        server = RpcServer("127.0.0.1:0", "t", admit=as_said)
        processes = Processes(shop.database, 5, shop.keeper.look)
        execs = Execs(shop.database, shop.instances, limits, owners)
        servicer = RunningDoor(processes, Meter(shop.driver), execs, CronStory(shop.database), owners)
        server.add(add_RunningServicer_to_server, servicer)
        client = RpcClient(f"127.0.0.1:{await server.start()}", "t")
        opened.extend((client.close, server.stop))
        return client.stub(RunningStub)

    yield make
    for close in opened:
        await close()


async def app(shop: Shop, *workers: Process) -> Release:
    plan = BuildPlan(
        "custom", "dynamic", "python", run="exec python3 serve.py", scaling=Scaling(min=1, max=3), workers=workers
    )
    release = await shop.release(plan, {"serve.py": SERVE}, {"COLOR": "red"})
    await shop.runs(release, 1)
    return release


async def listed(stub: Any) -> pb.ListProcessesResponse:
    found: pb.ListProcessesResponse = await stub.ListProcesses(pb.ListProcessesRequest(**WHERE))
    return found


async def test_processes_are_shown_with_what_they_use(shop: Shop, door: Any) -> None:
    release, stub = await app(shop, Process("mail", "exit 9")), await door()

    async def crashed() -> bool:
        return any(one.crash_looping for one in (await listed(stub)).processes)

    await until(crashed)
    found = await listed(stub)
    web, mail = found.processes
    assert (web.name, web.state, web.ready, web.desired, web.least, web.most) == ("web", "running", 1, 1, 1, 3)
    assert (mail.name, mail.kind, mail.state, mail.crashes >= 3) == ("mail", "worker", "crash_looping", True)
    (serving,) = [one for one in found.instances if one.process == "web"]
    assert (serving.release_id, serving.state, serving.measured) == (release.id, "ready", True)
    assert serving.memory_bytes > 1 << 20
    assert serving.cpu_s > 0
    ended = [one for one in found.instances if one.process == "mail" and one.ended_at_ms]
    assert {(one.state, one.reason, one.exit_status) for one in ended} == {("crashed", "exit", 9)}


async def test_a_number_set_by_hand_is_what_runs(shop: Shop, door: Any) -> None:
    release, stub = await app(shop), await door()
    answer = await stub.Scale(pb.ScaleRequest(**WHERE, process="web", least=2, most=2, account_id="acc_1"))
    assert (answer.process.desired, answer.process.changed_by) == (2, "acc_1")
    await shop.runs(release, 2)
    answer = await stub.Scale(pb.ScaleRequest(**WHERE, process="web", auto=True))
    assert (answer.process.least, answer.process.most) == (1, 3)
    await shop.runs(release, 1)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"process": "none", "least": 1, "most": 1}, "PROCESS_UNKNOWN"),
        ({"process": "web", "least": 3, "most": 2}, "SCALE_INVALID"),
        ({"process": "web", "least": 1, "most": 6}, "SCALE_INVALID"),
        ({"process": "web", "least": 1, "most": 1, "environment": "nowhere"}, "NOTHING_RUNS"),
    ],
)
async def test_what_cannot_be_scaled_is_refused(shop: Shop, door: Any, change: dict[str, Any], code: str) -> None:
    await app(shop)
    stub = await door()
    with pytest.raises(ShipoffError, match=code):
        await stub.Scale(pb.ScaleRequest(**{**WHERE, **change}))


async def test_a_restart_says_how_many_and_replaces_them(shop: Shop, door: Any) -> None:
    release, stub = await app(shop), await door()
    old = await shop.runs(release, 1)
    assert (await stub.Restart(pb.RestartRequest(**WHERE, account_id="acc_1"))).instances == 1

    async def replaced() -> bool:
        return len(await shop.served(release)) == 1 and not await shop.served(release) & old

    await until(replaced)


async def ran(stub: Any, inputs: Iterable[pb.ExecInput]) -> tuple[str, str, int]:
    """What a command said, and its status."""

    async def given() -> AsyncIterator[pb.ExecInput]:
        for one in inputs:
            yield one
        await done.wait()

    done, out, err, status = asyncio.Event(), b"", b"", 999
    async for output in stub.Exec(given()):
        out, err = out + output.stdout, err + output.stderr
        if output.WhichOneof("output") == "exit":
            status = output.exit.status
    done.set()
    return out.decode(), err.decode(), status


def start(*arguments: str, **options: Any) -> pb.ExecInput:
    return pb.ExecInput(start=pb.ExecStart(**WHERE, arguments=arguments, account_id="acc_1", **options))


async def test_a_command_runs_in_an_instance(shop: Shop, door: Any) -> None:
    release, stub = await app(shop), await door()
    (instance,) = await shop.runs(release, 1)
    said = await ran(stub, [start("sh", "-c", "echo $COLOR $SHIPOFF_INSTANCE; cat; echo bad >&2; exit 3"),
                            pb.ExecInput(data=b"given\n"), pb.ExecInput(end=True)])  # fmt: skip
    assert said == (f"red {instance}\ngiven\n", "bad\n", 3)
    assert (await ran(stub, [start("true", instance=instance[-6:])]))[2] == 0


async def test_a_terminal_has_the_size_that_was_asked_for(shop: Shop, door: Any) -> None:
    await app(shop)
    out, _, status = await ran(await door(), [start("stty", "size", tty=True, size=pb.ExecSize(rows=33, cols=77))])
    assert (out.strip(), status) == ("33 77", 0)


@pytest.mark.parametrize(
    ("limits", "command"),
    [
        (ExecLimits(60.0, 60.0, 100_000), "yes"),
        (ExecLimits(0.5, 60.0, 1 << 30), "while :; do echo on; sleep 0.05; done"),
        (ExecLimits(60.0, 0.5, 1 << 30), "sleep 60"),
    ],
    ids=["bytes", "time", "silence"],
)
async def test_a_command_is_bounded(shop: Shop, door: Any, limits: ExecLimits, command: str) -> None:
    await app(shop)
    with pytest.raises(ShipoffError, match="EXEC_ENDED"):
        await ran(await door(limits), [start("sh", "-c", command)])


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (start("true", instance="nothing"), "EXEC_NO_INSTANCE"),
        (start("true", process="none"), "EXEC_NO_INSTANCE"),
        (start(), "INVALID_ARGUMENT"),
        (start("a\0b"), "INVALID_ARGUMENT"),
        (pb.ExecInput(data=b"x"), "INVALID_ARGUMENT"),
    ],
)
async def test_what_cannot_run_is_refused(shop: Shop, door: Any, first: pb.ExecInput, code: str) -> None:
    await app(shop)
    with pytest.raises(ShipoffError, match=code):
        await ran(await door(), [first])


async def test_a_command_ends_with_who_asked_for_it(shop: Shop, door: Any) -> None:
    await app(shop)
    stub = await door()

    async def given() -> AsyncIterator[pb.ExecInput]:
        yield start("sh", "-c", "echo on; exec sleep 987")

    async for output in stub.Exec(given()):
        if b"on" in output.stdout:
            break

    async def gone() -> bool:
        out, _, _ = await ran(
            stub, [start("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), pb.ExecInput(end=True)]
        )
        return "sleep 987" not in out

    await until(gone)


async def refusals(stub: Any, said: str) -> list[str]:
    """What each call is refused with for somebody; "" for those that are not."""
    calls: list[Callable[[], Any]] = [
        lambda: stub.ListProcesses(pb.ListProcessesRequest(**WHERE)),
        lambda: stub.ListCrons(pb.ListCronsRequest(**WHERE)),
        lambda: stub.Scale(pb.ScaleRequest(**WHERE, process="web", auto=True)),
        lambda: stub.Restart(pb.RestartRequest(**WHERE)),
        lambda: typed(stub, "true"),
    ]
    wire.identity.set(said)
    found = []
    for call in calls:
        try:
            await call()
            found.append("")
        except ShipoffError as error:
            found.append(error.code)
    return found


async def audited(shop: Shop, count: int) -> list[AuditRecorded]:
    """The records on the stream, once there are so many."""

    async def sent() -> bool:
        return int(await shop.redis.xlen("audit")) >= count

    await until(sent)
    entries: Any = await shop.redis.xrange("audit")
    return [data for _, fields in entries if isinstance(data := decode(fields[b"e"]).data, AuditRecorded)]


async def typed(stub: Any, *arguments: str) -> None:
    async def inputs() -> AsyncIterator[pb.ExecInput]:
        yield pb.ExecInput(start=pb.ExecStart(**WHERE, arguments=arguments))

    async for _ in stub.Exec(inputs()):
        pass


async def test_who_may_not_is_refused_whatever_the_gateway_let_through(shop: Shop, door: Any) -> None:
    await app(shop)
    stub = await door()
    assert await refusals(stub, "stranger") == ["NO_SUCH_PROJECT"] * 5
    assert await refusals(stub, "viewer") == ["", "", *["PERMISSION_DENIED"] * 3]
    assert await refusals(stub, "owner") == [""] * 5
    told = await audited(shop, 3)
    assert [one.action for one in told] == ["process.scale", "environment.restart", "instance.exec"]
    assert [one.target for one in told[:2]] == ["web", ENVIRONMENT]
    assert (told[2].action, told[2].after["program"]) == ("instance.exec", "true")
    assert {(one.team_id, one.project_id, one.actor_id) for one in told} == {("tem_1", PROJECT, "acc_1")}
