"""How a release is tried on part of the requests: steps of weights, how long each lasts, and who is sent where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from kernel.errors import define

CANARY_INVALID = define(
    "CANARY_INVALID",
    source="client",
    status=422,
    hint='{"steps": [5, 25, 50], "step_s": 60, "cookie": "", "header": ""}; steps are per cent and grow',
)


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """One canary.

    Attributes:
        steps: per cent of the requests that the new release gets, one step after the other; after the last, all.
        step_s: how long a step lasts, seconds. A step without enough requests to judge goes on all the same.
        cookie: a client stays with the release that it got first, by a cookie of this name; "" draws each request.
        header: a request that names a release in this header gets it; "" for no such header.
        judge: end it when the routers measure that it does worse; else only by hand.
    """

    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(min_length=1, max_length=20)] = (5, 25, 50)
    step_s: Annotated[float, Field(gt=0, le=86400)] = 60.0
    cookie: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")] = ""
    header: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9-]*$")] = ""
    judge: bool = True

    @property
    def rule(self) -> dict[str, str]:
        """The route's rule."""
        return {name: value for name, value in (("cookie", self.cookie), ("header", self.header)) if value}


_PLAN: Final = TypeAdapter(CanaryPlan)


def read_plan(values: Mapping[str, Any]) -> CanaryPlan:
    """Reads a plan.

    Raises:
        ShipoffError: CANARY_INVALID, with everything that is wrong.
    """
    try:
        unknown = set(values) - set(CanaryPlan.__slots__)
        plan = _PLAN.validate_python(dict(values))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise CANARY_INVALID(faults) from None
    if unknown:
        raise CANARY_INVALID(f"there is no {', '.join(sorted(unknown))} in a canary")
    if list(plan.steps) != sorted(set(plan.steps)):
        raise CANARY_INVALID("each step is above the one before")
    return plan
