"""What a record of a change says of the call that made it."""

from datetime import UTC, datetime

from kernel import audit
from kernel.authority import Kind, Principal, acting_as, platform
from kernel.telemetry import request_id


def test_a_record_names_who_asks_and_from_where() -> None:
    request_id.set("req_1")
    who = Principal(Kind.TOKEN, "acc_1", "ada@example.org", "tok_1", address="192.0.2.1")
    with acting_as(who):
        made = audit.about("env.set", team_id="tem_1", project_id="prj_1", target="KEY", after={"name": "KEY"})
    assert (made.actor_kind, made.actor_id, made.credential_id) == ("token", "acc_1", "tok_1")
    assert (made.address, made.request_id, made.before, made.after) == ("192.0.2.1", "req_1", {}, {"name": "KEY"})
    request_id.set("")


def test_the_platform_is_an_actor_of_its_own() -> None:
    with acting_as(platform("orchestrator")):
        made = audit.about("project.delete", team_id="tem_1")
    assert (made.actor_kind, made.actor_id) == ("platform", "orchestrator")


def test_fields_become_plain_and_too_many_do_not_make_a_change_fail() -> None:
    made = audit.about("a.b", team_id="tem_1", before={"at": datetime(2026, 1, 2, tzinfo=UTC), "tags": {"x"}})
    assert made.before == {"at": "2026-01-02T00:00:00+00:00", "tags": "{'x'}"}
    assert list(audit.about("a.b", team_id="tem_1", after={"x": "y" * 40_000}).after) == ["omitted_bytes"]
