"""`shipoff up` from its first start to its violent end."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from kernel.objects import ObjectStore, StoreSettings
from kernel.streams import connect
from stack.orphans import descendants_of
from tests.integration.stack.stacks import Stack, shipoff

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """A stack in a directory whose path is longer than a unix socket's may be."""
    with tempfile.TemporaryDirectory(prefix="shipoff-up-") as scratch:
        stack = Stack(Path(scratch, "a-long-name-" + "x" * 100, "state"))
        stack.up()
        yield stack
        stack.down()
        stack.until_gone()


def test_status_names_every_process_and_address(running: Stack) -> None:
    found = running.status()
    assert found["state"] == "ready"
    assert {row["state"] for row in found["services"]} == {"ready"}
    servers = {"postgres", "valkey", "seaweed"}
    services = {"auth", "projects", "orchestrator", "logsink", "gateway", "router"}
    assert {row["name"] for row in found["services"]} == servers | services
    for row in found["services"]:
        os.kill(row["pid"], 0)
    assert found["urls"]["projects"] == {}
    for door in ("gateway", "router"):
        assert found["urls"][door].startswith("http://127.0.0.1:")
    assert found["memory"]["platform_mb"] > 50


def test_the_first_start_prints_owner_and_token_once(running: Stack) -> None:
    assert running.output.count("token  ") == 1
    token = next(line.split()[1] for line in running.output.splitlines() if line.strip().startswith("token"))
    assert token.startswith("shp_")
    for path in running.directory.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".log", ".err", ".conf", ".toml"):
            assert token not in path.read_text(errors="replace"), path


def test_a_second_up_on_the_directory_is_refused(running: Stack) -> None:
    done = shipoff("up", "--dir", str(running.directory))
    assert done.returncode == 1
    assert "STACK_RUNNING" in done.stderr
    assert "shipoff down" in done.stderr


def test_no_secret_stands_in_arguments_and_no_secret_file_is_readable_by_others(running: Stack) -> None:
    secrets = [value.encode() for name, value in running.secrets().items() if name != "s3_access"]
    owner = running.status()["pid"]
    for pid in [owner, *descendants_of(owner)]:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert not [secret for secret in secrets if secret in arguments], arguments
    for path in running.directory.iterdir():
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("name", ["postgres", "valkey", "seaweed", "auth", "gateway"])
def test_a_killed_unit_comes_back(running: Stack, name: str) -> None:
    pid = running.services()[name]["pid"]
    os.kill(pid, signal.SIGKILL)
    running.until_ready_again(name, pid)


def test_services_outlive_the_process_that_forked_them(running: Stack) -> None:
    before = running.services()
    for pid in descendants_of(running.status()["pid"]):
        if b"stack.zygote" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    assert {name: row["pid"] for name, row in running.services().items()} == {
        name: row["pid"] for name, row in before.items()
    }
    os.kill(before["logsink"]["pid"], signal.SIGKILL)  # and can still be started again
    running.until_ready_again("logsink", before["logsink"]["pid"])


def test_a_token_can_be_made_later(running: Stack) -> None:
    token = shipoff("token", "--dir", str(running.directory)).stdout.strip()
    assert _answers(running, token) == 200
    assert _answers(running, token + "x") == 401


async def test_a_killed_platform_leaves_nothing_running_and_keeps_its_data(running: Stack, tmp_path: Path) -> None:
    stack = Stack(tmp_path / "second")
    stack.up()  # beside the other, whose ports it must avoid
    pids = {row["pid"] for row in stack.services().values()}
    assert not pids & {row["pid"] for row in running.services().values()}
    token = shipoff("token", "--dir", str(stack.directory)).stdout.strip()
    assert _answers(running, token) == 401
    await _write(stack)

    os.kill(stack.status()["pid"], signal.SIGKILL)
    stack.until_gone()
    assert stack.status()["state"] == "stopped"

    again = stack.up()
    assert "token  " not in again
    assert _answers(stack, token) == 200
    await _read(stack)
    stack.down()
    assert stack.processes() == []
    assert not Path(stack.kept("run")["run_dir"]).exists()
    assert shipoff("status", "--dir", str(stack.directory)).returncode == 3


def test_existing_servers_are_used_instead_of_ours(
    postgres_url: str, redis_url: str, store_settings: StoreSettings, tmp_path: Path
) -> None:
    variables = {
        "SHIPOFF_STACK_POSTGRES_URL": postgres_url,
        "SHIPOFF_STACK_REDIS_URL": redis_url,
        "SHIPOFF_STACK_S3_ENDPOINT": store_settings.s3_endpoint,
        "SHIPOFF_STACK_S3_ACCESS_KEY": store_settings.s3_access_key,
        "SHIPOFF_STACK_S3_SECRET_KEY": store_settings.s3_secret_key,
        "SHIPOFF_STACK_S3_BUCKET": "made-by-up",
    }
    stack = Stack(tmp_path / "state", variables=variables)
    stack.up()
    try:
        found = stack.services()
        assert not {"postgres", "valkey", "seaweed"} & found.keys()
        assert {row["state"] for row in found.values()} == {"ready"}
    finally:
        stack.down()


def test_a_server_that_cannot_be_reached_fails_the_start(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "state")
    done = shipoff(
        "up", "--no-demo", "--dir", str(stack.directory), "--postgres-url", "postgresql://nobody@127.0.0.1:1/none"
    )
    assert done.returncode == 1
    assert "prepare" in done.stderr
    assert "refused" in done.stderr
    assert stack.processes() == []


def _answers(stack: Stack, token: str) -> int:
    request = urllib.request.Request(
        stack.status()["urls"]["gateway"] + "/v1/projects", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def _write(stack: Stack) -> None:
    store, redis = _clients(stack)
    try:
        await store.put("kept", b"object")
        await redis.set("kept", "value")
    finally:
        await store.close()
        await redis.aclose()


async def _read(stack: Stack) -> None:
    store, redis = _clients(stack)
    try:
        assert await store.get("kept") == b"object"
        assert await redis.get("kept") == b"value"
    finally:
        await store.close()
        await redis.aclose()


def _clients(stack: Stack) -> tuple[ObjectStore, Redis]:
    secrets = stack.secrets()
    settings = StoreSettings(
        s3_endpoint=f"http://127.0.0.1:{stack.kept('ports')['seaweed.s3']}",
        s3_access_key=secrets["s3_access"],
        s3_secret_key=secrets["s3_secret"],
    )
    run_dir = stack.kept("run")["run_dir"]  # pytest's folders are too long for a socket
    return ObjectStore(settings), connect(f"unix://{run_dir}/valkey.sock?password={secrets['valkey']}")
