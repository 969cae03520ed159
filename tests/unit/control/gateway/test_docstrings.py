"""Docstrings are read as this repository writes them."""

from __future__ import annotations

from typing import TypedDict

from control.gateway import docstrings


class Base(TypedDict):
    """A base.

    Attributes:
        id: what it is called.
    """

    id: str


def test_a_function_has_a_summary_and_a_description() -> None:
    def show() -> None:
        """GET /x: shows
        it whole.

        And more.

        Raises:
            ValueError: never.
        """

    assert docstrings.read(show) == docstrings.Doc("GET /x: shows it whole.", "And more.", {})


def test_attributes_may_take_several_lines_and_share_one() -> None:
    class Thing:
        """A thing.

        Attributes:
            one: the first
                of all.
            two, three: the others.
        """

    assert docstrings.read(Thing).attributes == {
        "one": "the first of all.",
        "two": "the others.",
        "three": "the others.",
    }
