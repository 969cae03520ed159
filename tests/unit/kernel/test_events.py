import orjson
import pytest

from kernel import events
from kernel.errors import ShipoffError


def envelope() -> events.Envelope:
    return events.Envelope(events.DeploymentRequested("dep_1", "prj_1", "production"), key="prj_1/production")


def test_an_envelope_survives_the_wire() -> None:
    sent = envelope()
    assert events.decode(sent.encode()) == sent


def test_fields_of_a_newer_producer_are_ignored() -> None:
    raw = orjson.loads(envelope().encode())
    raw["data"]["colour"] = "blue"
    raw["origin"] = "elsewhere"
    assert events.decode(orjson.dumps(raw)).data == envelope().data


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw["data"].pop("project_id"),
        lambda raw: raw["data"].update(project_id=7),
        lambda raw: raw.update(type="deployment.unheard_of"),
        lambda raw: raw.pop("id"),
        lambda raw: raw.update(data=[]),
    ],
)
def test_a_malformed_event_is_refused_by_name(damage: object) -> None:
    raw = orjson.loads(envelope().encode())
    damage(raw)  # type: ignore[operator]
    with pytest.raises(ShipoffError) as caught:
        events.decode(orjson.dumps(raw))
    assert caught.value.code == "EVENT_MALFORMED"


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{", b"\xff", b'{"type": []}'])
def test_what_is_no_envelope_is_refused_by_name(raw: bytes) -> None:
    with pytest.raises(ShipoffError) as caught:
        events.decode(raw)
    assert caught.value.code == "EVENT_MALFORMED"


def test_true_is_no_number() -> None:
    raw = orjson.loads(events.Envelope(events.TableEpoch("epo_1", 3), key="routes").encode())
    raw["data"]["version"] = True
    with pytest.raises(ShipoffError):
        events.decode(orjson.dumps(raw))


def test_a_type_declared_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        events.event(events.RoutePut)
