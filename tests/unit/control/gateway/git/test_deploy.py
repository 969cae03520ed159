"""Which ref is deployed where, and how."""

import orjson
import pytest

from control.gateway.git.deploy import Target, target_of


@pytest.mark.parametrize(
    ("ref", "environment"),
    [
        ("refs/heads/main", "production"),
        ("refs/heads/feature/a", "preview/feature/a"),
        ("refs/heads/production", "preview/production"),
        ("refs/deploy/production", "production"),
        ("refs/deploy/preview/pr-7", "preview/pr-7"),
    ],
)
def test_the_production_branch_goes_to_production_and_others_to_previews(ref: str, environment: str) -> None:
    assert target_of(ref, "main") == Target(environment)


@pytest.mark.parametrize("ref", ["refs/deploy/preview", "refs/deploy/preview/", "refs/deploy/canary/", "refs/deploy/x"])
def test_what_names_no_environment_is_none(ref: str) -> None:
    assert target_of(ref, "main") is None


def test_a_canary_is_named_by_its_steps() -> None:
    target = target_of("refs/deploy/canary/5,25,50/60", "main")
    assert target is not None
    assert target.environment == "production"
    assert orjson.loads(target.canary) == {"steps": [5, 25, 50], "step_s": 60}
    brief = target_of("refs/deploy/canary/5", "main")
    assert brief is not None
    assert orjson.loads(brief.canary) == {"steps": [5]}
