"""What scenarios may say, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.load.scenario import Hook, Refused, Scenario, StageSpec, library, load

GOOD = "title = 't'\n[[stage]]\nseconds = 1\nrate = 1\n[[request]]\nname = 'a'\n"


def scenario(**values: Any) -> Scenario:
    return Scenario.model_validate(
        {"title": "t", "stage": [{"seconds": 10, "rate": 5}], "request": [{"name": "page"}], **values}
    )


@pytest.mark.parametrize("name", library())
def test_the_library_is_sound(name: str) -> None:
    assert load(name).seconds > 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("title = 3", "title"),
        ("title = 't'\n[[stage]]\nseconds = 1\nrate = 1\nspeed = 2\n[[request]]\nname = 'a'", "stage.0.speed"),
        ("title = 't'\n[[stage]]\nseconds = 9999\nrate = 1\n[[request]]\nname = 'a'", "3600"),
        (GOOD + "path = 'x'", "request.0.path"),
        (GOOD + 'headers = {A = "\\r\\n"}', "headers"),
        (GOOD + "[[request]]\nname = 'a'", "one name"),
        ("title =", "Invalid value"),
    ],
)
def test_what_is_wrong_is_named(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(content)
    with pytest.raises(Refused, match=says) as refused:
        load(str(file))
    assert str(file) in str(refused.value)


def test_an_unknown_name_tells_the_known_ones() -> None:
    with pytest.raises(Refused, match="dynamic"):
        load("nothing-of-the-kind")


def test_a_run_longer_than_an_hour_is_refused() -> None:
    with pytest.raises(Refused, match="3600"):
        scenario().changed(seconds=3601)


def test_stages_and_hooks_scale_together() -> None:
    long = scenario(
        stage=[{"seconds": 10, "rate": 10, "to": 100}, {"seconds": 30, "rate": 100}],
        hook=[{"name": "deploy", "command": ["true"], "at_s": 20, "every_s": 10}],
    )
    short = long.changed(rate=50, seconds=4, host="x.test")
    assert [one.stage() for one in short.stage] == [
        StageSpec(seconds=1, rate=5, to=50).stage(),
        StageSpec(seconds=3, rate=50).stage(),
    ]
    assert short.hook == (Hook(name="deploy", command=("true",), at_s=2, every_s=1),)
    assert short.request[0].host == "x.test"


def test_a_command_is_given_to_a_hook_by_its_name() -> None:
    bare = scenario(hook=[{"name": "deploy"}, {"name": "scale"}])
    assert bare.hooked({"deploy": ("true",)}).hook == (Hook(name="deploy", command=("true",)),)
    with pytest.raises(Refused, match="at least one of: deploy, scale"):
        bare.hooked({})
    with pytest.raises(Refused, match="no hook restart"):
        bare.hooked({"restart": ("true",)})


def test_the_number_of_slices_is_bounded() -> None:
    longest = scenario(stage=[{"seconds": 3600, "rate": 1}])
    assert longest.seconds / longest.slice_s <= 300
