"""Watch paths."""

from __future__ import annotations

import time

import pytest

from control.projects.webhooks.watch import touches


@pytest.mark.parametrize(
    ("path", "patterns", "watched"),
    [
        ("a/b.py", [], True),
        ("apps/web/src/x.ts", ["apps/web"], True),
        ("apps/web/src/x.ts", ["apps/web/"], True),
        ("apps/website/x.ts", ["apps/web"], False),
        ("apps/web/src/x.ts", ["apps/*/src"], True),
        ("apps/web/x.ts", ["apps/*/src"], False),
        ("README.md", ["*.md"], True),
        ("docs/README.md", ["*.md"], False),
        ("docs/README.md", ["**/*.md"], True),
        ("README.md", ["**/*.md"], True),
        ("a/b/c/d.py", ["a/**/d.py"], True),
        ("a/d.py", ["a/**/**/d.py"], True),
        ("docs/x", ["**", "!docs"], False),
        ("docs/x", ["!docs"], False),
        ("src/x", ["!docs"], True),
        ("docs/api.json", ["!docs", "docs/api.json"], True),
        ("a", ["A"], False),
    ],
)
def test_patterns(path: str, patterns: list[str], watched: bool) -> None:
    assert touches([path], patterns) is watched


def test_one_path_is_enough_and_the_unknown_touches_everything() -> None:
    assert touches(["x", "docs/y"], ["docs"])
    assert not touches([], ["docs"])
    assert touches(None, ["docs"])


def test_a_pattern_made_to_be_slow_is_not() -> None:
    deep = "/".join(["a" * 50] * 80)
    began = time.process_time()
    for pattern in ("**/a/" * 40 + "b", "*a" * 60 + "b", "**/*" + "*a" * 50 + "/b"):
        assert not touches([deep] * 20, [pattern])
    assert time.process_time() - began < 10  # an exponential one would take longer than the universe has
