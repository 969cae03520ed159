from control.gateway.live.watch import Step
from kernel.deployments import ANSWERED, State


def test_news_are_ordered_by_how_far_a_deployment_is() -> None:
    way = [
        Step(State.QUEUED, ""),
        Step(State.BUILDING, ""),
        Step(State.BUILDING, "fetch"),
        Step(State.BUILDING, "build"),
        Step(State.PROVISIONING, "start"),
        Step(State.PROVISIONING, "health"),
    ]
    orders = [step.order() for step in way]
    assert orders == sorted(set(orders))
    assert all(Step(state, "fetch").order() > orders[-1] for state in ANSWERED)


def test_a_stage_that_nobody_knows_is_no_progress() -> None:
    assert Step(State.BUILDING, "juggling").order() == Step(State.BUILDING, "").order()
