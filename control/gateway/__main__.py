"""The gateway process: `python -m control.gateway`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from aiohttp import web

from control.gateway.app import make_app
from control.gateway.call import Parts
from control.gateway.clients import Clients
from control.gateway.frame.idempotency import Replays
from control.gateway.frame.limits import Limiter
from control.gateway.git.backend import Backend, Limits
from control.gateway.git.command import Git
from control.gateway.git.config import GitConfig
from control.gateway.git.deploy import Deployer
from control.gateway.git.door import GitDoor
from control.gateway.git.narrate import Narrator
from control.gateway.git.pushes import Pushes
from control.gateway.git.repos import Repos
from control.gateway.live.view import LiveView
from control.gateway.settings import GatewaySettings
from control.gateway.webhooks.reception import Reception
from kernel.errors import UNAVAILABLE
from kernel.service import run
from kernel.streams import connect
from kernel.telemetry import AdminDoor

SHUTDOWN_S = 2.0


async def main(stop: asyncio.Event) -> None:
    """Starts the parts, serves, and stops them in the reverse order."""
    settings = GatewaySettings.from_process("gateway")
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(Clients(settings))
        redis = connect(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        live = LiveView(redis)
        live.start()
        stack.push_async_callback(live.stop)
        git, pushes = await _git_door(settings, clients, live, stack)
        replays = Replays(redis, settings.service_token)
        parts = Parts(settings, clients, live, git, Reception(clients), Limiter(redis), replays)
        await _serve(settings, parts, stack)
        stack.push_async_callback(pushes.stop)  # the first to stop: people are told while their connections last
        host, _, port = settings.admin.rpartition(":")
        door = AdminDoor(host, int(port), clients.missing)
        await door.start()
        stack.push_async_callback(door.stop)
        await stop.wait()


async def _git_door(
    settings: GatewaySettings, clients: Clients, live: LiveView, stack: AsyncExitStack
) -> tuple[GitDoor, Pushes]:
    folder = stack.enter_context(_private_folder(settings.run_dir))
    settings.repos_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = GitConfig(folder, settings.push_bytes)
    config.write()
    git = Git(config)
    # A pack is a little larger than what is in it: git's own limit speaks first.
    limits = Limits(settings.git_s, settings.git_idle_s, settings.push_bytes + settings.push_bytes // 10)
    backend = Backend(git, await git.backend(), str(settings.repos_dir.resolve()), limits)
    deployer = Deployer(clients, git, Narrator(clients, live), settings.push_wait_s)
    pushes = Pushes(folder / "hook.sock", deployer)
    await pushes.start()
    return GitDoor(settings, clients, git, Repos(settings.repos_dir.resolve(), git), backend, pushes), pushes


async def _serve(settings: GatewaySettings, parts: Parts, stack: AsyncExitStack) -> None:
    # Bodies stay as they were sent: git's http-backend inflates its own, and the API takes none that are compressed.
    runner = web.AppRunner(
        make_app(parts),
        access_log=None,
        handler_cancellation=True,
        auto_decompress=False,
        keepalive_timeout=75.0,
        shutdown_timeout=SHUTDOWN_S,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, _, port = settings.listen.rpartition(":")
    try:
        await web.TCPSite(runner, host, int(port)).start()
    except OSError as error:
        raise UNAVAILABLE(f"cannot listen on {settings.listen}", hint="is it in use?") from error


@contextmanager
def _private_folder(run_dir: Path | None) -> Iterator[Path]:
    """A folder of the gateway's own for configuration and the hooks' socket; a temporary one goes with the process."""
    if run_dir is not None:
        folder = run_dir.resolve() / "gateway"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield folder
        return
    made = Path(tempfile.mkdtemp(prefix="shipoff-gateway-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


if __name__ == "__main__":
    run("gateway", main)
