"""An hour of changes and faults, in an order that a seed decides: `make soak ARGS="--minutes 60 --seed 1"`.

An app is visited without a pause. Its owner deploys, rolls back, tries canaries and scales; in two of three changes
something is taken away meanwhile (faults.py of the fault tests). After each change the app serves what was asked for,
as many instances run as are wanted and none besides; no request ever failed; nothing has grown at the end.
"""

import random
import threading
import time
from collections import Counter

import pytest

from tests.e2e.world import Visitors
from tests.integration.orchestrator.faults.app import NAME, App
from tests.integration.orchestrator.faults.faults import FAULTS, heal
from tests.integration.orchestrator.faults.rig import Rig
from tests.soak.footprint import Footprint, footprints, grown
from tests.soak.owner import Owner


def _suffer(rig: Rig, fault: str, after_s: float) -> threading.Thread:
    def strike() -> None:
        time.sleep(after_s)
        FAULTS[fault](rig)

    thread = threading.Thread(target=strike, name=fault)
    thread.start()
    return thread


@pytest.mark.timeout(0)
def test_nothing_is_lost_and_nothing_grows(
    rig: Rig, app: App, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    minutes, seed = request.config.getoption("--minutes"), request.config.getoption("--seed")
    order, ends = random.Random(seed), time.monotonic() + 60 * minutes
    faults = [name for name in FAULTS if rig.clock is not None or "clock" not in name]
    owner, done, suffered = Owner(app, order), Counter[str](), Counter[str]()
    samples: list[dict[str, Footprint]] = []
    app.version += 1
    app.write()
    assert app.repository.push().status == 0  # there is something to roll back to
    with Visitors(rig.platform, NAME) as visitors:
        while time.monotonic() < ends:
            change = order.choice(owner.changes)
            fault = order.choice([*faults, *[""] * (len(faults) // 2)])
            with capsys.disabled():
                print(f"{change.__name__:<14} {fault or '-':<36} {visitors.answers} requests", flush=True)
            striking = _suffer(rig, fault, order.uniform(0.0, 2.0)) if fault else None
            change()
            if striking is not None:
                striking.join()
                heal(rig)
            app.settles()
            assert visitors.failures == [], f"after {change.__name__} with {fault or 'no fault'}"
            done[change.__name__] += 1
            suffered[fault] += 1
            samples.append(footprints(rig))
    with capsys.disabled():
        print(f"{dict(done)}\n{dict(suffered)}\n{visitors.answers} requests, none failed")
        print({name: (first, samples[-1].get(name)) for name, first in samples[0].items()})
    assert grown(samples) == []
