"""`.env` files: what is written is read again as it was, and what is wrong is named with its line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from control.projects.env.dotenv_text import FILE_BYTES, MAX_FAULTS, read, write
from control.projects.env.merge import EnvVar
from kernel.errors import ShipoffError

TAKEN = {"PORT", "HOME", "PATH", "PWD", "TMPDIR", "USER"}
names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in TAKEN and not name.startswith("SHIPOFF_")
)
# Everything that a process can be given: any text without NUL that UTF-8 can say.
values = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40) | st.text(
    st.sampled_from(" \t\r\n\\'\"#$`=ab${}é\u2028\x85\x1f"), max_size=12
)
PEM = "-----BEGIN KEY-----\nMIIB\\n+/=\n-----END KEY-----\n"


def var(name: str, value: str, *, secret: bool = False, scope: str = "all") -> EnvVar:
    return EnvVar(name, value, scope, "all", secret, datetime(2026, 1, 1, tzinfo=UTC))


@given(
    st.dictionaries(names.filter(lambda name: name not in {"PORT", "HOME", "PATH", "PWD", "TMPDIR", "USER"}), values)
)
@example({"A": PEM, "B": "'", "C": '"', "D": "\\", "E": "x\n\\", "F": "a #b", "G": " ", "H": "$HOME ${A}", "I": "ü€𝄞"})
def test_what_is_written_is_read_again(held: dict[str, str]) -> None:
    text = write([var(name, value, scope="run") for name, value in held.items()], "heading\nof two lines")
    assert read(text) == held


def test_secrets_are_named_and_not_shown() -> None:
    text = write([var("A", "1"), var("TOKEN", "hunter2", secret=True)], "x")
    assert read(text) == {"A": "1"}
    assert "TOKEN" in text
    assert "hunter2" not in text


def test_the_forms_that_people_write() -> None:
    text = """\ufeff# a comment

export A=1
B = two words   # a note
C='single $HOME #no'
D="double\\nline \\"q\\""
E=
F=#no comment
G="several
lines"
H=a=b\r
"""
    assert read(text) == {
        "A": "1",
        "B": "two words",
        "C": "single $HOME #no",
        "D": 'double\nline "q"',
        "E": "",
        "F": "#no comment",
        "G": "several\nlines",
        "H": "a=b",
    }


def test_nothing_is_put_in_for_a_name() -> None:
    assert read("A=1\nB=${A} $HOME\n") == {"A": "1", "B": "${A} $HOME"}


def test_every_fault_is_named_with_its_line_and_no_value() -> None:
    text = "GOOD=1\n\n\n1BAD=hunter2\nPORT=hunter2\nGOOD=hunter2\n\nNOTHING\nX='hunter2\n# end\n"
    with pytest.raises(ShipoffError, match="ENV_FILE_INVALID") as caught:
        read(text)
    for fault in (
        "line 4: '1BAD' cannot name",
        "line 5: PORT is set by the platform",
        "line 6: GOOD stands on line 1 already",
        "line 8: 'NOTHING' has no value",
        "line 9: this is not NAME=VALUE, or a quote is not closed",
    ):
        assert fault in caught.value.detail
    assert "hunter2" not in str(caught.value)


def test_of_very_many_faults_some_are_told() -> None:
    with pytest.raises(ShipoffError, match="and 5 more"):
        read("nothing\n" * (MAX_FAULTS + 5))


def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(ShipoffError, match="512 KiB"):
        read("#" * (FILE_BYTES + 1))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read(text)
    except ShipoffError:
        return
    assert all("\0" not in value for value in found.values())
