"""Wires the orchestrator together; the order of the lines is the order of start, and in reverse that of the stop."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from kernel.authority import Border, Owners
from kernel.database import Database, load_queries
from kernel.objects import ObjectStore, StoreSettings
from kernel.rpc import RpcClient, RpcServer
from kernel.sealing import Sealer, ring_of
from kernel.service import run
from kernel.streams import Consumer, OutboxRelay, connect
from kernel.telemetry import AdminDoor
from orchestrator.acknowledgements import Acknowledgements
from orchestrator.build.artifact import Artifacts
from orchestrator.build.builder import Builder
from orchestrator.build.caches import Caches
from orchestrator.build.checkout import Checkout
from orchestrator.build.elsewhere import Elsewhere
from orchestrator.build.fetch import Sources
from orchestrator.build.last_slugs import LastSlugs
from orchestrator.build.packing import Packing
from orchestrator.build.siblings import Siblings
from orchestrator.consumer import Intake
from orchestrator.cron.runner import Crons
from orchestrator.cron.story import CronStory
from orchestrator.deployment import Deployer
from orchestrator.domains.reconcile import Reconcile
from orchestrator.drivers.base import INSTANCE_LIMITS, Limits
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.layout import LocalConfig
from orchestrator.endpoints import Endpoints
from orchestrator.environments import Environments
from orchestrator.explaining import ExplainDoor
from orchestrator.instances import Instances
from orchestrator.jobs import Jobs
from orchestrator.keeper import Keeper
from orchestrator.leases import Leases
from orchestrator.logs import LogClient
from orchestrator.operate.door import RunningDoor
from orchestrator.operate.exec import ExecLimits, Execs
from orchestrator.operate.processes import Processes
from orchestrator.operate.sealing import sealing
from orchestrator.operate.usage import Meter
from orchestrator.patience import Patience
from orchestrator.release.canary import Canary
from orchestrator.release.cost import SwitchCost
from orchestrator.release.discarding import Discarding
from orchestrator.release.drain import Drain
from orchestrator.release.measured import Measurements
from orchestrator.release.retention import Retention
from orchestrator.routes import RouteTable
from orchestrator.scale.autoscaler import Autoscaler
from orchestrator.scale.wake import Waker
from orchestrator.scale.watch import ActivityWatch
from orchestrator.server import Door
from orchestrator.settings import OrchestratorSettings
from orchestrator.snapshot import Snapshot
from orchestrator.stages.building import Building
from orchestrator.stages.command import ReleaseCommand
from orchestrator.stages.deriving import Deriving
from orchestrator.stages.releasing import Releasing
from orchestrator.stages.switch import Switch
from orchestrator.starter import Starter
from orchestrator.turns import Turns
from proto.auth.v1.auth_pb2_grpc import AuthStub
from proto.auth.v1.keys import fetch as fetch_keys
from proto.orchestrator.v1.explain_pb2_grpc import add_ExplainServicer_to_server
from proto.orchestrator.v1.orchestrator_pb2_grpc import add_OrchestratorServicer_to_server
from proto.orchestrator.v1.running_pb2_grpc import add_RunningServicer_to_server
from proto.projects.v1.owners import team_of
from proto.projects.v1.projects_pb2_grpc import ProjectsStub
from proto.sealing.v1.sealing_pb2_grpc import add_SealingServicer_to_server

NAME = "orchestrator"
SQL = load_queries("orchestrator")


async def main(stop: asyncio.Event) -> None:  # noqa: PLR0915 - the order of start is one list
    """Runs until `stop` is set."""
    settings = OrchestratorSettings.from_process(NAME)
    async with AsyncExitStack() as stack:
        database = await Database.connect(settings.database_url, max_size=12)
        stack.push_async_callback(database.close)
        redis = connect(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        store = ObjectStore(StoreSettings.from_process(NAME))
        stack.push_async_callback(store.close)
        logs = LogClient(settings.logsink_address, settings.service_token)
        stack.push_async_callback(logs.close)

        relay = OutboxRelay(database, redis)
        relay.start()
        stack.push_async_callback(relay.stop)
        table = RouteTable()
        snapshot = Snapshot(database, redis, table)
        snapshot.start()
        stack.push_async_callback(snapshot.stop)

        driver = LocalDriver(local_config(settings))
        await driver.open()
        stack.push_async_callback(driver.close)
        artifacts = Artifacts(store, settings.work_dir / "slugs", note=partial(database.execute, SQL["note_use"]))
        sources = Sources(settings.gateway_url, settings.service_token)
        elsewhere = Elsewhere(private=settings.allow_private_sources, proxy=settings.https_proxy)
        sealer = Sealer(ring_of(settings.env_keys, settings.env_key))
        acknowledgements = Acknowledgements(redis)

        instances = Instances(database, driver, artifacts, logs, ceiling(settings))
        await instances.open()
        stack.push_async_callback(instances.close)
        drain = Drain(table, Endpoints(table), acknowledgements, instances, settings)
        starter = Starter(database, instances, settings.start_s)
        leases = Leases(database, settings.worker, settings.lease_s)
        keeper = Keeper(database, instances, table, drain, sealer, starter, leases)
        keeper.start()
        stack.push_async_callback(keeper.stop)
        crons = Crons(database, instances, starter, sealer, settings.grace_s)
        crons.start()
        stack.push_async_callback(crons.stop)
        waker = Waker(database, table, keeper.look)
        watch = ActivityWatch(redis, waker.wake)
        watch.start()
        stack.push_async_callback(watch.stop)
        autoscaler = Autoscaler(database, watch.signals, leases, waker.wake, keeper.look)
        autoscaler.start()
        stack.push_async_callback(autoscaler.stop)
        patience = Patience(settings.stage_s)
        projects = RpcClient(settings.projects_address, settings.service_token)
        stack.push_async_callback(projects.close)
        caches = Caches(database, store, settings.work_dir / "slugs")
        checkout = Checkout(sources, elsewhere, Siblings(projects), driver, patience)
        packing = Packing(artifacts, LastSlugs(database), driver, patience)
        builder = Builder(settings.work_dir, driver, checkout, caches, packing)
        releasing = Releasing(projects, sealer, patience, settings.apps_url)
        building = Building(builder, patience, releasing)
        deriving = Deriving(database, sealer, patience, releasing)
        discarding = Discarding(database, store, unused_s=2 * (settings.artifact_s + settings.release_s))
        retention = Retention(database, discarding, table, settings.keep_releases, settings.keep_days)
        retention.start()
        stack.push_async_callback(retention.stop)
        measurements = Measurements(redis)
        cost = SwitchCost(database, measurements, settings.drain_s)
        cost.start()
        stack.push_async_callback(cost.stop)
        switch = Switch(settings, table, acknowledgements, keeper, patience)
        command = ReleaseCommand(database, Jobs(database, instances), patience, settings.command_s)
        canary = Canary(database, table, keeper, acknowledgements, measurements, patience, settings.routers_s)
        deployer = Deployer(
            settings, database, building, deriving, command, canary, switch, keeper, patience, sealer, logs
        )
        turns = Turns(settings.builds, settings.queue_s)
        environments = Environments(database, leases, turns, deployer.deploy)
        environments.start()
        stack.push_async_callback(environments.stop)
        intake = Intake(database, table, settings.queue_limit)
        reconcile = Reconcile(database, projects, table)
        reconcile.start()
        stack.push_async_callback(reconcile.stop)
        consumer = Consumer(redis, "deployments", NAME, settings.worker, intake.handle)
        consumer.start()
        stack.push_async_callback(consumer.stop)

        auth = RpcClient(settings.auth_address, settings.service_token)
        stack.push_async_callback(auth.close)
        owners = Owners(partial(team_of, projects.stub(ProjectsStub)))
        server = RpcServer(
            settings.listen, settings.service_token, admit=Border(partial(fetch_keys, auth.stub(AuthStub))).enter
        )
        processes = Processes(database, settings.instances_most, keeper.look)
        execs = Execs(
            database, instances, ExecLimits(settings.exec_s, settings.exec_idle_s, settings.exec_bytes), owners
        )
        running = RunningDoor(processes, Meter(driver), execs, CronStory(database), owners)
        server.add(add_RunningServicer_to_server, running)
        server.add(add_OrchestratorServicer_to_server, Door(database, owners))
        server.add(add_ExplainServicer_to_server, ExplainDoor(database, redis, owners))
        server.add(add_SealingServicer_to_server, sealing(database, sealer))
        await server.start()
        stack.push_async_callback(server.stop)

        async def ready() -> str:
            await database.ping()
            if not snapshot.settled.is_set():
                return "the route snapshot is not checked yet"
            return "" if keeper.settled.is_set() else "what served before is still starting"

        host, _, port = settings.admin.rpartition(":")
        door = AdminDoor(host, int(port), ready)
        await door.start()
        stack.push_async_callback(door.stop)
        await stop.wait()


def ceiling(settings: OrchestratorSettings) -> Limits:
    """What one instance gets at most."""
    return replace(
        INSTANCE_LIMITS,
        memory_bytes=settings.instance_memory,
        processes=settings.instance_processes,
        cpus=settings.instance_cpus,
    )


def local_config(settings: OrchestratorSettings) -> LocalConfig:
    """The local driver's part of the settings."""
    return LocalConfig(
        work_dir=settings.work_dir,
        run_dir=settings.run_dir,
        runtimes_dir=Path(settings.runtimes_dir) if settings.runtimes_dir else None,
        owner_pid=settings.owner_pid,
        upstream_proxy=settings.https_proxy,
        egress_allow=tuple(settings.egress_allow.split()),
    )


if __name__ == "__main__":
    run(NAME, main)
