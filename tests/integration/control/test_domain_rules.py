"""Who holds a name, under hypothesis: claims, records, faults, sales and deleted projects in any order, and at once.

The rules use the product's own service and looks on a real Postgres and a real name server. Whatever they are played
in, a name is one project's, was proven when it became so, is not lost while its proof stands, and what the routers are
told, in whatever order they hear it, ends in the same.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from control.projects.domains.names import base_of, covering, is_wildcard
from control.projects.previews.service import PreviewLimits
from control.projects.server import ProjectsServer
from kernel.authority import acting_as, platform
from kernel.database import Database, migrate
from kernel.errors import ShipoffError
from kernel.events import DomainsChanged
from kernel.sealing import Sealer
from proto.projects.v1 import projects_pb2
from tests.integration.control import dns
from tests.integration.control.realm import APPS, NO_CONTEXT, Realm

T = TypeVar("T")
TEAMS = {"blog": "tem_a", "shop": "tem_b", "docs": "tem_a"}
NAMES = ("*.x.test", "w.x.test")
PROJECT, NAME = st.sampled_from(sorted(TEAMS)), st.sampled_from(NAMES)
HELD = ("verified", "failing")


@dataclass
class World:
    """A realm on a loop of its own, and what was seen to be so."""

    runner: asyncio.Runner
    realm: Realm
    ids: dict[str, str] = field(default_factory=dict)
    teams: dict[str, str] = field(default_factory=dict)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        async def as_platform() -> T:
            with acting_as(platform("test")):
                return await work

        return self.runner.run(as_platform())

    def attempt(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The same; None when it is refused for a reason that people are told."""
        try:
            return self.run(work)
        except ShipoffError as refused:
            if refused.status not in (404, 409, 422):
                raise
            return None

    async def clear(self) -> None:
        await self.realm.database.execute("truncate projects, domains, domain_lists, domain_holders, outbox cascade")
        names = self.realm.names
        for kept in (names.texts, names.aliases, names.faults):
            kept.clear()
        self.teams = dict(TEAMS)
        for name in TEAMS:
            await self.begin(name)

    async def begin(self, project: str) -> None:
        """A project, and its claims to all names."""
        self.ids[project] = await self.realm.project(project, self.teams[project])
        for name in NAMES:
            await self.realm.add(self.ids[project], name)

    async def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Claims by project's name and name."""
        found = await self.realm.database.fetch(
            "select d.*, p.name as project from domains d join projects p on p.id = d.project_id"
        )
        return {(row["project"], row["name"]): dict(row) for row in found}

    async def past(self) -> dict[str, str]:
        """Which team held a name last."""
        return {row["name"]: row["team_id"] for row in await self.realm.database.fetch("select * from domain_holders")}

    def has_text(self, row: dict[str, Any]) -> bool:
        said = self.realm.names.texts.get(f"_shipoff.{base_of(row['name'])}", [])
        return f"shipoff-verification={row['token']}" in said

    def has_alias(self, row: dict[str, Any]) -> bool:
        target = APPS.host(row["project"])
        return not is_wildcard(row["name"]) and self.realm.names.aliases.get(row["name"]) == target


class Owners(RuleBasedStateMachine):
    """What happens, in any order."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world.run(self.world.clear())

    @rule(project=PROJECT, name=NAME)
    def a_project_gives_a_name_up_and_claims_it_anew(self, project: str, name: str) -> None:
        self.world.attempt(self.world.realm.remove(self.world.ids[project], name))
        self.world.attempt(self.world.realm.add(self.world.ids[project], name))

    @rule(project=PROJECT, name=NAME, alone=st.booleans())
    def the_text_of_a_claim_is_added(self, project: str, name: str, alone: bool) -> None:
        row = self.world.run(self.world.rows()).get((project, name))
        if row is not None:
            where, texts = f"_shipoff.{base_of(name)}", self.world.realm.names.texts
            texts[where] = [*([] if alone else texts.get(where, [])), f"shipoff-verification={row['token']}"]

    @rule(name=NAME)
    def all_records_of_a_name_go(self, name: str) -> None:
        self.world.realm.names.forget(name, f"_shipoff.{base_of(name)}")

    @rule(project=PROJECT, name=NAME, look=st.booleans())
    def a_name_becomes_an_alias_of_a_projects_host(self, project: str, name: str, look: bool) -> None:
        self.world.realm.names.cname(name, APPS.host(project))
        if look:
            self.somebody_asks_for_a_look(project, name)

    @rule(broken=st.booleans())
    def the_zone_breaks_or_is_mended(self, broken: bool) -> None:
        if broken:
            self.world.realm.names.fail("x.test", dns.SERVFAIL)
        else:
            self.world.realm.names.faults.clear()

    @rule(project=PROJECT, name=NAME)
    def somebody_asks_for_a_look(self, project: str, name: str) -> None:
        before, past = self.world.run(self.world.rows()), self.world.run(self.world.past())
        self.world.attempt(self.world.realm.check(self.world.ids[project], name))
        self._compare(before, past)

    @rule(name=NAME)
    def all_who_claim_a_name_ask_at_once(self, name: str) -> None:
        before, past = self.world.run(self.world.rows()), self.world.run(self.world.past())

        async def all_at_once() -> None:
            checks = [self.world.realm.check(self.world.ids[project], name) for project in TEAMS]
            answers = await asyncio.gather(*checks, return_exceptions=True)
            assert all(not isinstance(one, Exception) or isinstance(one, ShipoffError) for one in answers)

        self.world.run(all_at_once())
        # Which of those that have proven it comes first is open, so who was last may have changed in between.
        self._compare(before, past, together=True)

    @precondition(lambda self: not self.world.realm.names.faults)
    @rule(days=st.sampled_from((1.5, 8.0)))
    def days_pass(self, days: float) -> None:
        before, past = self.world.run(self.world.rows()), self.world.run(self.world.past())

        async def later() -> None:
            await self.world.realm.pass_days(days)
            await self.world.realm.rechecks.sweep()

        self.world.run(later())
        self._compare(before, past, together=True)

    @rule(project=PROJECT, same=st.booleans())
    def a_project_is_deleted_and_somebody_takes_its_name(self, project: str, same: bool) -> None:
        async def again() -> None:
            request = projects_pb2.DeleteProjectRequest(project_id=self.world.ids[project])
            await self.world.realm.projects.DeleteProject(request, NO_CONTEXT)
            if not same:
                self.world.teams[project] = "tem_b" if self.world.teams[project] == "tem_a" else "tem_a"
            await self.world.begin(project)

        self.world.run(again())

    @invariant()
    def a_name_is_one_projects_and_routers_end_in_the_truth(self) -> None:
        rows = self.world.run(self.world.rows())
        held = {name: self.world.ids[project] for (project, name), row in rows.items() if row["state"] in HELD}
        assert len(held) == sum(row["state"] in HELD for row in rows.values())
        told = [one for one in self.world.run(self.world.realm.told()) if isinstance(one, DomainsChanged)]
        random.Random(len(told)).shuffle(told)
        assert _heard(told) == held

    def _compare(
        self, before: dict[tuple[str, str], dict[str, Any]], past: dict[str, str], *, together: bool = False
    ) -> None:
        """What a look changed was right to be changed."""
        broken = bool(self.world.realm.names.faults)
        for key, row in self.world.run(self.world.rows()).items():
            was, is_ = before[key]["state"] in HELD, row["state"] in HELD
            if is_ and not was:
                assert not broken
                assert self.world.has_text(row) or (
                    self.world.has_alias(row) and self._free(row, before, past, together)
                )
            if was and not is_:
                assert not broken
                assert not self.world.has_text(row)
                assert not self.world.has_alias(row)

    def _free(
        self, row: dict[str, Any], before: dict[tuple[str, str], dict[str, Any]], past: dict[str, str], together: bool
    ) -> bool:
        """Whether an alias was enough."""
        team = self.world.teams[row["project"]]
        if past.get(row["name"], team) != team:
            return False
        others = {
            name
            for (project, name), one in before.items()
            if one["state"] in HELD and self.world.teams[project] != team
        }
        return together or not others & set(covering(row["name"]))


def _heard(told: list[DomainsChanged]) -> dict[str, str]:
    """Who has a host, for somebody who hears lists in this order: the rule of orchestrator/domains/hosts.py."""
    newest: dict[tuple[str, str], int] = {}
    holders: dict[str, tuple[int, str]] = {}
    for one in told:
        place = (one.project_id, one.environment)
        if newest.get(place, 0) >= one.ordinal:
            continue
        newest[place] = one.ordinal
        listed = {host["host"] for host in one.hosts}
        for name, (ordinal, project) in holders.items():
            if project == one.project_id and name not in listed:
                holders[name] = (ordinal, "")
        for name in listed:
            if holders.get(name, (0, ""))[0] < one.ordinal:
                holders[name] = (one.ordinal, one.project_id)
    return {name: project for name, (_, project) in holders.items() if project}


@pytest.fixture
def world(database_url: str, names: dns.Names) -> Iterator[World]:
    migrate(database_url, "control.projects")
    with asyncio.Runner() as runner:
        database = runner.run(Database.connect(database_url, max_size=8))
        sealer = Sealer(base64.b64encode(bytes(32)).decode())
        yield World(runner, Realm(database, ProjectsServer(database, sealer, PreviewLimits(2, 7)), names))
        runner.run(database.close())


@pytest.mark.timeout(300)  # a failure is made small first
def test_whatever_happens_in_whatever_order_a_name_is_held_by_the_rules(world: World) -> None:
    class Played(Owners):
        pass

    Played.world = world
    some = settings(max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Played, settings=some)
