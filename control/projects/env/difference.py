"""What a file of variables changes of what is set. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from control.projects.env.merge import EnvVar


@dataclass(frozen=True, slots=True)
class Difference:
    """Names, each in one of four lists, sorted.

    Attributes:
        changed: secrets always: who may not see a value must not learn by guessing that it is the right one.
        removed: no secret is ever among them: a file that was exported does not have them.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def difference(
    before: Iterable[EnvVar], wanted: Mapping[str, str], *, scope: str = "", secret: bool | None = None,
    replace: bool = False,
) -> Difference:  # fmt: skip
    """Compares what is set for one environment with what a file wants there.

    Args:
        before: the variables that are set for just this environment.
        wanted: name to value.
        scope: that the wanted ones get; "" leaves it.
        secret: what they are to be; None leaves it.
        replace: whether those that the file does not have go.
    """
    known = {one.name: one for one in before}

    def same(name: str) -> bool:
        one = known[name]
        kept = scope in ("", one.scope) and secret in (None, one.secret)
        return kept and not one.secret and one.value == wanted[name]

    there = sorted(wanted.keys() & known.keys())
    gone = sorted(one.name for one in known.values() if one.name not in wanted and not one.secret)
    return Difference(
        added=tuple(sorted(wanted.keys() - known.keys())),
        changed=tuple(name for name in there if not same(name)),
        unchanged=tuple(name for name in there if same(name)),
        removed=tuple(gone) if replace else (),
    )
