"""What a command in an instance promises: the app's own surroundings, its streams, its status, and its end with us."""

import pytest

from kernel.errors import ShipoffError
from orchestrator.drivers.base import Command
from tests.contract.driver.bench import SERVE, Bench, heard, until


async def test_it_runs_in_the_apps_surroundings(bench: Bench) -> None:
    info = await bench.start(SERVE, env={"COLOR": "red"})
    status, said, _ = await bench.run(info.instance_id, "sh", "-c", "pwd; ls; echo $COLOR; id -un")
    assert status == 0
    assert said.splitlines() == ["/app", "serve.py", "red", "app"]


async def test_its_streams_are_told_apart_and_its_status_is_told(bench: Bench) -> None:
    info = await bench.start("sleep 60")
    assert await bench.run(info.instance_id, "sh", "-c", "cat; echo bad >&2; exit 3", given=b"given\n") == (
        3, "given\n", "bad\n",
    )  # fmt: skip
    assert (await bench.run(info.instance_id, "sh", "-c", "kill -9 $$"))[0] == -9


async def test_much_goes_in_and_out(bench: Bench) -> None:
    info = await bench.start("sleep 60")
    session = await bench.driver.exec(info.instance_id, Command(["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"]))
    assert len((await heard(session))["stdout"]) == 3_000_000
    await session.close()
    status, said, _ = await bench.run(info.instance_id, "wc", "-c", given=b"y" * 40_000)
    assert (status, int(said)) == (0, 40_000)


async def test_a_terminal_is_one(bench: Bench) -> None:
    info = await bench.start("sleep 60")
    command = Command(["sh", "-c", "test -t 0 && stty size; read x; stty size; echo $TERM $x"], True, 30, 90, "vt100")
    session = await bench.driver.exec(info.instance_id, command)
    await heard(session, "30 90")
    session.resize(40, 100)
    await session.write(b"typed\n")
    said = (await heard(session))["stdout"]
    assert "40 100" in said
    assert "vt100 typed" in said
    assert await session.wait() == 0
    await session.close()


async def test_an_interrupt_typed_into_a_terminal_reaches_the_command(bench: Bench) -> None:
    info = await bench.start("sleep 60")
    session = await bench.driver.exec(info.instance_id, Command(["sh", "-c", "echo on; exec sleep 60"], tty=True))
    await heard(session, "on")
    await session.write(b"\x03")
    assert await session.wait() == -2
    await session.close()


async def test_it_ends_when_we_let_go(bench: Bench) -> None:
    info = await bench.start("sleep 60")
    session = await bench.driver.exec(info.instance_id, Command(["sh", "-c", "echo on; sleep 4242"]))
    await heard(session, "on")
    await session.close()

    async def gone() -> bool:
        _, said, _ = await bench.run(info.instance_id, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        return "sleep 4242" not in said

    await until(gone)


async def test_it_ends_with_the_instance(bench: Bench) -> None:
    info = await bench.start("sleep 60")
    session = await bench.driver.exec(info.instance_id, Command(["sh", "-c", "echo on; sleep 60"]))
    await heard(session, "on")
    await bench.driver.stop(info.instance_id, 0)
    assert await session.wait() == -9
    await session.close()


async def test_few_run_at_once_and_the_app_does_not_notice(bench: Bench) -> None:
    info = await bench.start(SERVE)
    sessions = [await bench.driver.exec(info.instance_id, Command(["sleep", "60"])) for _ in range(8)]
    with pytest.raises(ShipoffError, match="EXEC_FAILED"):
        await bench.driver.exec(info.instance_id, Command(["true"]))
    assert (await bench.get(info.address)).endswith(b"hello")
    for session in sessions:
        await session.close()


async def test_what_cannot_run_is_told(bench: Bench) -> None:
    info = await bench.start("sleep 60")
    status, _, said = await bench.run(info.instance_id, "no-such-program")
    assert (status, "no-such-program" in said) == (127, True)
    await bench.driver.stop(info.instance_id, 0)
    with pytest.raises(ShipoffError, match="EXEC_FAILED"):
        await bench.driver.exec(info.instance_id, Command(["true"]))
    with pytest.raises(ShipoffError, match="INSTANCE_UNKNOWN"):
        await bench.driver.exec("ins_unknown", Command(["true"]))
