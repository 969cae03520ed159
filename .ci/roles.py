"""Writes the table of docs/roles.md from the matrix of permissions. `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from kernel.authority import Permission, Role
from kernel.authority.permissions import LEAST

PAGE = Path(__file__).parents[1] / "docs" / "roles.md"
BEGIN, END = "<!-- made by .ci/roles.py -->\n", "<!-- end -->\n"


def table() -> str:
    """A row for each permission, in the matrix's order of roles."""
    head = f"| permission | {' | '.join(Role)} |\n| --- |{' :-: |' * len(Role)}\n"
    ordered = sorted(Permission, key=lambda one: LEAST[one].rank)
    return head + "".join(f"| `{one}` | {' | '.join(_cell(role, one) for role in Role)} |\n" for one in ordered)


def _cell(role: Role, permission: Permission) -> str:
    return "yes" if role.rank >= LEAST[permission].rank else "–"


def page() -> str:
    """The whole file, with a fresh table."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


def main() -> None:
    """Writes the page, or compares it."""
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        sys.exit("docs/roles.md is stale: run PYTHONPATH=. .venv/bin/python .ci/roles.py")


if __name__ == "__main__":
    main()
